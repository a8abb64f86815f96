//! What a collector gets over real sockets, decoded: metrics, lines and spans; and what becomes of them when
//! it is down, slow or says no. Needs the feature `otlp`.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "otlp/collector.rs"]
mod collector;
#[path = "otlp/observed.rs"]
mod observed;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use collector::{Collector, Said};
use prost::Message;
use sidelight::{
    config::{Config, Signal, Sources},
    metrics::{Metrics, catalogue},
    otlp::{
        self, Changes, Exporter, Outlet,
        proto::{self, Data, KeyValue, Value},
    },
};

/// Far beyond what a slow machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// The configuration with these keys of `otlp`, or of another section that they name: `LOG__LINES`.
fn config(keys: &[(&str, &str)]) -> Config {
    let named = |key: &str| match key.split_once("__") {
        Some(_) => format!("SIDELIGHT_{key}"),
        None => format!("SIDELIGHT_OTLP__{key}"),
    };
    let keys = keys.iter();
    let env = keys.map(|(key, value)| (named(key), (*value).to_owned()));
    let sources = Sources {
        env: env.collect(),
        ..Sources::default()
    };
    sources.load().unwrap().config
}

struct Running {
    metrics: Arc<Metrics>,
    exporter: Exporter,
    changes: Changes,
    outlet: Outlet,
}

fn start(keys: &[(&str, &str)]) -> Running {
    let metrics = Arc::new(Metrics::new(1000).unwrap());
    let (exporter, changes, outlet) = otlp::start(&config(keys), &[], &metrics).unwrap();
    Running {
        metrics,
        exporter,
        changes,
        outlet,
    }
}

impl Running {
    fn ended(&self, signal: Signal, outcome: &str) -> u64 {
        let labels = [signal.word(), outcome];
        count(&self.metrics, "sidelight_otlp_exported_total", &labels)
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}\n{}",
                self.metrics.render()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The value of a series whose line has all of `labels`.
fn count(metrics: &Metrics, name: &str, labels: &[&str]) -> u64 {
    let text = metrics.render();
    let has = |line: &&str| {
        line.starts_with(name) && labels.iter().all(|l| line.contains(&format!("\"{l}\"")))
    };
    let line = text.lines().find(has).unwrap_or_default();
    let value = line.rsplit_once(' ').map_or("0", |(_, value)| value);
    value.parse().unwrap()
}

/// The text or number of an attribute.
fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|a| a.key == key)?;
    let value = found.value.as_ref()?.value.as_ref()?;
    Some(match value {
        Value::Text(text) => text.clone(),
        Value::Int(int) => int.to_string(),
        Value::Double(double) => double.to_string(),
        Value::Bool(is_true) => is_true.to_string(),
        other => format!("{other:?}"),
    })
}

#[tokio::test]
async fn metrics_are_exported_as_they_stand_with_who_says_so() {
    let collector = Collector::start(&[]).await;
    let running = start(&[
        ("ENDPOINT", &collector.url("/otel/")),
        ("INTERVAL", "1s"),
        ("HEADERS", "Authorization=Bearer hunter2"),
        ("RESOURCE", "service.name=fraud,team=a b"),
    ]);
    let requests = running
        .metrics
        .counter(&catalogue::REQUESTS, &["GET", "/a", "200"]);
    requests.increment(7);
    let seconds = running
        .metrics
        .histogram(&catalogue::REQUEST_DURATION, &["/a"]);
    seconds.record(0.02);
    seconds.record(100.0);
    collector.until_asked(2).await;
    let asked = collector.asked();
    let first = &asked[0];
    assert_eq!(first.line, "POST /otel/v1/metrics HTTP/1.1");
    for (name, value) in [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "gzip"),
        ("authorization", "Bearer hunter2"),
    ] {
        assert_eq!(first.field(name), value, "{name}");
    }
    let request = proto::MetricsRequest::decode(first.body.as_slice()).unwrap();
    let all = &request.resource_metrics[0];
    let resource = &all.resource.as_ref().unwrap().attributes;
    assert_eq!(attribute(resource, "service.name").unwrap(), "fraud");
    assert_eq!(attribute(resource, "team").unwrap(), "a b");
    assert_eq!(
        attribute(resource, "service.version").unwrap(),
        env!("CARGO_PKG_VERSION")
    );
    let metrics = &all.scope_metrics[0].metrics;
    let named = |name: &str| metrics.iter().find(|m| m.name == name).unwrap();
    let Some(Data::Sum(sum)) = &named("ml_api_requests_total").data else {
        panic!("no sum");
    };
    let point = &sum.data_points[0];
    assert_eq!(point.as_double, Some(7.0));
    assert_eq!(attribute(&point.attributes, "endpoint").unwrap(), "/a");
    assert!(point.start_time_unix_nano < point.time_unix_nano);
    let Some(Data::Histogram(histogram)) = &named("ml_api_request_duration_seconds").data else {
        panic!("no histogram");
    };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, point.sum), (2, Some(100.02)));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 2);
    running
        .until("points are counted", |r| {
            r.ended(Signal::Metrics, "exported") > 0
        })
        .await;

    running.exporter.finish().await;
}

