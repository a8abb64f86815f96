use std::{
    io::{BufReader, Read, Write},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;

use super::{run::Run, *};
use crate::{
    capture::{Exchange, queue::queue},
    config::{self, Features, Lines},
    drift::{Baseline, Notice, Origin, Outlet, Profile, Sample, SeriesName},
    metrics::Metrics,
    observe::worker::{self, Begin, Settings},
    telemetry::Sink,
};

/// When the first request of every log of these tests ends, in seconds since 1970.
const BEGIN: u64 = 1_790_000_000;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same numbers each time, in `[0, 1)`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 40).unwrap()) / f64::from(1_u32 << 24)
    }
}

/// To 4 digits, as the separate lines have confidences.
fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// Requests of which those between `drifts` have other petals and are less sure, one a second.
fn exchanges(count: u32, drifts: std::ops::Range<u32>) -> Vec<Exchange> {
    let mut random = Random(7);
    let one = |i: u32| {
        let has_drifted = drifts.contains(&i);
        let (shift, sure) = if has_drifted { (1.5, 0.3) } else { (0.0, 0.8) };
        let petal = round(random.next() + shift);
        let sepal = round(random.next());
        let confidence = round(sure + 0.2 * random.next());
        let class = ["setosa", "virginica"][usize::from(random.next() < 0.5)];
        let row = format!(r#"{{"petal_length":{petal},"sepal_length":{sepal},"owner":"Ada"}}"#);
        let answer = format!(
            r#"{{"prediction":"{class}","confidence":{confidence},"model_version":"1.0.0"}}"#
        );
        let mut exchange = Exchange::example("/predict", &row, &answer);
        exchange.request_id = format!("r{i}");
        exchange.duration = Duration::from_micros(12_340);
        let end = Duration::from_secs(BEGIN + u64::from(i));
        exchange.started = end.saturating_sub(exchange.duration);
        if i % 100 == 99 {
            exchange.status = 503;
            exchange.fault = crate::capture::Fault::of_status(503);
            exchange.response.body.as_mut().unwrap().bytes = b"busy".to_vec();
        }
        exchange
    };
    (0..count).map(one).collect()
}

/// What passes while nothing drifts.
fn baseline() -> Baselines {
    let mut random = Random(3);
    let mut numbers = |least: f64, span: f64| -> Vec<f64> {
        (0..2000)
            .map(|_| round(least + span * random.next()))
            .collect()
    };
    let sure = numbers(0.8, 0.2);
    let feature = |name: &str| SeriesName::Feature(name.to_owned());
    let profile = |numbers: &[f64]| Profile::of_numbers(numbers, true).unwrap();
    let profiles = vec![
        (SeriesName::Confidence, profile(&sure)),
        (feature("petal_length"), profile(&numbers(0.0, 1.0))),
        (feature("sepal_length"), profile(&numbers(0.0, 1.0))),
    ];
    let sample = Sample::new(sure, 5000).ok();
    let at = Timestamp::UNIX_EPOCH;
    let mut all = Baselines::new();
    let baseline = Baseline::new(sample, profiles, Origin::File, at).unwrap();
    all.set(Key::default(), baseline).unwrap();
    all
}

struct Live {
    log: Vec<u8>,
    scrape: String,
    notices: Vec<Notice>,
}

/// What an agent makes of them: its log, its metrics, and what it tells.
fn live(config: &Config, exchanges: &[Exchange], baselines: Baselines) -> Live {
    let metrics = Arc::new(Metrics::new(config.metrics.max_series).unwrap());
    let (outlet, mut told) = Outlet::default().recorded();
    let out = Shared::default();
    let (sink, writer) = Sink::start(out.clone(), 1 << 28).unwrap();
    let mut big = config.capture.clone();
    big.queue_exchanges = exchanges.len() + 1;
    big.queue_bytes = 1 << 28;
    let (offer, take) = queue(&big);
    let begin = Begin {
        baselines,
        outlet,
        ..Begin::default()
    };
    let requests = crate::proxy::past::Past::new(&metrics, &config.metrics);
    for exchange in exchanges {
        let mut exchange = Box::new(exchange.clone());
        let routes = crate::capture::route::Routes::new(&config.routes);
        exchange.route = routes.find(&exchange.path).cloned();
        let duration = exchange.duration;
        requests.count(&mut exchange, Some(duration), true);
        assert!(offer.offer(exchange).is_ok());
    }
    drop(offer);
    let settings = Settings::new(config);
    let (_handle, thread) =
        worker::start(take, Arc::clone(&metrics), sink, settings, begin).unwrap();
    thread.join().unwrap();
    writer.finish(Duration::from_mins(1));
    let mut notices = Vec::new();
    while let Ok(told) = told.try_recv() {
        notices.push(told.notice);
    }
    Live {
        log: std::mem::take(&mut *out.0.lock().unwrap()),
        scrape: metrics.render(),
        notices,
    }
}

fn config() -> Config {
    let mut config = config::defaults();
    config.log.redact_key = None;
    config
}

/// A run over a log that is in memory.
fn run<'a>(config: &'a Config, options: &Options, log: &[u8]) -> Run<'a> {
    let mut run = Run::new(config, options).unwrap();
    let input: Box<dyn Read> = Box::new(io::Cursor::new(log.to_vec()));
    run.read(Path::new("agent.log"), BufReader::new(input))
        .unwrap();
    run
}

