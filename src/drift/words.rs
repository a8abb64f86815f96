//! The words of one series as small numbers, so that many rows of them take little room.

use std::collections::{BTreeMap, HashMap};

use super::{
    bins::Classes,
    profile::{Ordered, Profile},
};

/// Stands for no word.
pub(super) const MISSING: u16 = 0;
/// Stands for any of the words that are not known.
const OTHER: u16 = 1;
/// The first that stands for one word.
const FIRST: u16 = 2;

/// Bytes of a word; what is beyond is cut off, as of words that pass through the proxy.
const LONGEST: usize = 128;

/// How many words are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Different ones.
    pub(super) words: usize,
    /// Bytes of all of them.
    pub(super) bytes: usize,
}

/// The known words. Of a series with more than there is room for, those that are frequent stay.
#[derive(Debug, Clone)]
pub(super) struct Words {
    known: HashMap<Box<str>, u16>,
    bytes: usize,
    bounds: Bounds,
}

impl Words {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            known: HashMap::new(),
            bytes: 0,
            bounds,
        }
    }

    /// Goes by other bounds from the next word on.
    pub(super) fn bound(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// The number of a word. Where there is no room for it, the less frequent ones in `rows` are
    /// forgotten.
    pub(super) fn number(&mut self, word: &str, rows: &mut [&mut [u16]]) -> u16 {
        let word = &word[..word.floor_char_boundary(LONGEST)];
        if let Some(number) = self.known.get(word) {
            return *number;
        }
        let is_full = self.known.len() >= self.bounds.words;
        if is_full || self.bytes + word.len() > self.bounds.bytes {
            self.forget(rows);
        }
        let Some(number) = u16::try_from(self.known.len())
            .ok()
            .and_then(|count| count.checked_add(FIRST))
        else {
            return OTHER;
        };
        self.bytes += word.len();
        self.known.insert(word.into(), number);
        number
    }

    /// Keeps the most frequent words, up to half of the room.
    fn forget(&mut self, rows: &mut [&mut [u16]]) {
        let mut counts = vec![0_u32; self.known.len() + usize::from(FIRST)];
        for number in rows.iter().flat_map(|rows| rows.iter()) {
            counts[usize::from(*number)] += 1;
        }
        let mut by_count: Vec<(Box<str>, u16)> = self.known.drain().collect();
        by_count.sort_unstable_by(|a, b| {
            let [first, second] = [a, b].map(|(_, number)| counts[usize::from(*number)]);
            // of equal ones those that have been known for longer
            second.cmp(&first).then(a.1.cmp(&b.1))
        });
        let mut renamed = vec![OTHER; counts.len()];
        renamed[usize::from(MISSING)] = MISSING;
        self.bytes = 0;
        for (number, (word, old)) in (FIRST..).zip(by_count) {
            let is_room = self.known.len() < self.bounds.words / 2;
            if !is_room || self.bytes + word.len() > self.bounds.bytes / 2 {
                break;
            }
            renamed[usize::from(old)] = number;
            self.bytes += word.len();
            self.known.insert(word, number);
        }
        for number in rows.iter_mut().flat_map(|rows| rows.iter_mut()) {
            *number = renamed[usize::from(*number)];
        }
    }

    /// What rows of numbers say as a baseline. `is_ordered`: they are in the order in which they came.
    pub(super) fn profile(&self, rows: &[u16], is_ordered: bool) -> Profile {
        let mut counts = vec![0_u32; self.known.len() + usize::from(FIRST)];
        for number in rows {
            counts[usize::from(*number)] += 1;
        }
        let count = |number: u16| counts[usize::from(number)];
        let words = self.known.iter();
        let counted: BTreeMap<&str, u32> = words
            .map(|(word, number)| (&**word, count(*number)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let (classes, reference) = Classes::counted(counted, count(OTHER), count(MISSING));
        let ordered = is_ordered.then(|| {
            let mut bins = vec![classes.bin(None); counts.len()];
            bins[usize::from(OTHER)] = classes.names().len();
            for (word, number) in &self.known {
                bins[usize::from(*number)] = classes.bin(Some(word));
            }
            let bin = |number: &u16| bins[usize::from(*number)];
            Ordered::new(rows.iter().map(bin).collect(), rows, |a, b| {
                a == b && *a != OTHER
            })
        });
        Profile::of_classes(classes, reference, ordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::profile::Bins;

    const BOUNDS: Bounds = Bounds {
        words: 400,
        bytes: 10_000,
    };

    fn gathered(words: impl Iterator<Item = String>, bounds: Bounds) -> (Words, Vec<u16>) {
        let (mut known, mut rows) = (Words::new(bounds), Vec::new());
        for word in words {
            let number = known.number(&word, &mut [&mut rows]);
            rows.push(number);
        }
        (known, rows)
    }

    #[test]
    fn frequent_words_stay_among_any_number_of_others() {
        // every second row is one of ten, the others are all different
        let word = |i: usize| match i % 2 {
            0 => format!("often {}", i / 2 % 10),
            _ => format!("once {i}"),
        };
        let (known, rows) = gathered((0..20_000).map(word), BOUNDS);
        assert!(known.known.len() <= BOUNDS.words && known.bytes <= BOUNDS.bytes);
        let profile = known.profile(&rows, false);
        let Bins::Classes(classes) = &profile.bins else {
            panic!("{profile:?}");
        };
        assert_eq!(profile.reference.total(), 20_000);
        for i in 0..10 {
            let bin = classes.bin(Some(&format!("often {i}")));
            assert_eq!(profile.reference.bins()[bin], 1000, "{i}");
        }
        let unseen = profile.reference.share(classes.names().len());
        assert!((0.49..=0.5).contains(&unseen), "{unseen}");
    }

    #[test]
    fn long_words_are_cut_between_characters_and_count_as_what_is_left() {
        let long = "ü".repeat(100);
        let words = [long.clone(), "ü".repeat(90), "a".to_owned()];
        let (known, rows) = gathered(words.into_iter(), BOUNDS);
        assert_eq!(rows[0], rows[1]);
        assert_ne!(rows[0], rows[2]);
        assert_eq!(known.bytes, LONGEST + 1);
    }

    #[test]
    fn words_that_are_forgotten_are_no_run() {
        let bounds = Bounds {
            words: 2,
            bytes: 99,
        };
        let words = ["a", "b", "c", "d", "a", "a", "a"].map(str::to_owned);
        let (known, rows) = gathered(words.into_iter(), bounds);
        assert_eq!(known.profile(&rows, true).longest_run, Some(3));
    }
}
