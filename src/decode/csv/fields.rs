//! The fields of comma-separated values, where they lie.

use std::borrow::Cow;

use memchr::memchr;

/// Fields, one after the other.
pub(in super::super) struct Fields<'a> {
    bytes: &'a [u8],
    /// The same, where all of it is UTF-8: to see that once is cheaper than of each field.
    text: Option<&'a str>,
    /// Where the next field begins, or the ends of lines before it.
    at: usize,
    /// A comma came last: a field follows, be it empty.
    is_in_line: bool,
    /// Room for a field with quotes in it.
    room: Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(in super::super) fn of(text: &'a [u8]) -> Self {
        let bytes = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Self {
            bytes,
            text: std::str::from_utf8(bytes).ok(),
            at: 0,
            is_in_line: false,
            room: Vec::new(),
        }
    }

    /// The next field, and whether it is the last of its line.
    #[inline]
    pub(in super::super) fn next(&mut self) -> Option<(Cow<'_, str>, bool)> {
        if !self.is_in_line {
            while matches!(self.bytes.get(self.at)?, b'\n' | b'\r') {
                self.at += 1;
            }
        }
        let start = self.at;
        match self.bytes.get(start) {
            Some(b'"') => return Some(self.quoted()),
            Some(b',') => {
                (self.at, self.is_in_line) = (start + 1, true);
                return Some((Cow::Borrowed(""), false));
            }
            _ => {}
        }
        let (end, is_last) = self.take(start);
        Some((self.between(start, end), is_last))
    }

    /// Steps over the field that goes on at `at`, and over its end; where that is.
    #[inline]
    fn take(&mut self, at: usize) -> (usize, bool) {
        let mut end = at;
        while let Some(byte) = self.bytes.get(end)
            && !matches!(byte, b',' | b'\n' | b'\r')
        {
            end += 1;
        }
        self.is_in_line = self.bytes.get(end) == Some(&b',');
        self.at = (end + 1).min(self.bytes.len());
        (end, !self.is_in_line)
    }

    #[inline]
    fn between(&self, start: usize, end: usize) -> Cow<'a, str> {
        match self.text.and_then(|text| text.get(start..end)) {
            Some(text) => Cow::Borrowed(text),
            None => text(self.bytes.get(start..end).unwrap_or_default()),
        }
    }

    /// A field that begins with a quote. Without another, all that follows is of it.
    fn quoted(&mut self) -> (Cow<'_, str>, bool) {
        self.room.clear();
        let bytes = self.bytes;
        let mut from = self.at + 1;
        while let Some(length) = memchr(b'"', &bytes[from..]) {
            let end = from + length;
            if bytes.get(end + 1) == Some(&b'"') {
                // two are one
                self.room.extend_from_slice(&bytes[from..=end]);
                from = end + 2;
                continue;
            }
            let (last, is_last) = self.take(end + 1);
            if self.room.is_empty() && last == end + 1 {
                return (self.between(from, end), is_last);
            }
            self.room.extend_from_slice(&bytes[from..end]);
            self.room.extend_from_slice(&bytes[end + 1..last]);
            return (text(&self.room), is_last);
        }
        self.room.extend_from_slice(&bytes[from..]);
        (self.at, self.is_in_line) = (bytes.len(), false);
        (text(&self.room), true)
    }
}

fn text(field: &[u8]) -> Cow<'_, str> {
    if field.is_empty() {
        return Cow::Borrowed("");
    }
    String::from_utf8_lossy(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Vec<String>> {
        let mut fields = Fields::of(text);
        let mut lines = vec![Vec::new()];
        while let Some((field, is_last)) = fields.next() {
            lines.last_mut().unwrap().push(field.into_owned());
            if is_last {
                lines.push(Vec::new());
            }
        }
        lines.pop();
        lines
    }

    /// The same by the crate that everybody uses.
    fn expected(text: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        let line = |record: csv::ByteRecord| {
            let field = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
            record.iter().map(field).collect()
        };
        reader
            .byte_records()
            .map(|record| line(record.unwrap()))
            .collect()
    }

    #[test]
    fn any_text_has_the_fields_that_others_find_in_it() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let length = random.usize(0..12);
            let byte = |_| *random.choice(b"a,\"\n\r 1").unwrap();
            let text: Vec<u8> = (0..length).map(byte).collect();
            let shown = String::from_utf8_lossy(&text);
            assert_eq!(lines(&text), expected(&text), "{shown:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_shown_as_such() {
        assert_eq!(lines(b"\xff,\"\xff\""), [["\u{fffd}", "\u{fffd}"]]);
    }
}
