//! Numbers that stand next to each other in a list: most of what models are asked is that.

use serde::de::{DeserializeSeed, IntoDeserializer, SeqAccess};

use super::{Reader, Stop, number::short_float};

/// Numbers of a list from the next one, which is there, up to what is none.
pub(super) struct Run<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// What the reader has not read: it knows when the run is over.
    rest: &'de [u8],
    is_first: bool,
}

impl<'a, 'de> Run<'a, 'de> {
    pub(super) fn of(reader: &'a mut Reader<'de>) -> Self {
        Self {
            rest: reader.rest(),
            reader,
            is_first: true,
        }
    }

    /// Steps over a comma, if a number follows it.
    #[inline]
    fn goes_on(&mut self) -> bool {
        let [b',', next @ ..] = self.rest else {
            return false;
        };
        // as Python writes it, and as others do
        let ([b' ', next @ ..] | next) = next;
        let is_number = matches!(next.first(), Some(b'0'..=b'9' | b'-'));
        if is_number {
            self.rest = next;
        }
        is_number
    }

    /// One that takes more than a look.
    #[cold]
    fn long(&mut self) -> Result<f64, Stop> {
        self.reader.go_to(self.rest);
        let number = self.reader.long_float()?;
        self.rest = self.reader.rest();
        Ok(number)
    }
}

impl<'de> SeqAccess<'de> for Run<'_, 'de> {
    type Error = Stop;

    #[expect(
        clippy::inline_always,
        reason = "a call for each number is a quarter of what it costs"
    )]
    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if !std::mem::take(&mut self.is_first) && !self.goes_on() {
            self.reader.go_to(self.rest);
            return Ok(None);
        }
        let number = if let Some((number, rest)) = short_float(self.rest) {
            self.rest = rest;
            number
        } else {
            self.long()?
        };
        seed.deserialize(number.into_deserializer()).map(Some)
    }
}
