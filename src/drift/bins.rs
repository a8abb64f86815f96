//! Into what the values of a series are sorted, as its baseline has them.
//!
//! A region is a set of values whose share is watched: for numbers `x <= edge` for every edge, for
//! classes each known one and those that are not known; and always the missing values.

use std::{collections::BTreeMap, io::Write};

/// Parts into which the quantiles of a baseline cut.
const PARTS: usize = 20;
/// Regions that are looked at together.
pub(super) const PIECE: usize = 8;

/// The bins of a numeric series.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges {
    /// Ascending, without repetition, finite.
    edges: Vec<f64>,
}

/// The bins of a categorical series: the known classes in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
}

/// How often the baseline has each region and bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// For each region; that of unseen classes is an estimate.
    counts: Vec<u32>,
    /// The same as shares of all.
    shares: Vec<f64>,
    /// For each bin, as they are.
    bins: Vec<u32>,
    /// All values, missing ones too.
    total: u32,
    /// Regions are `x <= edge`: all bins up to one.
    is_cumulative: bool,
}

impl Edges {
    /// The bins of these values and how many of them are in each region; a `NaN` is missing. `None`:
    /// all are.
    pub fn of(values: &[f64]) -> Option<(Self, Reference)> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let edges = edges(&sorted)?;
        let missing = values.len() - sorted.len();
        let below = |edge: &f64| count(sorted.partition_point(|value| value <= edge));
        let mut counts: Vec<u32> = edges.iter().map(below).collect();
        let ends = counts.iter().copied().chain([count(sorted.len())]);
        let starts = [0].into_iter().chain(counts.iter().copied());
        let mut bins: Vec<u32> = ends.zip(starts).map(|(end, start)| end - start).collect();
        bins.push(count(missing));
        counts.push(count(missing));
        let reference = Reference::new(counts, bins, count(values.len()), true);
        Some((Self { edges }, reference))
    }

    /// As they were written down: `bins` has a count for each. `None`: that is no numeric series.
    pub fn restored(edges: Vec<f64>, bins: Vec<u32>) -> Option<(Self, Reference)> {
        let is_ascending = edges.is_sorted_by(|a, b| a < b);
        let is_finite = edges.iter().all(|edge| edge.is_finite());
        let total = sum(&bins).filter(|total| *total > 0)?;
        if !is_ascending || !is_finite || bins.len() != edges.len() + 2 {
            return None;
        }
        let mut below = 0;
        let mut counts: Vec<u32> = bins[..edges.len()]
            .iter()
            .map(|count| {
                below += count;
                below
            })
            .collect();
        counts.push(bins[edges.len() + 1]);
        let reference = Reference::new(counts, bins, total, true);
        Some((Self { edges }, reference))
    }

    /// The bin of a value: how many edges are below it; the last bin for a missing one.
    pub fn bin(&self, value: f64) -> usize {
        if value.is_nan() {
            return self.edges.len() + 1;
        }
        self.edges.partition_point(|edge| *edge < value)
    }

    /// How many there are, that of missing values with them.
    pub fn bins(&self) -> usize {
        self.edges.len() + 2
    }

    /// The edges: region `j` is `x <= edges[j]`, the last region missing values.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }
}

fn edges(sorted: &[f64]) -> Option<Vec<f64>> {
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let n = sorted.len();
    let mut edges: Vec<f64> = (1..PARTS)
        .filter_map(|k| sorted.get(k * n / PARTS).copied())
        .collect();
    edges.extend([min.next_down(), max]);
    // a value that many share has a bin of its own
    for run in sorted.chunk_by(|a, b| a >= b) {
        if let Some(value) = run.first().filter(|_| PARTS * run.len() >= n) {
            edges.extend([value.next_down(), *value]);
        }
    }
    edges.retain(|edge| edge.is_finite());
    edges.sort_by(f64::total_cmp);
    edges.dedup_by(|later, before| later <= before);
    Some(edges)
}

