//! Engines' files as they lie on a machine, laid out below a folder.

use std::fs;

use plimsoll_model::ContainerImage;

use super::*;

const ID: &str = "5c5f00000000000000000000000000000000000000000000000000000000aaaa";
const CONFIG: &str = "cf9c17a8cf9c17a8cf9c17a8cf9c17a8cf9c17a8cf9c17a8cf9c17a8cf9c17a8";
const MANIFEST: &str = "0d9daf300d9daf300d9daf300d9daf300d9daf300d9daf300d9daf300d9daf30";

fn lay(root: &Path, files: &[(&str, String)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn image(reference: &str, manifest: Option<&str>, config: Option<&str>) -> Option<ContainerImage> {
    Some(ContainerImage {
        reference: reference.to_owned(),
        manifest_digest: manifest.and_then(parse_digest),
        config_digest: config.and_then(parse_digest),
    })
}

#[test]
fn recognises_engines_by_the_cgroups_path() {
    use ContainerRuntime::{Containerd, Docker, Nspawn, Podman, Runc};
    for (path, expected) in [
        (format!("/libpod_parent/libpod-{ID}"), Some((Podman, ID))),
        (
            format!("/machine.slice/libpod-{ID}.scope/container"),
            Some((Podman, ID)),
        ),
        (format!("/machine.slice/libpod-conmon-{ID}.scope"), None),
        (
            format!("/user.slice/user-1000.slice/x/libpod-payload-{ID}"),
            Some((Podman, ID)),
        ),
        (format!("/docker/{ID}"), Some((Docker, ID))),
        (format!("/docker/{ID}/system.slice/cron.service"), Some((Docker, ID))),
        (format!("/system.slice/docker-{ID}.scope"), Some((Docker, ID))),
        (format!("/kubepods/burstable/pod12/{ID}"), Some((Containerd, ID))),
        (
            format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"),
            Some((Containerd, ID)),
        ),
        (
            format!("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-{ID}.scope"),
            Some((Podman, ID)),
        ),
        (format!("/pod_123-456.slice/crio-conmon-{ID}.scope"), None),
        (
            r"/machine.slice/machine-deb\x2d12.scope/payload/system.slice/cron.service".to_owned(),
            Some((Nspawn, r"deb\x2d12")),
        ),
        (
            "/machine.slice/systemd-nspawn@web.service/payload".to_owned(),
            Some((Nspawn, "web")),
        ),
        (
            "/machine.slice/systemd-nspawn@web.service/supervisor".to_owned(),
            Some((Runc, "supervisor")),
        ),
        (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope".to_owned(), None),
        ("/default/r1".to_owned(), Some((Containerd, "r1"))),
        ("/victim".to_owned(), Some((Runc, "victim"))),
        ("/".to_owned(), None),
        (String::new(), None),
        ("/system.slice/cron.service".to_owned(), None),
        ("/user.slice/user-0.slice/session-1.scope".to_owned(), None),
        ("/a/b/c d".to_owned(), None),
    ] {
        assert_eq!(recognise(&path), expected, "{path}");
    }
}

#[test]
fn podman_is_read_from_its_storage_wherever_it_lies() {
    for (storage, bundle) in [("var/lib/containers/storage", None), ("work/st", Some("/work/st"))] {
        let root = tempfile::tempdir().unwrap();
        let metadata = serde_json::json!({"image-name": "127.0.0.1:5055/team/redis:1", "name": "victim"}).to_string();
        lay(
            root.path(),
            &[
                (
                    &format!("{storage}/overlay-containers/containers.json"),
                    serde_json::json!([
                        {"id": "other", "image": "x"},
                        {"id": ID, "names": ["victim"], "image": CONFIG, "layer": "l", "metadata": metadata}
                    ])
                    .to_string(),
                ),
                (
                    &format!("{storage}/overlay-images/images.json"),
                    serde_json::json!([{"id": CONFIG, "digest": format!("sha256:{MANIFEST}"), "names": ["a:1"]}])
                        .to_string(),
                ),
            ],
        );
        if let Some(bundle) = bundle {
            let label = format!("bundle={bundle}/overlay-containers/{ID}/userdata");
            let state = serde_json::json!({"init_process_pid": 77, "config": {"labels": [label]}});
            lay(
                root.path(),
                &[(&format!("run/runc/{ID}/state.json"), state.to_string())],
            );
        }
        let found = identify(root.path(), 9, &format!("/libpod_parent/libpod-{ID}"), 1).unwrap();
        let container = found.container;
        assert_eq!((container.id.as_str(), container.name.as_str()), (ID, "victim"));
        assert_eq!((container.runtime, container.cgroup_id), (ContainerRuntime::Podman, 9));
        assert_eq!(container.init_pid, if bundle.is_some() { 77 } else { 0 });
        assert_eq!(
            container.image,
            image("127.0.0.1:5055/team/redis:1", Some(MANIFEST), Some(CONFIG))
        );
    }
}

#[test]
fn podmans_storage_is_found_by_the_containers_own_mounts() {
    let root = tempfile::tempdir().unwrap();
    let line = "1 2 0:5 / / rw - overlay overlay rw,lowerdir=/s t,upperdir=/my/st/overlay/abc/diff,workdir=/w";
    lay(
        root.path(),
        &[
            ("proc/44/mountinfo", line.replace("/s t", "/s\\040t")),
            (
                "my/st/overlay-containers/containers.json",
                serde_json::json!([{"id": ID, "names": ["v"], "image": CONFIG}]).to_string(),
            ),
        ],
    );
    let found = identify(root.path(), 9, &format!("/libpod_parent/libpod-{ID}"), 44).unwrap();
    assert_eq!(found.container.image, image(CONFIG, None, Some(CONFIG)));
}

#[test]
fn docker_is_read_from_its_data_folder() {
    let root = tempfile::tempdir().unwrap();
    let config = serde_json::json!({
        "Name": "/web", "Image": format!("sha256:{CONFIG}"), "Config": {"Image": "redis:1"}, "State": {"Pid": 5}
    });
    let by_name = serde_json::json!({"redis": {
        "redis:1": format!("sha256:{CONFIG}"),
        (format!("redis@sha256:{MANIFEST}")): format!("sha256:{CONFIG}"),
    }});
    lay(
        root.path(),
        &[
            (
                &format!("var/lib/docker/containers/{ID}/config.v2.json"),
                config.to_string(),
            ),
            (
                &format!("var/lib/docker/containers/{ID}/hostconfig.json"),
                r#"{"Privileged":true}"#.to_owned(),
            ),
            (
                "var/lib/docker/image/overlay2/repositories.json",
                serde_json::json!({"Repositories": by_name}).to_string(),
            ),
        ],
    );
    let container = identify(root.path(), 9, &format!("/docker/{ID}"), 1).unwrap().container;
    assert_eq!(
        (container.name.as_str(), container.init_pid, container.privileged),
        ("web", 5, Some(true))
    );
    assert_eq!(container.image, image("redis:1", Some(MANIFEST), Some(CONFIG)));
}

#[test]
fn containerd_below_kubernetes_names_the_pod() {
    let root = tempfile::tempdir().unwrap();
    let key = |name: &str| format!("io.kubernetes.cri.{name}");
    let reference = format!("127.0.0.1:5000/lib/redis@sha256:{MANIFEST}");
    let spec = serde_json::json!({"annotations": {
        (key("image-name")): reference, (key("container-name")): "cache", (key("sandbox-name")): "web-1",
        (key("sandbox-namespace")): "shop", (key("sandbox-uid")): "u-1",
    }});
    let folder = format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}");
    lay(
        root.path(),
        &[
            (&format!("{folder}/config.json"), spec.to_string()),
            (&format!("{folder}/init.pid"), "31\n".to_owned()),
        ],
    );
    let container = identify(root.path(), 9, &format!("/kubepods/burstable/podu-1/{ID}"), 1)
        .unwrap()
        .container;
    let pod = container.pod.unwrap();
    assert_eq!(
        (pod.name.as_str(), pod.namespace.as_str(), pod.uid.as_str()),
        ("web-1", "shop", "u-1")
    );
    assert_eq!((container.name.as_str(), container.init_pid), ("cache", 31));
    assert_eq!(container.image, image(&reference, Some(MANIFEST), None));
}

#[test]
fn plain_runc_is_read_from_its_state_and_bundle() {
    let root = tempfile::tempdir().unwrap();
    let walk = serde_json::json!({"from_descriptor_path": {"descriptor_walk": [
        {"digest": format!("sha256:{CONFIG}")}, {"digest": format!("sha256:{MANIFEST}")}
    ]}});
    lay(
        root.path(),
        &[
            (
                "run/runc/victim/state.json",
                serde_json::json!({"init_process_pid": 12, "config": {"labels": ["a=b", "bundle=/b"]}}).to_string(),
            ),
            ("b/umoci.json", walk.to_string()),
            ("b/config.json", r#"{"annotations": {}}"#.to_owned()),
        ],
    );
    let container = identify(root.path(), 9, "/victim", 1).unwrap().container;
    assert_eq!((container.name.as_str(), container.init_pid), ("victim", 12));
    assert_eq!(container.image, image("bundle:victim", Some(MANIFEST), None));
    assert_eq!(identify(root.path(), 9, "/nobody", 1), None);
}

#[test]
fn a_container_that_is_gone_is_what_its_runtime_was_told_to_run() {
    let root = tempfile::tempdir().unwrap();
    let config = serde_json::json!({"annotations": {
        "org.opencontainers.image.ref.name": "shop/job:1",
        "org.opencontainers.image.config.digest": format!("sha256:{CONFIG}"),
    }});
    lay(root.path(), &[("b/config.json", config.to_string())]);
    let case = Case {
        cgroup_id: 9,
        cgroup_path: "/job",
        container_id: "job",
        pid: 0,
        root: root.path(),
    };
    let args = ["runc", "--root", "/own", "run", "-b", "/b", "job"].map(str::to_owned);
    let order = Order::of("runc", &args, "/").unwrap();
    let ordered = |may_be_coming| runc::ordered(&case, ContainerRuntime::Runc, &order, may_be_coming);
    assert_eq!(
        ordered(true),
        None,
        "it runs, and its state may be written down any time"
    );
    let gone = ordered(false).unwrap().container;
    assert_eq!((gone.id.as_str(), gone.init_pid), ("job", 0));
    assert_eq!(gone.image, image("shop/job:1", None, Some(CONFIG)));
    let state = r#"{"init_process_pid": 12}"#.to_owned();
    lay(root.path(), &[("own/job/state.json", state)]);
    assert_eq!(
        ordered(true).unwrap().container.init_pid,
        12,
        "where it was told to write it"
    );
}

/// Keys and forms as CRI-O writes them (its `internal/annotations/internal.go`, and the `config.json` that `crictl inspect`
/// shows of its own example pod).
fn crio_configuration(sandbox: &str) -> serde_json::Value {
    let volumes = r#"[{"container_path":"/etc/hosts","host_path":"/var/lib/kubelet/pods/43/etc-hosts","readonly":false},
        {"container_path":"/etc/config","host_path":"/var/lib/kubelet/pods/43/config","readonly":true,"propagation":1}]"#;
    serde_json::json!({
        "process": {"capabilities": {"bounding": ["CAP_NET_BIND_SERVICE", "CAP_KILL"]}},
        "annotations": {
            "io.container.manager": "cri-o",
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.ContainerID": ID,
            "io.kubernetes.cri-o.ImageName": "quay.io/crio/redis:alpine",
            "io.kubernetes.cri-o.ImageRef": CONFIG,
            "io.kubernetes.cri-o.Labels": r#"{"tier":"backend","io.kubernetes.container.name":"redis"}"#,
            "io.kubernetes.cri-o.SandboxID": sandbox,
            "io.kubernetes.cri-o.SandboxName": "k8s_podsandbox1_shop_3f2b6c1e-8d4a-4f7b-9a2e-5c1d0e7f8a9b_1",
            "io.kubernetes.cri-o.Volumes": volumes,
        }
    })
}

#[test]
fn crio_says_pod_labels_and_volumes_in_annotations() {
    let root = tempfile::tempdir().unwrap();
    let sandbox = "1f04600dc6949359da68eee5fe7c4069706a567c07d1ef89fe3bbfdeac7a6dca";
    let storage = "var/lib/containers/storage";
    let of_sandbox = serde_json::json!({"annotations": {
        "io.kubernetes.cri-o.ContainerType": "sandbox",
        "io.kubernetes.cri-o.Labels": r#"{"app":"shop","io.kubernetes.pod.uid":"9"}"#,
    }});
    lay(
        root.path(),
        &[
            (
                &format!("{storage}/overlay-containers/containers.json"),
                serde_json::json!([{"id": ID, "names": ["k8s_redis_podsandbox1_shop_3f2b_0"], "image": CONFIG}])
                    .to_string(),
            ),
            (
                &format!("{storage}/overlay-containers/{ID}/userdata/config.json"),
                crio_configuration(sandbox).to_string(),
            ),
            (
                &format!("{storage}/overlay-containers/{sandbox}/userdata/config.json"),
                of_sandbox.to_string(),
            ),
        ],
    );
    let path = format!("/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope");
    let container = identify(root.path(), 9, &path, 1).unwrap().container;
    assert_eq!(container.runtime, ContainerRuntime::Crio);
    assert_eq!((container.name.as_str(), container.privileged), ("redis", Some(false)));
    assert_eq!(container.image, image("quay.io/crio/redis:alpine", None, Some(CONFIG)));
    let pod = container.pod.unwrap();
    assert_eq!(
        (pod.name.as_str(), pod.namespace.as_str(), pod.uid.as_str()),
        ("podsandbox1", "shop", "3f2b6c1e-8d4a-4f7b-9a2e-5c1d0e7f8a9b")
    );
    let details = container.details;
    assert_eq!(details.sandbox_id, sandbox);
    assert_eq!(details.pod_labels, [("app".to_owned(), "shop".to_owned())]);
    assert!(
        details.labels.contains(&("tier".to_owned(), "backend".to_owned())),
        "{details:?}"
    );
    let mounts: Vec<_> = details
        .mounts
        .iter()
        .map(|mount| {
            (
                mount.destination.as_str(),
                mount.is_writable,
                mount.propagation.as_str(),
            )
        })
        .collect();
    assert_eq!(
        mounts,
        [("/etc/hosts", true, "rprivate"), ("/etc/config", false, "rslave")]
    );
}

#[test]
fn containerds_specification_tells_pod_mounts_and_rights() {
    let root = tempfile::tempdir().unwrap();
    let all = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_KILL"];
    let spec = serde_json::json!({
        "process": {"capabilities": {"bounding": all}},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/data", "type": "bind", "source": "/srv/data", "options": ["rbind", "rprivate", "ro"]},
        ],
        "annotations": {
            "io.kubernetes.cri.container-name": "redis",
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.image-name": format!("r.example/redis@sha256:{MANIFEST}"),
            "io.kubernetes.cri.sandbox-id": "5a5a",
            "io.kubernetes.cri.sandbox-name": "redis-0",
            "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-uid": "u",
            "team": "blue",
        }
    });
    let task = format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}");
    lay(root.path(), &[(&format!("{task}/config.json"), spec.to_string())]);
    let container = identify(root.path(), 9, &format!("/kubepods/burstable/pod12/{ID}"), 1)
        .unwrap()
        .container;
    assert_eq!((container.name.as_str(), container.privileged), ("redis", Some(true)));
    assert_eq!(container.pod.unwrap().namespace, "shop");
    let details = container.details;
    assert_eq!((details.sandbox_id.as_str(), details.mounts.len()), ("5a5a", 1));
    assert_eq!(details.labels, [("team".to_owned(), "blue".to_owned())]);
    let mount = &details.mounts[0];
    assert_eq!(
        (
            mount.destination.as_str(),
            mount.is_writable,
            mount.propagation.as_str()
        ),
        ("/data", false, "rprivate")
    );
}

