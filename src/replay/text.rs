//! The report for people: the figures of the page, in words, in lines of 100 columns.

mod models;
mod table;

use std::{fmt::Write as _, path::PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use self::table::{Align, Table};
use super::{run::Tally, untold::Missing};
use crate::{
    drift::{Baselines, notice::Happened},
    ops::dashboard::past::Period,
};

/// Columns of a line.
const WIDTH: usize = 100;

/// All that is reported.
pub(super) struct Parts<'a> {
    pub(super) names: &'a str,
    /// `None`: nothing has a time.
    pub(super) period: Option<Period>,
    pub(super) tally: &'a Tally,
    /// What the page shows.
    pub(super) state: &'a Json,
    pub(super) baselines: &'a Baselines,
    pub(super) missing: &'a [Missing],
    pub(super) always: &'a [String],
}

/// A drift that replay has found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) episode: String,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) series: String,
    pub(super) decision: &'static str,
    pub(super) since: Option<Timestamp>,
    /// The prediction behind which it can be seen.
    pub(super) since_prediction: Option<u64>,
    /// The request that came then.
    pub(super) first_request: Option<String>,
    pub(super) at: Timestamp,
    /// The request with which it was found.
    pub(super) request: Option<String>,
    pub(super) evidence: Happened,
    /// When, with which prediction, why, and with which request it ended.
    pub(super) end: Option<(Timestamp, Option<u64>, &'static str, Option<String>)>,
}

/// The whole report.
pub(super) fn report(parts: &Parts<'_>) -> String {
    let mut out = String::new();
    head(&mut out, parts);
    requests(&mut out, parts.state);
    models::all(&mut out, parts.state);
    episodes(&mut out, parts);
    of_agent(&mut out, parts.tally);
    untold(&mut out, parts);
    out
}

fn head(out: &mut String, parts: &Parts<'_>) {
    let tally = parts.tally;
    line(
        out,
        "",
        &format!(
            "Sidelight {}: replay of {}",
            env!("CARGO_PKG_VERSION"),
            parts.names
        ),
    );
    out.push('\n');
    let period = match parts.period {
        Some(Period { begin, end }) => {
            format!(
                "{begin:.0} to {end:.0}, {}",
                span(end.duration_since(begin))
            )
        }
        None => "not told: nothing in the log has a time".to_owned(),
    };
    entry(out, "Period", &period);
    let mut lines = format!(
        "{} read: {}",
        count(tally.lines),
        plural(tally.exchanges, "request")
    );
    for (number, what) in [
        (tally.recorded, "recorded exchange"),
        (tally.events, "event"),
    ] {
        if number > 0 {
            let _ = write!(lines, ", {}", plural(number, what));
        }
    }
    entry(out, "Lines", &lines);
    for (why, (number, places)) in &tally.unread {
        let places: Vec<String> = places.iter().map(|place| printable(place)).collect();
        let text = format!("{} {} ({})", count(*number), why.text(), places.join(", "));
        entry(out, "Not read", &text);
    }
    let given = parts
        .baselines
        .iter()
        .filter(|(_, b)| b.origin().is_reviewed());
    for (key, baseline) in given {
        let name = |name: &Option<String>| name.as_deref().map_or("any".to_owned(), printable);
        let text = format!(
            "model {}, version {}: {}, sha256 {}",
            name(&key.model),
            name(&key.version),
            plural(baseline.rows() as u64, "row"),
            baseline.short_hash()
        );
        entry(out, "Baseline", &text);
    }
    for captured in &tally.captured {
        entry(out, "Captured", captured);
    }
    if parts.baselines.is_empty() {
        entry(out, "Baseline", "none: drift was not looked for");
    }
}

fn requests(out: &mut String, state: &Json) {
    title(out, "Requests");
    let traffic = &state["traffic"];
    let statuses = ["1xx", "2xx", "3xx", "4xx", "499", "5xx"];
    let of = |requests: &Json, status: &str| requests[status].as_u64().unwrap_or(0);
    let seen: Vec<&str> = statuses
        .into_iter()
        .filter(|status| of(&traffic["requests"], status) > 0)
        .collect();
    let mut heads = vec![("endpoint", Align::Left), ("requests", Align::Right)];
    heads.extend(seen.iter().map(|status| (*status, Align::Right)));
    heads.extend(["p50", "p95", "p99"].map(|name| (name, Align::Right)));
    let mut table = Table::new(&heads);
    let edges = numbers(&state["edges"]["seconds"]);
    for endpoint in list(&traffic["endpoints"]) {
        let all: u64 = statuses.iter().map(|s| of(&endpoint["requests"], s)).sum();
        if all == 0 {
            continue;
        }
        let mut row = vec![name(&endpoint["endpoint"]), count(all)];
        row.extend(seen.iter().map(|s| count(of(&endpoint["requests"], s))));
        let counts = numbers(&endpoint["duration"]["counts"]);
        let quantiles =
            [0.5, 0.95, 0.99].map(|q| quantile(q, &edges, &counts).map_or("-".to_owned(), seconds));
        row.extend(quantiles);
        table.push(row);
    }
    table.print(out);
    left_out(out, &traffic["endpoints_left_out"], "endpoints");
    for failure in list(&traffic["failures"]) {
        let text = format!(
            "{} without a whole answer: {}, by the fault of {}",
            count(failure["count"].as_u64().unwrap_or(0)),
            name(&failure["reason"]),
            name(&failure["fault"]),
        );
        line(out, "  ", &text);
    }
    let faults = traffic["faults"].as_object();
    let faults = faults.into_iter().flatten().filter_map(|(fault, number)| {
        let number = number.as_u64().filter(|number| *number > 0)?;
        Some(format!("{} {}", printable(fault), count(number)))
    });
    let faults: Vec<String> = faults.collect();
    if !faults.is_empty() {
        line(out, "  ", &format!("faults: {}", faults.join(", ")));
    }
}

