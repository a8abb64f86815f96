//! Characters and words of HTTP and of URIs.

use super::request::trim;

/// RFC 9110, section 5.6.2.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// `1*DIGIT`.
pub(crate) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// No blank and no control character. Bytes above ASCII are in no grammar, but no reader takes
/// them for anything else.
pub(crate) fn is_target_byte(b: u8) -> bool {
    !matches!(b, 0..=0x20 | 0x7f)
}

/// `uri-host [ ":" port ]` (RFC 3986, section 3.2), with a host that may be empty.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let host_end = match text.first() {
        Some(b'[') => text.iter().position(|b| *b == b']').map(|at| at + 1),
        _ => Some(text.iter().position(|b| *b == b':').unwrap_or(text.len())),
    };
    let Some((host, port)) = host_end.map(|end| text.split_at(end)) else {
        return false;
    };
    let is_host = match host {
        [b'[', inner @ .., b']'] => {
            let is_part = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
            !inner.is_empty() && inner.iter().all(is_part)
        }
        name => is_uri_text(name, b"-._~!$&'()*+,;="),
    };
    let is_port = port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
    is_host && is_port
}

/// Whether it is a path with or without a query, and nothing that a strict reader could refuse
/// (RFC 3986, sections 3.3 and 3.4).
pub(crate) fn is_plain_target(text: &[u8]) -> bool {
    text.starts_with(b"/") && is_uri_text(text, b"-._~!$&'()*+,;=:@/?")
}

/// Letters, digits, `%` with two hexadecimal digits, and `others`.
fn is_uri_text(text: &[u8], others: &[u8]) -> bool {
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [a, b, tail @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => tail,
            (b, _) if others.contains(b) || b.is_ascii_alphanumeric() => tail,
            _ => return false,
        };
    }
    true
}

/// What is left after `http://` or `https://`.
pub(crate) fn split_scheme(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = target.windows(3).position(|w| w == b"://")?;
    let scheme = &target[..at];
    let is_http = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    is_http.then_some((scheme, &target[at + 3..]))
}

/// The number that all members of all values say (RFC 9110, section 8.6).
pub(crate) fn common_length(lines: &[&[u8]]) -> Option<u64> {
    let mut common = None;
    for member in lines.iter().flat_map(|line| line.split(|b| *b == b',')) {
        let member = trim(member);
        let text = std::str::from_utf8(member)
            .ok()
            .filter(|_| is_number(member))?;
        let length: u64 = text.parse().ok()?;
        if *common.get_or_insert(length) != length {
            return None;
        }
    }
    common
}

pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let is_right = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_right)?;
    u64::from_str_radix(text, 16).ok()
}

pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| !matches!(b, b' ' | b'\t'));
    &text[..end.map_or(0, |at| at + 1)]
}