#[test]
fn a_machine_of_nspawn_is_named_as_systemd_names_it() {
    let root = tempfile::tempdir().unwrap();
    let text = "# This is private data. Do not parse.\nNAME=deb-12\nCLASS=container\nLEADER=4711\n".to_owned();
    lay(root.path(), &[("run/systemd/machines/deb-12", text)]);
    let path = r"/machine.slice/machine-deb\x2d12.scope/payload";
    let container = identify(root.path(), 9, path, 1).unwrap().container;
    assert_eq!((container.id.as_str(), container.init_pid), ("deb-12", 4711));
    assert_eq!((container.runtime, container.image), (ContainerRuntime::Nspawn, None));
    let unregistered = identify(
        root.path(),
        9,
        "/machine.slice/systemd-nspawn@web.service/payload/init.scope",
        1,
    );
    assert_eq!(unregistered.unwrap().container.name, "web");
}

#[test]
fn broken_and_hostile_files_are_no_identity() {
    let root = tempfile::tempdir().unwrap();
    let path = "var/lib/containers/storage/overlay-containers/containers.json";
    for text in ["", "{", "[1]", r#"[{"id": 5}]"#, "[]"] {
        lay(root.path(), &[(path, text.to_owned())]);
        assert_eq!(
            identify(root.path(), 9, &format!("/libpod_parent/libpod-{ID}"), 1),
            None,
            "{text}"
        );
    }
    let large = root.path().join("large");
    fs::write(&large, vec![b' '; 100]).unwrap();
    assert!(read_bounded(&large, 99).is_err() && read_bounded(&large, 100).is_ok());
}