fn episodes(out: &mut String, parts: &Parts<'_>) {
    title(out, "Drift, in its order");
    let tally = parts.tally;
    if tally.found.is_empty() {
        line(out, "  ", "none was found");
    }
    for (place, found) in tally.found.iter().enumerate() {
        found.print(out, place + 1);
    }
    if tally.found_left_out > 0 {
        line(
            out,
            "  ",
            &format!("{} more are not told", count(tally.found_left_out)),
        );
    }
}

impl Found {
    fn print(&self, out: &mut String, number: usize) {
        let begin = self.since.unwrap_or(self.at);
        let whose = format!(
            "{number}. {} of {} {}",
            printable(&self.series),
            printable(&self.model),
            printable(&self.version)
        );
        let until = match &self.end {
            Some((at, ..)) => format!("until {at:.0}"),
            None => "and goes on at the end of the log".to_owned(),
        };
        line(out, "  ", &format!("{whose}: since {begin:.0} {until}"));
        match &self.evidence {
            Happened::Found(found) => {
                let mut text = format!(
                    "{} in {} of the window, and in {} of the baseline; score {:.2}",
                    printable(&found.region),
                    share(found.recent_share),
                    share(found.baseline_share),
                    found.score
                );
                if let Some(psi) = found.psi {
                    let _ = write!(text, ", psi {psi:.3}");
                }
                if found.low_confidence {
                    text.push_str("; the baseline is small for so dependent a series");
                }
                line(out, "     ", &text);
                if let Some(since) = self.since_prediction {
                    let first = match &self.first_request {
                        Some(id) => format!(", with request {}", printable(id)),
                        None => String::new(),
                    };
                    let text = format!("begins behind prediction {}{first}", count(since));
                    line(out, "     ", &text);
                }
                let text = format!(
                    "found at prediction {}{}, {:.0}",
                    count(found.prediction),
                    with(self.request.as_deref()),
                    self.at
                );
                line(out, "     ", &text);
            }
            Happened::Tested(tested) => {
                let text = format!(
                    "by the test of the last {}: mean {:.4}, that of the baseline {:.4}; \
                     Kolmogorov-Smirnov {:.4}, p = {:.3e}; found {:.0}",
                    plural(tested.samples_checked as u64, "value"),
                    tested.recent_mean,
                    tested.baseline_mean,
                    tested.ks_statistic,
                    tested.p_value,
                    self.at
                );
                line(out, "     ", &text);
            }
            Happened::Cleared { .. } => {}
        }
        if let Some((at, prediction, reason, request)) = &self.end {
            let with = match prediction {
                Some(prediction) => {
                    format!(
                        " with prediction {}{}",
                        count(*prediction),
                        with(request.as_deref())
                    )
                }
                None => String::new(),
            };
            line(out, "     ", &format!("ended {at:.0}{with}: {reason}"));
        }
    }
}

fn with(request: Option<&str>) -> String {
    request.map_or_else(String::new, |id| format!(", request {}", printable(id)))
}

fn of_agent(out: &mut String, tally: &Tally) {
    if tally.told.is_empty() {
        return;
    }
    title(out, "What the agent itself said of drift");
    for event in &tally.told {
        let what = if event.has_begun { "began" } else { "ended" };
        let since = match event.since.as_deref().filter(|_| event.has_begun) {
            Some(since) => format!(", since {}", printable(since)),
            None => String::new(),
        };
        let text = format!(
            "{} {what}: {} of {} {}{since}",
            printable(&event.time),
            printable(&event.series),
            printable(&event.model),
            printable(&event.version)
        );
        line(out, "  ", &text);
    }
    if tally.told_left_out > 0 {
        line(
            out,
            "  ",
            &format!("{} more are not told", count(tally.told_left_out)),
        );
    }
}

