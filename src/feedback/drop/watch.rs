//! From the first label to an alarm, and from that to the end of the drop.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Baseline;
use crate::stats::{real, shiryaev_roberts::ShiryaevRoberts};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropRules {
    /// How many false alarms per million labels are accepted, above 0.
    pub false_alarms_per_million: f64,
    /// Least drop of accuracy that counts, from 0 to 1: 0.02 is two points.
    pub min_drop: f64,
    /// Accuracy to compare with; `None`: that of the first labels.
    pub baseline: Option<f64>,
    /// How many first labels that is, at least 1.
    pub baseline_labels: usize,
    /// A drop ends when so many labels in a row, at least 1, are right often enough.
    pub recovery_labels: usize,
}

impl DropRules {
    /// Evidence that raises an alarm: the mean number of labels to a false one, or less.
    pub fn threshold(&self) -> f64 {
        1e6 / self.false_alarms_per_million
    }

    /// Whether a baseline is not the one that they name, or was named and is to be learnt.
    pub(super) fn wants_another(&self, baseline: &Baseline) -> bool {
        match self.baseline {
            Some(named) => Baseline::given(named) != *baseline,
            None => baseline.labels == 0,
        }
    }
}

/// A drop that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// The label that raised the alarm, counted from 1.
    pub at: u64,
    /// The first label of the drop, as is estimated.
    pub since: u64,
    /// Share of right predictions from there to the alarm, in `[0, 1]`: a guess that is too low, for the
    /// stretch was chosen because it was bad.
    pub accuracy: f64,
    /// What it is compared with.
    pub baseline: Baseline,
    /// The accuracy that would not have been worse.
    pub bound: f64,
}

/// What a label changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Fewer are right from now on.
    Dropped(Episode),
    /// As many are right again.
    Recovered(Episode),
}

/// Watches one sequence of labels.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(super) rules: DropRules,
    /// Labels so far.
    pub(super) labels: u64,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Labels and right ones among them.
    Learning(usize, usize),
    Watching(Watching),
}

#[derive(Debug, Clone)]
pub(super) struct Watching {
    pub(super) baseline: Baseline,
    /// The accuracy that is not worse.
    pub(super) bound: f64,
    pub(super) detector: ShiryaevRoberts,
    pub(super) dropped: Option<Dropped>,
}

#[derive(Debug, Clone)]
pub(super) struct Dropped {
    pub(super) episode: Episode,
    /// The last labels since the alarm, and how many of them are right.
    pub(super) last: VecDeque<bool>,
    pub(super) right: usize,
}

impl Watch {
    /// From the first label on.
    pub fn new(rules: DropRules) -> Self {
        let phase = match rules.baseline {
            Some(accuracy) => Phase::Watching(Watching::new(Baseline::given(accuracy), &rules)),
            None => Phase::Learning(0, 0),
        };
        Self {
            rules,
            labels: 0,
            phase,
        }
    }

    /// Against a baseline that was learnt elsewhere.
    pub(in crate::feedback) fn against(baseline: Baseline, rules: DropRules) -> Self {
        Self {
            rules,
            labels: 0,
            phase: Phase::Watching(Watching::new(baseline, &rules)),
        }
    }

    /// One more label.
    pub fn push(&mut self, is_right: bool) -> Option<Change> {
        self.labels += 1;
        match &mut self.phase {
            Phase::Learning(labels, right) => {
                *labels += 1;
                *right += usize::from(is_right);
                if *labels >= self.rules.baseline_labels {
                    let learnt = Baseline::learnt(*right, *labels);
                    self.phase = Phase::Watching(Watching::new(learnt, &self.rules));
                }
                None
            }
            Phase::Watching(watching) => watching.push(is_right, self.labels, &self.rules),
        }
    }

    /// What it compares with; `None`: it is learning that.
    pub fn baseline(&self) -> Option<Baseline> {
        match &self.phase {
            Phase::Learning(..) => None,
            Phase::Watching(watching) => Some(watching.baseline),
        }
    }

    /// The accuracy that is not worse; `None`: there is no baseline yet.
    pub fn bound(&self) -> Option<f64> {
        match &self.phase {
            Phase::Learning(..) => None,
            Phase::Watching(watching) => Some(watching.bound),
        }
    }

    /// The drop that goes on.
    pub fn current(&self) -> Option<&Episode> {
        match &self.phase {
            Phase::Watching(watching) => watching.dropped.as_ref().map(|d| &d.episode),
            Phase::Learning(..) => None,
        }
    }

    /// Logarithm of the evidence over that of the threshold: an alarm at 1; 0 while there is none, or it is
    /// not asked for.
    pub fn score(&self) -> f64 {
        match &self.phase {
            Phase::Watching(watching) if watching.dropped.is_none() => {
                let evidence = watching.detector.evidence().max(1.0).ln();
                evidence / self.rules.threshold().ln().max(f64::MIN_POSITIVE)
            }
            _ => 0.0,
        }
    }

    /// Labels so far.
    pub fn labels(&self) -> u64 {
        self.labels
    }

    /// What decides.
    pub fn rules(&self) -> &DropRules {
        &self.rules
    }
}

impl Watching {
    pub(super) fn new(baseline: Baseline, rules: &DropRules) -> Self {
        let bound = baseline.bound(rules.min_drop);
        Self {
            baseline,
            bound,
            detector: ShiryaevRoberts::new(1.0 - bound),
            dropped: None,
        }
    }

    fn push(&mut self, is_right: bool, label: u64, rules: &DropRules) -> Option<Change> {
        if let Some(dropped) = &mut self.dropped {
            // half of the way: at the bound itself chance would end a drop just below it
            let enough = f64::midpoint(self.baseline.accuracy, self.bound);
            if !dropped.has_recovered(is_right, enough, rules.recovery_labels.max(1)) {
                return None;
            }
            self.detector.restart();
            return self.dropped.take().map(|d| Change::Recovered(d.episode));
        }
        self.detector.push(!is_right);
        if self.detector.evidence() < rules.threshold() {
            return None;
        }
        let change = self.detector.strongest();
        let length = self.detector.trials() - change.since;
        let episode = Episode {
            at: label,
            since: label - length + 1,
            accuracy: 1.0 - real_u64(change.hits) / real_u64(length.max(1)),
            baseline: self.baseline,
            bound: self.bound,
        };
        self.dropped = Some(Dropped {
            episode,
            last: VecDeque::new(),
            right: 0,
        });
        Some(Change::Dropped(episode))
    }
}

impl Dropped {
    /// Whether the last `most` labels since the alarm are right often enough, with this one.
    fn has_recovered(&mut self, is_right: bool, enough: f64, most: usize) -> bool {
        self.last.push_back(is_right);
        self.right += usize::from(is_right);
        while self.last.len() > most {
            let oldest = self.last.pop_front().unwrap_or(false);
            self.right -= usize::from(oldest);
        }
        self.last.len() == most && real(self.right) >= enough * real(most)
    }
}

fn real_u64(count: u64) -> f64 {
    usize::try_from(count).map_or(f64::INFINITY, real)
}
