//! Names of the numbers and bits that system calls take, in upstream's words (falcosecurity/libs `ppm_events_public.h`).

use std::fmt::Write;

/// `16(AF_NETLINK)`: a constant of the table with that prefix; the bare number when it has no name.
pub(crate) fn write_number_of(table: &str, number: u64, out: &mut String) {
    let numbers = NUMBERS.iter().find(|(prefix, _)| *prefix == table);
    let name = numbers.and_then(|(_, names)| names.iter().find(|(value, _)| *value == number));
    let _ = match name {
        Some((_, name)) => write!(out, "{number}({table}_{name})"),
        None => write!(out, "{number}"),
    };
}

/// `CLONE_NEWNS|CLONE_NEWPID`: the bits of the table with that prefix; `0` for none.
pub(crate) fn write_names(table: &str, bits: u64, out: &mut String) {
    let start = out.len();
    let names = BITS
        .iter()
        .find(|(prefix, _)| *prefix == table)
        .map_or(&[][..], |(_, names)| names);
    for (bit, name) in names {
        if bits & bit != 0 {
            let separator = if out.len() == start { "" } else { "|" };
            let _ = write!(out, "{separator}{table}_{name}");
        }
    }
    if out.len() == start {
        out.push('0');
    }
}

/// `CAP_CHOWN CAP_SYS_ADMIN` (capabilities(7)).
pub(crate) fn write_capabilities(bits: u64, out: &mut String) {
    let names = CAPABILITIES.split_ascii_whitespace().enumerate();
    for (index, (_, name)) in names.filter(|(number, _)| bits & (1 << number) != 0).enumerate() {
        let separator = if index == 0 { "" } else { " " };
        let _ = write!(out, "{separator}CAP_{name}");
    }
}

type Names = &'static [(u64, &'static str)];

const NUMBERS: &[(&str, Names)] = &[
    (
        "PTRACE",
        &[
            (0x0, "TRACEME"),
            (0x1, "PEEKTEXT"),
            (0x2, "PEEKDATA"),
            (0x3, "PEEKUSR"),
            (0x4, "POKETEXT"),
            (0x5, "POKEDATA"),
            (0x6, "POKEUSR"),
            (0x7, "CONT"),
            (0x8, "KILL"),
            (0x9, "SINGLESTEP"),
            (0xc, "GETREGS"),
            (0xd, "SETREGS"),
            (0xe, "GETFPREGS"),
            (0xf, "SETFPREGS"),
            (0x10, "ATTACH"),
            (0x11, "DETACH"),
            (0x12, "GETFPXREGS"),
            (0x13, "SETFPXREGS"),
            (0x18, "SYSCALL"),
            (0x4200, "SETOPTIONS"),
            (0x4201, "GETEVENTMSG"),
            (0x4202, "GETSIGINFO"),
            (0x4203, "SETSIGINFO"),
            (0x4204, "GETREGSET"),
            (0x4205, "SETREGSET"),
            (0x4206, "SEIZE"),
            (0x4207, "INTERRUPT"),
            (0x4208, "LISTEN"),
            (0x4209, "PEEKSIGINFO"),
            (0x420a, "GETSIGMASK"),
            (0x420b, "SETSIGMASK"),
        ],
    ),
    (
        "AF",
        &[
            (0x0, "UNSPEC"),
            (0x1, "UNIX"),
            (0x2, "INET"),
            (0x3, "AX25"),
            (0x4, "IPX"),
            (0x5, "APPLETALK"),
            (0x6, "NETROM"),
            (0x7, "BRIDGE"),
            (0x8, "ATMPVC"),
            (0x9, "X25"),
            (0xa, "INET6"),
            (0xb, "ROSE"),
            (0xf, "KEY"),
            (0x10, "NETLINK"),
            (0x11, "PACKET"),
            (0x15, "RDS"),
            (0x17, "IRDA"),
            (0x18, "PPPOX"),
            (0x1a, "LLC"),
            (0x1d, "CAN"),
            (0x1e, "TIPC"),
            (0x1f, "BLUETOOTH"),
            (0x21, "RXRPC"),
            (0x22, "ISDN"),
            (0x23, "PHONET"),
            (0x24, "IEEE802154"),
            (0x25, "CAIF"),
            (0x26, "ALG"),
            (0x27, "NFC"),
            (0x28, "VSOCK"),
            (0x2c, "XDP"),
        ],
    ),
    (
        "BPF",
        &[
            (0x0, "MAP_CREATE"),
            (0x1, "MAP_LOOKUP_ELEM"),
            (0x2, "MAP_UPDATE_ELEM"),
            (0x3, "MAP_DELETE_ELEM"),
            (0x4, "MAP_GET_NEXT_KEY"),
            (0x5, "PROG_LOAD"),
            (0x6, "OBJ_PIN"),
            (0x7, "OBJ_GET"),
            (0x8, "PROG_ATTACH"),
            (0x9, "PROG_DETACH"),
            (0xa, "PROG_TEST_RUN"),
            (0xb, "PROG_GET_NEXT_ID"),
            (0xc, "MAP_GET_NEXT_ID"),
            (0xd, "PROG_GET_FD_BY_ID"),
            (0xe, "MAP_GET_FD_BY_ID"),
            (0xf, "OBJ_GET_INFO_BY_FD"),
            (0x10, "PROG_QUERY"),
            (0x11, "RAW_TRACEPOINT_OPEN"),
            (0x12, "BTF_LOAD"),
            (0x13, "BTF_GET_FD_BY_ID"),
            (0x14, "TASK_FD_QUERY"),
            (0x15, "MAP_LOOKUP_AND_DELETE_ELEM"),
            (0x16, "MAP_FREEZE"),
            (0x17, "BTF_GET_NEXT_ID"),
            (0x18, "MAP_LOOKUP_BATCH"),
            (0x19, "MAP_LOOKUP_AND_DELETE_BATCH"),
            (0x1a, "MAP_UPDATE_BATCH"),
            (0x1b, "MAP_DELETE_BATCH"),
            (0x1c, "LINK_CREATE"),
            (0x1d, "LINK_UPDATE"),
            (0x1e, "LINK_GET_FD_BY_ID"),
            (0x1f, "LINK_GET_NEXT_ID"),
            (0x20, "ENABLE_STATS"),
            (0x21, "ITER_CREATE"),
            (0x22, "LINK_DETACH"),
            (0x23, "PROG_BIND_MAP"),
        ],
    ),
];

