//! A confidence into its window, the window against a baseline, and a value into the windows of the scan:
//! `cargo bench --bench drift`.

#[path = "../tests/drift/series.rs"]
mod series;

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use sidelight::drift::{Baseline, CheckInput, KsWindow, Value, check};

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

/// One value of one series, with all that is kept of it.
fn watch(criterion: &mut Criterion) {
    let names = series::names();
    let mut monitor = series::monitor(vec![
        (series::feature(0), series::numbers(false)),
        (series::feature(1), series::few_numbers()),
        (series::feature(2), series::classes(false)),
    ]);
    for (place, title) in ["numeric", "20 numbers", "categorical"].iter().enumerate() {
        let value = |share: f64| match place {
            0 => Value::Number(100.0 * share),
            1 => Value::Number((20.0 * share).floor()),
            _ => Value::Word(&names[series::part(share, series::CLASSES)]),
        };
        let values: Vec<_> = (0..32_768).map(|i| value(series::share(i))).collect();
        let mut next = values.iter().cycle();
        criterion.bench_function(&format!("watch, {title}"), |b| {
            b.iter(|| {
                let value = next.next().copied().unwrap_or(Value::Missing);
                monitor.push(place, value, Some(1e9))
            });
        });
    }
}

criterion_group!(benches, push, verdict, watch);
criterion_main!(benches);
