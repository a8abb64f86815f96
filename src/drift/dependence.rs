//! How dependent neighbouring predictions are: by what factor the counts of windows vary more than
//! those of independent ones would.
//!
//! Batches of neighbours vary as much as their size allows where nothing depends on anything. A ratio
//! above what chance gives in one of 1,000 counts; the largest of all batch sizes and regions is tau.

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

/// Tau of what passes now, where the order of the baseline means nothing. Allocates at the start only.
#[derive(Debug, Clone)]
pub struct Live {
    /// Sums of batches of the smallest size in the segment under way, region by region.
    sums: [[u8; SEGMENT / BATCHES[0]]; REGIONS],
    /// Predictions of the segment so far.
    count: usize,
    /// Tau of the last segments, the newest last.
    taus: Vec<f64>,
    median: Option<f64>,
    /// What a ratio must exceed, for each size of batches.
    limits: [f64; BATCHES.len()],
}

/// A [`Live`], to write it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveState {
    sums: Vec<Vec<u8>>,
    count: usize,
    taus: Vec<f64>,
}

impl Default for Live {
    fn default() -> Self {
        let limit = |size: usize| {
            let freedom = SEGMENT / size - 1;
            chi_square::upper_quantile(CHANCE, freedom) / real(freedom)
        };
        Self {
            sums: [[0; SEGMENT / BATCHES[0]]; REGIONS],
            count: 0,
            taus: Vec::with_capacity(REMEMBERED),
            median: None,
            limits: BATCHES.map(limit),
        }
    }
}

impl Live {
    /// Adds a prediction: whether it is in each of the regions.
    pub fn push(&mut self, inside: [bool; REGIONS]) {
        let batch = self.count / BATCHES[0];
        for (sums, inside) in self.sums.iter_mut().zip(inside) {
            sums[batch] += u8::from(inside);
        }
        self.count += 1;
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
            sums: self.sums.iter().map(|sums| sums.to_vec()).collect(),
            count: self.count,
            taus: self.taus.clone(),
        }
    }

    /// As it was; `false`: it cannot have been so, and nothing has changed.
    pub fn restore(&mut self, state: &LiveState) -> bool {
        let is_sound = state.sums.len() == REGIONS
            && state.sums.iter().all(|sums| {
                let limit = usize::from(*sums.iter().max().unwrap_or(&0));
                sums.len() == SEGMENT / BATCHES[0] && limit <= BATCHES[0]
            })
            && state.count < SEGMENT
            && state.taus.len() <= REMEMBERED
            && state.taus.iter().all(|tau| *tau >= 1.0 && tau.is_finite());
        if is_sound {
            for (own, sums) in self.sums.iter_mut().zip(&state.sums) {
                own.copy_from_slice(sums);
            }
            self.count = state.count;
            self.taus.clear();
            self.taus.extend_from_slice(&state.taus);
            self.median = median(&self.taus);
        }
        is_sound
    }

    fn end_segment(&mut self) {
        let ratios = self.sums.iter().map(|sums| self.of_segment(sums));
        let tau = ratios.fold(1.0, f64::max);
        if self.taus.len() == REMEMBERED {
            self.taus.remove(0);
        }
        self.taus.push(tau);
        self.median = median(&self.taus);
        self.sums = [[0; SEGMENT / BATCHES[0]]; REGIONS];
        self.count = 0;
    }

    /// The largest ratio of a region that is more than chance; 1 where none is.
    fn of_segment(&self, sums: &[u8; SEGMENT / BATCHES[0]]) -> f64 {
        let total: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
        let share = total / real(SEGMENT);
        let variance = share * (1.0 - share);
        if variance <= 0.0 {
            return 1.0;
        }
        let ratio = |(size, limit): (&usize, &f64)| {
            let batches = sums.chunks_exact(size / BATCHES[0]);
            let count = real(batches.len());
            let mean = total / count;
            let square = |batch: &[u8]| {
                let sum: f64 = batch.iter().map(|sum| f64::from(*sum)).sum();
                (sum - mean).powi(2)
            };
            let ratio = batches.map(square).sum::<f64>() / (count - 1.0) / (real(*size) * variance);
            if ratio > *limit { ratio } else { 1.0 }
        };
        BATCHES
            .iter()
            .zip(&self.limits)
            .map(ratio)
            .fold(1.0, f64::max)
    }
}
