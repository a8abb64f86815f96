//! Fields of messages that may have another type than expected, which then costs that field alone.

use std::marker::PhantomData;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, SeqAccess},
};

use super::super::walk::{At, Leaf, Node, skip_elements};

/// Most entries of a list that are kept: nobody asks for more texts at once.
pub(super) const FEW: usize = 32;

/// A text, or nothing.
pub(super) fn text<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    At(Text).deserialize(json)
}

#[derive(Clone, Copy)]
struct Text;

impl Node<'_> for Text {
    type Found = Option<String>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<String> {
        match leaf {
            Leaf::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

/// A number of things, or nothing.
pub(super) fn count<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u64>, D::Error> {
    At(Count).deserialize(json)
}

#[derive(Clone, Copy)]
struct Count;

impl Node<'_> for Count {
    type Found = Option<u64>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<u64> {
        match leaf {
            Leaf::Integer(number) => u64::try_from(number).ok(),
            Leaf::Large(number) => Some(number),
            _ => None,
        }
    }
}

/// A text, or a list of nothing but texts.
pub(super) fn texts<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Vec<String>>, D::Error> {
    At(Texts).deserialize(json)
}

struct Texts;

impl<'de> Node<'de> for Texts {
    type Found = Option<Vec<String>>;

    fn leaf(self, leaf: Leaf<'_>) -> Self::Found {
        Text.leaf(leaf).map(|text| vec![text])
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let mut texts = Vec::new();
        let mut are_texts = true;
        while let Some(text) = list.next_element_seed(At(Text))? {
            match text {
                Some(text) if texts.len() < FEW => texts.push(text),
                Some(_) => {}
                None => are_texts = false,
            }
        }
        Ok((are_texts && !texts.is_empty()).then_some(texts))
    }
}

/// The first [`FEW`] entries of a list; `None`: it is no list.
pub(super) fn few<'de, D, T>(json: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    At(Few(PhantomData)).deserialize(json)
}

struct Few<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Node<'de> for Few<T> {
    type Found = Option<Vec<T>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let mut few = Vec::new();
        while few.len() < FEW {
            match list.next_element()? {
                Some(entry) => few.push(entry),
                None => return Ok(Some(few)),
            }
        }
        skip_elements(&mut list)?;
        Ok(Some(few))
    }
}
