//! One pass over a JSON text, without a tree: what a format does not name is stepped over.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    DecodeError, Inference, Scalar, content, lenient,
    reader::{self, Reader, Stop},
};

/// A place in a document, which says what is done with whatever stands there.
///
/// Lists and objects that it does not look into are skipped without recursion, so only the nesting
/// of `Node`s, which is fixed in the code, costs stack.
pub(super) trait Node<'de>: Sized {
    /// What is found.
    type Found;

    /// A scalar, or what was skipped.
    fn leaf(self, leaf: Leaf<'_>) -> Self::Found;

    /// A list; by default skipped.
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        skip_elements(&mut list)?;
        Ok(self.leaf(Leaf::List))
    }

    /// An object; by default skipped.
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        skip_fields(&mut object)?;
        Ok(self.leaf(Leaf::Object))
    }
}

/// Reads `body` as JSON, as Python would.
///
/// # Errors
/// When it is not JSON; [`DecodeError::TooLarge`] when a node refused to go on.
pub(super) fn read<'de, N: Node<'de>>(
    format: &'static str,
    body: &'de [u8],
    node: N,
) -> Result<N::Found, DecodeError> {
    document_of(format, content::json(body)?, node)
}

/// The same for a body that may be a scalar.
pub(super) fn value<'de, N: Node<'de>>(
    format: &'static str,
    body: &'de [u8],
    node: N,
) -> Result<N::Found, DecodeError> {
    match content::json(body) {
        // what no document begins with may be read as a word or a number alone
        Err(DecodeError::NotJson) => {
            let read = Reader::new(body).only(At(node));
            read.map_err(|_| DecodeError::NotJson)
        }
        text => document_of(format, text?, node),
    }
}

fn document_of<'de, N: Node<'de>>(
    format: &'static str,
    text: &'de [u8],
    node: N,
) -> Result<N::Found, DecodeError> {
    let mut reader = Reader::new(text);
    reader.only(At(node)).map_err(|stop| match stop {
        Stop::Refused => DecodeError::TooLarge { format },
        Stop::Syntax if reader.is_text() => DecodeError::Syntax,
        Stop::Syntax => DecodeError::NotUtf8,
    })
}

/// The text of `body` as a strict parser takes it, all of which is JSON, so that values in it can be
/// read one by one, by [`part`].
///
/// # Errors
/// When it is not JSON.
pub(super) fn text(body: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    let text = std::str::from_utf8(content::json(body)?).map_err(|_| DecodeError::NotUtf8)?;
    let mut reader = Reader::of_text(text);
    let read = reader.only(PhantomData::<IgnoredAny>);
    read.map_err(|_| DecodeError::Syntax)?;
    if reader.is_strict() {
        return Ok(Cow::Borrowed(text));
    }
    let rewritten = lenient::rewrite(text.as_bytes()).map(String::from_utf8);
    match rewritten {
        Some(rewritten) => Ok(Cow::Owned(rewritten.map_err(|_| DecodeError::NotUtf8)?)),
        None => Ok(Cow::Borrowed(text)),
    }
}

/// Reads a value that stands in such a text.
///
/// # Errors
/// When a node refused to go on.
pub(super) fn part<'de, N: Node<'de>>(value: &'de str, node: N) -> Result<N::Found, Stop> {
    Reader::of_text(value).only(At(node))
}

/// Steps over what is left of a list, at once.
pub(super) fn skip_elements<'de, A: SeqAccess<'de>>(list: &mut A) -> Result<(), A::Error> {
    list.next_element_seed(Rest(reader::ELEMENTS)).map(drop)
}

/// Steps over what is left of an object, at once.
fn skip_fields<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    object.next_key_seed(Rest(reader::FIELDS)).map(drop)
}

/// All that is left, by the name that the reader knows.
struct Rest(&'static str);

impl<'de> DeserializeSeed<'de> for Rest {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_unit_struct(self.0, IgnoredAny).map(drop)
    }
}

/// A node as serde wants it.
pub(super) struct At<N>(pub(super) N);

