//! Verdicts that were computed: the same image, policy, waivers and day give the same answer.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::civil::Date;
use plimsoll_model::{Digest, ImageRef, Verdict};
use plimsoll_policy::{Policy, VerdictContext, Waiver};

use crate::{
    Error,
    error::Result,
    limits,
    store::{ImageSummary, Store, StoredWaiver},
};

/// Bounded; it is emptied when it is full.
#[derive(Default)]
pub(super) struct Cache {
    verdicts: Mutex<HashMap<Key, Arc<Verdict>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    config_digest: String,
    named: Option<String>,
    scanned_ms: i64,
    today: Date,
    waivers: u64,
}

/// Waivers that hold now.
pub(super) struct CurrentWaivers {
    all: Vec<Waiver>,
    fingerprint: u64,
}

impl CurrentWaivers {
    /// Those of a file and those of the store.
    pub(super) fn new(of_file: &[Waiver], stored: &[StoredWaiver]) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut all = of_file.to_vec();
        for waiver in stored {
            // A day that does not parse was not written by this server; such a waiver holds no day.
            let Ok(until) = waiver.until.parse() else { continue };
            (&waiver.id, &waiver.rule, &waiver.subject, &waiver.image, &waiver.until).hash(&mut hasher);
            all.push(Waiver {
                id: waiver.id.clone(),
                rule: waiver.rule.clone(),
                subject: waiver.subject.clone(),
                image: waiver.image.clone(),
                reason: waiver.reason.clone(),
                owner: waiver.owner.clone(),
                until,
            });
        }
        Self {
            all,
            fingerprint: hasher.finish(),
        }
    }
}

impl CurrentWaivers {
    /// All of them.
    pub(super) fn all(&self) -> &[Waiver] {
        &self.all
    }
}

impl Cache {
    /// The policy's verdict about a stored image at a time. `tag` is the reference by which an object found it, `None` for
    /// a digest: waivers are for the image as its users name it, and its report names it as it was scanned last. What an
    /// object writes beside a digest is not such a name, or it could help itself to the waiver of another image.
    pub(super) fn verdict(
        &self,
        store: &dyn Store,
        policy: &Policy,
        image: &ImageSummary,
        tag: Option<&ImageRef>,
        waivers: &CurrentWaivers,
        now_ms: i64,
    ) -> Result<Arc<Verdict>> {
        let today = day_of(now_ms);
        let named = tag
            .filter(|tag| image.reference.parse().ok().as_ref() != Some(*tag))
            .map(ImageRef::to_string);
        let key = Key {
            config_digest: image.config_digest.clone(),
            named: named.clone(),
            scanned_ms: image.scanned_ms,
            today,
            waivers: waivers.fingerprint,
        };
        if let Some(known) = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let corrupt = |detail: String| Error::Corrupt {
            noun: "scan report",
            detail,
        };
        let digest: Digest = image
            .config_digest
            .parse()
            .map_err(|error: plimsoll_model::DigestError| corrupt(error.to_string()))?;
        let mut report = store
            .find_report(&digest)?
            .ok_or_else(|| corrupt("it is gone".to_owned()))?;
        if let Some(named) = named {
            report.image.reference = named;
        }
        let context = VerdictContext {
            waivers: &waivers.all,
            today,
            // The data was at least as old as the scan that used it.
            data_age_days: u64::try_from((now_ms - image.scanned_ms) / 86_400_000).ok(),
        };
        let verdict = Arc::new(policy.judge(&report, context));
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= limits::MAX_CACHED_VERDICTS {
            verdicts.clear();
        }
        verdicts.insert(key, verdict.clone());
        Ok(verdict)
    }
}

pub(super) fn day_of(now_ms: i64) -> Date {
    let time = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}
