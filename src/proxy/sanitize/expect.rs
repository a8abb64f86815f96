//! `Expect: 100-continue`.

use http::{HeaderMap, Version, header};

/// What a client of HTTP/1.0 expects is ignored (RFC 9110, section 10.1.1).
pub(super) fn ignore_of_old(version: Version, fields: &mut HeaderMap) {
    if version == Version::HTTP_10 {
        fields.remove(header::EXPECT);
    }
}

/// Whether the client waits for a word before it sends its body (RFC 9110, section 10.1.1).
pub(in crate::proxy) fn waits(fields: &HeaderMap) -> bool {
    fields
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
