//! Values that must not stand in a log: a keyed hash in their place still tells equal from
//! different, and nobody without the key can try out values.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::decode::Inference;

/// Bytes of the hash that are shown: enough to tell values apart, too few to be in the way.
const SHOWN: usize = 8;

/// The names whose values are hidden, and the key.
pub(super) struct Redact {
    names: BTreeSet<String>,
    keyed: Option<Hmac<Sha256>>,
}

impl Redact {
    /// `key`: any number of bytes.
    pub(super) fn new(names: &[String], key: &[u8]) -> Self {
        Self {
            // as column names are
            names: names
                .iter()
                .map(|name| name[..name.floor_char_boundary(Inference::MAX_WORD)].to_owned())
                .collect(),
            // a key of any length is taken; were it not, values would be hidden altogether
            keyed: Hmac::new_from_slice(key).ok(),
        }
    }

    /// Whether values of `name` are hidden.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// `value` as it is, or the hash in its place where values of `name` are hidden.
    pub(super) fn shown<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        if self.covers(name) {
            Cow::Owned(self.hash(name, value))
        } else {
            Cow::Borrowed(value)
        }
    }

    /// What stands in place of `value`: equal for equal values of one name under one key.
    pub(super) fn hash(&self, name: &str, value: &str) -> String {
        let mut text = "hmac:".to_owned();
        if let Some(mut mac) = self.keyed.clone() {
            mac.update(name.as_bytes());
            mac.update(b"\0");
            mac.update(value.as_bytes());
            for byte in &mac.finalize().into_bytes()[..SHOWN] {
                // writing to a string does not fail
                let _ = write!(text, "{byte:02x}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_values_names_and_keys_apart() {
        let redact = Redact::new(&["age".to_owned()], b"key");
        assert!(redact.covers("age") && !redact.covers("name"));
        let hash = redact.hash("age", "41");
        assert_eq!(hash, redact.hash("age", "41"));
        assert_eq!(hash.len(), "hmac:".len() + 2 * SHOWN);
        assert_ne!(hash, redact.hash("age", "42"));
        assert_ne!(hash, redact.hash("year", "41"));
        assert_ne!(hash, Redact::new(&[], b"other").hash("age", "41"));
    }

    #[test]
    fn it_is_hmac_sha256_over_name_nul_value() {
        // python: hmac.new(b"key", b"age\0" + b"41", "sha256").hexdigest()[:16]
        assert_eq!(Redact::new(&[], b"key").hash("age", "41"), EXPECTED);
    }

    const EXPECTED: &str = "hmac:acf9e7b8b1af020f";
}
