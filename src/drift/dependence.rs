//! How dependent neighbouring predictions are: by what factor the counts of windows vary more than
//! those of independent ones would.
//!
//! Batches of neighbours vary as much as their size allows where nothing depends on anything. A ratio
//! above what chance gives in one of 1,000 counts; the largest of all batch sizes and regions is tau.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::stats::{chi_square, real};

/// Regions that are looked at: those nearest to half of the predictions.
pub const REGIONS: usize = 3;
/// Sizes of batches.
const BATCHES: [usize; 5] = [8, 16, 32, 64, 128];
/// Fewest batches that have a variance worth the name.
const FEWEST: usize = 8;
/// Chance of a ratio that counts while nothing is dependent.
const CHANCE: f64 = 0.001;
/// Predictions of a segment of [`Live`].
const SEGMENT: usize = 2048;
/// Segments whose median counts.
const REMEMBERED: usize = 9;

/// Tau, at least 1, of predictions in their order: `inside` says of each whether it is in a region, once
/// for every region.
pub fn tau(inside: &[Vec<bool>]) -> f64 {
    inside
        .iter()
        .map(|inside| of_region(inside))
        .fold(1.0, f64::max)
}

fn of_region(inside: &[bool]) -> f64 {
    let ratio = |size: &usize| of_batches(inside, *size);
    BATCHES.iter().filter_map(ratio).fold(1.0, f64::max)
}

/// The ratio of batches of one size, if it is more than chance.
fn of_batches(inside: &[bool], size: usize) -> Option<f64> {
    let count = inside.len() / size;
    if count < FEWEST {
        return None;
    }
    let sums = || {
        let batches = inside.chunks_exact(size);
        batches.map(|batch| real(batch.iter().filter(|inside| **inside).count()))
    };
    let mean = sums().sum::<f64>() / real(count);
    let share = real(inside.iter().filter(|inside| **inside).count()) / real(inside.len());
    let variance = share * (1.0 - share);
    if variance <= 0.0 {
        return None;
    }
    let of_sums = sums().map(|sum| (sum - mean).powi(2)).sum::<f64>() / real(count - 1);
    let ratio = of_sums / (real(size) * variance);
    let limit = chi_square::upper_quantile(CHANCE, count - 1) / real(count - 1);
    (ratio > limit).then_some(ratio)
}

/// Of at most as many as are remembered; `None`: of none.
fn median(taus: &[f64]) -> Option<f64> {
    let mut sorted = [0.0; REMEMBERED];
    let sorted = &mut sorted[..taus.len()];
    sorted.copy_from_slice(taus);
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        Some(f64::midpoint(
            *sorted.get(middle.checked_sub(1)?)?,
            sorted[middle],
        ))
    } else {
        Some(sorted[middle])
    }
}

/// The regions whose shares are nearest to half, at most [`REGIONS`], by their shares.
pub fn nearest_half(shares: impl IntoIterator<Item = f64>) -> Vec<usize> {
    let mut by_distance: Vec<(f64, usize)> = shares
        .into_iter()
        .enumerate()
        .map(|(region, share)| ((share - 0.5).abs(), region))
        .collect();
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    by_distance.truncate(REGIONS);
    by_distance.into_iter().map(|(_, region)| region).collect()
}

/// What a ratio of a segment must exceed, for each size of batches.
static LIMITS: LazyLock<[f64; BATCHES.len()]> = LazyLock::new(|| {
    BATCHES.map(|size| {
        let freedom = SEGMENT / size - 1;
        chi_square::upper_quantile(CHANCE, freedom) / real(freedom)
    })
});

/// Tau of what passes now, where the order of the baseline means nothing. Allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Live {
    regions: [Batches; REGIONS],
    /// Predictions of the segment so far.
    count: usize,
    /// Tau of the last segments, the newest last.
    taus: [f64; REMEMBERED],
    remembered: usize,
    median: Option<f64>,
}

/// The batches of one region in the segment under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Batches {
    /// Predictions that are in the region.
    total: u32,
    /// Of them, those of the batch under way, for each size.
    sums: [u8; BATCHES.len()],
    /// The sum over the batches that have ended of how many each had, squared.
    squares: [u32; BATCHES.len()],
}

/// A [`Live`], to write it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveState {
    regions: [Batches; REGIONS],
    count: usize,
    taus: Vec<f64>,
}

impl Live {
    /// Adds a prediction: whether it is in each of the regions.
    pub fn push(&mut self, inside: [bool; REGIONS]) {
        for (batches, inside) in self.regions.iter_mut().zip(inside) {
            batches.sums[0] += u8::from(inside);
        }
        self.count += 1;
        if !self.count.is_multiple_of(BATCHES[0]) {
            return;
        }
        for batches in &mut self.regions {
            batches.end(self.count);
        }
        if self.count == SEGMENT {
            self.end_segment();
        }
    }

    /// Tau, at least 1; `None` before the first segment is full.
    pub fn tau(&self) -> Option<f64> {
        self.median
    }

