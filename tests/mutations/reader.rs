//! HTTP/1.1 requests as RFC 9112 has them, read by nobody whom the proxy uses.
//!
//! One reader, three ways to read: as an upstream that forgives nothing, and the two ways in which
//! a recipient may forgive. Wherever the RFC says "reject, or", this takes what follows the "or":
//! to reject is always allowed, and then what was read so far is all there is.

use super::{
    grammar::{
        common_length, hexadecimal, is_authority, is_number, is_target_byte, is_token,
        split_scheme, trim_end,
    },
    request::{Field, Framing, Request, trim},
};

/// How forgiving a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Not at all, and it takes only what a proxy may send.
    Canonical,
    /// As much as allowed: a bare line feed ends a line (RFC 9112, section 2.2).
    Tolerant,
    /// As much as allowed: a bare line feed in a value is a blank (RFC 9110, section 5.5).
    Blanking,
}

/// How the reading of a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After so many bytes.
    Complete(usize),
    Incomplete,
    Malformed(&'static str),
}

/// What was read of one request: `request` is there once its head is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) request: Option<Request>,
    pub(crate) end: End,
}

/// Reads the request that `bytes` begin with.
pub(crate) fn read(bytes: &[u8], reading: Reading) -> Read {
    let mut input = Input {
        bytes,
        at: 0,
        reading,
    };
    let mut request = match input.head() {
        Ok(request) => request,
        Err(end) => return Read { request: None, end },
    };
    let end = match input.body(&mut request) {
        Ok(()) => End::Complete(input.at),
        Err(end) => end,
    };
    request.is_complete = matches!(end, End::Complete(_));
    Read {
        request: Some(request),
        end,
    }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    reading: Reading,
}

impl<'a> Input<'a> {
    fn is_canonical(&self) -> bool {
        self.reading == Reading::Canonical
    }

    fn demand(&self, holds: bool, why: &'static str) -> Result<(), End> {
        demand(holds || !self.is_canonical(), why)
    }

