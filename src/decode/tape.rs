//! Where each value of a JSON text is: what paths are followed over, without a tree of values.
//!
//! 12 bytes for a value of at least two, in the order of the text; values are read where they
//! stand, by whoever wants them.

use std::{borrow::Cow, ops::Range};

use memchr::memchr2;

use super::table::TooLarge;

/// One value or name, by its place on the tape.
pub(super) type Place = usize;

/// The places of a text that is JSON.
#[derive(Debug)]
pub(super) struct Tape<'a> {
    text: &'a str,
    spans: Vec<Span>,
}

/// From where to where one stands.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
    /// The place that follows it and all it holds; [`NAME`] for the name of a field. While it is
    /// open: the one that holds it.
    after: u32,
}

/// No place follows the first by none.
const NAME: u32 = 0;
/// No place is open.
const NONE: u32 = u32::MAX;

impl<'a> Tape<'a> {
    /// The places of `text`, which must be JSON: of anything else they mean nothing.
    ///
    /// # Errors
    /// When it is longer than 2 GiB.
    pub(super) fn new(text: &'a str) -> Result<Self, TooLarge> {
        if text.len() > u32::MAX as usize / 2 {
            return Err(TooLarge);
        }
        // each stands after one of these; room that is made bit by bit would take twice as much
        let before = |byte: &&u8| matches!(byte, b',' | b':' | b'[' | b'{');
        let most = text.as_bytes().iter().filter(before).count() + 1 - empty(text.as_bytes());
        let mut tape = Self {
            text,
            spans: Vec::with_capacity(most),
        };
        tape.fill();
        Ok(tape)
    }

    fn fill(&mut self) {
        let bytes = self.text.as_bytes();
        let (mut at, mut open, mut is_name) = (0, NONE, false);
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            at += 1;
            match byte {
                b'{' | b'[' => {
                    let place = length(self.spans.len());
                    self.push(start, start, open);
                    open = place;
                    is_name = byte == b'{';
                }
                b'}' | b']' => {
                    let after = length(self.spans.len());
                    let Some(span) = self.spans.get_mut(open as usize) else {
                        return;
                    };
                    open = std::mem::replace(&mut span.after, after);
                    span.end = length(at);
                }
                b',' => is_name = self.is_object_at(open),
                b':' => is_name = false,
                b'"' => {
                    at = end_of_string(bytes, at);
                    let after = length(self.spans.len() + 1);
                    self.push(start, at, if is_name { NAME } else { after });
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    let is_end =
                        |b: &u8| matches!(b, b',' | b']' | b'}') || b.is_ascii_whitespace();
                    let rest = bytes.get(at..).unwrap_or_default();
                    at += rest.iter().position(is_end).unwrap_or(rest.len());
                    self.push(start, at, length(self.spans.len() + 1));
                }
            }
        }
    }

    fn push(&mut self, start: usize, end: usize, after: u32) {
        self.spans.push(Span {
            start: length(start),
            end: length(end),
            after,
        });
    }

    fn is_object_at(&self, open: u32) -> bool {
        open != NONE && self.is_object(open as usize)
    }

    fn first_byte(&self, place: Place) -> Option<u8> {
        let span = self.spans.get(place)?;
        self.text.as_bytes().get(span.start as usize).copied()
    }

    /// Bytes of the text.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether a list stands there.
    pub(super) fn is_list(&self, place: Place) -> bool {
        self.first_byte(place) == Some(b'[')
    }

    /// Whether an object stands there.
    pub(super) fn is_object(&self, place: Place) -> bool {
        self.first_byte(place) == Some(b'{')
    }

    /// Whether nothing stands there, or `null`.
    pub(super) fn is_null(&self, place: Place) -> bool {
        matches!(self.first_byte(place), None | Some(b'n'))
    }

    /// Whether it is the name of a field.
    pub(super) fn is_name(&self, place: Place) -> bool {
        self.spans.get(place).is_some_and(|span| span.after == NAME)
    }

    /// Whether a field among `places` has that name.
    pub(super) fn has_name(&self, places: Range<Place>, name: &str) -> bool {
        let spans = self.spans.get(places.clone()).unwrap_or_default();
        let mut all = places.zip(spans);
        all.any(|(place, span)| span.after == NAME && self.reads(place, name))
    }

    /// Whether a list or an object stands there that is not empty.
    pub(super) fn holds(&self, place: Place) -> bool {
        let span = self.spans.get(place);
        span.is_some_and(|span| span.after as usize > place + 1)
    }

    /// What stands there, as text.
    pub(super) fn text(&self, place: Place) -> &'a str {
        let span = self.spans.get(place).copied().unwrap_or_default();
        let range = span.start as usize..span.end as usize;
        self.text.get(range).unwrap_or_default()
    }

    /// The place behind it and all it holds.
    pub(super) fn after(&self, place: Place) -> Place {
        let span = self.spans.get(place).copied().unwrap_or_default();
        (span.after as usize).min(self.spans.len()).max(place + 1)
    }

    /// The values of a list, or of the fields of an object.
    pub(super) fn children(&self, place: Place) -> Children<'_, 'a> {
        let is_object = self.is_object(place);
        Children {
            tape: self,
            next: place + 1,
            end: if is_object || self.is_list(place) {
                self.after(place)
            } else {
                place
            },
            is_object,
        }
    }

    /// Whether `name` is written there, as the name of a field or as any string.
    pub(super) fn reads(&self, place: Place, name: &str) -> bool {
        let text = self.text(place);
        may_read(text.as_bytes(), name.as_bytes())
            && string(text).is_some_and(|written| written == name)
    }
}