const BITS: &[(&str, Names)] = &[
    (
        "CLONE",
        &[
            (0x80, "NEWTIME"),
            (0x100, "VM"),
            (0x200, "FS"),
            (0x400, "FILES"),
            (0x800, "SIGHAND"),
            (0x20000, "NEWNS"),
            (0x40000, "SYSVSEM"),
            (0x2000000, "NEWCGROUP"),
            (0x4000000, "NEWUTS"),
            (0x8000000, "NEWIPC"),
            (0x10000000, "NEWUSER"),
            (0x20000000, "NEWPID"),
            (0x40000000, "NEWNET"),
        ],
    ),
    (
        "MS",
        &[
            (0x1, "RDONLY"),
            (0x2, "NOSUID"),
            (0x4, "NODEV"),
            (0x8, "NOEXEC"),
            (0x10, "SYNCHRONOUS"),
            (0x20, "REMOUNT"),
            (0x1000, "BIND"),
            (0x2000, "MOVE"),
            (0x4000, "REC"),
            (0x8000, "SILENT"),
            (0x20000, "UNBINDABLE"),
            (0x40000, "PRIVATE"),
            (0x80000, "SLAVE"),
            (0x100000, "SHARED"),
        ],
    ),
    ("MNT", &[(0x1, "FORCE"), (0x2, "DETACH"), (0x4, "EXPIRE")]),
    ("AT", &[(0x200, "REMOVEDIR")]),
    ("MFD", &[(0x1, "CLOEXEC"), (0x2, "ALLOW_SEALING"), (0x4, "HUGETLB")]),
    (
        "MODULE",
        &[
            (0x1, "INIT_IGNORE_MODVERSIONS"),
            (0x2, "INIT_IGNORE_VERMAGIC"),
            (0x4, "INIT_COMPRESSED_FILE"),
        ],
    ),
];

/// In the order of their numbers.
const CAPABILITIES: &str = "\
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE \
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT \
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE \
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ \
    PERFMON BPF CHECKPOINT_RESTORE";
