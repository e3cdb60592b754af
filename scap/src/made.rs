//! Captures made by hand, block by block, for tests.

/// A block around a body.
pub(crate) fn block(number: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&number.to_le_bytes()[..], &length, body, &length].concat()
}

/// The section header of a version.
pub(crate) fn section(major: u16) -> Vec<u8> {
    let body = [
        &0x1a2b_3c4d_u32.to_le_bytes()[..],
        &major.to_le_bytes(),
        &2_u16.to_le_bytes(),
        &u64::MAX.to_le_bytes(),
    ];
    block(0x0a0d_0d0a, &body.concat())
}

/// The machine block.
pub(crate) fn machine(name: &str) -> Vec<u8> {
    let mut body = vec![0; 20];
    body.extend(name.as_bytes());
    body.resize(20 + 128, 0);
    body.extend(1_000_u64.to_le_bytes());
    body.extend([0; 24]);
    block(0x201, &body)
}

fn text(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_le_bytes();
    [&length[..], text].concat()
}

/// A process of a listing, as each version of the format has it.
pub(crate) struct Process {
    pub(crate) pid: u64,
    pub(crate) parent: u64,
    pub(crate) comm: &'static str,
    pub(crate) exe: &'static str,
    pub(crate) args: &'static [u8],
    pub(crate) cgroups: String,
}

impl Process {
    fn bytes(&self, version: u8) -> Vec<u8> {
        let long = |number: u64| number.to_le_bytes().to_vec();
        let mut out = [long(self.pid), long(self.pid), long(self.parent)].concat();
        if version >= 6 {
            out.extend(long(1));
        }
        if version >= 8 {
            out.extend(long(7));
        }
        out.extend(text(self.comm.as_bytes()));
        out.extend(text(self.exe.as_bytes()));
        if version >= 7 {
            out.extend(text(self.exe.as_bytes()));
        }
        out.extend(text(self.args));
        out.extend(text(b"/srv/"));
        out.extend(long(1024));
        out.extend([0; 4]);
        out.extend(33_u32.to_le_bytes());
        out.extend(34_u32.to_le_bytes());
        if version >= 2 {
            out.extend([0; 28]);
        }
        if version >= 3 {
            out.extend(text(b"PATH=/bin\0"));
        }
        if version >= 4 {
            out.extend([long(3), long(4)].concat());
            out.extend(text(self.cgroups.as_bytes()));
        }
        if version >= 5 {
            out.extend(text(b"/"));
        }
        if version >= 9 {
            out.extend(long(5));
            out.extend(34816_u32.to_le_bytes());
            out.extend(1000_u32.to_le_bytes());
            out.push(0);
            out.extend([long(1), long(2), long(3)].concat());
            out.push(1);
            out.extend([long(77), long(8), long(9)].concat());
            out.push(0);
            let whole = u32::try_from(out.len() + 4).unwrap();
            out = [whole.to_le_bytes().to_vec(), out].concat();
        }
        out
    }
}

/// A list of processes in a version, from 1 to 9.
pub(crate) fn processes(version: u8, all: &[Process]) -> Vec<u8> {
    const NUMBERS: [u32; 9] = [0x202, 0x207, 0x209, 0x210, 0x211, 0x212, 0x213, 0x214, 0x215];
    let body: Vec<u8> = all.iter().flat_map(|process| process.bytes(version)).collect();
    block(NUMBERS[usize::from(version) - 1], &body)
}

/// An event of the newer layout.
pub(crate) fn event(time_ns: u64, tid: u64, number: u16, parameters: &[&[u8]]) -> Vec<u8> {
    block(0x216, &laid_out(time_ns, tid, number, parameters, true))
}

/// An event of the older one, which does not say how many parameters there are.
pub(crate) fn old_event(time_ns: u64, tid: u64, number: u16, parameters: &[&[u8]]) -> Vec<u8> {
    block(0x204, &laid_out(time_ns, tid, number, parameters, false))
}

fn laid_out(time_ns: u64, tid: u64, number: u16, parameters: &[&[u8]], has_count: bool) -> Vec<u8> {
    let lengths: Vec<u8> = parameters
        .iter()
        .flat_map(|bytes| u16::try_from(bytes.len()).unwrap().to_le_bytes())
        .collect();
    let mut tail = lengths;
    tail.extend(parameters.concat());
    let head = if has_count { 26 } else { 22 };
    let mut out = 3_u16.to_le_bytes().to_vec();
    out.extend(time_ns.to_le_bytes());
    out.extend(tid.to_le_bytes());
    out.extend(u32::try_from(tail.len() + head).unwrap().to_le_bytes());
    out.extend(number.to_le_bytes());
    if has_count {
        out.extend(u32::try_from(parameters.len()).unwrap().to_le_bytes());
    }
    out.extend(tail);
    out
}

/// Descriptors of a thread, in the older layout or the newer one: number, type, and what the type says.
pub(crate) fn descriptors(has_lengths: bool, tid: u64, all: &[(u64, u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = tid.to_le_bytes().to_vec();
    for (number, kind, rest) in all {
        let entry = [&number.to_le_bytes()[..], &[0; 8], &[*kind], rest].concat();
        if has_lengths {
            body.extend(u32::try_from(entry.len() + 4).unwrap().to_le_bytes());
        }
        body.extend(entry);
    }
    block(if has_lengths { 0x218 } else { 0x203 }, &body)
}

/// What a file's entry says: flags and path.
pub(crate) fn file(path: &str) -> Vec<u8> {
    [&[0; 4][..], &text(path.as_bytes())].concat()
}

/// What an IPv4 socket's entry says.
pub(crate) fn connection(last: u8, protocol: u8) -> Vec<u8> {
    let mut out = vec![10, 0, 0, 1, 10, 0, 0, last];
    out.extend([4000_u16.to_le_bytes(), 53_u16.to_le_bytes()].concat());
    out.push(protocol);
    out
}