/// The values that one holds, each with the place of its name where it has one.
pub(super) struct Children<'t, 'a> {
    tape: &'t Tape<'a>,
    next: Place,
    end: Place,
    is_object: bool,
}

impl Iterator for Children<'_, '_> {
    type Item = (Option<Place>, Place);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let name = self.is_object.then_some(self.next);
        let value = self.next + usize::from(self.is_object);
        self.next = self.tape.after(value);
        Some((name, value))
    }
}

/// Whether a string, with its quotes, may be `name`, from its first byte: escapes cost.
fn may_read(text: &[u8], name: &[u8]) -> bool {
    let first = match text {
        [_, b'\\', escape, ..] => match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            // any character
            b'u' => return true,
            other => *other,
        },
        [_, first, ..] => *first,
        _ => return false,
    };
    name.first().copied().unwrap_or(b'"') == first
}

/// The string that is written as `text`, with its quotes.
pub(super) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(text).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Lists and objects that hold nothing, each of which has one of those bytes for no value.
fn empty(text: &[u8]) -> usize {
    let is_empty = |pair: &&[u8]| matches!(pair, [b'[', b']'] | [b'{', b'}']);
    text.windows(2).filter(is_empty).count()
}

/// Behind the quote that ends the string in which `at` is.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        let is_quote = bytes.get(at + found) == Some(&b'"');
        at += found + if is_quote { 1 } else { 2 };
        if is_quote {
            return at;
        }
    }
    bytes.len()
}

/// A length or a place in a text.
#[expect(clippy::cast_possible_truncation, reason = "the text is below 2 GiB")]
pub(super) const fn length(length: usize) -> u32 {
    length as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(tape: &Tape<'_>, place: Place) -> Vec<String> {
        let children = tape.children(place);
        let text = |(name, value)| match name {
            Some(name) => format!("{}:{}", tape.text(name), tape.text(value)),
            None => tape.text(value).to_owned(),
        };
        children.map(text).collect()
    }

    #[test]
    fn each_value_is_found_where_it_stands() {
        let text = r#" { "a" : [1, -2.5e3,"x,]\"\\", {"b":null}, []] ,"c":true , "d":{} }"#;
        let tape = Tape::new(text).unwrap();
        let expected = [
            r#""a":[1, -2.5e3,"x,]\"\\", {"b":null}, []]"#,
            r#""c":true"#,
            r#""d":{}"#,
        ];
        assert_eq!(children(&tape, 0), expected);
        let list = tape.children(0).next().unwrap().1;
        let expected = ["1", "-2.5e3", r#""x,]\"\\""#, r#"{"b":null}"#, "[]"];
        assert_eq!(children(&tape, list), expected);
        assert!(tape.is_list(list) && !tape.is_object(list));
        assert_eq!(children(&tape, list + 1), Vec::<String>::new());
    }

    #[test]
    fn a_name_is_told_from_a_value_and_read_with_its_escapes() {
        let tape = Tape::new(r#"{"\u00e9":"a","b":["c"]}"#).unwrap();
        let names: Vec<bool> = (0..6).map(|place| tape.is_name(place)).collect();
        assert_eq!(names, [false, true, false, true, false, false]);
        assert!(tape.reads(1, "é") && !tape.reads(1, "e"));
        assert!(tape.reads(5, "c"));
    }

    #[test]
    fn room_is_made_once() {
        let text = format!("[{}1]", "1,".repeat(30_000));
        let tape = Tape::new(&text).unwrap();
        assert_eq!(tape.spans.len(), 30_002);
        assert_eq!(tape.spans.capacity(), 30_002);
        let text = format!("[{}[]]", "{},".repeat(30_000));
        let tape = Tape::new(&text).unwrap();
        assert_eq!(tape.spans.capacity(), 30_002);
    }

    #[test]
    fn what_is_no_json_is_no_problem() {
        for text in [
            "", "]", "}", "{", "[\"", "\"\\", "{\"a\"", "[1", ",", ":", "{]}",
        ] {
            let tape = Tape::new(text).unwrap();
            for place in 0..4 {
                let _ = (tape.text(place), tape.children(place).count());
            }
        }
    }
}
