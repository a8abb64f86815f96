//! What went wrong, and the least that it takes: shrunk and kept.

use std::{fmt::Write as _, fs::OpenOptions, io::Write as _, rc::Rc, time::Duration};

use serde_json::{Value, json};

use super::{
    epoch::{self, Epoch},
    input::{self, Input},
    judge::{self, Violation},
    request::Request,
    seeds::{self, to_base64},
    shrink::shrink,
};

/// How long the proxy waits for a client while an input is shrunk, for which it is tried hundreds
/// of times.
const PATIENCE: Duration = Duration::from_millis(300);
/// A failure that depends on timing may need more than one try.
const TRIES: usize = 3;
/// Violations that are told, and that are tried on their own.
const MOST: usize = 20;

/// The first mutated request that fails on its own is shrunk and kept.
pub(crate) fn of_requests(epoch: &Epoch, violations: &[Violation]) -> String {
    let bytes = |index| {
        let told = epoch.told.iter().find(|told| told.input.index == index);
        told.unwrap().input.untagged()
    };
    let case = |bytes: &[u8]| json!({ "raw_b64": to_base64(bytes) });
    report(violations, bytes, request_failure, case)
}

/// The same of mutated answers.
pub(crate) fn of_answers(violations: &[Violation], bytes: impl Fn(usize) -> Vec<u8>) -> String {
    let case = |bytes: &[u8]| {
        json!({
            "kind": "response",
            "raw_b64": to_base64(b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n"),
            "response_b64": to_base64(bytes),
        })
    };
    report(violations, bytes, answer_failure, case)
}

fn report(
    violations: &[Violation],
    bytes: impl Fn(usize) -> Vec<u8>,
    failure: impl Fn(&[u8], &str) -> Option<String>,
    case: impl Fn(&[u8]) -> Value,
) -> String {
    let mut text = format!("{} violations", violations.len());
    for violation in violations.iter().take(MOST) {
        let _ = write!(text, "\n{:?}: {}", violation.index, violation.why);
    }
    let suspects = violations.iter().filter_map(|v| Some((v.index?, v.rule())));
    for (index, rule) in suspects.take(MOST) {
        let bytes = bytes(index);
        let Some(why) = (0..TRIES).find_map(|_| failure(&bytes, rule)) else {
            continue;
        };
        let least = shrink(&bytes, |bytes| failure(bytes, rule).is_some());
        let why = failure(&least, rule).unwrap_or(why);
        keep(case(&least), &why);
        let _ = write!(text, "\nshrunk: {why}\n{}", least.escape_ascii());
        return text;
    }
    text.push_str("\nnone of them fails on its own");
    text
}

/// How a request breaks `rule` on its own.
fn request_failure(bytes: &[u8], rule: &str) -> Option<String> {
    let epoch = epoch::run(vec![Input::alone(bytes)], PATIENCE);
    first(judge::judge(&epoch), rule)
}

/// How an answer breaks `rule` on its own.
fn answer_failure(bytes: &[u8], rule: &str) -> Option<String> {
    let said = input::not_empty(bytes.to_vec());
    let script = move |request: &Request| input::odd_index(&request.target).map(|_| said.clone());
    let epoch = epoch::run_with(vec![Input::odd(0)], PATIENCE, Rc::new(script));
    first(judge::judge_answers(&epoch), rule)
}

fn first(violations: Vec<Violation>, rule: &str) -> Option<String> {
    let mut of_rule = violations.into_iter().filter(|v| v.rule() == rule);
    of_rule.next().map(|violation| violation.why)
}

/// Appends to the cases that every run begins with.
fn keep(mut case: Value, why: &str) {
    let bytes = case.get("response_b64").unwrap_or(&case["raw_b64"]);
    let start: String = bytes.as_str().unwrap().chars().take(24).collect();
    for (key, value) in [
        ("name", format!("found-{start}").as_str()),
        ("category", "mutated"),
        ("expect", "either"),
        ("rfc", "U1 to U4"),
        ("desc", why),
        ("origin", "tests/mutations.rs"),
    ] {
        case[key] = value.into();
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(seeds::kept_file())
        .unwrap();
    writeln!(file, "{case}").unwrap();
}
