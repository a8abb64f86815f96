//! All series of one version of a model against its baseline.

use std::sync::Arc;

use super::{
    Baseline, SeriesName, Value,
    clock::Clock,
    episode::{Change, Episode},
    profile::Profile,
    quality::{Finding, Quality},
    scan::{self, Alarm},
    series::Series,
    snapshot::SeriesState,
    tally::Tally,
    unmatched::{News, Unmatched},
};

/// Items of one request that enter the scan; they depend on each other, and more would tell nothing new.
pub const ITEMS: usize = 64;

/// How series are watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Evidence that a single numeric series must exceed in the shortest window.
    pub threshold: f64,
    /// Least difference of two shares that counts, in `[0, 1]`.
    pub min_effect: f64,
    /// Series that are watched; those of the baseline beyond it are left out.
    pub max_series: usize,
}

/// The series of one version of a model.
#[derive(Debug, Clone)]
pub struct Monitor {
    baseline: Arc<Baseline>,
    rules: Rules,
    watched: Vec<Watched>,
    unmatched: Unmatched,
}

/// One series, with what is counted of it.
#[derive(Debug, Clone)]
pub struct Watched {
    name: SeriesName,
    series: Series,
    tally: Tally,
    /// Of features.
    quality: Option<Quality>,
    clock: Clock,
    /// When the window began in which the drift that goes on was found.
    since: f64,
    /// It has been in the traffic.
    is_matched: bool,
}

/// What a value brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A series drifts from now on.
    Drifted(Box<Drifted>),
    /// It drifts no more; the episode that has ended.
    Cleared(Episode),
    /// A problem of a feature's values begins or ends.
    Found(Finding),
}

/// What was found when a series began to drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Drifted {
    /// The alarm.
    pub alarm: Alarm,
    /// The region whose share has changed most, by the evidence, in words.
    pub region_text: String,
    /// The share of the baseline in it, in `[0, 1]`.
    pub baseline_share: f64,
    /// The share of the window in it, in `[0, 1]`.
    pub recent_share: f64,
    /// When that window began, in seconds since 1970.
    pub since: f64,
}

impl Monitor {
    /// Windows begin at `now`, in seconds since 1970.
    pub fn new(baseline: Arc<Baseline>, rules: Rules, now: f64) -> Self {
        let count = baseline.profiles().len().min(rules.max_series);
        let profiles = baseline.profiles().iter().take(count);
        let watched =
            profiles.map(|(name, profile)| Watched::new(name, profile, &rules, count, now));
        Self {
            watched: watched.collect(),
            unmatched: Unmatched::default(),
            baseline,
            rules,
        }
    }

    /// What it compares with.
    pub fn baseline(&self) -> &Arc<Baseline> {
        &self.baseline
    }

    /// Takes what says the same as its baseline, and comes from elsewhere.
    pub fn renew(&mut self, baseline: Arc<Baseline>) {
        debug_assert_eq!(self.baseline.hash(), baseline.hash());
        self.baseline = baseline;
    }

    /// Watches by other rules from now on; `false`: it cannot, for other series are wanted.
    pub fn set_rules(&mut self, rules: Rules) -> bool {
        let count = self.baseline.profiles().len().min(rules.max_series);
        if count != self.watched.len() {
            return false;
        }
        if rules != self.rules {
            for watched in &mut self.watched {
                watched
                    .series
                    .set_rules(rules.threshold, count, rules.min_effect);
            }
            self.rules = rules;
        }
        true
    }

    /// How it watches.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Every series, in the order of the baseline.
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// The place of a series; `None`: the baseline does not have it, or there was no room.
    pub fn place(&self, is_it: impl Fn(&SeriesName) -> bool) -> Option<usize> {
        self.watched.iter().position(|watched| is_it(&watched.name))
    }

    /// Adds a value to the series at `place`. All are counted; `enters_scan` at `now` (seconds since 1970)
    /// those of which at most [`ITEMS`] come with one request. Tells all that the value brought; mostly that
    /// is nothing, which takes no memory.
    pub fn push(&mut self, place: usize, value: Value<'_>, enters_scan: Option<f64>) -> Vec<Event> {
        let watched = self.watched.get_mut(place);
        watched.map_or_else(Vec::new, |watched| watched.push(value, enters_scan))
    }

