//! What does not fit a struct, with its path and what was expected.

use std::fmt;

use serde::de;

use super::tree::{Found, Node, Step};

/// One thing that does not fit, and where.
#[derive(Debug)]
pub(super) struct Misfit {
    /// From the leaf to the root while it travels up; turned round by [`Misfit::path`].
    reversed: Vec<Step>,
    pub(super) why: Why,
}

/// In which way.
#[derive(Debug)]
pub(super) enum Why {
    /// No such key; those that there are.
    Unknown(&'static [&'static str]),
    /// The key has to be there and is not.
    Missing,
    /// What was expected and found.
    Unfit(String),
}

impl Misfit {
    /// The path, from the root.
    pub(super) fn path(&self) -> Vec<Step> {
        self.reversed.iter().rev().cloned().collect()
    }

    pub(super) fn expected(what: &str, found: &Node) -> Self {
        de::Error::custom(format_args!(
            "expected {what}, found {}",
            Found(&found.value)
        ))
    }

    /// One step up, from `node`. Says what was found where so far only the expectation is said.
    pub(super) fn below(mut self, step: Step, node: &Node) -> Self {
        if let Why::Unfit(text) = &mut self.why
            && self.reversed.is_empty()
            && !text.contains(", found ")
        {
            *text = format!("{text}, found {}", Found(&node.value));
        }
        self.reversed.push(step);
        self
    }
}

impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.why)
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            reversed: Vec::new(),
            why: Why::Unfit(message.to_string()),
        }
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("expected {}", one_of(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            reversed: vec![Step::Key(field.to_owned())],
            why: Why::Unknown(expected),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            reversed: vec![Step::Key(field.to_owned())],
            why: Why::Missing,
        }
    }
}

/// `one, separate or off`
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.join(""),
    }
}
