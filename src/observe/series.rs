//! Series that can be taken back: what is known of each model and version now, published whole.

use std::collections::{BTreeMap, HashMap};

use super::command::{Judged, ModelState, Which};
use crate::{
    config,
    drift::{Baselines, CheckInput, KsWindow, Retired, Verdict, Windows},
    metrics::{Table, catalogue},
};

/// Scheduled checks without a confidence after which a version serves no longer: 5 minutes at the
/// default interval.
const QUIET: u32 = 20;

/// A model and its version, as in their labels.
type Identity = (String, String);

/// Recent confidences, the baselines they are compared to, and what was found.
pub(super) struct Series {
    model: config::Model,
    drift: config::Drift,
    windows: Windows,
    baselines: Baselines,
    verdicts: HashMap<Identity, Judged>,
    state: ModelState,
    /// The version of each model that predicted last, and whoever did.
    latest: BTreeMap<String, String>,
    last: Option<Identity>,
    is_changed: bool,
}

impl Series {
    pub(super) fn new(
        model: config::Model,
        drift: config::Drift,
        bounds: &config::Metrics,
        baselines: Baselines,
    ) -> Self {
        Self {
            windows: Windows::new(drift.window, bounds.max_models, bounds.max_versions),
            model,
            drift,
            baselines,
            verdicts: HashMap::new(),
            state: ModelState::default(),
            latest: BTreeMap::new(),
            last: None,
            is_changed: true,
        }
    }

    /// Goes by other settings; what does not fit them leaves.
    pub(super) fn apply(
        &mut self,
        model: config::Model,
        drift: config::Drift,
        bounds: &config::Metrics,
    ) {
        let retired = self
            .windows
            .resize(drift.window, bounds.max_models, bounds.max_versions);
        for gone in retired {
            self.forget(gone);
        }
        self.model = model;
        self.drift = drift;
        self.is_changed = true;
    }

    /// Notes who predicted last.
    pub(super) fn predicted(&mut self, model: &str, version: &str) {
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

    /// Takes one confidence of a prediction.
    pub(super) fn push(&mut self, model: &str, version: &str, confidence: f64) {
        for gone in self.windows.push(model, version, confidence) {
            self.forget(gone);
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
        self.baselines = baselines;
        self.verdicts.clear();
        self.is_changed = true;
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
            if is_current && !says_less && self.windows.get(model, version).is_some() {
                self.verdicts.insert(key, judged);
            }
        }
        self.is_changed = true;
    }

    /// Counts a scheduled check. A version that has been quiet for long while another of its model
    /// predicts serves no longer: it is judged no more, and its alert must end.
    fn tick(&mut self) {
        self.windows.tick();
        let identities = self.windows.iter().map(|(m, v, _)| (m, v));
        let gone: Vec<Identity> = identities
            .filter(|(model, version)| !self.serves(model, version))
            .map(|(model, version)| (model.to_owned(), version.to_owned()))
            .collect();
        for identity in gone {
            self.is_changed |= self.verdicts.remove(&identity).is_some();
        }
    }

    fn serves(&self, model: &str, version: &str) -> bool {
        let quiet = self.windows.quiet(model, version);
        quiet.is_none_or(|checks| checks <= QUIET)
            || self
                .latest
                .get(model)
                .is_some_and(|latest| latest == version)
    }

    /// Copies of recent confidences with the baseline each is compared to.
    pub(super) fn copy(&mut self, which: Which) -> Vec<CheckInput> {
        match which {
            Which::All => {
                self.tick();
                self.windows
                    .iter()
                    .filter(|(model, version, _)| self.serves(model, version))
                    .map(|(model, version, _)| self.copy_of(model, version))
                    .collect()
            }
            Which::Latest => {
                let (model, version) = self
                    .windows
                    .latest()
                    .unwrap_or((&self.model.name, &self.model.version));
                vec![self.copy_of(model, version)]
            }
            Which::Of { model, version } => {
                let version = version.or_else(|| self.latest_version(&model));
                let version = version.as_deref().unwrap_or(&self.model.version);
                vec![self.copy_of(&model, version)]
            }
        }
    }

    /// The table anew, when something in it changed.
    pub(super) fn changed(&mut self) -> Option<Table> {
        std::mem::take(&mut self.is_changed).then(|| self.table())
    }

    fn latest_version(&self, model: &str) -> Option<String> {
        let of_model = |(m, _): &(&str, &str)| *m == model;
        let latest = self.windows.latest().filter(of_model);
        let any = || self.windows.iter().map(|(m, v, _)| (m, v)).find(of_model);
        latest.or_else(any).map(|(_, version)| version.to_owned())
    }

    fn copy_of(&self, model: &str, version: &str) -> CheckInput {
        let window = self.windows.get(model, version);
        CheckInput {
            model: model.to_owned(),
            version: version.to_owned(),
            baseline: self.baselines.resolve(model, version),
            recent: window.map(KsWindow::values).unwrap_or_default(),
            window: self.drift.window,
            threshold: self.drift.threshold,
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::default();
        self.push_loaded(&mut table);

        let mut identities: Vec<_> = self.verdicts.keys().collect();
        identities.sort();
        for identity in identities {
            push_verdict(&mut table, &self.verdicts[identity]);
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

fn push_verdict(table: &mut Table, judged: &Judged) {
    let labels = [judged.model.as_str(), judged.version.as_str()];
    let mut detected = 0.0;
    if let Verdict::Checked(checked) = &judged.verdict {
        detected = f64::from(u8::from(checked.drift_detected));
        table.push(&catalogue::DRIFT_STATISTIC, &labels, checked.ks_statistic);
        table.push(&catalogue::DRIFT_P_VALUE, &labels, checked.p_value);
    }
    table.push(&catalogue::DRIFT_DETECTED, &labels, detected);
    if let Some(baseline) = &judged.baseline {
        let labels = [labels[0], labels[1], baseline];
        table.push(&catalogue::DRIFT_BASELINE, &labels, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        let config = config::defaults();
        Series::new(
            config.model,
            config.drift,
            &config.metrics,
            Baselines::new(),
        )
    }

    fn judged(version: &str) -> Judged {
        Judged {
            model: "iris".to_owned(),
            version: version.to_owned(),
            baseline: None,
            verdict: Verdict::NoBaseline,
        }
    }

    fn predicted(series: &mut Series, version: &str) {
        series.predicted("iris", version);
        series.push("iris", version, 0.5);
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
        series.predicted("a", "1");
        series.set_state(ModelState {
            loaded: true,
            version: Some("7".to_owned()),
        });
        let one = [r#"ml_model_loaded{model="a",model_version="7"} 1"#];
        assert_eq!(shown(&series, "ml_model_loaded{"), one);
        series.predicted("b", "2");
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