impl Classes {
    /// The known classes and how many values are of each; `None` is a missing value. Of unseen classes
    /// there are as many as were seen once only (Good and Turing). Of more than 100 classes the most
    /// frequent are known, and the others count as unseen.
    pub fn of<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> (Self, Reference) {
        let mut counted = BTreeMap::<&str, u32>::new();
        let mut missing = 0;
        for value in values {
            match value {
                Some(value) => *counted.entry(value).or_default() += 1,
                None => missing += 1,
            }
        }
        Self::counted(counted, 0, missing)
    }

    /// Likewise, of words that are counted already; `others` are of words that were not kept.
    pub(super) fn counted(
        mut counted: BTreeMap<&str, u32>,
        others: u32,
        missing: u32,
    ) -> (Self, Reference) {
        let others = others + keep_most_frequent(&mut counted);
        // of those that are not kept, all count as unseen already
        let once = counted.values().filter(|count| **count == 1).count();
        let total = counted.values().sum::<u32>() + others + missing;
        let mut counts: Vec<u32> = counted.values().copied().collect();
        let mut bins = counts.clone();
        bins.extend([others, missing]);
        counts.extend([others + count(once), missing]);
        let names = counted.into_keys().map(str::to_owned).collect();
        let reference = Reference::new(counts, bins, total, false);
        (Self { names }, reference)
    }

    /// As they were written down: `bins` has a count for each, `unseen` is what is expected of classes that
    /// are not known. `None`: that is no categorical series.
    pub fn restored(names: Vec<String>, bins: Vec<u32>, unseen: u32) -> Option<(Self, Reference)> {
        let total = sum(&bins).filter(|total| *total > 0)?;
        let is_ascending = names.is_sorted_by(|a, b| a < b);
        if !is_ascending || bins.len() != names.len() + 2 || unseen > total {
            return None;
        }
        let mut counts = bins.clone();
        counts[names.len()] = unseen;
        let reference = Reference::new(counts, bins, total, false);
        Some((Self { names }, reference))
    }

    /// The bin of a class, or of a missing value: the last.
    pub fn bin(&self, class: Option<&str>) -> usize {
        let Some(class) = class else {
            return self.names.len() + 1;
        };
        let place = self.names.binary_search_by(|name| name.as_str().cmp(class));
        place.unwrap_or(self.names.len())
    }

    /// The bin of a number that is a class, as it is written.
    pub fn bin_of_number(&self, number: f64) -> usize {
        if let Some(text) = digits(number, &mut [0; 3]) {
            return self.bin(Some(text));
        }
        let mut text = [0; 32];
        let mut rest = &mut text[..];
        match write!(rest, "{number}") {
            Ok(()) => {
                let length = 32 - rest.len();
                self.bin(std::str::from_utf8(&text[..length]).ok())
            }
            // hundreds of digits
            Err(_) => self.bin(Some(&number.to_string())),
        }
    }

    /// How many there are, those of unseen classes and of missing values with them.
    pub fn bins(&self) -> usize {
        self.names.len() + 2
    }

    /// The known classes: region `j` is `names[j]`, then unseen ones, then missing values.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Classes that a series knows.
const MOST_CLASSES: usize = 100;

/// How many values are of the classes that are not kept.
fn keep_most_frequent(counted: &mut BTreeMap<&str, u32>) -> u32 {
    if counted.len() <= MOST_CLASSES {
        return 0;
    }
    let mut by_count: Vec<(u32, &str)> = counted
        .iter()
        .map(|(name, count)| (*count, *name))
        .collect();
    by_count.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let rest = by_count.split_off(MOST_CLASSES);
    rest.iter()
        .filter_map(|(_, name)| counted.remove(name))
        .sum()
}

impl Reference {
    /// How many values of the baseline are in a region.
    pub fn count(&self, region: usize) -> u32 {
        self.counts.get(region).copied().unwrap_or(0)
    }

    /// How many values of the baseline are in each bin.
    pub fn bins(&self) -> &[u32] {
        &self.bins
    }

    /// The share of the baseline in a region, in `[0, 1]`.
    pub fn share(&self, region: usize) -> f64 {
        self.shares.get(region).copied().unwrap_or(0.0)
    }

