//! What must hold, whatever was sent.
//!
//! U1: what reaches the upstream is canonical. U2: the requests that it sees are the beginning of
//! a list that the RFCs let a recipient read in what the client sent. U3: answers come in order,
//! each to its request. U4: a clean request on another connection gets its own answer. And two that
//! keep the others honest: U5, what has nothing wrong about it is answered by the upstream, and U6,
//! the books balance.

use super::{
    answer::{Answer, NoAnswer},
    epoch::{Epoch, Told, clean_target},
    grammar::is_plain_target,
    parses::{Parse, parses},
    reader::{End, Reading, read},
    request::{Field, Request, values},
    senders,
    upstream::{self, Record, Records},
};

/// A rule that does not hold; `index` is that of the input, if it is known.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) index: Option<usize>,
    /// Begins with the rule.
    pub(crate) why: String,
}

impl Violation {
    pub(crate) fn rule(&self) -> &str {
        &self.why[..2]
    }
}

/// Fields of a head that surely pass `proxy.max_fields`.
const FEW_FIELDS: usize = 150;

/// Holds everything against the rules.
pub(crate) fn judge(epoch: &Epoch) -> Vec<Violation> {
    let mut violations = Vec::new();
    let allowed: Vec<_> = epoch
        .told
        .iter()
        .map(|told| parses(&told.input.bytes()))
        .collect();
    let seen = senders::by_input(epoch, &allowed, &mut violations);
    for ((told, seen), allowed) in epoch.told.iter().zip(&seen).zip(&allowed) {
        for check in [
            order(allowed, seen),
            answers(told, seen, allowed),
            service(told, seen),
            clean(told, &epoch.records),
        ] {
            violations.extend(check.err().map(|why| Violation {
                index: Some(told.input.index),
                why,
            }));
        }
    }
    for check in [ends(epoch), counts(epoch)] {
        violations.extend(check.err().map(|why| Violation { index: None, why }));
    }
    violations
}

/// What must hold if it is the answers that were mutated.
pub(crate) fn judge_answers(epoch: &Epoch) -> Vec<Violation> {
    let mut violations = Vec::new();
    let allowed: Vec<_> = epoch
        .told
        .iter()
        .map(|told| parses(&told.input.bytes()))
        .collect();
    let seen = senders::by_input(epoch, &allowed, &mut violations);
    for ((told, seen), allowed) in epoch.told.iter().zip(&seen).zip(&allowed) {
        for check in [
            order(allowed, seen),
            mutated_answer(told, seen),
            clean(told, &epoch.records),
        ] {
            violations.extend(check.err().map(|why| Violation {
                index: Some(told.input.index),
                why,
            }));
        }
    }
    let books = ends(epoch).err();
    violations.extend(books.map(|why| Violation { index: None, why }));
    violations
}

/// U3 where the first of two requests was answered with anything: that is one answer at most, and
/// the second request has its own.
fn mutated_answer(told: &Told, seen: &[&Record]) -> Result<(), String> {
    let heard = &told.heard;
    let brief: Vec<_> = heard.answers.iter().map(Answer::brief).collect();
    let is_broken_off = heard.answers.is_empty();
    match &heard.rest {
        Some((_, NoAnswer::Incomplete)) if is_broken_off => {}
        Some((rest, why)) => {
            let rest = rest.escape_ascii();
            return Err(format!("U3 {why:?} after {brief:?}: {rest}"));
        }
        None => {}
    }
    let second = seen.get(1).map(|record| record.number);
    match &heard.answers[..] {
        _ if heard.is_stuck => Err(format!("U3 never closed, after {brief:?}")),
        [] | [_] => Ok(()),
        [_, own] if own.number().is_some() && own.number() == second => is_whole(own),
        _ => Err(format!("U3 two requests were answered with {brief:?}")),
    }
}

