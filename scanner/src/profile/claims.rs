//! A workload pack and one image in, the pack's claims filled in for that image out.

use plimsoll_model::{
    Action, Applet, Confidence, Denial, Evidence, EvidenceSource, Identity, PathPattern, Peer, Phase, PortSpec,
    Program, Subject, Transport, Verb,
};
use plimsoll_rules::packs::{Basis, Because, Pack, PathClaim, When};

use super::{
    Input, accounts,
    draft::Draft,
    explorer::{Explorer, Launch},
    lookup::{Lookup, SHELLS, base_name, folder_name},
    settings::{self, Settings},
};

/// Executables that hold small versions of other software's programs.
const MANY_IN_ONE: &[&str] = &["busybox", "toybox"];

/// A pack that fits an image.
#[derive(Debug)]
pub(crate) struct Claims<'a> {
    /// Which.
    pub(crate) pack: &'a Pack,
    /// What its settings say here.
    pub(crate) settings: Settings,
    input: &'a Input<'a>,
    lookup: &'a Lookup<'a>,
    launch: &'a Launch,
    /// Shells that run entry scripts.
    entry: Vec<Program>,
    /// Every command of the entry scripts is known.
    is_understood: bool,
    /// Best confidence that a claim may have.
    cap: Confidence,
    /// For people: why the pack was chosen.
    chosen: String,
}

impl<'a> Claims<'a> {
    /// The pack's claims, if it is for the program that was launched.
    pub(crate) fn new(
        pack: &'a Pack,
        input: &'a Input<'a>,
        lookup: &'a Lookup<'a>,
        launch: &'a Launch,
        explorer: &Explorer<'_>,
    ) -> Option<Self> {
        let called = base_name(launch.argv.first().map_or(launch.invoked.as_str(), String::as_str));
        let own = base_name(&launch.program.path.0);
        // A shared binary is what it is called; a wrong pack would be worse than none.
        let names: &[&str] = if launch.program.applet.is_some() {
            &[called]
        } else {
            &[called, own]
        };
        if !pack.matches.names(names) {
            return None;
        }
        let owner = lookup.tree.get(&launch.program.path.0).and_then(|entry| entry.package);
        let owner = owner.and_then(|index| input.sbom.packages.get(index as usize));
        let (cap, chosen) = match owner {
            Some(package) if pack.matches.owns(&package.name) => (
                Confidence::A,
                format!("main program {called} of package {} {}", package.name, package.version),
            ),
            Some(_) => return None,
            // busybox as httpd is not the server that it is called like.
            None if MANY_IN_ONE.contains(&own) && !pack.matches.owns(own) => return None,
            None => (Confidence::B, format!("main program {called}, owned by no package")),
        };
        // Whoever only read about it is never sure.
        let cap = match pack.basis {
            Basis::Run => cap,
            Basis::Documentation => cap.max(Confidence::B),
        };
        let settings = pack
            .settings
            .as_ref()
            .map(|source| settings::read(source, launch, lookup))
            .unwrap_or_default();
        let is_understood = explorer.openings.is_empty();
        let entry = explorer
            .chain
            .iter()
            .filter(|program| {
                SHELLS.contains(&base_name(&program.path.0)) || matches!(program.applet, Some(Applet::Script(_)))
            })
            .cloned()
            .collect();
        Some(Self {
            pack,
            settings,
            input,
            lookup,
            launch,
            entry,
            is_understood,
            cap,
            chosen,
        })
    }

    /// Adds all facts and denials.
    pub(crate) fn add(&self, draft: &mut Draft) {
        self.add_listens(draft);
        self.add_connects(draft);
        self.add_paths(draft, &self.pack.writes, Action::Write);
        self.add_paths(draft, &self.pack.loads, Action::Load);
        self.add_execs(draft);
        for claim in self.pack.becomes.iter().filter(|claim| self.holds(&claim.because.when)) {
            for (user, from) in self.expand(&claim.user) {
                if let Some(account) = accounts::find(self.lookup, &user) {
                    self.fact(
                        draft,
                        self.main(),
                        Action::Become(account.identity),
                        &claim.because,
                        from.as_deref(),
                    );
                }
            }
        }
        for claim in self.pack.never.iter().filter(|claim| self.holds(&claim.because.when)) {
            for subject in self.subjects(&claim.by) {
                draft.deny(Denial {
                    subject,
                    verb: claim.verb,
                    object: None,
                    phases: claim.because.phases.clone(),
                    evidence: vec![self.evidence(&claim.because, None)],
                    confidence: claim.because.confidence.max(self.cap),
                });
            }
        }
    }

    fn add_paths(&self, draft: &mut Draft, claims: &[PathClaim], action: fn(PathPattern) -> Action) {
        for claim in claims.iter().filter(|claim| self.holds(&claim.because.when)) {
            for (path, from) in self.expand(&claim.path) {
                let path = PathPattern(self.lookup.resolve(&path));
                for subject in self.subjects(&claim.by) {
                    self.fact(draft, subject, action(path.clone()), &claim.because, from.as_deref());
                }
            }
        }
    }

