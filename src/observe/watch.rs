//! What is kept of one version of a model: its last confidences, its series against their baseline, and
//! what may become a baseline.

mod gathering;
mod places;
mod told;
mod values;

use std::sync::Arc;

use self::{gathering::Gathering, places::Places, values::each_value};
use crate::{
    config,
    decode::Inference,
    drift::{
        Baseline, Chosen, Key, KsWindow, Outlet, SeriesName, Snapshot, Value,
        monitor::{Monitor, Rules, enters_scan},
        scan,
    },
};

/// One version of a model.
pub(super) struct Watch {
    /// The last confidences, or the last numbers of a regression.
    pub(super) recent: KsWindow,
    /// Scheduled checks since its last prediction.
    pub(super) quiet: u32,
    pub(super) monitor: Option<Monitor>,
    /// Whose baseline that compares with.
    of: Option<Key>,
    /// When it predicted last, in seconds since 1970.
    last: f64,
    places: Places,
    gathering: Option<Gathering>,
    /// Where it is told that a drift begins or ends.
    outlet: Outlet,
}

/// Who it is, for the log.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) model: &'a str,
    pub(super) version: &'a str,
}

pub(super) fn rules(drift: &config::Drift) -> Rules {
    Rules {
        threshold: scan::threshold(drift.false_alarms_per_million),
        min_effect: drift.min_effect,
        max_series: drift.max_series,
    }
}

impl Watch {
    pub(super) fn new(drift: &config::Drift, outlet: Outlet) -> Self {
        Self {
            recent: KsWindow::new(drift.window),
            quiet: 0,
            monitor: None,
            of: None,
            last: 0.0,
            places: Places::default(),
            gathering: None,
            outlet,
        }
    }

    /// Compares with `chosen` from now on; windows begin anew where it is another.
    pub(super) fn compare(
        &mut self,
        chosen: Option<Chosen<'_>>,
        drift: &config::Drift,
        now: f64,
        whose: Whose<'_>,
    ) {
        let of = chosen.map(|chosen| chosen.key);
        if self.of.as_ref() != of {
            self.of = of.cloned();
            told::borrowed(whose, chosen);
        }
        let rules = rules(drift);
        let baseline = chosen.map(|chosen| Arc::clone(chosen.baseline));
        let ended = match (&mut self.monitor, &baseline) {
            (Some(monitor), Some(baseline)) if monitor.baseline().hash() == baseline.hash() => {
                monitor.renew(Arc::clone(baseline));
                if monitor.set_rules(rules) {
                    return;
                }
                "other series are watched"
            }
            (None, None) => return,
            (_, Some(_)) => "another baseline",
            (_, None) => "no baseline",
        };
        if let Some(before) = &self.monitor {
            told::abandoned(whose, before, ended, &self.outlet);
        }
        self.places = Places::default();
        self.monitor = baseline.map(|baseline| Monitor::new(baseline, rules, now));
        if let Some(monitor) = &self.monitor {
            self.places = Places::new(monitor);
            told::left_out(whose, monitor);
        }
    }

    /// The hash of what it is compared with.
    pub(super) fn hash(&self) -> Option<&str> {
        Some(self.monitor.as_ref()?.baseline().hash())
    }

    /// When it predicted last, in seconds since 1970; `None`: it has not.
    pub(super) fn last(&self) -> Option<f64> {
        (self.last > 0.0).then_some(self.last)
    }

    /// What is gathered for a baseline so far, and how much is wanted; `None`: nothing is.
    pub(super) fn gathered(&self) -> Option<(usize, usize)> {
        self.gathering.as_ref().map(Gathering::progress)
    }

    /// What is known, to go on after a restart; `None`: nothing is compared.
    pub(super) fn snapshot(&self, whose: Whose<'_>) -> Option<Snapshot> {
        let monitor = self.monitor.as_ref()?;
        Some(Snapshot {
            model: whose.model.to_owned(),
            version: whose.version.to_owned(),
            baseline: monitor.baseline().hash().to_owned(),
            last: self.last,
            quiet: self.quiet,
            recent: self.recent.values(),
            lacking: self.recent.lacking().clone(),
            unmatched: monitor.unmatched().clone(),
            series: monitor.states(),
        })
    }

    /// Goes on from there, if it is compared with the same baseline.
    pub(super) fn restore(&mut self, mut snapshot: Snapshot) {
        let monitor = self.monitor.as_mut();
        if let Some(monitor) = monitor.filter(|m| m.baseline().hash() == snapshot.baseline) {
            (self.last, self.quiet) = (snapshot.last, snapshot.quiet);
            snapshot.refill(&mut self.recent);
            monitor.restore(snapshot.series, snapshot.unmatched);
        }
    }

    /// Gathers the next predictions for a baseline, `wanted` of them; `None`: no longer.
    pub(super) fn gather(&mut self, wanted: Option<usize>) {
        match wanted {
            None => self.gathering = None,
            Some(wanted) => match &mut self.gathering {
                None => self.gathering = Some(Gathering::new(wanted)),
                Some(gathering) => gathering.want(wanted),
            },
        }
    }

    /// What was gathered, once it is enough. It is gathered no more.
    pub(super) fn captured(&mut self) -> Option<Baseline> {
        if !self.gathering.as_ref()?.is_enough() {
            return None;
        }
        self.gathering.take()?.baseline(self.last)
    }

    /// Takes what was predicted at `now`, in seconds since 1970.
    #[cfg(test)]
    pub(super) fn predicted(&mut self, inference: &Inference, now: f64, whose: Whose<'_>) {
        self.predicted_but(&[], inference, now, whose);
    }

    /// The same; `withheld`: series of which it is not told what they were.
    pub(super) fn predicted_but(
        &mut self,
        withheld: &[SeriesName],
        inference: &Inference,
        now: f64,
        whose: Whose<'_>,
    ) {
        (self.quiet, self.last) = (0, now);
        for output in &inference.outputs {
            let number = output.confidence().or(output.value());
            self.recent.push(number.unwrap_or(f64::NAN));
        }
        if let Some(gathering) = &mut self.gathering {
            gathering.push(inference);
        }
        let Some(monitor) = &mut self.monitor else {
            return;
        };
        let baseline = Arc::clone(monitor.baseline());
        self.places.find(&baseline, &inference.features, |name| {
            monitor.saw_unknown(name);
        });
        let (places, outlet) = (&self.places, &self.outlet);
        // a row names a column also where its value is null
        for place in places.there() {
            monitor.meet(place);
        }
        let mut push = |place: usize, value: Value<'_>, enters: bool| {
            if !withheld.is_empty() && withheld.contains(monitor.watched()[place].name()) {
                return;
            }
            for event in monitor.push(place, value, enters.then_some(now)) {
                told::event(whose, monitor, place, &event, outlet);
            }
        };
        each_value(inference, |source, value, enters| {
            if let Some(place) = places.of(source) {
                push(place, value, enters);
            }
        });
        let rows = inference.sampled();
        for place in places.absent() {
            for row in 0..rows {
                push(place, Value::Missing, enters_scan(row, rows));
            }
        }
        if !inference.features.is_empty()
            && let Some(news) = monitor.passed(rows)
        {
            told::unmatched(whose, monitor, &news);
        }
    }
}

#[cfg(test)]
mod tests;
