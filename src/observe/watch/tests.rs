use jiff::Timestamp;

use super::*;
use crate::{
    decode::{Column, Name, Output, Prediction, Values},
    drift::{Origin, quality::Problem},
};

const WHOSE: Whose<'static> = Whose {
    model: "iris",
    version: "1",
};

static ALL: Key = Key {
    model: None,
    version: None,
};

/// A baseline of everything.
fn of_all(baseline: &Arc<Baseline>) -> Chosen<'_> {
    Chosen {
        key: &ALL,
        baseline,
        is_of_another_version: false,
    }
}

/// One item: a class that goes with a uniform feature, and a second feature.
fn inference(random: &mut fastrand::Rng, most: f64, second: Option<f64>) -> Inference {
    let first = random.f64() * most;
    let column = |name: &str, value: f64| Column {
        name: Name::Word(name.into()),
        values: Values::Numbers(vec![value].into()),
    };
    let class = Prediction::Name(if first < 0.5 { "low" } else { "high" }.into());
    Inference {
        rows: 1,
        features: vec![
            column("first", first),
            column("second", second.unwrap_or(f64::NAN)),
        ],
        outputs: vec![Output::new(class, Some(0.5 + random.f64() / 2.0))],
        ..Inference::default()
    }
}

fn drift() -> config::Drift {
    config::Drift {
        capture: Some(1000),
        ..config::defaults().drift
    }
}

/// A version whose first thousand predictions have become its baseline.
fn captured(random: &mut fastrand::Rng) -> Watch {
    let mut watch = Watch::new(&drift(), Outlet::default());
    watch.gather(Some(1000));
    let baseline = (0..=1000).find_map(|i| {
        let second = random.f64();
        watch.predicted(&inference(random, 1.0, Some(second)), f64::from(i), WHOSE);
        watch.captured()
    });
    let baseline = baseline.expect("a thousand are enough");
    assert_eq!(
        (baseline.rows(), baseline.origin()),
        (1000, Origin::Captured)
    );
    // of when its last prediction came, also where a log is replayed
    assert_eq!(baseline.set_at(), Timestamp::from_second(999).unwrap());
    watch.compare(Some(of_all(&Arc::new(baseline))), &drift(), 1000.0, WHOSE);
    watch
}

fn drifting(watch: &Watch) -> Vec<String> {
    watch
        .monitor
        .as_ref()
        .map(|m| m.report().drifting)
        .unwrap_or_default()
}

#[test]
fn the_first_predictions_become_a_baseline_of_every_series() {
    let mut random = fastrand::Rng::with_seed(1);
    let watch = captured(&mut random);
    let monitor = watch.monitor.as_ref().unwrap();
    let labels: Vec<_> = monitor.watched().iter().map(|w| w.name().label()).collect();
    assert_eq!(labels, ["confidence", "class", "first", "second"]);
    let is_ordered = |w: &crate::drift::monitor::Watched| w.series().is_warm();
    assert!(
        monitor.watched().iter().all(is_ordered),
        "their order is known"
    );
    assert_eq!(monitor.baseline().sample().unwrap().values().len(), 1000);
}

#[test]
fn what_moves_drifts_and_what_stays_does_not() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut watch = captured(&mut random);
    for i in 0..20_000 {
        let second = random.f64();
        watch.predicted(
            &inference(&mut random, 1.0, Some(second)),
            f64::from(i),
            WHOSE,
        );
    }
    assert_eq!(drifting(&watch), [""; 0]);
    for i in 0..300 {
        let second = random.f64();
        watch.predicted(
            &inference(&mut random, 0.6, Some(second)),
            f64::from(i),
            WHOSE,
        );
    }
    assert_eq!(drifting(&watch), ["class", "first"]);
    let report = watch.monitor.as_ref().unwrap().report();
    let first = report.series.iter().find(|s| s.name == "first").unwrap();
    let episode = first.episode.as_ref().unwrap();
    assert!(
        (20_900..=21_300).contains(&(episode.since_prediction + 1000)),
        "{episode:?}"
    );
    assert!(first.psi.unwrap() > 0.1 && first.wasserstein_over_iqr.unwrap() > 0.1);
}

