#![expect(clippy::float_cmp, reason = "sums of quarters and counts are exact")]

use std::time::Duration;

use super::*;
use crate::{
    capture::queue::{Offer, queue},
    drift::{Baseline, Key, Verdict},
    observe::command::{Judged, ModelState, Which},
};

const ROW: &str = r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;

struct Running {
    offer: Offer,
    handle: Handle,
    metrics: Arc<Metrics>,
    thread: JoinHandle<Vec<Snapshot>>,
}

fn config() -> Config {
    crate::config::Sources::default().load().unwrap().config
}

fn observer(config: &Config) -> (Offer, impl FnOnce() -> Running + use<>) {
    let metrics = Arc::new(Metrics::new(config.metrics.max_series).unwrap());
    let (offer, take) = queue(&config.capture);
    let settings = Settings::new(config);
    let (sink, _) = Sink::start(std::io::sink(), 1 << 20).unwrap();
    let start = {
        let offer = offer.clone();
        move || {
            let (handle, thread) =
                start(take, Arc::clone(&metrics), sink, settings, Begin::default()).unwrap();
            Running {
                offer,
                handle,
                metrics,
                thread,
            }
        }
    };
    (offer, start)
}

impl Running {
    /// Waits until everything is read, and says what was counted.
    fn finish(self) -> String {
        drop(self.offer);
        self.thread.join().unwrap();
        self.metrics.render()
    }
}

