//! The lines of a state: how the agent is, what passes through it, then each model with what drifts first.

mod accuracy;

use std::fmt::Write;

use super::{
    between::{Between, items},
    screen::{Line, Tone},
    state::{Class, Series, State, Version},
};

/// Of classes, routes, series, gaps and drifts that are over so many are shown: who needs more has the page.
const CLASSES: usize = 6;
const ROUTES: usize = 5;
const SERIES: usize = 12;
const GAPS: usize = 3;
const OVER: usize = 3;

/// Columns of a name.
const NAME: usize = 28;

/// All lines; of `model` alone, where one is named.
pub(super) fn lines(state: &State, between: &Between<'_>, model: Option<&str>) -> Vec<Line> {
    let mut page = Page::default();
    head(state, &mut page);
    traffic(state, between, &mut page);
    routes(state, between, &mut page);
    let is_wanted = |name: &str| model.is_none_or(|model| model == name);
    match &state.models {
        None => {
            let why = state.observer.as_deref().unwrap_or("away");
            page.push(Tone::Bad, format!("models: the observer is {}", clean(why)));
        }
        Some(all) => {
            let wanted = all.iter().filter(|version| is_wanted(&version.model));
            for version in wanted.clone() {
                model_lines(version, state.unix, between, &mut page);
            }
            match (wanted.count(), model) {
                (0, Some(model)) => {
                    page.push(Tone::Bad, format!("no predictions of {}", clean(model)));
                }
                (0, None) => page.push(Tone::Faint, "no predictions yet".to_owned()),
                _ => {}
            }
            page.more(state.versions_left_out, "versions");
        }
    }
    over(state, &is_wanted, &mut page);
    missing(state, &is_wanted, &mut page);
    page.0
}

#[derive(Default)]
struct Page(Vec<Line>);

impl Page {
    fn push(&mut self, tone: Tone, text: String) {
        self.0.push(Line { tone, text });
    }

    fn more(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.push(Tone::Faint, format!("  {count} more {what}"));
        }
    }
}

fn head(state: &State, page: &mut Page) {
    let agent = &state.agent;
    let is_drifting = |version: &&Version| version.drift.drift_detected;
    let versions = || state.models.iter().flatten();
    let drifting = versions().filter(is_drifting).count();
    let dropped = versions().filter(|version| version.has_dropped()).count();
    let (tone, word) = match (agent.ready, drifting) {
        (false, _) => {
            let why: Vec<_> = agent.not_ready.iter().map(|why| words(why)).collect();
            (Tone::Bad, format!("NOT READY: {}", why.join(", ")))
        }
        (true, 0) if dropped == 0 => (Tone::Good, "ready, no drift".to_owned()),
        (true, _) => (Tone::Bad, format!("ready{}", alarms(drifting, dropped))),
    };
    let time = state
        .time
        .split('.')
        .next()
        .unwrap_or_default()
        .replace('T', " ");
    let up = duration(agent.uptime_seconds);
    let version = clean(&agent.version);
    page.push(
        tone,
        format!("sidelight {version}  up {up}  {word}  {} UTC", clean(&time)),
    );
}

/// Of so many versions that drift, and so many of which fewer predictions are right.
fn alarms(drifting: usize, dropped: usize) -> String {
    let mut text = match drifting {
        0 => String::new(),
        1 => ", 1 VERSION DRIFTS".to_owned(),
        many => format!(", {many} VERSIONS DRIFT"),
    };
    match dropped {
        0 => {}
        1 => text += ", ACCURACY DROPPED",
        many => {
            let _ = write!(text, ", ACCURACY OF {many} VERSIONS DROPPED");
        }
    }
    text
}

fn traffic(state: &State, between: &Between<'_>, page: &mut Page) {
    let traffic = &state.traffic;
    let requests = between.requests(state);
    let all: u64 = requests.values().sum();
    let shed: u64 = traffic.shed.values().sum();
    let unread: u64 = ["decode_failed", "too_long"]
        .iter()
        .filter_map(|outcome| traffic.observed.get(*outcome))
        .sum();
    let panics: u64 = traffic.panics.values().sum();
    let mut text = format!(
        "{:.1} requests/s  {}  in flight {}  waiting {}  shed {shed}  unread {unread}",
        between.rate(all),
        errors(&requests),
        traffic.in_flight,
        traffic.queue_exchanges,
    );
    if panics > 0 {
        let _ = write!(text, "  panics {panics}");
    }
    text += if between.is_all() {
        "  (rates since the start)"
    } else {
        ""
    };
    let is_bad = shed > 0 || panics > 0;
    page.push(if is_bad { Tone::Bad } else { Tone::Plain }, text);
}