/// U2, by which the fields pass as well.
pub(crate) fn order(parses: &[Parse], seen: &[&Record]) -> Result<(), String> {
    if parses.iter().any(|parse| begins(parse, seen)) {
        return Ok(());
    }
    let saw: Vec<_> = seen.iter().map(|record| record.request.brief()).collect();
    let allowed: Vec<_> = parses
        .iter()
        .map(|parse| {
            let requests: Vec<_> = parse.requests.iter().map(Request::brief).collect();
            format!("{requests:?} ({:?})", parse.end)
        })
        .collect();
    let heads: Vec<_> = seen.iter().map(|record| record.request.head()).collect();
    Err(format!(
        "U2 the upstream saw {saw:?}, and may see {allowed:?}; with {heads:?}"
    ))
}

fn begins(parse: &Parse, seen: &[&Record]) -> bool {
    seen.len() <= parse.requests.len()
        && seen
            .iter()
            .zip(&parse.requests)
            .enumerate()
            .all(|(at, (record, request))| {
                let is_last = at + 1 == seen.len();
                is_same(&record.request, request, is_last)
            })
}

/// Fields that a proxy writes anew.
const OWN: [&[u8]; 9] = [
    b"x-request-id",
    b"host",
    b"connection",
    b"te",
    b"upgrade",
    b"max-forwards",
    b"content-length",
    b"transfer-encoding",
    b"trailer",
];

fn is_same(seen: &Request, sent: &Request, may_break_off: bool) -> bool {
    let is_body = if seen.is_complete {
        sent.is_complete && seen.body == sent.body
    } else {
        may_break_off && sent.body.starts_with(&seen.body)
    };
    let has_fields = [
        (&seen.fields, &sent.fields),
        (&seen.trailers, &sent.trailers),
    ]
    .into_iter()
    .all(|(seen, sent)| {
        seen.iter()
            .filter(|(name, _)| !OWN.iter().any(|own| name.eq_ignore_ascii_case(own)))
            .all(|(name, _)| values(seen, name).eq(values(sent, name)))
    });
    let nominated = sent.members("connection");
    let is_clear = |(name, _): &Field| {
        let name = name.to_ascii_lowercase();
        OWN.contains(&name.as_slice()) || !nominated.contains(&name)
    };
    seen.method == sent.method
        && seen.target == sent.target
        && is_body
        && has_fields
        && seen.fields.iter().all(is_clear)
}

/// U3.
fn answers(told: &Told, seen: &[&Record], parses: &[Parse]) -> Result<(), String> {
    let heard = &told.heard;
    let brief: Vec<_> = heard.answers.iter().map(Answer::brief).collect();
    if heard.is_stuck {
        return Err(format!(
            "U3 a connection that was never closed, after {brief:?}"
        ));
    }
    if let Some((rest, why)) = &heard.rest {
        let rest = rest.escape_ascii();
        return Err(format!("U3 {why:?} after {brief:?}: {rest}"));
    }
    let numbers = heard.answers.iter().filter_map(Answer::number);
    let mut order = seen.iter().map(|record| record.number);
    if !numbers.clone().all(|number| order.next() == Some(number)) {
        let seen: Vec<_> = seen.iter().map(|record| record.number).collect();
        return Err(format!(
            "U3 the requests were {seen:?}, the answers {brief:?}"
        ));
    }
    for answer in &heard.answers {
        is_whole(answer)?;
    }
    if let Some(at) = heard.answers.iter().position(Answer::closes)
        && at + 1 < heard.answers.len()
    {
        return Err(format!("U3 an answer after one that closes: {brief:?}"));
    }
    // one more for what cannot be read, or for what never came
    let most = parses.iter().map(|parse| parse.requests.len() + 1).max();
    if heard.answers.len() > most.unwrap_or_default() {
        return Err(format!("U3 more answers than requests: {brief:?}"));
    }
    Ok(())
}

/// An answer of the upstream carries the id of its request, and its own body.
fn is_whole(answer: &Answer) -> Result<(), String> {
    let Some(number) = answer.number() else {
        return match answer.value("x-sidelight-reason") {
            Some(_) => Ok(()),
            None => Err(format!("U3 an answer of nobody: {}", answer.brief())),
        };
    };
    let has_body = answer.value("x-seen-method") != Some(b"HEAD");
    let body = if has_body {
        upstream::body(number)
    } else {
        String::new()
    };
    let is_right =
        answer.body == body.as_bytes() && answer.value("x-request-id") == answer.value("x-seen-id");
    if is_right {
        return Ok(());
    }
    Err(format!(
        "U3 the head of one answer and the body or the id of another: {} {:?}, {}",
        answer.brief(),
        answer
            .value("x-request-id")
            .map(|id| id.escape_ascii().to_string()),
        answer.body.escape_ascii()
    ))
}

