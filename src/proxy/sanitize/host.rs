//! `Host`: exactly one, and one that can be read.

use http::{HeaderMap, HeaderValue, Version, header, uri::Authority};

use super::super::failure::Failure;

/// A request of HTTP/1.1 has one `Host`, no request has two, and it is `host [":" port]`
/// (RFC 9112, section 3.2; RFC 9110, section 7.2).
pub(super) fn refuse_unclear(version: Version, fields: &HeaderMap) -> Result<(), Failure> {
    let mut values = fields.get_all(header::HOST).iter();
    match (values.next(), values.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (Some(host), None) if is_valid(host.as_bytes()) => Ok(()),
        _ => Err(Failure::BadHost),
    }
}

/// `:authority` is `Host`, and has no user either (RFC 9113, section 8.3.1).
pub(super) fn take(fields: &mut HeaderMap, authority: &Authority) -> Result<(), Failure> {
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Failure::BadHost)?;
    if !is_valid(host.as_bytes()) {
        return Err(Failure::BadHost);
    }
    fields.insert(header::HOST, host);
    Ok(())
}

/// HTTP/1.1 requires `Host`, which a client of HTTP/1.0 may leave out (RFC 9112, section 3.2).
pub(super) fn ensure(fields: &mut HeaderMap, authority: impl FnOnce() -> HeaderValue) {
    if !fields.contains_key(header::HOST) {
        fields.insert(header::HOST, authority());
    }
}

/// Whether it is `uri-host [":" port]` (RFC 3986, sections 3.2.2 and 3.2.3); `uri-host` may be empty.
pub(super) fn is_valid(value: &[u8]) -> bool {
    let (host, rest) = match value.first() {
        Some(b'[') => match value.iter().position(|b| *b == b']') {
            Some(end) => (&value[..end], &value[end + 1..]),
            None => return false,
        },
        _ => value.split_at(value.iter().position(|b| *b == b':').unwrap_or(value.len())),
    };
    let is_host = match host.strip_prefix(b"[") {
        Some(literal) => is_ip_literal(literal),
        None => is_name(host),
    };
    is_host && is_port(rest)
}

fn is_ip_literal(text: &[u8]) -> bool {
    let is_part = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    !text.is_empty() && text.iter().all(is_part)
}

fn is_name(text: &[u8]) -> bool {
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~', _) => tail,
            (b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=', _) => {
                tail
            }
            (b'%', [a, b, tail @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => tail,
            _ => return false,
        };
    }
    true
}

fn is_port(text: &[u8]) -> bool {
    match text.split_first() {
        None => true,
        Some((b':', port)) => port.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(version: Version, hosts: &[&'static str]) -> Result<(), Failure> {
        let mut fields = HeaderMap::new();
        for host in hosts {
            fields.append(header::HOST, HeaderValue::from_static(host));
        }
        refuse_unclear(version, &fields)
    }

    #[test]
    fn one_readable_host_passes() {
        for host in [
            "a.test",
            "a.test:8443",
            "a.test:",
            "[::1]:80",
            "10.0.0.1",
            "a%2fb",
            "",
        ] {
            assert_eq!(judge(Version::HTTP_11, &[host]), Ok(()), "{host}");
        }
        assert_eq!(judge(Version::HTTP_10, &[]), Ok(()));
    }

    #[test]
    fn none_two_and_unreadable_ones_are_refused() {
        for hosts in [
            &[][..],
            &["a", "b"],
            &["a", "a"],
            &["a b"],
            &["a/x"],
            &["u:p@a"],
            &["u@a"],
            &["a, b"],
            &["a:8x"],
            &["a:80:80"],
            &["[::1"],
            &["[]"],
            &["[::1]x"],
            &["a%2"],
            &["a?b"],
            &["a#b"],
        ] {
            assert_eq!(
                judge(Version::HTTP_11, hosts),
                Err(Failure::BadHost),
                "{hosts:?}"
            );
        }
        assert_eq!(judge(Version::HTTP_10, &["a", "b"]), Err(Failure::BadHost));
    }

    #[test]
    fn a_missing_host_is_filled_in() {
        let mut fields = HeaderMap::new();
        ensure(&mut fields, || HeaderValue::from_static("model:8000"));
        assert_eq!(fields["host"], "model:8000");
    }
}