fn routes(state: &State, between: &Between<'_>, page: &mut Page) {
    let endpoints = &state.traffic.endpoints;
    if endpoints.is_empty() {
        return;
    }
    let head = format!(
        "{:<NAME$} {:>11} {:>9} {:>9} {:>9}  answers",
        "route", "requests/s", "p50", "p95", "p99"
    );
    page.push(Tone::Faint, head);
    for endpoint in endpoints.iter().take(ROUTES) {
        let (requests, took) = between.endpoint(endpoint);
        let at = |share| match took.quantile(share, &state.edges.seconds) {
            Some(edge) => format!("<{}", duration(edge)),
            None if took.count > 0 => "slower".to_owned(),
            None => "-".to_owned(),
        };
        let text = format!(
            "{:<NAME$} {:>11.1} {:>9} {:>9} {:>9}  {}",
            name(&endpoint.endpoint),
            between.rate(requests.values().sum()),
            at(0.5),
            at(0.95),
            at(0.99),
            errors(&requests),
        );
        page.push(Tone::Plain, text);
    }
    let hidden = endpoints.len().saturating_sub(ROUTES) + state.traffic.endpoints_left_out;
    page.more(hidden, "routes");
}

/// `2 5xx of 120`, or that there were none.
fn errors(requests: &std::collections::BTreeMap<String, u64>) -> String {
    let bad: Vec<_> = requests
        .iter()
        .filter(|(status, count)| **count > 0 && !status.starts_with(['1', '2', '3']))
        .map(|(status, count)| format!("{count} {}", clean(status)))
        .collect();
    if bad.is_empty() {
        "no errors".to_owned()
    } else {
        format!("{} of {}", bad.join(", "), requests.values().sum::<u64>())
    }
}

fn model_lines(version: &Version, now: f64, between: &Between<'_>, page: &mut Page) {
    page.push(Tone::Plain, String::new());
    let mut text = format!(
        "{} {}  {} predictions, {:.1}/s",
        clean(&version.model),
        clean(&version.version),
        items(version),
        between.rate(between.predictions(version)),
    );
    if let Some(last) = version.last_prediction.filter(|_| !version.serving) {
        let _ = write!(text, "  last {} ago", duration(now - last));
    }
    if let Some(mean) = version
        .confidence
        .as_ref()
        .and_then(super::state::Histogram::mean)
    {
        let _ = write!(text, "  mean confidence {mean:.3}");
    }
    page.push(Tone::Title, text);
    baseline(version, page);
    if let Some(accuracy) = &version.accuracy {
        accuracy::line(accuracy, page);
    }
    classes(version, page);
    for series in version.series.iter().take(SERIES) {
        series_line(series, page);
    }
    let hidden = version.series.len().saturating_sub(SERIES) + version.series_left_out;
    page.more(hidden, "series");
}

fn baseline(version: &Version, page: &mut Page) {
    let text = match (&version.baseline, &version.capturing) {
        (Some(baseline), _) => {
            let reviewed = if baseline.reviewed {
                ""
            } else {
                ", not reviewed"
            };
            let origin = words(&baseline.origin);
            format!("  baseline: {} rows, {origin}{reviewed}", baseline.rows)
        }
        (None, Some(capturing)) => {
            format!(
                "  baseline: captured from {} of {} predictions so far",
                capturing.rows, capturing.wanted
            )
        }
        (None, None) => "  no baseline: nothing is compared".to_owned(),
    };
    page.push(Tone::Faint, text);
}

fn classes(version: &Version, page: &mut Page) {
    if version.classes.is_empty() {
        return;
    }
    let is_compared = version.baseline.is_some();
    let told = |class: &Class| {
        let recent = class
            .recent
            .map_or_else(|| format!("{} in all", class.count), percent);
        let baseline = match class.baseline {
            Some(share) => format!(" ({})", percent(share)),
            None if is_compared => " (new)".to_owned(),
            None => String::new(),
        };
        format!("{} {recent}{baseline}", name(&class.class))
    };
    let mut shown: Vec<_> = version.classes.iter().take(CLASSES).map(told).collect();
    let hidden = version.classes.len().saturating_sub(CLASSES) + version.classes_left_out;
    if hidden > 0 {
        shown.push(format!("{hidden} more"));
    }
    let what = if is_compared {
        "classes, recent (baseline)"
    } else {
        "classes"
    };
    page.push(Tone::Plain, format!("  {what}: {}", shown.join(", ")));
}

