//! Answers as a client reads them.

use super::request::{Field, trim, values};

/// A final answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
}

/// What a client gets instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It is not whole.
    Incomplete,
    /// A strict reader does not take it.
    Malformed(&'static str),
}

impl Answer {
    pub(crate) fn value(&self, name: &str) -> Option<&[u8]> {
        values(&self.fields, name.as_bytes()).next()
    }

    /// The number of the request that it answers; none if the proxy made it.
    pub(crate) fn number(&self) -> Option<usize> {
        let text = std::str::from_utf8(self.value("x-seen-number")?).ok()?;
        text.parse().ok()
    }

    pub(crate) fn closes(&self) -> bool {
        self.value("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
    }

    pub(crate) fn brief(&self) -> String {
        match (self.number(), self.value("x-sidelight-reason")) {
            (Some(number), _) => format!("{} to {number}", self.status),
            (None, Some(reason)) => format!("{} {}", self.status, reason.escape_ascii()),
            (None, None) => self.status.to_string(),
        }
    }
}

/// Takes the first final answer from `bytes`, with the interim ones before it.
///
/// `is_all`: whether the connection has ended, as an answer to a client of HTTP/1.0 may.
pub(crate) fn take(bytes: &mut Vec<u8>, is_all: bool) -> Result<Answer, NoAnswer> {
    loop {
        let end = position(bytes, b"\r\n\r\n").ok_or(NoAnswer::Incomplete)? + 4;
        let (status, fields) = head(&bytes[..end - 4])?;
        if status < 200 {
            bytes.drain(..end);
            continue;
        }
        let is_head = values(&fields, b"x-seen-method").any(|method| method == b"HEAD");
        let (length, body) = if is_head || matches!(status, 204 | 304) {
            (0, Vec::new())
        } else {
            body(&bytes[end..], &fields, is_all)?
        };
        bytes.drain(..end + length);
        return Ok(Answer {
            status,
            fields,
            body,
        });
    }
}

fn head(bytes: &[u8]) -> Result<(u16, Vec<Field>), NoAnswer> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = position(rest, b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    if lines
        .iter()
        .any(|line| line.iter().any(|b| b.is_ascii_control() && *b != b'\t'))
    {
        return Err(NoAnswer::Malformed("a control character in a head"));
    }
    let status = status(lines[0]).ok_or(NoAnswer::Malformed("a bad status line"))?;
    let fields: Option<Vec<_>> = lines[1..].iter().map(|line| field(line)).collect();
    Ok((status, fields.ok_or(NoAnswer::Malformed("a bad field"))?))
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

fn field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|b| *b == b':')?;
    Some((line[..colon].to_vec(), trim(&line[colon + 1..]).to_vec()))
}

fn body(bytes: &[u8], fields: &[Field], is_all: bool) -> Result<(usize, Vec<u8>), NoAnswer> {
    let lengths: Vec<_> = values(fields, b"content-length").collect();
    let codings: Vec<_> = values(fields, b"transfer-encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([length], []) => {
            let length = number(length, 10).ok_or(NoAnswer::Malformed("a bad length"))?;
            let body = bytes.get(..length).ok_or(NoAnswer::Incomplete)?;
            Ok((length, body.to_vec()))
        }
        ([], [b"chunked"]) => chunks(bytes),
        ([], []) if is_all => Ok((bytes.len(), bytes.to_vec())),
        ([], []) => Err(NoAnswer::Incomplete),
        _ => Err(NoAnswer::Malformed("a body without one end")),
    }
}

fn chunks(bytes: &[u8]) -> Result<(usize, Vec<u8>), NoAnswer> {
    let (mut at, mut body) = (0, Vec::new());
    loop {
        let line = position(&bytes[at..], b"\r\n").ok_or(NoAnswer::Incomplete)?;
        let size = number(&bytes[at..at + line], 16).ok_or(NoAnswer::Malformed("a bad chunk"))?;
        at += line + 2;
        let chunk = bytes.get(at..at + size + 2).ok_or(NoAnswer::Incomplete)?;
        if !chunk.ends_with(b"\r\n") {
            return Err(NoAnswer::Malformed("a chunk without its end, or a trailer"));
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok((at, body));
        }
    }
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    let is_right = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_right)?;
    usize::from_str_radix(text, radix).ok()
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
