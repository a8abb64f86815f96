//! What predictions say, counted. Handles are looked up once per model, version and class.

use std::{collections::BTreeMap, sync::Arc};

use ::metrics::{Counter, Histogram};

use super::cardinality::{Names, OTHER};
use crate::{
    capture::{Exchange, Fault},
    config,
    decode::{DecodeError, Inference},
    drift::Baselines,
    metrics::{Edged, Metrics, catalogue},
};

/// Format and reason of a decoder that panicked: it did not say which it was.
const PANICKED: [&str; 2] = ["unknown", "panic"];

/// What became of an observed exchange whose bodies were wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Decoded,
    DecodeFailed,
    TooLong,
    Aborted,
}

impl Outcome {
    const ALL: [Self; 4] = [
        Self::Decoded,
        Self::DecodeFailed,
        Self::TooLong,
        Self::Aborted,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Decoded => "decoded",
            Self::DecodeFailed => "decode_failed",
            Self::TooLong => "too_long",
            Self::Aborted => "aborted",
        }
    }
}

/// The counters of observed exchanges and of what they predicted.
pub(super) struct Record {
    metrics: Arc<Metrics>,
    names: Names,
    observed: Counter,
    outcomes: [Counter; Outcome::ALL.len()],
    faults: [Counter; Fault::ALL.len()],
    panics: Counter,
    versions: BTreeMap<String, BTreeMap<String, Version>>,
    routes: BTreeMap<Arc<str>, ByRoute>,
    edges: Edges,
}

/// What is not known, by route. All of it exists from the first of it on.
struct ByRoute {
    no_confidence: Counter,
    class_unknown: Counter,
    /// By [`UNREAD`].
    unread: [Counter; UNREAD.len()],
}

/// Results of an exchange whose bodies were not read, but for those that broke off.
const UNREAD: [Outcome; 2] = [Outcome::DecodeFailed, Outcome::TooLong];

/// Edges of histograms of values: those of a route, of the baseline, or those that all have. `round`: how
/// often they were set; after each time those of every model are looked at again.
struct Edges {
    common: Arc<[f64]>,
    baselines: Baselines,
    round: u64,
}

impl Edges {
    fn wanted(&self, exchange: &Exchange, (model, version): (&str, &str)) -> Arc<[f64]> {
        let route = exchange.route.as_deref();
        let own = route.and_then(|route| route.value_edges.clone());
        let of_baseline = || {
            Some(
                self.baselines
                    .resolve(model, version)?
                    .value_edges()?
                    .into(),
            )
        };
        own.or_else(of_baseline)
            .unwrap_or_else(|| Arc::clone(&self.common))
    }
}

/// What one version of a model counts into.
struct Version {
    confidence: Histogram,
    inference: Histogram,
    classes: BTreeMap<String, Counter>,
    other: Option<Counter>,
    /// With the round of [`Edges`] in which it was looked up; `None` in it: there is no room.
    values: Option<(u64, Option<Arc<Edged>>)>,
}

impl Record {
    pub(super) fn new(metrics: Arc<Metrics>, bounds: config::Metrics) -> Self {
        Self {
            edges: Edges {
                common: Arc::from(&bounds.value_edges[..]),
                baselines: Baselines::new(),
                round: 0,
            },
            names: Names::new(bounds, &metrics),
            observed: metrics.counter(&catalogue::EXCHANGES, &["observed"]),
            outcomes: Outcome::ALL
                .map(|outcome| metrics.counter(&catalogue::OBSERVED, &[outcome.label()])),
            faults: Fault::ALL.map(|fault| metrics.counter(&catalogue::FAULTS, &[fault.label()])),
            panics: metrics.counter(&catalogue::PANICS, &["decode"]),
            versions: BTreeMap::new(),
            routes: BTreeMap::new(),
            metrics,
        }
        .with_failures_at_0()
    }

    /// A first burst of failures that made its own series would be invisible to `increase`.
    fn with_failures_at_0(self) -> Self {
        failures_at_0(&self.metrics, &DecodeError::WITHOUT_FORMAT);
        drop(self.metrics.counter(&catalogue::DECODE_FAILURES, &PANICKED));
        self
    }

    pub(super) fn set_bounds(&mut self, bounds: config::Metrics) {
        self.edges.common = Arc::from(&bounds.value_edges[..]);
        self.edges.round += 1;
        self.names.set_bounds(bounds);
    }

    /// Takes edges from these baselines from now on.
    pub(super) fn use_baselines(&mut self, baselines: Baselines) {
        self.edges.baselines = baselines;
        self.edges.round += 1;
    }

    /// Counts what became of an exchange.
    pub(super) fn outcome(&self, outcome: Outcome) {
        self.observed.increment(1);
        self.outcomes[outcome as usize].increment(1);
    }

