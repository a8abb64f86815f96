//! JSON as Python reads and writes it, from bytes of strangers, value by value.
//!
//! Beyond the standard: `NaN`, `Infinity`, `-Infinity` and numbers beyond the largest float are
//! `null`, and half a surrogate pair is the replacement character. One pass does what a strict
//! parser took three for: the refusal, the text written anew, and that read.
//!
//! Of its own because serde's usual parser of JSON takes 60 instructions for each element of a list, and
//! `0,` are two bytes.

mod number;
mod run;
mod skip;
mod string;

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

use self::{number::Number, run::Run};

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    /// It is no JSON.
    #[error("not JSON")]
    Syntax,
    /// Who reads wants no more of it, or another type.
    #[error("refused")]
    Refused,
}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }
}

/// The name of a unit that is all elements that are left of a list.
pub(super) const ELEMENTS: &str = "all elements that are left";
/// The same of the fields of an object, before a name.
pub(super) const FIELDS: &str = "all fields that are left";
/// The name of a type that is one value of a list, or a list of all numbers that stand next to each
/// other from here on.
pub(super) const NUMBERS: &str = "numbers next to each other";

/// A text, and how far it has been read. Nothing of it costs stack.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    bytes: &'de [u8],
    /// The same, where all of it is UTF-8: to see that once takes a tenth of seeing it of each string.
    text: Option<&'de str>,
    at: usize,
    /// Nothing beyond the standard was met in what has been read.
    is_strict: bool,
    /// The last string with escapes, without them.
    unescaped: String,
    /// What is open of a value that is stepped over.
    open: Vec<u8>,
}

impl<'de> Reader<'de> {
    /// From the start of `bytes`.
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self {
            bytes,
            text: std::str::from_utf8(bytes).ok(),
            at: 0,
            is_strict: true,
            unescaped: String::new(),
            open: Vec::new(),
        }
    }

    /// From the start of `text`.
    pub(super) fn of_text(text: &'de str) -> Self {
        Self {
            bytes: text.as_bytes(),
            text: Some(text),
            at: 0,
            is_strict: true,
            unescaped: String::new(),
            open: Vec::new(),
        }
    }

    /// Whether all bytes are UTF-8, read or not.
    pub(super) fn is_text(&self) -> bool {
        self.text.is_some()
    }

    /// Whether nothing beyond the standard has been met.
    pub(super) fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// The only value of the text.
    pub(super) fn only<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let value = seed.deserialize(&mut *self)?;
        match self.peek() {
            Err(_) => Ok(value),
            Ok(_) => Err(Stop::Syntax),
        }
    }

    /// What has not been read.
    #[inline]
    fn rest(&self) -> &'de [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Goes on at `rest`, which is an end of the text.
    #[inline]
    fn go_to(&mut self, rest: &[u8]) {
        self.at = self.bytes.len() - rest.len();
    }

    /// The next byte that is no space.
    #[inline]
    fn peek(&mut self) -> Result<u8, Stop> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(Stop::Syntax)
    }

    /// Steps over `byte`, which must be next.
    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek()? != byte {
            return Err(Stop::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    /// Steps over `word`, which must stand here.
    fn word(&mut self, word: &[u8]) -> Result<(), Stop> {
        if !self.rest().starts_with(word) {
            return Err(Stop::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    /// The same of one that only Python knows.
    fn loose_word(&mut self, word: &[u8]) -> Result<(), Stop> {
        self.is_strict = false;
        self.word(word)
    }

    fn slice(&self, start: usize, end: usize) -> Result<&'de str, Stop> {
        if let Some(text) = self.text {
            return text.get(start..end).ok_or(Stop::Syntax);
        }
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| Stop::Syntax)
    }
}

/// Reads `bytes`, which must be one value and nothing else.
pub(super) fn parsed<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Stop> {
    Reader::new(bytes).only(std::marker::PhantomData)
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Stop;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let byte = self.peek()?;
        if byte.is_ascii_digit()
            && let Some(value) = self.short_number()
        {
            return visitor.visit_u64(value);
        }
        match byte {
            b'0'..=b'9' | b'-' => match self.number()? {
                Number::Unsigned(value) => visitor.visit_u64(value),
                Number::Signed(value) => visitor.visit_i64(value),
                Number::Real(value) => visitor.visit_f64(value),
                Number::Infinite => visitor.visit_unit(),
            },
            b'"' => match self.string()? {
                Some(text) => visitor.visit_borrowed_str(text),
                None => visitor.visit_str(&self.unescaped),
            },
            b'[' => {
                self.at += 1;
                let found = visitor.visit_seq(List::of(self))?;
                self.expect(b']')?;
                Ok(found)
            }
            b'{' => {
                self.at += 1;
                let found = visitor.visit_map(Object::of(self))?;
                self.expect(b'}')?;
                Ok(found)
            }
            _ => match self.constant(byte)? {
                Some(value) => visitor.visit_bool(value),
                None => visitor.visit_unit(),
            },
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match name {
            ELEMENTS => self.skip_elements()?,
            FIELDS => self.skip_fields()?,
            _ => return self.deserialize_any(visitor),
        }
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let byte = self.peek()?;
        if matches!(byte, b'n' | b'N' | b'I') {
            self.constant(byte)?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        if name == NUMBERS && matches!(self.peek()?, b'0'..=b'9' | b'-') {
            return visitor.visit_seq(Run::of(self));
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        seq tuple tuple_struct map struct enum identifier
    }
}

impl Reader<'_> {
    /// A truth value, or what is none.
    fn constant(&mut self, first: u8) -> Result<Option<bool>, Stop> {
        match first {
            b't' => self.word(b"true").map(|()| Some(true)),
            b'f' => self.word(b"false").map(|()| Some(false)),
            b'n' => self.word(b"null").map(|()| None),
            b'N' => self.loose_word(b"NaN").map(|()| None),
            b'I' => self.loose_word(b"Infinity").map(|()| None),
            _ => Err(Stop::Syntax),
        }
    }
}

/// The elements of a list, up to its end.
struct List<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl<'a, 'de> List<'a, 'de> {
    fn of(reader: &'a mut Reader<'de>) -> Self {
        Self {
            reader,
            is_first: true,
        }
    }
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        match self.reader.peek()? {
            b']' => return Ok(None),
            b',' if !self.is_first => self.reader.at += 1,
            _ if self.is_first => self.is_first = false,
            _ => return Err(Stop::Syntax),
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

/// The fields of an object, up to its end.
struct Object<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl<'a, 'de> Object<'a, 'de> {
    fn of(reader: &'a mut Reader<'de>) -> Self {
        Self {
            reader,
            is_first: true,
        }
    }
}

impl<'de> MapAccess<'de> for Object<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        match self.reader.peek()? {
            b'}' => return Ok(None),
            b',' if !self.is_first => self.reader.at += 1,
            _ if self.is_first => self.is_first = false,
            _ => return Err(Stop::Syntax),
        }
        if self.reader.peek()? != b'"' {
            return Err(Stop::Syntax);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests;
