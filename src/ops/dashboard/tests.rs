use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::sync::watch;

use super::*;
use crate::{
    config, drain,
    drift::{Baseline, Baselines, Key},
    feedback::{Desk, Known, Outcomes, Stated},
    health::Health,
    metrics::Metrics,
    observe::{
        command::Handle,
        worker::{self, Said},
    },
    ops::{Judge, Keeper, Scrapes, Settings},
};

const SAMPLE: &str = include_str!("sample.json");
const ROW: &str = r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;

/// The operator's side, before an observer.
fn ops(observer: Handle, metrics: Arc<Metrics>) -> (Ops, drain::Drain) {
    let config = config::defaults();
    let (drain, _) = drain::Drain::new();
    let ops = Ops {
        metrics,
        health: Arc::new(Health::default()),
        drain: drain.clone(),
        settings: watch::channel(Arc::new(Settings::new(&config, None))).1,
        keeper: Arc::new(tokio::sync::Mutex::new(Keeper::new(
            Baselines::new(),
            None,
            observer.clone(),
        ))),
        judge: Judge::default(),
        observer,
        scrapes: Scrapes::default(),
        dashboard: Dashboard::new(None),
        desk: None,
        reload: mpsc::channel(1).0,
    };
    (ops, drain)
}

fn predicted(path: &'static str, class: &str, version: &str) -> Said {
    let answer =
        format!(r#"{{"prediction":"{class}","confidence":0.75,"model_version":"{version}"}}"#);
    (path, ROW, answer)
}

fn baseline() -> Baselines {
    let mut baselines = Baselines::new();
    let key = Key {
        model: Some("default".to_owned()),
        version: Some("1".to_owned()),
    };
    let body = br#"{"confidence":[0.5,0.75,0.75],"classes":["setosa","setosa","virginica"],
        "features":{"sepal_length":[5.1,4.2,5.0],"odd":["a","b",null]}}"#;
    let (_, baseline) = crate::drift::posted(body, 100, Timestamp::UNIX_EPOCH).unwrap();
    let baseline: Baseline = baseline;
    baselines.set(key, baseline).unwrap();
    baselines
}

async fn shown(ops: &Ops) -> Value {
    let tick = tick(ops, Duration::ZERO).await;
    serde_json::from_slice(&tick.json).unwrap()
}

/// Every field by its way, `[]` for any element of a list.
fn fields(value: &Value, way: &str, found: &mut BTreeSet<String>) {
    // their fields are names of what was counted
    const COUNTED: [&str; 9] = [
        "requests",
        "faults",
        "shed",
        "exchanges",
        "observed",
        "log_lines",
        "panics",
        "reasons",
        "evidence",
    ];
    match value {
        Value::Object(all)
            if !COUNTED
                .iter()
                .any(|name| way.ends_with(&format!(".{name}"))) =>
        {
            for (name, value) in all {
                let way = format!("{way}.{name}");
                found.insert(way.clone());
                fields(value, &way, found);
            }
        }
        Value::Array(all) => {
            let way = format!("{way}[]");
            for value in all {
                fields(value, &way, found);
            }
        }
        _ => {}
    }
}

fn ways(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    fields(value, "", &mut found);
    found
}