fn predicted(class: &str, confidence: f64) -> Box<Exchange> {
    let answer =
        format!(r#"{{"prediction":"{class}","confidence":{confidence},"model_version":"1.0.0"}}"#);
    Box::new(Exchange::example("/predict", ROW, &answer))
}

/// The value of the series `name{labels}`, 0 when there is none.
fn value(text: &str, series: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
        .unwrap_or_default()
}

#[tokio::test]
async fn feedback_that_passes_is_joined_by_puid_and_is_no_exchange_that_was_read() {
    let config = config();
    let settings = crate::feedback::Settings::new(&config);
    let feedback = crate::feedback::start(settings, Counter::noop()).unwrap();
    let metrics = Arc::new(Metrics::new(config.metrics.max_series).unwrap());
    let (offer, take) = queue(&config.capture);
    let (sink, _) = Sink::start(std::io::sink(), 1 << 20).unwrap();
    let answer =
        r#"{"meta":{"puid":"p"},"data":{"names":["a","b"],"ndarray":[[0.25,0.75],[0.5,0.5]]}}"#;
    let asked = r#"{"data":{"ndarray":[[1],[2]]}}"#;
    let predicted = Exchange::example("/api/v1.0/predictions", asked, answer);
    offer.offer(Box::new(predicted)).unwrap();
    let tell = |body: &str, status| {
        let mut told = Exchange::example("/api/v1.0/feedback", body, "{}");
        told.request_id = "another".to_owned();
        (told.interest, told.status) = (Interest::Labels, status);
        // as of an answer that is not kept
        told.response.body.as_mut().unwrap().end = End::TooLong;
        offer.offer(Box::new(told)).unwrap();
    };
    let truth =
        r#"{"response":{"meta":{"puid":"p"}},"truth":{"data":{"ndarray":[["b"],["b"],["b"]]}}}"#;
    tell(truth, 200);
    tell(truth, 500);
    tell(r#"{"response":{"meta":{"puid":"p"}},"reward":1}"#, 200);
    tell(r#"{"truth":{"strData":"b"}}"#, 200);
    tell(r#"{"truth":"#, 200);
    let begin = Begin {
        offer: feedback.offer.clone(),
        ..Begin::default()
    };
    let settings = Settings::new(&config);
    let (_handle, thread) = start(take, Arc::clone(&metrics), sink, settings, begin).unwrap();
    drop(offer);
    thread.join().unwrap();
    let stated = feedback.desk.stated().await.unwrap();
    let report = stated[0].report.classification.as_ref().unwrap();
    assert_eq!((report.labels, report.accuracy.unwrap().value), (2, 0.5));
    let passed = &feedback.shown.counts.passed;
    let passed: Vec<_> = passed
        .iter()
        .map(|count| count.load(std::sync::atomic::Ordering::Relaxed))
        .collect();
    assert_eq!(passed, [1, 1, 1, 1, 1, 0]);
    let text = metrics.render();
    assert_eq!(
        value(&text, r#"sidelight_exchanges_total{outcome="observed"}"#),
        1.0,
        "{text}"
    );
    assert!(
        !text.contains(r#"reason="syntax",format="seldon""#),
        "{text}"
    );
    feedback.finish();
}

#[test]
fn predictions_are_counted_by_class_and_confidence() {
    let (offer, start) = observer(&config());
    for i in 0..30 {
        let class = ["setosa", "virginica"][i % 2];
        offer.offer(predicted(class, 0.75)).unwrap();
    }
    drop(offer);
    let text = start().finish();
    let labels = r#"model="default",model_version="1.0.0""#;
    for class in ["setosa", "virginica"] {
        let series = format!(r#"ml_model_predictions_total{{{labels},predicted_class="{class}"}}"#);
        assert_eq!(value(&text, &series), 15.0, "{text}");
    }
    let family = "ml_model_prediction_confidence";
    assert_eq!(value(&text, &format!("{family}_sum{{{labels}}}")), 22.5);
    assert_eq!(value(&text, &format!("{family}_count{{{labels}}}")), 30.0);
    let inference = format!("ml_model_inference_seconds_count{{{labels}}}");
    assert_eq!(value(&text, &inference), 30.0);
    let loaded = format!("ml_model_loaded{{{labels}}}");
    assert!(text.contains(&loaded), "{text}");
}

#[test]
fn a_mistake_that_comes_back_as_5xx_is_not_the_model_servers_fault() {
    let (offer, start) = observer(&config());
    let wrong = r#"{"error":"X has 3 features, but SVC is expecting 4 features as input."}"#;
    for (status, answer) in [
        (200, "{}"),
        (422, "{}"),
        (500, wrong),
        (500, "oh"),
        (503, "oh"),
    ] {
        let mut exchange = Box::new(Exchange::example("/predict", ROW, answer));
        exchange.status = status;
        exchange.fault = crate::capture::Fault::of_status(status);
        offer.offer(exchange).unwrap();
    }
    drop(offer);
    let text = start().finish();
    for (fault, count) in [
        ("client", 1.0),
        ("client_5xx", 1.0),
        ("upstream", 2.0),
        ("sidelight", 0.0),
    ] {
        let series = format!(r#"sidelight_faults_total{{fault="{fault}"}}"#);
        assert!(text.contains(&series), "{text}");
        assert_eq!(value(&text, &series), count, "{fault}");
    }
}

#[test]
fn a_server_that_echoes_the_clients_model_makes_no_series() {
    let mut config = config();
    config.metrics.max_models = 3;
    let (offer, start) = observer(&config);
    for i in 0..100 {
        let request = format!(r#"{{"model":"m{i}","messages":[]}}"#);
        let answer = format!(r#"{{"model":"m{i}","choices":[{{"message":{{"content":"a"}}}}]}}"#);
        let exchange = Exchange::example("/v1/chat/completions", &request, &answer);
        offer.offer(Box::new(exchange)).unwrap();
    }
    drop(offer);
    let text = start().finish();
    let count = r#"ml_model_inference_seconds_count{model="default",model_version="unknown"}"#;
    assert_eq!(value(&text, count), 100.0);
    assert!(!text.contains(r#"model="m"#), "{text}");
    assert!(!text.contains("sidelight_no_confidence_total{"), "{text}");
}

#[test]
fn the_books_balance_when_the_observer_is_stalled() {
    let mut config = config();
    config.capture.queue_exchanges = 10;
    let (offer, start) = observer(&config);
    let mut shed = 0;
    for i in 0..100 {
        let mut exchange = predicted("setosa", 0.9);
        match i % 4 {
            0 => {}
            1 => exchange.response.body = None,
            2 => exchange.request.body.as_mut().unwrap().end = End::TooLong,
            _ => exchange.response.body.as_mut().unwrap().bytes = b"<html>".to_vec(),
        }
        shed += u32::from(offer.offer(exchange).is_err());
    }
    assert_eq!(shed, 90, "nobody takes anything out");
    drop(offer);
    let text = start().finish();
    let observed = value(&text, r#"sidelight_exchanges_total{outcome="observed"}"#);
    let results = ["decoded", "decode_failed", "too_long", "aborted"].map(|r| {
        value(
            &text,
            &format!(r#"sidelight_observed_total{{result="{r}"}}"#),
        )
    });
    assert_eq!(observed, 10.0);
    assert_eq!(results, [3.0, 2.0, 2.0, 3.0]);
    let failures = text
        .lines()
        .filter(|l| l.starts_with("sidelight_decode_failures_total{"))
        .map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum::<f64>();
    assert_eq!(failures, 2.0, "each failure has its reason");
}

#[test]
fn verdicts_are_gauges_until_their_version_leaves() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut config = config();
    config.metrics.max_versions = 1;
    let (offer, start) = observer(&config);
    let running = start();
    let baseline = Baseline::of_confidences([0.5; 10], 100, jiff::Timestamp::now()).unwrap();
    let hash = baseline.short_hash().to_owned();
    let mut baselines = Baselines::new();
    baselines.set(Key::default(), baseline).unwrap();
    runtime
        .block_on(running.handle.use_baselines(baselines))
        .unwrap();
    offer.offer(predicted("setosa", 0.9)).unwrap();
    let input = loop {
        let mut copies = runtime
            .block_on(running.handle.copy(Which::Latest))
            .unwrap();
        let input = copies.remove(0);
        if input.recent == [0.9] {
            break input;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(
        (input.model.as_str(), input.version.as_str()),
        ("default", "1.0.0")
    );
    let judged = Judged {
        model: input.model.clone(),
        version: input.version.clone(),
        baseline: input.baseline.map(|b| b.short_hash().to_owned()),
        in_use: input.in_use,
        verdict: Verdict::InsufficientData,
        scan: input.scan,
    };
    running.handle.publish(vec![judged]).unwrap();
    // the answer to a second question shows that the first command was obeyed
    runtime.block_on(running.handle.copy(Which::All)).unwrap();
    runtime.block_on(running.handle.copy(Which::All)).unwrap();
    let labels = r#"model="default",model_version="1.0.0""#;
    let text = running.metrics.render();
    assert!(
        text.contains(&format!(
            r#"ml_drift_detected{{{labels},series="confidence"}} 0"#
        )),
        "{text}"
    );
    assert!(text.contains(&format!(
        r#"ml_drift_baseline_info{{{labels},baseline="{hash}",origin="posted",baseline_version=""}} 1"#
    )));

    let mut newer = predicted("setosa", 0.9);
    let answer = r#"{"prediction":"setosa","confidence":0.9,"model_version":"2"}"#;
    newer.response.body.as_mut().unwrap().bytes = answer.into();
    offer.offer(newer).unwrap();
    drop(offer);
    let text = running.finish();
    assert!(!text.contains("ml_drift_detected{"), "{text}");
    assert!(
        text.contains(r#"ml_model_loaded{model="default",model_version="2"} 0"#),
        "{text}"
    );
}

#[test]
fn the_upstreams_own_version_names_the_loaded_model() {
    let (offer, start) = observer(&config());
    let running = start();
    let loaded = ModelState {
        loaded: true,
        version: Some("7".to_owned()),
    };
    running.handle.model(loaded).unwrap();
    let gone = ModelState::default();
    running.handle.model(gone).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(running.handle.copy(Which::All)).unwrap();
    drop(offer);
    let text = running.finish();
    assert!(
        text.contains(r#"ml_model_loaded{model="default",model_version="7"} 0"#),
        "{text}"
    );
    assert_eq!(text.matches("ml_model_loaded{").count(), 1);
}

#[test]
fn predicted_numbers_are_counted_by_the_edges_of_their_route() {
    use crate::capture::route::Route;

    let (offer, start) = observer(&config());
    let answer = |value: &str| format!(r#"{{"prediction":{value},"model_version":"1"}}"#);
    for value in ["3.5", "-0.5", "1e3"] {
        let mut exchange = Exchange::example("/price", ROW, &answer(value));
        exchange.route = Some(Arc::new(Route {
            model: Some(config::Identity::from("own")),
            value_edges: Some(Arc::from([0.0, 5.0])),
            ..Route::new("/price")
        }));
        offer.offer(Box::new(exchange)).unwrap();
    }
    let common = Exchange::example("/predict", ROW, &answer("0.25"));
    offer.offer(Box::new(common)).unwrap();
    drop(offer);
    let text = start().finish();
    let own = r#"ml_model_prediction_value_bucket{model="own",model_version="1",le="#;
    for (edge, count) in [("0", 1.0), ("5", 2.0), ("+Inf", 3.0)] {
        assert_eq!(value(&text, &format!("{own}\"{edge}\"}}")), count, "{text}");
    }
    let common = r#"ml_model_prediction_value_bucket{model="default",model_version="1",le="1"}"#;
    assert_eq!(value(&text, common), 1.0, "{text}");
    assert!(!text.contains("predicted_class=\"3.5\""));
    let none = r#"sidelight_no_confidence_total{endpoint="/price"}"#;
    assert_eq!(value(&text, none), 0.0, "a number needs none");
}

#[test]
fn a_model_that_gave_a_value_has_no_classes_afterwards() {
    let (offer, start) = observer(&config());
    for answer in ["[250000, 310000]", "[250000.5, 310000]", "[900]"] {
        let answer = format!(r#"{{"predictions":{answer}}}"#);
        let request = r#"{"instances":[[1],[2]]}"#;
        let request = if answer.contains(',') {
            request
        } else {
            r#"{"instances":[[1]]}"#
        };
        let exchange = Exchange::example("/v1/models/price:predict", request, &answer);
        offer.offer(Box::new(exchange)).unwrap();
    }
    drop(offer);
    let text = start().finish();
    let count = r#"ml_model_prediction_value_count{model="price",model_version="unknown"}"#;
    assert_eq!(value(&text, count), 5.0, "{text}");
    assert!(!text.contains("ml_model_predictions_total{"), "{text}");
}

#[tokio::test]
async fn of_a_large_batch_everything_is_counted_and_the_features_of_some_rows_are_kept() {
    let mut config = config();
    config.decode.max_items = 7;
    let (offer, start) = observer(&config);
    let list = |item: &str| vec![item; 500].join(",");
    let request = format!(r#"{{"instances":[{}]}}"#, list("[1,null]"));
    let answer = format!(r#"{{"predictions":[{}]}}"#, list("[0.25,0.75]"));
    let exchange = Exchange::example("/v1/models/m:predict", &request, &answer);
    offer.offer(Box::new(exchange)).unwrap();
    let running = start();
    let listing = running.handle.models().await.unwrap();
    let model = &serde_json::to_value(&listing).unwrap()["models"][0];
    assert_eq!(
        (&model["items"], &model["features"][1]["missing"]),
        (&500.into(), &7.into())
    );
    drop(offer);
    let text = running.finish();
    let labels = r#"model="m",model_version="unknown""#;
    let class = format!(r#"ml_model_predictions_total{{{labels},predicted_class="1"}}"#);
    assert_eq!(value(&text, &class), 500.0, "{text}");
    let sure = format!("ml_model_prediction_confidence_count{{{labels}}}");
    assert_eq!(value(&text, &sure), 500.0, "{text}");
}

#[test]
fn what_is_not_known_is_counted_by_route() {
    let (offer, start) = observer(&config());
    let route = crate::capture::route::Routes::new(&[])
        .find("/predict")
        .cloned();
    for answer in [
        r#"{"prediction":null}"#,
        r#"{"prediction":"a"}"#,
        r#"{"prediction":"a","confidence":0.5}"#,
        r#"{"other":1}"#,
        r#"{"other""#,
    ] {
        let mut exchange = Exchange::example("/predict", ROW, answer);
        exchange.route.clone_from(&route);
        offer.offer(Box::new(exchange)).unwrap();
    }
    let mut long = Exchange::example("/predict", ROW, "{}");
    long.request.body.as_mut().unwrap().end = End::TooLong;
    long.route.clone_from(&route);
    offer.offer(Box::new(long)).unwrap();
    drop(offer);
    let text = start().finish();
    for (family, result, count) in [
        ("class_unknown", "", 1.0),
        ("no_confidence", "", 2.0),
        ("unread", r#",result="decode_failed""#, 2.0),
        ("unread", r#",result="too_long""#, 1.0),
    ] {
        let series = format!(r#"sidelight_{family}_total{{endpoint="/predict"{result}}}"#);
        assert_eq!(value(&text, &series), count, "{text}");
    }
}

#[test]
fn hostile_names_on_the_wire_make_a_bounded_number_of_whole_lines() {
    let mut config = config();
    config.metrics.max_models = 3;
    config.metrics.max_classes = 5;
    config.metrics.max_series = 2000;
    let classify = Arc::new(crate::capture::route::Route {
        kind: config::RouteKind::Classify,
        ..crate::capture::route::Route::new("/predict")
    });
    let (offer, start) = observer(&config);
    for i in 0..300 {
        let name = format!(
            "{i}\\n\\\"}} 1\\nml_api_active_requests 7\\\\{}",
            "x".repeat(200)
        );
        let answer = format!(
            r#"{{"prediction":"{name}","confidence":0.5,"model":"{name}","model_version":"{name}"}}"#
        );
        let request = format!(r#"{{"{name}":1}}"#);
        let mut exchange = Exchange::example("/predict", &request, &answer);
        // as long as they are, they would be texts
        exchange.route = Some(Arc::clone(&classify));
        offer.offer(Box::new(exchange)).unwrap();
        let value = format!(r#"{{"prediction":0.5,"model_version":"{name}"}}"#);
        let exchange = Exchange::example("/predict", ROW, &value);
        offer.offer(Box::new(exchange)).unwrap();
    }
    drop(offer);
    let text = start().finish();
    let series: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert!(series.len() < 2200, "{}", series.len());
    assert!(!series.contains(&"ml_api_active_requests 7"));
    for line in series {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
        assert!(
            name.starts_with("ml_") || name.starts_with("sidelight_"),
            "{line}"
        );
        assert!(name.len() < 800, "{line}");
    }
}

#[tokio::test]
async fn what_was_seen_is_listed_on_demand() {
    let (offer, start) = observer(&config());
    offer.offer(predicted("setosa", 0.5)).unwrap();
    let running = start();
    let listing = running.handle.models().await.unwrap();
    let listing = serde_json::to_value(&listing).unwrap();
    let model = &listing["models"][0];
    assert_eq!(model["model"], "default");
    assert_eq!(model["versions"][0], "1.0.0");
    assert_eq!(model["format"], "iris");
    assert_eq!(model["features"].as_array().unwrap().len(), 4);
    drop(offer);
    running.finish();
}

#[tokio::test]
async fn recent_requests_are_written_once_somebody_asks_whatever_the_log_leaves_out() {
    let mut config = config();
    config.log.lines = config::Lines::Off;
    config.log.sample = 0.0;
    config.log.redact = vec!["petal_width".to_owned()];
    let (offer, start) = observer(&config);
    offer.offer(predicted("before anybody asks", 0.5)).unwrap();
    let running = start();
    assert!(running.handle.recent().await.unwrap().lines.is_empty());
    offer.offer(predicted("setosa", 0.75)).unwrap();
    let mut other = predicted("", 0.0);
    (other.interest, other.path) = (Interest::Head, "/docs".into());
    offer.offer(other).unwrap();
    let listed = loop {
        let listed = running.handle.recent().await.unwrap();
        if listed.lines.len() == 2 {
            break listed;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let read =
        |place: usize| -> serde_json::Value { serde_json::from_str(&listed.lines[place]).unwrap() };
    assert_eq!(read(0)["path"], "/docs");
    let line = read(1);
    assert_eq!(
        (&line["prediction"], &line["confidence"]),
        (&"setosa".into(), &0.75.into())
    );
    assert_eq!(line["features"]["sepal_length"], 5.1);
    assert!(line["features"]["petal_width"].is_string(), "{line}");
    assert_eq!((listed.most, listed.skipped), (50, 0));
    drop(offer);
    running.finish();
}
