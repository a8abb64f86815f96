//! Panics on purpose in a running agent, in every part of it, with traffic all the while.
//!
//! `cargo test --features inject-panics --test panics`. Each client knows what became of each of
//! its requests; what the agent says it counted must be the same.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![expect(clippy::float_cmp, reason = "counts are exact")]

#[path = "panics/agent.rs"]
mod agent;
#[path = "panics/client.rs"]
mod client;

use std::{
    thread,
    time::{Duration, Instant},
};

use agent::{Agent, Counted};
use client::{Fate, Fates};

/// Where it panics, and in which of every how many calls. A round of the operator asks seven times: with the port's
/// numbers a divisor of that, it would be the same question each time.
const PLACES: &str = "accept=5,request=29,body=23,decode=7,observe=11,line=13,command=5,log=6,\
                      ops=6,ops_accept=9,baseline=2,probe=3,check=2,judge=2,reload=2,upkeep=2,state=3";
/// The label `part` of each.
const PARTS: [&str; 12] = [
    "accept",
    "connection",
    "upstream",
    "decode",
    "observe",
    "log",
    "ops",
    "probe",
    "schedule",
    "check",
    "reload",
    "upkeep",
];
const CLIENTS: u32 = 4;
const REQUESTS: u32 = 200;
/// Far beyond what a slow machine needs.
const PATIENCE: Duration = Duration::from_mins(2);

fn panics(counted: &Counted, part: &str) -> f64 {
    counted.sum(&format!("sidelight_panics_total{{part=\"{part}\"}}"))
}

/// What all clients saw, while the operator asks for one thing after another.
fn traffic(agent: &Agent) -> Fates {
    let address = agent.proxy;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| thread::spawn(move || client::predict(address, REQUESTS)))
        .collect();
    while clients.iter().any(|client| !client.is_finished()) {
        agent.operate();
    }
    clients.into_iter().map(|c| c.join().unwrap()).sum()
}

/// Scrapes until `done`.
fn wait(agent: &Agent, done: impl Fn(&Counted) -> bool) -> Counted {
    let start = Instant::now();
    loop {
        agent.operate();
        let counted = agent.scrape();
        if done(&counted) {
            return counted;
        }
        assert!(start.elapsed() < PATIENCE, "{}", counted.0);
        thread::sleep(Duration::from_millis(50));
    }
}

fn all_is_read(counted: &Counted) -> bool {
    let requests = counted.sum("ml_api_requests_total{");
    requests == counted.sum("sidelight_exchanges_total{")
        && counted.sum("ml_api_active_requests") == 0.0
}

fn assert_the_path_lost_what_panicked(counted: &Counted, fates: &Fates) {
    let [accept, connection, upstream] =
        ["accept", "connection", "upstream"].map(|part| panics(counted, part));
    let [whole, refused, lost] =
        [Fate::Whole, Fate::Refused, Fate::Lost].map(|fate| fates.count(fate));
    assert_eq!(whole + refused + lost, f64::from(CLIENTS * REQUESTS));
    assert_eq!(refused, upstream, "a 500 for each that could not be sent");
    assert_eq!(lost, accept + connection, "and nothing else is lost");
    let requests = counted.sum("ml_api_requests_total{");
    assert_eq!(requests, whole + refused + connection, "each once");
    let failures = r#"sidelight_request_failures_total{fault="sidelight",reason="panic"}"#;
    assert_eq!(counted.sum(failures), connection + upstream);
    assert_eq!(
        counted.sum("sidelight_request_failures_total{"),
        connection + upstream
    );
}

fn assert_the_books_balance(counted: &Counted) {
    let exchanges = |o| counted.sum(&format!("sidelight_exchanges_total{{outcome=\"{o}\"}}"));
    let results = |r| counted.sum(&format!("sidelight_observed_total{{result=\"{r}\"}}"));
    let [connection, upstream, decode, observe] =
        ["connection", "upstream", "decode", "observe"].map(|part| panics(counted, part));
    assert_eq!(
        exchanges("observed"),
        counted.sum("sidelight_observed_total{")
    );
    assert_eq!(exchanges("shed") + exchanges("not_wanted"), 0.0);
    assert_eq!(results("aborted"), connection + upstream);
    assert_eq!(results("decode_failed"), decode);
    let why = r#"sidelight_decode_failures_total{format="unknown",reason="panic"}"#;
    assert_eq!(counted.sum(why), decode);
    let predictions = counted.sum("ml_model_predictions_total{");
    let decoded = results("decoded");
    assert!(predictions <= decoded && predictions >= decoded - observe);
    assert!(predictions > 0.0);
}

#[test]
fn each_panic_costs_what_it_happened_in_and_is_counted_and_nothing_else_is_lost() {
    let agent = Agent::start(PLACES);
    let fates = traffic(&agent);
    let counted = wait(&agent, |counted| {
        all_is_read(counted) && PARTS.iter().all(|part| panics(counted, part) >= 2.0)
    });
    assert_the_path_lost_what_panicked(&counted, &fates);
    assert_the_books_balance(&counted);
    assert!(counted.sum(r#"sidelight_log_lines_total{outcome="dropped"}"#) > 0.0);
    assert_eq!(
        panics(&counted, "ops"),
        agent.failed(),
        "one answer of the operator's port, or one connection, for each"
    );
    let accepts = agent.failed() - f64::from(agent.answered());
    assert!(accepts > 0.0 && agent.answered() > 0, "both were there");
    // every loop goes on
    wait(&agent, |now| {
        let goes_on = |part: &&str| panics(now, part) > panics(&counted, part);
        [
            "observe", "log", "ops", "probe", "schedule", "check", "reload", "upkeep",
        ]
        .iter()
        .all(goes_on)
            && now.sum("ml_model_loaded{") == 1.0
            && now.sum("ml_drift_detected{") == 1.0
    });
    let lines = agent.leave();
    assert!(lines.len() > 200, "{}", lines.len());
    for line in lines {
        let read: Result<serde_json::Value, _> = serde_json::from_str(&line);
        assert!(read.is_ok_and(|value| value.is_object()), "{line}");
    }
}

#[test]
fn what_no_release_may_hold_is_in_a_test_build() {
    // tests/run.sh looks for this word in the release
    let build = std::fs::read(env!("CARGO_BIN_EXE_sidelight")).unwrap();
    let word = b"INJECT_PANICS";
    assert!(build.windows(word.len()).any(|bytes| bytes == word));
}
