//! Lines and spans of exchanges that the observer itself has read.

use std::{fs::File, sync::Arc, time::Duration};

use http::Method;
use prost::Message as _;
use serde_json::Value as Json;
use sidelight::{
    capture::{
        Exchange, Fault,
        exchange::Message,
        policy::Interest,
        queue,
        tee::{Captured, End},
        trace::Parent,
    },
    config::{Config, Signal},
    observe::worker,
    otlp::{Outlet, proto},
    telemetry::Sink,
};

use super::{
    Running, attribute,
    collector::{Asked, Collector, Said},
    config, count, start,
};

const PARENT: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
const TRACE: [u8; 16] = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
const SPAN: [u8; 8] = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();

fn body(text: &str) -> Message {
    let mut message = Message::default();
    message.content_type = Some("application/json".to_owned());
    message.body = Some(Captured {
        passed: text.len() as u64,
        bytes: text.as_bytes().to_vec(),
        end: End::Complete,
        trailers: false,
        outcome: None,
    });
    message
}

/// A prediction for two rows.
fn prediction(id: &str) -> Exchange {
    let request = r#"{"instances": [{"age": 41}, {"age": 7}]}"#;
    let response =
        r#"{"predictions": [{"label": "yes", "score": 0.75}, {"label": "no", "score": 0.5}]}"#;
    Exchange {
        request_id: id.to_owned(),
        method: Some(Method::POST),
        path: "/v1/models/churn:predict".to_owned(),
        endpoint: "/v1/models/{model}:predict".into(),
        started: Duration::from_hours(498_752),
        duration: Duration::from_millis(20),
        upstream: Some(Duration::from_millis(15)),
        status: 200,
        interest: Interest::Bodies,
        request: body(request),
        response: body(response),
        ..Exchange::default()
    }
}

fn with_parent(flags: &str, exchange: Exchange) -> Exchange {
    let parent = Parent::of(&format!("00-{PARENT}-{flags}"));
    assert!(parent.is_some());
    Exchange { parent, ..exchange }
}

/// Has the observer read `exchanges`; gives the lines that it wrote.
fn observe(outlet: &Outlet, config: &Config, exchanges: Vec<Exchange>) -> Vec<Json> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let (sink, writer) = Sink::start(File::create(&file).unwrap(), 1 << 20).unwrap();
    let (offer, take) = queue::queue(&config.capture);
    let metrics = Arc::new(sidelight::metrics::Metrics::new(1000).unwrap());
    let begin = worker::Begin {
        export: outlet.clone(),
        ..worker::Begin::default()
    };
    let settings = worker::Settings::new(config);
    let (_, observer) = worker::start(take, metrics, sink, settings, begin).unwrap();
    for exchange in exchanges {
        offer.offer(Box::new(exchange)).unwrap();
    }
    drop(offer);
    observer.join().unwrap();
    writer.finish(super::PATIENCE);
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn spans(asked: &[Asked]) -> Vec<proto::Span> {
    let traces = asked.iter().filter(|a| a.line.contains("/v1/traces"));
    let requests = traces.map(|a| proto::TracesRequest::decode(a.body.as_slice()).unwrap());
    let all = requests.flat_map(|r| r.resource_spans);
    let scopes = all.flat_map(|r| r.scope_spans);
    scopes.flat_map(|s| s.spans).collect()
}

fn records(asked: &[Asked]) -> Vec<proto::LogRecord> {
    let logs = asked.iter().filter(|a| a.line.contains("/v1/logs"));
    let requests = logs.map(|a| proto::LogsRequest::decode(a.body.as_slice()).unwrap());
    let all = requests.flat_map(|r| r.resource_logs);
    let scopes = all.flat_map(|r| r.scope_logs);
    scopes.flat_map(|s| s.log_records).collect()
}

/// Ends it and says what of a signal was counted.
async fn finished(running: Running, signal: Signal) -> [u64; 4] {
    let metrics = Arc::clone(&running.metrics);
    running.exporter.finish().await;
    ["exported", "rejected", "given_up", "dropped"].map(|outcome| {
        let labels = [signal.word(), outcome];
        count(&metrics, "sidelight_otlp_exported_total", &labels)
    })
}

