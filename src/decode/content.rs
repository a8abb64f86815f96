//! Which bytes of a message can be read, and which of those are JSON.

mod brotli;
mod coding;
mod deflate;
#[cfg(test)]
mod samples;
mod zstd;

use std::borrow::Cow;

use super::DecodeError;
use crate::{
    capture::{exchange::Message, tee::End},
    config,
};

/// The whole body of a message, as the application wrote it: its content codings are undone.
///
/// Takes no more memory than a few times what `bounds` let it inflate to, and half a megabyte.
pub(super) fn body<'a>(
    message: &'a Message,
    bounds: &config::Capture,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let Some(copy) = &message.body else {
        return Err(DecodeError::Incomplete);
    };
    if copy.end != End::Complete {
        return Err(DecodeError::Incomplete);
    }
    let mut body = Cow::Borrowed(copy.bytes.as_slice());
    // an answer without content may name the coding that it would have had
    if body.is_empty() || message.content_encoding.is_none() {
        return Ok(body);
    }
    let codings = coding::outermost_first(message.content_encoding.as_deref())?;
    let bound = Bound::of(copy.bytes.len(), bounds);
    for coding in codings {
        let inflated = coding.undo(&body, bound.bytes);
        body = Cow::Owned(inflated.map_err(|stop| bound.error(stop))?);
    }
    Ok(body)
}

/// The codings of messages of gRPC, each of which is encoded by itself or not at all.
///
/// All of a body may together inflate to what a body may that is encoded as a whole.
pub(super) struct Messages<'a> {
    coding: Option<&'a str>,
    bound: Bound,
    /// Messages that may still be inflated.
    parts: usize,
}

impl<'a> Messages<'a> {
    /// Those of `message`, whose body is `body`.
    pub(super) fn of(message: &'a Message, body: &[u8], bounds: Option<&config::Capture>) -> Self {
        let nothing = Bound {
            bytes: 0,
            reached: DecodeError::InflateLimit,
        };
        Self {
            coding: message.message_encoding.as_deref(),
            bound: bounds.map_or(nothing, |bounds| Bound::of(body.len(), bounds)),
            parts: MAX_PARTS,
        }
    }

    /// The next message that says it is encoded.
    pub(super) fn inflate(&mut self, encoded: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let codings = coding::outermost_first(self.coding)?;
        let ([coding], Some(parts)) = (&codings[..], self.parts.checked_sub(1)) else {
            return Err(DecodeError::ContentEncoding);
        };
        let inflated = coding.undo(encoded, self.bound.bytes);
        let inflated = inflated.map_err(|stop| self.bound.error(stop))?;
        self.bound.bytes -= inflated.len();
        self.parts = parts;
        Ok(inflated)
    }
}

/// Most gzip members or zstd frames of a body: to begin one takes 8 us, and an empty one 20 bytes.
const MAX_PARTS: usize = 256;

/// Why a coding was not undone to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// More comes out than may.
    Bound,
    /// It is no stream of this coding, ends early, or something follows it.
    Broken,
}

/// What one body may inflate to, at each of its codings.
struct Bound {
    bytes: usize,
    reached: DecodeError,
}

impl Bound {
    /// `encoded`: bytes of the body as it passed.
    ///
    /// The ratio counts only above `capture.body_limit`: what could be read without a coding can
    /// be read with one, and a short body of few different values shrinks by any factor.
    fn of(encoded: usize, bounds: &config::Capture) -> Self {
        let by_ratio = encoded.saturating_mul(bounds.inflate_ratio);
        let by_ratio = by_ratio.max(bounds.body_limit);
        if by_ratio < bounds.inflate_limit {
            Self {
                bytes: by_ratio,
                reached: DecodeError::InflateRatio,
            }
        } else {
            Self {
                bytes: bounds.inflate_limit,
                reached: DecodeError::InflateLimit,
            }
        }
    }

    fn error(&self, stop: Stop) -> DecodeError {
        match stop {
            Stop::Bound => self.reached,
            Stop::Broken => DecodeError::InflateBroken,
        }
    }
}

/// The JSON text in a body, without byte order mark and leading space.
///
/// Only the bytes are asked: content types lie (`curl -d` calls JSON a form, some servers call
/// it plain text, some plain text JSON, some say nothing).
pub(super) fn json(body: &[u8]) -> Result<&[u8], DecodeError> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = text.trim_ascii_start();
    match text.first() {
        None => Err(DecodeError::Empty),
        Some(b'{' | b'[') => Ok(text),
        Some(_) => Err(DecodeError::NotJson),
    }
}

#[cfg(test)]
mod tests;