    /// The traffic has the series at `place`, whatever its values are: from now on what is missing of it is
    /// counted.
    pub fn meet(&mut self, place: usize) {
        if let Some(watched) = self.watched.get_mut(place) {
            watched.is_matched = true;
        }
    }

    /// The traffic has a feature that the baseline does not have. A baseline without features says nothing
    /// of them.
    pub fn saw_unknown(&mut self, name: &str) {
        if self.has_features() {
            self.unmatched.saw(name);
        }
    }

    /// Rows with features have come in one request; gives what is to be told of names that only one side
    /// has.
    pub fn passed(&mut self, rows: usize) -> Option<News> {
        self.has_features()
            .then(|| self.unmatched.passed(rows))
            .flatten()
    }

    fn has_features(&self) -> bool {
        let mut profiles = self.baseline.profiles().iter();
        profiles.any(|(name, _)| matches!(name, SeriesName::Feature(_)))
    }

    /// What of the traffic the baseline does not have.
    pub const fn unmatched(&self) -> &Unmatched {
        &self.unmatched
    }

    /// Features that are watched and that the traffic would have by now, did it have them at all.
    pub fn absent(&self) -> impl Iterator<Item = &Watched> {
        let features = self.watched.iter().filter(|w| w.quality.is_some());
        let absent = features.filter(|watched| !watched.is_matched);
        absent.filter(|watched| {
            let reference = &watched.series.profile().reference;
            let missing = reference.bins().last().copied().unwrap_or(0);
            let share = f64::from(missing) / f64::from(reference.total().max(1));
            self.unmatched.would_have_come(share)
        })
    }

    /// Of every series what outlives a restart.
    pub fn states(&self) -> Vec<SeriesState> {
        self.watched.iter().map(Watched::state).collect()
    }

    /// Goes on where another left off, under the same baseline. A series whose state is not sound begins
    /// anew.
    pub fn restore(&mut self, states: Vec<SeriesState>, unmatched: Unmatched) {
        self.unmatched = unmatched;
        let count = self.watched.len();
        for state in states {
            let label = &state.label;
            let found = self.watched.iter_mut().find(|w| w.name.label() == *label);
            let Some(watched) = found else { continue };
            let mut restored = watched.clone();
            if restored.restore(state) {
                let Rules {
                    threshold,
                    min_effect,
                    ..
                } = self.rules;
                restored.series.set_rules(threshold, count, min_effect);
                *watched = restored;
            }
        }
    }

    /// Series of the baseline beyond what is watched.
    pub fn left_out(&self) -> usize {
        self.baseline.profiles().len() - self.watched.len()
    }
}

/// The item of `count` that enters the scan as number `place`, from 0: at most [`ITEMS`] do, evenly spaced.
pub fn entering(place: usize, count: usize) -> usize {
    place * count / count.clamp(1, ITEMS)
}

/// Whether item `item` of `count` enters the scan.
pub fn enters_scan(item: usize, count: usize) -> bool {
    count <= ITEMS || entering((item * ITEMS).div_ceil(count), count) == item
}

impl Watched {
    fn new(
        name: &SeriesName,
        profile: &Arc<Profile>,
        rules: &Rules,
        count: usize,
        now: f64,
    ) -> Self {
        let is_feature = matches!(name, SeriesName::Feature(_));
        Self {
            name: name.clone(),
            series: Series::new(
                Arc::clone(profile),
                rules.threshold,
                count,
                rules.min_effect,
            ),
            tally: Tally::new(&profile.bins, &profile.reference),
            quality: is_feature.then(|| Quality::new(profile)),
            clock: Clock::new(now),
            since: now,
            is_matched: false,
        }
    }

    fn push(&mut self, value: Value<'_>, enters_scan: Option<f64>) -> Vec<Event> {
        // what the traffic has never had is not missing
        if !self.is_matched && value == Value::Missing {
            return Vec::new();
        }
        self.is_matched = true;
        let bin = self.series.profile().bins.bin(value);
        self.tally.push(bin);
        let bins = &self.series.profile().bins;
        let findings = match &mut self.quality {
            Some(quality) => quality.push(bins, value, bin),
            None => Vec::new(),
        };
        let change = enters_scan.and_then(|now| self.scan(bin, now));
        if change.is_none() && findings.is_empty() {
            return Vec::new();
        }
        let findings = findings.into_iter().map(Event::Found);
        change.into_iter().chain(findings).collect()
    }

