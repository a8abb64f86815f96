//! What must hold for any bodies. The fuzz targets call these, and so do tests, with the inputs
//! that fuzzing has kept.

use std::{borrow::Cow, sync::LazyLock};

mod input;
#[cfg(test)]
mod kept;
mod promises;

use self::input::Input;
#[cfg(test)]
pub(super) use self::{input::routes, promises::check};
use super::{DecodeError, content, decode};
use crate::{
    capture::{Exchange, exchange::Message},
    config::{self, Capture},
};

static DEFAULTS: LazyLock<Capture> = LazyLock::new(|| config::defaults().capture);
/// Bounds that inputs of a fuzzer reach.
static BOUNDS: LazyLock<Capture> = LazyLock::new(|| Capture {
    body_limit: 1 << 10,
    inflate_limit: LIMIT,
    ..DEFAULTS.clone()
});

/// Codings that the first byte of an input chooses from; any other value is read from the input.
const CODINGS: [&str; 8] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "zstd, deflate",
    "identity",
    "gzip,gzip,gzip,gzip",
];

/// What a body of many inputs inflates to is more than this, of some more than the ratio.
const LIMIT: usize = 64 << 10;

/// A body under a coding, which the first byte chooses.
///
/// # Panics
/// When more comes out than may, or a limit changes what comes out below it.
pub fn content(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let codings = CODINGS[usize::from(*first) % CODINGS.len()];
    let bounds = &*BOUNDS;
    let mut message = Exchange::example("/", "", "").response;
    message.content_encoding = Some(codings.to_owned());
    if let Some(body) = &mut message.body {
        body.bytes = bytes.to_vec();
    }
    let most = (bytes.len() * bounds.inflate_ratio).clamp(bounds.body_limit, LIMIT);
    match content::body(&message, bounds) {
        Ok(Cow::Borrowed(body)) => assert_eq!(body, bytes),
        Ok(Cow::Owned(body)) => {
            assert!(body.len() <= most);
            if !codings.contains(',') {
                ends_at_its_length(&message, &body, bounds);
            }
        }
        Err(DecodeError::InflateLimit) => assert_eq!(most, LIMIT),
        Err(DecodeError::InflateRatio) => assert!(most < LIMIT),
        Err(error) => assert_eq!(error, DecodeError::InflateBroken),
    }
}

/// `body` comes out with just enough room, and does not with a byte less.
fn ends_at_its_length(message: &Message, body: &[u8], bounds: &Capture) {
    let within = |inflate_limit| Capture {
        inflate_limit,
        ..bounds.clone()
    };
    let exact = content::body(message, &within(body.len()));
    assert_eq!(exact.as_deref(), Ok(body));
    if let Some(less) = body.len().checked_sub(1) {
        let cut = content::body(message, &within(less));
        assert_eq!(cut, Err(DecodeError::InflateLimit));
    }
}

/// What a coded message of gRPC may inflate to beside the bytes of the input, in both bodies.
const INFLATED: usize = 2 * LIMIT;

/// An exchange through every decoder, and through all else that looks into bodies.
///
/// # Panics
/// When what is read breaks a promise of [`Inference`](super::Inference), or holds more than its
/// bodies allow.
pub fn decoders(input: &[u8]) {
    let Some(input) = Input::of(input) else {
        return;
    };
    let exchange = input.exchange();
    let bytes = input.bytes() + if input.is_coded() { INFLATED } else { 0 };
    let read = decode(&exchange, &BOUNDS);
    match &read {
        Ok(inference) => {
            promises::check(inference, bytes);
            promises::agrees(&exchange, inference);
            // a raw tensor of nothing is one row
            assert!(inference.rows <= bytes.max(1) && inference.outputs.len() <= bytes.max(1));
            assert_eq!(read, decode(&exchange, &BOUNDS), "twice the same");
        }
        Err(error) => {
            assert!(!super::has_failed(&exchange));
            assert!(super::failures().any(|known| known.reason() == error.reason()));
        }
    }
    promises::named(&exchange, read.as_ref().ok());
    let _ = super::not_found(&exchange, &BOUNDS);
    let _ = super::named_format(&exchange);
    promises::blamed(&exchange, super::blame(&exchange, &BOUNDS));
    promises::targeted(&String::from_utf8_lossy(input.request));
}
