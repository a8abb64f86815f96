//! The scan: whether the share of any region has changed in any of eleven windows.
//!
//! Predictions come in blocks of 8. Window `i` is the last 32 * 2^i predictions and moves on by a
//! quarter of itself, which is one block of its level; a block of a level is two of the level below.
//! So a series costs a count for each prediction, and a test of all regions for every eighth, twice as
//! many with all levels together. Nothing is allocated after the start.

use serde::{Deserialize, Serialize};

use super::bins::Reference;
use crate::stats::{
    g::{g, score},
    real,
};

/// Levels of windows.
pub const LEVELS: usize = 11;
/// Predictions of the shortest block.
pub const BLOCK: u64 = 8;
/// Blocks of a window.
const BLOCKS: usize = 4;
/// How much evidence every level asks for less than the one below: it looks half as often.
const PER_LEVEL: f64 = 1.2;
/// From which share of a threshold on the statistic is worked out: it needs logarithms.
const WORTH_A_LOOK: f64 = 0.3;

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Evidence that the shortest window must exceed.
    pub threshold: f64,
    /// By how much the dependence of the series swells its counts' variance, at least 1.
    pub tau: f64,
    /// Least difference of two shares that counts.
    pub min_effect: f64,
}

impl Rules {
    /// For a series among `series` of its model, of `bins` bins. `base`: the evidence asked for a
    /// single numeric one; 30 is one false alarm in 9 million predictions.
    pub fn new(base: f64, series: usize, classes: Option<usize>) -> Self {
        let many = classes
            .filter(|bins| *bins > FEW)
            .map_or(0.0, |bins| 2.0 * (real(bins) / real(FEW)).ln());
        Self {
            threshold: base + 2.0 * real(series.max(1)).ln() + many,
            tau: 1.0,
            min_effect: 0.0,
        }
    }

    /// Evidence that a window of this level must exceed.
    pub fn at(&self, level: usize) -> f64 {
        self.threshold - PER_LEVEL * real(level)
    }
}

/// Bins that a numeric series has; a class series of more has more chances to alarm.
const FEW: usize = 22;

/// Base threshold of so many false alarms per million predictions, above 0.
pub fn base_threshold(false_alarms_per_million: f64) -> f64 {
    20.0 + 2.46 * (36.0 / false_alarms_per_million).ln()
}

/// The base threshold where nobody asks for a rate of false alarms.
const THRESHOLD: f64 = 30.0;

/// Base threshold of a rate of false alarms per million predictions, above 0; `None`: the default.
pub fn threshold(false_alarms_per_million: Option<f64>) -> f64 {
    false_alarms_per_million.map_or(THRESHOLD, base_threshold)
}

/// False alarms per million predictions of a base threshold.
pub fn false_alarms(base_threshold: f64) -> f64 {
    36.0 * ((20.0 - base_threshold) / 2.46).exp()
}

/// The windows of one series.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Predictions so far; counted on over alarms.
    count: u64,
    /// Only windows that begin here or later count.
    start: u64,
    bins: usize,
    /// Counts by bin of the block under way.
    block: Vec<u16>,
    /// Counts by bin of the last blocks of every level.
    sums: Vec<u16>,
    /// Where a window is added up.
    window: Vec<u32>,
}

/// The windows of one series, to write them down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanState {
    count: u64,
    start: u64,
    block: Vec<u16>,
    sums: Vec<u16>,
}

/// A window in which a share is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its last prediction, counted from 1.
    pub at: u64,
    /// Its level.
    pub level: usize,
    /// The region.
    pub region: usize,
    /// Evidence over the threshold, above 1.
    pub score: f64,
    /// How many predictions of the window are in the region.
    pub inside: u32,
}

/// A window that was tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hop {
    /// Its level.
    pub level: usize,
    /// The largest evidence of a region over the threshold of the level; 0 where none was worth it.
    pub score: f64,
}

/// Predictions of a window of a level.
pub const fn window(level: usize) -> u64 {
    (BLOCK * BLOCKS as u64) << level
}

/// The same as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub const fn size(level: usize) -> f64 {
    window(level) as f64
}

impl Scan {
    /// For a series of so many bins.
    pub fn new(bins: usize) -> Self {
        Self {
            count: 0,
            start: 0,
            bins,
            block: vec![0; bins],
            sums: vec![0; bins * BLOCKS * LEVELS],
            window: vec![0; bins],
        }
    }

    /// All windows.
    pub fn state(&self) -> ScanState {
        ScanState {
            count: self.count,
            start: self.start,
            block: self.block.clone(),
            sums: self.sums.clone(),
        }
    }