    /// All that is known.
    pub fn state(&self) -> LiveState {
        LiveState {
            regions: self.regions,
            count: self.count,
            taus: self.taus[..self.remembered].to_vec(),
        }
    }

    /// As it was; `false`: it cannot have been so, and nothing has changed.
    pub fn restore(&mut self, state: &LiveState) -> bool {
        let is_sound = state.count < SEGMENT
            && state.regions.iter().all(|of| of.is_sound(state.count))
            && state.taus.len() <= REMEMBERED
            && state.taus.iter().all(|tau| *tau >= 1.0 && tau.is_finite());
        if is_sound {
            self.regions = state.regions;
            self.count = state.count;
            self.remembered = state.taus.len();
            self.taus[..self.remembered].copy_from_slice(&state.taus);
            self.median = median(&state.taus);
        }
        is_sound
    }

    fn end_segment(&mut self) {
        let ratios = self.regions.iter().map(Batches::ratio);
        let tau = ratios.fold(1.0, f64::max);
        if self.remembered == REMEMBERED {
            self.taus.rotate_left(1);
        } else {
            self.remembered += 1;
        }
        self.taus[self.remembered - 1] = tau;
        self.median = median(&self.taus[..self.remembered]);
        self.regions = Default::default();
        self.count = 0;
    }
}

impl Batches {
    /// A batch of the smallest size has ended with prediction `count`, and those of other sizes that end
    /// there.
    fn end(&mut self, count: usize) {
        self.total += u32::from(self.sums[0]);
        for (place, size) in BATCHES.iter().enumerate() {
            if !count.is_multiple_of(*size) {
                break;
            }
            let sum = std::mem::take(&mut self.sums[place]);
            self.squares[place] += u32::from(sum) * u32::from(sum);
            if let Some(next) = self.sums.get_mut(place + 1) {
                *next += sum;
            }
        }
    }

    /// Whether so many predictions can have left it so.
    fn is_sound(&self, count: usize) -> bool {
        let mut sizes = BATCHES.iter().zip(self.sums.iter().zip(&self.squares));
        let is_of = |(size, (sum, squares)): (&usize, (&u8, &u32))| {
            usize::from(*sum) <= count % size && *squares as usize <= count * size
        };
        self.total as usize <= count && sizes.all(is_of)
    }

    /// The largest ratio that is more than chance; 1 where none is.
    fn ratio(&self) -> f64 {
        let total = f64::from(self.total);
        let share = total / real(SEGMENT);
        let variance = share * (1.0 - share);
        if variance <= 0.0 {
            return 1.0;
        }
        let ratio = |((size, squares), limit): ((&usize, &u32), &f64)| {
            let count = real(SEGMENT / size);
            // the sum of the squared distances from the mean; exact, for counts are powers of two
            let of_sums = f64::from(*squares) - total * total / count;
            let ratio = of_sums / (count - 1.0) / (real(*size) * variance);
            if ratio > *limit { ratio } else { 1.0 }
        };
        let sizes = BATCHES.iter().zip(&self.squares).zip(LIMITS.iter());
        sizes.map(ratio).fold(1.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of predictions that are in a region with a chance of their own.
    fn in_runs(random: &mut fastrand::Rng, run: usize) -> Vec<bool> {
        let mut chance = 0.5;
        let mut next = |place: usize| {
            if place.is_multiple_of(run) {
                chance = random.f64();
            }
            random.f64() < chance
        };
        (0..SEGMENT).map(&mut next).collect()
    }

    #[test]
    fn a_segment_of_what_passes_is_as_dependent_as_the_same_in_a_baseline() {
        let mut random = fastrand::Rng::with_seed(5);
        for run in [1, 20, 200] {
            let inside: [Vec<bool>; REGIONS] = std::array::from_fn(|_| in_runs(&mut random, run));
            let mut live = Live::default();
            let [first, second, third] = &inside;
            let all = first.iter().zip(second).zip(third).enumerate();
            for (place, ((first, second), third)) in all {
                if place == 1999 {
                    let mut restored = Live::default();
                    assert!(restored.restore(&live.state()));
                    live = restored;
                }
                assert_eq!(live.tau(), None);
                live.push([*first, *second, *third]);
            }
            let expected = tau(&inside);
            assert!(
                (live.tau().unwrap() / expected - 1.0).abs() < 1e-12,
                "{run}"
            );
            assert_eq!(expected > 2.0, run > 1, "{expected} in runs of {run}");
        }
    }

    #[test]
    fn the_median_of_the_last_nine_segments_counts() {
        let mut live = Live::default();
        let mut last = LiveState {
            taus: (1..=8).map(f64::from).collect(),
            ..live.state()
        };
        assert!(live.restore(&last));
        for _ in 0..2 * SEGMENT {
            live.push([true; REGIONS]);
        }
        assert_eq!(
            live.state().taus,
            [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1.0, 1.0]
        );
        assert_eq!(live.tau(), Some(4.0));
        last.regions[0].squares[4] = 1;
        assert!(!live.restore(&last), "no prediction, and a batch of them");
    }
}
