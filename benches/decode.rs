//! Bodies of several sizes, beside a tree of them: `cargo bench --features bench --bench decode`.
//!
//! `tree` is what a monitor on `serde_json::Value` pays before it has looked at anything.

use std::fmt::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use sidelight::{capture::Exchange, config, decode::decode, observe::bench::exchange};

fn iris() -> Exchange {
    exchange(
        "/predict",
        r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#,
        r#"{"prediction":"setosa","class_id":0,"confidence":0.9785,"model_version":"1.0.0"}"#,
    )
}

/// Numbers as a scaled feature has them, separated by commas.
fn numbers(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        let _ = write!(text, "{:.6},", (f64::from(i) * 0.37).sin());
    }
    text.pop();
    text
}

fn v2() -> Exchange {
    let request = format!(
        r#"{{"inputs":[{{"name":"x","shape":[64,20],"datatype":"FP64","data":[{}]}}]}}"#,
        numbers(64 * 20)
    );
    let classes = ["0"; 64].join(",");
    let response = format!(
        r#"{{"model_name":"m","outputs":[{{"name":"predict","shape":[64,1],"datatype":"INT64","data":[{classes}]}}]}}"#
    );
    exchange("/v2/models/m/infer", &request, &response)
}

/// 1 MiB of rows of 64 numbers.
fn instances() -> Exchange {
    let row = format!("[{}]", numbers(64));
    let count = (1 << 20) / (row.len() + 1);
    let request = format!(r#"{{"instances":[{}]}}"#, vec![row; count].join(","));
    let response = format!(r#"{{"predictions":[{}]}}"#, vec!["1"; count].join(","));
    exchange("/v1/models/m:predict", &request, &response)
}

/// An image as text.
fn base64() -> Exchange {
    let image = "iVBORw0KGgo+".repeat(100_000 / 12);
    let request = format!(r#"{{"instances":[{{"b64":"{image}"}}]}}"#);
    exchange(
        "/v1/models/m:predict",
        &request,
        r#"{"predictions":[[0.9,0.1]]}"#,
    )
}

fn bodies(exchange: &Exchange) -> [&[u8]; 2] {
    [&exchange.request, &exchange.response].map(|message| {
        let body = message.body.as_ref();
        body.map_or(&[][..], |body| &body.bytes)
    })
}

fn decoding(criterion: &mut Criterion) {
    let capture = config::defaults().capture;
    for (name, exchange) in [
        ("iris", iris()),
        ("v2 64x20", v2()),
        ("1 MiB instances", instances()),
        ("100 KB base64", base64()),
    ] {
        let mut group = criterion.benchmark_group(name);
        let bytes: usize = bodies(&exchange).iter().map(|body| body.len()).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("decode", |b| {
            b.iter(|| decode(&exchange, &capture).expect("it is an exchange of this format"));
        });
        group.bench_function("tree", |b| {
            b.iter(|| {
                bodies(&exchange)
                    .map(|body| serde_json::from_slice::<Value>(body).expect("it is JSON"))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, decoding);
criterion_main!(benches);
