//! Compiles `bpf/*.bpf.c` with clang into `OUT_DIR`, from where `load` embeds them.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, exit},
};

/// Newest first; `PLIMSOLL_CLANG` names another.
const COMPILERS: &[&str] = &[
    "clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14",
];
const OBJECTS: &[&str] = &["sensors", "probe"];

fn main() {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=PLIMSOLL_CLANG");
    let compiler = find_compiler();
    let output = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for object in OBJECTS {
        compile(&compiler, object, &output);
    }
}

fn find_compiler() -> String {
    let named = env::var("PLIMSOLL_CLANG").ok();
    let works = |name: &&str| {
        Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let found = match &named {
        Some(name) => Some(name.as_str()).filter(works),
        None => COMPILERS.iter().copied().find(|name| works(name)),
    };
    found.map(str::to_owned).unwrap_or_else(|| {
        eprintln!(
            "error: the kernel programs in runtime/bpf need clang 14 or newer; tried {}",
            named.unwrap_or_else(|| COMPILERS.join(", "))
        );
        eprintln!("hint: apt-get install clang-14, or set PLIMSOLL_CLANG to the compiler");
        exit(1);
    })
}

fn compile(compiler: &str, object: &str, output: &Path) {
    let architecture = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "-D__TARGET_ARCH_x86",
        Ok("aarch64") => "-D__TARGET_ARCH_arm64",
        other => {
            eprintln!("error: no kernel programs for architecture {other:?}");
            exit(1);
        }
    };
    let status = Command::new(compiler)
        .args(["-target", "bpfel", "-O2", "-g", "-Wall", "-Werror", architecture])
        // The object must not depend on where it was built.
        .arg(format!(
            "-fdebug-prefix-map={}=.",
            env::var("CARGO_MANIFEST_DIR").unwrap_or_default()
        ))
        .arg("-c")
        .arg(format!("bpf/{object}.bpf.c"))
        .arg("-o")
        .arg(output.join(format!("{object}.bpf.o")))
        .status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("error: {compiler} could not compile runtime/bpf/{object}.bpf.c");
        exit(1);
    }
}
