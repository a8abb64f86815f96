//! The scan: whether the share of any region has changed in any of eleven windows.
//!
//! Predictions come in blocks of 8. Window `i` is the last 32 * 2^i predictions and moves on by a
//! quarter of itself, which is one block of its level; a block of a level is two of the level below.
//! So a series costs a count for each prediction, and a test of all regions for every eighth, twice as
//! many with all levels together. A window is the one of the level below and the two blocks before it,
//! and the last block of a level is always in the blocks of the level below: it is not held again.
//! Nothing is allocated after the start.

use std::ops::Range;

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
/// Blocks that a level holds: all but the last, which is made of two of the level below.
const HELD: usize = BLOCKS - 1;
/// Blocks that are held of all levels; the lowest has no level below.
const ALL_HELD: usize = BLOCKS + HELD * (LEVELS - 1);
/// How much evidence every level asks for less than the one below: it looks half as often.
const PER_LEVEL: f64 = 1.2;
/// From which share of a threshold on the statistic is worked out: it needs logarithms.
const WORTH_A_LOOK: f64 = 0.3;
/// The evidence of two complementary regions differs by rounding.
const ABOUT_THE_SAME: f64 = 1.0 - 1e-9;

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
    /// Counts by bin of the block under way.
    block: Box<[u16]>,
    /// Counts by bin of the blocks that are held, level by level.
    sums: Box<[u16]>,
    /// Where a window is added up.
    window: Box<[u16]>,
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
    /// The region with the largest evidence of the window; `None`: written down by an agent that did not know it.
    #[serde(default)]
    pub strongest: Option<Strongest>,
}

/// The region of a window that says most, for people: the alarm is of the first that says enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Strongest {
    /// Which.
    pub region: u32,
    /// How many predictions of the window are in it.
    pub inside: u32,
}

