//! In a pod: probes that are no predictions, and lines that say where they are from.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::{fs, path::Path as File, time::Duration};

use serde_json::Value;
use sidelight::{
    app::{baseline, history},
    observe::worker,
    telemetry::{Common, FileLog, FileSettings, Sink},
};

use super::path::{Client, Path, ROW, config, model_server};

const LONG: Duration = Duration::from_mins(1);

/// A request as the kubelet or a client of another name would send it.
fn predict(client: &mut Client, agent: &str, path: &str) {
    let length = ROW.len();
    let (head, _) = client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: model\r\nUser-Agent: {agent}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{ROW}"
    ));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[test]
fn probes_of_kubernetes_are_requests_and_never_predictions() {
    let config = config(1000);
    let path = Path::start(&config, model_server());
    let mut client = Client::connect(path.proxy.address);
    for agent in [
        "kube-probe/1.36",
        "kube-probe/",
        "curl/8.5",
        "not-kube-probe/1",
    ] {
        predict(&mut client, agent, "/predict");
    }
    let (head, _) =
        client.send("GET /health HTTP/1.1\r\nHost: model\r\nUser-Agent: kube-probe/1.36\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop(client);
    let counted = path.finish(&config);
    counted.assert_books_balance();
    assert_eq!(counted.sum("ml_api_requests_total{"), 5.0);
    assert_eq!(counted.sum("ml_api_request_duration_seconds_count{"), 5.0);
    for of_predictions in [
        "ml_model_predictions_total{",
        "ml_model_prediction_confidence_count{",
        "ml_model_inference_seconds_count{",
        "sidelight_observed_total{",
    ] {
        assert_eq!(counted.sum(of_predictions), 2.0, "{of_predictions}");
    }
    let not_wanted = r#"sidelight_exchanges_total{outcome="not_wanted"}"#;
    assert_eq!(counted.sum(not_wanted), 3.0);
}

/// The log of 200 predictions, whose lines all end with `common`.
fn log_of_predictions(file: &File, common: Common) {
    let log = FileLog::new(1 << 20);
    let settings = FileSettings {
        path: file.to_owned(),
        max_size: 1 << 30,
        keep: 1,
    };
    log.apply(Some(settings), LONG).unwrap();
    let (sink, writer) = Sink::start(std::io::sink(), 1 << 20).unwrap();
    let config = config(1000);
    let path = Path::start(&config, model_server());
    let mut client = Client::connect(path.proxy.address);
    for place in 0..200 {
        let (length, width) = (
            4.3 + f64::from(place % 36) / 10.0,
            f64::from(place % 25) / 10.0,
        );
        let row = format!(
            r#"{{"sepal_length":{length},"sepal_width":3.0,"petal_length":4.0,"petal_width":{width}}}"#
        );
        let (head, _) = client.post("/predict", &row);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    drop(client);
    let begin = worker::Begin {
        common,
        ..worker::Begin::default()
    };
    path.finish_with(&config, sink.with_file(log.clone()), begin);
    writer.finish(LONG);
    log.finish(LONG);
}

/// A baseline without its time, and without the hash of that.
fn content(file: &File) -> Value {
    let text = fs::read_to_string(file).unwrap();
    let mut content: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    content["set_at"].take();
    content
}

#[test]
fn a_log_whose_lines_name_their_pod_is_read_as_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let [log, plain, of_log, of_plain] =
        ["log", "plain", "of_log", "of_plain"].map(|name| dir.path().join(name));
    let common = [
        ("pod_name", "iris-0"),
        ("pod_namespace", "models"),
        ("node_name", "a"),
    ];
    log_of_predictions(&log, Common::new(common));

    let mut without = String::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let found: Value = serde_json::from_str(line).unwrap();
        for (field, value) in common {
            assert_eq!(found[field], value, "{line}");
        }
        let end = r#","pod_name":"iris-0","pod_namespace":"models","node_name":"a"}"#;
        without.push_str(line.strip_suffix(end).unwrap());
        without.push_str("}\n");
    }
    assert_eq!(without.lines().count(), 200);
    fs::write(&plain, without).unwrap();

    for (rows, output) in [(&log, &of_log), (&plain, &of_plain)] {
        baseline::baseline(&baseline::Request {
            rows: rows.clone(),
            options: baseline::BuildOptions {
                key: baseline::Key::default(),
                ordered: true,
                categorical: Vec::new(),
                limit: None,
            },
            output: Some(output.clone()),
        })
        .unwrap();
    }
    let [named, unnamed] = [&of_log, &of_plain].map(|file| content(file));
    assert_eq!(named, unnamed);
    let series: Vec<_> = named["series"].as_array().unwrap().iter().collect();
    assert!(series.iter().any(|one| one["name"] == "petal_width"));
    assert!(series.iter().all(|one| one["name"] != "pod_name"));

    let drifts = history::drift(&history::Request {
        baseline: of_log,
        stream: log,
        options: history::Options {
            ordered: true,
            rate: None,
            categorical: Vec::new(),
        },
        is_json: true,
    });
    assert!(!drifts.unwrap(), "the same rows");
}
