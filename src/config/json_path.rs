//! A `JSONPath` of RFC 9535, as a user writes it and as it is gone by.

use std::{fmt, sync::Arc};

use rsonpath_syntax::{JsonPathQuery, Parser, ParserBuilder, Segment, Selector};
use serde::{Deserialize, Deserializer, de};

/// A `JSONPath` of RFC 9535, without function extensions. Cheap to clone.
#[derive(Clone)]
pub struct JsonPath {
    text: Arc<str>,
    query: Arc<JsonPathQuery>,
}

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSONPath of RFC 9535 ({reason})")]
pub struct NoPath {
    reason: String,
}

impl JsonPath {
    /// Longest text in bytes, and most segments: each may look at all of a body again.
    const MAX_TEXT: usize = 512;
    const MAX_SEGMENTS: usize = 32;
    /// How deep filters may nest.
    const MAX_NESTING: usize = 8;

    /// Reads it.
    ///
    /// # Errors
    /// When it is no `JSONPath`, calls a function, or is longer than is gone by.
    pub fn new(text: &str) -> Result<Self, NoPath> {
        let refused = |reason: String| NoPath { reason };
        if text.len() > Self::MAX_TEXT {
            return Err(refused(format!("at most {} bytes", Self::MAX_TEXT)));
        }
        let query = parser().parse(text);
        let query = query.map_err(|error| {
            let called = || reason(&error.to_string());
            refused(function(text).unwrap_or_else(called))
        })?;
        if query.segments().len() > Self::MAX_SEGMENTS {
            return Err(refused(format!("at most {} segments", Self::MAX_SEGMENTS)));
        }
        Ok(Self {
            text: Arc::from(text),
            query: Arc::new(query),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its segments.
    pub fn segments(&self) -> &[Segment] {
        self.query.segments()
    }

    /// Whether it leads to one place at most, whatever the body.
    pub fn is_singular(&self) -> bool {
        self.segments().iter().all(is_singular)
    }

    /// What is left of it below the elements that `items` leads to, where it goes through them:
    /// `$.rows[*].label` of `$.rows[*]`, or of `$.rows`, is `.label`.
    pub fn below(&self, items: &Self) -> Option<&[Segment]> {
        let rest = self.segments().strip_prefix(items.segments())?;
        if !items.is_singular() {
            return Some(rest);
        }
        let (first, rest) = rest.split_first()?;
        let is_each = matches!(first, Segment::Child(each) if matches!(each.as_slice(), [Selector::Wildcard]));
        is_each.then_some(rest)
    }
}

/// Whether a segment leads from one place to one at most.
pub fn is_singular(segment: &Segment) -> bool {
    match segment {
        Segment::Child(selectors) => matches!(
            selectors.as_slice(),
            [Selector::Name(_) | Selector::Index(_)]
        ),
        Segment::Descendant(_) => false,
    }
}

fn parser() -> Parser {
    let mut builder = ParserBuilder::new();
    builder.set_recursion_limit(Some(JsonPath::MAX_NESTING));
    builder.build()
}

/// What is said of a filter that calls a function, which the parser does not know: `None`: none does.
fn function(text: &str) -> Option<String> {
    const FUNCTIONS: [&str; 5] = ["length(", "count(", "match(", "search(", "value("];
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(begun), byte) if begun == byte => quote = None,
            _ => {}
        }
        let rest = text
            .get(at..)
            .filter(|_| quote.is_none())
            .unwrap_or_default();
        let is_begin = at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
        if let Some(name) = FUNCTIONS
            .iter()
            .find(|name| is_begin && rest.starts_with(**name))
        {
            let name = name.trim_end_matches('(');
            return Some(format!(
                "filters know no functions, found {name}, at byte {at}"
            ));
        }
    }
    None
}

/// The first error of a report of several lines, with its place.
fn reason(report: &str) -> String {
    let first = report.lines().find_map(|line| line.strip_prefix("error: "));
    let place = report.lines().map(str::trim).find_map(|line| {
        let place = line.strip_prefix("(byte")?.strip_suffix(')')?;
        let first = place.trim_start_matches('s').split('-').next()?;
        first.trim().parse::<usize>().ok()
    });
    match (first, place) {
        (Some(first), Some(place)) => format!("{first}, at byte {place}"),
        (Some(first), None) => first.to_owned(),
        _ => "filters nest too deep".to_owned(),
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonPath {}

impl<'de> Deserialize<'de> for JsonPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> JsonPath {
        JsonPath::new(text).unwrap()
    }

    #[test]
    fn what_is_no_path_is_told_with_its_place() {
        for (text, said) in [
            ("$.a[", "invalid selector - empty, at byte 3"),
            ("$.a b", "invalid segment syntax, at byte 4"),
            (
                "a.b",
                "query not starting with the root identifier '$', at byte 0",
            ),
            ("$.a ", "query ending with whitespace, at byte 3"),
            (
                "$[?length(@.b)>1]",
                "filters know no functions, found length, at byte 3",
            ),
            (
                "$.a[?@.b && match(@.b, 'x.*')]",
                "filters know no functions, found match, at byte 12",
            ),
            ("$['count(']b c", "invalid segment syntax, at byte 11"),
            (
                "",
                "query not starting with the root identifier '$', at byte 0",
            ),
        ] {
            let error = JsonPath::new(text).unwrap_err().to_string();
            let expected = format!("expected a JSONPath of RFC 9535 ({said})");
            assert_eq!(error, expected, "{text}");
        }
        let nested = format!("$.a{}", "[?@".repeat(30) + &"]".repeat(30));
        assert!(JsonPath::new(&nested).is_err());
        assert!(JsonPath::new(&format!("${}", ".a".repeat(33))).is_err());
        assert!(JsonPath::new(&format!("$.{}", "a".repeat(600))).is_err());
    }

    #[test]
    fn a_path_of_names_and_indexes_leads_to_one_place() {
        for text in ["$", "$.a", "$['a'][0]", "$.a[-1].b"] {
            assert!(path(text).is_singular(), "{text}");
        }
        for text in ["$.*", "$..a", "$[0:2]", "$[0,1]", "$[?@.a]"] {
            assert!(!path(text).is_singular(), "{text}");
        }
    }

    #[test]
    fn what_lies_below_items_is_told_from_what_does_not() {
        let below = |text: &str, items: &str| {
            let path = path(text);
            let rest = path.below(&JsonPath::new(items).unwrap())?;
            Some(rest.iter().map(ToString::to_string).collect::<String>())
        };
        let label = Some("['label']".to_owned());
        assert_eq!(below("$.rows[*].label", "$.rows[*]"), label);
        assert_eq!(below("$.rows[*]['label']", "$.rows"), label);
        assert_eq!(below("$.label", "$.rows[*]"), None);
        assert_eq!(below("$.rows[0].label", "$.rows"), None);
    }
}
