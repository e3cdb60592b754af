//! Events written down beside rules: which must fire them, and which must not.
//!
//! One YAML file holds any number of scenarios, each for one rule:
//!
//! ```yaml
//! - rule: Shell spawned by a server
//!   match:
//!     - {event: exec, exe: /usr/bin/dash, args: [sh, -c, id], parents: [/usr/bin/redis-server], phase: serving}
//!   no_match:
//!     - {event: exec, exe: /usr/bin/dash, args: [sh, -c, id], parents: [/usr/bin/conmon], phase: probe}
//! ```

use std::{net::SocketAddr, sync::Arc};

use plimsoll_model::{
    Call, CallObject, Confidence, Container, ContainerImage, ContainerRuntime, Credentials, Event, EventKind, ExeFile,
    ExecutableOrigin, FileAccess, Phase, Process, ProcessKey, Reason, Severity, SocketAddress, SystemCall, Transport,
    Verb,
};
use serde::Deserialize;

use crate::{Observation, RuleSet};

/// The events of one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name of the rule.
    pub rule: String,
    /// Events that must fire it; at least one.
    #[serde(rename = "match")]
    pub matching: Vec<Sketch>,
    /// Events that look alike and must not; at least one.
    pub no_match: Vec<Sketch>,
}

/// A kernel event in a few words. What is left out has an innocent value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sketch {
    /// `exec`, `fork`, `exit`, `open`, `connect`, `bind` or `listen`; else the name of a system call.
    pub event: String,
    /// Executable of the process.
    #[serde(default = "default_exe")]
    pub exe: String,
    /// Short name; the executable's last component when left out.
    #[serde(default)]
    pub comm: Option<String>,
    /// Arguments with the program's name; the short name alone when left out.
    #[serde(default)]
    pub args: Vec<String>,
    /// Executables of the ancestors, nearest first.
    #[serde(default)]
    pub parents: Vec<String>,
    /// `init`, `entrypoint`, `serving`, `session` or `probe`.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// On the host instead of in a container.
    #[serde(default)]
    pub host: bool,
    /// Effective user.
    #[serde(default)]
    pub uid: u32,
    /// Terminal's device number.
    #[serde(default)]
    pub tty: u32,
    /// The executable was written after the container started.
    #[serde(default)]
    pub upper_layer: bool,
    /// The executable is anonymous memory.
    #[serde(default)]
    pub memfd: bool,
    /// File of an open; of a connect without an address, the name of a local socket; of a call, the file of its descriptor
    /// or the folder that relative paths begin at.
    #[serde(default)]
    pub path: String,
    /// How it was opened; `read` when left out.
    #[serde(default)]
    pub access: Option<FileAccess>,
    /// The open made the file.
    #[serde(default)]
    pub created: bool,
    /// `open(2)` flags beside the access.
    #[serde(default)]
    pub flags: u32,
    /// Negative error number of an open, connect or call.
    #[serde(default)]
    pub error: i32,
    /// A call's arguments as numbers; those that are missing are 0, those after the fourth are not seen.
    #[serde(default)]
    pub arguments: Vec<u64>,
    /// A call's arguments that are texts.
    #[serde(default)]
    pub texts: Vec<String>,
    /// Peer or local address: `10.0.0.5:4444`, `[::1]:80`.
    #[serde(default)]
    pub address: Option<SocketAddr>,
    /// `tcp` when left out.
    #[serde(default)]
    pub transport: Option<Transport>,
    /// The image has a profile.
    #[serde(default)]
    pub profile: bool,
    /// Kind of a deviation; implies `profile`.
    #[serde(default)]
    pub deviation: Option<String>,
    /// Confidence of the deviation; `B` when left out.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// The executable's package has a vulnerability that is known to be exploited.
    #[serde(default)]
    pub known_exploited: bool,
    /// Reference of the image.
    #[serde(default = "default_image")]
    pub image: String,
}

fn default_exe() -> String {
    "/usr/bin/app".to_owned()
}

fn default_image() -> String {
    "registry.test/team/app:1".to_owned()
}

/// A scenario that did not go as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The file is not a list of scenarios.
    #[error("read scenarios: {0}")]
    Unreadable(String),
    /// There is no such rule.
    #[error("rule \"{0}\" does not exist")]
    NoRule(String),
    /// A rule without both kinds of events.
    #[error("rule \"{0}\" needs at least one event that matches and one that does not")]
    Incomplete(String),
    /// An event that cannot be made from its sketch.
    #[error("rule \"{rule}\": {list}[{index}]: {problem}")]
    Sketch {
        /// The rule.
        rule: String,
        /// `match` or `no_match`.
        list: &'static str,
        /// Position in the list, from 0.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The rule fired or did not, against what the scenario says.
    #[error("rule \"{rule}\": {list}[{index}] {}", if *.fired { "fired" } else { "did not fire" })]
    Wrong {
        /// The rule.
        rule: String,
        /// `match` or `no_match`.
        list: &'static str,
        /// Position in the list, from 0.
        index: usize,
        /// What the rule did.
        fired: bool,
    },
}