/// What nobody could refuse is answered by the upstream.
fn service(told: &Told, seen: &[&Record]) -> Result<(), String> {
    let Some(requests) = plain(&told.input.bytes()) else {
        return Ok(());
    };
    let is_served = seen.len() == requests.len() && told.heard.answers.len() == requests.len();
    if is_served || told.is_late {
        return Ok(());
    }
    let brief: Vec<_> = told.heard.answers.iter().map(Answer::brief).collect();
    Err(format!(
        "U5 valid requests, {} of them, were answered with {brief:?}",
        requests.len()
    ))
}

/// The requests, if every reader takes them for these and forwards them.
pub(crate) fn plain(bytes: &[u8]) -> Option<Vec<Request>> {
    let mut requests = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let read = read(rest, Reading::Canonical);
        let (End::Complete(length), Some(request)) = (read.end, read.request) else {
            return None;
        };
        rest = &rest[length..];
        let is_last = rest.is_empty();
        let is_special = request.has("max-forwards")
            || request.has("upgrade")
            || request.fields.len() > FEW_FIELDS;
        if !is_plain_target(&request.target) || is_special || request.closes != is_last {
            return None;
        }
        requests.push(request);
    }
    Some(requests)
}

/// U4.
fn clean(told: &Told, records: &Records) -> Result<(), String> {
    let target = clean_target(told.input.index);
    let brief: Vec<_> = told.clean.answers.iter().map(Answer::brief).collect();
    let [answer] = &told.clean.answers[..] else {
        return Err(format!("U4 {target} was answered with {brief:?}"));
    };
    let request = answer
        .number()
        .and_then(|number| records.requests.get(number));
    let is_own = request.is_some_and(|record| record.request.target == target.as_bytes());
    if !is_own || answer.status != 200 || told.clean.rest.is_some() {
        return Err(format!("U4 {target} was answered with {brief:?}"));
    }
    is_whole(answer)
}

/// U6: what was begun has ended, and all that is counted is accounted for.
fn ends(epoch: &Epoch) -> Result<(), String> {
    let books = &epoch.books;
    let requests = books.sum("ml_api_requests_total{");
    let observed = books.sum(r#"sidelight_exchanges_total{outcome="observed"}"#);
    all([
        ("a panic", books.sum("sidelight_panics_total") == 0),
        (
            "a request that never ended",
            books.sum("ml_api_active_requests") == 0,
        ),
        (
            "fewer requests than the upstream",
            requests >= whole(epoch.records.requests.len()),
        ),
        (
            "exchanges that are no requests",
            requests == books.sum("sidelight_exchanges_total{"),
        ),
        (
            "exchanges that nobody observed",
            observed == books.sum("sidelight_observed_total{"),
        ),
    ])
}

/// U6: every request is counted once.
fn counts(epoch: &Epoch) -> Result<(), String> {
    let requests = epoch.books.sum("ml_api_requests_total{");
    let heard = epoch
        .told
        .iter()
        .flat_map(|told| [&told.heard, &told.clean]);
    let answers: usize = heard.map(|heard| heard.answers.len()).sum();
    // a client that left had no answer to what was under way, one that names another protocol where
    // HTTP/1 names its version is turned away without one
    let has_none = |told: &&Told| told.heard.left || told.heard.answers.is_empty();
    let unanswered = epoch.told.iter().filter(has_none).count();
    all([
        ("fewer requests than answers", requests >= whole(answers)),
        (
            "requests that nobody sent",
            requests <= whole(answers + unanswered),
        ),
    ])
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}

fn all<const N: usize>(rules: [(&str, bool); N]) -> Result<(), String> {
    match rules.into_iter().find(|(_, holds)| !holds) {
        Some((what, _)) => Err(format!("U6 the books have {what}")),
        None => Ok(()),
    }
}
