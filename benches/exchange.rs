//! One exchange with the Iris service, part by part: `cargo bench --features bench --bench exchange`.
//!
//! The feature opens `observe::bench` and `proxy::bench`, for these parts are private.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response, header};
use sidelight::{
    config::{self, Config},
    decode::decode,
    metrics::Metrics,
    observe::bench::{Counts, Lines, exchange},
    proxy::bench as rules,
};

const REQUEST: &str =
    r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;
const ANSWER: &str =
    r#"{"prediction":"setosa","class_id":0,"confidence":0.9785,"model_version":"1.0.0"}"#;

fn observer(criterion: &mut Criterion) {
    let Config {
        capture, metrics, ..
    } = config::defaults();
    let exchange = exchange("/predict", REQUEST, ANSWER);
    let inference = decode(&exchange, &capture).expect("it is an Iris exchange");
    criterion.bench_function("decode", |b| b.iter(|| decode(&exchange, &capture)));

    let registry = Metrics::new(metrics.max_series).expect("the catalogue has edges");
    let mut counts = Counts::new(registry);
    criterion.bench_function("record", |b| {
        b.iter(|| counts.record(&exchange, &inference));
    });

    let mut lines = Lines::new().expect("there is a thread");
    criterion.bench_function("line", |b| {
        b.iter(|| lines.write(&exchange, &inference));
    });
}

fn heads(criterion: &mut Criterion) {
    let request = || {
        let request = Request::post("/predict")
            .header(header::HOST, "127.0.0.1:8080")
            .header(header::USER_AGENT, "python-requests/2.32.3")
            .header(header::ACCEPT_ENCODING, "gzip, deflate")
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "keep-alive")
            .header(header::CONTENT_LENGTH, REQUEST.len())
            .header(header::CONTENT_TYPE, "application/json");
        request.body(()).expect("a head").into_parts().0
    };
    let answer = || {
        let answer = Response::builder()
            .header(header::DATE, "Tue, 24 Nov 2026 08:00:00 GMT")
            .header(header::SERVER, "uvicorn")
            .header(header::CONTENT_LENGTH, ANSWER.len())
            .header(header::CONTENT_TYPE, "application/json");
        answer.body(()).expect("a head").into_parts().0
    };
    assert!(rules::request(&mut request()) && rules::response(&mut answer()));
    criterion.bench_function("sanitize a request", |b| {
        b.iter_batched_ref(request, rules::request, BatchSize::SmallInput);
    });
    criterion.bench_function("sanitize an answer", |b| {
        b.iter_batched_ref(answer, rules::response, BatchSize::SmallInput);
    });
}

criterion_group!(benches, observer, heads);
criterion_main!(benches);