#[tokio::test]
async fn a_state_has_the_fields_of_the_sample_and_no_other() {
    let mut exchanges: Vec<_> = (0..200)
        .map(|_| predicted("/predict", "setosa", "1"))
        .collect();
    exchanges.push(predicted("/predict", "virginica", "2"));
    exchanges.push(("/odd", "what", "is this".to_owned()));
    exchanges.push((
        "/v1/models/rent:predict",
        r#"{"instances":[[1.5]]}"#,
        r#"{"predictions":[2.5]}"#.to_owned(),
    ));
    let (observer, metrics) = worker::fed(exchanges, baseline());
    metrics
        .counter(&catalogue::REQUESTS, &["POST", "/predict", "200"])
        .increment(5);
    metrics
        .histogram(&catalogue::REQUEST_DURATION, &["/predict"])
        .record(0.1);
    metrics
        .counter(&catalogue::FAILURES, &["upstream", "connect"])
        .increment(1);
    let (ops, _drain) = ops(observer, metrics);
    let state = shown(&ops).await;
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    let (real, expected) = (ways(&state), ways(&sample));
    let unknown: Vec<_> = real.difference(&expected).collect();
    assert!(unknown.is_empty(), "the sample lacks {unknown:?}");
    // nothing drifts here, nothing was checked yet, and none of these is captured
    let absent = [
        ".episodes[]",
        "_episode",
        ".capturing.",
        ".episode.",
        ".ks_statistic",
        ".p_value",
        ".baseline_mean",
        ".recent_mean",
        ".samples_checked",
        ".samples_missing",
        ".timestamp",
    ];
    let is_expected = |way: &&String| !absent.iter().any(|part| way.contains(part));
    let lacking: Vec<_> = expected.difference(&real).filter(is_expected).collect();
    assert!(lacking.is_empty(), "a state lacks {lacking:?}");
    assert_eq!(state["schema"], sample["schema"]);

    let version = |name: &str| {
        let all = state["models"].as_array().unwrap().iter();
        let mut all = all.filter(|one| one["version"] == name);
        all.next().unwrap().clone()
    };
    let first = version("1");
    assert_eq!(first["predictions"], 200);
    assert_eq!(first["classes"][0]["class"], "setosa");
    assert_eq!(first["classes"][0]["baseline"], 2.0 / 3.0);
    assert_eq!(
        (&first["classes"][1]["count"], &first["classes"][1]["class"]),
        (&0.into(), &"virginica".into())
    );
    assert_eq!(first["baseline"]["origin"], "posted");
    // as long as it has none of its own
    let borrowed = &version("2")["baseline"];
    assert_eq!(borrowed["is_of_another_version"], true);
    let models = state["models"].as_array().unwrap();
    let rent = models.iter().find(|one| one["model"] == "rent").unwrap();
    assert_eq!(rent["drift"]["status"], "no_baseline");
    let gaps = state["missing"].as_array().unwrap().iter();
    let mut without = gaps.filter(|gap| gap["what"] == "baseline");
    let gap = without.next().unwrap();
    assert_eq!((&gap["model"], &gap["count"]), (&"rent".into(), &1.into()));
    let version = rent["version"].as_str().unwrap();
    let query = format!("?model=rent&version={version}'");
    let command = gap["command"].as_str().unwrap();
    let start = "curl --data-binary @baseline.json 'http://localhost:9464/drift/baseline";
    assert_eq!(command, format!("{start}{query}"));
    assert!(without.next().is_none());
    assert_eq!(state["unread"][0]["route"], "/odd");
    assert_eq!(
        state["agent"]["not_ready"],
        serde_json::json!(["model_not_loaded"])
    );
}

/// What was said of a version after so many right labels and then so many wrong ones.
fn labelled(model: &str, version: &str, right: usize, wrong: usize) -> Stated {
    use crate::feedback::{DropRules, Labelled, LabelledClass, Performance, Rules};
    let mut performance = Performance::new(Rules {
        window: 1000,
        max_classes: 50,
        calibration_labels: 100,
        tolerance: None,
        drop: DropRules {
            false_alarms_per_million: 10.0,
            min_drop: 0.02,
            baseline: Some(0.9),
            baseline_labels: 100,
            recovery_labels: 100,
        },
    });
    for number in 0..right + wrong {
        let class = format!("class {}", number % 30);
        let truth = if number < right { &class } else { "another" };
        let item = LabelledClass {
            predicted: &class,
            truth,
            confidence: Some(0.9),
            probabilities: None,
        };
        performance.labelled(&Labelled::Class(item)).unwrap();
    }
    Stated {
        model: model.to_owned(),
        model_version: version.to_owned(),
        labels: Outcomes::default(),
        report: performance.report(),
    }
}

#[tokio::test]
async fn what_labels_say_is_shown_though_the_thread_that_joins_them_gives_no_answer() {
    let said = || vec![predicted("/predict", "setosa", "1")];
    let gap = |state: &Value| {
        let gaps = state["missing"].as_array().unwrap().iter();
        let mut gaps = gaps.filter(|gap| gap["what"] == "labels");
        gaps.next()
            .map(|gap| gap["why"].as_str().unwrap().to_owned())
    };
    for (known, expected) in [
        (None, "labels are not asked for"),
        (Some(false), "labels of before the start have not been read"),
        (Some(true), "no label has come yet"),
    ] {
        let (observer, metrics) = worker::fed(said(), Baselines::new());
        let (mut ops, _drain) = ops(observer, metrics);
        ops.desk = known.map(|is_whole| {
            Desk::silent(Known {
                is_whole,
                ..Known::default()
            })
        });
        let state = shown(&ops).await;
        let why = gap(&state).unwrap();
        assert!(why.starts_with(expected), "{why}");
    }
    let (observer, metrics) = worker::fed(said(), Baselines::new());
    let (mut ops, _drain) = ops(observer, metrics);
    let models = vec![
        labelled("default", "0", 300, 60),
        labelled("default", "1", 300, 0),
        labelled("other", "1", 300, 0),
    ];
    ops.desk = Some(Desk::silent(Known {
        models,
        is_whole: true,
        ..Known::default()
    }));
    let state = shown(&ops).await;
    assert_eq!(gap(&state), None);
    let report = &state["models"][0]["accuracy"]["classification"];
    assert_eq!(
        (&report["labels"], &report["accuracy"]["value"]),
        (&300.into(), &1.0.into())
    );
    assert_eq!(report["classes"].as_array().unwrap().len(), 20);
    // of a version that predicts no longer it is told that its accuracy has dropped, and nothing of others
    let dropped = state["dropped"].as_array().unwrap();
    assert_eq!((dropped.len(), &dropped[0]["version"]), (1, &"0".into()));
    let drop = &dropped[0]["accuracy"]["classification"]["drop"]["current"];
    assert!(drop["accuracy"].as_f64().unwrap() < 0.2, "{drop}");
}

