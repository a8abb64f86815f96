use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::*;
use crate::decode::{Column, Name, Output, Prediction, Scalar};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn settings() -> config::Log {
    config::Log {
        lines: Lines::One,
        level: config::Level::Info,
        logger: "ml-api".to_owned(),
        features: config::Features::All,
        redact: Vec::new(),
        redact_key: None,
        sample: 1.0,
        file: config::defaults().log.file,
    }
}

fn setosa() -> Inference {
    let column = |name: &str, value| Column {
        name: Name::Word(name.into()),
        values: [value].into_iter().collect(),
    };
    Inference {
        format: "iris",
        model: None,
        version: Some("1.0.0".to_owned()),
        rows: 1,
        features: vec![
            column("sepal_length", Scalar::Number(5.1)),
            column("owner", Scalar::Text("Ada\n\u{1b}[2J".into())),
            column("petal_width", Scalar::Missing),
        ],
        outputs: vec![Output::new(
            Prediction::Name("setosa".into()),
            Some(0.987_654_321),
        )],
        ..Inference::default()
    }
}

fn batch() -> Inference {
    let mut inference = setosa();
    inference.rows = 2;
    for column in &mut inference.features {
        column.values.push(Scalar::Number(4.0));
    }
    inference.outputs.push(Output::from(Prediction::Unknown));
    inference
}

/// The text that `settings` make of these exchanges.
fn written(settings: config::Log, exchanges: &[(Exchange, Option<Inference>)]) -> String {
    written_with(settings, Common::default(), exchanges)
}

fn written_with(
    settings: config::Log,
    common: Common,
    exchanges: &[(Exchange, Option<Inference>)],
) -> String {
    let out = Shared::default();
    let (sink, writer) = Sink::start(out.clone(), 1 << 20).unwrap();
    let mut log = AccessLog::new(sink, settings, common).unwrap();
    for (exchange, inference) in exchanges {
        let seen = inference.as_ref().map(|inference| Seen {
            inference,
            model: "default",
            version: "1.0.0",
        });
        log.write(exchange, seen);
    }
    log.flush_if_due(true);
    writer.finish(Duration::from_mins(1));
    String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
}

fn lines(settings: config::Log, exchange: Exchange, inference: Option<Inference>) -> Vec<Value> {
    written(settings, &[(exchange, inference)])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn exchange() -> Exchange {
    Exchange::example("/predict", "", "")
}

#[test]
fn one_line_has_everything_that_is_known() {
    let mut exchange = exchange();
    exchange.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned());
    let line = &lines(settings(), exchange, Some(setosa()))[0];
    let expected = json!({
        "timestamp": "2026-11-24T08:00:00.012345Z",
        "level": "INFO",
        "logger": "ml-api",
        "message": "Request completed",
        "request_id": "0192f5d4-0000-7000-8000-000000000001",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "method": "POST",
        "path": "/predict",
        "client_ip": "127.0.0.1",
        "status_code": 200,
        "duration_ms": 12.345,
        "upstream_ms": 12.0,
        "model": "default",
        "model_version": "1.0.0",
        "prediction": "setosa",
        "confidence": 0.987_654_321,
        "items": 1,
        "features": {"sepal_length": 5.1, "owner": "Ada\n\u{1b}[2J", "petal_width": null},
    });
    assert_eq!(*line, expected);
}

#[test]
fn control_characters_cannot_break_a_line() {
    let mut exchange = exchange();
    exchange.path = "/a\nb\r\u{1b}[31m".to_owned();
    let text = written(settings(), &[(exchange, Some(setosa()))]);
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.bytes().all(|b| b == b'\n' || !b.is_ascii_control()),
        "{text:?}"
    );
}

#[test]
fn a_batch_has_lists_and_a_visible_absence_of_confidence() {
    let line = &lines(settings(), exchange(), Some(batch()))[0];
    assert_eq!(line["items"], 2);
    assert_eq!(line["prediction"], json!(["setosa", null]));
    assert_eq!(line["confidence"], json!([0.987_654_321, null]));
    assert_eq!(line["features"]["petal_width"], json!([null, 4.0]));
}

