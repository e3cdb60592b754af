//! Made-up machines for tests: acts in, the items of a capture out, in the order in which a kernel would send them.

use std::{collections::HashMap, net::SocketAddr};

use plimsoll_model::{
    Action, Container, ContainerImage, ContainerRuntime, Credentials, Digest, Evidence, EvidenceSource, ExeFile, Facet,
    FacetState, Fact, FileAccess, FileEntry, FileKind, ImageConfig, ImageIdentity, PathPattern, Phase, Platform,
    Profile, Program, Sbom, ScanReport, SocketAddress, Subject, Transport, Verb, schema,
};

use crate::{
    capture::{Item, VERSION},
    raw::{RawEvent, RawKind, RawTask},
    snapshot::RawProcess,
};

pub(crate) const HOST_MOUNTS: u32 = 10;
pub(crate) const BOOT_OFFSET_NS: u64 = 1_700_000_000_000_000_000;
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// A machine on which things happen, one millisecond apart.
pub(crate) struct Scene {
    pub(crate) items: Vec<Item>,
    pub(crate) now_ns: u64,
    tasks: HashMap<i32, RawTask>,
    next_pid: i32,
}

/// A container of a scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) cgroup_id: u64,
    pub(crate) mounts: u32,
    /// Its first process.
    pub(crate) first: i32,
}

impl Scene {
    /// A host with its first process.
    pub(crate) fn new() -> Self {
        let mut scene = Self {
            items: vec![Item::Start {
                version: VERSION,
                boot_id: "boot".to_owned(),
                boot_offset_ns: BOOT_OFFSET_NS,
                node: "node".to_owned(),
            }],
            now_ns: 1_000_000_000,
            tasks: HashMap::new(),
            next_pid: 100,
        };
        let init = RawTask {
            pid: 1,
            tid: 1,
            start_time_ns: 1,
            parent_pid: 0,
            parent_start_time_ns: 0,
            container_pid: 1,
            container_group_id: 1,
            group_id: 1,
            pid_namespace: 1,
            mount_namespace: HOST_MOUNTS,
            cgroup_id: 1,
            credentials: Credentials::default(),
            session_id: 1,
            tty: 0,
            comm: "systemd".to_owned(),
            exec_id: 0,
        };
        scene.tasks.insert(1, init);
        scene.list(1, "/usr/lib/systemd/systemd", &["systemd"]);
        scene
    }

    pub(crate) fn task(&mut self, pid: i32) -> &mut RawTask {
        self.tasks.get_mut(&pid).expect("the scene made it")
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, milliseconds: u64) {
        self.now_ns += milliseconds * MILLISECOND;
    }

    /// Adds a process to the snapshot.
    pub(crate) fn list(&mut self, pid: i32, exe: &str, args: &[&str]) {
        let task = self.task(pid).clone();
        self.items.push(Item::Process(RawProcess {
            task,
            exe: exe.to_owned(),
            args: words(args),
            cwd: "/".to_owned(),
            exe_file: ExeFile::default(),
        }));
    }

    pub(crate) fn push(&mut self, pid: i32, kind: RawKind) {
        self.wait(1);
        let task = self.task(pid).clone();
        self.items.push(Item::Event(RawEvent {
            time_ns: self.now_ns,
            cpu: 0,
            task,
            kind,
        }));
    }

    /// A new process, without an event: for snapshots, and for those whose event was lost.
    pub(crate) fn spawn(&mut self, parent: i32) -> i32 {
        self.next_pid += 1;
        let pid = self.next_pid;
        let task = self.task(parent).clone();
        let child = RawTask {
            pid,
            tid: pid,
            start_time_ns: self.now_ns + 1,
            parent_pid: task.pid,
            parent_start_time_ns: task.start_time_ns,
            container_pid: pid,
            ..task
        };
        self.tasks.insert(pid, child);
        pid
    }

    pub(crate) fn fork(&mut self, parent: i32) -> i32 {
        let pid = self.spawn(parent);
        let child = Box::new(self.task(pid).clone());
        self.push(parent, RawKind::Fork { child });
        pid
    }

    pub(crate) fn exec(&mut self, pid: i32, exe: &str, args: &[&str]) {
        self.exec_file(pid, exe, args, exe, ExeFile::default());
    }

