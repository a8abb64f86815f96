//! The fields of comma-separated values, where they lie.

use std::borrow::Cow;

use memchr::memchr;

/// Fields, one after the other.
pub(in super::super) struct Fields<'a> {
    rest: &'a [u8],
    /// A comma came last: a field follows, be it empty.
    is_in_line: bool,
    /// Room for a field with quotes in it.
    room: Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(in super::super) fn of(text: &'a [u8]) -> Self {
        Self {
            rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
            is_in_line: false,
            room: Vec::new(),
        }
    }

    /// The next field, and whether it is the last of its line.
    #[inline]
    pub(in super::super) fn next(&mut self) -> Option<(Cow<'_, str>, bool)> {
        if !self.is_in_line {
            let starts = |byte: &u8| !matches!(byte, b'\n' | b'\r');
            let start = self.rest.iter().position(starts)?;
            self.rest = &self.rest[start..];
        }
        if self.rest.first() == Some(&b'"') {
            return Some(self.quoted());
        }
        let (field, is_last) = self.take(0);
        Some((text(field), is_last))
    }

    /// Steps over the field that ends behind `from`, and over its end.
    #[inline]
    fn take(&mut self, from: usize) -> (&'a [u8], bool) {
        let rest = &self.rest[from..];
        let ends = |byte: &u8| matches!(byte, b',' | b'\n' | b'\r');
        let end = from + rest.iter().position(ends).unwrap_or(rest.len());
        let (field, rest) = self.rest.split_at(end);
        self.is_in_line = rest.first() == Some(&b',');
        self.rest = rest.get(1..).unwrap_or_default();
        (field, !self.is_in_line)
    }

    /// A field that begins with a quote. Without another, all that follows is of it.
    fn quoted(&mut self) -> (Cow<'_, str>, bool) {
        self.room.clear();
        let mut from = 1;
        while let Some(length) = memchr(b'"', &self.rest[from..]) {
            let end = from + length;
            if self.rest.get(end + 1) == Some(&b'"') {
                // two are one
                self.room.extend_from_slice(&self.rest[from..=end]);
                from = end + 2;
                continue;
            }
            let (field, is_last) = self.take(end + 1);
            if self.room.is_empty() && field.len() == end + 1 {
                return (text(&field[from..end]), is_last);
            }
            self.room.extend_from_slice(&field[from..end]);
            self.room.extend_from_slice(&field[end + 1..]);
            return (text(&self.room), is_last);
        }
        self.room.extend_from_slice(&self.rest[from..]);
        (self.rest, self.is_in_line) = (&[], false);
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
