//! What containers of one image execute, load and listen with in; the image's usage out, with its window and coverage, and
//! the moment that something is used which had counted as unused. Pure: times are those of the events.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::{
    Digest, Event, EventKind, ExeFile, FileEntry, FileUsage, ImageUsage, PackageUse, Process, ScanReport, UsageWindow,
};

use crate::{KnownFiles, limits::MAX_USED_FILES, program::script_of};

/// How long and how well an image must have been watched before what was not used counts as unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleThresholds {
    /// Containers that were watched from their start.
    pub containers: u32,
    /// For how long, together, seconds.
    pub seconds: u64,
}

impl IdleThresholds {
    /// Two containers, and a day.
    pub const DEFAULT: Self = Self {
        containers: 2,
        seconds: 24 * 3600,
    };

    /// Why nothing can be called unused yet; `None` when it can.
    pub fn missing(self, usage: &ImageUsage) -> Option<String> {
        let window = &usage.window;
        if usage.dropped > 0 {
            return Some(format!("{} uses of files found no room", usage.dropped));
        }
        if !window.sees_loads {
            return Some("no library was seen being loaded".to_owned());
        }
        if window.containers < self.containers {
            return Some(format!(
                "{} of {} containers were watched from their start",
                window.containers, self.containers
            ));
        }
        (window.container_seconds < self.seconds).then(|| {
            format!(
                "{:.1} of {:.1} hours were watched",
                hours(window.container_seconds),
                hours(self.seconds)
            )
        })
    }
}

/// Seconds as hours, for people.
#[allow(clippy::cast_precision_loss, reason = "hours, for people")]
pub fn hours(seconds: u64) -> f64 {
    seconds as f64 / 3600.0
}

/// A package that was used for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstUse {
    /// Its package URL.
    pub package: String,
    /// The file.
    pub path: String,
    /// It had counted as unused until then.
    pub is_revocation: bool,
}

/// The usage of one image while it is being watched.
#[derive(Debug)]
pub struct UsageLedger {
    usage: ImageUsage,
    files: BTreeMap<String, FileUsage>,
    packages: BTreeSet<String>,
    /// Files that each program has loaded, by the program's path: when it listens, so do they.
    loaded_by: BTreeMap<String, BTreeSet<String>>,
    thresholds: IdleThresholds,
}

impl UsageLedger {
    /// Nothing was seen yet of this image.
    pub fn new(report: &ScanReport, thresholds: IdleThresholds) -> Self {
        Self::resume(
            ImageUsage {
                config_digest: report.image.config_digest,
                manifest_digest: report.image.manifest_digest,
                reference: report.image.reference.clone(),
                window: UsageWindow::default(),
                files: Vec::new(),
                dropped: 0,
            },
            thresholds,
        )
    }

    /// Goes on from what was written down earlier.
    pub fn resume(mut usage: ImageUsage, thresholds: IdleThresholds) -> Self {
        let mut files = BTreeMap::new();
        for file in usage.files.drain(..) {
            match files.len() < MAX_USED_FILES {
                true => drop(files.insert(file.path.clone(), file)),
                false => usage.dropped += 1,
            }
        }
        let packages = files.values().filter_map(|file: &FileUsage| file.package.clone());
        Self {
            packages: packages.collect(),
            usage,
            files,
            loaded_by: BTreeMap::new(),
            thresholds,
        }
    }

    /// Which image.
    pub fn config_digest(&self) -> Digest {
        self.usage.config_digest
    }

    /// Takes in one act of a container. `report` and `known` are the image's.
    pub fn note(&mut self, event: &Event, report: &ScanReport, known: &KnownFiles) -> Vec<FirstUse> {
        let mut used = Vec::new();
        match &event.kind {
            EventKind::Exec { .. } => {
                let process = &event.process;
                used.extend(file_of(&process.exe, process.exe_file, report, known).map(|file| (file, Use::Executed)));
                if let Some(script) = script_of(process) {
                    let script = known.find(&script).and_then(|at| report.files.get(at));
                    used.extend(script.map(|file| (file, Use::Executed)));
                }
            }
            EventKind::Load { path, file } => {
                self.usage.window.sees_loads = true;
                let file = file_of(path, *file, report, known);
                if let Some(file) = file {
                    self.load_by(&event.process, file);
                }
                used.extend(file.map(|file| (file, Use::Loaded)));
            }
            EventKind::Listen { .. } => return self.listening(&event.process, event.time_ns, report, known),
            _ => {}
        }
        self.reach(event.time_ns);
        let mut first = Vec::new();
        for (file, how) in used {
            first.extend(self.used(file, how, event.time_ns, report));
        }
        first
    }

    /// The program that listens, and what it has loaded.
    fn listening(&mut self, process: &Process, now_ns: u64, report: &ScanReport, known: &KnownFiles) -> Vec<FirstUse> {
        self.reach(now_ns);
        for path in self.loaded_by.get(&process.exe).into_iter().flatten() {
            if let Some(file) = self.files.get_mut(path) {
                file.listens = true;
            }
        }
        let file = file_of(&process.exe, process.exe_file, report, known);
        let first = file.and_then(|file| self.used(file, Use::Listening, now_ns, report));
        first.into_iter().collect()
    }

