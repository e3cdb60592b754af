//! Scan reports by digest: a folder of `plimsoll scan -o json` files in, profiles and origins of executables out.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use plimsoll_model::{
    ContainerImage, Digest, ExeFile, ExecutableOrigin, MatchEvidence, Note, NoteKind, PathList, Process, ScanReport,
    Severity, schema,
};
use plimsoll_policy::{CompiledProfile, KnownFiles};

use crate::limits::{MAX_ALERT_VULNERABILITIES, MAX_REPORT_BYTES, MAX_REPORTS};

/// An image that was scanned.
#[derive(Debug)]
pub struct KnownImage {
    /// The scan.
    pub report: ScanReport,
    /// Its profile, ready for questions.
    pub profile: CompiledProfile,
    /// Its files that can run.
    pub files: KnownFiles,
    /// Where the scan came from.
    pub source: ReportSource,
}

/// Where a scan report came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportSource {
    /// The folder of scan reports of this machine. It wins.
    Folder,
    /// A server, through the agent's state folder.
    Server,
    /// The image's registry, through the agent's state folder.
    Registry,
}

impl KnownImage {
    /// Indexes a report. What nobody asks for while containers run is let go: it is most of a report.
    pub fn new(mut report: ScanReport, source: ReportSource) -> Self {
        let files = KnownFiles::new(&report.files);
        let profile = CompiledProfile::new(report.profile.clone());
        report.findings = Vec::new();
        report.notes = Vec::new();
        for package in &mut report.sbom.packages {
            // The list of files says which package owns one.
            package.files = PathList::default();
            package.licences = Vec::new();
            package.maintainer = None;
        }
        for file in &mut report.files {
            file.elf = None;
            file.link_target = None;
        }
        for found in report.matches.iter_mut().flatten() {
            found.vulnerability.summary = String::new();
            found.vulnerability.aliases = Vec::new();
            found.evidence = MatchEvidence {
                advisory: String::new(),
                source: String::new(),
                ecosystem: String::new(),
                compared_name: String::new(),
                compared_version: String::new(),
                range: String::new(),
            };
        }
        Self {
            report,
            profile,
            files,
            source,
        }
    }

    /// Where the executable of a process comes from.
    pub fn origin(&self, process: &Process) -> ExecutableOrigin {
        self.make_origin(&process.exe, process.exe_file)
    }

    fn make_origin(&self, exe: &str, file: ExeFile) -> ExecutableOrigin {
        let is_modified = file.is_upper_layer || file.is_memfd;
        let entry = match file.is_memfd {
            true => None,
            false => self
                .files
                .find(exe)
                .and_then(|position| self.report.files.get(position)),
        };
        // What the image says of a path does not hold for another file in its place.
        let same = entry.filter(|_| !is_modified);
        let package_index = same.and_then(|entry| entry.package);
        let package = package_index.and_then(|index| self.report.sbom.packages.get(usize::try_from(index).ok()?));
        let layer = same.and_then(|entry| self.report.layers.get(usize::try_from(entry.layer).ok()?));
        let mut vulnerabilities: Vec<(String, Severity)> = Vec::new();
        let (mut count, mut known_exploited) = (0, false);
        for found in self.report.matches.iter().flatten() {
            if Some(found.package) == package_index {
                count += 1;
                known_exploited |= found.vulnerability.known_exploited;
                if vulnerabilities.len() < MAX_ALERT_VULNERABILITIES {
                    vulnerabilities.push((found.vulnerability.id.clone(), found.vulnerability.severity));
                }
            }
        }
        ExecutableOrigin {
            path: exe.to_owned(),
            is_in_image: entry.is_some(),
            is_modified,
            digest: same.and_then(|entry| entry.digest),
            package: package.map(|package| format!("{} {}", package.name, package.version)),
            layer_diff_id: layer.map(|layer| layer.diff_id),
            layer_created_by: layer.and_then(|layer| layer.created_by.clone()),
            vulnerabilities,
            vulnerability_count: count,
            known_exploited,
        }
    }
}

/// All reports of a folder, and those that come later.
#[derive(Debug, Default)]
pub struct Images {
    folders: Vec<(PathBuf, ReportSource)>,
    images: Vec<Held>,
    /// By config digest, then manifest digest: positions in `images`, later files win.
    by_digest: HashMap<Digest, usize>,
    by_layers: HashMap<Vec<Digest>, usize>,
    /// Files as they were when they were read.
    read: HashMap<PathBuf, (u64, Option<SystemTime>)>,
}

#[derive(Debug)]
struct Held {
    image: Arc<KnownImage>,
    /// Where it was read; `None` when it came another way.
    path: Option<PathBuf>,
}

impl Images {
    /// Reads every report of a folder. A folder that does not exist yet is empty; a file that is no report is a note.
    ///
    /// # Errors
    /// The folder exists and cannot be listed.
    pub fn open(folder: &Path) -> io::Result<(Self, Vec<Note>)> {
        let mut images = Self {
            folders: vec![(folder.to_owned(), ReportSource::Folder)],
            ..Self::default()
        };
        let notes = images.refresh(Duration::ZERO)?;
        Ok((images, notes))
    }

