//! What a series of the drift detector holds and asks for: so many bytes, and nothing for a prediction.
//!
//! Counted is what the thread of a test takes of the system's allocator.

#[path = "hostile/heap.rs"]
mod heap;
#[path = "drift/series.rs"]
mod series;

use std::{mem::size_of, sync::Arc};

use heap::growth;
use sidelight::drift::{
    KsWindow, Profile, SeriesName, Value,
    monitor::{Monitor, Watched},
};

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

/// What the features of a model may hold each, with all that is theirs: windows, dependence, counts by bin,
/// problems, times, name.
const MOST_NUMERIC: usize = 6_000;
const MOST_CATEGORICAL: usize = 10_000;
/// As last accepted. A figure goes up only with its reason in the commit.
const ACCEPTED: [(&str, usize, usize); 5] = [
    ("numeric", 2945, MOST_NUMERIC),
    ("numeric, ordered baseline", 2745, MOST_NUMERIC),
    ("numeric, 20 numbers", 3894, MOST_NUMERIC),
    ("categorical, 100 classes", 8712, MOST_CATEGORICAL),
    ("categorical, ordered baseline", 8512, MOST_CATEGORICAL),
];
/// Seconds since 1970.
const NOW: f64 = 1e9;
/// Series of one kind.
const SERIES: usize = 20;

fn profile(kind: &str) -> Profile {
    match kind {
        "numeric" => series::numbers(false),
        "numeric, ordered baseline" => series::numbers(true),
        "numeric, 20 numbers" => series::few_numbers(),
        "categorical, 100 classes" => series::classes(false),
        _ => series::classes(true),
    }
}

#[test]
fn a_series_holds_no_more_than_it_did() {
    println!(
        "{} bytes of a series are in one piece",
        size_of::<Watched>()
    );
    let mut found = Vec::new();
    for (kind, accepted, most) in ACCEPTED {
        let profiles = (0..SERIES).map(|place| (series::feature(place), profile(kind)));
        let baseline = Arc::new(series::baseline(profiles.collect()));
        let mut monitor = None;
        let held = growth(|| monitor = Some(Monitor::new(baseline, series::RULES, 0.0)));
        let mut monitor = monitor.unwrap();
        assert_eq!(held.left % SERIES, 0, "{kind}: they are all alike");
        let each = held.left / SERIES;
        println!("{kind}: {each} bytes, accepted {accepted}, at most {most}");
        let later = growth(|| pass(&mut monitor, 0..5_000));
        assert_eq!(later.left, 0, "{kind}: nothing comes later");
        assert!(each <= most, "{kind}: {each} bytes");
        found.push((kind, each, most));
    }
    assert_eq!(found, ACCEPTED);
}

#[test]
fn the_last_values_of_a_model_are_held_once() {
    let mut window = KsWindow::new(1000);
    let held = growth(|| (0..5000).for_each(|place| window.push(series::share(place))));
    println!("a window of 1000: {} bytes", held.left);
    assert_eq!((window.len(), held.left), (1000, 8 * 1024));
}

/// One value for every series at each of `places`, as they are in the baseline.
fn pass(monitor: &mut Monitor, places: std::ops::Range<usize>) {
    let classes = series::names();
    let series = monitor.watched().len();
    for place in places {
        for of in 0..series {
            let share = series::share(place + 7 * of);
            let value = value(monitor, of, share, &classes);
            monitor.push(of, value, Some(NOW));
        }
    }
}

/// The value of a series at this share of the baseline's.
fn value<'a>(monitor: &Monitor, of: usize, share: f64, classes: &'a [String]) -> Value<'a> {
    match monitor.watched()[of].series().profile().bins.kind() {
        "numeric" => Value::Number(100.0 * share),
        _ => Value::Word(&classes[series::part(share, series::CLASSES)]),
    }
}

#[test]
fn a_prediction_asks_for_no_memory() {
    let mut monitor = series::monitor(vec![
        (SeriesName::Confidence, series::numbers(false)),
        (SeriesName::Class, series::classes(false)),
        (series::feature(0), series::numbers(true)),
        (series::feature(1), series::numbers(false)),
        (series::feature(2), series::classes(true)),
        (series::feature(3), series::classes(false)),
    ]);
    let classes = series::names();
    let mut told = 0;
    // in turn as ever, missing, never seen, and all in one half
    let mut pass = |places: std::ops::Range<usize>, is_drifting: bool| {
        for place in places {
            for of in 0..6 {
                let share = series::share(place + 7 * of);
                let share = if is_drifting { share / 2.0 } else { share };
                let value = match (place + of) % 40 {
                    7 => Value::Missing,
                    8 => Value::Word("never seen"),
                    9 => Value::Number(1e9),
                    _ => value(&monitor, of, share, &classes),
                };
                told += monitor.push(of, value, Some(NOW)).len();
            }
        }
        let of_all = monitor.watched().iter().map(|watched| {
            let episode = watched.series().episodes().current();
            episode.map_or(0, |episode| episode.last.at)
        });
        of_all.min().unwrap()
    };
    pass(0..40_000, false);
    let began = pass(40_000..44_096, true);
    assert!(began > 40_000, "all drift: {began}");
    let mut renewed = 0;
    let asked = growth(|| renewed = pass(44_096..76_864, true));
    assert_eq!(asked.times, 0, "{asked:?}");
    assert!(renewed > 70_000, "all are renewed: {renewed}");
    assert!(told > 0);
}
