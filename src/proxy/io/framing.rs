//! Where heads, bodies and chunk lines lie in what a client sends.
//!
//! hyper does the reading. This follows the same bytes to know three things that hyper does not
//! tell: whether a head has begun, what came after it, and what chunk extensions hold, which
//! hyper skips unread. Bodies cost nothing: their bytes are counted, not looked at.

use std::mem;

/// Room for bytes after a head that is kept for the next one.
const KEPT_ROOM: usize = 4096;

/// A chunk line that is not as it must be (RFC 9112, section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadChunk;

/// How a request's body ends, as hyper understood its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// After so many bytes.
    Length(u64),
    /// After the last chunk and the trailers.
    Chunked,
    /// Not clear before the upstream says whether it switches protocols.
    Undecided,
}

/// Follows one connection.
pub(super) struct Framing {
    state: State,
    /// What came after a head whose framing is not known yet.
    rest: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a head, or before one. `begun`: one byte of it was there. `line`: so was one of its line.
    Head {
        begun: bool,
        line: bool,
    },
    /// After a head that hyper has not read yet.
    Unknown,
    /// After a head that asks for another protocol, which the upstream may agree to.
    Undecided,
    /// Bytes of a body that are to come.
    Length(u64),
    /// In a chunk's size; `digits`: whether one was there.
    Size {
        size: u64,
        digits: bool,
    },
    /// In the blanks that may stand before an extension.
    Blank(u64),
    /// In the extensions.
    Extension(u64),
    /// Behind the carriage return of the line.
    LineEnd(u64),
    /// Bytes of a chunk that are to come.
    Data(u64),
    /// Behind the data: the carriage return, then the line feed.
    DataReturn,
    DataFeed,
    /// In the trailers; `line`: whether the line has a byte.
    Trailer {
        line: bool,
    },
    /// Behind the carriage return of such a line.
    TrailerFeed {
        line: bool,
    },
    /// Broken, or no longer HTTP.
    Lost,
}

const BEFORE_HEAD: State = State::Head {
    begun: false,
    line: false,
};

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            state: BEFORE_HEAD,
            rest: Vec::new(),
        }
    }

    /// Whether nothing of the next message is there, and nothing of the last is missing.
    pub(super) fn is_between(&self) -> bool {
        self.state == BEFORE_HEAD
    }

    /// Whether a head has begun that hyper has not read.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.state, State::Head { .. } | State::Unknown) && !self.is_between()
    }

    /// Whether bytes of a body are to come.
    pub(super) fn is_in_body(&self) -> bool {
        !matches!(
            self.state,
            State::Head { .. } | State::Unknown | State::Undecided | State::Lost
        )
    }

    /// More came from the client.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), BadChunk> {
        let mut bytes = bytes;
        while !bytes.is_empty() && self.state != State::Lost {
            if matches!(self.state, State::Unknown | State::Undecided) {
                self.rest.extend_from_slice(bytes);
                return Ok(());
            }
            let outcome = self.step(&mut bytes);
            if outcome.is_err() {
                self.state = State::Lost;
                return outcome;
            }
        }
        Ok(())
    }

    /// hyper has read a head, and its body ends so.
    pub(super) fn head_read(&mut self, end: BodyEnd) -> Result<(), BadChunk> {
        if self.state != State::Unknown {
            // two readers that do not agree where a head ends: what follows is nobody's
            self.state = State::Lost;
            return Err(BadChunk);
        }
        self.state = match end {
            BodyEnd::Undecided => State::Undecided,
            BodyEnd::Length(0) => BEFORE_HEAD,
            BodyEnd::Length(n) => State::Length(n),
            BodyEnd::Chunked => State::Size {
                size: 0,
                digits: false,
            },
        };
        self.reread()
    }

    /// The upstream does not switch: what came behind the head is the next one.
    pub(super) fn stay(&mut self) -> Result<(), BadChunk> {
        if self.state == State::Undecided {
            self.state = BEFORE_HEAD;
            return self.reread();
        }
        Ok(())
    }

    fn reread(&mut self) -> Result<(), BadChunk> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let mut rest = mem::take(&mut self.rest);
        let outcome = self.read(&rest);
        if self.rest.is_empty() && rest.capacity() <= KEPT_ROOM {
            rest.clear();
            self.rest = rest;
        }
        outcome
    }

    /// Gives back the room that was kept for the next request.
    pub(super) fn give_back(&mut self) {
        self.rest.shrink_to_fit();
    }

    /// It is no longer HTTP: what came after the last head.
    pub(super) fn leave(&mut self) -> Vec<u8> {
        self.state = State::Lost;
        mem::take(&mut self.rest)
    }

    /// Goes over at least one byte.
    fn step(&mut self, bytes: &mut &[u8]) -> Result<(), BadChunk> {
        self.state = match self.state {
            State::Head { begun, line } => head(bytes, begun, line),
            State::Length(n) => match skip(bytes, n) {
                0 => BEFORE_HEAD,
                left => State::Length(left),
            },
            State::Data(n) => match skip(bytes, n) {
                0 => State::DataReturn,
                left => State::Data(left),
            },
            state => {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                chunk_line(state, byte)?
            }
        };
        Ok(())
    }
}

