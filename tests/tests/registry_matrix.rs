//! Every way that registries ask who is there, and every way that networks fail, against a real registry: passwords,
//! helpers, tokens, TLS with an authority of its own, client certificates, mirrors, rate limits, broken streams, redirects.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_model::ScanReport;
use plimsoll_tests::{
    command::{self, Run},
    fault_proxy::{Act, FaultProxy, answer},
    image::{self, Layout},
    issuer::Issuer,
    machine,
    registry::Registry,
    tls::Authority,
};
use serde_json::json;
use tempfile::TempDir;

/// Bytes of the file that makes the second layer large enough to be cut in the middle.
const BIG_BYTES: u32 = 1 << 20;

struct Made {
    folder: TempDir,
    layout: Layout,
}

impl Made {
    /// `None`: this test cannot run, which is said.
    fn for_test(test: &str) -> Option<Self> {
        let mut tools = ["docker-registry", "skopeo", "htpasswd"].into_iter();
        if let Some(tool) = tools.find(|tool| !machine::has(tool)) {
            machine::say_skipped(test, &format!("{tool} is not installed"));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut files = image::debian_files();
        // Incompressible, and the same every time.
        let big: Vec<u8> = (0..BIG_BYTES / 4)
            .flat_map(|n: u32| n.wrapping_mul(2_654_435_761).rotate_left(n % 31).to_le_bytes())
            .collect();
        files.push(("srv/big", &big));
        let layout = image::write_layout(&folder.path().join("layout"), &[&files[..2], &files[2..]], &json!({}));
        let layout = layout.expect("it is a new folder");
        Some(Self { folder, layout })
    }

    /// A registry with the image, for everybody to read.
    fn open_to_all(&self, name: &str) -> Registry {
        let registry = Registry::start().unwrap();
        registry.push(&self.layout.folder, name).unwrap();
        registry
    }

    /// A registry with the image as `team/demo:1`, for `user` with the password `secret`.
    fn behind_a_password(&self, section: &str) -> Registry {
        let registry = Registry::start_with(section, "").unwrap();
        let login = ["--dest-creds", "user:secret"];
        registry.push_with(&self.layout.folder, "team/demo:1", &login).unwrap();
        registry
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn auth_file(&self, host: &str, user_and_password: &str) -> String {
        let auth = STANDARD.encode(user_and_password);
        self.write(
            &format!("{}.json", auth.trim_end_matches('=')),
            &json!({ "auths": { host: { "auth": auth } } }).to_string(),
        )
    }

    fn passwords(&self) -> String {
        let output = Command::new("htpasswd")
            .args(["-Bbn", "-C", "4", "user", "secret"])
            .output()
            .unwrap();
        let path = self.write("htpasswd", &String::from_utf8(output.stdout).unwrap());
        format!("auth: {{ htpasswd: {{ realm: test, path: {path} }} }}")
    }

    /// Scans, and if that went well compares with what was pushed.
    fn scan(&self, target: &str, arguments: &[&str]) -> Run {
        let out = self.path("report.json");
        let run = command::scan(target, &[arguments, &["-o", &format!("json={out}")]].concat());
        if run.code == Some(0) {
            let report: ScanReport = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
            assert_eq!(report.image.config_digest.to_string(), self.layout.config_digest);
            assert!(
                report
                    .files
                    .iter()
                    .any(|file| file.path == "/srv/big" && file.size_bytes == u64::from(BIG_BYTES))
            );
            assert!(report.notes.is_empty(), "{:?}", report.notes);
        }
        run
    }
}

fn assert_ends(run: &Run, code: i32, text: &str) {
    assert_eq!(run.code, Some(code), "{run:?}");
    assert!(run.stderr.contains(text), "`{text}` is not in {run:?}");
}

const NO_AUTH: [&str; 2] = ["--auth-file", "/nonexistent"];

#[test]
fn a_password_comes_from_the_file_or_a_helper() {
    let Some(made) = Made::for_test("a_password_comes_from_the_file_or_a_helper") else {
        return;
    };
    let registry = made.behind_a_password(&made.passwords());
    let target = format!("{}/team/demo:1", registry.address);
    assert_ends(&made.scan(&target, &NO_AUTH), 3, "podman login");
    let right = made.auth_file(&registry.address, "user:secret");
    assert_eq!(made.scan(&target, &["--auth-file", &right]).code, Some(0));
    for wrong in [
        made.auth_file(&registry.address, "user:wrong"),
        made.auth_file("127.0.0.1:1", "user:secret"),
    ] {
        assert_ends(&made.scan(&target, &["--auth-file", &wrong]), 3, "refuses access");
    }

    let helper = made.write(
        "bin/docker-credential-plimsolltest",
        &format!(
            "#!/bin/sh\nread server\nif [ \"$1 $server\" = \"get {}\" ]; then\n\
             echo '{{\"ServerURL\":\"x\",\"Username\":\"user\",\"Secret\":\"secret\"}}'\nelse\n\
             echo 'credentials not found in native keychain'; exit 1\nfi\n",
            registry.address
        ),
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", made.path("bin"), std::env::var("PATH").unwrap());
    let with_helper = |config: serde_json::Value, code: i32| {
        let file = made.write("helper.json", &config.to_string());
        let mut command = command::plimsoll();
        command
            .args(["scan", &target, "--skip-vulnerabilities", "--auth-file", &file])
            .env("PATH", &path);
        let run = command::finish(command);
        assert_eq!(run.code, Some(code), "{config}: {run:?}");
        assert!(!run.stderr.contains("secret"), "{run:?}");
    };
    with_helper(json!({ "credsStore": "plimsolltest" }), 0);
    with_helper(
        json!({ "credHelpers": { registry.address.as_str(): "plimsolltest" } }),
        0,
    );
    with_helper(json!({ "credHelpers": { "127.0.0.1:1": "plimsolltest" } }), 3);
    with_helper(json!({ "credsStore": "plimsoll-no-such-helper" }), 3);
}

#[test]
fn a_token_server_is_asked_with_password_or_identity_token() {
    let Some(made) = Made::for_test("a_token_server_is_asked_with_password_or_identity_token") else {
        return;
    };
    let issuer = Issuer::start(made.folder.path()).unwrap();
    let registry = made.behind_a_password(&issuer.section());
    let target = format!("{}/team/demo:1", registry.address);
    assert_ends(&made.scan(&target, &NO_AUTH), 3, "refuses access");
    let wrong = made.auth_file(&registry.address, "user:wrong");
    assert_ends(&made.scan(&target, &["--auth-file", &wrong]), 3, "refuses access");
    let right = made.auth_file(&registry.address, "user:secret");
    let before = issuer.asked().len();
    assert_eq!(made.scan(&target, &["--auth-file", &right]).code, Some(0));
    let asked = issuer.asked();
    assert_eq!(asked.len() - before, 1, "one token serves a whole pull: {asked:?}");
    let identity = made.write(
        "identity.json",
        &json!({ "auths": { registry.address.as_str(): { "auth": STANDARD.encode("x:"), "identitytoken": "long-lived" } } })
            .to_string(),
    );
    assert_eq!(made.scan(&target, &["--auth-file", &identity]).code, Some(0));
    let asked = issuer.asked();
    let last = asked.last().unwrap();
    assert!(
        last.starts_with("POST /token HTTP/1.1  grant_type=refresh_token"),
        "{last}"
    );
}

#[test]
fn a_certificate_must_be_of_an_authority_that_is_trusted() {
    let Some(made) = Made::for_test("a_certificate_must_be_of_an_authority_that_is_trusted") else {
        return;
    };
    let authority = Authority::new().unwrap();
    authority.sign(made.folder.path(), "server").unwrap();
    let tls = format!(
        "tls: {{ certificate: {}, key: {} }}",
        made.path("server.cert"),
        made.path("server.key")
    );
    let registry = Registry::start_with("", &tls).unwrap();
    registry.push(&made.layout.folder, "team/demo:1").unwrap();
    let target = format!("{}/team/demo:1", registry.address);
    assert_ends(&made.scan(&target, &[]), 3, "--registry-ca");
    let ca = made.write("ca.pem", &authority.pem());
    assert_eq!(made.scan(&target, &["--registry-ca", &ca]).code, Some(0));
    let other = made.write("other.pem", &Authority::new().unwrap().pem());
    assert_ends(&made.scan(&target, &["--registry-ca", &other]), 3, "not trusted");
    made.write(&format!("certs.d/{}/ca.crt", registry.address), &authority.pem());
    assert_eq!(
        made.scan(&target, &["--registry-certs", &made.path("certs.d")]).code,
        Some(0)
    );
    assert_eq!(made.scan(&target, &["--insecure"]).code, Some(0));
    let nonsense = made.write("nonsense.pem", "no certificate");
    assert_ends(&made.scan(&target, &["--registry-ca", &nonsense]), 3, "nonsense.pem");
    assert_ends(
        &made.scan(&target, &["--registry-ca", "/nonexistent"]),
        2,
        "/nonexistent",
    );
}

#[test]
fn a_client_certificate_is_shown_to_the_host_that_it_is_for() {
    let Some(made) = Made::for_test("a_client_certificate_is_shown_to_the_host_that_it_is_for") else {
        return;
    };
    let authority = Authority::new().unwrap();
    let ca = made.write("ca.pem", &authority.pem());
    authority.sign(made.folder.path(), "server").unwrap();
    let tls = format!(
        "tls: {{ certificate: {}, key: {}, clientcas: [{ca}] }}",
        made.path("server.cert"),
        made.path("server.key")
    );
    let registry = Registry::start_with("", &tls).unwrap();
    let certificates = made.folder.path().join(format!("certs.d/{}", registry.address));
    fs::create_dir_all(&certificates).unwrap();
    authority.sign(&certificates, "client").unwrap();
    let options = ["--dest-cert-dir", certificates.to_str().unwrap()];
    registry
        .push_with(&made.layout.folder, "team/demo:1", &options)
        .unwrap();
    let target = format!("{}/team/demo:1", registry.address);
    assert_eq!(made.scan(&target, &["--registry-ca", &ca]).code, Some(3));
    let folder = made.path("certs.d");
    assert_eq!(
        made.scan(&target, &["--registry-ca", &ca, "--registry-certs", &folder])
            .code,
        Some(0)
    );
}

#[test]
fn mirrors_are_asked_in_their_order_and_a_dead_one_is_left_out() {
    let Some(made) = Made::for_test("mirrors_are_asked_in_their_order_and_a_dead_one_is_left_out") else {
        return;
    };
    let registry = made.open_to_all("mirrored/team/demo:1");
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let empty = Registry::start().unwrap();
    // Nobody has this name, so that only the mirrors can answer.
    let target = "registry.invalid/team/demo:1";
    let mirror = |location: &str| format!("registry.invalid={location}");
    let [dead_one, empty_one, good_one] = [
        mirror(&dead.to_string()),
        mirror(&empty.address),
        mirror(&format!("http://{}/mirrored", registry.address)),
    ];
    let run = made.scan(
        target,
        &[
            "--registry-mirror",
            &dead_one,
            "--registry-mirror",
            &empty_one,
            "--registry-mirror",
            &good_one,
        ],
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    let file = made.write(
        "registries.conf",
        &format!(
            "[[registry]]\nlocation = \"registry.invalid\"\n[[registry.mirror]]\nlocation = \"{dead}\"\n\
             [[registry.mirror]]\nlocation = \"{}/mirrored\"\ninsecure = true\n",
            registry.address
        ),
    );
    let run = made.scan(target, &["--registries-conf", &file]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = made.scan(target, &["--registry-mirror", &empty_one]);
    assert_ends(&run, 3, "registry.invalid");
}

#[test]
fn a_rate_limit_is_waited_for_within_a_bound_and_then_explained() {
    let Some(made) = Made::for_test("a_rate_limit_is_waited_for_within_a_bound_and_then_explained") else {
        return;
    };
    let registry = made.open_to_all("team/demo:1");
    let refusal = |seconds: u32| {
        let body = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
        answer("429 Too Many Requests", &[&format!("Retry-After: {seconds}")], body)
    };
    let proxy = FaultProxy::start(&registry.address, move |asked| match asked.before {
        0 if asked.path.contains("/manifests/") || asked.path.contains("/blobs/") => refusal(1),
        _ => Act::Pass,
    })
    .unwrap();
    let run = made.scan(&format!("{}/team/demo:1", proxy.address), &["--plain-http"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let manifests = proxy
        .asked()
        .iter()
        .filter(|asked| asked.path.contains("/manifests/"))
        .count();
    assert_eq!(manifests, 2);

    for path in ["/manifests/", "/blobs/"] {
        let proxy = FaultProxy::start(&registry.address, move |asked| {
            if asked.path.contains(path) {
                refusal(3600)
            } else {
                Act::Pass
            }
        })
        .unwrap();
        let run = made.scan(&format!("{}/team/demo:1", proxy.address), &["--plain-http"]);
        assert_ends(&run, 3, "asks to wait 3600 s");
        assert!(run.stderr.contains("hint: wait"), "{run:?}");
    }
}

#[test]
fn a_broken_stream_is_continued_where_it_broke() {
    let Some(made) = Made::for_test("a_broken_stream_is_continued_where_it_broke") else {
        return;
    };
    let registry = made.open_to_all("team/demo:1");
    let big = made.layout.layer_digests[1].clone();
    let digest = big.clone();
    let proxy = FaultProxy::start(&registry.address, move |asked| {
        match (asked.path.ends_with(&digest), asked.before) {
            (true, 0) => Act::Cut(300_000),
            (true, 1) => answer("503 Service Unavailable", &[], b""),
            (true, 2) => Act::Cut(200_000),
            _ => Act::Pass,
        }
    })
    .unwrap();
    let run = made.scan(&format!("{}/team/demo:1", proxy.address), &["--plain-http"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let ranges: Vec<_> = proxy
        .asked()
        .into_iter()
        .filter(|asked| asked.path.ends_with(&big))
        .collect();
    let begins: Vec<u32> = ranges
        .iter()
        .map(|asked| {
            let range = asked
                .header("range")
                .map(|range| range.trim_start_matches("bytes=").trim_end_matches('-'));
            range.map_or(0, |range| range.parse().unwrap())
        })
        .collect();
    assert_eq!(begins.len(), 4, "{begins:?}");
    assert!(
        begins[0] == 0 && begins[1] > 200_000 && begins[2] == begins[1] && begins[3] > begins[2] + 100_000,
        "{begins:?}"
    );

    // One that never gets further is given up: the image is there, and incomplete.
    let digest = big;
    let proxy = FaultProxy::start(&registry.address, move |asked| {
        if asked.path.ends_with(&digest) {
            Act::Cut(2_000)
        } else {
            Act::Pass
        }
    })
    .unwrap();
    let run = made.scan(&format!("{}/team/demo:1", proxy.address), &["--plain-http"]);
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(run.stdout.is_empty(), "{run:?}");
}

#[test]
fn a_redirect_does_not_take_credentials_along() {
    let Some(made) = Made::for_test("a_redirect_does_not_take_credentials_along") else {
        return;
    };
    let registry = made.behind_a_password(&made.passwords());
    let blobs: Vec<(String, Vec<u8>)> = made
        .layout
        .layer_digests
        .iter()
        .map(|digest| (digest.clone(), fs::read(registry.blob(digest)).unwrap()))
        .collect();
    let store = FaultProxy::start(&registry.address, move |asked| {
        let found = blobs.iter().find(|(digest, _)| asked.path.contains(digest.as_str()));
        found.map_or_else(
            || answer("404 Not Found", &[], b""),
            |(_, bytes)| answer("200 OK", &[], bytes),
        )
    })
    .unwrap();
    let elsewhere = store.address.clone();
    let layers = made.layout.layer_digests.clone();
    let proxy = FaultProxy::start(&registry.address, move |asked| {
        if layers.iter().any(|digest| asked.path.ends_with(digest.as_str())) {
            let location = format!("Location: http://{elsewhere}/store{}?signature=x", asked.path);
            answer("307 Temporary Redirect", &[&location], b"")
        } else {
            Act::Pass
        }
    })
    .unwrap();
    let auth = made.auth_file(&proxy.address, "user:secret");
    let run = made.scan(
        &format!("{}/team/demo:1", proxy.address),
        &["--plain-http", "--auth-file", &auth],
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        proxy
            .asked()
            .iter()
            .any(|asked| asked.header("authorization").is_some())
    );
    let elsewhere = store.asked();
    assert_eq!(elsewhere.len(), 2, "{elsewhere:?}");
    for asked in elsewhere {
        assert_eq!(asked.header("authorization"), None, "{asked:?}");
        assert_eq!(asked.header("cookie"), None, "{asked:?}");
    }
}