    pub(crate) fn exec_file(&mut self, pid: i32, exe: &str, args: &[&str], filename: &str, exe_file: ExeFile) {
        self.task(pid).comm = exe.rsplit('/').next().unwrap_or_default().chars().take(15).collect();
        self.push(
            pid,
            RawKind::Exec {
                filename: filename.to_owned(),
                exe: exe.to_owned(),
                args: words(args),
                cwd: "/".to_owned(),
                exe_file,
            },
        );
    }

    pub(crate) fn exit(&mut self, pid: i32) {
        self.push(pid, RawKind::Exit { status: 0 });
    }

    pub(crate) fn write(&mut self, pid: i32, path: &str) {
        let kind = RawKind::Open {
            path: path.to_owned(),
            flags: 0o101,
            access: FileAccess::Write,
            created: true,
            inode: 7,
            asked: None,
        };
        self.push(pid, kind);
    }

    pub(crate) fn connect(&mut self, pid: i32, address: &str) {
        let address = socket(address);
        self.push(
            pid,
            RawKind::Connect {
                address,
                transport: Transport::Tcp,
            },
        );
    }

    pub(crate) fn listen(&mut self, pid: i32, address: &str) {
        let address = socket(address);
        let transport = Transport::Tcp;
        self.push(pid, RawKind::Listen { address, transport });
    }

    /// All that engines say.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.items.iter().filter_map(|item| match item {
            Item::Container(container) => Some(container),
            _ => None,
        })
    }

    /// What the engine says of a cgroup.
    pub(crate) fn name(&mut self, name: &str, cgroup_id: u64, image: Option<Digest>) -> Container {
        let container = Container {
            id: format!("{name}-id"),
            name: name.to_owned(),
            runtime: ContainerRuntime::Podman,
            image: image.map(|digest| ContainerImage {
                reference: format!("registry.example/{name}:1"),
                manifest_digest: None,
                config_digest: Some(digest),
            }),
            cgroup_id,
            cgroup_path: format!("/libpod_parent/libpod-{name}"),
            init_pid: 0,
            privileged: None,
            pod: None,
            details: plimsoll_model::ContainerDetails::default(),
        };
        self.items.push(Item::Container(container.clone()));
        container
    }

    /// What runc does up to the first program of the container: an init of its own in the container's cgroup, a copy of
    /// itself in memory, a child with the new namespaces.
    pub(crate) fn start(&mut self, cgroup_id: u64, exe: &str, args: &[&str]) -> Room {
        let mounts = 1_000 + u32::try_from(cgroup_id).expect("scenes are small");
        let runc = self.fork(1);
        self.exec(runc, "/usr/bin/runc", &["runc", "create"]);
        let outer = self.fork(runc);
        self.task(outer).cgroup_id = cgroup_id;
        let memory = ExeFile {
            is_memfd: true,
            ..ExeFile::default()
        };
        self.exec_file(outer, "/memfd:runc_cloned", &["runc", "init"], "/proc/self/exe", memory);
        let first = self.inner(outer, runc, mounts);
        self.task(first).container_pid = 1;
        self.write(first, "/proc/self/attr/keycreate");
        self.exec(first, exe, args);
        self.exit(outer);
        Room {
            cgroup_id,
            mounts,
            first,
        }
    }

    /// `podman exec`: the same steps, into a container that runs.
    pub(crate) fn enter(&mut self, container: Room, exe: &str, args: &[&str]) -> i32 {
        let runc = self.fork(1);
        self.exec(runc, "/usr/bin/runc", &["runc", "exec"]);
        let outer = self.fork(runc);
        self.task(outer).cgroup_id = container.cgroup_id;
        let inner = self.inner(outer, runc, container.mounts);
        self.exec(inner, exe, args);
        self.exit(outer);
        inner
    }

    /// A child that has its parent's parent (CLONE_PARENT) and other namespaces.
    fn inner(&mut self, outer: i32, runc: i32, mounts: u32) -> i32 {
        let (runc_start, pid) = (self.task(runc).start_time_ns, self.spawn(outer));
        let task = self.task(pid);
        (task.parent_pid, task.parent_start_time_ns) = (runc, runc_start);
        let child = Box::new(task.clone());
        self.push(outer, RawKind::Fork { child });
        let task = self.task(pid);
        (task.mount_namespace, task.pid_namespace) = (mounts, mounts + 1);
        pid
    }
}

