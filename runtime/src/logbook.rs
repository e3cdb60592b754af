//! What containers use of their images, and what may be learned from them, written down: placed events in, one ledger per
//! image; notices, files and what a server is told out.
//!
//! What was *not* used can only be said of containers that were watched from their first program on, and only as long as
//! nothing was lost: the kernel tells each load of a library once. So a container's time counts until events are lost, or
//! not at all when it ran before the agent, or before its image's scan came.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use plimsoll_model::{Digest, Event, EventKind, ImageUsage, Usage, schema};
use plimsoll_policy::{
    FirstUse, IdleThresholds, Judgement, Ledger, Observations, ObservedLog, UsageLedger, escape, hours,
};

use crate::{
    images::KnownImage,
    limits::{LOGBOOK_TICK_NS, MAX_LOGGED_IMAGES},
};

mod file;

pub(crate) use file::Saver;

/// What is written down, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogbookOptions {
    /// File for what images use (`plimsoll.usage/v1`); `None`: it is told to a server at most.
    pub usage: Option<PathBuf>,
    /// File for what may be learned (`plimsoll.observed/v1`); `None`: nothing is.
    pub learn: Option<PathBuf>,
}

/// The ledgers of all images.
#[derive(Debug)]
pub(crate) struct Logbook {
    node: Arc<str>,
    is_learning: bool,
    images: BTreeMap<Digest, Pages>,
    /// From earlier runs, until the image is met again.
    earlier_usage: BTreeMap<Digest, ImageUsage>,
    earlier_acts: BTreeMap<Digest, Observations>,
    watched: HashMap<Arc<str>, Watch>,
    ticked_ns: u64,
    /// Events that were lost since the last tick.
    has_lost: u64,
    /// Something is used that was said not to be: that is not to be lost.
    is_urgent: bool,
}

/// What is written down of one image.
#[derive(Debug)]
struct Pages {
    image: Arc<KnownImage>,
    usage: UsageLedger,
    acts: Option<Ledger>,
    /// Package URLs that a scan with usage has called unused.
    said_idle: Vec<String>,
}

#[derive(Debug)]
struct Watch {
    digest: Digest,
    /// Nothing that it used can have gone unseen.
    is_whole: bool,
}

/// A container that runs.
pub(crate) struct Running<'a> {
    pub(crate) id: &'a Arc<str>,
    pub(crate) image: &'a Arc<KnownImage>,
    /// Some of it happened before it could be watched.
    pub(crate) is_joined: bool,
}

impl Logbook {
    /// Empty, or going on from what earlier runs have written.
    pub(crate) fn new(node: &str, is_learning: bool, usage: Option<Usage>, acts: Option<ObservedLog>) -> Self {
        let usage = usage.into_iter().flat_map(|usage| usage.images);
        let acts = acts.into_iter().flat_map(|log| log.images);
        Self {
            node: node.into(),
            is_learning,
            images: BTreeMap::new(),
            earlier_usage: usage.map(|image| (image.config_digest, image)).collect(),
            earlier_acts: acts.map(|image| (image.config_digest, image)).collect(),
            watched: HashMap::new(),
            ticked_ns: 0,
            has_lost: 0,
            is_urgent: false,
        }
    }

    /// Takes in one act of a container and what its profile says of it. What comes back is for whoever runs the agent.
    pub(crate) fn note(
        &mut self,
        image: &Arc<KnownImage>,
        event: &Event,
        judgement: Option<&Judgement>,
    ) -> Option<String> {
        let is_use = matches!(
            event.kind,
            EventKind::Exec { .. } | EventKind::Load { .. } | EventKind::Listen { .. }
        );
        if !is_use && !self.is_learning {
            return None;
        }
        let pages = self.pages(image)?;
        if let (Some(acts), Some(judgement)) = (&mut pages.acts, judgement) {
            acts.note(event, judgement);
        }
        if !is_use {
            return None;
        }
        let first = pages.usage.note(event, &image.report, &image.files);
        let news = first.iter().find_map(|first| pages.revocation(first));
        self.is_urgent |= news.is_some();
        news
    }

    /// Whether it is to be written down at once; asked for, it is not any more.
    pub(crate) fn take_urgency(&mut self) -> bool {
        std::mem::take(&mut self.is_urgent)
    }

    /// An alert about a container was raised, or more was added to it.
    pub(crate) fn trouble(&mut self, image: &Arc<KnownImage>, event: &Event) {
        let digest = image.report.image.config_digest;
        if let Some(container) = &event.container
            && let Some(acts) = self.images.get_mut(&digest).and_then(|pages| pages.acts.as_mut())
        {
            acts.trouble(&container.id, event.time_ns);
        }
    }

    /// Events were lost: what runs now may have used anything.
    pub(crate) fn lost(&mut self, count: u64) {
        self.has_lost = self.has_lost.saturating_add(count);
    }

