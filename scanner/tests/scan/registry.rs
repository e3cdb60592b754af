//! A real registry (Debian's docker-registry) on loopback, filled by skopeo.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use plimsoll_scanner::{RegistryFailure, Scan, ScanError, Target, scan};
use tempfile::TempDir;

use crate::builder::{Blob, Image, Layer, listing, oci, options, plain_source};

/// A registry that stops with the test.
struct Registry {
    server: Child,
    address: String,
    _folder: TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Registry {
    /// `None`, loudly, where the tools are missing.
    fn start(auth: Option<&Path>) -> Option<Self> {
        for tool in ["docker-registry", "skopeo"] {
            if Command::new(tool).arg("--version").output().is_err() {
                eprintln!("SKIPPED: {tool} is not installed");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let auth = auth.map_or(String::new(), |path| {
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path.display())
        });
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n{auth}",
            folder.path().join("data").display()
        );
        let path = folder.path().join("registry.yml");
        fs::write(&path, config).unwrap();
        let mut server = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // It says when it listens; from then on somebody must read what it says.
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains("listening on"));
        assert!(ready, "the registry ended before it listened");
        std::thread::spawn(move || lines.count());
        Some(Self {
            server,
            address,
            _folder: folder,
        })
    }

    fn push(&self, image: &Image, name: &str, extra: &[&str]) {
        let out = Command::new("skopeo")
            .args(["copy", "--quiet", "--dest-tls-verify=false"])
            .args(extra)
            .arg(format!("oci:{}:v1", image.path()))
            .arg(format!("docker://{}/{name}", self.address))
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    fn scan(&self, name: &str, credential_files: Vec<PathBuf>) -> Result<Scan, ScanError> {
        let text = format!("{}/{name}", self.address);
        let mut source = plain_source();
        source.registry.credential_files = credential_files;
        scan(&Target::parse(&text)?, &options(source))
    }
}

fn image() -> Image {
    let big: Vec<u8> = (0..900_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let base = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("big", big)
        .tar();
    let top = Layer::new()
        .program("bin/app", 0o755, "#!/bin/sh\n")
        .file(".wh.nothing", "")
        .tar();
    oci(&[Blob::gzip(&base), Blob::gzip(&top)])
}

#[test]
fn pulls_by_tag_and_digest_in_both_manifest_formats() {
    let Some(registry) = Registry::start(None) else { return };
    let image = image();
    let expected = image.scan().unwrap();
    registry.push(&image, "team/app:1", &["--preserve-digests"]);
    registry.push(&image, "team/app:v2s2", &["--format", "v2s2"]);
    for name in ["team/app:1".to_owned(), format!("team/app@{}", image.manifest_digest)] {
        let found = registry.scan(&name, Vec::new()).unwrap();
        assert_eq!(listing(&found), listing(&expected));
        assert_eq!(found.image.manifest_digest, expected.image.manifest_digest);
        assert_eq!(found.layers, expected.layers);
        assert_eq!(found.notes, expected.notes);
    }
    let found = registry.scan("team/app:v2s2", Vec::new()).unwrap();
    assert_eq!(listing(&found), listing(&expected));
    assert!(
        found.layers[0]
            .media_type
            .starts_with("application/vnd.docker.image.rootfs.diff")
    );

    for (name, expected) in [
        ("team/app:2", RegistryFailure::NotFound),
        ("team/other:1", RegistryFailure::NotFound),
    ] {
        match registry.scan(name, Vec::new()) {
            Err(ScanError::Registry { reason, .. }) => assert_eq!(reason, expected, "{name}"),
            other => panic!("{name}: {:?}", other.map(|scan| scan.image)),
        }
    }
    let missing = format!("team/app@{}", crate::builder::digest(b"nothing"));
    assert!(registry.scan(&missing, Vec::new()).is_err());
}

#[test]
fn basic_credentials_come_from_the_file_and_only_for_this_host() {
    let folder = tempfile::tempdir().unwrap();
    // bcrypt of `secret`, cost 4, as htpasswd -B writes it.
    let Ok(out) = Command::new("htpasswd")
        .args(["-Bbn", "-C", "4", "user", "secret"])
        .output()
    else {
        eprintln!("SKIPPED: htpasswd is not installed");
        return;
    };
    let passwords = folder.path().join("htpasswd");
    fs::write(&passwords, out.stdout).unwrap();
    let Some(registry) = Registry::start(Some(&passwords)) else {
        return;
    };
    let image = image();
    registry.push(&image, "app:1", &["--dest-creds", "user:secret"]);
    let auth_file = |host: &str, auth: &str| {
        let path = folder.path().join(format!("{auth}.json"));
        fs::write(&path, format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#)).unwrap();
        path
    };
    // user:secret and user:wrong
    let right = auth_file(&registry.address, "dXNlcjpzZWNyZXQ=");
    let wrong = auth_file(&registry.address, "dXNlcjp3cm9uZw==");
    assert_eq!(
        listing(&registry.scan("app:1", vec![right]).unwrap()),
        listing(&image.scan().unwrap())
    );
    for files in [
        Vec::new(),
        vec![wrong],
        vec![auth_file("other.example", "dXNlcjpzZWNyZXQ=")],
    ] {
        match registry.scan("app:1", files) {
            Err(ScanError::Registry { reason, .. }) => assert_eq!(reason, RegistryFailure::Refused),
            other => panic!("{:?}", other.map(|scan| scan.image)),
        }
    }
}

#[test]
fn nobody_there_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = format!("127.0.0.1:{port}/app:1");
    match scan(&Target::parse(&target).unwrap(), &options(plain_source())) {
        Err(error @ ScanError::Registry { .. }) => {
            assert!(
                matches!(
                    error,
                    ScanError::Registry {
                        reason: RegistryFailure::Unreachable,
                        ..
                    }
                ),
                "{error}"
            );
            assert!(error.hint().contains("--plain-http"));
        }
        other => panic!("{:?}", other.map(|scan| scan.image)),
    }
    assert!(
        Target::parse("Not An Image")
            .is_ok_and(|target| scan(&target, &options(plain_source())).is_err_and(|e| e.is_usage()))
    );
}
