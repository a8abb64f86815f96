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

/// Of an alternative: evidence, largest, since and hits.
type Written = (f64, f64, u64, u64);

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
        sums: Vec<Written>,
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
    /// another question and is forgotten; a baseline that they name takes the place of any other, and one
    /// that they name no more is learnt.
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
                if rules.wants_another(&baseline) {
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

fn written(sums: Sums) -> Written {
    (sums.evidence, sums.largest, sums.since, sums.hits)
}

fn read((evidence, largest, since, hits): Written) -> Sums {
    Sums {
        evidence,
        largest,
        since,
        hits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::Change;

    const RULES: DropRules = DropRules {
        false_alarms_per_million: 100.0,
        min_drop: 0.02,
        baseline: None,
        baseline_labels: 100,
        recovery_labels: 50,
    };

    /// Labels of which one in `wrong` is wrong.
    fn told(watch: &mut Watch, labels: u64, wrong: u64) -> Vec<Change> {
        (1..=labels)
            .filter_map(|label| watch.push(!label.is_multiple_of(wrong)))
            .collect()
    }

    fn again(watch: &Watch) -> Watch {
        let text = serde_json::to_string(&watch.state()).unwrap();
        Watch::restored(serde_json::from_str(&text).unwrap(), *watch.rules()).unwrap()
    }

    #[test]
    fn over_a_restart_at_any_label_the_same_alarms_come_at_the_same_labels() {
        let mut once = Watch::new(RULES);
        let mut often = Watch::new(RULES);
        let mut changes = 0;
        for label in 0..1_200_u64 {
            // well, worse, well
            let wrong = if (300..600).contains(&label) { 2 } else { 20 };
            let right = !label.is_multiple_of(wrong);
            often = again(&often);
            let change = once.push(right);
            assert_eq!(often.push(right), change, "{label}");
            changes += usize::from(change.is_some());
        }
        assert_eq!(changes, 2, "a drop and its end");
        assert_eq!(once.state(), often.state());
    }

    #[test]
    fn evidence_of_another_bound_is_forgotten_and_a_drop_goes_on() {
        let mut watch = Watch::new(RULES);
        told(&mut watch, 300, 20);
        told(&mut watch, 15, 2);
        assert!(watch.score() > 0.2, "{}", watch.score());
        let baseline = watch.baseline();
        watch.retune(DropRules {
            min_drop: 0.2,
            ..RULES
        });
        assert!(watch.score().abs() < 1e-12 && watch.baseline() == baseline);
        watch.retune(RULES);
        assert_eq!(told(&mut watch, 100, 2).len(), 1);
        watch.retune(DropRules {
            min_drop: 0.03,
            ..RULES
        });
        assert!(watch.current().is_some());
    }

    #[test]
    fn a_baseline_that_is_named_takes_the_place_of_a_learnt_one() {
        let mut watch = Watch::new(RULES);
        told(&mut watch, 150, 20);
        watch.retune(DropRules {
            baseline: Some(0.8),
            ..RULES
        });
        assert_eq!(watch.baseline(), Some(Baseline::given(0.8)));
        assert_eq!(watch.labels(), 150);
        told(&mut watch, 20, 2);
        let evidence = watch.score();
        assert!(evidence > 0.0 && (again(&watch).score() - evidence).abs() < 1e-12);
        watch.retune(RULES);
        assert_eq!(watch.baseline(), None, "nobody names one any more");
    }

    #[test]
    fn what_cannot_have_been_is_not_restored() {
        let mut watch = Watch::new(RULES);
        told(&mut watch, 150, 20);
        let sound = watch.state();
        let broken = |change: &dyn Fn(&mut Baseline, &mut u64, &mut Vec<Written>)| {
            let mut state = sound.clone();
            let PhaseState::Watching {
                baseline,
                trials,
                sums,
                ..
            } = &mut state.phase
            else {
                panic!("it has learnt");
            };
            change(baseline, trials, sums);
            Watch::restored(state, RULES)
        };
        assert!(broken(&|_, _, _| ()).is_some());
        assert!(broken(&|baseline, _, _| baseline.accuracy = 1.5).is_none());
        assert!(broken(&|_, trials, _| *trials = 1_000).is_none());
        assert!(broken(&|_, _, sums| sums[0].0 = -1.0).is_none());
        assert!(broken(&|_, _, sums| sums.truncate(3)).is_none());
        let learning = WatchState {
            phase: PhaseState::Learning {
                labels: 2,
                right: 3,
            },
            ..sound
        };
        assert!(Watch::restored(learning, RULES).is_none());
    }
}