    /// Whether it is time for [`Logbook::tick`].
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.ticked_ns) >= LOGBOOK_TICK_NS
    }

    /// Counts the time of the containers that run.
    pub(crate) fn tick<'a>(&mut self, now_ns: u64, running: impl Iterator<Item = Running<'a>>) {
        let seconds = match self.ticked_ns {
            0 => 0,
            before => now_ns.saturating_sub(before) / 1_000_000_000,
        };
        // What is left of a second counts the next time.
        self.ticked_ns = match self.ticked_ns {
            0 => now_ns,
            before => before.saturating_add(seconds * 1_000_000_000),
        };
        let lost = std::mem::take(&mut self.has_lost);
        let mut before = std::mem::take(&mut self.watched);
        for one in running {
            let digest = one.image.report.image.config_digest;
            let Some(pages) = self.pages(one.image) else { continue };
            let known = before.remove(one.id).filter(|watch| watch.digest == digest);
            let is_whole = match &known {
                Some(watch) => watch.is_whole && lost == 0,
                None => !one.is_joined && lost == 0,
            };
            match known {
                None => pages.usage.welcome(is_whole, now_ns),
                Some(_) if is_whole => pages.usage.watched(seconds, now_ns),
                Some(_) => {}
            }
            self.watched.insert(Arc::clone(one.id), Watch { digest, is_whole });
        }
        if lost > 0 {
            for pages in self.images.values_mut() {
                pages.usage.lost(lost);
            }
        }
    }

    fn pages(&mut self, image: &Arc<KnownImage>) -> Option<&mut Pages> {
        let digest = image.report.image.config_digest;
        if !self.images.contains_key(&digest) {
            self.make_room()?;
            let earlier = self.earlier_acts.remove(&digest);
            let acts = self.is_learning.then(|| {
                let mut acts = Ledger::of(&image.report.profile);
                if let Some(earlier) = earlier {
                    acts.add(earlier);
                }
                acts
            });
            let thresholds = IdleThresholds::DEFAULT;
            let usage = match self.earlier_usage.remove(&digest) {
                Some(earlier) => UsageLedger::resume(earlier, thresholds),
                None => UsageLedger::new(&image.report, thresholds),
            };
            let pages = Pages {
                usage,
                acts,
                said_idle: said_idle(image),
                image: Arc::clone(image),
            };
            self.images.insert(digest, pages);
        }
        let pages = self.images.get_mut(&digest)?;
        if !Arc::ptr_eq(&pages.image, image) {
            pages.said_idle = said_idle(image);
            pages.image = Arc::clone(image);
        }
        Some(pages)
    }

    /// Forgets the image that was not watched for longest; `None` when all of them are.
    fn make_room(&mut self) -> Option<()> {
        while self.images.len() + self.earlier_usage.len().max(self.earlier_acts.len()) >= MAX_LOGGED_IMAGES {
            let earlier = self.earlier_usage.iter().min_by_key(|(_, usage)| usage.window.to_ns);
            if let Some(digest) = earlier.map(|(digest, _)| *digest) {
                self.earlier_usage.remove(&digest);
                self.earlier_acts.remove(&digest);
                continue;
            }
            if self.earlier_acts.pop_first().is_some() {
                continue;
            }
            let running = |digest: &Digest| self.watched.values().any(|watch| watch.digest == *digest);
            let idle = self.images.iter().filter(|(digest, _)| !running(digest));
            let oldest = idle.min_by_key(|(_, pages)| pages.usage.last_ns())?;
            let digest = *oldest.0;
            self.images.remove(&digest);
        }
        Some(())
    }

    /// What images use, those of earlier runs included.
    pub(crate) fn usage(&self) -> Usage {
        let now = self.images.values().map(|pages| pages.usage.usage());
        Usage {
            schema: schema::USAGE.to_owned(),
            node: self.node.to_string(),
            images: now.chain(self.earlier_usage.values().cloned()).collect(),
        }
    }

    /// What may be learned.
    pub(crate) fn observed(&self) -> ObservedLog {
        let now = self.images.values().filter_map(|pages| {
            let acts = pages.acts.as_ref()?;
            Some(acts.observations(&pages.image.report))
        });
        ObservedLog {
            schema: schema::OBSERVED.to_owned(),
            node: self.node.to_string(),
            images: now.chain(self.earlier_acts.values().cloned()).collect(),
        }
    }
}

impl Pages {
    /// Whether something is used now that was said not to be, in words.
    fn revocation(&self, first: &FirstUse) -> Option<String> {
        let was_said = self.said_idle.contains(&first.package);
        if !was_said && !first.is_revocation {
            return None;
        }
        let report = &self.image.report;
        let position = report
            .sbom
            .packages
            .iter()
            .position(|package| package.purl == first.package);
        let of_it = report
            .matches
            .iter()
            .flatten()
            .filter(|one| usize::try_from(one.package).ok() == position && position.is_some());
        let count = of_it.count();
        let after = self.usage.usage().window.container_seconds;
        let by = match was_said {
            true => "a scan with usage said it was not".to_owned(),
            false => format!("it was not for {:.1} hours of containers", hours(after)),
        };
        Some(format!(
            "image {}: package {} is in use now: {} runs, and {by}; its {count} known vulnerabilities are in the execute path",
            escape(&report.image.reference),
            escape(&first.package),
            escape(&first.path),
        ))
    }
}

fn said_idle(image: &KnownImage) -> Vec<String> {
    let matches = image.report.matches.iter().flatten();
    let idle = matches.filter(|one| one.reach.as_ref().is_some_and(|reach| reach.is_idle));
    let packages = idle.filter_map(|one| image.report.sbom.packages.get(usize::try_from(one.package).ok()?));
    let mut purls: Vec<String> = packages.map(|package| package.purl.clone()).collect();
    purls.sort();
    purls.dedup();
    purls
}

#[cfg(test)]
mod tests;