    /// Takes back what holds for any program but not for this one: only where it is the container's only service.
    pub(crate) fn narrow(&self, draft: &mut Draft) {
        for claim in self.pack.narrows.iter().filter(|claim| self.holds(&claim.because.when)) {
            for (path, _) in self.expand(&claim.path) {
                let path = PathPattern(self.lookup.resolve(&path));
                draft.narrow_writes(&path, &claim.because.phases);
            }
        }
    }

    fn add_execs(&self, draft: &mut Draft) {
        for claim in self.pack.execs.iter().filter(|claim| self.holds(&claim.because.when)) {
            let programs: Vec<Program> = claim.to.iter().flat_map(|name| self.programs(name)).collect();
            for subject in self.subjects(&claim.from) {
                // An entry script that is named among the tools of entry scripts does not start itself; a server may.
                let is_itself = |program: &Program| subject == Subject::Program(program.clone());
                for program in programs
                    .iter()
                    .filter(|program| claim.from == "main" || !is_itself(program))
                {
                    let action = Action::Exec(program.clone());
                    let is_seen = draft
                        .facts()
                        .iter()
                        .any(|fact| fact.subject == subject && fact.action == action);
                    // What an entry script starts, it says itself. The pack speaks for what hooks bring in.
                    if claim.from == "entry" && !is_seen && self.is_understood {
                        continue;
                    }
                    let mut because = claim.because.clone();
                    if claim.from == "entry" && !is_seen {
                        because.confidence = because.confidence.max(Confidence::B);
                    }
                    self.fact(draft, subject.clone(), action, &because, None);
                }
            }
        }
    }

    fn add_listens(&self, draft: &mut Draft) {
        for claim in self.pack.listens.iter().filter(|claim| self.holds(&claim.because.when)) {
            for (port, from) in self.expand(&claim.port) {
                let (first, last) = port.split_once('-').unwrap_or((&port, &port));
                let number = |text: &str| {
                    let port = text.parse::<u16>().ok().filter(|port| *port != 0);
                    port.and_then(|port| port.checked_add(claim.plus))
                };
                let (Some(first), Some(last)) = (number(first), number(last)) else {
                    continue;
                };
                let ports = PortSpec {
                    transport: claim.transport,
                    first,
                    last,
                };
                // Whoever listens: a master binds, its workers listen, and EXPOSE speaks of no program either.
                self.fact(
                    draft,
                    Subject::Any,
                    Action::Listen(ports),
                    &claim.because,
                    from.as_deref(),
                );
            }
        }
    }

    fn add_connects(&self, draft: &mut Draft) {
        for claim in self
            .pack
            .connects
            .iter()
            .filter(|claim| self.holds(&claim.because.when))
        {
            let ports: Vec<Option<PortSpec>> = match (&claim.port, claim.transport) {
                (Some(port), transport) => {
                    let ports = self.expand(port).into_iter().filter_map(|(port, _)| port.parse().ok());
                    let transport = transport.unwrap_or(Transport::Tcp);
                    ports
                        .map(|port: u16| {
                            Some(PortSpec {
                                transport,
                                first: port,
                                last: port,
                            })
                        })
                        .collect()
                }
                (None, Some(transport)) => vec![Some(PortSpec {
                    transport,
                    first: 1,
                    last: u16::MAX,
                })],
                (None, None) => vec![None],
            };
            for port in ports {
                let peer = Peer {
                    scope: claim.scope,
                    port,
                };
                self.fact(draft, self.main(), Action::Connect(peer), &claim.because, None);
            }
        }
    }

    /// The pack's word on one verb in one phase: `Some(reason)` when it closes it.
    pub(crate) fn closes(&self, verb: Verb, phase: Phase) -> Option<String> {
        let mut claims = self
            .pack
            .closes
            .iter()
            .filter(|claim| claim.verb == verb && claim.because.phases.contains(&phase));
        let claim = claims.find(|claim| self.holds(&claim.because.when))?;
        Some(format!("pack {}: {}", self.pack.name, claim.because.evidence))
    }

    /// Why nothing follows from what the settings do not say.
    pub(crate) fn doubt(&self) -> Option<&str> {
        self.settings.unknown.as_deref()
    }

    /// The program that the pack was chosen for.
    pub(crate) fn launch(&self) -> &Launch {
        self.launch
    }

    /// For people: which pack, and why it was chosen.
    pub(crate) fn title(&self) -> String {
        format!("{} {} ({})", self.pack.name, self.pack.version, self.chosen)
    }

    fn main(&self) -> Subject {
        Subject::Program(self.launch.program.clone())
    }

    fn fact(&self, draft: &mut Draft, subject: Subject, action: Action, because: &Because, from: Option<&str>) {
        let mut phases = because.phases.clone();
        phases.sort();
        let confidence = because.confidence.max(self.cap);
        draft.fact(subject, action, &phases, self.evidence(because, from), confidence);
    }

