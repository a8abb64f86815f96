//! What passed, read from a scrape of our own.

use std::collections::{BTreeMap, HashMap};

use super::state::{Endpoint, Failure, Histogram, Traffic, Values};
use crate::metrics::{
    catalogue::{self, Family, Kind},
    exposition::{self, Buckets, Read, Series, Value},
};

/// Endpoints that are listed.
pub(super) const ENDPOINTS: usize = 20;
/// Failures that are listed: there are fewer kinds.
const FAILURES: usize = 64;

/// What of a scrape is read.
static FAMILIES: &[&Family] = &[
    &catalogue::REQUESTS,
    &catalogue::REQUEST_DURATION,
    &catalogue::ACTIVE_REQUESTS,
    &catalogue::FAILURES,
    &catalogue::FAULTS,
    &catalogue::SHED,
    &catalogue::EXCHANGES,
    &catalogue::OBSERVED,
    &catalogue::QUEUE_EXCHANGES,
    &catalogue::QUEUE_BYTES,
    &catalogue::LOG_LINES,
    &catalogue::PANICS,
    &catalogue::PREDICTIONS,
    &catalogue::CONFIDENCE,
    &catalogue::PREDICTION_VALUE,
    &catalogue::INFERENCE,
];

/// One scrape.
pub(super) struct Scrape(Vec<Read>);

/// What one version of a model has counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Items by class.
    pub(super) classes: Vec<(String, u64)>,
    pub(super) confidence: Option<Histogram>,
    pub(super) values: Option<Values>,
    pub(super) inference: Option<Histogram>,
}

impl Scrape {
    pub(super) fn of(text: &str) -> Self {
        Self(exposition::read(text, FAMILIES))
    }

    pub(super) fn traffic(&self) -> Traffic {
        let (endpoints, endpoints_left_out) = self.endpoints();
        Traffic {
            requests: self.requests(),
            in_flight: self.sum(&catalogue::ACTIVE_REQUESTS),
            failures: self.failures(),
            faults: self.by(&catalogue::FAULTS, "fault"),
            shed: self.by(&catalogue::SHED, "reason"),
            exchanges: self.by(&catalogue::EXCHANGES, "outcome"),
            observed: self.by(&catalogue::OBSERVED, "result"),
            queue_exchanges: self.sum(&catalogue::QUEUE_EXCHANGES),
            queue_bytes: self.sum(&catalogue::QUEUE_BYTES),
            log_lines: self.by(&catalogue::LOG_LINES, "outcome"),
            panics: {
                let mut panics = self.by(&catalogue::PANICS, "part");
                panics.retain(|_, count| *count > 0);
                panics
            },
            endpoints,
            endpoints_left_out,
        }
    }

    /// By model and version.
    pub(super) fn counted(&self) -> HashMap<(String, String), Counted> {
        let mut all = HashMap::<_, Counted>::new();
        for series in self.series(&catalogue::PREDICTIONS) {
            let class = label(series, "predicted_class").to_owned();
            let counted = all.entry(whose(series)).or_default();
            counted.classes.push((class, number(series)));
        }
        for series in self.series(&catalogue::CONFIDENCE) {
            all.entry(whose(series)).or_default().confidence = histogram(series);
        }
        for series in self.series(&catalogue::INFERENCE) {
            all.entry(whose(series)).or_default().inference = histogram(series);
        }
        for series in self.series(&catalogue::PREDICTION_VALUE) {
            let Value::Histogram(buckets) = &series.value else {
                continue;
            };
            all.entry(whose(series)).or_default().values = Some(Values {
                edges: buckets.edges.clone(),
                histogram: buckets.into(),
            });
        }
        all
    }

    fn series(&self, family: &'static Family) -> &[Series] {
        let read = self.0.iter().find(|read| read.family.name == family.name);
        read.map_or(&[], |read| &read.series)
    }

    fn sum(&self, family: &'static Family) -> u64 {
        self.series(family).iter().map(number).sum()
    }

    fn by(&self, family: &'static Family, name: &str) -> BTreeMap<String, u64> {
        let series = self.series(family).iter();
        series
            .map(|series| (label(series, name).to_owned(), number(series)))
            .collect()
    }

    fn requests(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for series in self.series(&catalogue::REQUESTS) {
            *all.entry(class(series)).or_default() += number(series);
        }
        all
    }

    fn failures(&self) -> Vec<Failure> {
        let series = self.series(&catalogue::FAILURES).iter();
        let all = series.map(|series| Failure {
            fault: label(series, "fault").to_owned(),
            reason: label(series, "reason").to_owned(),
            count: number(series),
        });
        let mut all: Vec<Failure> = all.filter(|failure| failure.count > 0).collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        all.truncate(FAILURES);
        all
    }