#[tokio::test]
async fn a_state_is_made_once_a_second_whoever_asks() {
    let (observer, metrics) = worker::fed(Vec::new(), Baselines::new());
    let renderings = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&renderings);
    metrics.add_collector(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let (ops, _drain) = ops(observer, metrics);
    let ops = Arc::new(ops);
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let ops = Arc::clone(&ops);
            tokio::spawn(async move { tick(&ops, Duration::from_hours(1)).await })
        })
        .collect();
    let mut shared = BTreeSet::new();
    for asked in asking {
        shared.insert(asked.await.unwrap().json.as_ptr() as usize);
    }
    assert_eq!((shared.len(), renderings.load(Ordering::Relaxed)), (1, 1));
    let next = tick(&ops, Duration::ZERO).await;
    assert_eq!((next.number, renderings.load(Ordering::Relaxed)), (2, 2));
    let event = std::str::from_utf8(&next.event).unwrap();
    let json = std::str::from_utf8(&next.json).unwrap();
    assert_eq!(event, format!("id: 2\nevent: state\ndata: {json}\n\n"));
    assert!(!json.contains('\n'), "an event ends at an empty line");
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_is_stuck_takes_the_models_and_nothing_else() {
    let (observer, metrics) = worker::fed(Vec::new(), Baselines::new());
    let stuck = Handle::stuck();
    drop(observer);
    let (ops, _drain) = ops(stuck, metrics);
    let state = shown(&ops).await;
    assert_eq!(
        (&state["models"], &state["observer"]),
        (&Value::Null, &"busy".into())
    );
    assert_eq!(state["agent"]["phase"], "serving");
}

#[tokio::test]
async fn what_is_told_of_a_drift_is_in_the_state() {
    use crate::drift::{Notice, Outlet, notice::Happened};
    let (observer, metrics) = worker::fed(Vec::new(), Baselines::new());
    let (outlet, _notices) = Outlet::new(::metrics::Counter::noop());
    let (outlet, told) = outlet.recorded();
    let (mut ops, _drain) = ops(observer, metrics);
    ops.dashboard = Dashboard::new(Some(told));
    let ops = Arc::new(ops);
    let remembers = tokio::spawn(remember_drifts(Arc::clone(&ops)));
    for i in 0..=EPISODES {
        outlet.tell(Notice {
            episode: i.to_string(),
            model: "m".to_owned(),
            model_version: "1".to_owned(),
            series: "s".to_owned(),
            decision: "scan",
            since: None,
            event: Happened::Cleared {
                prediction: None,
                reason: "calm",
            },
        });
    }
    while ops.dashboard.history().with(&[]).len() <= EPISODES {
        tokio::task::yield_now().await;
    }
    let state = shown(&ops).await;
    assert_eq!(state["episodes"].as_array().unwrap().len(), EPISODES);
    assert_eq!(state["episodes_left_out"], 1);
    assert_eq!(state["episodes"][0]["reason"], "calm");
    remembers.abort();
}

#[tokio::test]
async fn a_drift_that_was_found_before_the_start_is_in_the_state_too() {
    let mut random = fastrand::Rng::with_seed(2);
    let values: Vec<String> = (0..1000)
        .map(|_| format!("{}", 0.5 + random.f64() / 2.0))
        .collect();
    let body = format!("[{}]", values.join(","));
    let posted = crate::drift::posted(body.as_bytes(), 1000, Timestamp::UNIX_EPOCH);
    let mut baselines = Baselines::new();
    baselines.set(Key::default(), posted.unwrap().1).unwrap();
    let exchanges = (0..3000).map(|_| {
        let confidence = 0.1 + random.f64() / 4.0;
        let answer =
            format!(r#"{{"prediction":"a","confidence":{confidence},"model_version":"1"}}"#);
        ("/predict", ROW, answer)
    });
    let (observer, metrics) = worker::fed(exchanges.collect(), baselines);
    // nothing was told, as after a restart
    let (ops, _drain) = ops(observer, metrics);
    let state = shown(&ops).await;
    let episode = &state["episodes"][0];
    assert_eq!(
        (&episode["series"], &episode["detected"], &episode["ended"]),
        (&"confidence".into(), &Value::Null, &Value::Null)
    );
    assert!(episode["since"].is_f64() && state["episodes"].as_array().unwrap().len() == 1);
    assert_eq!(state["models"][0]["drift"]["drift_detected"], true);
}
