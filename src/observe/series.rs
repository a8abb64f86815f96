//! Series that can be taken back: what is known of each model and version now, published whole.

mod seen;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    command::{Captured, Judged, ModelState, Which},
    gauges,
    watch::{Watch, Whose},
    worker::Begin,
};
use crate::{
    config,
    decode::Inference,
    drift::{
        Baselines, CheckInput, Chosen, Key, Outlet, Retired, SeriesName, Snapshot, Verdict,
        Versions, monitor::Monitor, report::Histograms,
    },
    metrics::{Table, catalogue},
};

/// Scheduled checks without a confidence after which a version serves no longer: 5 minutes at the
/// default interval.
const QUIET: u32 = 20;
/// Between two tables that differ in counts alone.
const BETWEEN_TABLES: Duration = Duration::from_secs(1);

/// A model and its version, as in their labels.
type Identity = (String, String);

/// Recent confidences, the baselines they are compared to, and what was found.
pub(super) struct Series {
    model: config::Model,
    drift: config::Drift,
    watches: Versions<Watch>,
    baselines: Baselines,
    verdicts: HashMap<Identity, Judged>,
    state: ModelState,
    /// The version of each model that predicted last, and whoever did.
    latest: BTreeMap<String, String>,
    last: Option<Identity>,
    /// What was known before the restart of those whose baseline is not there, and who have not predicted
    /// since.
    before: HashMap<Identity, Snapshot>,
    is_changed: bool,
    /// Somebody has predicted since the last table.
    has_news: bool,
    shown: Instant,
    outlet: Outlet,
}

impl Series {
    pub(super) fn new(
        model: config::Model,
        drift: config::Drift,
        bounds: &config::Metrics,
        begin: Begin,
    ) -> Self {
        let mut series = Self {
            watches: Versions::new(bounds.max_models, bounds.max_versions),
            model,
            drift,
            baselines: begin.baselines,
            verdicts: HashMap::new(),
            state: ModelState::default(),
            latest: BTreeMap::new(),
            last: None,
            before: HashMap::new(),
            is_changed: true,
            has_news: false,
            shown: Instant::now(),
            outlet: begin.outlet,
        };
        series.go_on(begin.windows, bounds.max_models * bounds.max_versions);
        series
    }

    /// Goes on after a restart, before anybody predicts: an episode that was open is open still. `most`:
    /// how many are kept, the last to predict of them.
    fn go_on(&mut self, mut windows: Vec<Snapshot>, most: usize) {
        windows.sort_by(|a, b| a.last.total_cmp(&b.last));
        windows.drain(..windows.len().saturating_sub(most));
        for snapshot in windows {
            let (model, version) = (snapshot.model.clone(), snapshot.version.clone());
            let baseline = self
                .baselines
                .choose(&model, &version, Some(&snapshot.baseline));
            let is_there = baseline.is_some_and(|b| b.baseline.hash() == snapshot.baseline);
            let whose = Whose {
                model: &model,
                version: &version,
            };
            let identity = (model.clone(), version.clone());
            self.before.insert(identity, snapshot);
            if is_there {
                self.touch(whose, now());
            }
        }
    }

    /// What is kept of a version, which predicts at `now`, or did before the restart.
    fn touch(&mut self, whose: Whose<'_>, now: f64) -> &mut Watch {
        let Whose { model, version } = whose;
        let Self {
            watches,
            baselines,
            drift,
            before,
            verdicts,
            is_changed,
            outlet,
            ..
        } = self;
        let begin = || {
            let snapshot = before.remove(&(model.to_owned(), version.to_owned()));
            let kept = snapshot.as_ref().map(|snapshot| snapshot.baseline.as_str());
            let mut watch = Watch::new(drift, outlet.clone());
            watch.compare(baselines.choose(model, version, kept), drift, now, whose);
            watch.gather(drift.capture.filter(|_| !baselines.fits(model, version)));
            if let Some(snapshot) = snapshot {
                watch.restore(snapshot);
            }
            watch
        };
        let (watch, retired) = watches.touch(model, version, begin);
        for gone in retired {
            verdicts.remove(&(gone.model, gone.version));
            *is_changed = true;
        }
        watch
    }