    fn endpoints(&self) -> (Vec<Endpoint>, usize) {
        let mut all = BTreeMap::<&str, Endpoint>::new();
        for series in self.series(&catalogue::REQUESTS) {
            let endpoint = all.entry(label(series, "endpoint")).or_default();
            *endpoint.requests.entry(class(series)).or_default() += number(series);
        }
        for series in self.series(&catalogue::REQUEST_DURATION) {
            let endpoint = all.entry(label(series, "endpoint")).or_default();
            endpoint.duration = histogram(series);
        }
        let named = all.into_iter().map(|(name, endpoint)| Endpoint {
            endpoint: name.to_owned(),
            ..endpoint
        });
        let mut all: Vec<Endpoint> = named.collect();
        all.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.requests.values().sum::<u64>()));
        let left_out = all.len().saturating_sub(ENDPOINTS);
        all.truncate(ENDPOINTS);
        (all, left_out)
    }
}

impl From<&Buckets> for Histogram {
    fn from(buckets: &Buckets) -> Self {
        Self {
            counts: buckets.counts.clone(),
            sum: buckets.sum,
            count: buckets.count,
        }
    }
}

/// The edges of a histogram of the catalogue.
pub(super) fn edges(family: &'static Family) -> &'static [f64] {
    match family.kind {
        Kind::Histogram(edges) => edges,
        Kind::Counter | Kind::Gauge => &[],
    }
}

fn histogram(series: &Series) -> Option<Histogram> {
    match &series.value {
        Value::Histogram(buckets) => Some(buckets.into()),
        Value::Number(_) => None,
    }
}

fn label<'a>(series: &'a Series, name: &str) -> &'a str {
    let found = series.labels.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value)
}

fn whose(series: &Series) -> (String, String) {
    let of = |name| label(series, name).to_owned();
    (of("model"), of("model_version"))
}

/// What a status is of; 499 is no answer of the model's.
fn class(series: &Series) -> String {
    match label(series, "status_code") {
        "499" => "499".to_owned(),
        status => format!("{}xx", status.get(..1).unwrap_or("?")),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts; it saturates"
)]
fn number(series: &Series) -> u64 {
    series.value.total() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn requests_are_counted_by_class_and_499_is_none_of_them() {
        let metrics = Metrics::new(5000).unwrap();
        let count = |endpoint: &str, status: &str, times| {
            let labels = ["POST", endpoint, status];
            metrics
                .counter(&catalogue::REQUESTS, &labels)
                .increment(times);
        };
        count("/predict", "200", 5);
        count("/predict", "201", 1);
        count("/predict", "404", 2);
        count("/predict", "499", 3);
        count("/other", "503", 1);
        metrics
            .histogram(&catalogue::REQUEST_DURATION, &["/predict"])
            .record(0.02);
        metrics.counter(&catalogue::PANICS, &["ops"]).increment(0);
        let traffic = Scrape::of(&metrics.render()).traffic();
        let expected = [("2xx", 6), ("499", 3), ("4xx", 2), ("5xx", 1)];
        let expected = expected.map(|(class, count)| (class.to_owned(), count));
        assert_eq!(traffic.requests, BTreeMap::from(expected));
        assert_eq!(traffic.endpoints[0].endpoint, "/predict");
        let duration = traffic.endpoints[0].duration.as_ref().unwrap();
        assert_eq!(
            duration.counts.len(),
            edges(&catalogue::REQUEST_DURATION).len() + 1
        );
        assert_eq!(
            (duration.count, duration.counts.iter().sum::<u64>()),
            (1, 1)
        );
        assert_eq!(traffic.endpoints[1].duration, None);
        assert!(traffic.panics.is_empty());
    }

    #[test]
    fn the_busiest_endpoints_are_listed_and_the_others_counted() {
        let metrics = Metrics::new(5000).unwrap();
        for i in 0..ENDPOINTS + 3 {
            let labels = ["GET", &format!("/{i}"), "200"];
            metrics
                .counter(&catalogue::REQUESTS, &labels)
                .increment(i as u64);
        }
        let traffic = Scrape::of(&metrics.render()).traffic();
        assert_eq!(
            (traffic.endpoints.len(), traffic.endpoints_left_out),
            (ENDPOINTS, 3)
        );
        assert_eq!(traffic.endpoints[0].endpoint, format!("/{}", ENDPOINTS + 2));
    }
}