fn untold(out: &mut String, parts: &Parts<'_>) {
    title(out, "What this log does not tell");
    for missing in parts.missing {
        line(
            out,
            "  - ",
            &format!("{} {}", count(missing.count), printable(&missing.why)),
        );
    }
    for always in parts.always {
        line(out, "  - ", always);
    }
}

/// The files, by name.
pub(super) fn names(files: &[PathBuf]) -> String {
    let shown = files.iter().map(|file| {
        if file.as_os_str() == "-" {
            return "the standard input".to_owned();
        }
        printable(&file.display().to_string())
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// What is there where nothing is of use.
pub(super) fn nothing(tally: &Tally) -> String {
    if tally.lines == 0 {
        return "nothing".to_owned();
    }
    let mut all: Vec<String> = Vec::new();
    if tally.events > 0 {
        all.push(plural(tally.events, "event"));
    }
    for (why, (number, places)) in &tally.unread {
        let places: Vec<String> = places.iter().map(|place| printable(place)).collect();
        all.push(format!(
            "{} {} ({})",
            count(*number),
            why.text(),
            places.join(", ")
        ));
    }
    all.join("; ")
}

/// Without characters that a terminal obeys.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        // these stand in words and obey nothing
        '\'' | '"' => c.to_string(),
        other => other.escape_debug().collect(),
    };
    text.chars().map(shown).collect()
}

fn title(out: &mut String, text: &str) {
    out.push('\n');
    out.push_str(&text.to_uppercase());
    out.push('\n');
}

fn entry(out: &mut String, name: &str, text: &str) {
    line(out, &format!("{name:<10}"), text);
}

/// A text behind `begin`, in as many lines as it takes; what cannot be broken stays whole.
fn line(out: &mut String, begin: &str, text: &str) {
    let indent = begin.chars().count();
    let mut width = indent;
    out.push_str(begin);
    let mut is_first = true;
    for word in text.split(' ') {
        let long = word.chars().count();
        if !is_first && width + 1 + long > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            width = indent;
            is_first = true;
        }
        if !is_first {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += long;
        is_first = false;
    }
    out.push('\n');
}

fn left_out(out: &mut String, number: &Json, what: &str) {
    let number = number.as_u64().unwrap_or(0);
    if number > 0 {
        line(
            out,
            "  ",
            &format!("{} more {what} are not listed", count(number)),
        );
    }
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn numbers(json: &Json) -> Vec<f64> {
    list(json).iter().filter_map(Json::as_f64).collect()
}

fn name(json: &Json) -> String {
    printable(json.as_str().unwrap_or_default())
}

/// `12,345`.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn plural(number: u64, what: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {what}{end}", count(number))
}

fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    }
}

fn span(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{:.1} s", time.as_secs_f64()),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours, minutes) if hours < 48 => format!("{hours} h {minutes} min"),
        (hours, _) => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// The value below which the share `q` lies: linear within a bucket, as the page has it.
fn quantile(q: f64, edges: &[f64], counts: &[f64]) -> Option<f64> {
    let all: f64 = counts.iter().sum();
    if all <= 0.0 {
        return None;
    }
    let rank = q * all;
    let mut below = 0.0;
    for (place, count) in counts.iter().enumerate() {
        if below + count >= rank && *count > 0.0 {
            let Some(edge) = edges.get(place) else {
                break;
            };
            let start = match place.checked_sub(1) {
                Some(before) => edges[before],
                None => edge.min(0.0),
            };
            return Some(start + (edge - start) * ((rank - below) / count));
        }
        below += count;
    }
    edges.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_broken_between_words_and_behind_its_beginning() {
        let mut out = String::new();
        line(
            &mut out,
            "  - ",
            &"word "
                .repeat(40)
                .trim_end()
                .replace("word word word", "a\u{e9}b"),
        );
        line(&mut out, "", &"x".repeat(150));
        for line in out.lines().filter(|line| !line.starts_with('x')) {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(line.starts_with("  - ") || line.starts_with("    "));
        }
    }

    #[test]
    fn numbers_and_spans_are_read_by_people() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count).join(" "),
            "0 999 1,000 1,234,567"
        );
        let spans = [1, 61, 7_200, 200_000].map(|s| span(SignedDuration::from_secs(s)));
        assert_eq!(spans.join("; "), "1.0 s; 1 min 1 s; 2 h 0 min; 2 d 7 h");
        assert_eq!(
            printable("it's\u{1b}[2J\u{202e}\n"),
            "it's\\u{1b}[2J\\u{202e}\\n"
        );
        assert_eq!(quantile(0.5, &[1.0, 2.0], &[0.0, 4.0, 0.0]), Some(1.5));
        assert_eq!(quantile(0.5, &[1.0, 2.0], &[0.0, 0.0, 4.0]), Some(2.0));
        assert_eq!(quantile(0.5, &[1.0], &[0.0, 0.0]), None);
    }
}
