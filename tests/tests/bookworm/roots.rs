//! Root file systems of Debian bookworm without and with its security archive, as tar archives: a few packages
//! downloaded and listed as installed, or many installed.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// What an image of downloaded packages says of itself; the only thing in it that is written here.
const OS_RELEASE: &str =
    "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";

/// The first repository of Debian that this machine's apt knows, and that of security updates.
pub(super) fn mirrors() -> Option<(String, String)> {
    let find = |codename: &str| {
        let output = Command::new("apt-get")
            .args([
                "indextargets",
                "--format",
                "$(REPO_URI)",
                &format!("Codename: {codename}"),
            ])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().next().map(str::to_owned)
    };
    Some((find("bookworm")?, find("bookworm-security")?))
}

/// Installs the packages and what they need into a root file system; an error when the mirror cannot be reached.
pub(super) fn install(
    mirrors: &(String, String),
    archive: &Path,
    is_secured: bool,
    packages: &str,
) -> Result<(), String> {
    let (main, security) = mirrors;
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--mode=root", "--variant=minbase"])
        .args([
            "--aptopt=Acquire::Languages \"none\"",
            "--aptopt=APT::Install-Recommends \"false\"",
        ])
        .args([
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
        ])
        .arg("--dpkgopt=force-unsafe-io")
        .arg(format!(
            "--include={}",
            packages.split_whitespace().collect::<Vec<_>>().join(",")
        ))
        .arg("bookworm")
        .arg(archive)
        .arg(format!("deb {main} bookworm main"));
    if is_secured {
        command.arg(format!("deb {main} bookworm-updates main"));
        command.arg(format!("deb {security} bookworm-security main"));
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    // A half-written archive must not be taken for a whole one by the next run.
    let _ = fs::remove_file(archive);
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("mmdebstrap: {}", said.lines().next().unwrap_or_default()))
}

/// A root file system of the packages alone, without what they need: the records of dpkg's list are those of the downloaded
/// packages, and their changelogs are in it. No maintainer script runs, so it is done in seconds.
pub(super) fn download(
    mirrors: &(String, String),
    archive: &Path,
    is_secured: bool,
    packages: &str,
) -> Result<(), String> {
    let folder = archive.with_extension("apt");
    let debs = folder.join("debs");
    for name in ["lists/partial", "cache/archives/partial", "debs"] {
        fs::create_dir_all(folder.join(name)).map_err(|error| error.to_string())?;
    }
    let (main, security) = mirrors;
    let mut sources = format!("deb {main} bookworm main\n");
    if is_secured {
        sources += &format!("deb {main} bookworm-updates main\ndeb {security} bookworm-security main\n");
    }
    for (name, text) in [("sources.list", sources.as_str()), ("status", "")] {
        fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
    }
    apt(&folder, &["update"])?;
    let names: Vec<&str> = packages.split_whitespace().collect();
    apt(&folder, &[&["download"], names.as_slice()].concat())?;
    let mut status = String::new();
    let mut output = tar::Builder::new(fs::File::create(archive).map_err(|error| error.to_string())?);
    let mut files: Vec<PathBuf> = fs::read_dir(&debs)
        .map_err(|error| error.to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let mut seen = BTreeSet::new();
    for deb in files {
        let control = dpkg_deb("--field", &deb)?;
        let control = String::from_utf8_lossy(&control).into_owned();
        let (first, rest) = control.split_once('\n').ok_or("a package without a record")?;
        status += &format!("{first}\nStatus: install ok installed\n{}\n\n", rest.trim_end());
        let content = dpkg_deb("--fsys-tarfile", &deb)?;
        let mut content = tar::Archive::new(content.as_slice());
        for entry in content.entries().map_err(|error| error.to_string())? {
            let mut entry = entry.map_err(|error| error.to_string())?;
            let path = entry.path().map_err(|error| error.to_string())?;
            let path = path.to_string_lossy().trim_start_matches("./").to_owned();
            let is_changelog =
                path.starts_with("usr/share/doc/") && path.ends_with(".gz") && path.contains("/changelog");
            if is_changelog && entry.header().entry_type().is_file() && seen.insert(path.clone()) {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                append(&mut output, &path, &bytes)?;
            }
        }
    }
    append(&mut output, "var/lib/dpkg/status", status.as_bytes())?;
    append(&mut output, "etc/os-release", OS_RELEASE.as_bytes())?;
    output.into_inner().map(drop).map_err(|error| error.to_string())
}

/// apt with lists, cache and status of its own, so that this machine's are neither read nor changed.
fn apt(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let option = |name: &str, place: &str| format!("-o{name}={}", folder.join(place).display());
    let output = Command::new("apt-get")
        .current_dir(folder.join("debs"))
        .arg("-q")
        .args([
            option("Dir::Etc::sourcelist", "sources.list"),
            "-oDir::Etc::sourceparts=-".to_owned(),
            option("Dir::State::lists", "lists"),
            option("Dir::State::status", "status"),
            option("Dir::Cache", "cache"),
        ])
        .args([
            "-oAcquire::Languages=none",
            "-oAPT::Sandbox::User=root",
            "-oAcquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false",
        ])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "apt-get {}: {}",
        arguments[0],
        said.lines().next().unwrap_or_default()
    ))
}

fn dpkg_deb(what: &str, deb: &Path) -> Result<Vec<u8>, String> {
    let output = Command::new("dpkg-deb")
        .arg(what)
        .arg(deb)
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("dpkg-deb {what} {}", deb.display())),
    }
}

fn append(archive: &mut tar::Builder<fs::File>, path: &str, bytes: &[u8]) -> Result<(), String> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive
        .append_data(&mut header, path, bytes)
        .map_err(|error| error.to_string())
}

/// An OCI layout around a root file system: one layer, not compressed.
pub(super) fn wrap(folder: &Path, archive: &Path) -> PathBuf {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("the test's own set-up works");
    let output = Command::new("sha256sum")
        .arg(archive)
        .output()
        .expect("the test's own set-up works");
    let layer = String::from_utf8(output.stdout).expect("the test's own set-up works")[..64].to_owned();
    std::os::unix::fs::symlink(archive, blobs.join(&layer)).expect("the test's own set-up works");
    let add = |document: &Value| {
        let bytes = serde_json::to_vec(document).expect("the test's own set-up works");
        let digest = plimsoll_tests::image::digest(&bytes);
        fs::write(blobs.join(digest.trim_start_matches("sha256:")), &bytes).expect("the test's own set-up works");
        (digest, bytes.len())
    };
    let (config, config_size) = add(&json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    }));
    let (manifest, manifest_size) = add(&json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": format!("sha256:{layer}"),
            "size": fs::metadata(archive).expect("the test's own set-up works").len(),
        }],
    }));
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("the test's own set-up works");
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": manifest_size,
        "annotations": { "org.opencontainers.image.ref.name": "latest" },
    }]});
    fs::write(folder.join("index.json"), index.to_string()).expect("the test's own set-up works");
    folder.to_owned()
}