    /// As it was; `false`: it cannot have been so, and nothing has changed.
    pub fn restore(&mut self, state: ScanState) -> bool {
        let is_sound = state.block.len() == self.block.len()
            && state.sums.len() == self.sums.len()
            && state.start <= state.count
            && state.block.iter().all(|count| u64::from(*count) < BLOCK)
            && state
                .sums
                .chunks(BLOCKS * self.bins)
                .zip(0..)
                .all(|(blocks, level)| blocks.iter().all(|sum| u64::from(*sum) <= BLOCK << level));
        if is_sound {
            (self.count, self.start) = (state.count, state.start);
            (self.block, self.sums) = (state.block, state.sums);
        }
        is_sound
    }

    /// Predictions so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts by bin of the window of `level`; `None`: it is not full yet.
    pub fn counts(&self, level: usize) -> Option<Vec<u32>> {
        if level >= LEVELS || self.count - self.start < window(level) {
            return None;
        }
        let from = level * BLOCKS * self.bins;
        let blocks = &self.sums[from..from + BLOCKS * self.bins];
        let sum = |bin| {
            (0..BLOCKS)
                .map(|block| u32::from(blocks[block * self.bins + bin]))
                .sum()
        };
        Some((0..self.bins).map(sum).collect())
    }

    /// Forgets what was; the grid of blocks stays.
    pub fn restart(&mut self) {
        self.start = self.count;
    }

    /// Adds a prediction, by its bin. Gives the first alarm of the windows that end with it; `hop` is
    /// told of each that is tested.
    pub fn push(
        &mut self,
        bin: usize,
        reference: &Reference,
        rules: &Rules,
        hop: impl FnMut(Hop),
    ) -> Option<Alarm> {
        if let Some(count) = self.block.get_mut(bin) {
            *count += 1;
        }
        self.count += 1;
        if !self.count.is_multiple_of(BLOCK) {
            return None;
        }
        self.end_block(reference, rules, hop)
    }

    fn end_block(
        &mut self,
        reference: &Reference,
        rules: &Rules,
        mut hop: impl FnMut(Hop),
    ) -> Option<Alarm> {
        let mut alarm = None;
        let mut ended = self.count / BLOCK;
        for level in 0..LEVELS {
            self.keep_block(level, ended);
            let is_full = self.count - self.start >= window(level);
            if is_full && alarm.is_none() {
                let tested = self.test(level, reference, rules);
                hop(tested.0);
                alarm = tested.1;
            }
            if !ended.is_multiple_of(2) {
                break;
            }
            ended /= 2;
        }
        alarm
    }

    fn slot(&self, level: usize, ended: u64) -> std::ops::Range<usize> {
        let place = usize::try_from(ended % BLOCKS as u64).unwrap_or(0);
        let from = (level * BLOCKS + place) * self.bins;
        from..from + self.bins
    }

    /// Keeps the block of `level` that ends now: of level 0 the one under way, of others the last two
    /// of the level below.
    fn keep_block(&mut self, level: usize, ended: u64) {
        let into = self.slot(level, ended);
        if level == 0 {
            self.sums[into].copy_from_slice(&self.block);
            self.block.fill(0);
            return;
        }
        let below = [2 * ended, 2 * ended - 1].map(|ended| self.slot(level - 1, ended));
        let [last, before] = below.map(|slot| slot.start);
        for bin in 0..self.bins {
            self.sums[into.start + bin] = self.sums[last + bin] + self.sums[before + bin];
        }
    }

    /// Tests all regions of the window of `level`: how far the largest went, and the first that went
    /// too far.
    fn test(&mut self, level: usize, reference: &Reference, rules: &Rules) -> (Hop, Option<Alarm>) {
        let from = level * BLOCKS * self.bins;
        let blocks = &self.sums[from..from + BLOCKS * self.bins];
        for (bin, sum) in self.window.iter_mut().enumerate() {
            *sum = (0..BLOCKS)
                .map(|block| u32::from(blocks[block * self.bins + bin]))
                .sum();
        }
        let threshold = rules.at(level);
        let n1 = size(level);
        let n0 = f64::from(reference.total());
        let (mut largest, mut alarm) = (0.0, None);
        for (region, &inside) in reference.regions_of(&mut self.window).iter().enumerate() {
            let (k1, k0) = (f64::from(inside), f64::from(reference.count(region)));
            let is_small = (k1 / n1 - k0 / n0).abs() < rules.min_effect;
            if is_small || score(k1, n1, k0, n0) < WORTH_A_LOOK * threshold * rules.tau {
                continue;
            }
            let evidence = g(k1, n1, k0, n0) / rules.tau;
            largest = f64::max(largest, evidence / threshold);
            if alarm.is_none() && evidence > threshold {
                alarm = Some(Alarm {
                    at: self.count,
                    level,
                    region,
                    score: evidence / threshold,
                    inside,
                });
            }
        }
        let hop = Hop {
            level,
            score: largest,
        };
        (hop, alarm)
    }
}
