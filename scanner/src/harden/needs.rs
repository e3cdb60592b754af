//! What a container needs, as its profile and the files of its image say: programs, capabilities, folders, ports, peers.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{
    Action, Applet, Confidence, FacetState, Fact, FileEntry, FileKind, Phase, PortSpec, Profile, Program, ScanReport,
    Subject, Verb,
};

/// Ports below need a capability (ip(7), `ip_unprivileged_port_start`).
const PRIVILEGED_PORTS: u16 = 1024;

/// What a container needs. Values are the evidence.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Programs that are expected to run outside of sessions, by resolved path.
    pub(super) programs: BTreeMap<String, String>,
    /// Scripts among them; the kernel executes the file that a script is before its interpreter.
    pub(super) scripts: BTreeMap<String, String>,
    /// Why other programs may run too: reasons of open facets; empty when the list is all.
    pub(super) open_exec: Vec<String>,
    /// Paths that are expected to be written, as the profile writes them.
    pub(super) writes: BTreeMap<String, String>,
    /// Why other files may be written too.
    pub(super) open_write: Vec<String>,
    /// Sets of paths that nobody may write.
    pub(super) never_written: BTreeMap<String, String>,
    /// Folders for which a read-only root file system needs a writable place.
    pub(super) folders: BTreeMap<String, String>,
    /// Folders that are written and that hold the image's own files, which a fresh folder would hide.
    pub(super) covered: BTreeMap<String, String>,
    /// Capabilities, `SETUID`.
    pub(super) capabilities: BTreeMap<&'static str, String>,
    /// Ports that are served.
    pub(super) ports: Vec<(PortSpec, String)>,
    /// Connections that are expected, but not to itself.
    pub(super) peers: Vec<(Fact, String)>,
    /// Why other connections may be made too; empty when the list is all.
    pub(super) open_connect: Vec<String>,
    /// User as a number, when the image names one.
    pub(super) uid: Option<u32>,
    /// Starts as root.
    pub(super) is_root: bool,
}

impl Needs {
    pub(super) fn of(report: &ScanReport) -> Self {
        let profile = &report.profile;
        let mut needs = Self {
            open_exec: open(profile, Verb::Exec),
            open_write: open(profile, Verb::Write),
            open_connect: open(profile, Verb::Connect),
            ..Self::default()
        };
        let name = report.config.user.split(':').next().unwrap_or_default();
        needs.is_root = matches!(name, "" | "0" | "root");
        needs.uid = name.parse().ok();
        for program in profile.main.iter().chain(&profile.entrypoint) {
            needs.program(program, "ENTRYPOINT and CMD lead to it".to_owned());
        }
        for fact in profile.facts.iter().filter(|fact| is_own(fact)) {
            needs.fact(fact);
        }
        for denial in &profile.denials {
            if let (Verb::Write, Some(object), Subject::Any, []) =
                (denial.verb, &denial.object, &denial.subject, &denial.phases[..])
            {
                let detail = denial.evidence.first().map_or("", |first| &first.detail);
                needs.never_written.insert(object.0.clone(), one_line(detail));
            }
        }
        needs.add_folders(report);
        needs.add_capabilities(report);
        needs
    }

    fn program(&mut self, program: &Program, why: String) {
        if let Some(Applet::Script(script)) = &program.applet {
            self.scripts.entry(script.clone()).or_insert_with(|| why.clone());
        }
        self.programs.entry(program.path.0.clone()).or_insert(why);
    }

    fn fact(&mut self, fact: &Fact) {
        let why = evidence(fact);
        match &fact.action {
            Action::Exec(program) => {
                self.program(program, why.clone());
                if let Subject::Program(subject) = &fact.subject {
                    self.program(subject, why);
                }
            }
            Action::Write(path) => drop(self.writes.entry(path.0.clone()).or_insert(why)),
            Action::Listen(port) if !self.ports.iter().any(|(known, _)| known == port) => self.ports.push((*port, why)),
            Action::Connect(_) => self.peers.push((fact.clone(), why)),
            Action::Become(_) => {
                for capability in ["SETGID", "SETUID"] {
                    self.capabilities.entry(capability).or_insert_with(|| why.clone());
                }
                if fact.phases.contains(&Phase::Serving) {
                    let reason = format!("signals its processes of another user; {why}");
                    self.capabilities.entry("KILL").or_insert(reason);
                }
            }
            Action::Load(_) | Action::Listen(_) => {}
        }
    }

    fn add_folders(&mut self, report: &ScanReport) {
        for volume in &report.config.volumes {
            let volume = volume.trim_end_matches('/');
            if volume.starts_with('/') {
                self.folders.insert(volume.to_owned(), format!("VOLUME {volume}"));
            }
        }
        for (path, why) in &self.writes {
            let Some(folder) = folder_of(path) else { continue };
            let place = match is_configuration(folder) {
                true => &mut self.covered,
                false => &mut self.folders,
            };
            place.entry(folder.to_owned()).or_insert_with(|| why.clone());
        }
        // A folder inside of another one needs no place of its own, unless a volume is there: below /run and /tmp, which
        // are empty at the start, programs expect theirs to exist.
        let all: Vec<String> = self.folders.keys().cloned().collect();
        let is_fresh = |folder: &str| ["/run", "/tmp", "/var/tmp"].contains(&folder);
        self.folders.retain(|folder, why| {
            let covered = all.iter().any(|outer| is_below(folder, outer) && !is_fresh(outer));
            !covered || why.starts_with("VOLUME")
        });
    }