    /// Reads another folder too, into which reports come from elsewhere. A broken file there is a note.
    ///
    /// # Errors
    /// The folder exists and cannot be listed.
    pub fn add_folder(&mut self, folder: &Path, source: ReportSource) -> io::Result<Vec<Note>> {
        self.folders.push((folder.to_owned(), source));
        self.refresh(Duration::ZERO)
    }

    /// Adds one report. What came from elsewhere does not replace a report of this machine.
    pub fn add(&mut self, report: ScanReport, source: ReportSource) {
        self.hold(report, source, None);
    }

    /// A file that was read before has been written anew: its report takes the old one's place.
    fn hold(&mut self, report: ScanReport, source: ReportSource, path: Option<PathBuf>) {
        let held = Held {
            image: Arc::new(KnownImage::new(report, source)),
            path,
        };
        let before = match &held.path {
            Some(path) => self.images.iter().position(|one| one.path.as_ref() == Some(path)),
            None => None,
        };
        match before {
            Some(position) => {
                self.images[position] = held;
                // It may be about another image now.
                self.by_digest.clear();
                self.by_layers.clear();
                (0..self.images.len()).for_each(|position| self.index(position));
            }
            None => {
                self.images.push(held);
                self.index(self.images.len() - 1);
            }
        }
    }

    fn index(&mut self, position: usize) {
        let image = Arc::clone(&self.images[position].image);
        let is_kept =
            |known: &usize| image.source != ReportSource::Folder && self.images[*known].image.source != image.source;
        let identity = &image.report.image;
        for digest in [identity.manifest_digest, Some(identity.config_digest)]
            .into_iter()
            .flatten()
        {
            if !self.by_digest.get(&digest).is_some_and(is_kept) {
                self.by_digest.insert(digest, position);
            }
        }
        if !self.by_layers.get(&identity.diff_ids).is_some_and(is_kept) {
            self.by_layers.insert(identity.diff_ids.clone(), position);
        }
    }

    /// How many reports there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The report of a container's image: by config digest, then manifest digest, then layers.
    pub fn find(&self, image: &ContainerImage, diff_ids: &[Digest]) -> Option<Arc<KnownImage>> {
        let by = |digest: Option<Digest>| digest.and_then(|digest| self.by_digest.get(&digest));
        let position = by(image.config_digest)
            .or_else(|| by(image.manifest_digest))
            .or_else(|| self.by_layers.get(diff_ids).filter(|_| !diff_ids.is_empty()))?;
        self.images.get(*position).map(|held| Arc::clone(&held.image))
    }

    /// Reads files that are new or changed, and that nobody has written to for `rest`: a scan may be writing one now.
    ///
    /// # Errors
    /// A folder exists and cannot be listed.
    pub fn refresh(&mut self, rest: Duration) -> io::Result<Vec<Note>> {
        let mut notes = Vec::new();
        for (folder, source) in self.folders.clone() {
            let mut paths = match list(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            paths.sort();
            for path in paths {
                notes.extend(self.read_once(&path, source, rest));
            }
        }
        Ok(notes)
    }

    fn read_once(&mut self, path: &Path, source: ReportSource, rest: Duration) -> Option<Note> {
        let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let changed = data.modified().ok();
        let is_fresh = changed.is_some_and(|at| at.elapsed().is_ok_and(|age| age < rest));
        let look = (data.len(), changed);
        let before = self.read.get(path);
        if is_fresh || before == Some(&look) {
            return None;
        }
        let is_new = before.is_none();
        self.read.insert(path.to_owned(), look);
        let name = path.display().to_string();
        if data.len() > MAX_REPORT_BYTES {
            let text = format!("is over {MAX_REPORT_BYTES} bytes");
            return Some(Note::new(NoteKind::Limit, name, text));
        }
        if is_new && self.images.len() >= MAX_REPORTS {
            let text = format!("is one more than {MAX_REPORTS} reports");
            return Some(Note::new(NoteKind::Limit, name, text));
        }
        match read_report(path) {
            Ok(report) => {
                self.hold(report, source, Some(path.to_owned()));
                None
            }
            Err(reason) => Some(Note::new(NoteKind::Unreadable, name, reason)),
        }
    }
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)?.take(4 * MAX_REPORTS) {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn read_report(path: &Path) -> Result<ScanReport, String> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_REPORT_BYTES).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    let report: ScanReport = serde_json::from_slice(&bytes).map_err(|error| format!("is no scan report: {error}"))?;
    if report.schema != schema::SCAN_REPORT {
        return Err(format!("has schema `{}`, not `{}`", report.schema, schema::SCAN_REPORT));
    }
    Ok(report)
}

mod broker;
mod carried;
mod puller;

pub use broker::{Broker, ChildOptions, serve};
pub(crate) use puller::Puller;
pub use puller::{PullOptions, Runner};

#[cfg(test)]
mod tests;