fn with(baselines: Baselines) -> Options {
    Options {
        baselines,
        ..Options::default()
    }
}

fn report(config: &Config, options: &Options, log: &[u8]) -> Report {
    run(config, options, log)
        .finish(&["agent.log".into()])
        .unwrap()
}

/// The series of these families.
fn series(scrape: &str, families: &[&str]) -> Vec<String> {
    let is_one = |line: &&str| families.iter().any(|family| line.starts_with(family));
    let mut series: Vec<String> = scrape.lines().filter(is_one).map(str::to_owned).collect();
    series.sort();
    assert!(!series.is_empty(), "{scrape}");
    series
}

const COUNTED: [&str; 7] = [
    "ml_api_requests_total{",
    "ml_api_request_duration_seconds_bucket{",
    "ml_model_predictions_total{",
    "ml_model_prediction_confidence_bucket{",
    "ml_drift_observations_total{",
    "sidelight_faults_total{",
    "ml_model_inference_seconds_bucket{",
];

#[test]
fn what_an_agent_counted_and_found_is_what_its_log_says() {
    let exchanges = exchanges(3000, 1500..2200);
    for lines in [Lines::One, Lines::Separate] {
        let mut config = config();
        config.log.lines = lines;
        let live = live(&config, &exchanges, baseline());
        assert!(live.notices.len() >= 3, "{:?}", live.notices);
        let mut run = run(&config, &with(baseline()), &live.log);
        // the separate lines do not say how long the model server took
        let families = if lines == Lines::One {
            &COUNTED[..]
        } else {
            &COUNTED[..6]
        };
        let scrape = run.scrape();
        assert_eq!(series(&scrape, families), series(&live.scrape, families));
        assert!(run.tally.unread.is_empty());
        assert_eq!(run.tally.exchanges, 3000);
        let report = run.finish(&[]).unwrap();
        for notice in &live.notices {
            let place = format!(r#""episode":"{}""#, notice.episode);
            assert!(report.html.contains(&place), "{lines:?} {notice:?}");
        }
        let begun = live.notices.iter().filter(|n| n.event.word() == "detected");
        let told = report
            .text
            .lines()
            .filter(|line| line.contains(" of default 1.0.0: since "));
        assert_eq!(told.count(), begun.count(), "{}", report.text);
    }
}

#[test]
fn the_report_is_as_it_is_read() {
    let config = config();
    let log = live(&config, &exchanges(3000, 1500..2200), baseline()).log;
    let report = report(&config, &with(baseline()), &log);
    let expected = include_str!("tests/report.txt");
    let hash = baseline().resolve("default", "1.0.0").unwrap();
    let text = report.text.replace(hash.short_hash(), "HASH");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert!(text == expected, "{text}");
    assert!(text.contains("labels are not in a log"), "{text}");
    assert!(!report.html.contains("labels are not asked for"));
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn what_is_switched_off_or_hidden_is_missing_and_does_not_drift() {
    let exchanges = exchanges(3000, 1500..2200);
    let mut config = config();
    config.log.features = Features::None;
    let log = live(&config, &exchanges, baseline()).log;
    let off = report(&config, &with(baseline()), &log).text;
    assert!(
        off.contains("2,970 lines of predictions have no features"),
        "{off}"
    );
    assert!(off.contains("not in the log, so not compared: petal_length, sepal_length"));
    assert!(off.contains("1. confidence of default"), "{off}");
    assert!(!off.contains("petal_length of default"), "{off}");

    config.log.features = Features::All;
    config.log.redact = ["petal_length", "confidence", "prediction", "path"]
        .map(str::to_owned)
        .to_vec();
    let log = live(&config, &exchanges, baseline()).log;
    let hidden = report(&config, &with(baseline()), &log).text;
    for part in [
        "1 feature has hashes (log.redact): petal_length",
        "2,970 predictions are hashes",
        "2,970 confidences are hashes",
        "3,000 paths are hashes",
        "none was found",
    ] {
        assert!(hidden.contains(part), "{part}\n{hidden}");
    }
    assert!(!hidden.contains("hmac:"), "{hidden}");
    assert!(hidden.contains("  sepal_length  as before"), "{hidden}");
}

#[test]
fn what_is_hidden_from_the_middle_on_is_not_missing() {
    let exchanges = exchanges(3000, 0..0);
    let mut config = config();
    let mut log = live(&config, &exchanges[..1500], baseline()).log;
    config.log.redact = ["petal_length", "confidence"].map(str::to_owned).to_vec();
    log.extend(live(&config, &exchanges[1500..], baseline()).log);
    let report = report(&config, &with(baseline()), &log).text;
    assert!(report.contains("none was found"), "{report}");
    assert!(report.contains("1,485 confidences are hashes"), "{report}");
}

#[test]
fn without_a_baseline_the_first_predictions_become_one() {
    let mut config = config();
    config.drift.capture = Some(1000);
    let log = live(&config, &exchanges(3000, 1500..2200), Baselines::new()).log;
    let found = report(&config, &Options::default(), &log).text;
    assert!(
        found.contains("Captured  default 1.0.0: of its first 1000 predictions"),
        "{found}"
    );
    assert!(
        found.contains("petal_length of default 1.0.0: since"),
        "{found}"
    );
    config.drift.capture = Some(0);
    let none = report(&config, &Options::default(), &log).text;
    assert!(
        none.contains("no baseline: drift was not looked for"),
        "{none}"
    );
}

#[test]
fn damage_is_counted_with_its_place_and_the_rest_is_read() {
    let config = config();
    let mut log = live(&config, &exchanges(20, 0..0), Baselines::new()).log;
    let whole = log.clone();
    log.extend(b"not json\n\n{\"a\":1}\n{\"level\":\"INFO\",\"timestamp\":\"x\",\"message\":\"listening\"}\n\xff\xfe\n");
    log.extend(b"{\"method\":\"POST\",\"path\":\"/p\",\"request\":{},\"response\":{}}\n");
    log.extend(&whole[..300]);
    let report = report(&config, &Options::default(), &log).text;
    for part in [
        "26 read: 20 requests, 1 event",
        "2 no JSON object (agent.log:21, agent.log:25)",
        "1 neither a line of the log nor a recorded exchange (agent.log:23)",
        "1 a recorded exchange that cannot be one (agent.log:26)",
        "1 cut off at the end of a file (agent.log:27)",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
}

#[test]
fn a_time_that_is_none_of_the_log_does_not_stretch_its_period() {
    let config = config();
    let log = live(&config, &exchanges(20, 0..0), Baselines::new()).log;
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let own: &[u8] = br#""timestamp":"2026"#;
    for place in [0, 10, 19] {
        for year in [b"9999", b"1970"] {
            let mut changed = lines.concat();
            let begin: usize = lines[..place].iter().map(|line| line.len()).sum();
            let at = memchr::memmem::find(&changed[begin..], own).unwrap();
            let year_at = begin + at + own.len() - 4;
            changed[year_at..year_at + 4].copy_from_slice(year);
            let report = report(&config, &Options::default(), &changed).text;
            let period = report.lines().find(|line| line.starts_with("Period"));
            let period = period.unwrap();
            assert_eq!(period.matches("2026-").count(), 2, "{place} {period}");
            assert!(report.contains("20 read: 20 requests"), "{report}");
            assert!(
                report.contains("have a time in the future or over 400 days from the rest"),
                "{report}"
            );
        }
    }
}

#[test]
fn no_line_whatever_its_damage_panics() {
    let mut config = config();
    let one = live(&config, &exchanges(1, 0..0), Baselines::new()).log;
    config.log.lines = Lines::Separate;
    let mut several = live(&config, &exchanges(1, 0..0), Baselines::new()).log;
    let first = one.strip_suffix(b"\n").unwrap().to_vec();
    several.extend(one);
    let mut log = Vec::new();
    for line in several.split(|b| *b == b'\n') {
        for end in 0..line.len() {
            log.extend(&line[..end]);
            log.push(b'\n');
        }
        for (place, values) in (0..line.len()).zip(
            [&b"null"[..], b"[]", b"{}", b"1e999", b"-1", b"\"\""]
                .iter()
                .cycle(),
        ) {
            log.extend(&line[..place]);
            log.extend(*values);
            log.extend(&line[place..]);
            log.push(b'\n');
        }
    }
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&first).unwrap();
    for value in [
        "null",
        "[]",
        "{}",
        "1e300",
        "-1",
        "\"\"",
        "[null,1,\"a\",[],{}]",
        "99999",
        "\"9999-12-31T23:59:59Z\"",
        "\"-009999-01-01T00:00:00Z\"",
    ] {
        for name in [
            "timestamp",
            "status_code",
            "duration_ms",
            "upstream_ms",
            "prediction",
            "confidence",
            "items",
            "features",
            "model",
            "method",
            "path",
        ] {
            let before = fields.insert(name.to_owned(), serde_json::from_str(value).unwrap());
            log.extend(serde_json::to_vec(&fields).unwrap());
            log.push(b'\n');
            match before {
                Some(before) => fields.insert(name.to_owned(), before),
                None => fields.remove(name),
            };
        }
    }
    log.extend(several);
    let report = report(&config, &Options::default(), &log);
    assert!(report.text.contains("Not read"));
}

#[test]
fn recorded_exchanges_go_through_the_decoders() {
    let config = config();
    let recorded = include_bytes!("../../tests/wire/iris/service.jsonl");
    let mut run = run(&config, &Options::default(), recorded);
    assert!(run.tally.recorded > 5 && run.tally.unread.is_empty());
    assert!(run.scrape().contains("predicted_class=\"setosa\"}"));
    let text = run.finish(&["r.jsonl".into()]).unwrap().text;
    assert!(
        text.contains("not told: nothing in the log has a time"),
        "{text}"
    );
    assert!(text.contains("exchanges have no time"), "{text}");
}

#[test]
fn of_two_models_the_one_that_is_wanted_counts() {
    let mut config = config();
    let mut log = Vec::new();
    for name in ["a", "b"] {
        config.model.name = name.to_owned();
        log.extend(live(&config, &exchanges(50, 0..0), Baselines::new()).log);
    }
    let both = report(&config, &Options::default(), &log).text;
    assert!(
        both.contains("MODEL a, VERSION 1.0.0") && both.contains("MODEL b,"),
        "{both}"
    );
    assert!(
        both.contains("lines are older than one before them"),
        "{both}"
    );
    let options = Options {
        wanted: Key {
            model: Some("a".to_owned()),
            version: None,
        },
        ..Options::default()
    };
    let one = report(&config, &options, &log).text;
    assert!(
        one.contains("MODEL a,") && !one.contains("MODEL b,"),
        "{one}"
    );
}

#[test]
fn a_file_without_a_line_of_use_says_what_was_expected() {
    let config = config();
    for (log, found) in [
        ("", "found nothing"),
        (
            "a,b\n1,2\n",
            "found 2 no JSON object (agent.log:1, agent.log:2)",
        ),
    ] {
        let run = run(&config, &Options::default(), log.as_bytes());
        let error = run.finish(&["agent.log".into()]).unwrap_err().to_string();
        assert!(
            error.contains("expected lines of Sidelight's log"),
            "{error}"
        );
        assert!(error.contains(found), "{error}");
    }
}

#[test]
fn words_of_the_log_are_no_commands_of_a_terminal_and_no_tags_of_the_page() {
    let config = config();
    let mut exchanges = exchanges(3, 0..0);
    let answer = r#"{"prediction":"\u001b[2J</script><b>","confidence":0.5}"#;
    for exchange in &mut exchanges {
        exchange.response.body.as_mut().unwrap().bytes = answer.as_bytes().to_vec();
    }
    let log = live(&config, &exchanges, Baselines::new()).log;
    let report = report(&config, &Options::default(), &log);
    assert!(report.text.contains("[2J</script><b>"), "{}", report.text);
    assert!(!report.text.contains('\u{1b}'));
    assert!(!report.html.contains("</script><b>"));
}

#[test]
fn files_are_read_in_the_order_of_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let config = config();
    let all = exchanges(20, 0..0);
    let put = |name: &str, of: &[Exchange]| {
        let path = dir.path().join(name);
        std::fs::write(&path, live(&config, of, Baselines::new()).log).unwrap();
        path
    };
    let later = put("log", &all[10..]);
    let earlier = put("log.1", &all[..10]);
    let options = Options {
        files: vec![later, earlier],
        ..Options::default()
    };
    let text = replay(&config, &options).unwrap().text;
    assert!(text.contains("log.1, "), "{text}");
    assert!(!text.contains("lines are older"), "{text}");
    assert!(text.contains("20 read: 20 requests"), "{text}");
}