pub(crate) fn socket(text: &str) -> SocketAddress {
    let address: SocketAddr = text.parse().expect("tests write addresses");
    SocketAddress {
        ip: address.ip(),
        port: address.port(),
    }
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|word| (*word).to_owned()).collect()
}

/// A digest that is easy to tell from others.
pub(crate) fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

pub(crate) const REDIS: &str = "/usr/bin/redis-server";
pub(crate) const BASH: &str = "/usr/bin/bash";
pub(crate) const DASH: &str = "/usr/bin/dash";
pub(crate) const ENTRY: &str = "/usr/local/bin/docker-entrypoint.sh";

/// The scan of an image with redis behind an entry script: the script may start `id` and the server, the server nothing.
pub(crate) fn redis_report() -> ScanReport {
    let closed = [
        (Verb::Exec, Phase::Entrypoint),
        (Verb::Exec, Phase::Serving),
        (Verb::Exec, Phase::Session),
        (Verb::Write, Phase::Serving),
        (Verb::Connect, Phase::Serving),
        (Verb::Listen, Phase::Serving),
    ];
    let from_script = [Phase::Entrypoint];
    report(
        digest(1),
        Profile {
            main: Some(program(REDIS)),
            entrypoint: vec![program(BASH)],
            health_check: Some(words(&["CMD-SHELL", "redis-cli ping"])),
            facts: vec![
                fact(BASH, Action::Exec(program("/usr/bin/id")), &from_script),
                fact(BASH, Action::Exec(program(REDIS)), &from_script),
                fact(REDIS, Action::Write("/data/**".into()), &[Phase::Serving]),
            ],
            facets: closed
                .into_iter()
                .map(|(verb, phase)| Facet {
                    verb,
                    phase,
                    state: FacetState::Closed,
                    reason: "the pack lists all of it".to_owned(),
                })
                .collect(),
            ..empty_profile(digest(1))
        },
        &[
            REDIS,
            BASH,
            DASH,
            ENTRY,
            "/usr/bin/id",
            "/usr/bin/tini",
            "/usr/bin/redis-cli",
        ],
    )
}

pub(crate) fn program(path: &str) -> Program {
    Program {
        path: PathPattern(path.to_owned()),
        applet: None,
    }
}

pub(crate) fn fact(subject: &str, action: Action, phases: &[Phase]) -> Fact {
    Fact {
        subject: Subject::Program(program(subject)),
        action,
        phases: phases.to_vec(),
        parent: None,
        evidence: vec![Evidence {
            source: EvidenceSource::Image,
            detail: format!("{subject} says so"),
        }],
        confidence: plimsoll_model::Confidence::A,
    }
}

pub(crate) fn empty_profile(config_digest: Digest) -> Profile {
    Profile {
        schema: schema::PROFILE.to_owned(),
        image: "registry.example/redis:1".to_owned(),
        config_digest,
        manifest_digest: None,
        main: None,
        entrypoint: Vec::new(),
        health_check: None,
        probes: Vec::new(),
        packs: Vec::new(),
        facts: Vec::new(),
        denials: Vec::new(),
        facets: Vec::new(),
    }
}

pub(crate) fn report(config_digest: Digest, profile: Profile, files: &[&str]) -> ScanReport {
    ScanReport {
        schema: schema::SCAN_REPORT.to_owned(),
        image: ImageIdentity {
            reference: "registry.example/redis:1".to_owned(),
            manifest_digest: None,
            config_digest,
            diff_ids: vec![digest(200)],
            platform: Platform {
                os: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                variant: None,
            },
        },
        config: ImageConfig::default(),
        layers: Vec::new(),
        sbom: Sbom::default(),
        files: files
            .iter()
            .map(|path| FileEntry {
                size_bytes: 1,
                digest: Some(digest(9)),
                ..FileEntry::new(*path, FileKind::Regular, 0o755)
            })
            .collect(),
        file_count: 1,
        matches: None,
        base: None,
        findings: Vec::new(),
        profile,
        notes: Vec::new(),
        verdict: None,
        usage: None,
    }
}
