//! Flags and error numbers as text, in upstream's words.

use std::fmt::Write;

/// `O_RDONLY|O_CLOEXEC` for the flags of open(2) on Linux (asm-generic/fcntl.h).
pub(crate) fn write_open_flags(flags: u32, was_created: bool, out: &mut String) {
    const ACCESS: [&str; 4] = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_NONE"];
    const BITS: [(u32, &str); 11] = [
        (0o100, "O_CREAT"),
        (0o200, "O_EXCL"),
        (0o1000, "O_TRUNC"),
        (0o2000, "O_APPEND"),
        (0o4000, "O_NONBLOCK"),
        (0o10000, "O_DSYNC"),
        (0o40000, "O_DIRECT"),
        (0o100000, "O_LARGEFILE"),
        (O_DIRECTORY, "O_DIRECTORY"),
        (0o2000000, "O_CLOEXEC"),
        (0o20000000, "O_TMPFILE"),
    ];
    out.push_str(ACCESS[(flags & 3) as usize]);
    for (bit, name) in BITS {
        if flags & bit != 0 {
            let _ = write!(out, "|{name}");
        }
    }
    if was_created {
        out.push_str("|O_F_CREATED");
    }
}

/// Only a directory may be opened.
pub(crate) const O_DIRECTORY: u32 = 0o200000;

/// `EACCES` for 13 (asm-generic/errno.h); `None` for numbers that have no name.
pub(crate) fn error_name(number: i32) -> Option<&'static str> {
    ERRORS
        .split_ascii_whitespace()
        .nth(usize::try_from(number).ok()?.checked_sub(1)?)
        .filter(|name| *name != "-")
}

/// Names in the order of their numbers, from 1; `-` where there is none.
const ERRORS: &str = "\
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST \
    EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM \
    ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG \
    EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET \
    ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG \
    ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE \
    EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE \
    EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN \
    ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL \
    EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD \
    ENOTRECOVERABLE ERFKILL EHWPOISON";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_flags_and_errors() {
        let mut out = String::new();
        write_open_flags(0o1101, true, &mut out);
        assert_eq!(out, "O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED");
        assert_eq!(error_name(1), Some("EPERM"));
        assert_eq!(error_name(13), Some("EACCES"));
        assert_eq!(error_name(115), Some("EINPROGRESS"));
        assert_eq!(error_name(0), None);
        assert_eq!(error_name(4000), None);
    }
}