fn series_line(series: &Series, page: &mut Page) {
    let mut text = format!("  {:<NAME$} ", name(&series.name));
    let tone = match &series.episode {
        Some(episode) => {
            let since = episode
                .since
                .as_deref()
                .and_then(|since| since.split(['T', '.', 'Z']).nth(1));
            let _ = write!(text, "DRIFT since {}", clean(since.unwrap_or("the start")));
            if let (Some(was), Some(is)) = (episode.baseline_share, episode.recent_share) {
                let region = clean(&episode.region);
                let _ = write!(text, ": {region} {} -> {}", percent(was), percent(is));
            }
            Tone::Bad
        }
        None if series.drift_detected => {
            text += "DRIFT";
            Tone::Bad
        }
        None if !series.is_warm => {
            text += "too few values yet";
            Tone::Faint
        }
        None => {
            text += "as the baseline";
            if let Some(score) = series.score {
                // the largest of any window over its threshold
                let _ = write!(text, "  score {score:.2}, 1 is an alarm");
            }
            Tone::Plain
        }
    };
    if let (Some(was), Some(is)) = (series.missing.baseline, series.missing.recent)
        && (was > 0.0 || is > 0.0)
    {
        let _ = write!(text, "  missing {} ({})", percent(is), percent(was));
    }
    for problem in &series.problems {
        let _ = write!(text, "  {}", words(problem));
    }
    if !series.kind.is_empty() && series.kind != "numeric" {
        let _ = write!(text, "  {}", words(&series.kind));
    }
    page.push(tone, text);
}

/// Drifts that are over: those that go on stand with their model.
fn over(state: &State, is_wanted: &dyn Fn(&str) -> bool, page: &mut Page) {
    let ended = state.episodes.iter().filter_map(|e| Some((e, e.ended?)));
    let ended = ended.filter(|(episode, _)| is_wanted(&episode.model));
    for (place, (episode, ended)) in ended.take(OVER).enumerate() {
        if place == 0 {
            page.push(Tone::Plain, String::new());
        }
        let took = episode.detected.map_or_else(String::new, |began| {
            format!(" after {}", duration(ended - began))
        });
        let why = episode
            .reason
            .as_deref()
            .map_or_else(String::new, |why| format!(" ({})", words(why)));
        let text = format!(
            "over: {} {} {}, {} ago{took}{why}",
            clean(&episode.model),
            clean(&episode.version),
            name(&episode.series),
            duration(state.unix - ended),
        );
        page.push(Tone::Faint, text);
    }
}

fn missing(state: &State, is_wanted: &dyn Fn(&str) -> bool, page: &mut Page) {
    let gaps = state
        .missing
        .iter()
        .filter(|gap| gap.model.as_deref().is_none_or(is_wanted));
    let shown: Vec<_> = gaps.collect();
    if !shown.is_empty() || !state.unread.is_empty() {
        page.push(Tone::Plain, String::new());
    }
    for gap in shown.iter().take(GAPS) {
        let whose = gap
            .model
            .as_deref()
            .map_or_else(String::new, |model| format!(" of {}", clean(model)));
        page.push(
            Tone::Plain,
            format!(
                "not known: {}{whose}: {}",
                words(&gap.what),
                clean(&gap.why)
            ),
        );
        if let Some(mend) = gap.configure.as_ref().or(gap.command.as_ref()) {
            page.push(Tone::Faint, format!("    {}", clean(mend)));
        }
    }
    page.more(
        shown.len().saturating_sub(GAPS),
        "that are not known: GET /models",
    );
    for route in state.unread.iter().take(GAPS) {
        let reasons: Vec<_> = route.reasons.keys().map(|reason| words(reason)).collect();
        let text = format!(
            "not read: {} of {} ({})",
            route.exchanges,
            name(&route.route),
            reasons.join(", ")
        );
        page.push(Tone::Plain, text);
    }
}

/// Without characters that a terminal obeys: names come from the wire.
fn clean(text: &str) -> String {
    let is_order = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.replace(is_order, "\u{fffd}")
}

/// A name, cut where it is longer than its column.
fn name(text: &str) -> String {
    let text = clean(text);
    if text.chars().count() <= NAME {
        return text;
    }
    text.chars().take(NAME - 3).chain("...".chars()).collect()
}

/// A word of the wire's in words.
fn words(text: &str) -> String {
    clean(text).replace('_', " ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// With a unit that fits it.
fn duration(seconds: f64) -> String {
    match seconds.max(0.0) {
        s if s < 1.0 => format!("{} ms", round(s * 1000.0)),
        s if s < 100.0 => format!("{} s", round(s)),
        s if s < 100.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 100.0 * 3600.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// With a digit behind the point where that says something.
fn round(number: f64) -> String {
    if number < 10.0 {
        let text = format!("{number:.1}");
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    } else {
        format!("{number:.0}")
    }
}

#[cfg(test)]
mod tests;