#[test]
fn a_feature_that_is_lost_is_missing_and_one_that_was_never_there_is_not() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut watch = captured(&mut random);
    for i in 0..200 {
        let mut lost = inference(&mut random, 1.0, Some(0.5));
        if i > 100 {
            lost.features.truncate(1);
        }
        watch.predicted(&lost, 0.0, WHOSE);
    }
    let monitor = watch.monitor.as_ref().unwrap();
    let second = monitor.place(|name| name.is_feature("second")).unwrap();
    let quality = monitor.watched()[second].quality().unwrap();
    assert_eq!(quality.total(Problem::Missing), 99);
    assert_eq!(quality.current().next(), Some(Problem::Missing));

    let baseline = Arc::clone(monitor.baseline());
    let mut other = Watch::new(&drift(), Outlet::default());
    other.compare(Some(of_all(&baseline)), &drift(), 0.0, WHOSE);
    let mut renamed = inference(&mut random, 1.0, Some(0.5));
    renamed.features[1].name = Name::Word("another".into());
    for _ in 0..5000 {
        other.predicted(&renamed, 0.0, WHOSE);
    }
    let report = other.monitor.as_ref().unwrap().report();
    assert_eq!(report.unmatched, ["second"]);
    assert!(
        !report.drifting.contains(&"second".to_owned()),
        "{:?}",
        report.drifting
    );
    assert_eq!(report.only_in_traffic, ["another"]);
}

#[test]
fn a_feature_that_is_null_from_the_first_request_on_is_missing() {
    let mut random = fastrand::Rng::with_seed(8);
    let baseline = Arc::clone(captured(&mut random).monitor.as_ref().unwrap().baseline());
    let mut watch = Watch::new(&drift(), Outlet::default());
    watch.compare(Some(of_all(&baseline)), &drift(), 0.0, WHOSE);
    for i in 0..200 {
        watch.predicted(&inference(&mut random, 1.0, None), f64::from(i), WHOSE);
    }
    let monitor = watch.monitor.as_ref().unwrap();
    let second = monitor.place(|name| name.is_feature("second")).unwrap();
    let quality = monitor.watched()[second].quality().unwrap();
    assert_eq!(quality.total(Problem::Missing), 200);
    assert_eq!(quality.current().next(), Some(Problem::Missing));
    let report = monitor.report();
    assert_eq!(report.unmatched, ["value"; 0]);
    assert_eq!(report.drifting, ["second"]);
}

/// A baseline of the features `a`, `b` and `c`, in any order.
fn of_three() -> Arc<Baseline> {
    let body = br#"{"features": {"a": [1, 2, 3], "b": [1, 2, 3], "c": [1, null, 3]}}"#;
    let (_, baseline) = crate::drift::posted(body, 100, Timestamp::UNIX_EPOCH).unwrap();
    Arc::new(baseline)
}

/// One row of these features.
fn row(names: &[&str]) -> Inference {
    let column = |name: &&str| Column {
        name: Name::Word((*name).into()),
        values: Values::Numbers(vec![2.0].into()),
    };
    Inference {
        rows: 1,
        features: names.iter().map(column).collect(),
        ..Inference::default()
    }
}

#[test]
fn names_that_only_the_traffic_has_are_known_whenever_they_come_and_those_left_out_are_none() {
    let few = config::Drift {
        max_series: 2,
        ..drift()
    };
    let mut watch = Watch::new(&few, Outlet::default());
    watch.compare(Some(of_all(&of_three())), &few, 0.0, WHOSE);
    let mut send = |names: &[&str]| {
        (0..100).for_each(|_| watch.predicted(&row(names), 0.0, WHOSE));
        let report = watch.monitor.as_ref().unwrap().report();
        (report.unmatched, report.only_in_traffic)
    };
    let labels =
        |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    assert_eq!(send(&["c", "a"]), (labels(&["b"]), labels(&[])));
    assert_eq!(send(&["c", "a", "b2"]), (labels(&["b"]), labels(&["b2"])));
    assert_eq!(send(&["b", "b3"]), (labels(&[]), labels(&["b2", "b3"])));
}

