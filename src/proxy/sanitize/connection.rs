//! Fields that belong to one connection (RFC 9110, section 7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::members;

const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // of `Upgrade: h2c`, which is not passed on (RFC 7540, section 3.2.1)
    HeaderName::from_static("http2-settings"),
];

/// Hop-by-hop fields and those that `Connection` nominates end here, but for the two that say
/// where the message goes and where it ends (RFC 9110, section 7.6.1).
pub(in crate::proxy) fn remove(fields: &mut HeaderMap) {
    if fields.contains_key(header::CONNECTION) {
        // an empty list allocates nothing, and most lists are without nominations
        let nominated: Vec<HeaderName> = members(fields, &header::CONNECTION)
            .filter(|name| !is_option(name))
            .filter_map(|name| name.parse().ok())
            .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
            .collect();
        for name in nominated {
            fields.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        fields.remove(name);
    }
}

/// Options that nominate no field, or one that goes anyway.
fn is_option(name: &str) -> bool {
    ["close", "keep-alive", "te", "upgrade"]
        .iter()
        .any(|option| name.eq_ignore_ascii_case(option))
}

/// Whether the client takes trailers (RFC 9110, section 10.1.4).
pub(in crate::proxy) fn takes_trailers(fields: &HeaderMap) -> bool {
    members(fields, &header::TE).any(|coding| coding.eq_ignore_ascii_case("trailers"))
}

/// Says so to the upstream; `TE` is for one connection and is nominated (RFC 9110, section 10.1.4).
pub(super) fn ask_for_trailers(fields: &mut HeaderMap) {
    fields.insert(header::TE, HeaderValue::from_static("trailers"));
    fields.insert(header::CONNECTION, HeaderValue::from_static("te"));
}
