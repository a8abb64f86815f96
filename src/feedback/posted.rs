//! What is posted: labels, as one object, a list of them, or one on each line.

use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::record::MAX_WORD;

/// Most labels of one request.
pub const MAX_LABELS: usize = 100_000;
/// Longest request id, as the proxy takes them.
const MAX_ID: usize = 128;
/// Faults that are told of; the others are only counted.
const MAX_TOLD: usize = 20;

/// What one prediction should have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// What the client got as `X-Request-ID`.
    pub request_id: String,
    /// The place of the item in a batch, from 0.
    pub item: u32,
    /// What is so.
    pub truth: Truth,
}

/// A class or a number, as somebody wrote it.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Not empty, at most 128 bytes.
    Text(String),
    /// A number without a fraction.
    Integer(i64),
    /// Any other number, finite.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
}

/// Labels, and what was wrong with others.
#[derive(Debug, Default, PartialEq)]
pub struct Posted {
    /// Those that can be looked for.
    pub labels: Vec<Label>,
    /// How many cannot.
    pub invalid: u64,
    /// The first of these, each with its place: `[3].item: expected ..`, `line 4: label: ..`.
    pub faults: Vec<String>,
}

/// Why nothing of a body was taken.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PostedError {
    /// It is no JSON.
    #[error("expected JSON: one label, a list of labels, or one on each line: {0}")]
    Syntax(String),
    /// There is none.
    #[error("there is no label")]
    Empty,
    /// There are too many.
    #[error("there are more than {MAX_LABELS} labels; post them in parts")]
    TooMany,
}

impl PostedError {
    /// A word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "not_json",
            Self::Empty => "empty",
            Self::TooMany => "too_many",
        }
    }
}

/// Reads a body. What is wrong with one label keeps no other from being taken.
///
/// # Errors
/// When nothing of it can be read.
pub fn posted(body: &[u8]) -> Result<Posted, PostedError> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut posted = Posted::default();
    match text.trim_ascii_start().first() {
        None => return Err(PostedError::Empty),
        Some(b'[') => list(text, &mut posted)?,
        Some(_) => match serde_json::from_slice::<Entry>(text) {
            Ok(entry) => posted.take(entry, ""),
            Err(error) => lines(text, &mut posted, &error)?,
        },
    }
    if posted.labels.is_empty() && posted.invalid == 0 {
        return Err(PostedError::Empty);
    }
    Ok(posted)
}

fn list(text: &[u8], posted: &mut Posted) -> Result<(), PostedError> {
    let mut reading = serde_json::Deserializer::from_slice(text);
    let read = reading.deserialize_seq(List(posted));
    let is_full = read.map_err(|error| PostedError::Syntax(error.to_string()))?;
    if is_full {
        return Err(PostedError::TooMany);
    }
    reading
        .end()
        .map_err(|error| PostedError::Syntax(error.to_string()))
}

fn lines(text: &[u8], posted: &mut Posted, alone: &serde_json::Error) -> Result<(), PostedError> {
    let all = text.split(|byte| *byte == b'\n').enumerate();
    let mut has_any = false;
    for (number, line) in all.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let place = format!("line {}", number + 1);
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) => {
                has_any = true;
                posted.take(entry, &place);
            }
            Err(_) => posted.fault(&place, "", "expected one JSON object"),
        }
        if posted.len() > MAX_LABELS {
            return Err(PostedError::TooMany);
        }
    }
    if has_any {
        Ok(())
    } else {
        Err(PostedError::Syntax(alone.to_string()))
    }
}

impl Posted {
    /// About so many bytes a label takes, but for its id: a class is rarely longer.
    pub(super) const LABEL: usize = size_of::<Label>() + 32;

    fn len(&self) -> usize {
        self.labels.len() + usize::try_from(self.invalid).unwrap_or(usize::MAX)
    }

    fn take(&mut self, entry: Entry, place: &str) {
        match entry.label() {
            Ok(label) => self.labels.push(label),
            Err((path, message)) => self.fault(place, path, message),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what `other` has.
    pub(super) fn append(&mut self, mut other: Self) {
        self.labels.append(&mut other.labels);
        self.invalid += other.invalid;
    }

    /// `place`: which label; `path`: which of its fields, empty: all of it.
    pub(super) fn fault(&mut self, place: &str, path: &str, message: &str) {
        self.invalid += 1;
        if self.faults.len() < MAX_TOLD {
            let between = match (place.is_empty(), path.is_empty()) {
                (true, _) | (_, true) => "",
                _ if place.starts_with('[') => ".",
                _ => ": ",
            };
            let colon = if place.is_empty() && path.is_empty() {
                ""
            } else {
                ": "
            };
            self.faults
                .push(format!("{place}{between}{path}{colon}{message}"));
        }
    }
}

/// Whether there are too many.
struct List<'a>(&'a mut Posted);

impl<'de> Visitor<'de> for List<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of labels")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let mut number = 0;
        while let Some(entry) = list.next_element::<Entry>()? {
            if number >= MAX_LABELS {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(true);
            }
            self.0.take(entry, &format!("[{number}]"));
            number += 1;
        }
        Ok(false)
    }
}

