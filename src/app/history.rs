//! `sidelight drift`: the detector over files, as a table or as JSON lines.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context;
use serde_json::json;

use crate::history::{Alarmed, Summary, detect};

pub use crate::history::{Options, TableError};

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Rows that are as they should be.
    pub baseline: PathBuf,
    /// Rows that may have drifted.
    pub stream: PathBuf,
    /// How it is done.
    pub options: Options,
    /// JSON lines instead of a table.
    pub is_json: bool,
}

/// Prints every alarm as it is found, and a summary; whether there was one.
///
/// # Errors
/// When a file cannot be read or the output cannot be written.
pub fn drift(request: &Request) -> anyhow::Result<bool> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut has_title = false;
    let each = |alarmed: &Alarmed| {
        if written.is_err() {
            return;
        }
        written = if request.is_json {
            json_line(&mut out, alarmed)
        } else {
            let titled = if has_title { Ok(()) } else { title(&mut out) };
            has_title = true;
            titled.and_then(|()| table_line(&mut out, alarmed))
        };
    };
    let summary = detect(&request.baseline, &request.stream, &request.options, each)?;
    tell_unmatched(&mut io::stderr().lock(), &summary);
    let end = if request.is_json { json_end } else { table_end };
    written
        .and_then(|()| end(&mut out, &summary))
        .and_then(|()| out.flush())
        .context("cannot write the outcome")?;
    Ok(summary.alarms > 0)
}

fn json_line(out: &mut impl Write, alarmed: &Alarmed) -> io::Result<()> {
    let Alarmed { alarm, .. } = alarmed;
    let line = json!({
        "series": alarmed.series,
        "prediction": alarm.at,
        "level": alarm.level,
        "region": alarm.region,
        "region_text": alarmed.region_text,
        "score": alarm.score,
        "baseline_share": alarmed.baseline_share,
        "recent_share": alarmed.recent_share,
    });
    writeln!(out, "{line}")
}

fn json_end(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let line = json!({
        "predictions": summary.predictions,
        "series": summary.series,
        "alarms": summary.alarms,
    });
    writeln!(out, "{line}")
}

fn title(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>12}  {:<24} {:>7}  {:>8}  {:>8}  region",
        "prediction", "series", "score", "baseline", "recent"
    )
}

fn table_line(out: &mut impl Write, alarmed: &Alarmed) -> io::Result<()> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    writeln!(
        out,
        "{:>12}  {:<24} {:>7.2}  {:>8}  {:>8}  {}",
        alarmed.alarm.at,
        printable(&alarmed.series),
        alarmed.alarm.score,
        percent(alarmed.baseline_share),
        percent(alarmed.recent_share),
        printable(&alarmed.region_text)
    )
}

fn table_end(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let Summary {
        predictions,
        series,
        alarms,
        ..
    } = summary;
    writeln!(
        out,
        "{predictions} predictions, {series} series: {alarms} alarms"
    )
}

/// Names of one side that are told.
const NAMED: usize = 10;

/// Columns that are not compared. That nobody reads it is no failure.
fn tell_unmatched(out: &mut impl Write, summary: &Summary) {
    for (why, names) in [
        ("STREAM has no column", &summary.only_baseline),
        ("BASELINE has no values", &summary.only_stream),
    ] {
        if names.is_empty() {
            continue;
        }
        let named: Vec<_> = names
            .iter()
            .take(NAMED)
            .map(|name| printable(name))
            .collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(out, "not compared, {why}: {}{more}", named.join(", "));
    }
}

/// A name of a file's without characters that a terminal obeys.
pub(super) fn printable(text: &str) -> String {
    text.chars().flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_columns_that_only_one_side_has_ten_are_named() {
        let names = |count: usize| (0..count).map(|i| format!("c{i}\u{1b}")).collect();
        let of = |baseline, stream| {
            let summary = Summary {
                predictions: 1,
                series: 1,
                alarms: 0,
                only_baseline: names(baseline),
                only_stream: names(stream),
            };
            let mut said = Vec::new();
            tell_unmatched(&mut said, &summary);
            String::from_utf8(said).unwrap()
        };
        assert_eq!(of(0, 0), "");
        let one = "not compared, BASELINE has no values: c0\\u{1b}\n";
        assert_eq!(of(0, 1), one);
        let many = of(12, 10);
        assert!(
            many.contains("c9\\u{1b} and 2 more\nnot compared, BASELINE"),
            "{many}"
        );
        assert!(many.ends_with("c9\\u{1b}\n"), "{many}");
    }
}
