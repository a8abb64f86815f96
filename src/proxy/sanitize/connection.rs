//! Fields that belong to one connection (RFC 9110, section 7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{super::failure::Failure, members};

/// As the compiler tells strings apart fastest: each head is looked over for them.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            // of `Upgrade: h2c`, which is not passed on (RFC 7540, section 3.2.1)
            | "http2-settings"
    )
}

/// `Connection` is a list of tokens (RFC 9110, section 7.6.1).
///
/// Bytes beyond ASCII hide the whole value from hyper, which then keeps a connection that is to
/// close, and from [`remove`], by which a nominated field would pass.
pub(super) fn refuse_unreadable(fields: &HeaderMap) -> Result<(), Failure> {
    let mut values = fields.get_all(header::CONNECTION).iter();
    let is_readable = values.all(|value| value.to_str().is_ok());
    is_readable.then_some(()).ok_or(Failure::BadRequest)
}

/// Hop-by-hop fields and those that `Connection` nominates end here, but for the two that say
/// where the message goes and where it ends (RFC 9110, section 7.6.1).
pub(in crate::proxy) fn remove(fields: &mut HeaderMap) {
    if fields.contains_key(header::CONNECTION) {
        // an empty list allocates nothing, and most lists are without nominations
        let nominated: Vec<HeaderName> = members(fields, &header::CONNECTION)
            .filter(|name| !is_option(name))
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
            .collect();
        for name in nominated {
            fields.remove(name);
        }
    }
    while let Some(name) = fields.keys().find(|name| is_hop_by_hop(name)).cloned() {
        fields.remove(name);
    }
}

/// Whether there is a field of the connection, which most heads are without. One look over a few
/// names costs less than a search for each.
pub(super) fn is_named(fields: &HeaderMap) -> bool {
    fields.keys().any(is_hop_by_hop)
}

/// Options that nominate no field, or one that goes anyway.
fn is_option(name: &[u8]) -> bool {
    ["close", "keep-alive", "te", "upgrade"]
        .iter()
        .any(|option| name.eq_ignore_ascii_case(option.as_bytes()))
}

/// Whether the client takes trailers (RFC 9110, section 10.1.4).
pub(in crate::proxy) fn takes_trailers(fields: &HeaderMap) -> bool {
    members(fields, &header::TE).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// Says so to the upstream; `TE` is for one connection and is nominated (RFC 9110, section 10.1.4).
pub(super) fn ask_for_trailers(fields: &mut HeaderMap) {
    fields.insert(header::TE, HeaderValue::from_static("trailers"));
    fields.insert(header::CONNECTION, HeaderValue::from_static("te"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_fields_are_of_the_connection() {
        for name in [
            header::CONNECTION,
            HeaderName::from_static("keep-alive"),
            HeaderName::from_static("proxy-connection"),
            header::TE,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
            HeaderName::from_static("http2-settings"),
        ] {
            assert!(is_hop_by_hop(&name), "{name}");
        }
        let others = [header::HOST, header::TRAILER, header::EXPECT];
        assert!(!others.iter().any(is_hop_by_hop));
    }

    #[test]
    fn a_connection_field_that_is_not_ascii_is_refused() {
        let mut fields = HeaderMap::new();
        fields.append(header::CONNECTION, HeaderValue::from_static("close"));
        assert_eq!(refuse_unreadable(&fields), Ok(()));
        let hidden = HeaderValue::from_bytes(b"x-secret,\x80").unwrap();
        fields.append(header::CONNECTION, hidden);
        assert_eq!(refuse_unreadable(&fields), Err(Failure::BadRequest));
    }
}
