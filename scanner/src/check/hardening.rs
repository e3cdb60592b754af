//! ELF facts in, findings about programs that are easier to exploit than they need to be out.

use plimsoll_model::{FileEntry, Relro, Severity};

use super::{Check, Findings, Input, Kind};

/// Executable stacks, setuid programs without protection, library folders that others may write.
pub(super) struct HardeningCheck;

const EXECUTABLE_STACK: Kind = Kind {
    id: "executable-stack",
    severity: Severity::Low,
    benchmark: None,
    title: "a program asks for a stack that can be executed",
    hint: "link it with `-z noexecstack`",
};
const SOFT_SETUID: Kind = Kind {
    id: "setuid-not-hardened",
    severity: Severity::Medium,
    benchmark: None,
    title: "a setuid or setgid program is at a fixed address, or its function table stays writable",
    hint: "build it with `-fPIE -pie -Wl,-z,relro,-z,now`, or take its setuid bit away",
};
const RUN_PATH: Kind = Kind {
    id: "insecure-run-path",
    severity: Severity::Medium,
    benchmark: None,
    title: "a program looks for its libraries in a folder that others may fill",
    hint: "link it with an absolute run path, or with `$ORIGIN`",
};

impl Check for HardeningCheck {
    fn kinds(&self) -> &'static [Kind] {
        const { &[EXECUTABLE_STACK, SOFT_SETUID, RUN_PATH] }
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        for entry in input.tree.iter() {
            judge(entry, out);
        }
    }
}

fn judge(entry: &FileEntry, out: &mut Findings) {
    let Some(elf) = &entry.elf else { return };
    let Some(hardening) = elf.hardening else { return };
    // Objects that are only linked, and what is loaded by others, do not decide the stack's mode by themselves.
    if elf.interpreter.is_some() && !hardening.no_execute_stack {
        out.file(&EXECUTABLE_STACK, entry, "its stack can be executed");
    }
    if entry.is_setuid_or_setgid() {
        let mut lacks = Vec::new();
        if !elf.is_position_independent {
            lacks.push("is not position independent");
        }
        if hardening.relro != Relro::Full && !elf.is_static {
            lacks.push("binds its functions late");
        }
        if !lacks.is_empty() {
            out.file(
                &SOFT_SETUID,
                entry,
                format!("setuid or setgid program that {}", lacks.join(" and ")),
            );
        }
    }
    for folder in &elf.run_path {
        if is_open(folder) {
            let shown: String = folder.chars().take(80).collect();
            out.file(&RUN_PATH, entry, format!("its run path has `{shown}`"));
        }
    }
}

/// Empty and relative entries mean the current folder of whoever starts it (ld.so(8)).
fn is_open(folder: &str) -> bool {
    let below =
        |parent: &str| folder == parent || folder.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
    let is_relative = !folder.starts_with('/') && !folder.starts_with('$');
    is_relative || below("/tmp") || below("/var/tmp") || below("/dev/shm")
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{ElfFacts, FileKind, Hardening, ImageConfig};

    use super::*;
    use crate::{Tree, check::testing};

    #[test]
    fn judges_elf_facts() {
        let good = Hardening {
            no_execute_stack: true,
            relro: Relro::Full,
            ..Hardening::default()
        };
        let partial = Hardening {
            relro: Relro::Partial,
            ..good
        };
        let soft = Hardening {
            no_execute_stack: false,
            ..good
        };
        for (mode, hardening, pie, run_path, expected) in [
            (0o4755, good, true, "/usr/lib/x", &[][..]),
            (0o755, partial, false, "$ORIGIN/../lib", &[]),
            (
                0o4755,
                partial,
                true,
                "",
                &["setuid-not-hardened /x", "insecure-run-path /x"],
            ),
            (0o4755, good, false, "/tmpfiles", &["setuid-not-hardened /x"]),
            (
                0o755,
                soft,
                true,
                "/tmp/build/lib",
                &["executable-stack /x", "insecure-run-path /x"],
            ),
        ] {
            let mut entry = testing::entry("/x", FileKind::Regular, mode);
            entry.elf = Some(Box::new(ElfFacts {
                interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
                is_position_independent: pie,
                run_path: vec![run_path.to_owned()],
                hardening: Some(hardening),
                ..ElfFacts::default()
            }));
            let mut tree = Tree::default();
            tree.insert(entry, None);
            let found = testing::found(&HardeningCheck, &ImageConfig::default(), &tree);
            assert_eq!(found, expected, "{mode:o} {run_path}");
        }
    }
}
