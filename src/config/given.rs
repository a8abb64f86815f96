//! A secret that is written where it is used, or stands in a file of its own.

use std::{fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::Secret;

/// `text`, or `{file: PATH}` with the text of that file, behind `prefix` if there is one.
///
/// Two are equal when file and text are, so a secret that was renewed in place is a change of the
/// configuration. `Debug` shows the path alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    text: Secret,
    from: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    file: PathBuf,
    #[serde(default)]
    prefix: String,
}

impl Given {
    /// The text; empty where its file has not been read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The file that it comes from.
    pub fn file(&self) -> Option<&PathBuf> {
        self.from.as_ref().map(|place| &place.file)
    }

    /// Takes what its file says.
    pub(super) fn take(&mut self, said: &str) {
        let prefix = self.from.as_ref().map_or("", |place| place.prefix.as_str());
        self.text = Secret::from(format!("{prefix}{said}"));
    }
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            from: None,
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file() {
            Some(file) => file.fmt(f),
            None => self.text.fmt(f),
        }
    }
}

const EXPECTED: &str = "a text, or file with a path";

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given::from(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
                let place = Place::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Given {
                    text: Secret::from(""),
                    from: Some(place),
                })
            }
        }

        deserializer.deserialize_any(AsWritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_used_and_not_shown() {
        let written = Given::from("hunter2");
        assert_eq!(
            (written.as_str(), written.file(), format!("{written:?}")),
            ("hunter2", None, "***".to_owned())
        );
        let mut read: Given =
            serde_json::from_str(r#"{"file": "/run/key", "prefix": "Bearer "}"#).unwrap();
        read.take("hunter2");
        assert_eq!(read.as_str(), "Bearer hunter2");
        assert_eq!(format!("{read:?}"), "\"/run/key\"");
        let before = read.clone();
        read.take("hunter3");
        assert_ne!(read, before);
    }
}
