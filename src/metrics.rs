//! What is exported to Prometheus: the catalogue of families, and the registry that holds them.
//!
//! Counters and fixed-edge histograms live in the exporter, whose handles cost some 10 ns and can
//! never be deleted. Histograms whose edges differ by label live in [`Edged`]. Series that retire live in a [`Table`] that its owner publishes whole.
//! [`exposition`] reads a scrape back.
//! Emits what [`catalogue`] lists, and nothing else.

pub mod catalogue;
mod edged;
pub mod exposition;
pub mod process;
mod table;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ::metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use catalogue::{Family, Kind};
pub use edged::Edged;
pub use table::Table;

const METADATA: Metadata<'static> = Metadata::new("sidelight", Level::INFO, None);

/// Adds what is only known when asked (queue depth, process figures) to a scrape.
type Collector = Box<dyn Fn(&mut Table) + Send + Sync>;

/// The registry: hands out cached handles, bounds the number of series, renders a scrape.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    known: Mutex<HashSet<Key>>,
    series: AtomicUsize,
    max_series: usize,
    edged: edged::AllEdged,
    table: Mutex<Arc<str>>,
    collectors: Mutex<Vec<Collector>>,
}

impl Metrics {
    /// A registry with room for `max_series` series of the exporter.
    ///
    /// # Errors
    /// When the edges of a histogram of the catalogue are empty.
    pub fn new(max_series: usize) -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for family in catalogue::ALL {
            if let Kind::Histogram(edges) = family.kind {
                builder =
                    builder.set_buckets_for_metric(Matcher::Full(family.name.to_owned()), edges)?;
            }
        }
        let recorder = builder.build_recorder();
        for family in catalogue::ALL {
            describe(&recorder, family);
        }
        Ok(Self {
            handle: recorder.handle(),
            recorder,
            known: Mutex::default(),
            series: AtomicUsize::new(0),
            max_series,
            edged: edged::AllEdged::default(),
            table: Mutex::new(Arc::from("")),
            collectors: Mutex::default(),
        })
    }

    /// The counter of `family` with these label values, in the catalogue's order.
    pub fn counter(&self, family: &'static Family, values: &[&str]) -> Counter {
        let key = self.register(family, values);
        self.recorder.register_counter(&key, &METADATA)
    }

    /// The gauge of `family` with these label values, in the catalogue's order.
    pub fn gauge(&self, family: &'static Family, values: &[&str]) -> Gauge {
        let key = self.register(family, values);
        self.recorder.register_gauge(&key, &METADATA)
    }

    /// Shows `family` with these label values, in the catalogue's order, as 1. Labels whose value is empty
    /// are left out: to Prometheus that is the same, and to people it is less.
    pub fn info(&self, family: &'static Family, values: &[&str]) {
        let key = self.register_some(family, values, |value| !value.is_empty());
        self.recorder.register_gauge(&key, &METADATA).set(1.0);
    }

    /// The histogram of `family` with these label values, in the catalogue's order.
    pub fn histogram(&self, family: &'static Family, values: &[&str]) -> Histogram {
        let key = self.register(family, values);
        self.recorder.register_histogram(&key, &METADATA)
    }

    /// The histogram of `family` with these label values and edges, begun anew where it had others;
    /// `None`: there is no room for its series. For one thread that writes.
    pub fn edged(
        &self,
        family: &'static Family,
        values: &[&str],
        edges: &Arc<[f64]>,
    ) -> Option<Arc<Edged>> {
        debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
        let before = self.edged.series();
        let found = self
            .edged
            .get(family, values, edges, |series| self.has_room(series));
        let after = self.edged.series();
        self.series.fetch_add(after, Ordering::Relaxed);
        self.series.fetch_sub(before, Ordering::Relaxed);
        found
    }

    /// Whether `series` more fit under `metrics.max_series`; those who would add a label value
    /// ask first, and say `other` when not.
    pub fn has_room(&self, series: usize) -> bool {
        self.series.load(Ordering::Relaxed) + series <= self.max_series
    }

    /// Replaces the series that retire, all at once.
    pub fn publish(&self, table: &Table) {
        *lock(&self.table) = Arc::from(table.render());
    }

    /// Has `collect` asked at every scrape. It must not block.
    pub fn add_collector(&self, collect: impl Fn(&mut Table) + Send + Sync + 'static) {
        lock(&self.collectors).push(Box::new(collect));
    }

    /// Moves queued samples into their buckets; due every second, or they queue until a scrape.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// One scrape in the text exposition format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = self.handle.render();
        text.push_str(&Arc::clone(&lock(&self.table)));
        let mut asked = Table::default();
        self.edged.push(&mut asked);
        for collect in lock(&self.collectors).iter() {
            collect(&mut asked);
        }
        text.push_str(&asked.render());
        text
    }

    fn register(&self, family: &'static Family, values: &[&str]) -> Key {
        self.register_some(family, values, |_| true)
    }

    fn register_some(
        &self,
        family: &'static Family,
        values: &[&str],
        is_shown: impl Fn(&str) -> bool,
    ) -> Key {
        debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
        let labels: Vec<Label> = family
            .labels
            .iter()
            .zip(values)
            .filter(|(_, value)| is_shown(value))
            .map(|(&name, &value)| Label::new(name, value.to_owned()))
            .collect();
        let key = Key::from_parts(family.name, labels);
        if lock(&self.known).insert(key.clone()) {
            self.series
                .fetch_add(family.kind.series(), Ordering::Relaxed);
        }
        key
    }
}