    /// Whether a value in `bin` is in a region.
    pub fn is_inside(&self, bin: usize, region: usize) -> bool {
        let is_missing = bin + 1 == self.bins.len();
        if self.is_cumulative && region + 1 < self.regions() {
            bin <= region && !is_missing
        } else if self.is_cumulative {
            is_missing
        } else {
            bin == region
        }
    }

    /// How many regions there are.
    pub fn regions(&self) -> usize {
        self.counts.len()
    }

    /// All values of the baseline, missing ones too.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Tells `each` of the regions, [`PIECE`] and then the rest of them at a time: the first, how many of a
    /// window are in each, and the shares of the baseline. `bins`: the counts of the window.
    ///
    /// Pieces of a known length are what a compiler makes fast code of.
    pub(super) fn each_piece(&self, bins: &[u16], mut each: impl FnMut(usize, &[i32], &[f64])) {
        let mut inside = [0; PIECE];
        let mut below = 0;
        let missing = bins.last().copied();
        let last = self.regions() - 1;
        for (place, shares) in self.shares.chunks(PIECE).enumerate() {
            let first = place * PIECE;
            let inside = &mut inside[..shares.len()];
            for (inside, bin) in inside.iter_mut().zip(&bins[first..]) {
                below = i32::from(*bin) + if self.is_cumulative { below } else { 0 };
                *inside = below;
            }
            // the bin above the last edge is in no region but the rest
            if let (Some(inside), Some(missing)) = (inside.get_mut(last - first), missing) {
                *inside = i32::from(missing);
            }
            each(first, inside, shares);
        }
    }

    fn new(counts: Vec<u32>, bins: Vec<u32>, total: u32, is_cumulative: bool) -> Self {
        let share = |count: &u32| f64::from(*count) / f64::from(total.max(1));
        Self {
            shares: counts.iter().map(share).collect(),
            counts,
            bins,
            total,
            is_cumulative,
        }
    }
}

/// `None`: more than can be counted.
fn sum(bins: &[u32]) -> Option<u32> {
    bins.iter()
        .try_fold(0_u32, |sum, bin| sum.checked_add(*bin))
}

/// A whole number from 0 to 999 as it is written: most classes that are numbers are such, and it takes a
/// fifth of what any number takes.
fn digits(number: f64, text: &mut [u8; 3]) -> Option<&str> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is cut off makes it another number"
    )]
    let mut rest = number as u16;
    let is_whole = f64::from(rest).to_bits() == number.to_bits();
    if !is_whole || rest > 999 {
        return None;
    }
    let mut first = text.len();
    loop {
        first -= 1;
        text[first] = b'0' + u8::try_from(rest % 10).ok()?;
        rest /= 10;
        if rest == 0 {
            return std::str::from_utf8(&text[first..]).ok();
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_class_that_is_written_like_it() {
        let numbers = [
            0.0, -0.0, 1.0, 10.0, 99.0, 100.0, 999.0, 1000.0, 65_536.0, 0.5, -1.0, 1e300,
        ];
        for number in numbers {
            let text = number.to_string();
            let (classes, _) = Classes::of([Some("zero"), Some(text.as_str())]);
            let expected = classes.bin(Some(&text));
            assert_eq!(classes.bin_of_number(number), expected, "{text}");
            let others = Classes::of([Some("zero")]).0;
            assert_eq!(others.bin_of_number(number), 1, "{text} is unseen");
        }
    }

    #[test]
    fn a_baseline_of_words_that_are_all_different_is_restored_as_it_was() {
        let words: Vec<String> = (0..1000).map(|i| format!("id {i}")).collect();
        let (classes, reference) = Classes::of(words.iter().map(|word| Some(word.as_str())));
        let unseen = reference.count(classes.names().len());
        // the 100 that are known were seen once each
        assert_eq!(
            (classes.names().len(), unseen, reference.total()),
            (100, 1000, 1000)
        );
        let again = Classes::restored(classes.names().to_vec(), reference.bins().to_vec(), unseen);
        assert_eq!(again, Some((classes, reference)));
    }
}
