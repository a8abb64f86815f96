//! Series that can be taken back: what is known of each model and version now, published whole.

use std::{
    collections::{BTreeMap, HashMap},
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
        Baselines, CheckInput, Key, Outlet, Retired, Snapshot, Verdict, Versions, monitor::Monitor,
        report::Histograms,
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
    /// What was known before the restart, of those who have not predicted since.
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
        Self {
            watches: Versions::new(bounds.max_models, bounds.max_versions),
            model,
            drift,
            baselines: begin.baselines,
            verdicts: HashMap::new(),
            state: ModelState::default(),
            latest: BTreeMap::new(),
            last: None,
            before: begin
                .windows
                .into_iter()
                .map(|snapshot| ((snapshot.model.clone(), snapshot.version.clone()), snapshot))
                .collect(),
            is_changed: true,
            has_news: false,
            shown: Instant::now(),
            outlet: begin.outlet,
        }
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
            watch.compare(baselines.resolve(model, version), drift, now, whose);
            watch.gather(drift.capture.filter(|_| !baselines.fits(model, version)));
        }
    }

    /// Takes what was predicted at `now`, in seconds since 1970.
    pub(super) fn predicted(&mut self, whose: Whose<'_>, inference: &Inference, now: f64) {
        let Whose { model, version } = whose;
        self.note_latest(model, version);
        let (baselines, drift, outlet) = (&self.baselines, &self.drift, &self.outlet);
        let before = &mut self.before;
        let begin = || {
            let mut watch = Watch::new(drift, outlet.clone());
            watch.compare(baselines.resolve(model, version), drift, now, whose);
            watch.gather(drift.capture.filter(|_| !baselines.fits(model, version)));
            if let Some(snapshot) = before.remove(&(model.to_owned(), version.to_owned())) {
                watch.restore(snapshot);
            }
            watch
        };
        let (watch, retired) = self.watches.touch(model, version, begin);
        watch.predicted(inference, now, whose);
        self.has_news = true;
        for gone in retired {
            self.forget(gone);
        }
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
        let before = std::mem::replace(&mut self.baselines, baselines);
        let current = &self.baselines;
        let is_same = |(model, version): &Identity| {
            let hash = |all: &Baselines| Some(all.resolve(model, version)?.hash().to_owned());
            hash(&before) == hash(current)
        };
        self.verdicts.retain(|identity, _| is_same(identity));
        self.compare(now());
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

    /// Takes verdicts about those who are still here, against the baseline that still is.
    pub(super) fn judge(&mut self, verdicts: Vec<Judged>) {
        for judged in verdicts {
            let (model, version) = (judged.model.as_str(), judged.version.as_str());
            let baseline = self.baselines.resolve(model, version);
            let is_current =
                judged.baseline.as_deref() == baseline.as_ref().map(|b| b.short_hash());
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

    fn latest_version(&self, model: &str) -> Option<String> {
        let of_model = |(m, _): &(&str, &str)| *m == model;
        let latest = self.watches.latest().filter(of_model);
        let any = || self.watches.iter().map(|(m, v, _)| (m, v)).find(of_model);
        latest.or_else(any).map(|(_, version)| version.to_owned())
    }

    fn copy_of(&self, model: &str, version: &str) -> CheckInput {
        let watch = self.watches.get(model, version);
        CheckInput {
            model: model.to_owned(),
            version: version.to_owned(),
            baseline: self.baselines.resolve(model, version),
            recent: watch.map(|w| w.recent.values()).unwrap_or_default(),
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
            if let Some(judged) = self.verdicts.get(&key) {
                gauges::verdict(&mut table, judged);
            }
            let watch = self.watches.get(model, version);
            if let Some(monitor) = watch.and_then(|watch| watch.monitor.as_ref()) {
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
    use crate::decode::{Output, Prediction};

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
