//! A scan report, and what running containers used of its image, in; how near each package is to being used out. Without
//! usage the ladder ends at what the profile expects.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use plimsoll_model::{
    Action, Applet, FileEntry, ImageUsage, PackageKind, PackageUse, PathPattern, Program, Reach, Rung, ScanReport,
    Severity, Subject, UsageWindow,
};

use crate::{
    KnownFiles,
    limits::MAX_REACHED,
    text::time_words,
    usage::{IdleThresholds, hours},
};

/// Files of interpreted languages, by the ends of their names, and the beginnings of names of what runs them. Where nothing
/// of these was used, no such file was. Languages that programs build in without a trace have none: nobody can tell.
const LANGUAGES: &[(&str, &str)] = &[
    ("py pyc pyo", "python libpython pypy"),
    ("pl pm ph al", "perl libperl"),
    ("rb", "ruby libruby"),
    ("js mjs cjs", "node libnode bun deno"),
    ("php phar", "php libphp"),
    ("jar class war ear", "java libjvm"),
    ("sh bash ksh zsh", "sh dash bash busybox ksh mksh zsh"),
    ("tcl", "tclsh libtcl"),
    ("lua luac wasm el elc beam r rds", ""),
];

/// How near each package of a report is to being used, in the order of its packages.
pub fn reach(report: &ScanReport, usage: Option<&ImageUsage>, thresholds: IdleThresholds) -> Vec<Reach> {
    let ladder = Ladder::new(report);
    let mut found: Vec<Reach> = report.sbom.packages.iter().map(|_| present()).collect();
    ladder.climb_static(&mut found);
    let Some(usage) = usage else { return found };
    ladder.climb_seen(usage, &mut found);
    let missing = thresholds.missing(usage);
    for (index, one) in found.iter_mut().enumerate().filter(|(_, one)| !one.rung.is_in_use()) {
        // What the main program needs is loaded with it: that it was not seen says more of who watched.
        let unseen = match one.rung {
            Rung::Linked => Some("it was not seen, and nobody can tell why".to_owned()),
            _ => ladder.unseen(index, usage),
        };
        match (&missing, unseen) {
            (_, Some(why)) => one.because = format!("{}; {why}", one.because),
            (Some(missing), None) => one.because = format!("{}; not seen in use, but only {missing}", one.because),
            (None, None) => {
                one.is_idle = true;
                one.because = format!("{}; {}", one.because, idle_words(&usage.window));
            }
        }
    }
    found
}

/// Gives each match of a report its place on the ladder, and puts what is in use first, what is not in use last. Known
/// exploited ones stay before all, what the vendor dismisses after all, and among equals the order stays.
pub fn bring_usage(report: &mut ScanReport, usage: Option<&ImageUsage>, thresholds: IdleThresholds) {
    let found = reach(report, usage, thresholds);
    report.usage = usage.map(|usage| usage.window);
    let Some(matches) = &mut report.matches else { return };
    for one in matches.iter_mut() {
        one.reach = found.get(one.package as usize).cloned().map(Box::new);
    }
    let class = |reach: &Option<Box<Reach>>| match reach {
        Some(reach) if reach.rung.is_in_use() => 0,
        Some(reach) if reach.is_idle => 2,
        _ => 1,
    };
    matches.sort_by_key(|one| {
        let is_dismissed = one.vulnerability.severity == Severity::Negligible;
        (!one.vulnerability.known_exploited, is_dismissed, class(&one.reach))
    });
}

/// Window and coverage of a statement that something is not used, for people and for VEX.
pub fn idle_words(window: &UsageWindow) -> String {
    let lost = match window.lost_events {
        0 => "no event lost".to_owned(),
        count => format!("{count} events lost; containers that ran then count only until then"),
    };
    format!(
        "{} containers, watched from their start for {:.1} hours together between {} and {}, executed and loaded no file of \
         it ({lost})",
        window.containers,
        hours(window.container_seconds),
        time_words(window.from_ns),
        time_words(window.to_ns),
    )
}

fn present() -> Reach {
    Reach {
        rung: Rung::Present,
        because: "no program that the profile expects needs a file of it".to_owned(),
        is_idle: false,
        used: None,
    }
}

/// A report's files and packages, ready for questions.
struct Ladder<'r> {
    report: &'r ScanReport,
    known: KnownFiles,
    /// Packages that are inside of one file: Go modules, crates, software recognised by its bytes.
    within: HashMap<&'r str, Vec<usize>>,
    by_name: HashMap<&'r str, Vec<usize>>,
    /// Packages with a program or library.
    running: HashSet<usize>,
}