    /// The next line, without its end.
    fn line(&mut self) -> Result<&'a [u8], End> {
        let rest = &self.bytes[self.at..];
        let feed = match self.reading {
            Reading::Blanking => rest.windows(2).position(|w| w == b"\r\n").map(|at| at + 1),
            _ => rest.iter().position(|b| *b == b'\n'),
        };
        let feed = feed.ok_or(End::Incomplete)?;
        self.at += feed + 1;
        let line = &rest[..feed];
        match line.strip_suffix(b"\r") {
            Some(line) => Ok(line),
            None => self.demand(false, "a bare line feed").map(|()| line),
        }
    }

    fn head(&mut self) -> Result<Request, End> {
        let mut line = self.line()?;
        while line.is_empty() {
            // RFC 9112, section 2.2
            self.demand(false, "an empty line before the request")?;
            line = self.line()?;
        }
        let (method, target, is_old) = self.request_line(line)?;
        let fields = self.fields()?;
        let mut request = Request {
            method,
            target,
            fields,
            framing: Framing::Length(0),
            body: Vec::new(),
            trailers: Vec::new(),
            closes: false,
            is_complete: false,
        };
        check_host(&request, is_old)?;
        let options = request.members("connection");
        let has = |name: &[u8]| options.iter().any(|option| option == name);
        request.closes = has(b"close") || (is_old && !has(b"keep-alive"));
        self.settle_framing(&mut request, is_old)?;
        if self.is_canonical() {
            check_hop_by_hop(&request)?;
        }
        Ok(request)
    }

    /// `method SP request-target SP HTTP-version` (RFC 9112, section 3).
    fn request_line(&self, line: &[u8]) -> Result<(Vec<u8>, Vec<u8>, bool), End> {
        let is_blank = |b: &u8| match self.reading {
            Reading::Canonical => *b == b' ',
            _ => matches!(b, b' ' | b'\t' | b'\r' | 0x0b | 0x0c),
        };
        let words: Vec<_> = line.split(is_blank).collect();
        let words: Vec<_> = match self.reading {
            Reading::Canonical => words,
            // any form of blank between words, and around them (section 3)
            _ => words.into_iter().filter(|word| !word.is_empty()).collect(),
        };
        let [method, target, version] = words[..] else {
            return Err(End::Malformed("a request line not of three words"));
        };
        demand(is_token(method), "a method that is no token")?;
        demand(
            !target.is_empty() && target.iter().copied().all(is_target_byte),
            "a bad target",
        )?;
        let is_old = match version {
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] => {
                demand(minor.is_ascii_digit(), "a bad version")?;
                false
            }
            _ => return Err(End::Malformed("a bad version")),
        };
        self.demand(version == b"HTTP/1.1", "another version")?;
        demand(method != b"CONNECT", "a tunnel that nobody offers")?;
        let target = self.origin_form(method, target)?;
        Ok((method.to_vec(), target, is_old))
    }

    /// What an origin server is asked for (RFC 9112, sections 3.2.1, 3.2.2 and 3.2.4).
    fn origin_form(&self, method: &[u8], target: &[u8]) -> Result<Vec<u8>, End> {
        let is_origin = target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS");
        self.demand(is_origin && !target.contains(&b'#'), "not in origin form")?;
        let whole = target.split(|b| *b == b'#').next().unwrap_or_default();
        if is_origin {
            return Ok(whole.to_vec());
        }
        let (_, rest) = split_scheme(whole).ok_or(End::Malformed("a target of no form"))?;
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?'));
        let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
        let has_host = !authority.is_empty() && !authority.starts_with(b":");
        demand(
            has_host && is_authority(authority),
            "a target without a host",
        )?;
        Ok(match path.first() {
            Some(b'/') => path.to_vec(),
            _ => [b"/", path].concat(),
        })
    }

    /// `*( field-line CRLF ) CRLF` (RFC 9112, section 5).
    fn fields(&mut self) -> Result<Vec<Field>, End> {
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            if matches!(line[0], b' ' | b'\t') {
                self.demand(false, "a line that begins with a blank")?;
                // a continuation (section 5.2); before any field, a line to be skipped (section 2.2)
                let more = self.value(line)?;
                if let Some((_, value)) = fields.last_mut() {
                    value.push(b' ');
                    value.extend(more);
                    *value = trim(value).to_vec();
                }
                continue;
            }
            let colon = line.iter().position(|b| *b == b':');
            let colon = colon.ok_or(End::Malformed("a field without a colon"))?;
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            demand(is_token(name), "a name that is no token")?;
            fields.push((name.to_vec(), self.value(value)?));
        }
    }

    /// What may stand in a value, and what becomes a blank (RFC 9110, section 5.5).
    fn value(&self, text: &[u8]) -> Result<Vec<u8>, End> {
        let is_control = |b: &u8| b.is_ascii_control() && *b != b'\t';
        self.demand(
            !text.iter().any(is_control),
            "a control character in a value",
        )?;
        let blanked: Vec<u8> = text
            .iter()
            .map(|b| match b {
                b'\r' | b'\n' | 0 => b' ',
                b => *b,
            })
            .collect();
        Ok(trim(&blanked).to_vec())
    }

    /// RFC 9112, sections 6.1 to 6.3.
    fn settle_framing(&self, request: &mut Request, is_old: bool) -> Result<(), End> {
        let has_length = request.has("content-length");
        if request.has("transfer-encoding") {
            let codings = request.members("transfer-encoding");
            let is_chunked = codings == [b"chunked"];
            demand(is_chunked, "a coding that is not chunked alone, once")?;
            let lines: Vec<_> = request.values("transfer-encoding").collect();
            let is_plain = lines == [b"chunked"] && !has_length;
            self.demand(is_plain, "a coding said in another way")?;
            request.closes |= has_length || is_old;
            request.framing = Framing::Chunked;
        } else if has_length {
            let lines: Vec<_> = request.values("content-length").collect();
            self.demand(lines.len() == 1 && is_number(lines[0]), "no one length")?;
            let length = common_length(&lines).ok_or(End::Malformed("a bad length"))?;
            request.framing = Framing::Length(length);
        }
        Ok(())
    }

    fn body(&mut self, request: &mut Request) -> Result<(), End> {
        match request.framing {
            Framing::Length(length) => self.data(length, &mut request.body),
            Framing::Chunked => self.chunks(request),
        }
    }

    fn data(&mut self, length: u64, into: &mut Vec<u8>) -> Result<(), End> {
        let rest = &self.bytes[self.at..];
        let there = usize::try_from(length).map_or(rest.len(), |n| n.min(rest.len()));
        into.extend_from_slice(&rest[..there]);
        self.at += there;
        demand_more(length == there as u64)
    }

    /// RFC 9112, section 7.1.
    fn chunks(&mut self, request: &mut Request) -> Result<(), End> {
        loop {
            match self.chunk_size()? {
                0 => break,
                size => self.data(size, &mut request.body)?,
            }
            let end = &self.bytes[self.at..];
            demand(
                b"\r\n".starts_with(&end[..end.len().min(2)]),
                "a chunk without its end",
            )?;
            demand_more(end.len() >= 2)?;
            self.at += 2;
        }
        request.trailers = self.fields()?;
        let is_bad = |(name, _): &Field| is_never_a_trailer(name);
        self.demand(
            !request.trailers.iter().any(is_bad),
            "a field that is no trailer",
        )
    }

    /// `chunk-size [ chunk-ext ] CRLF`: here, no line feed alone is a line's end.
    fn chunk_size(&mut self) -> Result<u64, End> {
        let rest = &self.bytes[self.at..];
        let feed = rest.iter().position(|b| *b == b'\n');
        let line = &rest[..feed.ok_or(End::Incomplete)?];
        self.at += line.len() + 1;
        let line = line.strip_suffix(b"\r");
        let line = line.ok_or(End::Malformed("a bare line feed in a chunk line"))?;
        let (size, extension) = match line.iter().position(|b| *b == b';') {
            // blanks may stand before an extension, nowhere else
            Some(at) => (trim_end(&line[..at]), &line[at..]),
            None => (line, &line[line.len()..]),
        };
        self.demand(extension.is_empty(), "a chunk extension")?;
        let is_control = |b: &u8| b.is_ascii_control() && *b != b'\t';
        demand(
            !extension.iter().any(is_control),
            "a control character in an extension",
        )?;
        hexadecimal(size).ok_or(End::Malformed("a bad chunk size"))
    }
}

