//! Numbers that stand next to each other in a list: most of what models are asked is that.

use serde::de::{DeserializeSeed, IntoDeserializer, SeqAccess};

use super::{Reader, Stop};

/// Numbers of a list from the next one, which is there, up to what is none.
pub(super) struct Run<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl<'a, 'de> Run<'a, 'de> {
    pub(super) fn of(reader: &'a mut Reader<'de>) -> Self {
        Self {
            reader,
            is_first: true,
        }
    }
}

impl<'de> SeqAccess<'de> for Run<'_, 'de> {
    type Error = Stop;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if !std::mem::take(&mut self.is_first) && !self.reader.goes_on() {
            return Ok(None);
        }
        let number = self.reader.float()?;
        seed.deserialize(number.into_deserializer()).map(Some)
    }
}

impl Reader<'_> {
    /// Steps over a comma, if a number follows it.
    #[inline]
    fn goes_on(&mut self) -> bool {
        let next = match self.bytes.get(self.at..) {
            // as Python writes it, and as others do
            Some([b',', b' ', next, ..]) => (next, 2),
            Some([b',', next, ..]) => (next, 1),
            _ => return false,
        };
        let is_number = matches!(next.0, b'0'..=b'9' | b'-');
        self.at += if is_number { next.1 } else { 0 };
        is_number
    }
}
