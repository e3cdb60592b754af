//! The most frequent of many things, in bounded memory (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and
//! top-k elements in data streams", 2005): keys in, those that came most often out. A newcomer takes the place and the count
//! of the rarest, so a count is never too low, and too high by at most the rarest's.

use std::{collections::HashMap, hash::BuildHasher};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Hot<T> {
    limit: usize,
    counts: HashMap<u64, (T, u64)>,
    hashes: foldhash::fast::RandomState,
}

impl<T> Hot<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            counts: HashMap::with_capacity(limit + 1),
            hashes: foldhash::fast::RandomState::default(),
        }
    }

    /// Counts one. `make` says what is shown of it, once it is among the most frequent.
    pub(super) fn count(&mut self, key: &[&str], make: impl FnOnce() -> T) {
        let key = self.hashes.hash_one(key);
        if let Some((_, count)) = self.counts.get_mut(&key) {
            *count += 1;
            return;
        }
        let mut start = 0;
        if self.counts.len() >= self.limit
            && let Some((rarest, (_, count))) = self.counts.iter().min_by_key(|(_, (_, count))| *count)
        {
            start = *count;
            let rarest = *rarest;
            self.counts.remove(&rarest);
        }
        self.counts.insert(key, (make(), start + 1));
    }

    /// All that are held, most frequent first.
    pub(super) fn most(&self) -> Vec<(&T, u64)> {
        let mut all: Vec<(&T, u64)> = self.counts.values().map(|(thing, count)| (thing, *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_stays_however_many_others_come_once() {
        let mut hot = Hot::new(8);
        for number in 0..10_000_u32 {
            let once = number.to_string();
            hot.count(&[&once], || once.clone());
            for (name, every) in [("a", 3), ("b", 5)] {
                if number % every == 0 {
                    hot.count(&[name], || name.to_owned());
                }
            }
        }
        let most = hot.most();
        assert_eq!(most.len(), 8);
        let count_of = |name: &str| most.iter().find(|(found, _)| *found == name).map(|(_, count)| *count);
        // Never too low.
        assert!(count_of("a").is_some_and(|count| count >= 3_334), "{most:?}");
        assert!(count_of("b").is_some_and(|count| count >= 2_000), "{most:?}");
    }
}
