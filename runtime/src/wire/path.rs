//! Path components as the kernel side walks them, leaf first, in; an absolute path out.

/// Flags of `bpf/record.h`.
const REACHED_ROOT: u32 = 1;
const DETACHED: u32 = 2;
const CUT: u32 = 4;
/// The path is that of the folder that the text which the caller wrote begins at.
pub(super) const FOLDER: u32 = 16;

/// Joins components that stand leaf first, each ended by a NUL.
///
/// A path that was too deep begins with `/…`; one that lies outside of the task's root is given from the root of its
/// own file system; what no file system holds has no leading slash (`memfd:name`). No components and no flags: empty.
pub(super) fn absolute(bytes: &[u8], flags: u32) -> String {
    if flags & DETACHED != 0 {
        return super::text::until_nul(bytes);
    }
    let mut path = String::with_capacity(bytes.len() + 1);
    if flags & CUT != 0 {
        path.push_str("/…");
    }
    for name in bytes.strip_suffix(&[0]).unwrap_or(bytes).rsplit(|&byte| byte == 0) {
        if !name.is_empty() {
            path.push('/');
            path.push_str(&String::from_utf8_lossy(name));
        }
    }
    if path.is_empty() && flags & REACHED_ROOT != 0 {
        path.push('/');
    }
    path
}

/// A path as its caller wrote it, from a folder on; links are not followed.
pub(super) fn joined(folder: &str, asked: &str) -> String {
    let mut parts: Vec<&str> = match asked.starts_with('/') {
        true => Vec::new(),
        false => folder.split('/').filter(|part| !part.is_empty()).collect(),
    };
    for part in asked.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Whether a file was made by `memfd_create(2)`: no file system holds it, and the kernel named it.
pub(super) fn is_memfd(bytes: &[u8], flags: u32) -> bool {
    flags & DETACHED != 0 && bytes.starts_with(b"memfd:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_components_in_the_right_order() {
        for (bytes, flags, expected) in [
            (&b"sh\0bin\0usr\0"[..], REACHED_ROOT, "/usr/bin/sh"),
            (b"", REACHED_ROOT, "/"),
            (b"", 0, ""),
            (b"sh\0bin\0", 0, "/bin/sh"),
            (b"c\0b\0", CUT, "/…/b/c"),
            (b"memfd:x\0", DETACHED, "memfd:x"),
            (b"a\xff\0", REACHED_ROOT, "/a\u{fffd}"),
        ] {
            assert_eq!(absolute(bytes, flags), expected, "{bytes:?} {flags}");
        }
    }

    #[test]
    fn joins_what_was_written_to_its_folder() {
        for (folder, asked, expected) in [
            ("/srv/app", "file", "/srv/app/file"),
            ("/srv/app", "./a//../b", "/srv/app/b"),
            ("/srv/app", "/etc/shadow", "/etc/shadow"),
            ("/", "../../x", "/x"),
        ] {
            assert_eq!(joined(folder, asked), expected, "{folder} {asked}");
        }
    }

    #[test]
    fn only_a_detached_file_is_a_memfd() {
        assert!(is_memfd(b"memfd:x\0", DETACHED));
        assert!(!is_memfd(b"memfd:x\0tmp\0", REACHED_ROOT));
    }
}