#[tokio::test]
async fn each_exchange_is_a_span_below_its_client_and_its_line_belongs_to_it() {
    let collector = Collector::start(&[]).await;
    let keys = [
        ("ENDPOINT", collector.url("")),
        ("LOG__FEATURES", "all".to_owned()),
    ];
    let keys = keys.each_ref().map(|(key, value)| (*key, value.as_str()));
    let running = start(&keys);
    let mut fails = prediction("fails");
    fails.status = 502;
    (fails.fault, fails.error) = (Some(Fault::Upstream), Some("upstream_connect"));
    fails.interest = Interest::Head;
    fails.endpoint = "other".into();
    let lines = observe(
        &running.outlet,
        &config(&keys),
        vec![
            with_parent("01", prediction("sampled")),
            with_parent("00", prediction("not sampled")),
            fails,
        ],
    );
    running.exporter.finish().await;
    let asked = collector.asked();
    let (spans, records) = (spans(&asked), records(&asked));
    assert_eq!((spans.len(), records.len(), lines.len()), (2, 3, 3));

    let span = &spans[0];
    assert_eq!(span.name, "POST /v1/models/{model}:predict");
    assert_eq!(span.trace_id, TRACE);
    assert_eq!(span.parent_span_id, SPAN);
    assert_eq!(
        span.end_time_unix_nano - span.start_time_unix_nano,
        20_000_000
    );
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("server.port", "8080"),
        ("sidelight.request_id", "sampled"),
        ("sidelight.model", "churn"),
        ("sidelight.items", "2"),
        ("sidelight.predicted_classes", "2"),
    ] {
        let found = attribute(&span.attributes, key);
        assert_eq!(found.as_deref(), Some(value), "{key} {:?}", span.attributes);
    }
    let root = &spans[1];
    assert_eq!(root.name, "POST");
    assert!(root.parent_span_id.is_empty() && root.trace_id != TRACE);
    assert_eq!(root.status.as_ref().unwrap().code, proto::ERROR);
    assert_eq!(
        attribute(&root.attributes, "error.type").unwrap(),
        "upstream_connect"
    );
    assert_eq!(attribute(&root.attributes, "http.route"), None);

    // a line stands in the span that was made of its exchange, or else in that of the client
    let contexts = records
        .iter()
        .map(|r| (r.trace_id.as_slice(), r.span_id.as_slice()));
    let contexts: Vec<_> = contexts.collect();
    assert_eq!(
        contexts[0],
        (span.trace_id.as_slice(), span.span_id.as_slice())
    );
    assert_eq!(contexts[1], (TRACE.as_slice(), SPAN.as_slice()));
    assert_eq!(
        contexts[2],
        (root.trace_id.as_slice(), root.span_id.as_slice())
    );
    let severities: Vec<_> = records.iter().map(|r| r.severity_text.as_str()).collect();
    assert_eq!(severities, ["INFO", "INFO", "ERROR"]);
    for (record, line) in records.iter().zip(&lines) {
        let line = line.as_object().unwrap();
        assert_eq!(record.attributes.len(), line.len() - 3);
        for key in ["request_id", "path", "status_code", "model", "error"] {
            let said = line
                .get(key)
                .map(|value| value.to_string().replace('"', ""));
            assert_eq!(attribute(&record.attributes, key), said, "{key}");
        }
    }
}

