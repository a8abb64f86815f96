//! A counter and a histogram through handles that are kept, and through their labels:
//! `cargo bench --bench metrics`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sidelight::{
    config,
    metrics::{
        Metrics,
        catalogue::{CONFIDENCE, PREDICTIONS},
    },
};

const LABELS: [&str; 3] = ["iris", "1.0.0", "setosa"];

fn handles(criterion: &mut Criterion) {
    let max_series = config::defaults().metrics.max_series;
    let metrics = Metrics::new(max_series).expect("the catalogue has edges");
    let counter = metrics.counter(&PREDICTIONS, &LABELS);
    criterion.bench_function("count", |b| b.iter(|| counter.increment(black_box(1))));
    criterion.bench_function("find a counter and count", |b| {
        b.iter(|| metrics.counter(&PREDICTIONS, &LABELS).increment(1));
    });
    let histogram = metrics.histogram(&CONFIDENCE, &LABELS[..2]);
    criterion.bench_function("record", |b| b.iter(|| histogram.record(black_box(0.5))));
}

criterion_group!(benches, handles);
criterion_main!(benches);