type Fault = (&'static str, &'static str);

const ID: &str = "expected 1 to 128 visible ASCII characters, as X-Request-ID has";
const ITEM: &str = "expected a whole number from 0 on";
const LABEL: &str = "expected a text of 1 to 128 bytes, a number, true or false";
const TIMESTAMP: &str = "expected a time such as 2026-05-01T12:00:00Z, or seconds since 1970";

/// Anything that stands in the place of a label.
#[derive(Default)]
struct Entry {
    is_object: bool,
    has_unknown: bool,
    has_twice: bool,
    request_id: Option<Any>,
    item: Option<Any>,
    label: Option<Any>,
    timestamp: Option<Any>,
}

impl Entry {
    fn label(self) -> Result<Label, Fault> {
        if !self.is_object {
            return Err(("", "expected an object with request_id and label"));
        }
        if self.has_unknown {
            return Err(("", "expected request_id, item, label and timestamp alone"));
        }
        if self.has_twice {
            return Err(("", "expected each field once"));
        }
        let is_id = |id: &String| {
            (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let request_id = match self.request_id {
            Some(Any::Text(id)) if is_id(&id) => id,
            _ => return Err(("request_id", ID)),
        };
        let item = match self.item {
            None => 0,
            Some(Any::Integer(item)) => u32::try_from(item).map_err(|_| ("item", ITEM))?,
            Some(_) => return Err(("item", ITEM)),
        };
        let truth = match self.label {
            Some(Any::Text(text)) if (1..=MAX_WORD).contains(&text.len()) => Truth::Text(text),
            Some(Any::Integer(number)) => Truth::Integer(number),
            Some(Any::Number(number)) if number.is_finite() => Truth::of(number),
            Some(Any::Bool(truth)) => Truth::Bool(truth),
            _ => return Err(("label", LABEL)),
        };
        let is_time = match self.timestamp {
            None | Some(Any::Null | Any::Integer(_)) => true,
            Some(Any::Number(at)) => at.is_finite(),
            Some(Any::Text(text)) => text.parse::<Timestamp>().is_ok(),
            Some(_) => false,
        };
        if !is_time {
            return Err(("timestamp", TIMESTAMP));
        }
        Ok(Label {
            request_id,
            item,
            truth,
        })
    }
}

impl Truth {
    /// A class by name; `None`: it is empty or too long.
    pub fn named(name: &str) -> Option<Self> {
        (1..=MAX_WORD)
            .contains(&name.len())
            .then(|| Self::Text(name.to_owned()))
    }

    /// A finite number. `2.0` is 2: who writes numbers by way of floats means the same.
    pub fn of(number: f64) -> Self {
        // beyond it not every whole number is one
        const WHOLE: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && number.abs() <= WHOLE {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is whole and small enough"
            )]
            return Self::Integer(number as i64);
        }
        Self::Number(number)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OfEntry)
    }
}

struct OfEntry;

