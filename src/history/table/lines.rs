//! A file of one JSON object a line.

use std::{
    fmt,
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value as Json;

use super::{Input, LONGEST_ROW, TableError, io_error, line_error};

/// Lines that are not empty, one after the other.
pub(super) struct Lines {
    path: PathBuf,
    reader: Input,
    line: u64,
    text: Vec<u8>,
    /// The line that was read last comes again.
    is_again: bool,
}

/// An object with its fields in their order.
pub(super) struct Fields(pub(super) Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields(Vec::new());
                while let Some(entry) = map.next_entry()? {
                    fields.0.push(entry);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Lines {
    pub(super) fn new(path: &Path, reader: Input) -> Self {
        Self {
            path: path.to_owned(),
            reader,
            line: 0,
            text: Vec::new(),
            is_again: false,
        }
    }

    /// Makes the next line the one that was read last, if there was one.
    pub(super) fn again(&mut self) {
        self.is_again = !self.text.is_empty();
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the line that was read last has no end: whoever writes it may not have finished.
    pub(super) fn is_torn(&self) -> bool {
        self.text.last() != Some(&b'\n')
    }

    /// Reads one line; `None`: there is no more. `expected` says what every line should be.
    pub(super) fn next<'a, T: Deserialize<'a>>(
        &'a mut self,
        expected: &str,
    ) -> Result<Option<T>, TableError> {
        if !std::mem::take(&mut self.is_again) && !self.read()? {
            return Ok(None);
        }
        match serde_json::from_slice(&self.text) {
            Ok(found) => Ok(Some(found)),
            // the position that it names is that within the line
            Err(error) => Err(line_error(
                &self.path,
                self.line,
                format!("{expected}: {error}"),
            )),
        }
    }

    /// What was expected of the line that was read last.
    pub(super) fn refused(&self, message: impl Into<String>) -> TableError {
        line_error(&self.path, self.line, message)
    }

    fn read(&mut self) -> Result<bool, TableError> {
        loop {
            self.text.clear();
            self.line += 1;
            let mut bounded = self.reader.by_ref().take(LONGEST_ROW as u64);
            let read = bounded.read_until(b'\n', &mut self.text);
            if read.map_err(|source| io_error(&self.path, source))? == 0 {
                return Ok(false);
            }
            if self.text.len() == LONGEST_ROW {
                return Err(self.refused("expected the end of a line within 16 MiB"));
            }
            if !self.text.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }
}