#[test]
fn columns_are_found_in_any_order() {
    let mut watch = Watch::new(&drift(), Outlet::default());
    watch.compare(Some(of_all(&of_three())), &drift(), 0.0, WHOSE);
    let orders: [&[&str]; 6] = [
        &["a", "b", "c"],
        &["c", "b", "a"],
        &["b", "x", "c"],
        &["a"],
        &["x", "y", "a", "c"],
        &[],
    ];
    for names in orders.iter().cycle().take(600) {
        watch.predicted(&row(names), 0.0, WHOSE);
    }
    let monitor = watch.monitor.as_ref().unwrap();
    let counts = monitor.watched().iter().map(|watched| {
        let missing = watched.quality().unwrap().total(Problem::Missing);
        (watched.name().label(), watched.series().count(), missing)
    });
    let counts: Vec<_> = counts.collect();
    assert_eq!(
        counts,
        [
            ("a".into(), 500, 100),
            ("b".into(), 500, 200),
            ("c".into(), 500, 100)
        ]
    );
}

#[test]
fn of_missing_values_it_is_said_that_they_are_missing() {
    let mut random = fastrand::Rng::with_seed(9);
    let mut watch = captured(&mut random);
    for i in 0..2000 {
        let second = (i % 4 != 0).then(|| random.f64());
        watch.predicted(&inference(&mut random, 1.0, second), f64::from(i), WHOSE);
    }
    let report = watch.monitor.as_ref().unwrap().report();
    let second = report.series.iter().find(|s| s.name == "second").unwrap();
    let episode = second.episode.as_ref().unwrap();
    assert_eq!(
        (episode.region.as_str(), episode.baseline_share),
        ("missing", 0.0)
    );
    assert!(episode.recent_share > 0.2, "{episode:?}");
}

#[test]
fn predictions_without_a_confidence_are_counted_also_over_a_restart() {
    let mut random = fastrand::Rng::with_seed(10);
    let mut watch = captured(&mut random);
    let baseline = Arc::clone(watch.monitor.as_ref().unwrap().baseline());
    for _ in 0..7 {
        let mut without = inference(&mut random, 1.0, Some(0.5));
        without.outputs[0].be_sure(None);
        watch.predicted(&without, 0.0, WHOSE);
    }
    let snapshot = Snapshot::parse(&watch.snapshot(WHOSE).unwrap().render()).unwrap();
    let mut again = Watch::new(&drift(), Outlet::default());
    again.compare(Some(of_all(&baseline)), &drift(), 0.0, WHOSE);
    again.restore(snapshot);
    for watch in [watch, again] {
        let missing = watch
            .recent
            .with_missing()
            .iter()
            .filter(|v| v.is_nan())
            .count();
        assert_eq!(missing, 7);
    }
}

#[test]
fn windows_go_on_under_the_same_baseline_and_begin_anew_under_another() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut watch = captured(&mut random);
    for i in 0..100 {
        watch.predicted(&inference(&mut random, 1.0, Some(0.5)), f64::from(i), WHOSE);
    }
    let count = |watch: &Watch| {
        watch.monitor.as_ref().unwrap().watched()[0]
            .series()
            .count()
    };
    let baseline = Arc::clone(watch.monitor.as_ref().unwrap().baseline());
    let nervous = config::Drift {
        false_alarms_per_million: Some(100.0),
        ..drift()
    };
    watch.compare(Some(of_all(&baseline)), &nervous, 0.0, WHOSE);
    assert_eq!(count(&watch), 100, "another threshold keeps what was seen");
    let another = Baseline::of_confidences([0.5; 50], 50, Timestamp::UNIX_EPOCH).unwrap();
    watch.compare(Some(of_all(&Arc::new(another))), &drift(), 0.0, WHOSE);
    assert_eq!(count(&watch), 0);
    watch.compare(None, &drift(), 0.0, WHOSE);
    assert!(watch.monitor.is_none());
}

