//! Messages of gRPC in a body: a flag, four bytes of length, and as many bytes.

use std::borrow::Cow;

use super::super::{DecodeError, content};

/// The messages of a body, each without its own compression. Nothing follows a failure.
pub(in super::super) struct Frames<'a> {
    rest: &'a [u8],
    codings: content::Messages<'a>,
}

impl<'a> Frames<'a> {
    pub(in super::super) fn of(body: &'a [u8], codings: content::Messages<'a>) -> Self {
        Self {
            rest: body,
            codings,
        }
    }

    fn read(&mut self) -> Result<Cow<'a, [u8]>, DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Syntax)?;
        let [flag, len @ ..]: [u8; 5] = *head;
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        let (message, rest) = rest.split_at_checked(len).ok_or(DecodeError::Syntax)?;
        self.rest = rest;
        match flag {
            0 => Ok(Cow::Borrowed(message)),
            1 => self.codings.inflate(message).map(Cow::Owned),
            _ => Err(DecodeError::Syntax),
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Cow<'a, [u8]>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.read();
        if message.is_err() {
            self.rest = &[];
        }
        Some(message)
    }
}
