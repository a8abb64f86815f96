//! What is known of each version of a model that has labels, and what is told of it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Change, DropRules, Episode, Performance, PerformanceState, Report, Rules,
    record::{self, Predicted},
    truth::{self, Settled},
    worker::Settings,
};

/// Labels by what became of them, since the start of the agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Joined with their prediction.
    pub joined: u64,
    /// The same was there.
    pub duplicate: u64,
    /// Another was there, which stays.
    pub contradicting: u64,
    /// Their prediction was too old.
    pub late: u64,
}

/// All that is said of one version of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stated {
    /// As in the label `model`.
    pub model: String,
    /// As in the label `model_version`.
    pub model_version: String,
    /// Labels since the start.
    pub labels: Outcomes,
    /// What those in the windows say.
    #[serde(flatten)]
    pub report: Report,
}

/// Of one version, to write it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    model: String,
    version: String,
    last: u64,
    performance: PerformanceState,
}

/// Model and version.
type Identity = (Arc<str>, Arc<str>);

struct Tracked {
    performance: Performance,
    outcomes: Outcomes,
    /// The place of its last label among all; the one with the least leaves when there are too many.
    last: u64,
}

/// All of them.
pub(super) struct Models {
    rules: Rules,
    /// Most versions of all models together.
    most: usize,
    all: BTreeMap<Identity, Tracked>,
    labels: u64,
}

fn rules(settings: &Settings) -> Rules {
    let feedback = &settings.feedback;
    Rules {
        window: feedback.window,
        max_classes: settings.metrics.max_classes,
        calibration_labels: feedback.calibration_labels,
        tolerance: feedback.tolerance,
        drop: DropRules {
            false_alarms_per_million: feedback.false_alarms_per_million,
            min_drop: feedback.min_drop,
            baseline: feedback.baseline_accuracy,
            baseline_labels: feedback.baseline_labels,
            recovery_labels: feedback.recovery_labels,
        },
    }
}

fn most(settings: &Settings) -> usize {
    settings.metrics.max_models * settings.metrics.max_versions
}

impl Models {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            rules: rules(settings),
            most: most(settings),
            all: BTreeMap::new(),
            labels: 0,
        }
    }

    /// Goes by other settings; the versions that had their last label longest ago leave.
    pub(super) fn apply(&mut self, settings: &Settings) {
        (self.rules, self.most) = (rules(settings), most(settings));
        for tracked in self.all.values_mut() {
            tracked.performance.retune(self.rules);
        }
        while self.all.len() > self.most {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.all.iter().min_by_key(|(_, tracked)| tracked.last);
        if let Some(identity) = oldest.map(|(identity, _)| identity.clone()) {
            self.all.remove(&identity);
        }
    }

    fn touch(&mut self, item: &Predicted) -> &mut Tracked {
        let identity = (Arc::clone(&item.model), Arc::clone(&item.version));
        if !self.all.contains_key(&identity) {
            while self.all.len() >= self.most.max(1) {
                self.forget_oldest();
            }
        }
        self.labels += 1;
        let rules = self.rules;
        let tracked = self.all.entry(identity).or_insert_with(|| Tracked {
            performance: Performance::new(rules),
            outcomes: Outcomes::default(),
            last: 0,
        });
        tracked.last = self.labels;
        tracked
    }

    /// Notes predictions, of which the accuracy is estimated; only of versions that have labels.
    pub(super) fn predicted(&mut self, bytes: &[u8]) {
        if self.all.is_empty() {
            return;
        }
        let Some(found) = record::confidences(bytes) else {
            return;
        };
        let identity = (Arc::from(found.model), Arc::from(found.version));
        if let Some(tracked) = self.all.get_mut(&identity) {
            found
                .values
                .for_each(|confidence| tracked.performance.predicted(confidence));
        }
    }

    /// Takes a label, and tells of what it changes.
    pub(super) fn joined(&mut self, item: &Predicted, truth: &Settled) {
        self.outcomes(item).joined += 1;
        self.learn(item, truth, true);
    }

    fn learn(&mut self, item: &Predicted, truth: &Settled, tells: bool) {
        let performance = &mut self.touch(item).performance;
        let mut change = None;
        truth::labelled(item, truth, |labelled| {
            // both numbers were finite when they were taken
            change = performance.labelled(labelled).unwrap_or_default();
        });
        if let Some(change) = change.filter(|_| tells) {
            tell(item, &change);
        }
    }

    /// Where labels of the version of `item` are counted.
    pub(super) fn outcomes(&mut self, item: &Predicted) -> &mut Outcomes {
        &mut self.touch(item).outcomes
    }

    /// Goes on from what was written down, and what was joined since, in its order.
    pub(super) fn go_on(
        &mut self,
        states: Vec<State>,
        since: impl Iterator<Item = (Predicted, Settled)>,
    ) {
        let mut states = states;
        states.sort_by_key(|state| state.last);
        let surplus = states.len().saturating_sub(self.most);
        for state in states.into_iter().skip(surplus) {
            let mut performance = Performance::new(self.rules);
            if !performance.restore(state.performance) {
                let (model, model_version) = (state.model, state.version);
                tracing::warn!(
                    model,
                    model_version,
                    "labels of before are not gone on from"
                );
                continue;
            }
            self.labels += 1;
            let tracked = Tracked {
                performance,
                outcomes: Outcomes::default(),
                last: self.labels,
            };
            let identity = (state.model.into(), state.version.into());
            self.all.insert(identity, tracked);
        }
        // what they changed was told when they came
        since.for_each(|(item, truth)| self.learn(&item, &truth, false));
    }

    pub(super) fn states(&self) -> Vec<State> {
        let all = self.all.iter();
        let state = |((model, version), tracked): (&Identity, &Tracked)| State {
            model: model.to_string(),
            version: version.to_string(),
            last: tracked.last,
            performance: tracked.performance.state(),
        };
        all.map(state).collect()
    }

    /// What is said of all, in the order of their names.
    pub(super) fn stated(&self) -> Vec<Stated> {
        let all = self.all.iter();
        let stated = |((model, version), tracked): (&Identity, &Tracked)| Stated {
            model: model.to_string(),
            model_version: version.to_string(),
            labels: tracked.outcomes,
            report: tracked.performance.report(),
        };
        all.map(stated).collect()
    }
}

/// Once when a drop begins, and once when it ends.
fn tell(item: &Predicted, change: &Change) {
    let (model, model_version) = (&*item.model, &*item.version);
    match change {
        Change::Dropped(Episode {
            at,
            since,
            accuracy,
            baseline,
            bound,
        }) => tracing::warn!(
            model,
            model_version,
            accuracy,
            baseline = baseline.accuracy,
            bound,
            label = at,
            since_label = since,
            "Accuracy dropped"
        ),
        Change::Recovered(episode) => tracing::info!(
            model,
            model_version,
            baseline = episode.baseline.accuracy,
            bound = episode.bound,
            "Accuracy recovered"
        ),
    }
}