    fn scan(&mut self, bin: usize, now: f64) -> Option<Event> {
        self.clock.tick(self.series.count() + 1, now);
        match self.series.push_bin(bin)? {
            Change::Began(alarm) => {
                self.since = self.clock.start(alarm.level);
                Some(Event::Drifted(Box::new(self.drifted(alarm))))
            }
            Change::Renewed(_) => None,
            Change::Cleared(episode) => Some(Event::Cleared(episode)),
        }
    }

    fn drifted(&self, alarm: Alarm) -> Drifted {
        let profile = self.series.profile();
        let (region, inside) = alarm.strongest();
        Drifted {
            alarm,
            region_text: profile.bins.region_text(region),
            baseline_share: profile.reference.share(region),
            recent_share: f64::from(inside) / scan::size(alarm.level),
            since: self.since,
        }
    }

    fn state(&self) -> SeriesState {
        SeriesState {
            label: self.name.label().into_owned(),
            windows: self.series.state(),
            counts: self.tally.counts().to_vec(),
            quality: self.quality.as_ref().map(Quality::state),
            clock: self.clock.clone(),
            since: self.since,
            is_matched: self.is_matched,
        }
    }

    fn restore(&mut self, state: SeriesState) -> bool {
        if let (Some(quality), Some(state)) = (&mut self.quality, &state.quality) {
            quality.restore(state);
        }
        (self.clock, self.since) = (state.clock, state.since);
        self.is_matched = state.is_matched;
        self.tally.restore(&state.counts) && self.series.restore(state.windows)
    }

    /// What it is called.
    pub const fn name(&self) -> &SeriesName {
        &self.name
    }

    /// Its windows.
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// Its counts.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What is wrong with its values; `None`: it is no feature.
    pub const fn quality(&self) -> Option<&Quality> {
        self.quality.as_ref()
    }

    /// Whether the traffic has it.
    pub const fn is_matched(&self) -> bool {
        self.is_matched
    }

    /// Since when the last drift can be seen, in seconds since 1970; without one, when windows began.
    pub const fn began(&self) -> f64 {
        self.since
    }

