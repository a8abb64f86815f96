//! Counts of a series by a few bins, which only rise: what a Prometheus adds up over all agents.

use std::borrow::Cow;

use super::{
    bins::Reference,
    name::class_label,
    profile::{Bins, Profile},
};

/// Classes that have a bin of their own.
const CLASSES: usize = 10;
/// Counts before those of numbers or classes.
pub(super) const OTHERS: usize = 2;

/// The counts, at most 12, and into which of them each bin of a scan goes.
#[derive(Debug, Clone)]
pub struct Tally {
    /// By bin of the scan.
    places: Box<[u8]>,
    counts: Box<[u64]>,
}

impl Tally {
    /// Numbers: `1` to `10` for the tenths of the baseline, `out` for what is out of its range, `missing`.
    /// Classes: the most frequent of the baseline by their names, `other`, `missing`.
    pub fn new(bins: &Bins, reference: &Reference) -> Self {
        let (count, places) = match bins {
            Bins::Numbers(edges) => of_numbers(edges.edges().len(), reference),
            Bins::Classes(classes) => of_classes(classes.names().len(), reference),
        };
        Self {
            places: places.into(),
            counts: vec![0; count].into(),
        }
    }

    /// Counts a value by its bin of the scan.
    pub fn push(&mut self, bin: usize) {
        let place = self.places.get(bin).copied().map(usize::from);
        if let Some(count) = place.and_then(|place| self.counts.get_mut(place)) {
            *count += 1;
        }
    }

    /// The counts, bin by bin.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Counts by bin of the scan, summed up by these bins.
    pub(super) fn folded(&self, bins: &[u32]) -> Vec<u64> {
        let mut folded = vec![0; self.counts.len()];
        for (place, count) in self.places.iter().zip(bins) {
            folded[usize::from(*place)] += u64::from(*count);
        }
        folded
    }

    /// From where to where each bin of numbers goes; `edges`: those of the scan.
    pub(super) fn ranges(&self, edges: &[f64]) -> Vec<Option<[f64; 2]>> {
        let mut ranges = vec![None; self.counts.len()];
        // the first bin of the scan begins nowhere, and those behind the last edge end nowhere
        for (ends, place) in edges.windows(2).zip(self.places.iter().skip(1)) {
            let range = &mut ranges[usize::from(*place)];
            let [start, _] = range.unwrap_or([ends[0]; 2]);
            *range = Some([start, ends[1]]);
        }
        ranges
    }

    /// Counts on from `counts`; `false`: they are of other bins.
    pub(super) fn restore(&mut self, counts: &[u64]) -> bool {
        let is_of_it = counts.len() == self.counts.len();
        if is_of_it {
            self.counts.copy_from_slice(counts);
        }
        is_of_it
    }

    /// Of every bin the label, the count, and the baseline's share in `[0, 1]`; `profile` is the one that
    /// it is of.
    pub fn iter<'a>(
        &'a self,
        profile: &'a Profile,
    ) -> impl Iterator<Item = (Cow<'a, str>, u64, f64)> {
        let mut baseline = vec![0_u32; self.counts.len()];
        for (place, count) in self.places.iter().zip(profile.reference.bins()) {
            baseline[usize::from(*place)] += count;
        }
        let total: f64 = baseline.iter().map(|count| f64::from(*count)).sum();
        let bins = self.counts.iter().zip(baseline).enumerate();
        bins.map(move |(place, (count, baseline))| {
            let label = self.label(place, &profile.bins);
            (label, *count, f64::from(baseline) / total)
        })
    }

    fn label<'a>(&self, place: usize, bins: &'a Bins) -> Cow<'a, str> {
        let label = match (place, bins) {
            (1, _) => "missing",
            (0, Bins::Numbers(_)) => "out",
            (_, Bins::Numbers(_)) => TENTHS[place - OTHERS],
            (0, Bins::Classes(_)) => "other",
            (_, Bins::Classes(classes)) => {
                let mut places = self.places.iter();
                let class = places.position(|own| usize::from(*own) == place);
                return class.map_or("other".into(), |class| class_label(&classes.names()[class]));
            }
        };
        Cow::Borrowed(label)
    }
}