impl Alarm {
    /// The region to name to people, and how many predictions of the window are in it.
    pub fn strongest(&self) -> (usize, u32) {
        let strongest = self.strongest.and_then(|strongest| {
            let region = usize::try_from(strongest.region).ok()?;
            Some((region, strongest.inside))
        });
        strongest.unwrap_or((self.region, self.inside))
    }
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
        let counts = |blocks| vec![0; bins * blocks].into_boxed_slice();
        Self {
            count: 0,
            start: 0,
            block: counts(1),
            sums: counts(ALL_HELD),
            window: counts(1),
        }
    }

    /// All windows.
    pub fn state(&self) -> ScanState {
        ScanState {
            count: self.count,
            start: self.start,
            block: self.block.to_vec(),
            sums: self.sums.to_vec(),
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
                .chunks(self.block.len())
                .zip(0..)
                .all(|(block, place)| {
                    let most = BLOCK << level_of(place);
                    block.iter().all(|sum| u64::from(*sum) <= most)
                });
        if is_sound {
            (self.count, self.start) = (state.count, state.start);
            (self.block, self.sums) = (state.block.into(), state.sums.into());
        }
        is_sound
    }

    /// Predictions so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Counts by bin of the window of `level` that was full last; `None`: none was yet.
    pub fn counts(&self, level: usize) -> Option<Vec<u32>> {
        if level >= LEVELS || self.count - self.start < window(level) {
            return None;
        }
        let mut counts = vec![0; self.block.len()];
        let ended = self.count / (BLOCK << level);
        for before in 0..BLOCKS as u64 {
            self.add_block(level, ended - before, &mut counts);
        }
        Some(counts)
    }

    /// Adds one of the last blocks of `level` to `counts`.
    fn add_block(&self, level: usize, ended: u64, counts: &mut [u32]) {
        let is_held = level == 0 || ended < self.count / (BLOCK << level);
        if is_held {
            let block = &self.sums[self.slot(level, ended)];
            let counts = counts.iter_mut().zip(block);
            counts.for_each(|(count, sum)| *count += u32::from(*sum));
        } else {
            self.add_block(level - 1, 2 * ended - 1, counts);
            self.add_block(level - 1, 2 * ended, counts);
        }
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
                self.add_up(level, ended);
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

    /// Where a block of `level` is held, by its number from 1.
    fn slot(&self, level: usize, block: u64) -> Range<usize> {
        let place = |held| usize::try_from(block % held as u64).unwrap_or(0);
        let place = match level {
            0 => place(BLOCKS),
            _ => BLOCKS + HELD * (level - 1) + place(HELD),
        };
        let from = place * self.block.len();
        from..from + self.block.len()
    }

    /// Block `ended` of `level` has ended. Of level 0 it is held, of others the one before it, of two
    /// blocks that the level below will not hold for long.
    fn keep_block(&mut self, level: usize, ended: u64) {
        if level == 0 {
            let into = self.slot(level, ended);
            self.sums[into].copy_from_slice(&self.block);
            self.block.fill(0);
            return;
        }
        let Some(before) = ended.checked_sub(1).filter(|before| *before > 0) else {
            return;
        };
        let from = [2 * before - 1, 2 * before].map(|block| self.slot(level - 1, block));
        let into = self.slot(level, before);
        // what is below stands before it
        let (below, own) = self.sums.split_at_mut(into.start);
        let [first, last] = from.map(|slot| &below[slot]);
        let own = &mut own[..into.len()];
        for (own, (first, last)) in own.iter_mut().zip(first.iter().zip(last)) {
            *own = first + last;
        }
    }

    /// Makes the full window of `level` of that of the level below: it has the last two blocks.
    fn add_up(&mut self, level: usize, ended: u64) {
        let slots = [3, 2, 1, 0].map(|before| self.slot(level, ended - before));
        let [first, second, third, last] = slots.map(|slot| &self.sums[slot]);
        let before = first.iter().zip(second);
        if level == 0 {
            let last = third.iter().zip(last);
            for (sum, ((a, b), (c, d))) in self.window.iter_mut().zip(before.zip(last)) {
                *sum = a + b + c + d;
            }
        } else {
            for (sum, (a, b)) in self.window.iter_mut().zip(before) {
                *sum += a + b;
            }
        }
    }

    /// Tests all regions of the window of `level`: how far the largest went, and the first that went
    /// too far, with the largest beside it. Of two that say the same the later one counts: that values are
    /// missing is as much evidence as that fewer numbers are below the largest.
    fn test(&self, level: usize, reference: &Reference, rules: &Rules) -> (Hop, Option<Alarm>) {
        let mut hop = Hop { level, score: 0.0 };
        let mut alarm: Option<Alarm> = None;
        if !rules.tau.is_finite() {
            return (hop, alarm);
        }
        let mut most = (0.0, None);
        let test = Test::new(level, reference, rules);
        reference.each_piece(&self.window, |first, inside, shares| {
            if test.are_all_little(inside, shares) {
                return;
            }
            for (region, inside) in (first..).zip(inside) {
                let inside = inside.unsigned_abs();
                let evidence = test.evidence(inside, reference.count(region));
                let score = evidence / test.threshold;
                hop.score = hop.score.max(score);
                if evidence > 0.0 && evidence >= most.0 * ABOUT_THE_SAME {
                    let region = u32::try_from(region).unwrap_or(u32::MAX);
                    most = (evidence, Some(Strongest { region, inside }));
                }
                if alarm.is_none() && evidence > test.threshold {
                    alarm = Some(Alarm {
                        at: self.count,
                        level,
                        region,
                        score,
                        inside,
                        strongest: None,
                    });
                }
            }
        });
        if let Some(alarm) = &mut alarm {
            alarm.strongest = most.1;
        }
        (hop, alarm)
    }
}

/// A window of one level against a baseline.
struct Test<'a> {
    rules: &'a Rules,
    threshold: f64,
    /// Predictions of the window and of the baseline.
    n1: f64,
    n0: f64,
    /// One over `n1`, and over both together; and the part of both that is of the baseline: most regions
    /// are seen to be as they were without a division.
    of_n1: f64,
    of_both: f64,
    baseline: f64,
    /// The score that is worth a look, times what the variance of a share is multiplied by.
    least: f64,
}