fn demand(holds: bool, why: &'static str) -> Result<(), End> {
    holds.then_some(()).ok_or(End::Malformed(why))
}

fn demand_more(is_there: bool) -> Result<(), End> {
    is_there.then_some(()).ok_or(End::Incomplete)
}

/// RFC 9112, section 3.2.
fn check_host(request: &Request, is_old: bool) -> Result<(), End> {
    let hosts: Vec<_> = request.values("host").collect();
    let is_right = match hosts[..] {
        [] => is_old,
        [host] => is_authority(host),
        _ => false,
    };
    demand(is_right, "no one host")
}

/// What ends at a proxy (RFC 9110, section 7.6.1).
fn check_hop_by_hop(request: &Request) -> Result<(), End> {
    for name in ["keep-alive", "proxy-connection", "http2-settings"] {
        demand(!request.has(name), "a field of the client's connection")?;
    }
    let is_upgrade = request.has("upgrade");
    for option in request.members("connection") {
        let is_own = option == b"te" || option == b"close" || (is_upgrade && option == b"upgrade");
        demand(is_own, "a nomination of the client's")?;
    }
    let switches = request.members("upgrade");
    demand(
        switches.is_empty() || switches == [b"websocket"],
        "a switch to what nobody speaks",
    )?;
    let takes = request.members("te");
    demand(
        takes.is_empty() || takes == [b"trailers"],
        "a TE of the client's",
    )
}

/// RFC 9110, section 6.5.1.
pub(crate) fn is_never_a_trailer(name: &[u8]) -> bool {
    ["transfer-encoding", "content-length", "host", "connection"]
        .iter()
        .any(|never| name.eq_ignore_ascii_case(never.as_bytes()))
}