/// Reads a file of scenarios.
///
/// # Errors
/// When it is not YAML of the right shape.
pub fn read(text: &str) -> Result<Vec<Scenario>, ScenarioError> {
    serde_saphyr::from_str(text).map_err(|error| ScenarioError::Unreadable(error.to_string()))
}

/// The scenarios of the shipped rules, by file name.
pub fn shipped() -> Vec<(&'static str, &'static str)> {
    crate::shipped::SCENARIOS.to_vec()
}

impl Scenario {
    /// Runs the events against a set; gives everything that went wrong.
    pub fn run(&self, rules: &RuleSet) -> Vec<ScenarioError> {
        if rules.rule(&self.rule).is_none() {
            return vec![ScenarioError::NoRule(self.rule.clone())];
        }
        if self.matching.is_empty() || self.no_match.is_empty() {
            return vec![ScenarioError::Incomplete(self.rule.clone())];
        }
        let lists = [("match", &self.matching, true), ("no_match", &self.no_match, false)];
        let mut wrong = Vec::new();
        for (list, sketches, expected) in lists {
            for (index, sketch) in sketches.iter().enumerate() {
                let rule = self.rule.clone();
                match sketch.fires(rules, &self.rule) {
                    Ok(fired) if fired == expected => {}
                    Ok(fired) => wrong.push(ScenarioError::Wrong {
                        rule,
                        list,
                        index,
                        fired,
                    }),
                    Err(problem) => wrong.push(ScenarioError::Sketch {
                        rule,
                        list,
                        index,
                        problem,
                    }),
                }
            }
        }
        wrong
    }
}

impl Sketch {
    fn fires(&self, rules: &RuleSet, rule: &str) -> Result<bool, String> {
        let event = self.event()?;
        let deviations = self.deviations();
        let origin = self.origin();
        let observation = Observation {
            event: &event,
            deviations: &deviations,
            origin: Some(&origin).filter(|_| !self.host),
            has_profile: self.profile || self.deviation.is_some(),
            node: "node",
            host_accounts: None,
        };
        let mut fired = false;
        rules.evaluate(&observation, &mut |found| fired = fired || found.name() == rule);
        Ok(fired)
    }

    /// The event that the sketch stands for.
    ///
    /// # Errors
    /// What is missing in it, or not known.
    pub fn event(&self) -> Result<Event, String> {
        let process = self.process();
        let kind = match self.event.as_str() {
            "exec" => EventKind::Exec {
                previous: process.parent.clone().unwrap_or_else(|| Arc::clone(&process)),
                filename: self.exe.clone(),
            },
            "fork" => EventKind::Fork {
                child: Arc::clone(&process),
            },
            "exit" => EventKind::Exit { status: 0 },
            "open" if self.path.is_empty() => return Err("an open needs a `path`".to_owned()),
            "open" => {
                let access = self.access.unwrap_or(FileAccess::Read);
                EventKind::Open {
                    path: self.path.clone(),
                    flags: self.flags
                        | match access {
                            FileAccess::Read => 0,
                            FileAccess::Write => 1,
                            FileAccess::ReadWrite => 2,
                        },
                    access,
                    created: self.created,
                    inode: 1,
                    asked: None,
                    error: self.error,
                }
            }
            "connect" if !self.path.is_empty() && self.address.is_none() => EventKind::ConnectLocal {
                path: self.path.clone(),
            },
            "connect" => EventKind::Connect {
                address: self.address()?,
                transport: self.transport.unwrap_or(Transport::Tcp),
                error: self.error,
            },
            "bind" => EventKind::Bind {
                address: self.address()?,
                transport: self.transport.unwrap_or(Transport::Tcp),
            },
            "listen" => EventKind::Listen {
                address: self.address()?,
                transport: self.transport.unwrap_or(Transport::Tcp),
            },
            other => self.call(other)?,
        };
        Ok(Event {
            sequence: 1,
            time_ns: 1_700_000_000_000_000_000,
            cpu: 0,
            process,
            container: (!self.host).then(|| Arc::new(self.container())),
            phase: self.phase.filter(|_| !self.host),
            kind,
        })
    }

    fn call(&self, name: &str) -> Result<EventKind, String> {
        let known = SystemCall::ALL.iter().find(|call| call.as_str() == name);
        let call = *known.ok_or_else(|| format!("unknown event `{name}`"))?;
        let mut arguments = [0; 4];
        for (place, given) in arguments.iter_mut().zip(&self.arguments) {
            *place = *given;
        }
        let object = match self.path.as_str() {
            "" => CallObject::Nothing,
            path => CallObject::File { path: path.to_owned() },
        };
        Ok(EventKind::Call(Box::new(Call {
            call,
            result: i64::from(self.error),
            arguments,
            texts: self.texts.clone(),
            object,
        })))
    }

