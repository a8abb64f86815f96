//! Text that may be used and never shown.

use std::{fmt, ops::Deref};

use serde::Deserialize;

/// A token or key. `Debug` prints `***`, and it has no `Display`: it cannot reach a log by accident.
///
/// An `Option<Secret>` gives an `Option<&str>` by `as_deref`. Compare it in constant time.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Deref for Secret {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_and_can_be_used() {
        let token = Some(Secret::from("hunter2"));
        assert_eq!(format!("{token:?}"), "Some(***)");
        assert_eq!(token.as_deref(), Some("hunter2"));
    }
}