/// Parts of the numbers within the range of the baseline.
const TENTHS: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];

/// How many counts there are, and where each bin goes. `edges`: how many there are. The first bin is below
/// the baseline's least value, the last but one above its largest.
fn of_numbers(edges: usize, reference: &Reference) -> (usize, Vec<u8>) {
    let (out, missing) = (0, 1);
    let inside = 1..edges;
    let within: u32 = reference.bins()[inside.clone()].iter().sum();
    let mut places = vec![out; edges + 2];
    places[edges + 1] = missing;
    let mut below = 0.0;
    for bin in inside {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 9"
        )]
        let place_of = |part: f64| 2 + part.min(9.0) as u8;
        let count = f64::from(reference.bins()[bin]);
        // by its middle: a value that many share may be more than a tenth
        let part = 10.0 * (below + count / 2.0) / f64::from(within.max(1));
        places[bin] = place_of(part);
        below += count;
    }
    (OTHERS + TENTHS.len(), places)
}

/// Likewise, of so many classes.
fn of_classes(classes: usize, reference: &Reference) -> (usize, Vec<u8>) {
    let (other, missing) = (0, 1);
    let mut by_count: Vec<usize> = (0..classes).collect();
    by_count.sort_by_key(|class| std::cmp::Reverse(reference.bins()[*class]));
    by_count.truncate(CLASSES);
    let mut places = vec![other; classes + 2];
    places[classes + 1] = missing;
    let count = OTHERS + by_count.len();
    for (place, class) in (2..).zip(by_count) {
        places[class] = place;
    }
    (count, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<'a>(tally: &'a Tally, profile: &'a Profile) -> Vec<(Cow<'a, str>, u64, f64)> {
        tally
            .iter(profile)
            .filter(|(_, count, share)| *count > 0 || *share > 0.0)
            .collect()
    }

    #[test]
    fn numbers_are_counted_by_tenths_of_the_baseline() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let profile = Profile::of_numbers(&values, false).unwrap();
        let mut tally = Tally::new(&profile.bins, &profile.reference);
        assert_eq!(tally.iter(&profile).count(), 12);
        for value in [0.0, 5.0, 99.0, 99.5, -1.0, f64::NAN] {
            let bin = profile.bins.bin(crate::drift::Value::Number(value));
            tally.push(bin);
        }
        let counted: Vec<_> = tally.iter(&profile).filter(|(_, n, _)| *n > 0).collect();
        let (names, counts): (Vec<_>, Vec<_>) =
            counted.iter().map(|(l, n, _)| (l.as_ref(), *n)).unzip();
        assert_eq!(names, ["out", "missing", "1", "10"]);
        assert_eq!(counts, [2, 1, 2, 1]);
        let shares: f64 = tally.iter(&profile).map(|(_, _, share)| share).sum();
        assert!((shares - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_most_frequent_classes_have_their_names() {
        let words: Vec<String> = (0..20)
            .flat_map(|i| vec![format!("c{i:02}"); i + 1])
            .collect();
        let profile = Profile::of_test_words(words.iter().map(String::as_str));
        let mut tally = Tally::new(&profile.bins, &profile.reference);
        for word in ["c19", "c00", "new"] {
            tally.push(profile.bins.bin(crate::drift::Value::Word(word)));
        }
        tally.push(profile.bins.bin(crate::drift::Value::Missing));
        let found = shown(&tally, &profile);
        assert_eq!(found.len(), 12);
        assert_eq!((found[0].0.as_ref(), found[0].1), ("other", 2));
        assert_eq!((found[1].0.as_ref(), found[1].1), ("missing", 1));
        assert_eq!((found[2].0.as_ref(), found[2].1), ("c19", 1));
    }
}
