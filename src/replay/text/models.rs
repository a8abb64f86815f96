//! The versions of models: what they predicted, how sure they were, and the verdict on every series.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{
    count, left_out, line, list, name, numbers, plural, quantile, seconds, share,
    table::{Align, Table},
    title,
};

/// Every version that is listed.
pub(super) fn all(out: &mut String, state: &Json) {
    let versions = list(&state["models"]);
    if versions.is_empty() {
        title(out, "Predictions");
        line(out, "  ", "none was read");
    }
    for version in versions {
        let title = format!(
            "\nMODEL {}, VERSION {}\n",
            name(&version["model"]),
            name(&version["version"])
        );
        out.push_str(&title);
        predictions(out, version, state);
        verdict(out, version);
        series(out, version);
    }
    left_out(out, &state["versions_left_out"], "versions");
}

fn predictions(out: &mut String, version: &Json, state: &Json) {
    let all = version["predictions"].as_u64().unwrap_or(0);
    let values = version["values"]["count"].as_u64().unwrap_or(0);
    let mut text = plural(all, "prediction");
    text.push_str(" with a class");
    if values > 0 {
        let _ = write!(text, ", {}", plural(values, "predicted number"));
    }
    line(out, "  ", &text);
    let sure = &version["confidence"];
    let number = sure["count"].as_u64().unwrap_or(0);
    if number > 0 {
        let edges = numbers(&state["edges"]["confidence"]);
        let counts = numbers(&sure["counts"]);
        let of = |q| quantile(q, &edges, &counts).map_or("-".to_owned(), |v| format!("{v:.3}"));
        let text = format!(
            "confidence of {}: mean {:.4}, 5 % below {}, half below {}",
            count(number),
            sure["sum"].as_f64().unwrap_or(0.0) / as_float(number),
            of(0.05),
            of(0.5)
        );
        line(out, "  ", &text);
    }
    let counts = numbers(&version["inference"]["counts"]);
    let edges = numbers(&state["edges"]["seconds"]);
    if let (Some(half), Some(most)) = (
        quantile(0.5, &edges, &counts),
        quantile(0.95, &edges, &counts),
    ) {
        let text = format!(
            "the model server took p50 {}, p95 {}",
            seconds(half),
            seconds(most)
        );
        line(out, "  ", &text);
    }
    classes(out, version, all);
}

fn classes(out: &mut String, version: &Json, all: u64) {
    let classes = list(&version["classes"]);
    if classes.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("class", Align::Left),
        ("items", Align::Right),
        ("share", Align::Right),
        ("baseline", Align::Right),
        ("window", Align::Right),
    ]);
    let shown = |json: &Json| json.as_f64().map_or("-".to_owned(), share);
    for class in classes {
        let number = class["count"].as_u64().unwrap_or(0);
        table.push(vec![
            name(&class["class"]),
            count(number),
            share(as_float(number) / as_float(all.max(1))),
            shown(&class["baseline"]),
            shown(&class["recent"]),
        ]);
    }
    table.print(out);
    left_out(out, &version["classes_left_out"], "classes");
}

fn verdict(out: &mut String, version: &Json) {
    let baseline = &version["baseline"];
    if baseline.is_null() {
        let text = match version["capturing"]["wanted"].as_u64() {
            Some(wanted) => format!(
                "no baseline: {} of the {} predictions that would become one are in the log; drift was not looked for",
                count(version["capturing"]["rows"].as_u64().unwrap_or(0)),
                count(wanted)
            ),
            None => "no baseline: drift was not looked for".to_owned(),
        };
        return line(out, "  ", &text);
    }
    let drift = &version["drift"];
    let has_drifted = drift["drift_detected"].as_bool().unwrap_or(false);
    let by = match drift["decision"].as_str() {
        Some("scan") => "the scan of every series",
        _ => "the test of the confidence; the scan is not warm yet",
    };
    let reviewed = if baseline["reviewed"].as_bool().unwrap_or(false) {
        ""
    } else {
        ", which nobody has reviewed"
    };
    let text = format!(
        "at the end: {}, by {by}, against the {} baseline of {}{reviewed}",
        if has_drifted { "DRIFT" } else { "no drift" },
        name(&baseline["origin"]),
        plural(baseline["rows"].as_u64().unwrap_or(0), "row"),
    );
    line(out, "  ", &text);
    let scan = &drift["scan"];
    for (what, names) in [
        ("not in the log, so not compared", &scan["unmatched"]),
        ("not in the baseline", &scan["only_in_traffic"]),
    ] {
        let names: Vec<String> = list(names).iter().map(name).collect();
        if !names.is_empty() {
            line(out, "  ", &format!("{what}: {}", names.join(", ")));
        }
    }
}

fn series(out: &mut String, version: &Json) {
    if list(&version["series"]).is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("series", Align::Left),
        ("verdict", Align::Left),
        ("score", Align::Right),
        ("drifts", Align::Right),
        ("values", Align::Right),
        ("psi", Align::Right),
        ("missing", Align::Right),
        ("baseline", Align::Right),
    ]);
    let unmatched = list(&version["drift"]["scan"]["unmatched"]);
    for series in list(&version["series"]) {
        let is = |what: &str| series[what].as_bool().unwrap_or(false);
        let verdict = if unmatched.contains(&series["name"]) {
            "not in the log"
        } else if is("drift_detected") {
            "DRIFT"
        } else if is("is_warm") {
            "as before"
        } else {
            "too few"
        };
        let missing = |of: &str| {
            let lacking = series["missing"][of].as_f64();
            lacking.map_or("-".to_owned(), share)
        };
        let decimals = |what: &str, places: usize| {
            let number = series[what].as_f64();
            number.map_or("-".to_owned(), |number| format!("{number:.places$}"))
        };
        table.push(vec![
            name(&series["name"]),
            verdict.to_owned(),
            decimals("score", 2),
            count(series["alarms"].as_u64().unwrap_or(0)),
            count(series["predictions"].as_u64().unwrap_or(0)),
            decimals("psi", 3),
            missing("recent"),
            missing("baseline"),
        ]);
    }
    table.print(out);
    left_out(out, &version["series_left_out"], "series");
    for series in list(&version["series"]) {
        let problems: Vec<String> = list(&series["problems"]).iter().map(name).collect();
        if !problems.is_empty() {
            let problems = problems.join(", ").replace('_', " ");
            line(out, "  ", &format!("{}: {problems}", name(&series["name"])));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts, for people")]
fn as_float(number: u64) -> f64 {
    number as f64
}
