//! Texts as the kernel lays them out in; strings out, marked where they were cut.

/// Arguments, or any list of texts each ended by a NUL. `is_cut` marks the last one.
pub(crate) fn split_args(bytes: &[u8], is_cut: bool) -> Vec<String> {
    let ended = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if ended.is_empty() && bytes.is_empty() {
        return if is_cut { vec!["…".to_owned()] } else { Vec::new() };
    }
    let mut args: Vec<String> = ended
        .split(|&byte| byte == 0)
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect();
    if is_cut && let Some(last) = args.last_mut() {
        last.push('…');
    }
    args
}

/// Text up to its NUL, marked when the kernel side had no room for more.
pub(super) fn limited(bytes: &[u8], limit: usize) -> String {
    let mut text = until_nul(bytes);
    if bytes.len() >= limit {
        text.push('…');
    }
    text
}

/// Text up to its NUL.
pub(super) fn until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