#[test]
fn a_failure_says_whose_fault_it_was() {
    let mut exchange = exchange();
    exchange.status = 502;
    exchange.fault = Some(Fault::Upstream);
    exchange.error = Some("connect_refused");
    exchange.upstream = None;
    let line = &lines(settings(), exchange, None)[0];
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["message"], "Request failed");
    assert_eq!(line["fault"], "upstream");
    assert_eq!(line["error"], "connect_refused");
    assert!(line.get("prediction").is_none() && line.get("upstream_ms").is_none());
}

#[test]
fn a_call_of_grpc_that_failed_says_so_and_whose_fault_it_was() {
    for (status, fault, level, message) in [
        (3, Fault::Client, "WARNING", "Request completed"),
        (13, Fault::Upstream, "ERROR", "Request failed"),
    ] {
        let mut exchange = exchange();
        exchange.grpc_status = Some(status);
        exchange.fault = Some(fault);
        let line = &lines(settings(), exchange, None)[0];
        assert_eq!(line["level"], level);
        assert_eq!(line["message"], message);
        assert_eq!(line["fault"], fault.label());
        assert_eq!(line["grpc_status"], status);
        assert_eq!(line["status_code"], 200);
    }
}

#[test]
fn separate_lines_are_the_pages_four_each_at_its_own_time() {
    let settings = config::Log {
        lines: Lines::Separate,
        ..settings()
    };
    let lines = lines(settings, exchange(), Some(setosa()));
    let messages: Vec<_> = lines
        .iter()
        .map(|l| l["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "Request started",
            "Prediction request",
            "Prediction result",
            "Request completed"
        ]
    );
    let times: Vec<_> = lines
        .iter()
        .map(|l| l["timestamp"].as_str().unwrap())
        .collect();
    assert_eq!(
        times,
        [
            "2026-11-24T08:00:00.000000Z",
            "2026-11-24T08:00:00.000100Z",
            "2026-11-24T08:00:00.012100Z",
            "2026-11-24T08:00:00.012345Z"
        ]
    );
    let fields = |line: &Value| {
        let common = ["timestamp", "level", "logger", "message", "request_id"];
        let mut names: Vec<String> = line.as_object().unwrap().keys().cloned().collect();
        names.retain(|name| !common.contains(&name.as_str()));
        names.sort();
        names.join(" ")
    };
    assert_eq!(fields(&lines[0]), "client_ip method path");
    assert_eq!(fields(&lines[1]), "features");
    assert_eq!(fields(&lines[2]), "confidence model_version prediction");
    assert_eq!(fields(&lines[3]), "duration_ms status_code");
    assert_eq!(lines[2]["confidence"], 0.9877);
    assert_eq!(lines[3]["duration_ms"], 12.35);
}

#[test]
fn features_are_logged_as_named_and_hidden_as_redacted() {
    let named = config::Log {
        features: config::Features::Named(vec!["owner".to_owned()]),
        redact: vec![
            "owner".to_owned(),
            "client_ip".to_owned(),
            "prediction".to_owned(),
            "confidence".to_owned(),
            "model".to_owned(),
        ],
        redact_key: Some(serde_json::from_str("\"k\"").unwrap()),
        ..settings()
    };
    let line = &lines(named.clone(), exchange(), Some(setosa()))[0];
    let features = line["features"].as_object().unwrap();
    assert_eq!(features.len(), 1);
    let fields = ["client_ip", "prediction", "confidence", "model"].map(|name| &line[name]);
    for hidden in fields.into_iter().chain([&features["owner"]]) {
        assert!(hidden.as_str().unwrap().starts_with("hmac:"), "{hidden}");
    }
    let again = &lines(named, exchange(), Some(setosa()))[0];
    assert_eq!(line["features"], again["features"], "one key, one hash");

    let none = config::Log {
        features: config::Features::None,
        ..settings()
    };
    assert!(
        lines(none, exchange(), Some(setosa()))[0]
            .get("features")
            .is_none()
    );
}

#[test]
fn a_sample_keeps_its_share_and_every_failure() {
    let sampled = config::Log {
        sample: 0.25,
        ..settings()
    };
    let exchanges: Vec<_> = (0..4000)
        .map(|i| {
            let mut exchange = exchange();
            exchange.request_id = format!("request-{i}");
            exchange.status = if i % 4 == 0 { 503 } else { 200 };
            (exchange, None)
        })
        .collect();
    let text = written(sampled.clone(), &exchanges);
    let failed = text.matches("Request failed").count();
    let completed = text.matches("Request completed").count();
    assert_eq!(failed, 1000);
    assert!((650..850).contains(&completed), "{completed} of 3000");
    assert_eq!(text, written(sampled, &exchanges), "by the id alone");
}