    /// Since when the drift that goes on can be seen, in seconds since 1970; `None`: it does not drift.
    pub fn since(&self) -> Option<f64> {
        self.series.episodes().current().map(|_| self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::Origin;

    const RULES: Rules = Rules {
        threshold: 30.0,
        min_effect: 0.0,
        max_series: 2,
    };

    fn monitor() -> Monitor {
        let mut random = fastrand::Rng::with_seed(3);
        let values: Vec<f64> = (0..1000).map(|_| (random.f64() * 100.0).floor()).collect();
        let profile = || Profile::of_numbers(&values, true).unwrap();
        let feature = |name: &str| SeriesName::Feature(name.to_owned());
        let profiles = vec![
            (SeriesName::Confidence, profile()),
            (feature("a"), profile()),
            (feature("b"), profile()),
        ];
        let baseline = Baseline::new(None, profiles, Origin::File, jiff::Timestamp::UNIX_EPOCH);
        Monitor::new(Arc::new(baseline.unwrap()), RULES, 0.0)
    }

    #[test]
    fn a_drift_is_told_once_with_since_when_and_so_is_its_end() {
        let mut monitor = monitor();
        let place = monitor.place(|name| name.is_feature("a")).unwrap();
        let mut random = fastrand::Rng::with_seed(4);
        let mut told = Vec::new();
        for i in 0..120_000_u32 {
            let value = match i {
                10_000..12_000 => random.f64() * 50.0,
                _ => random.f64() * 100.0,
            };
            let events = monitor.push(place, Value::Number(value.floor()), Some(f64::from(i)));
            told.extend(events.into_iter().map(|event| (i, event)));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        let (at, Event::Drifted(drifted)) = &told[0] else {
            panic!("{told:?}");
        };
        assert!((10_010..10_200).contains(at), "{at}");
        assert!((9_900.0..10_100.0).contains(&drifted.since), "{drifted:?}");
        assert!(drifted.recent_share > drifted.baseline_share);
        assert!(matches!(told[1], (12_000.., Event::Cleared(_))));
        let watched = &monitor.watched()[place];
        assert_eq!((watched.since(), watched.series().count()), (None, 120_000));
    }

    #[test]
    fn a_short_drift_ends_soon_however_strong_it_was() {
        let mut monitor = monitor();
        let mut random = fastrand::Rng::with_seed(6);
        let mut told = Vec::new();
        for i in 0..140_000_u32 {
            let value = match i {
                70_000..70_150 => -1.0,
                _ => (random.f64() * 100.0).floor(),
            };
            let events = monitor.push(0, Value::Number(value), Some(f64::from(i)));
            told.extend(events.into_iter().map(|event| (i, event)));
        }
        // the longest windows would show those 150 for another 32,768 predictions
        assert!(
            matches!(
                &told[..],
                [
                    (70_000..70_032, Event::Drifted(_)),
                    (70_150..71_000, Event::Cleared(_))
                ]
            ),
            "{told:?}"
        );
        assert!(monitor.watched()[0].series().score() < 1.0);
    }

    #[test]
    fn a_weak_drift_that_goes_on_hardly_ever_ends() {
        let mut ends = 0;
        for seed in 0..40 {
            let mut monitor = monitor();
            let mut random = fastrand::Rng::with_seed(seed);
            for i in 0..12_000_u32 {
                // from the 4,000th on one of ten is among the least
                let most = if i >= 4_000 && random.u8(..10) == 0 {
                    10.0
                } else {
                    100.0
                };
                let value = (random.f64() * most).floor();
                let events = monitor.push(0, Value::Number(value), Some(f64::from(i)));
                ends += events
                    .iter()
                    .filter(|event| matches!(event, Event::Cleared(_)))
                    .count();
            }
            assert!(monitor.watched()[0].since().is_some(), "it was found");
        }
        assert!(ends <= 3, "{ends} ends of what goes on, in 40 streams");
    }

    #[test]
    fn a_problem_that_begins_with_an_alarm_is_told_beside_it() {
        let value = |random: &mut fastrand::Rng, i| match i {
            4000.. => Value::Number(-1.0),
            _ => Value::Number((random.f64() * 100.0).floor()),
        };
        let is_alarm = |event: &Event| matches!(event, Event::Drifted(_));
        let feed = |monitor: &mut Monitor, values: std::ops::Range<u32>| {
            let mut random = fastrand::Rng::with_seed(5);
            let mut values = values.map(|i| (i, value(&mut random, i)));
            values.find(|(i, value)| {
                let events = monitor.push(1, *value, Some(f64::from(*i)));
                events.iter().any(is_alarm)
            })
        };
        let (alarm, _) = feed(&mut monitor(), 0..8000).unwrap();
        let mut monitor = monitor();
        assert_eq!(feed(&mut monitor, 0..alarm), None);
        let events = monitor.push(1, Value::Word("n/a"), Some(f64::from(alarm)));
        assert!(
            matches!(&events[..], [Event::Drifted(_), Event::Found(finding)] if finding.has_begun),
            "{events:?}"
        );
    }

    #[test]
    fn there_is_room_for_so_many_series() {
        let mut monitor = monitor();
        assert_eq!((monitor.watched().len(), monitor.left_out()), (2, 1));
        assert_eq!(monitor.place(|name| name.is_feature("b")), None);
        assert_eq!(monitor.push(7, Value::Missing, None), []);
    }

    #[test]
    fn of_a_large_request_64_items_enter_the_scan_and_all_are_counted() {
        for count in [1, 63, 64, 65, 100, 1000, 4097] {
            let found: Vec<usize> = (0..count).filter(|i| enters_scan(*i, count)).collect();
            let expected: Vec<usize> = (0..count.min(ITEMS)).map(|p| entering(p, count)).collect();
            assert_eq!(found, expected, "{count}");
        }
        let mut monitor = monitor();
        for item in 0..1000 {
            let now = enters_scan(item, 1000).then_some(0.0);
            monitor.push(0, Value::Number(5.0), now);
        }
        let watched = &monitor.watched()[0];
        let counted: u64 = watched.tally().counts().iter().sum();
        assert_eq!((counted, watched.series().count()), (1000, 64));
    }
}
