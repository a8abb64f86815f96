//! Which bytes of a message can be read, and which of those are JSON.

use super::DecodeError;
use crate::capture::{exchange::Message, tee::End};

/// The whole body of a message, as the application wrote it.
pub(super) fn body(message: &Message) -> Result<&[u8], DecodeError> {
    let Some(copy) = &message.body else {
        return Err(DecodeError::Incomplete);
    };
    if copy.end != End::Complete {
        return Err(DecodeError::Incomplete);
    }
    if !is_identity(message.content_encoding.as_deref()) {
        return Err(DecodeError::ContentEncoding);
    }
    Ok(&copy.bytes)
}

fn is_identity(encoding: Option<&str>) -> bool {
    encoding.is_none_or(|e| e.trim().is_empty() || e.trim().eq_ignore_ascii_case("identity"))
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
mod tests {
    use super::*;
    use crate::capture::Exchange;

    fn message(change: impl FnOnce(&mut Message)) -> Message {
        let mut message = Exchange::example("/", "{}", "").request;
        change(&mut message);
        message
    }

    #[test]
    fn only_a_body_seen_to_its_end_is_read() {
        assert_eq!(body(&message(|_| {})), Ok(&b"{}"[..]));
        assert_eq!(
            body(&message(|m| m.body = None)),
            Err(DecodeError::Incomplete)
        );
        for end in [End::TooLong, End::Broken, End::Dropped] {
            let cut = message(|m| m.body.as_mut().unwrap().end = end);
            assert_eq!(body(&cut), Err(DecodeError::Incomplete));
        }
    }

    #[test]
    fn an_encoding_other_than_identity_is_told() {
        let encoded = |value: &str| message(|m| m.content_encoding = Some(value.to_owned()));
        assert!(body(&encoded("Identity")).is_ok());
        assert!(body(&encoded("")).is_ok());
        for value in ["gzip", "br", "identity, gzip", "zstd"] {
            assert_eq!(body(&encoded(value)), Err(DecodeError::ContentEncoding));
        }
    }

    #[test]
    fn json_is_known_by_its_first_byte() {
        assert_eq!(json(b"\xef\xbb\xbf \n{}"), Ok(&b"{}"[..]));
        assert_eq!(json(b"[1]"), Ok(&b"[1]"[..]));
        assert_eq!(json(b"\xef\xbb\xbf \r\n\t"), Err(DecodeError::Empty));
        for other in [&b"a=1"[..], b"<html>", b"\x1f\x8b", b"12", b"\"setosa\""] {
            assert_eq!(json(other), Err(DecodeError::NotJson));
        }
    }
}