    fn load_by(&mut self, process: &Process, file: &FileEntry) {
        if self.loaded_by.len() < MAX_USED_FILES || self.loaded_by.contains_key(&process.exe) {
            let loaded = self.loaded_by.entry(process.exe.clone()).or_default();
            if loaded.len() < MAX_USED_FILES {
                loaded.insert(file.path.clone());
            }
        }
    }

    fn used(&mut self, file: &FileEntry, how: Use, now_ns: u64, report: &ScanReport) -> Option<FirstUse> {
        if !self.files.contains_key(&file.path) && self.files.len() >= MAX_USED_FILES {
            self.usage.dropped += 1;
            return None;
        }
        let after_seconds = self.usage.window.container_seconds;
        let entry = self.files.entry(file.path.clone()).or_insert_with(|| FileUsage {
            path: file.path.clone(),
            package: purl_of(file, report),
            executed: 0,
            loaded: 0,
            listens: false,
            first_ns: now_ns,
            last_ns: now_ns,
            after_seconds,
        });
        entry.last_ns = entry.last_ns.max(now_ns);
        match how {
            Use::Executed => entry.executed += 1,
            Use::Loaded => entry.loaded += 1,
            Use::Listening => entry.listens = true,
        }
        let package = entry.package.clone()?;
        let is_revocation = self.thresholds.missing(&self.usage).is_none();
        self.packages.insert(package.clone()).then(|| FirstUse {
            package,
            path: file.path.clone(),
            is_revocation,
        })
    }

    /// A container begins to be watched: from its first program on, or in the middle of its life.
    pub fn welcome(&mut self, is_from_start: bool, now_ns: u64) {
        self.reach(now_ns);
        let window = &mut self.usage.window;
        match is_from_start {
            true => window.containers = window.containers.saturating_add(1),
            false => window.joined = window.joined.saturating_add(1),
        }
    }

    /// Containers were watched well for so long, together.
    pub fn watched(&mut self, seconds: u64, now_ns: u64) {
        self.reach(now_ns);
        let window = &mut self.usage.window;
        window.container_seconds = window.container_seconds.saturating_add(seconds);
    }

    /// Events were lost.
    pub fn lost(&mut self, count: u64) {
        self.usage.window.lost_events = self.usage.window.lost_events.saturating_add(count);
    }

    fn reach(&mut self, now_ns: u64) {
        let window = &mut self.usage.window;
        if window.from_ns == 0 {
            window.from_ns = now_ns;
        }
        window.to_ns = window.to_ns.max(now_ns);
    }

    /// When something was last seen of it, nanoseconds since the Unix epoch.
    pub fn last_ns(&self) -> u64 {
        self.usage.window.to_ns
    }

    /// As it is now.
    pub fn usage(&self) -> ImageUsage {
        ImageUsage {
            files: self.files.values().cloned().collect(),
            ..self.usage.clone()
        }
    }
}

#[derive(Clone, Copy)]
enum Use {
    Executed,
    Loaded,
    Listening,
}

/// The file of the image that runs; what was written since, or has no name, is not the image's.
fn file_of<'r>(path: &str, file: ExeFile, report: &'r ScanReport, known: &KnownFiles) -> Option<&'r FileEntry> {
    if file.is_upper_layer || file.is_memfd {
        return None;
    }
    report.files.get(known.find(path)?)
}

fn purl_of(file: &FileEntry, report: &ScanReport) -> Option<String> {
    let package = report.sbom.packages.get(usize::try_from(file.package?).ok()?)?;
    Some(package.purl.clone()).filter(|purl| !purl.is_empty())
}

/// What several watched, as one: `None` when nobody did.
pub fn merge_usage(all: impl IntoIterator<Item = ImageUsage>) -> Option<ImageUsage> {
    let mut all = all.into_iter();
    let mut merged = all.next()?;
    let mut files: BTreeMap<String, FileUsage> = merged.files.drain(..).map(|file| (file.path.clone(), file)).collect();
    for other in all {
        merged.dropped = merged.dropped.saturating_add(other.dropped);
        let (window, more) = (&mut merged.window, other.window);
        *window = UsageWindow {
            from_ns: match (window.from_ns, more.from_ns) {
                (0, one) | (one, 0) => one,
                (one, two) => one.min(two),
            },
            to_ns: window.to_ns.max(more.to_ns),
            containers: window.containers.saturating_add(more.containers),
            container_seconds: window.container_seconds.saturating_add(more.container_seconds),
            joined: window.joined.saturating_add(more.joined),
            lost_events: window.lost_events.saturating_add(more.lost_events),
            sees_loads: window.sees_loads || more.sees_loads,
        };
        for file in other.files {
            if let Some(known) = files.get_mut(&file.path) {
                let together = PackageUse::of(known).with(PackageUse::of(&file));
                *known = FileUsage {
                    executed: together.executed,
                    loaded: together.loaded,
                    listens: together.listens,
                    first_ns: together.first_ns,
                    last_ns: together.last_ns,
                    after_seconds: together.after_seconds,
                    ..file
                };
            } else if files.len() < MAX_USED_FILES {
                files.insert(file.path.clone(), file);
            } else {
                merged.dropped += 1;
            }
        }
    }
    merged.files = files.into_values().collect();
    Some(merged)
}
