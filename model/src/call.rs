//! System calls that sensors tell of one by one, because a rule asked for them by name.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{SocketAddress, Transport};

/// A system call that has returned. Texts were read from the caller's memory when it returned, so another thread of the
/// caller may have changed them meanwhile; numbers, the result and the object come from the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which one.
    pub call: SystemCall,
    /// What it returned: 0 or more, else a negative errno.
    pub result: i64,
    /// Its first four arguments as numbers; addresses mean nothing to anybody else.
    pub arguments: [u64; 4],
    /// Its text arguments in their order, lossy UTF-8, hostile; cut ones end in `…`.
    pub texts: Vec<String>,
    /// What one of its descriptors is.
    pub object: CallObject,
}

impl Call {
    /// A text argument, by its place among the texts, as an absolute path: below the folder of the call where it is none.
    /// Links in it are as the caller wrote them.
    pub fn path(&self, index: usize) -> Cow<'_, str> {
        let text = self.texts.get(index).map_or("", String::as_str);
        let folder = match &self.object {
            CallObject::File { path } if !text.starts_with('/') => path,
            _ => return Cow::Borrowed(text),
        };
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Cow::Owned(format!("/{}", parts.join("/")))
    }

    /// Source and target of a call that has two paths: what a link points to, as it was written, and the link; the old name
    /// and the new one. `None` for other calls.
    pub fn source_and_target(&self) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
        use SystemCall as C;
        match self.call {
            C::Symlink | C::Symlinkat | C::Mount | C::MoveMount => {
                let text = self.texts.first().map_or("", String::as_str);
                Some((Cow::Borrowed(text), self.path(1)))
            }
            C::Rename | C::Renameat | C::Renameat2 | C::Link | C::Linkat => Some((self.path(0), self.path(1))),
            _ => None,
        }
    }
}

/// What a descriptor of a call is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CallObject {
    /// It has none, or it was closed meanwhile.
    Nothing,
    /// A file, or the folder that relative paths of the call begin at. Absolute path in the caller's root.
    File {
        /// The path; what no file system holds has no leading slash.
        path: String,
    },
    /// A socket of IPv4 or IPv6.
    Socket {
        /// Its own end; port 0 when unbound.
        local: SocketAddress,
        /// Its peer; port 0 when not connected.
        remote: SocketAddress,
        /// Protocol.
        transport: Transport,
    },
}

macro_rules! calls {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The calls, in an order that only grows at its end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum SystemCall {
            $($(#[$doc])* #[doc = concat!("`", $name, "(2)`.")] $variant,)*
        }

        impl SystemCall {
            /// Every one, by its number in [`CallSet`].
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The kernel's name: `symlinkat`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

calls! {
    Unlink = "unlink",
    Unlinkat = "unlinkat",
    Rmdir = "rmdir",
    Mkdir = "mkdir",
    Mkdirat = "mkdirat",
    Rename = "rename",
    Renameat = "renameat",
    Renameat2 = "renameat2",
    Link = "link",
    Linkat = "linkat",
    Symlink = "symlink",
    Symlinkat = "symlinkat",
    Chmod = "chmod",
    Fchmod = "fchmod",
    Fchmodat = "fchmodat",
    Chown = "chown",
    Lchown = "lchown",
    Fchown = "fchown",
    Fchownat = "fchownat",
    Setuid = "setuid",
    Setgid = "setgid",
    Setreuid = "setreuid",
    Setregid = "setregid",
    Setresuid = "setresuid",
    Setresgid = "setresgid",
    Setns = "setns",
    Unshare = "unshare",
    Mount = "mount",
    Umount2 = "umount2",
    PivotRoot = "pivot_root",
    Chroot = "chroot",
    Ptrace = "ptrace",
    ProcessVmWritev = "process_vm_writev",
    InitModule = "init_module",
    FinitModule = "finit_module",
    Bpf = "bpf",
    MemfdCreate = "memfd_create",
    Dup = "dup",
    Dup2 = "dup2",
    Dup3 = "dup3",
    Socket = "socket",
    Accept = "accept",
    Accept4 = "accept4",
    Userfaultfd = "userfaultfd",
    Capset = "capset",
    Recvfrom = "recvfrom",
    IoUringSetup = "io_uring_setup",
    MoveMount = "move_mount",
    Fchmodat2 = "fchmodat2",
}

const _: () = assert!(SystemCall::ALL.len() <= 64, "a CallSet has one bit for each");

impl SystemCall {
    /// The call with this number in the order of [`Self::ALL`].
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A set of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallSet(u64);

impl CallSet {
    /// Adds one.
    pub fn insert(&mut self, call: SystemCall) {
        self.0 |= 1 << call as u32;
    }

    /// Whether it is in.
    pub fn contains(self, call: SystemCall) -> bool {
        self.0 & (1 << call as u32) != 0
    }

    /// What is in either.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether none is in.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<SystemCall> for CallSet {
    fn from_iter<I: IntoIterator<Item = SystemCall>>(calls: I) -> Self {
        let mut set = Self::default();
        calls.into_iter().for_each(|call| set.insert(call));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_order() {
        for (number, call) in (0..).zip(SystemCall::ALL) {
            assert_eq!(SystemCall::from_number(number), Some(*call));
            let set: CallSet = [*call].into_iter().collect();
            let found: Vec<_> = SystemCall::ALL.iter().filter(|other| set.contains(**other)).collect();
            assert_eq!(found, [call]);
        }
        assert_eq!(SystemCall::from_number(64), None);
    }
}