    fn add_capabilities(&mut self, report: &ScanReport) {
        let low = self.ports.iter().find(|(port, _)| port.first < PRIVILEGED_PORTS);
        if let Some((port, why)) = low {
            let reason = format!("port {} is below {PRIVILEGED_PORTS}; {why}", port.first);
            self.capabilities.insert("NET_BIND_SERVICE", reason);
        }
        for (path, why) in &self.programs {
            let capability = match base_name(path) {
                "chown" | "install" => "CHOWN",
                "chmod" => "FOWNER",
                "chroot" => "SYS_CHROOT",
                "ping" => "NET_RAW",
                _ => continue,
            };
            self.capabilities
                .entry(capability)
                .or_insert_with(|| format!("{path} may run: {why}"));
        }
        if self.is_root && self.capabilities.contains_key("SETUID") {
            let writes = self.folders.iter().find(|(_, why)| !why.contains("any program"));
            let folder = writes.map_or("its folders", |(folder, _)| folder);
            let reason = format!("starts as root and prepares {folder} of another user");
            self.capabilities
                .entry("DAC_OVERRIDE")
                .or_insert_with(|| reason.clone());
            self.capabilities.entry("CHOWN").or_insert_with(|| reason.clone());
            self.capabilities.entry("FOWNER").or_insert(reason);
        }
        if !self.is_root {
            let kept = |name: &&'static str, report: &ScanReport| {
                *name == "NET_BIND_SERVICE" && report.files.iter().any(|file| file.has_capabilities)
            };
            self.capabilities.retain(|name, _| kept(name, report));
        }
    }

    /// Expected programs as files of the image, links resolved by the profile already.
    pub(super) fn files<'a>(&'a self, report: &'a ScanReport) -> impl Iterator<Item = &'a FileEntry> {
        report
            .files
            .iter()
            .filter(|file| file.kind == FileKind::Regular && self.programs.contains_key(&file.path))
    }

    /// The first expected program that may become somebody else by its file's bits.
    pub(super) fn raised<'a>(&'a self, report: &'a ScanReport) -> Option<&'a FileEntry> {
        self.files(report)
            .find(|file| file.is_setuid_or_setgid() || file.has_capabilities)
    }
}

/// Whether a fact holds without anybody who came in from outside; what only ranks allows nothing but writes, where too
/// little breaks the container and too much costs little.
fn is_own(fact: &Fact) -> bool {
    let is_session = !fact.phases.is_empty() && fact.phases.iter().all(|phase| *phase == Phase::Session);
    !is_session && (fact.confidence < Confidence::C || fact.action.verb() != Verb::Connect)
}

/// Why a verb is not judged in a phase that containers reach by themselves: reasons of open facets, and phases of which
/// the profile says nothing. Connections, writes and programs of probes are those of the health check.
fn open(profile: &Profile, verb: Verb) -> Vec<String> {
    let phases: &[Phase] = match verb {
        Verb::Exec => &[Phase::Entrypoint, Phase::Serving],
        _ => &[Phase::Serving],
    };
    let mut reasons = BTreeSet::new();
    for phase in phases {
        let facet = profile
            .facets
            .iter()
            .find(|facet| facet.verb == verb && facet.phase == *phase);
        match facet {
            Some(facet) if facet.state == FacetState::Closed => {}
            Some(facet) => drop(reasons.insert(one_line(&facet.reason))),
            None => drop(reasons.insert(format!("the profile says nothing of the phase {phase:?}").to_lowercase())),
        }
    }
    reasons.into_iter().collect()
}

fn evidence(fact: &Fact) -> String {
    let first = fact.evidence.first().map_or("", |first| &first.detail);
    format!("{} [{:?}]", one_line(first), fact.confidence)
}

/// Evidence quotes the image: one line without control characters, of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(160)
        .collect();
    shown.trim().to_owned()
}

/// The folder that a written path needs; `None` for places that every container has.
fn folder_of(path: &str) -> Option<&str> {
    let is_given = ["/dev", "/proc", "/sys"]
        .iter()
        .any(|given| path == *given || is_below(path, given));
    if !path.starts_with('/') || is_given {
        return None;
    }
    let folder = match path.split_once('*') {
        // `/data/**` and `/data/temp-*` are below `/data`.
        Some((before, _)) => before.rsplit_once('/')?.0,
        None => path.rsplit_once('/')?.0,
    };
    (!folder.is_empty()).then_some(folder)
}

/// Places where an image keeps files that its programs read.
fn is_configuration(folder: &str) -> bool {
    ["/etc", "/usr", "/opt", "/bin", "/sbin", "/lib", "/root", "/app", "/srv"]
        .iter()
        .any(|place| folder == *place || is_below(folder, place))
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `registry.example/team/redis:1` → `redis`: at most 40 lower-case letters, digits and `-`, as RFC 1123 wants labels.
pub(super) fn plain_name(text: &str) -> String {
    let text = text.split('@').next().unwrap_or_default();
    let last = base_name(text.trim_end_matches('/'));
    let last = last.split(':').next().unwrap_or_default();
    let letter = |char: char| {
        if char.is_ascii_alphanumeric() {
            char.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = last.chars().map(letter).take(40).collect();
    match name.trim_matches('-') {
        "" => "image".to_owned(),
        name => name.to_owned(),
    }
}