    fn address(&self) -> Result<SocketAddress, String> {
        self.address
            .map(|address| SocketAddress {
                ip: address.ip(),
                port: address.port(),
            })
            .ok_or_else(|| format!("a {} needs an `address`", self.event))
    }

    fn process(&self) -> Arc<Process> {
        let pid = i32::try_from(self.parents.len()).unwrap_or(0) + 100;
        let parent = self.parents.iter().rev().zip(100..).fold(None, |parent, (exe, pid)| {
            Some(Arc::new(plain_process(exe, pid, parent)))
        });
        let mut process = plain_process(&self.exe, pid, parent);
        if let Some(comm) = &self.comm {
            process.comm.clone_from(comm);
            process.args = vec![comm.clone()];
        }
        if !self.args.is_empty() {
            process.args.clone_from(&self.args);
        }
        process.tty = self.tty;
        process.credentials = Credentials {
            uid: self.uid,
            euid: self.uid,
            gid: self.uid,
            egid: self.uid,
            login_uid: None,
            capabilities: None,
            permitted_capabilities: None,
        };
        process.exe_file = ExeFile {
            inode: 1,
            is_upper_layer: self.upper_layer,
            is_memfd: self.memfd,
            ..ExeFile::default()
        };
        Arc::new(process)
    }

    fn container(&self) -> Container {
        Container {
            id: "0123456789abcdef".repeat(4),
            name: "app".to_owned(),
            runtime: ContainerRuntime::Podman,
            image: Some(ContainerImage {
                reference: self.image.clone(),
                manifest_digest: None,
                config_digest: None,
            }),
            cgroup_id: 1,
            cgroup_path: "/app".to_owned(),
            init_pid: 100,
            privileged: Some(false),
            pod: None,
            details: plimsoll_model::ContainerDetails::default(),
        }
    }

    fn deviations(&self) -> Vec<Reason> {
        let verb = match self.event.as_str() {
            "open" => Verb::Write,
            "connect" => Verb::Connect,
            "bind" | "listen" => Verb::Listen,
            _ => Verb::Exec,
        };
        self.deviation
            .iter()
            .map(|kind| Reason::Deviation {
                kind: kind.clone(),
                verb,
                explanation: String::new(),
                evidence: Vec::new(),
                confidence: self.confidence.unwrap_or(Confidence::B),
            })
            .collect()
    }

    fn origin(&self) -> ExecutableOrigin {
        let vulnerabilities = if self.known_exploited {
            vec![("CVE-2024-0001".to_owned(), Severity::Critical)]
        } else {
            Vec::new()
        };
        ExecutableOrigin {
            path: self.exe.clone(),
            is_in_image: !self.upper_layer,
            is_modified: self.upper_layer,
            digest: None,
            package: (!self.upper_layer).then(|| "app 1.0-1".to_owned()),
            layer_diff_id: None,
            layer_created_by: None,
            vulnerability_count: u32::from(self.known_exploited),
            vulnerabilities,
            known_exploited: self.known_exploited,
        }
    }
}

fn plain_process(exe: &str, pid: i32, parent: Option<Arc<Process>>) -> Process {
    const COMM_BYTES: usize = 15;
    let name = exe.rsplit('/').next().unwrap_or(exe);
    let comm: String = name.chars().take(COMM_BYTES).collect();
    Process {
        key: ProcessKey { pid, start_time_ns: 1 },
        container_pid: pid - 99,
        container_group_id: pid - 99,
        group_id: pid,
        environment: Vec::new(),
        parent,
        args: vec![comm.clone()],
        comm,
        exe: exe.to_owned(),
        cwd: "/".to_owned(),
        tty: 0,
        session_id: 100,
        credentials: Credentials::default(),
        exe_file: ExeFile::default(),
        cgroup_id: 1,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_shipped_rule_fires_on_what_it_says_and_on_nothing_else_it_names() {
        let rules = RuleSet::shipped();
        let mut covered = BTreeSet::new();
        for (file, text) in shipped() {
            for scenario in read(text).unwrap_or_else(|error| panic!("{file}: {error}")) {
                let wrong = scenario.run(&rules);
                assert!(wrong.is_empty(), "{file}: {wrong:#?}");
                covered.insert(scenario.rule);
            }
        }
        for rule in rules.rules() {
            assert!(covered.contains(rule.name()), "{} has no scenario", rule.name());
        }
    }

    #[test]
    fn a_scenario_that_is_wrong_says_so() {
        let rules = RuleSet::shipped();
        let text =
            "- rule: Dropped binary run\n  match: [{event: exec, phase: serving}]\n  no_match: [{event: spin}]\n";
        let wrong = read(text).unwrap()[0].run(&rules);
        assert_eq!(wrong.len(), 2);
        assert_eq!(
            wrong[0].to_string(),
            "rule \"Dropped binary run\": match[0] did not fire"
        );
        assert!(wrong[1].to_string().contains("unknown event `spin`"));
    }
}
