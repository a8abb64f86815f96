//! One monitored sequence of a model: confidence, class, value, or a feature.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    dependence::{Live, LiveState, REGIONS},
    episode::{Change, Episodes},
    profile::{Profile, Value},
    scan::{self, LEVELS, Rules, Scan, ScanState},
};

/// Baseline values for each unit of dependence below which a verdict is of low confidence.
const ENOUGH: f64 = 50.0;

/// A series with its windows.
#[derive(Debug, Clone)]
pub struct Series {
    /// That of the baseline itself, which has it for as long as this is compared with it.
    profile: Arc<Profile>,
    scan: Scan,
    rules: Rules,
    /// Where the baseline does not say.
    live: Option<Box<Live>>,
    watched: [usize; REGIONS],
    episodes: Episodes,
    /// The largest evidence of the last hop of every level, over its threshold.
    scores: [f64; LEVELS],
}

/// The windows of a series, to write them down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowsState {
    scan: ScanState,
    live: Option<LiveState>,
    episodes: Episodes,
    scores: [f64; LEVELS],
}

impl Series {
    /// Windows are empty. `base`: threshold of a single numeric series; `series`: how many the model has.
    pub fn new(profile: Arc<Profile>, base: f64, series: usize, min_effect: f64) -> Self {
        let mut rules = Rules::new(base, series, profile.bins.classes());
        rules.min_effect = min_effect;
        // before the first segment nothing is known of the dependence, and nothing alarms
        rules.tau = profile.tau.unwrap_or(f64::INFINITY);
        let mut nearest = profile.watched().into_iter();
        let first = nearest.next().unwrap_or(0);
        let watched = [
            first,
            nearest.next().unwrap_or(first),
            nearest.next().unwrap_or(first),
        ];
        Self {
            scan: Scan::new(profile.bins.count()),
            live: profile.tau.is_none().then(Box::default),
            profile,
            rules,
            watched,
            episodes: Episodes::default(),
            scores: [0.0; LEVELS],
        }
    }

    /// Goes by another threshold from now on; as in [`Self::new`].
    pub fn set_rules(&mut self, base: f64, series: usize, min_effect: f64) {
        let tau = self.rules.tau;
        self.rules = Rules::new(base, series, self.profile.bins.classes());
        (self.rules.tau, self.rules.min_effect) = (tau, min_effect);
    }

    /// Adds a value.
    pub fn push(&mut self, value: Value<'_>) -> Option<Change> {
        self.push_bin(self.profile.bins.bin(value))
    }

    /// Adds a value by its bin.
    pub fn push_bin(&mut self, bin: usize) -> Option<Change> {
        let reference = &self.profile.reference;
        if let Some(live) = &mut self.live {
            live.push(self.watched.map(|region| reference.is_inside(bin, region)));
            self.rules.tau = live.tau().unwrap_or(f64::INFINITY);
        }
        let (scores, episodes) = (&mut self.scores, &mut self.episodes);
        let at = self.scan.count() + 1;
        let mut cleared = None;
        let alarm = self.scan.push(bin, reference, &self.rules, |hop| {
            scores[hop.level] = hop.score;
            cleared = cleared.or(episodes.hop(at, hop));
        });
        if cleared.is_some() {
            // longer windows still hold what has ended: it would begin again
            self.scan.restart();
            *scores = [0.0; LEVELS];
            return cleared;
        }
        alarm.and_then(|alarm| {
            // the window below ends with it, and is the latter half of it
            let half = alarm.level.checked_sub(1).map(|below| scores[below]);
            episodes.alarm(alarm, half.unwrap_or(alarm.score))
        })
    }

    /// All that outlives a restart.
    pub fn state(&self) -> WindowsState {
        WindowsState {
            scan: self.scan.state(),
            live: self.live.as_ref().map(|live| live.state()),
            episodes: self.episodes,
            scores: self.scores,
        }
    }

    /// As it was; `false`: it cannot have been so, and the windows may be anything.
    pub fn restore(&mut self, state: WindowsState) -> bool {
        let is_live_sound = match (&mut self.live, &state.live) {
            (Some(live), Some(state)) => live.restore(state),
            (None, None) => true,
            _ => false,
        };
        let regions = self.profile.reference.regions();
        let is_sound = is_live_sound
            && state.episodes.is_sound(regions)
            && state.scores.iter().all(|score| score.is_finite())
            && self.scan.restore(state.scan);
        if let Some(live) = &self.live {
            self.rules.tau = live.tau().unwrap_or(f64::INFINITY);
        }
        (self.episodes, self.scores) = (state.episodes, state.scores);
        is_sound
    }

    /// Empties the windows, as after an alarm in a file.
    pub fn restart(&mut self) {
        self.scan.restart();
        self.episodes = Episodes::default();
    }

    /// Whether the verdict of the scan counts: it is known how dependent neighbours are.
    pub fn is_warm(&self) -> bool {
        self.rules.tau.is_finite()
    }

    /// Whether the baseline is small for so dependent a series.
    pub fn is_of_low_confidence(&self) -> bool {
        self.is_warm() && f64::from(self.profile.reference.total()) < ENOUGH * self.rules.tau
    }

    /// How dependent neighbours are, at least 1; `None`: not known yet.
    pub fn tau(&self) -> Option<f64> {
        self.is_warm().then_some(self.rules.tau)
    }

    /// The drift that goes on.
    pub fn episodes(&self) -> &Episodes {
        &self.episodes
    }

    /// The largest evidence of any level's last window, over its threshold: above 1 is an alarm.
    pub fn score(&self) -> f64 {
        self.scores.iter().copied().fold(0.0, f64::max)
    }

    /// What the baseline says.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Predictions so far.
    pub fn count(&self) -> u64 {
        self.scan.count()
    }

    /// The counts by bin of the window of `level`; `None`: it is not full yet.
    pub fn counts(&self, level: usize) -> Option<Vec<u32>> {
        self.scan.counts(level)
    }

    /// The least change of a share of one half that the window of `level` can show, in `[0, 1]`.
    pub fn minimum_detectable_effect(&self, level: usize) -> Option<f64> {
        let n1 = scan::size(level);
        let n0 = f64::from(self.profile.reference.total());
        let evidence = self.rules.at(level) * self.tau()?;
        Some((evidence * 0.25 * (1.0 / n1 + 1.0 / n0)).sqrt().min(1.0))
    }
}