impl<'de, N: Node<'de>> DeserializeSeed<'de> for At<N> {
    type Value = N::Found;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<N::Found, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, N: Node<'de>> Visitor<'de> for At<N> {
    type Value = N::Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<N::Found, E> {
        Ok(self.0.leaf(Leaf::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<N::Found, E> {
        Ok(self.0.leaf(Leaf::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<N::Found, E> {
        Ok(self.0.leaf(Leaf::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<N::Found, E> {
        Ok(self.0.leaf(match i64::try_from(value) {
            Ok(value) => Leaf::Integer(value),
            Err(_) => Leaf::Large(value),
        }))
    }

    fn visit_f64<E>(self, value: f64) -> Result<N::Found, E> {
        Ok(self.0.leaf(Leaf::Real(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<N::Found, E> {
        Ok(self.0.leaf(Leaf::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<N::Found, A::Error> {
        self.0.list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<N::Found, A::Error> {
        self.0.object(object)
    }
}

/// A place in a list that takes the numbers there one after the other.
pub(super) trait Numbers<'de>: Node<'de, Found = ()> {
    /// One of them; infinite where it is beyond the largest.
    fn number(&mut self, number: f64);
}

/// Reads the next element of a list, and with a number all numbers that follow it; `false`: there is none.
#[inline]
pub(super) fn next_numbers<'de, A: SeqAccess<'de>, N: Numbers<'de>>(
    list: &mut A,
    node: N,
) -> Result<bool, A::Error> {
    Ok(list.next_element_seed(Run(node))?.is_some())
}

/// Such a place as serde wants it.
struct Run<N>(N);

impl<'de, N: Numbers<'de>> DeserializeSeed<'de> for Run<N> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_newtype_struct(reader::NUMBERS, self)
    }
}

impl<'de, N: Numbers<'de>> Visitor<'de> for Run<N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut numbers: A) -> Result<(), A::Error> {
        // what `next_element` does, which is not always inlined
        while let Some(number) = numbers.next_element_seed(PhantomData)? {
            self.0.number(number);
        }
        Ok(())
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        At(self.0).deserialize(json)
    }
}

/// The name of a field, borrowed unless it has escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// A scalar, or what was skipped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leaf<'a> {
    Null,
    Bool(bool),
    /// Written without fraction and exponent.
    Integer(i64),
    /// The same of 2^63 and more, below 2^64.
    Large(u64),
    Real(f64),
    Text(&'a str),
    List,
    Object,
}

impl Leaf<'_> {
    /// A number, also from a string that is one; may be infinite.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "features are floats")]
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Leaf::Integer(value) => Some(value as f64),
            Leaf::Large(value) => Some(value as f64),
            Leaf::Real(value) => Some(value),
            Leaf::Text(text) => number(text),
            Leaf::Null | Leaf::Bool(_) | Leaf::List | Leaf::Object => None,
        }
    }

    /// The value of a feature; `None` for lists and objects.
    pub(super) fn scalar(self) -> Option<Scalar> {
        if let Some(number) = self.number() {
            let finite = number.is_finite().then_some(Scalar::Number(number));
            return Some(finite.unwrap_or(Scalar::Missing));
        }
        match self {
            // The words are what protocol buffers write in JSON for what is no finite number.
            Leaf::Null | Leaf::Text("NaN" | "Infinity" | "-Infinity") => Some(Scalar::Missing),
            Leaf::Bool(value) => Some(Scalar::Bool(value)),
            Leaf::Text(text) => Some(Scalar::Text(text.into())),
            Leaf::Integer(_) | Leaf::Large(_) | Leaf::Real(_) | Leaf::List | Leaf::Object => None,
        }
    }

    /// A name or version: a string that is not empty, cut, or a number as written.
    pub(super) fn word(self) -> Option<String> {
        match self {
            Leaf::Text(text) => word(text),
            Leaf::Integer(value) => Some(value.to_string()),
            Leaf::Large(value) => Some(value.to_string()),
            // `1.0` is the version "1.0", not "1".
            Leaf::Real(value) => Some(format!("{value:?}")),
            Leaf::Null | Leaf::Bool(_) | Leaf::List | Leaf::Object => None,
        }
    }
}

/// The place of a name or version.
pub(super) struct Word;

impl Node<'_> for Word {
    type Found = Option<String>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<String> {
        leaf.word()
    }
}

/// The place of a number; may be infinite.
pub(super) struct Number;

impl Node<'_> for Number {
    type Found = Option<f64>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<f64> {
        leaf.number()
    }
}

/// `text` as a number, if it is written like one: `007` is a code and `inf` a word.
fn number(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    if !matches!(text.as_bytes().first()?, b'-' | b'.' | b'0'..=b'9') {
        return None;
    }
    if let Some(whole) = whole(text.as_bytes()) {
        return Some(whole);
    }
    let mut digits = text.bytes().skip_while(|b| *b == b'-');
    let starts = match (digits.next()?, digits.next()) {
        (b'0', next) => !next.is_some_and(|b| b.is_ascii_digit()),
        (first, _) => first.is_ascii_digit() || first == b'.',
    };
    starts.then(|| text.parse().ok()).flatten()
}

/// The number that a few digits are.
fn whole(text: &[u8]) -> Option<f64> {
    if text.len() > 9 || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    let digit = |value: u32, byte: &u8| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u32::from(byte - b'0'))
    };
    text.iter().try_fold(0, digit).map(f64::from)
}

/// `text` cut to [`Inference::MAX_WORD`] bytes between two characters; `None` when empty.
pub(super) fn word(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| cut(text).to_owned())
}

/// The start of `text`, at most [`Inference::MAX_WORD`] bytes, whole characters.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(Inference::MAX_WORD)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_written_like_a_number_is_one() {
        for (text, value) in [
            ("5.1", 5.1),
            (" -0.5e-3 ", -0.0005),
            ("0", 0.0),
            ("0.93", 0.93),
            (".5", 0.5),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ] {
            assert_eq!(Leaf::Text(text).number(), Some(value), "{text}");
        }
        for text in [
            "", "-", ".", "007", "-01", "+5", "--5", "5 1", "1_000", "0x10", "93%", "5,1", "inf",
            "nan", "NaN", "e5", "5e", "½",
        ] {
            assert_eq!(Leaf::Text(text).number(), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_missing() {
        for leaf in [
            Leaf::Null,
            Leaf::Text("NaN"),
            Leaf::Text("-Infinity"),
            Leaf::Text("1e999"),
        ] {
            assert_eq!(leaf.scalar(), Some(Scalar::Missing), "{leaf:?}");
        }
        assert_eq!(Leaf::Bool(true).scalar(), Some(Scalar::Bool(true)));
        assert_eq!(Leaf::Text("").scalar(), Some(Scalar::Text("".into())));
        assert_eq!(Leaf::List.scalar(), None);
    }

    #[test]
    fn a_version_is_a_word_or_a_number_as_written() {
        let words = [
            Leaf::Text("1.0.0"),
            Leaf::Integer(3),
            Leaf::Real(1.0),
            Leaf::Text(""),
            Leaf::Null,
            Leaf::Object,
        ];
        assert_eq!(
            words.map(Leaf::word),
            [
                Some("1.0.0".to_owned()),
                Some("3".to_owned()),
                Some("1.0".to_owned()),
                None,
                None,
                None
            ]
        );
    }

    /// Finds nothing, looks into nothing.
    #[derive(Clone, Copy)]
    struct Skip;

    impl Node<'_> for Skip {
        type Found = ();

        fn leaf(self, _: Leaf<'_>) {}
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = "[".repeat(2_000_000);
        assert_eq!(read("x", deep.as_bytes(), Skip), Err(DecodeError::Syntax));
        let closed = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(read("x", closed.as_bytes(), Skip), Ok(()));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(500_000), "}".repeat(500_000));
        assert_eq!(read("x", objects.as_bytes(), Skip), Ok(()));
    }

    #[test]
    fn all_of_the_body_is_one_document() {
        assert_eq!(read("x", b"{} \n", Skip), Ok(()));
        assert_eq!(read("x", b"{}{}", Skip), Err(DecodeError::Syntax));
    }

    #[test]
    fn bytes_that_are_no_text_matter_only_where_they_are_read() {
        assert_eq!(read("x", b"[\"\xff\"]", Skip), Ok(()));
        assert_eq!(read("x", b"[\"\xff\"", Skip), Err(DecodeError::NotUtf8));
    }
}
