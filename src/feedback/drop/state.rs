//! A watch, to write it down and to go on after a restart.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    Baseline, DropRules, Episode, Watch,
    watch::{Dropped, Phase, Watching},
};
use crate::stats::shiryaev_roberts::Sums;

/// All of a watch but its rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchState {
    labels: u64,
    /// The bound that the evidence is of; 0 while the baseline is being learnt.
    bound: f64,
    phase: PhaseState,
}

impl DroppedState {
    /// `None`: it cannot have been so.
    fn restored(self) -> Option<Dropped> {
        let last: VecDeque<bool> = self.last.iter().map(|right| *right == 1).collect();
        let is_sound = self.last.iter().all(|right| *right <= 1)
            && self.episode.baseline.is_sound()
            && self.episode.since <= self.episode.at;
        is_sound.then(|| Dropped {
            right: last.iter().filter(|right| **right).count(),
            episode: self.episode,
            last,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PhaseState {
    Learning {
        labels: usize,
        right: usize,
    },
    Watching {
        baseline: Baseline,
        trials: u64,
        /// Evidence, largest, since and hits, alternative by alternative.
        sums: Vec<(f64, f64, u64, u64)>,
        dropped: Option<DroppedState>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DroppedState {
    episode: Episode,
    /// Labels since the alarm, oldest first: 1 for each that is right.
    last: Vec<u8>,
}

impl Watch {
    /// All of it.
    pub fn state(&self) -> WatchState {
        let phase = match &self.phase {
            Phase::Learning(labels, right) => PhaseState::Learning {
                labels: *labels,
                right: *right,
            },
            Phase::Watching(watching) => PhaseState::Watching {
                baseline: watching.baseline,
                trials: watching.detector.trials(),
                sums: watching.detector.sums().into_iter().map(written).collect(),
                dropped: watching.dropped.as_ref().map(|dropped| DroppedState {
                    episode: dropped.episode,
                    last: dropped.last.iter().map(|right| u8::from(*right)).collect(),
                }),
            },
        };
        WatchState {
            labels: self.labels,
            bound: self.bound().unwrap_or(0.0),
            phase,
        }
    }

    /// As it was, under rules that may be others: where they set another bound, the evidence so far is of
    /// another question and is forgotten; a baseline that they name takes the place of a learnt one.
    /// `None`: it cannot have been so.
    pub fn restored(state: WatchState, rules: DropRules) -> Option<Self> {
        let mut watch = Self::new(rules);
        watch.labels = state.labels;
        match state.phase {
            PhaseState::Learning { labels, right } => {
                if right > labels || labels as u64 > state.labels {
                    return None;
                }
                if let Phase::Learning(..) = watch.phase {
                    watch.phase = Phase::Learning(labels, right);
                }
            }
            PhaseState::Watching {
                baseline,
                trials,
                sums,
                dropped,
            } => {
                if !baseline.is_sound() || trials > state.labels {
                    return None;
                }
                let given = rules.baseline.map(Baseline::given);
                if given.is_some_and(|given| given != baseline) {
                    return Some(watch);
                }
                let dropped = match dropped {
                    Some(dropped) => Some(dropped.restored()?),
                    None => None,
                };
                let mut watching = Watching::new(baseline, &rules);
                let sums: Vec<_> = sums.into_iter().map(read).collect();
                let is_same = state.bound.to_bits() == watching.bound.to_bits();
                if is_same && !watching.detector.restore(trials, &sums) {
                    return None;
                }
                watching.dropped = dropped;
                watch.phase = Phase::Watching(watching);
            }
        }
        Some(watch)
    }

    /// Goes on under other rules, as after a restart with them.
    pub fn retune(&mut self, rules: DropRules) {
        if rules != self.rules
            && let Some(again) = Self::restored(self.state(), rules)
        {
            *self = again;
        }
    }
}

fn written(sums: Sums) -> (f64, f64, u64, u64) {
    (sums.evidence, sums.largest, sums.since, sums.hits)
}

fn read((evidence, largest, since, hits): (f64, f64, u64, u64)) -> Sums {
    Sums {
        evidence,
        largest,
        since,
        hits,
    }
}