    /// Counts whose fault it was that there was no good answer.
    pub(super) fn fault(&self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.faults[fault as usize].increment(1);
        }
    }

    /// Counts a body that could not be read.
    pub(super) fn decode_failed(&mut self, exchange: &Exchange, error: &DecodeError) {
        self.failed(exchange, [error.format(), error.reason()]);
    }

    /// Counts a body that was too long to be kept.
    pub(super) fn too_long(&mut self, exchange: &Exchange) {
        let [_, too_long] = &self.route(&exchange.endpoint).unread;
        too_long.increment(1);
    }

    /// Panics of decoders.
    pub(super) const fn panics(&self) -> &Counter {
        &self.panics
    }

    /// Counts a body whose decoder panicked.
    pub(super) fn decoder_panicked(&mut self, exchange: &Exchange) {
        self.failed(exchange, PANICKED);
    }

    /// The labels of a model and its version.
    pub(super) fn identity<'a>(&mut self, model: &'a str, version: &'a str) -> (&'a str, &'a str) {
        self.names.identity(&self.metrics, model, version)
    }

    /// Counts the items of one answer.
    pub(super) fn predictions(
        &mut self,
        inference: &Inference,
        exchange: &Exchange,
        (model, version): (&str, &str),
    ) {
        let Self {
            metrics,
            names,
            edges,
            ..
        } = self;
        let handles = match self
            .versions
            .get_mut(model)
            .and_then(|m| m.get_mut(version))
        {
            Some(handles) => handles,
            None => self
                .versions
                .entry(model.to_owned())
                .or_default()
                .entry(version.to_owned())
                .or_insert_with(|| {
                    // of a format that nobody speaks here no series is needed
                    failures_at_0(metrics, &DecodeError::of_format(inference.format));
                    Version::new(metrics, model, version)
                }),
        };
        if let Some(upstream) = exchange.upstream {
            handles.inference.record(upstream.as_secs_f64());
        }
        let (mut without, mut unknown) = (0, 0);
        for output in &inference.outputs {
            match (output.value(), output.class()) {
                (Some(value), _) => {
                    handles.value(metrics, edges, exchange, (model, version), value);
                    continue;
                }
                (None, Some(class)) => {
                    handles.predicted(metrics, names, (model, version), &class);
                }
                (None, None) => unknown += 1,
            }
            match output.confidence() {
                Some(confidence) => handles.confidence.record(confidence),
                None => without += 1,
            }
        }
        // a model of texts has neither to send
        if !inference.is_generated() && (without > 0 || unknown > 0) {
            let route = self.route(&exchange.endpoint);
            route.no_confidence.increment(without);
            route.class_unknown.increment(unknown);
        }
    }

    fn route(&mut self, endpoint: &Arc<str>) -> &ByRoute {
        let Self {
            routes, metrics, ..
        } = self;
        let counter = |family| metrics.counter(family, &[endpoint]);
        routes
            .entry(Arc::clone(endpoint))
            .or_insert_with(|| ByRoute {
                no_confidence: counter(&catalogue::NO_CONFIDENCE),
                class_unknown: counter(&catalogue::CLASS_UNKNOWN),
                unread: UNREAD
                    .map(|result| metrics.counter(&catalogue::UNREAD, &[endpoint, result.label()])),
            })
    }

    fn failed(&mut self, exchange: &Exchange, labels: [&str; 2]) {
        self.metrics
            .counter(&catalogue::DECODE_FAILURES, &labels)
            .increment(1);
        let [failed, _] = &self.route(&exchange.endpoint).unread;
        failed.increment(1);
    }
}

/// Makes the series of these failures.
fn failures_at_0(metrics: &Metrics, errors: &[DecodeError]) {
    for error in errors {
        let labels = [error.format(), error.reason()];
        drop(metrics.counter(&catalogue::DECODE_FAILURES, &labels));
    }
}

impl Version {
    fn new(metrics: &Metrics, model: &str, version: &str) -> Self {
        Self {
            confidence: metrics.histogram(&catalogue::CONFIDENCE, &[model, version]),
            inference: metrics.histogram(&catalogue::INFERENCE, &[model, version]),
            classes: BTreeMap::new(),
            other: None,
            values: None,
        }
    }

    /// Counts a predicted number.
    fn value(
        &mut self,
        metrics: &Metrics,
        edges: &Edges,
        exchange: &Exchange,
        (model, version): (&str, &str),
        value: f64,
    ) {
        if self
            .values
            .as_ref()
            .is_none_or(|(round, _)| *round != edges.round)
        {
            let wanted = edges.wanted(exchange, (model, version));
            let labels = [model, version];
            let found = metrics.edged(&catalogue::PREDICTION_VALUE, &labels, &wanted);
            if found.is_none() {
                metrics
                    .counter(&catalogue::LABEL_OVERFLOWS, &["model_version"])
                    .increment(1);
            }
            self.values = Some((edges.round, found));
        }
        if let Some((_, Some(edged))) = &self.values {
            edged.record(value);
        }
    }

    fn predicted(
        &mut self,
        metrics: &Metrics,
        names: &mut Names,
        (model, version): (&str, &str),
        class: &str,
    ) {
        if let Some(counter) = self.classes.get(class) {
            return counter.increment(1);
        }
        let label = names.class(metrics, model, class);
        let register = || metrics.counter(&catalogue::PREDICTIONS, &[model, version, label]);
        if label == OTHER {
            // never by its name: names beyond the bound are without number
            self.other.get_or_insert_with(register).increment(1);
        } else {
            let counter = register();
            counter.increment(1);
            self.classes.insert(label.to_owned(), counter);
        }
    }
}