/// A line at a time, to the empty one. Empty lines before the head do not count.
fn head(bytes: &mut &[u8], mut begun: bool, mut line: bool) -> State {
    while !bytes.is_empty() {
        let (has_text, ended) = next_line(bytes);
        line |= has_text;
        begun |= line;
        if ended {
            if begun && !line {
                return State::Unknown;
            }
            line = false;
        }
    }
    State::Head { begun, line }
}

/// Goes to the end of the line: whether it has more than its ending, and whether it ended.
fn next_line(bytes: &mut &[u8]) -> (bool, bool) {
    let all = *bytes;
    let length = memchr::memchr(b'\n', all).map_or(all.len(), |at| at + 1);
    let line;
    (line, *bytes) = all.split_at(length);
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    (!matches!(text, b"" | b"\r"), text.len() < length)
}

fn skip(bytes: &mut &[u8], n: u64) -> u64 {
    let now = usize::try_from(n).map_or(bytes.len(), |n| n.min(bytes.len()));
    *bytes = &bytes[now..];
    n - now as u64
}

/// `chunk-size [ chunk-ext ] CRLF`, the line's end after the data, and the lines of trailers
/// (RFC 9112, section 7.1).
fn chunk_line(state: State, byte: u8) -> Result<State, BadChunk> {
    Ok(match (state, byte) {
        (State::Size { size, .. }, _) if byte.is_ascii_hexdigit() => State::Size {
            size: with_digit(size, byte).ok_or(BadChunk)?,
            digits: true,
        },
        (State::Size { size, digits: true } | State::Blank(size), b' ' | b'\t') => {
            State::Blank(size)
        }
        (State::Size { size, digits: true } | State::Extension(size), b'\r') => {
            State::LineEnd(size)
        }
        // in extensions, no control character but the tab
        (State::Size { size, digits: true } | State::Blank(size), b';')
        | (State::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => State::Extension(size),
        (State::LineEnd(0) | State::TrailerFeed { line: true }, b'\n') => {
            State::Trailer { line: false }
        }
        (State::LineEnd(size), b'\n') => State::Data(size),
        (State::DataReturn, b'\r') => State::DataFeed,
        (State::DataFeed, b'\n') => State::Size {
            size: 0,
            digits: false,
        },
        (State::Trailer { line }, b'\r') => State::TrailerFeed { line },
        (State::TrailerFeed { line: false }, b'\n') => BEFORE_HEAD,
        // a line feed alone ends a line for some readers and not for hyper (section 2.2)
        (State::Trailer { .. }, byte) if byte != b'\n' => State::Trailer { line: true },
        _ => return Err(BadChunk),
    })
}

fn with_digit(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(digit.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of `size`, telling how each body ends as soon as a head has ended.
    fn follow(bytes: &[u8], size: usize, end: BodyEnd) -> (Framing, Result<usize, BadChunk>) {
        let mut framing = Framing::new();
        let mut heads = 0;
        for piece in bytes.chunks(size) {
            if framing.read(piece).is_err() {
                return (framing, Err(BadChunk));
            }
            while framing.state == State::Unknown {
                heads += 1;
                if framing.head_read(end).is_err() {
                    return (framing, Err(BadChunk));
                }
            }
        }
        (framing, Ok(heads))
    }

    #[test]
    fn heads_and_bodies_are_told_apart_however_they_are_cut() {
        let one = b"\r\nPOST / HTTP/1.1\r\nA: b\r\n\r\n\r\n\r\nx";
        let all = one.repeat(3);
        for size in 1..=all.len() {
            let (framing, heads) = follow(&all, size, BodyEnd::Length(5));
            assert_eq!(heads, Ok(3), "{size}");
            assert!(framing.is_between(), "{size}");
        }
    }

    #[test]
    fn chunks_with_extensions_and_trailers_are_followed_to_their_end() {
        let one = b"POST / HTTP/1.1\n\n5;a=\"b\";c\r\n\r\n0\r\n\r\nA \t;x\r\n0123456789\r\n00;y\r\nT: 1\r\n\r\n";
        let all = one.repeat(2);
        for size in 1..=all.len() {
            let (framing, heads) = follow(&all, size, BodyEnd::Chunked);
            assert_eq!(heads, Ok(2), "{size}");
            assert!(framing.is_between(), "{size}");
        }
    }

    #[test]
    fn bad_chunk_lines_are_found_however_they_are_cut() {
        for bad in [
            "5;a=\0\r\nhello",
            "5;a\nhello",
            "5;a\rb\r\nhello",
            "5\nhello",
            ";a\r\n",
            "\r\n",
            " 5\r\n",
            "5 \r\nhello",
            "5\t\r\nhello",
            "0x5\r\n",
            "10000000000000005\r\n",
            "5\r\nhelloXX",
            "5\r\nhello\n",
            "0\r\n\n:\r\n\r\n",
            "0\r\nA: b\n\nGET / HTTP/1.1\r\n\r\n",
            "0\r\nA: b\rC: d\r\n\r\n",
        ] {
            let all = format!("POST / HTTP/1.1\r\n\r\n{bad}");
            for size in 1..=all.len() {
                let (framing, outcome) = follow(all.as_bytes(), size, BodyEnd::Chunked);
                assert_eq!(outcome, Err(BadChunk), "{bad:?} {size}");
                assert!(!framing.is_between());
            }
        }
    }

    #[test]
    fn what_follows_an_upgrade_that_is_not_agreed_to_is_a_head() {
        let mut framing = Framing::new();
        let get = b"GET / HTTP/1.1\r\n\r\n";
        framing.read(&get.repeat(2)).unwrap();
        framing.head_read(BodyEnd::Undecided).unwrap();
        framing.stay().unwrap();
        assert_eq!(framing.state, State::Unknown);
        framing.stay().unwrap();
        framing.head_read(BodyEnd::Length(0)).unwrap();
        assert!(framing.is_between());
    }

    #[test]
    fn what_follows_an_upgrade_is_handed_over() {
        let mut framing = Framing::new();
        framing.read(b"GET / HTTP/1.1\r\n\r\nab").unwrap();
        framing.head_read(BodyEnd::Undecided).unwrap();
        framing.read(b"cd").unwrap();
        assert_eq!(framing.leave(), b"abcd");
        framing.read(b"5;\0").unwrap();
        assert!(!framing.is_between());
    }
}