#[test]
fn off_writes_nothing() {
    let off = config::Log {
        lines: Lines::Off,
        ..settings()
    };
    assert_eq!(written(off, &[(exchange(), Some(setosa()))]), "");
}

/// Names and values with everything that JSON writes in another way than it is.
fn awkward() -> (Exchange, Inference) {
    let mut exchange = exchange();
    exchange.request_id = "q\"b\\s/t\tn\nr\r\u{8}\u{c}\u{0}\u{1f}\u{7f}".to_owned();
    exchange.path = "/ü/\u{2028}\u{2029}/😀/\u{85}".to_owned();
    exchange.trace_id = Some(String::new());
    exchange.client_ip = "2001:db8::ff00:42:8329".parse().unwrap();
    exchange.duration = Duration::from_micros(1_000_007);
    exchange.upstream = Some(Duration::from_nanos(1));
    exchange.forwarded_after = None;
    exchange.status = 422;
    exchange.fault = Some(Fault::Client);
    let numbers = [
        0.0,
        -0.0,
        1.0,
        1e21,
        1e-7,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        0.1 + 0.2,
        123_456_789_012_345_680.0,
    ];
    let rows = numbers.len();
    let column = |name: &str, values: Vec<Scalar>| Column {
        name: Name::Word(name.into()),
        values: values.into_iter().collect(),
    };
    let texts = (0..rows).map(|i| Scalar::Text("\"\\\n\u{1b}é\u{2028}".repeat(i).into()));
    let inference = Inference {
        rows,
        features: vec![
            column("numbers", numbers.map(Scalar::Number).to_vec()),
            column("a\"b\\c\n\u{0}é\u{2028}", texts.collect()),
            column("", vec![Scalar::Bool(true); rows]),
            column("none", vec![Scalar::Missing; rows]),
        ],
        outputs: ["\"\u{1}\u{7f}ß", "plain"]
            .map(|class| Output::new(Prediction::Name(class.into()), Some(1.0 / 3.0)))
            .to_vec(),
        ..setosa()
    };
    (exchange, inference)
}

#[test]
fn lines_are_byte_for_byte_what_they_always_were() {
    let separate = config::Log {
        lines: Lines::Separate,
        ..settings()
    };
    let redacted = config::Log {
        redact: [
            "client_ip",
            "path",
            "numbers",
            "",
            "confidence",
            "prediction",
        ]
        .map(str::to_owned)
        .to_vec(),
        redact_key: Some(serde_json::from_str("\"k\"").unwrap()),
        logger: "a \"logger\"\n".to_owned(),
        ..settings()
    };
    let mut failed = exchange();
    failed.status = 502;
    failed.fault = Some(Fault::Upstream);
    failed.error = Some("connect_refused");
    failed.method = None;
    failed.upstream = None;
    let (exchange, inference) = awkward();
    let all = [
        (exchange, Some(inference)),
        (self::exchange(), Some(setosa())),
        (failed, None),
    ];
    let text: String = [settings(), separate, redacted]
        .map(|settings| written(settings, &all))
        .concat();
    let expected = include_str!("tests/lines.jsonl");
    for (line, expected) in text.lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(text.len(), expected.len());
}

#[test]
fn every_line_ends_with_the_fields_that_are_common_to_all() {
    for form in [Lines::One, Lines::Separate] {
        let settings = config::Log {
            lines: form,
            ..settings()
        };
        let exchanges = [(exchange(), Some(setosa())), (exchange(), None)];
        let common = Common::new([("pod_name", "iris-0"), ("node_name", "a")]);
        let without = written(settings.clone(), &exchanges);
        let with = written_with(settings, common, &exchanges);
        for (with, without) in with.lines().zip(without.lines()) {
            let expected = without.strip_suffix('}').unwrap();
            assert_eq!(
                with,
                format!(r#"{expected},"pod_name":"iris-0","node_name":"a"}}"#)
            );
        }
        assert_eq!(with.lines().count(), without.lines().count());
        assert!(with.lines().count() >= 2);
    }
}
