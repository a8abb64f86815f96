//! The scan against streams whose alarms were worked out by another implementation: `tests/vectors/scan_*`.

use serde_json::Value;
use sidelight::drift::{
    bins::{Classes, Edges, Reference},
    scan::{Rules, Scan},
};

/// Of every alarm the prediction, the level and the region; behind each the series begins anew.
fn alarms(bins: usize, stream: &[usize], reference: &Reference, rules: &Rules) -> Value {
    let mut scan = Scan::new(bins);
    let mut alarms = Vec::new();
    for bin in stream {
        if let Some(alarm) = scan.push(*bin, reference, rules, |_| ()) {
            alarms.push(serde_json::json!([alarm.at, alarm.level, alarm.region]));
            scan.restart();
        }
    }
    Value::from(alarms)
}

fn cases(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn numbers(list: &Value) -> Vec<f64> {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    list.as_array().unwrap().iter().map(number).collect()
}

/// Bins, the bin of every prediction, and the baseline of a short case.
fn short(case: &Value) -> (usize, Vec<usize>, Reference) {
    let (baseline, stream) = (numbers(&case["baseline"]), numbers(&case["stream"]));
    if case["kind"] == "numeric" {
        let (edges, reference) = Edges::of(&baseline).unwrap();
        let stream = stream.iter().map(|value| edges.bin(*value)).collect();
        return (edges.bins(), stream, reference);
    }
    // as wide as the widest, so that they sort as numbers do
    let class = |value: &f64| format!("{value:09.3}");
    let baseline: Vec<String> = baseline.iter().map(class).collect();
    let (classes, reference) = Classes::of(baseline.iter().map(|class| Some(class.as_str())));
    let stream = stream
        .iter()
        .map(|value| classes.bin(Some(&class(value))))
        .collect();
    (classes.bins(), stream, reference)
}

#[test]
fn short_streams_alarm_where_they_should() {
    let mut compared = 0;
    for case in cases("scan_traces.json") {
        let (bins, stream, reference) = short(&case);
        let counts: Vec<u32> = (0..reference.regions())
            .map(|r| reference.count(r))
            .collect();
        assert_eq!(
            Value::from(counts),
            case["region_baseline_counts"],
            "{}",
            case["name"]
        );
        for threshold in ["18", "24", "30"] {
            let rules = Rules {
                threshold: threshold.parse().unwrap(),
                tau: 1.0,
                min_effect: 0.0,
            };
            let found = alarms(bins, &stream, &reference, &rules);
            assert_eq!(
                found, case["alarms"][threshold],
                "{} at {threshold}",
                case["name"]
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 60);
}

/// One segment of a generated stream.
fn generate(segment: &Value, into: &mut Vec<f64>) {
    let mut state = segment["seed"].as_u64().unwrap();
    let every = segment["missing_every"].as_u64();
    let is_square = segment["pow2"].as_bool() == Some(true);
    for place in 1..=segment["n"].as_u64().unwrap() {
        let mut value = super::stats_vectors::uniform(&mut state);
        if is_square {
            value *= value;
        }
        if let Some(grid) = segment["grid"].as_f64() {
            value = (value * grid).floor() / grid;
        }
        let (mul, add) = (segment["mul"].as_f64(), segment["add"].as_f64());
        let value = value * mul.unwrap_or(1.0) + add.unwrap_or(0.0);
        let is_missing = every.is_some_and(|every| place % every == 0);
        into.push(if is_missing { f64::NAN } else { value });
    }
}

#[test]
fn long_streams_alarm_where_they_should() {
    let cases = cases("scan_traces_long.json");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let (mut baseline, mut stream) = (Vec::new(), Vec::new());
        generate(&case["baseline_gen"], &mut baseline);
        for segment in case["stream_gen"].as_array().unwrap() {
            generate(segment, &mut stream);
        }
        let (edges, reference) = Edges::of(&baseline).unwrap();
        let stream: Vec<usize> = stream.iter().map(|value| edges.bin(*value)).collect();
        let series = usize::try_from(case["d"].as_u64().unwrap()).unwrap();
        let rules = Rules {
            tau: case["tau"].as_f64().unwrap(),
            ..Rules::new(case["h0"].as_f64().unwrap(), series, None)
        };
        let found = alarms(edges.bins(), &stream, &reference, &rules);
        assert_eq!(found, case["alarms"], "{}", case["name"]);
    }
}