#[test]
fn numbers_of_a_regression_are_a_series() {
    let mut watch = Watch::new(&drift(), Outlet::default());
    watch.gather(Some(100));
    let mut random = fastrand::Rng::with_seed(5);
    let mut predict = |watch: &mut Watch, from: f64| {
        let value = Prediction::Value(from + random.f64());
        let inference = Inference {
            outputs: vec![Output::from(value)],
            ..Inference::default()
        };
        watch.predicted(&inference, 0.0, WHOSE);
    };
    (0..100).for_each(|_| predict(&mut watch, 0.0));
    let baseline = watch.captured().unwrap();
    assert_eq!(baseline.sample().unwrap().values().len(), 100);
    watch.compare(Some(of_all(&Arc::new(baseline))), &drift(), 0.0, WHOSE);
    (0..100).for_each(|_| predict(&mut watch, 0.7));
    assert_eq!(drifting(&watch), ["value"]);
}

#[test]
fn a_restart_changes_nothing_that_is_found() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut watch = captured(&mut random);
    let mut predict = |watches: &mut [&mut Watch], count: u32, most: f64| {
        for i in 0..count {
            let second = random.f64();
            let inference = inference(&mut random, most, Some(second));
            for watch in &mut *watches {
                watch.predicted(&inference, f64::from(i), WHOSE);
            }
        }
    };
    predict(&mut [&mut watch], 3333, 1.0);
    predict(&mut [&mut watch], 100, 0.5);
    assert_eq!(drifting(&watch), ["class", "first"]);
    let snapshot = watch.snapshot(WHOSE).unwrap();
    let snapshot = Snapshot::parse(&snapshot.render()).unwrap();
    let baseline = Arc::clone(watch.monitor.as_ref().unwrap().baseline());
    let mut again = Watch::new(&drift(), Outlet::default());
    again.compare(Some(of_all(&baseline)), &drift(), 0.0, WHOSE);
    again.restore(snapshot.clone());
    predict(&mut [&mut watch, &mut again], 7777, 1.0);
    let reports = [&watch, &again].map(|watch| watch.monitor.as_ref().unwrap().report());
    assert_eq!(reports[0], reports[1]);
    assert_eq!(watch.recent, again.recent);

    let another = Baseline::of_confidences([0.5; 50], 50, Timestamp::UNIX_EPOCH).unwrap();
    let mut other = Watch::new(&drift(), Outlet::default());
    other.compare(Some(of_all(&Arc::new(another))), &drift(), 0.0, WHOSE);
    other.restore(snapshot);
    let series = other.monitor.as_ref().unwrap().watched()[0].series();
    assert_eq!(
        (series.count(), other.recent.len()),
        (0, 0),
        "it is of another baseline"
    );
}

#[test]
fn both_ends_of_a_drift_are_told_with_one_id_also_over_a_restart() {
    let mut random = fastrand::Rng::with_seed(7);
    let before = captured(&mut random);
    let baseline = Arc::clone(before.monitor.as_ref().unwrap().baseline());
    let (outlet, mut told) = Outlet::new(::metrics::Counter::noop());
    let watch = || {
        let mut watch = Watch::new(&drift(), outlet.clone());
        watch.compare(Some(of_all(&baseline)), &drift(), 0.0, WHOSE);
        watch
    };
    let mut predict = |watch: &mut Watch, count: u32, most: f64| {
        for i in 0..count {
            let second = random.f64();
            watch.predicted(
                &inference(&mut random, most, Some(second)),
                f64::from(i) + 0.25,
                WHOSE,
            );
        }
    };
    let mut first = watch();
    predict(&mut first, 3333, 1.0);
    predict(&mut first, 100, 0.5);
    let snapshot = Snapshot::parse(&first.snapshot(WHOSE).unwrap().render()).unwrap();
    let mut second = watch();
    second.restore(snapshot);
    predict(&mut second, 7777, 1.0);
    // the other agent ends with another baseline
    first.compare(None, &drift(), 0.0, WHOSE);
    let mut of_first: Vec<(&str, String)> = Vec::new();
    while let Ok(notice) = told.try_recv() {
        if notice.series == "first" {
            of_first.push((notice.event.word(), notice.episode));
        }
    }
    let words: Vec<&str> = of_first.iter().map(|(word, _)| *word).collect();
    assert_eq!(words, ["detected", "cleared", "cleared"]);
    assert!(of_first.iter().all(|(_, id)| *id == of_first[0].1));
}
