//! Who sent what the upstream saw.
//!
//! Requests bear the tag of their input. Where mutations took it away, who got the answer has sent
//! the request; and where nobody did, someone must have sent one like it.

use std::collections::HashMap;

use super::{
    answer::Answer,
    epoch::Epoch,
    input::Tag,
    judge::{self, Violation},
    parses::Parse,
    request::Request,
    upstream::Record,
};

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The input at this position.
    Input(usize),
    /// Whoever sends a clean request after an input.
    Clean,
    Unknown,
}

/// The records of each input, in the order of their arrival.
pub(crate) fn by_input<'a>(
    epoch: &'a Epoch,
    allowed: &[Vec<Parse>],
    violations: &mut Vec<Violation>,
) -> Vec<Vec<&'a Record>> {
    let tags: HashMap<Tag, usize> = (0..)
        .zip(&epoch.told)
        .map(|(at, told)| (told.input.tag, at))
        .collect();
    refused(epoch, &tags, violations);

    let mut seen: Vec<Vec<&Record>> = vec![Vec::new(); epoch.told.len()];
    let mut unknown = Vec::new();
    for record in &epoch.records.requests {
        match of_request(&record.request, &tags) {
            Ok(Sender::Input(at)) => seen[at].push(record),
            Ok(Sender::Clean) => {}
            // there is nobody else
            Ok(Sender::Unknown) if seen.len() == 1 => seen[0].push(record),
            Ok(Sender::Unknown) => unknown.push(record),
            Err(why) => violations.push(Violation { index: None, why }),
        }
    }
    for (told, seen) in epoch.told.iter().zip(&mut seen) {
        let answers = || told.heard.answers.iter().filter_map(Answer::number);
        let is_heard = |record: &mut &Record| answers().any(|number| number == record.number);
        seen.extend(unknown.extract_if(.., is_heard));
        seen.sort_by_key(|record| record.number);
    }
    for record in unknown {
        let home = (0..seen.len()).find(|at| {
            let with = with_one_more(&seen[*at], record);
            judge::order(&allowed[*at], &with).is_ok()
        });
        match home {
            Some(at) => seen[at] = with_one_more(&seen[at], record),
            None => violations.push(Violation {
                index: None,
                why: format!("U2 nobody sent {}", record.request.brief()),
            }),
        }
    }
    seen
}

/// U1.
fn refused(epoch: &Epoch, tags: &HashMap<Tag, usize>, violations: &mut Vec<Violation>) {
    for (bytes, why) in &epoch.records.refused {
        let index = match in_text(bytes, tags) {
            Ok(Sender::Input(at)) => Some(epoch.told[at].input.index),
            _ if epoch.told.len() == 1 => Some(epoch.told[0].input.index),
            _ => None,
        };
        let why = format!("U1 the upstream got {why}: {}", bytes.escape_ascii());
        violations.push(Violation { index, why });
    }
}

fn with_one_more<'a>(seen: &[&'a Record], record: &'a Record) -> Vec<&'a Record> {
    let mut all = seen.to_vec();
    all.push(record);
    all.sort_by_key(|record| record.number);
    all
}

fn of_request(request: &Request, tags: &HashMap<Tag, usize>) -> Result<Sender, String> {
    if request.values("host").eq([b"clean.test"]) {
        return Ok(Sender::Clean);
    }
    let mut text = [&request.target, b"\n".as_slice()].concat();
    for (name, value) in request.fields.iter().chain(&request.trailers) {
        text.extend([name, b":".as_slice(), value, b"\n"].concat());
    }
    text.extend_from_slice(&request.body);
    in_text(&text, tags)
}

/// Whose tag is in there; two tags in one request are two connections in one.
fn in_text(text: &[u8], tags: &HashMap<Tag, usize>) -> Result<Sender, String> {
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