#[tokio::test]
async fn what_the_log_hides_is_hidden_from_the_collector_too() {
    let collector = Collector::start(&[]).await;
    let url = collector.url("");
    let keys = [
        ("ENDPOINT", url.as_str()),
        ("LOG__FEATURES", "all"),
        (
            "LOG__REDACT",
            "request_id,trace_id,path,client_ip,model,model_version,prediction,age",
        ),
    ];
    let running = start(&keys);
    let exchange = with_parent("01", prediction("hunter2"));
    observe(&running.outlet, &config(&keys), vec![exchange]);
    running.exporter.finish().await;
    let asked = collector.asked();
    assert_eq!((spans(&asked).len(), records(&asked).len()), (1, 1));
    assert!(records(&asked)[0].trace_id.is_empty());
    for request in asked.iter().filter(|a| !a.line.contains("metrics")) {
        let text = String::from_utf8_lossy(&request.body);
        for hidden in ["hunter2", "churn", "0.0.0.0", "yes"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert!(text.contains("hmac:"), "{text}");
    }
}

#[tokio::test]
async fn without_lines_in_the_log_there_are_none_for_the_collector_and_four_are_four() {
    for (lines, expected) in [("off", 0), ("separate", 4)] {
        let collector = Collector::start(&[]).await;
        let url = collector.url("");
        let keys = [
            ("ENDPOINT", url.as_str()),
            ("LOG__LINES", lines),
            ("SIGNALS", "logs"),
        ];
        let running = start(&keys);
        observe(&running.outlet, &config(&keys), vec![prediction("a")]);
        running.exporter.finish().await;
        let asked = collector.asked();
        assert_eq!(records(&asked).len(), expected, "{lines}");
        assert!(spans(&asked).is_empty() && asked.iter().all(|a| a.line.contains("/v1/logs")));
    }
}

#[tokio::test]
async fn a_collector_that_is_silent_costs_records_and_never_more_memory_than_the_bound() {
    let collector = Collector::start(&[Said::Silence; 99]).await;
    let url = collector.url("");
    let keys = [
        ("ENDPOINT", url.as_str()),
        ("QUEUE_RECORDS", "10"),
        ("SIGNALS", "traces"),
        ("TIMEOUT", "1m"),
    ];
    let running = start(&keys);
    let exchanges = (0..200).map(|_| prediction("a")).collect();
    observe(&running.outlet, &config(&keys), exchanges);
    let waiting = count(
        &running.metrics,
        "sidelight_otlp_queue_records",
        &["traces"],
    );
    assert!(waiting <= 10, "{waiting}");
    let [exported, rejected, given_up, dropped] = finished(running, Signal::Traces).await;
    assert_eq!((exported, rejected), (0, 0));
    // each is counted once; a batch may have been on its way when more came
    assert_eq!(given_up + dropped, 200);
    assert!(dropped >= 180, "{dropped}");
}

#[tokio::test]
async fn spans_that_a_collector_cannot_take_now_arrive_later_in_their_order() {
    let later = [
        Said::Status(503),
        Said::RetryAfter(429, "1"),
        Said::Status(504),
    ];
    let collector = Collector::start(&later).await;
    let url = collector.url("");
    let keys = [("ENDPOINT", url.as_str()), ("SIGNALS", "traces")];
    let running = start(&keys);
    let ids = ["a", "b", "c"];
    observe(
        &running.outlet,
        &config(&keys),
        ids.map(prediction).to_vec(),
    );
    let exported = |r: &Running| r.ended(Signal::Traces, "exported");
    running
        .until("they are exported", |r| exported(r) == 3)
        .await;
    let asked = collector.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.windows(2).all(|two| two[0].body == two[1].body));
    let found = spans(&asked[3..]);
    let found: Vec<_> = found
        .iter()
        .map(|s| attribute(&s.attributes, "sidelight.request_id").unwrap())
        .collect();
    assert_eq!(found, ids);
    let retries = count(
        &running.metrics,
        "sidelight_otlp_retries_total",
        &["traces"],
    );
    assert_eq!(retries, 3);
    assert_eq!(finished(running, Signal::Traces).await, [3, 0, 0, 0]);
}

#[tokio::test]
async fn what_is_refused_once_or_for_too_long_is_counted_and_what_follows_is_tried() {
    let said = [Said::Status(500), Said::Status(503)];
    let collector = Collector::start(&said).await;
    let url = collector.url("");
    let keys = [
        ("ENDPOINT", url.as_str()),
        ("SIGNALS", "traces"),
        ("GIVE_UP_AFTER", "0"),
    ];
    let running = start(&keys);
    for outcome in ["rejected", "given_up", "exported"] {
        observe(&running.outlet, &config(&keys), vec![prediction("a")]);
        running
            .until(outcome, |r| r.ended(Signal::Traces, outcome) == 1)
            .await;
        // the pause after a failure is over
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(collector.asked().len(), 3);
    assert_eq!(finished(running, Signal::Traces).await, [1, 1, 1, 0]);
}
