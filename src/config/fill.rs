//! A tree into the structs, by serde, with the path of what does not fit.
//!
//! Scalars are text until a field takes them, so the expectation named in an error is that of the
//! field.

use serde::{
    Deserialize,
    de::{self, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use super::{
    error::Origin,
    misfit::{Misfit, one_of},
    tree::{Node, Step, Value},
};

/// Reads a `T` from `node`.
///
/// # Errors
/// The first thing that does not fit.
pub(super) fn fill<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, Misfit> {
    T::deserialize(Filler(node))
}

struct Filler<'de>(&'de Node);

impl Filler<'_> {
    fn scalar<T>(self, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Misfit> {
        match &self.0.value {
            Value::Text(text) => parse(text.trim()),
            _ => None,
        }
        .ok_or_else(|| Misfit::expected(what, self.0))
    }
}

impl<'de> de::Deserializer<'de> for Filler<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let node = self.0;
        match &node.value {
            Value::Null => visitor.visit_unit(),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, index: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries {
                entries,
                next: None,
            }),
            Value::Refused => Err(Misfit::expected("a value", node)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_bool(self.scalar("true or false", |text| text.parse().ok())?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let number = self.scalar("a whole number", |text| text.parse().ok())?;
        visitor.visit_u64(number)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let finite = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
        visitor.visit_f64(self.scalar("a number", finite)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            _ => Err(Misfit::expected("a text", self.0)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::Null => visitor.visit_none(),
            // a variable cannot hold anything but text
            Value::Text(text) if text == "null" && is_spelled(self.0) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::List(items) => visitor.visit_seq(Items { items, index: 0 }),
            _ => Err(Misfit::expected("a list", self.0)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::Map(entries) => visitor.visit_map(Entries {
                entries,
                next: None,
            }),
            _ => Err(Misfit::expected("keys with values", self.0)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(Misfit::expected(&one_of(variants), self.0)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct map identifier ignored_any
    }
}

/// Whether it is text because it could be nothing else.
fn is_spelled(node: &Node) -> bool {
    matches!(node.origin, Origin::Env(_) | Origin::Flag(_))
}

struct Items<'de> {
    items: &'de [Node],
    index: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        while let Some(node) = self.items.get(self.index) {
            let index = self.index;
            self.index += 1;
            if node.value != Value::Refused {
                let item = seed.deserialize(Filler(node));
                return item
                    .map(Some)
                    .map_err(|misfit| misfit.below(Step::Index(index), node));
            }
        }
        Ok(None)
    }
}

struct Entries<'de> {
    entries: &'de [(String, Node)],
    next: Option<&'de (String, Node)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let left = self
            .entries
            .iter()
            .position(|(_, node)| node.value != Value::Refused);
        let Some(at) = left else {
            return Ok(None);
        };
        let entry = &self.entries[at];
        self.entries = &self.entries[at + 1..];
        self.next = Some(entry);
        seed.deserialize(entry.0.as_str().into_deserializer())
            .map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Misfit> {
        let (name, node) = self
            .next
            .take()
            .ok_or_else(|| de::Error::custom("expected a key"))?;
        seed.deserialize(Filler(node))
            .map_err(|misfit| misfit.below(Step::Key(name.clone()), node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{tree::Shown, yaml};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        text: String,
        whole: usize,
        number: f64,
        yes: bool,
        maybe: Option<String>,
        list: Vec<String>,
        word: Word,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        One,
        Separate,
        Off,
    }

    const GOOD: &str =
        "{text: 1.10, whole: 5, number: 1, yes: true, maybe: null, list: [1, b], word: off}";

    fn read(text: &str) -> Result<Sample, String> {
        let node = yaml::read(text, "f", &mut Vec::new()).unwrap();
        fill(&node).map_err(|misfit: Misfit| format!("{}: {:?}", Shown(&misfit.path()), misfit.why))
    }

    #[test]
    fn a_field_decides_what_its_text_is() {
        let expected = Sample {
            text: "1.10".to_owned(),
            whole: 5,
            number: 1.0,
            yes: true,
            maybe: None,
            list: vec!["1".to_owned(), "b".to_owned()],
            word: Word::Off,
        };
        assert_eq!(read(GOOD), Ok(expected));
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_path_and_expectation() {
        for (good, bad, error) in [
            (
                "whole: 5",
                "whole: -5",
                "whole: Unfit(\"expected a whole number, found \\\"-5\\\"\")",
            ),
            (
                "whole: 5",
                "whole: [5]",
                "whole: Unfit(\"expected a whole number, found a list\")",
            ),
            ("number: 1", "number: .nan", "number: Unfit"),
            ("number: 1", "number: inf", "number: Unfit"),
            (
                "yes: true",
                "yes: yes",
                "yes: Unfit(\"expected true or false",
            ),
            (
                "[1, b]",
                "[1, [b]]",
                "list[1]: Unfit(\"expected a text, found a list\")",
            ),
            (
                "[1, b]",
                "{a: b}",
                "list: Unfit(\"expected a list, found keys with values\")",
            ),
            (
                "word: off",
                "word: on",
                "word: Unfit(\"expected one, separate or off, found",
            ),
            (
                "word: off",
                "word: null",
                "word: Unfit(\"expected one, separate or off, found nothing",
            ),
            ("text: 1.10, ", "", "text: Missing"),
            ("whole", "hole", "hole: Unknown([\"text\", \"whole\""),
        ] {
            let found = read(&GOOD.replace(good, bad)).expect_err(bad);
            assert!(found.starts_with(error), "{found}\n{error}");
        }
    }
}
