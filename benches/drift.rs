//! A confidence into its window, and the window against a baseline: `cargo bench --bench drift`.

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use sidelight::drift::{Baseline, CheckInput, KsWindow, check};

/// Different shares that look random and are the same in every run.
fn shares(count: u32) -> impl Iterator<Item = f64> {
    (1..=count).map(|i| (f64::from(i) * 0.618_033_988_75).fract())
}

fn push(criterion: &mut Criterion) {
    let mut window = KsWindow::new(1000);
    for share in shares(1000) {
        window.push(share);
    }
    criterion.bench_function("push into a full window", |b| {
        b.iter(|| window.push(black_box(0.5)));
    });
}

fn verdict(criterion: &mut Criterion) {
    let baseline = Baseline::of_confidences(shares(5000), 5000, Timestamp::UNIX_EPOCH);
    let input = CheckInput {
        in_use: None,
        model: "iris".to_owned(),
        version: "1.0.0".to_owned(),
        baseline: Some(Arc::new(baseline.expect("they are finite"))),
        recent: shares(1000).map(|share| share * 0.95).collect(),
        window: 1000,
        threshold: 0.05,
        scan: None,
    };
    criterion.bench_function("check 1000 against 5000", |b| {
        b.iter(|| check(&input, Timestamp::UNIX_EPOCH));
    });
}

criterion_group!(benches, push, verdict);
criterion_main!(benches);
