//! From when to when a certificate holds: the one thing of it that is told to people and that the
//! verifier keeps to itself.
//!
//! Source: RFC 5280, 4.1. A certificate is nested fields of a tag, a length and a content.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, before the serial number: absent in version 1.
const VERSION: u8 = 0xa0;

/// Both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// Of a certificate in DER; `None` where it is written in no way that is known, or goes beyond what
/// can be told (`99991231235959Z` says that there is no end).
pub(super) fn validity(certificate: &[u8]) -> Option<Validity> {
    let (certificate, _) = content(certificate, SEQUENCE)?;
    let (mut fields, _) = content(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, _, fields) = field(fields)?;
    }
    // serial number, algorithm, issuer
    for _ in 0..3 {
        (_, _, fields) = field(fields)?;
    }
    let (times, _) = content(fields, SEQUENCE)?;
    let (tag, from, rest) = field(times)?;
    let from = time(tag, from)?;
    let (tag, to, _) = field(rest)?;
    Some(Validity {
        from,
        to: time(tag, to)?,
    })
}

/// The content of the first field, which has this tag, and what follows it.
fn content(bytes: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = field(bytes)?;
    (tag == expected).then_some((content, rest))
}

/// The first field: its tag, its content, and what follows it.
fn field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(*first), bytes),
        // 0x80 is a length of its own kind, which DER does not know; that many bytes hold it; more than 4 are no certificate
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            let value = length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
            (value, bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYMMDDHHMMSSZ` of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let digits = match tag {
        UTC_TIME if text.len() == 12 && text < "50" => format!("20{text}"),
        UTC_TIME if text.len() == 12 => format!("19{text}"),
        GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        let read = |tag, text: &str| time(tag, text.as_bytes()).map(|t| t.to_string());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read(UTC_TIME, "261125193000Z"),
            some("2026-11-25T19:30:00Z")
        );
        assert_eq!(
            read(UTC_TIME, "500101000000Z"),
            some("1950-01-01T00:00:00Z")
        );
        assert_eq!(
            read(UTC_TIME, "491231235959Z"),
            some("2049-12-31T23:59:59Z")
        );
        assert_eq!(
            read(GENERALIZED_TIME, "20500101000000Z"),
            some("2050-01-01T00:00:00Z")
        );
        for text in ["", "Z", "261125193000", "261325193000Z", "+61125193000Z"] {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z"), None);
    }

    #[test]
    fn what_is_cut_short_or_no_certificate_has_no_validity() {
        let mut params = rcgen::CertificateParams::new(["a".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2050, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let der = certificate.der();
        let found = validity(der).unwrap();
        assert_eq!(found.from.to_string(), "2020-01-02T00:00:00Z");
        assert_eq!(found.to.to_string(), "2050-03-04T00:00:00Z");
        for length in 0..der.len() {
            assert_eq!(validity(&der[..length]), None, "{length}");
        }
        for at in 0..64 {
            let mut damaged = der.to_vec();
            damaged[at] ^= 0x80;
            // whatever it says, it does not panic
            let _ = validity(&damaged);
        }
    }
}
