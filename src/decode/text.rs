//! A text that takes no more room than two numbers.

use std::{borrow::Cow, fmt, hash, ops::Deref};

/// A class or a value: the short ones lie in place, for of these a body of a few bytes can have most.
#[derive(Clone)]
pub struct Text(Kept);

#[derive(Clone)]
enum Kept {
    Short(Length, [u8; SHORT]),
    /// In a box, as a string takes three words.
    #[expect(clippy::box_collection, reason = "what is around it is to be small")]
    Long(Box<String>),
}

/// Longest text in bytes that lies in place.
const SHORT: usize = 15;

/// Bytes of a short text. It has room left to say what else stands in its place.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Length {
    L0,
    L1,
    L2,
    L3,
    L4,
    L5,
    L6,
    L7,
    L8,
    L9,
    L10,
    L11,
    L12,
    L13,
    L14,
    L15,
}

impl Length {
    #[rustfmt::skip]
    const ALL: [Self; SHORT + 1] = [
        Self::L0, Self::L1, Self::L2, Self::L3, Self::L4, Self::L5, Self::L6, Self::L7,
        Self::L8, Self::L9, Self::L10, Self::L11, Self::L12, Self::L13, Self::L14, Self::L15,
    ];
}

impl Text {
    /// Where it is short.
    #[inline]
    fn short(text: &str) -> Option<Self> {
        let length = *Length::ALL.get(text.len())?;
        let mut bytes = [0; SHORT];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self(Kept::Short(length, bytes)))
    }

    /// One behind the other.
    pub(super) fn joined(parts: [&str; 2]) -> Self {
        let [one, other] = parts.map(str::len);
        match Length::ALL.get(one + other) {
            Some(length) => {
                let mut bytes = [0; SHORT];
                bytes[..one].copy_from_slice(parts[0].as_bytes());
                bytes[one..one + other].copy_from_slice(parts[1].as_bytes());
                Self(Kept::Short(*length, bytes))
            }
            None => Self(Kept::Long(Box::new(parts.concat()))),
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // it was a text before it was put there
            Kept::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Kept::Long(text) => text,
        }
    }

    /// Its bytes, which cost no look at what they are.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Short(length, bytes) => &bytes[..*length as usize],
            Kept::Long(text) => text.as_bytes(),
        }
    }

    /// Bytes on the heap.
    pub fn held_bytes(&self) -> usize {
        match &self.0 {
            Kept::Short(..) => 0,
            Kept::Long(text) => size_of::<String>() + text.capacity(),
        }
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(text: &str) -> Self {
        Self::short(text).unwrap_or_else(|| Self(Kept::Long(Box::new(text.to_owned()))))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::short(&text).unwrap_or_else(|| Self(Kept::Long(Box::new(text))))
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl hash::Hash for Text {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Output, Prediction, Scalar};

    #[test]
    fn a_text_of_any_length_is_what_it_was() {
        for length in 0..40 {
            let text: String = "aé€".chars().cycle().take(length).collect();
            let (lent, given) = (Text::from(text.as_str()), Text::from(text.clone()));
            assert_eq!((&*lent, &*given), (text.as_str(), text.as_str()));
            assert_eq!(lent, given.clone());
            assert_eq!(lent.held_bytes() > 0, text.len() > SHORT, "{text}");
        }
    }

    #[test]
    fn what_holds_a_text_takes_two_words() {
        assert_eq!(size_of::<Scalar>(), 16);
        assert_eq!(size_of::<Prediction>(), 16);
        assert_eq!(size_of::<Output>(), 24);
    }
}
