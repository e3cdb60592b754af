//! Needs in, a seccomp profile out: a static superset of what ordinary programs call, without the tail that only attackers
//! and administrators use. The evidence is in `comment`, which engines read over.

use plimsoll_model::ScanReport;
use serde_json::{Value, json};

use super::{
    needs::{Needs, base_name, one_line},
    syscalls::{DANGEROUS, FAMILIES, NEW_NAMESPACES, ORDINARY, SERVING},
};

/// `EPERM`, as engines answer.
const EPERM: u32 = 1;
/// `ENOSYS`: the C library then uses the older call.
const ENOSYS: u32 = 38;
/// Programs whose work are the calls that nobody else needs.
const DEBUGGERS: &[&str] = &["gdb", "gdbserver", "strace", "ltrace", "perf", "bpftrace"];
/// Loaders of 32-bit programs on a 64-bit machine.
const LOADERS_32: &[&str] = &[
    "ld-linux.so.2",
    "ld-musl-i386.so.1",
    "ld-linux-armhf.so.3",
    "ld-musl-armhf.so.1",
];

pub(super) fn write(report: &ScanReport, needs: &Needs) -> String {
    let mut rules: Vec<Value> = ORDINARY
        .iter()
        .map(|(title, names)| {
            allow(
                names,
                &format!("{title}: what ordinary programs, and the engine itself, call"),
            )
        })
        .collect();
    rules.extend(FAMILIES.iter().flat_map(|(title, family, types)| {
        types.iter().map(move |kind| {
            let arguments = json!([
                { "index": 0, "value": family, "op": "SCMP_CMP_EQ" },
                { "index": 1, "value": 15, "valueTwo": kind, "op": "SCMP_CMP_MASKED_EQ" },
            ]);
            with_arguments(&["socket"], arguments, &format!("{title}; not raw, no other families"))
        })
    }));
    rules.push(serving(report, needs));
    rules.push(chroot(report, needs));
    let no_namespaces = json!([{ "index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" }]);
    rules.push(with_arguments(
        &["clone"],
        no_namespaces,
        "processes and threads, not namespaces",
    ));
    rules.push(json!({
        "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS,
        "comment": "its flags are in memory, where a filter cannot look: the C library then uses clone",
    }));
    for persona in [0_u64, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        let argument = json!([{ "index": 0, "value": persona, "op": "SCMP_CMP_EQ" }]);
        rules.push(with_arguments(
            &["personality"],
            argument,
            "asking, and the plain Linux personalities",
        ));
    }
    let debugger = needs.programs.keys().find(|path| DEBUGGERS.contains(&base_name(path)));
    for (at, (why, names)) in DANGEROUS.iter().enumerate() {
        match debugger {
            // The first two groups are a debugger's.
            Some(path) if at < 2 => rules.push(allow(
                names,
                &format!("{path} is expected to run: {}", needs.programs[path]),
            )),
            _ => rules.push(deny(names, why)),
        }
    }
    let (architectures, why) = architectures(report, needs);
    let document = json!({
        "comment": format!(
            "made by plimsoll for {} ({}); {why}",
            one_line(&report.image.reference), report.image.config_digest
        ),
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": architectures,
        "syscalls": rules,
    });
    serde_json::to_string_pretty(&document).expect("a JSON value has no map with other keys than text") + "\n"
}

/// Without `listen` nobody can be served; that is so when none of the programs imports it.
fn serving(report: &ScanReport, needs: &Needs) -> Value {
    if let Some((port, why)) = needs.ports.first() {
        return allow(SERVING, &format!("serves port {}: {why}", port.first));
    }
    if !needs.open_exec.is_empty() {
        return allow(SERVING, &format!("other programs may run: {}", needs.open_exec[0]));
    }
    let files: Vec<_> = needs.files(report).collect();
    let unknown = files.iter().find(|file| {
        file.elf.as_ref().is_none_or(|elf| {
            elf.is_static || elf.is_go || elf.imports.listen || elf.imports.dlopen || elf.imports.raw_syscall
        })
    });
    match unknown {
        Some(file) => allow(SERVING, &format!("what {} calls is not proven", file.path)),
        None if files.is_empty() => allow(SERVING, "no program of the image is known"),
        None => deny(
            SERVING,
            &format!("none of the {} expected programs imports listen", files.len()),
        ),
    }
}

fn chroot(report: &ScanReport, needs: &Needs) -> Value {
    match needs.is_root {
        true => allow(&["chroot"], "starts as root, and servers lock themselves in"),
        false => deny(
            &["chroot"],
            &format!(
                "USER {} has not the capability that it needs",
                one_line(&report.config.user)
            ),
        ),
    }
}

/// The 32-bit interface of a 64-bit kernel is closed when no expected program can use it.
fn architectures(report: &ScanReport, needs: &Needs) -> (Vec<&'static str>, String) {
    let (own, small): (&str, &[&str]) = match report.image.platform.architecture.as_str() {
        "amd64" => ("SCMP_ARCH_X86_64", &["SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
        "arm64" => ("SCMP_ARCH_AARCH64", &["SCMP_ARCH_ARM"]),
        "386" => ("SCMP_ARCH_X86", &[]),
        "arm" => ("SCMP_ARCH_ARM", &[]),
        "ppc64le" => ("SCMP_ARCH_PPC64LE", &[]),
        "s390x" => ("SCMP_ARCH_S390X", &[]),
        "riscv64" => ("SCMP_ARCH_RISCV64", &[]),
        _ => ("SCMP_ARCH_NATIVE", &[]),
    };
    let loader_32 = report.files.iter().find(|file| {
        let loader = file.elf.as_ref().and_then(|elf| elf.interpreter.as_deref());
        loader.is_some_and(|loader| LOADERS_32.contains(&base_name(loader)))
    });
    let unproven = needs.files(report).find(|file| {
        file.elf
            .as_ref()
            .is_none_or(|elf| elf.interpreter.is_none() && !elf.is_go)
    });
    let reason = match (loader_32, unproven) {
        _ if small.is_empty() => return (vec![own], "one architecture".to_owned()),
        (Some(file), _) => format!("{} is a 32-bit program", file.path),
        (None, Some(file)) => format!("{} may be a 32-bit program", file.path),
        (None, None) => {
            return (
                vec![own],
                "no program of the image asks for a 32-bit loader: 64-bit calls only".to_owned(),
            );
        }
    };
    (std::iter::once(own).chain(small.iter().copied()).collect(), reason)
}

fn allow(names: &[&str], why: &str) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ALLOW", "comment": why })
}

fn deny(names: &[&str], why: &str) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM, "comment": why })
}

fn with_arguments(names: &[&str], arguments: Value, why: &str) -> Value {
    let mut rule = allow(names, why);
    rule["args"] = arguments;
    rule
}
