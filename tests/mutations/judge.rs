//! What must hold, whatever was sent.
//!
//! U1: what reaches the upstream is canonical. U2: the requests that it sees are the beginning of
//! a list that the RFCs let a recipient read in what the client sent. U3: answers come in order,
//! each to its request. U4: a clean request on another connection gets its own answer. And two that
//! keep the others honest: U5, what has nothing wrong about it is answered by the upstream, and U6,
//! the books balance.

use std::collections::HashMap;

use super::{
    answer::Answer,
    epoch::{Epoch, Told, clean_target},
    grammar::is_plain_target,
    input::Tag,
    live::Books,
    reader::{self, End, Parse, Reading},
    request::{Request, values},
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

/// Who sent a request that the upstream saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    /// The input at this position.
    Input(usize),
    /// The clean request after it.
    Clean(usize),
    /// It bears no tag: what could have told was mutated.
    Unknown,
}

/// Holds everything against the rules.
pub(crate) fn judge(epoch: &Epoch) -> Vec<Violation> {
    let mut violations = Vec::new();
    let records = &epoch.records;
    let tags: HashMap<Tag, usize> = (0..)
        .zip(&epoch.told)
        .map(|(at, told)| (told.input.tag, at))
        .collect();

    for (bytes, why) in &records.refused {
        let index = match sender_in(bytes, &tags) {
            Ok(Sender::Input(at)) => Some(epoch.told[at].input.index),
            _ => None,
        };
        let why = format!("U1 the upstream got {why}: {}", bytes.escape_ascii());
        violations.push(Violation { index, why });
    }

    let mut seen: Vec<Vec<&Record>> = vec![Vec::new(); epoch.told.len()];
    let mut unknown = Vec::new();
    for record in &records.requests {
        match sender(record, &tags, epoch.told.len()) {
            Ok(Sender::Input(at)) => seen[at].push(record),
            Ok(Sender::Clean(_)) => {}
            Ok(Sender::Unknown) => unknown.push(record),
            Err(why) => violations.push(Violation { index: None, why }),
        }
    }

    let parses: Vec<_> = epoch
        .told
        .iter()
        .map(|t| reader::parses(&t.input.bytes()))
        .collect();
    // who got the answer sent the request, or else the order is wrong
    for (told, seen) in epoch.told.iter().zip(&mut seen) {
        let heard: Vec<_> = told
            .heard
            .answers
            .iter()
            .filter_map(Answer::number)
            .collect();
        seen.extend(unknown.extract_if(.., |record| heard.contains(&record.number)));
        seen.sort_by_key(|record| record.number);
    }
    for record in unknown {
        let home = (0..seen.len())
            .find(|at| order(&parses[*at], &with_one_more(&seen[*at], record)).is_ok());
        match home {
            Some(at) => seen[at] = with_one_more(&seen[at], record),
            None => violations.push(Violation {
                index: None,
                why: format!("U2 nobody sent {}", record.request.brief()),
            }),
        }
    }

    for ((told, seen), parses) in epoch.told.iter().zip(&seen).zip(&parses) {
        for check in [
            order(parses, seen),
            answers(told, seen, parses),
            service(told, seen),
            clean(told, records),
        ] {
            if let Err(why) = check {
                let index = Some(told.input.index);
                violations.push(Violation { index, why });
            }
        }
    }
    violations.extend(
        balance(epoch)
            .err()
            .map(|why| Violation { index: None, why }),
    );
    violations
}

fn with_one_more<'a>(seen: &[&'a Record], record: &'a Record) -> Vec<&'a Record> {
    let mut all = seen.to_vec();
    all.push(record);
    all.sort_by_key(|record| record.number);
    all
}

fn sender(record: &Record, tags: &HashMap<Tag, usize>, inputs: usize) -> Result<Sender, String> {
    let request = &record.request;
    if request.values("host").eq([b"clean.test"])
        && let Some(index) = request.target.strip_prefix(b"/clean/")
        && let Ok(index) = String::from_utf8_lossy(index).parse()
    {
        return Ok(Sender::Clean(index));
    }
    let mut text = [&request.target, b"\n".as_slice()].concat();
    for (name, value) in request.fields.iter().chain(&request.trailers) {
        text.extend([name, b":".as_slice(), value, b"\n"].concat());
    }
    text.extend_from_slice(&request.body);
    match sender_in(&text, tags)? {
        // there is nobody else
        Sender::Unknown if inputs == 1 => Ok(Sender::Input(0)),
        sender => Ok(sender),
    }
}

/// Whose tag is in there; two tags in one request are two connections in one.
fn sender_in(text: &[u8], tags: &HashMap<Tag, usize>) -> Result<Sender, String> {
    let mut found: Vec<usize> = text
        .windows(size_of::<Tag>())
        .filter_map(|window| tags.get(window).copied())
        .collect();
    found.dedup();
    match found[..] {
        [] => Ok(Sender::Unknown),
        [at] => Ok(Sender::Input(at)),
        _ => Err(format!(
            "U2 two clients in one request: {}",
            text.escape_ascii()
        )),
    }
}

/// U2, by which the fields pass as well.
fn order(parses: &[Parse], seen: &[&Record]) -> Result<(), String> {
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
    Err(format!(
        "U2 the upstream saw {saw:?}, and may see {allowed:?}"
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
    seen.method == sent.method && seen.target == sent.target && is_body && has_fields
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
        "U3 the head of one answer and the body or the id of another: {answer:?}"
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
        let read = reader::read(rest, Reading::Canonical);
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

/// Every request is counted once, and what was begun has ended.
fn balance(epoch: &Epoch) -> Result<(), String> {
    let books: &Books = &epoch.books;
    let requests = books.sum("ml_api_requests_total{");
    let heard = epoch
        .told
        .iter()
        .flat_map(|told| [&told.heard, &told.clean]);
    let answers: usize = heard.map(|heard| heard.answers.len()).sum();
    // a client that left had no answer to what was under way
    let unanswered = epoch.told.iter().filter(|told| told.heard.left).count();
    for (what, holds) in [
        ("a panic", books.sum("sidelight_panics_total") == 0),
        (
            "a request that never ended",
            books.sum("ml_api_active_requests") == 0,
        ),
        ("fewer requests than answers", requests >= answers),
        (
            "requests that nobody sent",
            requests <= answers + unanswered,
        ),
        (
            "exchanges that are no requests",
            requests == books.sum("sidelight_exchanges_total{"),
        ),
        (
            "exchanges that nobody observed",
            books.sum(r#"sidelight_exchanges_total{outcome="observed"}"#)
                == books.sum("sidelight_observed_total{"),
        ),
    ] {
        if !holds {
            return Err(format!(
                "U6 the books have {what}: {requests} requests, {answers} answers"
            ));
        }
    }
    Ok(())
}
