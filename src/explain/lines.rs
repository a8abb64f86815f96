//! Lines of a stream, of which none takes more than so many bytes.

use std::io::{self, BufRead};

/// Whether a line may be long, by what has come of it.
type MayBeLong = fn(&[u8]) -> bool;

/// The lines of `input`. The last one need not end.
pub(crate) struct Lines<R> {
    input: R,
    max: usize,
    /// Where a line is looked at, and what must hold for it to be longer.
    short: Option<(usize, MayBeLong)>,
    line: Vec<u8>,
    is_torn: bool,
}

/// One of them, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// Its bytes are gone.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R, max: usize) -> Self {
        Self {
            input,
            max,
            short: None,
            line: Vec::new(),
            is_torn: false,
        }
    }

    /// Takes lines above `short` bytes only where `may_be_long` says so of what has come of them by then.
    pub(crate) fn mostly(self, short: usize, may_be_long: MayBeLong) -> Self {
        Self {
            short: Some((short, may_be_long)),
            ..self
        }
    }

    /// Whether the line that was read last has no end: whoever writes it may not have finished.
    pub(crate) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// The next line; `None`: there is none.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        // a long line's room is not kept for the rest
        self.line.clear();
        self.line.shrink_to(64 * 1024);
        let (mut is_too_long, mut is_any) = (false, false);
        self.is_torn = true;
        let mut max = self.short.map_or(self.max, |(short, _)| short);
        loop {
            let read = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read.is_empty() {
                break;
            }
            is_any = true;
            let end = memchr::memchr(b'\n', read);
            let part = &read[..end.unwrap_or(read.len())];
            let bytes = self.line.len() + part.len();
            if bytes > max && self.short.is_some_and(|(_, may)| may(&self.line)) {
                max = self.max;
            }
            if is_too_long || bytes > max {
                is_too_long = true;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let taken = part.len() + usize::from(end.is_some());
            self.input.consume(taken);
            if end.is_some() {
                self.is_torn = false;
                break;
            }
        }
        Ok(match (is_any, is_too_long) {
            (false, _) => None,
            (true, true) => Some(Line::TooLong),
            (true, false) => Some(Line::Whole(&self.line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn every_line_comes_once_and_a_long_one_as_such() {
        let input = "a\n\nlonger than that\nb\r\nend";
        // pieces of 3 bytes
        let mut lines = Lines::new(BufReader::with_capacity(3, input.as_bytes()), 8);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Whole(line) => String::from_utf8(line.to_vec()).unwrap(),
                Line::TooLong => "-".to_owned(),
            });
        }
        assert_eq!(found, ["a", "", "-", "b\r", "end"]);
    }

    #[test]
    fn a_line_without_end_is_given_up_early_unless_it_may_be_long() {
        let input = "000000000000\n{0000000000\n{000000000000000000\nend";
        let lines = Lines::new(BufReader::with_capacity(3, input.as_bytes()), 16);
        let mut lines = lines.mostly(6, |line| line.starts_with(b"{"));
        assert_eq!(lines.next().unwrap(), Some(Line::TooLong));
        assert!(lines.line.capacity() <= 6, "{}", lines.line.capacity());
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"{0000000000")));
        assert_eq!(lines.next().unwrap(), Some(Line::TooLong));
        assert_eq!(lines.next().unwrap(), Some(Line::Whole(b"end")));
        assert_eq!(lines.next().unwrap(), None);
    }
}