impl<'de> Visitor<'de> for OfEntry {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a label")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Entry, A::Error> {
        let mut entry = Entry {
            is_object: true,
            ..Entry::default()
        };
        while let Some(name) = object.next_key::<Key>()? {
            let slot = match name {
                Key::RequestId => &mut entry.request_id,
                Key::Item => &mut entry.item,
                Key::Label => &mut entry.label,
                Key::Timestamp => &mut entry.timestamp,
                Key::Unknown => {
                    entry.has_unknown = true;
                    object.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            entry.has_twice |= slot.is_some();
            *slot = Some(object.next_value()?);
        }
        Ok(entry)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Entry, E> {
        Ok(Entry::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entry, E> {
        Ok(Entry::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entry, E> {
        Ok(Entry::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entry, E> {
        Ok(Entry::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Entry, E> {
        Ok(Entry::default())
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::default())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    RequestId,
    Item,
    Label,
    Timestamp,
    #[serde(other)]
    Unknown,
}

/// Any value of a field.
#[derive(Debug)]
enum Any {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    /// A list or an object.
    Other,
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OfAny)
    }
}

struct OfAny;

impl<'de> Visitor<'de> for OfAny {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Any, E> {
        Ok(Any::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Any, E> {
        // a class by so large a number is a text, as in predictions
        Ok(i64::try_from(value).map_or_else(|_| Any::Text(value.to_string()), Any::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Any, E> {
        Ok(Any::Number(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Any, E> {
        Ok(Any::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Any, E> {
        Ok(Any::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Any, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Any::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Any, A::Error> {
        while object
            .next_entry::<IgnoredAny, IgnoredAny>()
            .map_err(A::Error::custom)?
            .is_some()
        {}
        Ok(Any::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str, item: u32, truth: Truth) -> Label {
        Label {
            request_id: id.to_owned(),
            item,
            truth,
        }
    }

    #[test]
    fn one_a_list_and_lines_are_read() {
        let one = label("a", 0, Truth::Text("x".to_owned()));
        let two = label("b", 3, Truth::Integer(2));
        for body in [
            r#"[{"request_id":"a","label":"x"},{"item":3,"request_id":"b","label":2.0}]"#,
            "{\"request_id\":\"a\",\"label\":\"x\"}\n\n{\"request_id\":\"b\",\"item\":3,\"label\":2}\n",
        ] {
            let found = posted(body.as_bytes()).unwrap();
            assert_eq!(found.labels, [one.clone(), two.clone()], "{body}");
            assert_eq!(found.invalid, 0);
        }
        let alone = "{\n \"request_id\": \"a\",\n \"label\": \"x\", \"timestamp\": \"2026-05-01T12:00:00Z\"\n}";
        assert_eq!(posted(alone.as_bytes()).unwrap().labels, [one]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_keeps_no_other_back() {
        let body = r#"[{"request_id":"a","label":1}, 7, {"request_id":"a b","label":1},
            {"request_id":"a","item":-1,"label":1}, {"request_id":"a","label":[1]}, {"label":1},
            {"request_id":"a","label":1,"labels":2}, {"request_id":"a","label":1,"label":2},
            {"request_id":"a","label":1,"timestamp":"yesterday"}, {"request_id":"a","label":true}]"#;
        let found = posted(body.as_bytes()).unwrap();
        assert_eq!((found.labels.len(), found.invalid), (2, 8));
        let starts = [
            "[1]: expected an object",
            "[2].request_id: expected 1 to 128",
            "[3].item: expected a whole",
            "[4].label: expected a text",
            "[5].request_id: expected",
            "[6]: expected request_id, item",
            "[7]: expected each field once",
            "[8].timestamp: expected a time",
        ];
        for (fault, start) in found.faults.iter().zip(starts) {
            assert!(fault.starts_with(start), "{fault}");
        }
        let lines = "{\"request_id\":\"a\",\"label\":1}\n{\"request_id\":\"a\",\n{\"request_id\":\"a\",\"item\":0.5,\"label\":1}";
        let found = posted(lines.as_bytes()).unwrap();
        assert_eq!((found.labels.len(), found.invalid), (1, 2));
        assert!(found.faults[0].starts_with("line 2: expected one JSON object"));
        assert!(found.faults[1].starts_with("line 3: item: expected"));
        let one = posted(br#"{"request_id":"a","label":null}"#).unwrap();
        assert!(
            one.faults[0].starts_with("label: expected"),
            "{:?}",
            one.faults
        );
    }

    #[test]
    fn of_a_list_that_breaks_off_nothing_is_taken() {
        let broken = br#"[{"request_id":"a","label":1},"#;
        assert!(matches!(posted(broken), Err(PostedError::Syntax(_))));
        assert!(matches!(posted(b"{}x"), Err(PostedError::Syntax(_))));
        assert!(matches!(posted(b"no"), Err(PostedError::Syntax(_))));
        for empty in ["", " \n ", "[]"] {
            assert_eq!(posted(empty.as_bytes()), Err(PostedError::Empty));
        }
        let one = r#"{"request_id":"a","label":1}"#;
        let many = format!("[{}{one}]", format!("{one},").repeat(MAX_LABELS));
        assert_eq!(posted(many.as_bytes()), Err(PostedError::TooMany));
        let many = format!("{one}\n").repeat(MAX_LABELS + 1);
        assert_eq!(posted(many.as_bytes()), Err(PostedError::TooMany));
    }
}