#[tokio::test]
async fn what_happened_since_the_last_export_goes_with_the_end_even_where_one_is_on_its_way() {
    let collector = Collector::start(&[Said::Slow; 9]).await;
    let running = start(&[("ENDPOINT", &collector.url("")), ("INTERVAL", "1s")]);
    let requests = running
        .metrics
        .counter(&catalogue::REQUESTS, &["GET", "/a", "200"]);
    collector.until_asked(1).await;
    requests.increment(42);
    running.exporter.finish().await;
    let asked = collector.asked();
    let last = proto::MetricsRequest::decode(asked.last().unwrap().body.as_slice()).unwrap();
    let metrics = &last.resource_metrics[0].scope_metrics[0].metrics;
    let sum = metrics
        .iter()
        .find(|m| m.name == "ml_api_requests_total")
        .unwrap();
    let Some(Data::Sum(sum)) = &sum.data else {
        panic!("no sum");
    };
    assert_eq!(sum.data_points[0].as_double, Some(42.0));
}

#[tokio::test]
async fn metrics_that_a_collector_cannot_take_now_are_tried_again_until_the_next_are_due() {
    let later = Said::Status(503);
    let collector = Collector::start(&[later, later, Said::RetryAfter(429, "1")]).await;
    let running = start(&[
        ("ENDPOINT", &collector.url("")),
        ("INTERVAL", "5s"),
        ("COMPRESSION", "none"),
    ]);
    running
        .until("they are exported", |r| {
            r.ended(Signal::Metrics, "exported") > 0
        })
        .await;
    let asked = collector.asked();
    assert!(asked.len() >= 4);
    assert_eq!(asked[0].field("content-encoding"), "");
    assert!(asked[3].at - asked[2].at >= Duration::from_secs(1));
    let retries = count(
        &running.metrics,
        "sidelight_otlp_retries_total",
        &["metrics"],
    );
    let given_up = running.ended(Signal::Metrics, "given_up");
    assert!(retries > 0 || given_up > 0);
    running.exporter.finish().await;
}

#[tokio::test]
async fn what_a_collector_refuses_or_takes_in_part_is_counted_and_not_tried_again() {
    let collector = Collector::start(&[Said::Status(400), Said::Rejected(3)]).await;
    let running = start(&[("ENDPOINT", &collector.url("")), ("INTERVAL", "1s")]);
    let rejected = |r: &Running| r.ended(Signal::Metrics, "rejected");
    running
        .until("the first are refused", |r| rejected(r) > 0)
        .await;
    let first = rejected(&running);
    running
        .until("some are rejected", |r| rejected(r) > first)
        .await;
    assert_eq!(rejected(&running), first + 3);
    running
        .until("the others are counted", |r| {
            r.ended(Signal::Metrics, "exported") > 0
        })
        .await;
    assert_eq!(
        count(
            &running.metrics,
            "sidelight_otlp_retries_total",
            &["metrics"]
        ),
        0
    );
    running.exporter.finish().await;
}

#[tokio::test]
async fn a_collector_that_is_silent_delays_the_end_by_no_more_than_its_bound() {
    let collector = Collector::start(&[Said::Silence; 9]).await;
    let running = start(&[
        ("ENDPOINT", &collector.url("")),
        ("INTERVAL", "1s"),
        ("TIMEOUT", "1m"),
    ]);
    collector.until_asked(1).await;
    let begun = Instant::now();
    running.exporter.finish().await;
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn another_collector_is_used_from_a_reload_on_and_none_is_asked_without_an_endpoint() {
    let (first, second) = (Collector::start(&[]).await, Collector::start(&[]).await);
    let running = start(&[("ENDPOINT", &first.url("")), ("INTERVAL", "1s")]);
    first.until_asked(1).await;
    let changed = config(&[("ENDPOINT", &second.url("")), ("INTERVAL", "1s")]);
    running
        .changes
        .replace(otlp::Settings::new(&changed, &[]).unwrap());
    second.until_asked(2).await;
    let nowhere = config(&[("INTERVAL", "1s")]);
    running
        .changes
        .replace(otlp::Settings::new(&nowhere, &[]).unwrap());
    let asked = first.asked().len();
    running.exporter.finish().await;
    assert_eq!(first.asked().len(), asked);
}