impl<'r> Ladder<'r> {
    fn new(report: &'r ScanReport) -> Self {
        let mut within: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, package) in report.sbom.packages.iter().enumerate() {
            if matches!(package.kind, PackageKind::Go | PackageKind::Cargo | PackageKind::Binary) {
                within.entry(package.evidence_path.as_str()).or_default().push(index);
            }
        }
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, file) in report.files.iter().enumerate() {
            if file.elf.is_some() || file.link_target.is_some() {
                by_name.entry(base_name(&file.path)).or_default().push(at);
            }
        }
        let mut ladder = Self {
            report,
            known: KnownFiles::new(&report.files),
            within,
            by_name,
            running: HashSet::new(),
        };
        let code = report.files.iter().filter(|file| file.elf.is_some());
        ladder.running = code.flat_map(|file| ladder.packages_of(file)).collect();
        ladder
    }

    /// Packages that a file belongs to.
    fn packages_of(&self, file: &FileEntry) -> impl Iterator<Item = usize> {
        let own = file.package.map(|index| index as usize);
        let within = self.within.get(file.path.as_str()).into_iter().flatten().copied();
        own.into_iter().chain(within)
    }

    fn raise(&self, found: &mut [Reach], file: &FileEntry, rung: Rung, because: &dyn Fn() -> String) {
        for index in self.packages_of(file) {
            if let Some(one) = found.get_mut(index)
                && one.rung < rung
            {
                one.rung = rung;
                one.because = because();
            }
        }
    }

    fn file(&self, path: &str) -> Option<&'r FileEntry> {
        self.report.files.get(self.known.find(path)?)
    }

    /// What the profile expects to run, and what these programs need.
    fn climb_static(&self, found: &mut [Reach]) {
        let profile = &self.report.profile;
        if let Some(main) = &profile.main {
            for file in paths_of(main).filter_map(|path| self.file(path)) {
                self.raise(found, file, Rung::Linked, &|| {
                    format!("{} is the main program", file.path)
                });
            }
            for fact in &profile.facts {
                if let (Action::Load(PathPattern(path)), Subject::Program(subject)) = (&fact.action, &fact.subject)
                    && subject == main
                    && let Some(file) = self.file(path)
                {
                    let because = || format!("the main program {} needs {}", main.path, file.path);
                    self.raise(found, file, Rung::Linked, &because);
                }
            }
        }
        let subjects = profile.facts.iter().filter_map(|fact| match &fact.subject {
            Subject::Program(program) => Some(program),
            Subject::Any => None,
        });
        let started = profile.facts.iter().filter_map(|fact| match &fact.action {
            Action::Exec(program) => Some(program),
            _ => None,
        });
        let programs = profile
            .main
            .iter()
            .chain(&profile.entrypoint)
            .chain(subjects)
            .chain(started);
        let mut queue: VecDeque<(&'r FileEntry, &'r str)> = VecDeque::new();
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        for file in programs.flat_map(paths_of).filter_map(|path| self.file(path)) {
            if from.insert(&file.path, &file.path).is_none() {
                queue.push_back((file, &file.path));
            }
        }
        while let Some((file, program)) = queue.pop_front() {
            let because = || match file.path == program {
                true => format!("the profile expects {program} to run"),
                false => format!("{program}, which the profile expects to run, needs {}", file.path),
            };
            self.raise(found, file, Rung::Reachable, &because);
            for next in self.needed_by(file) {
                if from.len() < MAX_REACHED && !from.contains_key(next.path.as_str()) {
                    from.insert(&next.path, program);
                    queue.push_back((next, program));
                }
            }
        }
    }

    /// Libraries by name, wherever they lie: one too many is nearer to the truth here than one too few.
    fn needed_by(&self, file: &'r FileEntry) -> impl Iterator<Item = &'r FileEntry> {
        let elf = file.elf.as_deref();
        let needed = elf.into_iter().flat_map(|elf| &elf.needed);
        let libraries = needed.flat_map(|name| self.by_name.get(base_name(name)).into_iter().flatten());
        let files = libraries.filter_map(|&at| self.file(&self.report.files.get(at)?.path));
        let loader = elf.and_then(|elf| elf.interpreter.as_deref());
        files.chain(loader.and_then(|path| self.file(path)))
    }

    fn climb_seen(&self, usage: &ImageUsage, found: &mut [Reach]) {
        for used in &usage.files {
            let Some(file) = self.file(&used.path) else { continue };
            let (rung, act) = match (used.listens, used.executed) {
                (true, 0) => (Rung::Listening, "was loaded by a program that listens"),
                (true, _) => (Rung::Listening, "was executed and listens"),
                (false, 0) => (Rung::Loaded, "was loaded"),
                (false, _) => (Rung::Executed, "was executed"),
            };
            let because = || {
                format!(
                    "{} {act}: {} times, first {}, last {}",
                    file.path,
                    used.executed.saturating_add(used.loaded),
                    time_words(used.first_ns),
                    time_words(used.last_ns)
                )
            };
            self.raise(found, file, rung, &because);
            for index in self.packages_of(file) {
                if let Some(one) = found.get_mut(index) {
                    let used = PackageUse::of(used);
                    one.used = Some(one.used.map_or(used, |known| known.with(used)));
                }
            }
        }
    }

    /// Why nobody can see whether a package is used; `None` when its use shows.
    fn unseen(&self, index: usize, usage: &ImageUsage) -> Option<String> {
        let package = self.report.sbom.packages.get(index)?;
        if !self.running.contains(&index) {
            return Some("what it holds is read, not run: nobody sees whether it is used".to_owned());
        }
        let interpreted = package.files.iter().find_map(|path| {
            let (_, end) = base_name(&path).rsplit_once('.')?;
            let (_, runners) = LANGUAGES
                .iter()
                .find(|(ends, _)| ends.split(' ').any(|known| known == end))?;
            let is_running = runners.is_empty() || usage.files.iter().any(|used| runs_language(&used.path, runners));
            is_running.then_some(path)
        })?;
        Some(format!(
            "{interpreted} may have been read by an interpreter: nobody sees that"
        ))
    }
}

/// Whether a program or library is one of a language's: `python3.11`, `libpython3.11.so.1.0`.
fn runs_language(path: &str, runners: &str) -> bool {
    runners.split(' ').any(|runner| {
        base_name(path)
            .strip_prefix(runner)
            .is_some_and(|rest| rest.is_empty() || !rest.starts_with(|first: char| first.is_ascii_alphabetic()))
    })
}

fn paths_of(program: &Program) -> impl Iterator<Item = &str> {
    let script = match &program.applet {
        Some(Applet::Script(script)) => Some(script.as_str()),
        _ => None,
    };
    program
        .path
        .is_exact()
        .then_some(program.path.0.as_str())
        .into_iter()
        .chain(script)
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
pub(crate) mod tests;