impl<'a> Test<'a> {
    fn new(level: usize, reference: &Reference, rules: &'a Rules) -> Self {
        let threshold = rules.at(level);
        let (n1, n0) = (size(level), f64::from(reference.total()));
        Self {
            rules,
            threshold,
            n1,
            n0,
            of_n1: 1.0 / n1,
            of_both: 1.0 / (n1 + n0),
            baseline: n0 / (n1 + n0),
            // a little less, for it is rounded otherwise than the score
            least: 0.999 * WORTH_A_LOOK * threshold * rules.tau * (1.0 / n1 + 1.0 / n0),
        }
    }

    /// Whether no region of a piece is worth a look: the score, multiplied out.
    fn are_all_little(&self, inside: &[i32], shares: &[f64]) -> bool {
        let mut is_any_worth = false;
        for (inside, share) in inside.iter().zip(shares) {
            let inside = f64::from(*inside);
            let difference = inside * self.of_n1 - share;
            let pooled = inside * self.of_both + share * self.baseline;
            // no shortcut, so that several are done at once
            is_any_worth |= difference * difference > self.least * (pooled * (1.0 - pooled));
        }
        !is_any_worth
    }

    /// The evidence of a region; 0 where it is not worth working out.
    fn evidence(&self, inside: u32, before: u32) -> f64 {
        let (k1, k0) = (f64::from(inside), f64::from(before));
        let is_small = (k1 / self.n1 - k0 / self.n0).abs() < self.rules.min_effect;
        let worth = WORTH_A_LOOK * self.threshold * self.rules.tau;
        if is_small || score(k1, self.n1, k0, self.n0) < worth {
            return 0.0;
        }
        g(k1, self.n1, k0, self.n0) / self.rules.tau
    }
}

/// The level of a block that is held, by its place.
fn level_of(place: usize) -> usize {
    (place + HELD).saturating_sub(BLOCKS) / HELD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::Profile;

    const RULES: Rules = Rules {
        threshold: 1e9,
        tau: 1.0,
        min_effect: 0.0,
    };

    #[test]
    fn of_every_level_the_window_that_was_full_last_can_be_seen_at_any_time() {
        let profile = Profile::of_test_words(["a", "b", "c"].into_iter());
        let mut random = fastrand::Rng::with_seed(6);
        let mut scan = Scan::new(profile.bins.count());
        let mut passed = Vec::new();
        for count in 1..=40_000 {
            let bin = random.usize(..profile.bins.count());
            passed.push(bin);
            scan.push(bin, &profile.reference, &RULES, |_| ());
            if count % 997 != 0 && count % 8192 != 0 {
                continue;
            }
            for level in 0..LEVELS {
                let size = usize::try_from(window(level)).unwrap();
                let end = count - count % (size / BLOCKS);
                let expected = end.checked_sub(size).map(|start| {
                    let mut counts = vec![0_u32; profile.bins.count()];
                    passed[start..end].iter().for_each(|bin| counts[*bin] += 1);
                    counts
                });
                assert_eq!(scan.counts(level), expected, "level {level} at {count}");
            }
        }
        let mut restored = Scan::new(profile.bins.count());
        assert!(restored.restore(scan.state()));
        assert_eq!(restored.state(), scan.state());
    }

    #[test]
    fn a_state_with_more_in_a_block_than_fits_is_refused() {
        let most = |place: usize| BLOCK << level_of(place);
        let levels: Vec<u64> = (0..ALL_HELD).map(most).collect();
        assert_eq!(levels[..8], [8, 8, 8, 8, 16, 16, 16, 32]);
        assert_eq!(levels.last(), Some(&8192));
        let mut scan = Scan::new(2);
        for (place, most) in levels.iter().enumerate() {
            let mut state = scan.state();
            state.sums[2 * place] = u16::try_from(*most).unwrap();
            assert!(scan.restore(state.clone()));
            state.sums[2 * place] += 1;
            assert!(!scan.restore(state));
        }
    }
}