    fn evidence(&self, because: &Because, from: Option<&str>) -> Evidence {
        let detail = match from {
            Some(from) => format!(
                "{} {}: {} ({from})",
                self.pack.name, self.pack.version, because.evidence
            ),
            None => format!("{} {}: {}", self.pack.name, self.pack.version, because.evidence),
        };
        Evidence {
            source: EvidenceSource::Pack,
            detail,
        }
    }

    fn holds(&self, when: &When) -> bool {
        let called = base_name(
            self.launch
                .argv
                .first()
                .map_or(self.launch.invoked.as_str(), String::as_str),
        );
        let any = when.any_setting.is_empty() || when.any_setting.iter().any(|name| self.settings.is_on(name));
        let none = when.no_setting.is_empty()
            || self.settings.unknown.is_none() && !when.no_setting.iter().any(|name| self.settings.is_on(name));
        let main = when.main.is_empty()
            || when
                .main
                .iter()
                .any(|pattern| pattern.matches(&self.launch.program.path.0));
        any && none && main && (when.called.is_empty() || when.called.iter().any(|name| name == called))
    }

    /// A text with variables, in all its values, each with the place that it comes from.
    fn expand(&self, text: &str) -> Vec<(String, Option<String>)> {
        let Some((start, rest)) = text.split_once('{') else {
            return vec![(text.to_owned(), None)];
        };
        let Some((name, end)) = rest.split_once('}') else {
            return Vec::new();
        };
        let values = match self.pack.variables.get(name) {
            Some(places) => places
                .iter()
                .map(|place| self.expand_place(place))
                .find(|values| !values.is_empty())
                .unwrap_or_default(),
            None => self.place(name),
        };
        let whole = |(value, from): (String, Option<String>)| {
            // `{log}/**` where the setting itself is already a pattern.
            let end = if value.ends_with("/**") && end == "/**" {
                ""
            } else {
                end
            };
            (format!("{start}{value}{end}"), from)
        };
        values
            .into_iter()
            .filter(|(value, _)| !value.is_empty())
            .map(whole)
            .collect()
    }

    /// One of a variable's places.
    fn expand_place(&self, text: &str) -> Vec<(String, Option<String>)> {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => self
                .place(name)
                .into_iter()
                .filter(|(value, _)| !value.is_empty())
                .collect(),
            None => vec![(text.to_owned(), None)],
        }
    }

    fn place(&self, name: &str) -> Vec<(String, Option<String>)> {
        if let Some(setting) = name.strip_prefix("setting.") {
            let values = self.settings.get(setting).iter();
            return values
                .map(|setting| (setting.value.clone(), Some(setting.from.clone())))
                .collect();
        }
        if let Some(variable) = name.strip_prefix("env.") {
            let value = self.lookup.environment.get(variable);
            return value
                .map(|value| ((*value).to_owned(), Some(format!("ENV {variable}"))))
                .into_iter()
                .collect();
        }
        match name {
            "volume" => {
                let volumes = self.input.config.volumes.iter();
                volumes
                    .map(|volume| (volume.clone(), Some(format!("VOLUME {volume}"))))
                    .collect()
            }
            // The root as a data folder would expect every write.
            "workdir" if self.lookup.working_dir != "/" => {
                vec![(self.lookup.working_dir.clone(), Some("WORKDIR".to_owned()))]
            }
            "main.folder" => vec![(folder_name(&self.launch.program.path.0).to_owned(), None)],
            "user.home" => {
                let user = self
                    .launch
                    .user
                    .as_ref()
                    .map_or(self.input.config.user.clone(), |user: &Identity| user.uid.to_string());
                accounts::find(self.lookup, &user)
                    .map(|account| (account.home, None))
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn subjects(&self, name: &str) -> Vec<Subject> {
        match name {
            "any" => vec![Subject::Any],
            "entry" => self.entry.iter().cloned().map(Subject::Program).collect(),
            name => self.programs(name).into_iter().map(Subject::Program).collect(),
        }
    }

    /// Programs of the image that a pack means by a name or path.
    fn programs(&self, name: &str) -> Vec<Program> {
        if name == "main" {
            return vec![self.launch.program.clone()];
        }
        let mut programs = Vec::new();
        let expanded = self.expand(name).into_iter();
        let names = expanded.flat_map(|(name, _)| match name.contains('*') {
            true => self.lookup.matching(&name),
            false => vec![name],
        });
        for name in names {
            let Some(located) = self.lookup.find(&name, &[]) else {
                continue;
            };
            let program = match &located.entry.shebang {
                None => self.lookup.program(&located, &name),
                Some(shebang) => {
                    let words = shebang
                        .split_whitespace()
                        .filter(|word| !word.starts_with('-') && base_name(word) != "env");
                    let Some(interpreter) = words.take(1).find_map(|word| self.lookup.find(word, &[])) else {
                        continue;
                    };
                    Program {
                        path: PathPattern(interpreter.entry.path.clone()),
                        applet: Some(Applet::Script(located.invoked.clone())),
                    }
                }
            };
            if !programs.contains(&program) {
                programs.push(program);
            }
        }
        programs
    }
}