fn describe(recorder: &PrometheusRecorder, family: &'static Family) {
    let name = KeyName::from_const_str(family.name);
    match family.kind {
        Kind::Counter => recorder.describe_counter(name, None, family.help.into()),
        Kind::Gauge => recorder.describe_gauge(name, None, family.help.into()),
        Kind::Histogram(_) => recorder.describe_histogram(name, None, family.help.into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_holds_exporter_table_and_collected_series() {
        let metrics = Metrics::new(100).unwrap();
        metrics
            .counter(&catalogue::REQUESTS, &["POST", "/predict", "200"])
            .increment(3);
        let mut table = Table::default();
        table.push(&catalogue::MODEL_LOADED, &["default", "1.0.0"], 1.0);
        metrics.publish(&table);
        metrics.add_collector(|t| t.push(&catalogue::QUEUE_EXCHANGES, &[], 7.0));
        let text = metrics.render();
        for line in [
            r#"ml_api_requests_total{method="POST",endpoint="/predict",status_code="200"} 3"#,
            r#"ml_model_loaded{model="default",model_version="1.0.0"} 1"#,
            "sidelight_queue_exchanges 7",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn room_counts_each_series_once_and_histograms_with_their_buckets() {
        let metrics = Metrics::new(40).unwrap();
        for _ in 0..9 {
            metrics
                .counter(&catalogue::REQUESTS, &["GET", "/", "200"])
                .increment(1);
        }
        assert!(metrics.has_room(39));
        metrics
            .histogram(&catalogue::CONFIDENCE, &["m", "1"])
            .record(0.5);
        assert!(metrics.has_room(39 - catalogue::CONFIDENCE.kind.series()));
        assert!(!metrics.has_room(40 - catalogue::CONFIDENCE.kind.series()));
    }

    #[test]
    fn an_info_has_the_labels_of_which_something_is_known() {
        let metrics = Metrics::new(100).unwrap();
        metrics.info(&catalogue::BUILD_INFO, &["1.2.3", "iris-0", "", ""]);
        let expected = r#"sidelight_build_info{version="1.2.3",pod_name="iris-0"} 1"#;
        let text = metrics.render();
        assert!(text.lines().any(|line| line == expected), "{text}");
    }

    #[test]
    fn every_edge_of_the_catalogue_is_rendered() {
        let metrics = Metrics::new(100).unwrap();
        metrics
            .histogram(&catalogue::REQUEST_DURATION, &["/predict"])
            .record(0.02);
        let text = metrics.render();
        let buckets = text.lines().filter(|l| l.contains("_bucket{")).count();
        assert_eq!(buckets, 21, "{text}");
        assert!(
            text.contains(r#"endpoint="/predict",le="0.025"} 1"#),
            "{text}"
        );
    }
}