    /// Goes by other settings; what does not fit them leaves.
    pub(super) fn apply(
        &mut self,
        model: config::Model,
        drift: config::Drift,
        bounds: &config::Metrics,
    ) {
        for gone in self.watches.resize(bounds.max_models, bounds.max_versions) {
            self.forget(gone);
        }
        self.model = model;
        self.drift = drift;
        for (_, _, watch) in self.watches.iter_mut() {
            watch.recent.resize(self.drift.window);
        }
        self.compare(now());
        self.is_changed = true;
    }

    /// Each version with the baseline that fits it now.
    fn compare(&mut self, now: f64) {
        let Self {
            watches,
            baselines,
            drift,
            ..
        } = self;
        for (model, version, watch) in watches.iter_mut() {
            let whose = Whose { model, version };
            let chosen = baselines.choose(model, version, watch.hash());
            watch.compare(chosen, drift, now, whose);
            watch.gather(drift.capture.filter(|_| !baselines.fits(model, version)));
        }
    }

    /// The baseline that a version is compared with, or would be.
    fn chosen(&self, model: &str, version: &str) -> Option<Chosen<'_>> {
        let watch = self.watches.get(model, version);
        self.baselines
            .choose(model, version, watch.and_then(Watch::hash))
    }

    /// Takes what was predicted at `now`, in seconds since 1970.
    #[cfg(test)]
    pub(super) fn predicted(&mut self, whose: Whose<'_>, inference: &Inference, now: f64) {
        self.predicted_but(&[], whose, inference, now);
    }

    /// Takes what was predicted at `now`, in seconds since 1970; `withheld`: series of which it is not
    /// told what they were, so that nothing of them is missing.
    pub(super) fn predicted_but(
        &mut self,
        withheld: &[SeriesName],
        whose: Whose<'_>,
        inference: &Inference,
        now: f64,
    ) {
        self.note_latest(whose.model, whose.version);
        self.touch(whose, now)
            .predicted_but(withheld, inference, now, whose);
        self.has_news = true;
    }

    fn note_latest(&mut self, model: &str, version: &str) {
        let is_last = |(m, v): &Identity| m == model && v == version;
        if self.last.as_ref().is_some_and(is_last) {
            return;
        }
        self.last = Some((model.to_owned(), version.to_owned()));
        let latest = self.latest.get(model);
        if latest.is_none_or(|latest| latest != version) {
            self.latest.insert(model.to_owned(), version.to_owned());
            self.is_changed = true;
        }
    }

    /// Whoever predicted last.
    pub(super) fn last_predictor(&self) -> Option<Identity> {
        self.last.clone()
    }

    fn forget(&mut self, gone: Retired) {
        self.verdicts.remove(&(gone.model, gone.version));
        self.is_changed = true;
    }

    /// Takes what the upstream says; a version once told stays until another is.
    pub(super) fn set_state(&mut self, mut state: ModelState) {
        state.version = state.version.or_else(|| self.state.version.take());
        self.is_changed |= self.state != state;
        self.state = state;
    }

    /// Replaces the baselines; verdicts against the old ones no longer stand.
    pub(super) fn use_baselines(&mut self, baselines: Baselines) {
        self.use_baselines_at(baselines, now());
    }

    /// The same at `now`, in seconds since 1970.
    pub(super) fn use_baselines_at(&mut self, baselines: Baselines, now: f64) {
        self.baselines = baselines;
        self.compare(now);
        let mut verdicts = std::mem::take(&mut self.verdicts);
        verdicts.retain(|_, judged| self.is_current(judged));
        self.verdicts = verdicts;
        self.is_changed = true;
    }

    /// What is known of every version, to go on after a restart. Those who have not predicted since the
    /// last one are kept as they were.
    pub(super) fn snapshots(&self) -> Vec<Snapshot> {
        let watches = self.watches.iter();
        let now =
            watches.filter_map(|(model, version, watch)| watch.snapshot(Whose { model, version }));
        now.chain(self.before.values().cloned()).collect()
    }

    /// Baselines that have been gathered since the last time.
    pub(super) fn captured(&mut self) -> Vec<Captured> {
        let gathered = self
            .watches
            .iter_mut()
            .filter_map(|(model, version, watch)| {
                let key = Key {
                    model: Some(model.to_owned()),
                    version: Some(version.to_owned()),
                };
                Some((key, watch.captured()?))
            });
        gathered.collect()
    }

    /// The baseline and the window of one series, by its label.
    pub(super) fn histograms(&self, which: Which, label: &str) -> Option<Histograms> {
        let (model, version) = self.identity(which);
        let monitor = self.watches.get(&model, &version)?.monitor.as_ref()?;
        let mut watched = monitor.watched().iter();
        Some(watched.find(|w| w.name().label() == label)?.histograms())
    }

    /// Whether a verdict is against the baseline that is in use.
    fn is_current(&self, judged: &Judged) -> bool {
        let chosen = self.chosen(&judged.model, &judged.version);
        judged.baseline.as_deref() == chosen.map(|chosen| chosen.baseline.short_hash())
    }

    /// Takes verdicts about those who are still here, against the baseline that still is.
    pub(super) fn judge(&mut self, verdicts: Vec<Judged>) {
        for judged in verdicts {
            let (model, version) = (judged.model.as_str(), judged.version.as_str());
            let is_current = self.is_current(&judged);
            let key = (judged.model.clone(), judged.version.clone());
            // too little data takes nothing back that was found with more
            let says_less = judged.verdict == Verdict::InsufficientData
                && self
                    .verdicts
                    .get(&key)
                    .is_some_and(|before| before.baseline == judged.baseline);
            if is_current && !says_less && self.watches.get(model, version).is_some() {
                self.verdicts.insert(key, judged);
            }
        }
        self.is_changed = true;
    }

    /// Counts a scheduled check. A version that has been quiet for long while another of its model
    /// predicts serves no longer: it is judged no more, and its alert must end.
    fn tick(&mut self) {
        for (_, _, watch) in self.watches.iter_mut() {
            watch.quiet = watch.quiet.saturating_add(1);
        }
        let identities = self.watches.iter().map(|(m, v, _)| (m, v));
        let gone: Vec<Identity> = identities
            .filter(|(model, version)| !self.serves(model, version))
            .map(|(model, version)| (model.to_owned(), version.to_owned()))
            .collect();
        for identity in gone {
            self.is_changed |= self.verdicts.remove(&identity).is_some();
        }
    }

    fn serves(&self, model: &str, version: &str) -> bool {
        let watch = self.watches.get(model, version);
        watch.is_none_or(|watch| watch.quiet <= QUIET)
            || self
                .latest
                .get(model)
                .is_some_and(|latest| latest == version)
    }

    /// Copies of recent confidences with the baseline each is compared to.
    pub(super) fn copy(&mut self, which: Which) -> Vec<CheckInput> {
        if which == Which::All {
            self.tick();
            return self
                .watches
                .iter()
                .filter(|(model, version, _)| self.serves(model, version))
                .map(|(model, version, _)| self.copy_of(model, version))
                .collect();
        }
        let (model, version) = self.identity(which);
        vec![self.copy_of(&model, &version)]
    }

    /// Whom a question is about; `All` is whoever predicted last.
    fn identity(&self, which: Which) -> Identity {
        match which {
            Which::All | Which::Latest => {
                let own = (self.model.name.as_str(), self.model.version.as_str());
                let (model, version) = self.watches.latest().unwrap_or(own);
                (model.to_owned(), version.to_owned())
            }
            Which::Of { model, version } => {
                let version = version.or_else(|| self.latest_version(&model));
                let version = version.unwrap_or_else(|| self.model.version.clone());
                (model, version)
            }
        }
    }

    /// The table anew, when something in it changed; counts of what passes once a second.
    pub(super) fn changed(&mut self) -> Option<Table> {
        let is_due = self.has_news && self.shown.elapsed() >= BETWEEN_TABLES;
        if !self.is_changed && !is_due {
            return None;
        }
        (self.is_changed, self.has_news) = (false, false);
        self.shown = Instant::now();
        Some(self.table())
    }

    /// The next table is made whenever it is asked for.
    pub(super) fn table_is_due(&mut self) {
        self.is_changed = true;
    }

    fn latest_version(&self, model: &str) -> Option<String> {
        let of_model = |(m, _): &(&str, &str)| *m == model;
        let latest = self.watches.latest().filter(of_model);
        let any = || self.watches.iter().map(|(m, v, _)| (m, v)).find(of_model);
        latest.or_else(any).map(|(_, version)| version.to_owned())
    }

    fn copy_of(&self, model: &str, version: &str) -> CheckInput {
        let watch = self.watches.get(model, version);
        let chosen = self.chosen(model, version);
        CheckInput {
            model: model.to_owned(),
            version: version.to_owned(),
            baseline: chosen.map(|chosen| Arc::clone(chosen.baseline)),
            in_use: chosen.map(|chosen| chosen.in_use()),
            recent: watch.map(|w| w.recent.with_missing()).unwrap_or_default(),
            window: self.drift.window,
            threshold: self.drift.threshold,
            scan: watch.and_then(|w| w.monitor.as_ref()).map(Monitor::report),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::default();
        self.push_loaded(&mut table);

        let mut identities: Vec<_> = self.watches.iter().map(|(m, v, _)| (m, v)).collect();
        identities.sort_unstable();
        for (model, version) in identities {
            if !self.serves(model, version) {
                continue;
            }
            let key = (model.to_owned(), version.to_owned());
            let watch = self.watches.get(model, version);
            let monitor = watch.and_then(|watch| watch.monitor.as_ref());
            if let Some(judged) = self.verdicts.get(&key) {
                // the verdict may be older than the first word of the scan, and one of them decides
                let is_of_scan = monitor.is_some_and(Monitor::is_warm);
                gauges::verdict(&mut table, judged, !is_of_scan);
            }
            if let Some(monitor) = monitor {
                gauges::monitor(
                    &mut table,
                    (model, version),
                    monitor,
                    self.drift.export_series,
                );
            }
        }
        table
    }

    /// One series for each model that predicted, of its last version; the upstream's own word on
    /// the version counts where it can mean one model only.
    fn push_loaded(&self, table: &mut Table) {
        let loaded = f64::from(u8::from(self.state.loaded));
        let told = self.state.version.as_deref();
        let mut push = |model: &str, version: &str| {
            table.push(&catalogue::MODEL_LOADED, &[model, version], loaded);
        };
        match self.latest.len() {
            0 => push(&self.model.name, told.unwrap_or(&self.model.version)),
            1 => self
                .latest
                .iter()
                .for_each(|(m, v)| push(m, told.unwrap_or(v))),
            _ => self.latest.iter().for_each(|(m, v)| push(m, v)),
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::{Output, Prediction},
        drift::{Baseline, Origin, Profile, Sample},
    };

    fn series() -> Series {
        let config = config::defaults();
        Series::new(
            config.model,
            config.drift,
            &config.metrics,
            Begin::default(),
        )
    }

    fn judged(version: &str) -> Judged {
        Judged {
            model: "iris".to_owned(),
            version: version.to_owned(),
            baseline: None,
            in_use: None,
            verdict: Verdict::NoBaseline,
            scan: None,
        }
    }

    fn predicted(series: &mut Series, version: &str) {
        let inference = Inference {
            outputs: vec![Output::new(Prediction::Unknown, Some(0.5))],
            ..Inference::default()
        };
        let whose = Whose {
            model: "iris",
            version,
        };
        series.predicted(whose, &inference, 0.0);
    }

    fn shown(series: &Series, family: &str) -> Vec<String> {
        let text = series.table().render();
        let lines = text.lines().filter(|line| line.starts_with(family));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn the_gauges_of_a_version_that_serves_no_longer_go() {
        let mut series = series();
        predicted(&mut series, "1");
        series.judge(vec![judged("1")]);
        predicted(&mut series, "2");
        for _ in 0..QUIET {
            assert_eq!(series.copy(Which::All).len(), 2);
        }
        assert_eq!(shown(&series, "ml_drift_detected{").len(), 1);
        let serving = series.copy(Which::All).len();
        assert_eq!(serving, 1, "the last to predict stays, however quiet");
        assert_eq!(shown(&series, "ml_drift_detected{").len(), 0);
        predicted(&mut series, "1");
        let serving = series.copy(Which::All).len();
        assert_eq!(serving, 1, "2 has been quiet for as long");
    }

    #[test]
    fn each_model_is_loaded_in_its_own_last_version() {
        let mut series = series();
        series.note_latest("a", "1");
        series.set_state(ModelState {
            loaded: true,
            version: Some("7".to_owned()),
        });
        let one = [r#"ml_model_loaded{model="a",model_version="7"} 1"#];
        assert_eq!(shown(&series, "ml_model_loaded{"), one);
        series.note_latest("b", "2");
        let both = [
            r#"ml_model_loaded{model="a",model_version="1"} 1"#,
            r#"ml_model_loaded{model="b",model_version="2"} 1"#,
        ];
        assert_eq!(shown(&series, "ml_model_loaded{"), both);
    }

    /// Goes on with `windows`, against a baseline of 1,000 confidences in their order.
    fn watching(windows: Vec<Snapshot>) -> Series {
        let config = config::defaults();
        let mut random = fastrand::Rng::with_seed(1);
        let values: Vec<f64> = (0..1000).map(|_| 0.5 + random.f64() / 2.0).collect();
        let profile = Profile::of_numbers(&values, true).unwrap();
        let sample = Sample::new(values, 1000).ok();
        let profiles = vec![(SeriesName::Confidence, profile)];
        let set_at = jiff::Timestamp::UNIX_EPOCH;
        let baseline = Baseline::new(sample, profiles, Origin::Captured, set_at).unwrap();
        let mut all = Baselines::new();
        all.set(Key::default(), baseline).unwrap();
        let begin = Begin {
            baselines: all,
            windows,
            ..Begin::default()
        };
        Series::new(config.model, config.drift, &config.metrics, begin)
    }

    #[test]
    fn an_episode_that_was_open_is_shown_again_before_anybody_predicts() {
        let mut before = watching(Vec::new());
        // 0.5 each time
        (0..100).for_each(|_| predicted(&mut before, "1"));
        let is_open =
            [r#"ml_drift_detected{model="iris",model_version="1",series="confidence"} 1"#];
        assert_eq!(shown(&before, "ml_drift_detected{"), is_open);
        let after = watching(before.snapshots());
        assert_eq!(shown(&after, "ml_drift_"), shown(&before, "ml_drift_"));
        assert_eq!(after.snapshots(), before.snapshots());
        let said = |mut series: Series| series.copy(Which::Latest).remove(0);
        assert_eq!(said(after), said(before));
    }

    #[test]
    fn of_windows_of_before_the_last_to_predict_are_kept_and_no_more_than_there_is_room_for() {
        let bounds = config::defaults().metrics;
        let most = bounds.max_models * bounds.max_versions;
        let windows = (0..2 * most).map(|i| Snapshot {
            model: format!("m{}", i / 2),
            version: format!("{}", i % 2),
            // that of a baseline that is gone
            baseline: "00".to_owned(),
            last: if i < most { 2.0 } else { 1.0 },
            quiet: 0,
            recent: Vec::new(),
            lacking: crate::drift::Lacking::default(),
            unmatched: crate::drift::Unmatched::default(),
            series: Vec::new(),
        });
        let series = watching(windows.collect());
        let kept = series.snapshots();
        assert!(kept.len() == most && kept.iter().all(|snapshot| snapshot.last > 1.5));
        assert_eq!(series.watches.iter().count(), 0);
    }

    #[test]
    fn only_one_says_whether_confidences_drift_also_when_the_scan_is_warm_before_the_next_check() {
        let mut series = watching(Vec::new());
        let verdict = Judged {
            baseline: series
                .baselines
                .resolve("iris", "1")
                .map(|b| b.short_hash().to_owned()),
            verdict: Verdict::InsufficientData,
            ..judged("1")
        };
        predicted(&mut series, "1");
        series.judge(vec![verdict]);
        let shown = shown(&series, "ml_drift_detected{");
        assert_eq!(shown.len(), 1, "{shown:?}");
    }

    #[test]
    fn a_verdict_against_a_baseline_that_was_replaced_is_not_shown() {
        let mut series = series();
        predicted(&mut series, "1");
        let old = Judged {
            baseline: Some("old".to_owned()),
            ..judged("1")
        };
        series.judge(vec![old]);
        assert_eq!(shown(&series, "ml_drift_detected{").len(), 0);
    }
}
