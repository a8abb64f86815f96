//! Where a body ends, said in one way only.

use http::{HeaderMap, HeaderValue, header};

use super::{super::failure::Failure, members};

/// A request's body is coded `chunked` alone, once (RFC 9112, sections 6.1 and 6.3).
///
/// Even forms that a list may have, such as `,chunked`, are refused: readers disagree on them.
pub(super) fn refuse_unknown(fields: &HeaderMap) -> Result<(), Failure> {
    let mut values = fields.get_all(header::TRANSFER_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if is_chunked(only) => Ok(()),
        _ if is_after_others(fields) => Err(Failure::UnknownCoding),
        _ => Err(Failure::BadCoding),
    }
}

/// A request's body without a length is chunked (RFC 9112, section 6.3, rule 7).
///
/// hyper's client sends none at all with `GET` and `HEAD`, unless the field says that there is one.
pub(super) fn delimit(fields: &mut HeaderMap, has_body: bool) {
    if has_body && !fields.contains_key(header::CONTENT_LENGTH) {
        fields.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
}

/// Whether a message says in two ways where its body ends (RFC 9112, section 6.3, rule 3).
pub(in crate::proxy) fn is_ambiguous(fields: &HeaderMap) -> bool {
    fields.contains_key(header::TRANSFER_ENCODING) && fields.contains_key(header::CONTENT_LENGTH)
}

/// An answer's body ends where one field says: `Transfer-Encoding` wins over `Content-Length`,
/// and equal lengths are one (RFC 9112, section 6.3, rules 3 and 5).
pub(super) fn settle_length(fields: &mut HeaderMap) -> Result<(), Failure> {
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => settle_lengths(fields),
        (Some(only), None) if is_chunked(only) => {
            fields.remove(header::CONTENT_LENGTH);
            Ok(())
        }
        // it would have to be decoded here, since the field cannot pass
        _ => Err(Failure::BadAnswer),
    }
}

fn settle_lengths(fields: &mut HeaderMap) -> Result<(), Failure> {
    let mut values = fields.get_all(header::CONTENT_LENGTH).iter();
    match (values.next(), values.next()) {
        (None, _) => return Ok(()),
        (Some(only), None) if is_number(only.as_bytes()) => return Ok(()),
        _ => {}
    }
    let length = common_length(fields).ok_or(Failure::BadAnswer)?;
    fields.insert(header::CONTENT_LENGTH, length);
    Ok(())
}

/// The length that all values say.
fn common_length(fields: &HeaderMap) -> Option<HeaderValue> {
    let mut lengths = members(fields, &header::CONTENT_LENGTH);
    let first = lengths.next().filter(|n| is_number(n))?;
    let is_common = lengths.all(|other| other == first);
    HeaderValue::from_bytes(first).ok().filter(|_| is_common)
}

fn is_chunked(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"chunked")
}

/// Whether `chunked` comes last and once, after codings that nobody here can read.
fn is_after_others(fields: &HeaderMap) -> bool {
    let codings: Vec<&[u8]> = members(fields, &header::TRANSFER_ENCODING).collect();
    let is_other = |coding: &&[u8]| {
        !coding.eq_ignore_ascii_case(b"chunked") && !coding.eq_ignore_ascii_case(b"identity")
    };
    match codings.split_last() {
        Some((last, others)) => {
            last.eq_ignore_ascii_case(b"chunked")
                && !others.is_empty()
                && others.iter().all(is_other)
        }
        None => false,
    }
}

fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, values: &[&'static str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(name, HeaderValue::from_static(value));
        }
        fields
    }

    #[test]
    fn chunked_alone_passes_and_nothing_else() {
        let judge = |values: &[&'static str]| refuse_unknown(&fields("transfer-encoding", values));
        assert_eq!(judge(&[]), Ok(()));
        assert_eq!(judge(&["Chunked"]), Ok(()));
        for bad in [
            &["chunked, chunked"][..],
            &["chunked", "chunked"],
            &[",chunked"],
            &["identity, chunked"],
            &["chunked, gzip"],
            &["chunked;q=1"],
            &[""],
        ] {
            assert_eq!(judge(bad), Err(Failure::BadCoding), "{bad:?}");
        }
        assert_eq!(judge(&["gzip, chunked"]), Err(Failure::UnknownCoding));
        assert_eq!(judge(&["gzip", "chunked"]), Err(Failure::UnknownCoding));
    }

    #[test]
    fn a_body_without_a_length_is_chunked() {
        let after = |mut fields: HeaderMap, has_body| {
            delimit(&mut fields, has_body);
            fields.contains_key("transfer-encoding")
        };
        assert!(after(HeaderMap::new(), true));
        assert!(!after(HeaderMap::new(), false));
        assert!(!after(fields("content-length", &["3"]), true));
    }

    #[test]
    fn an_answer_that_is_chunked_loses_its_length() {
        let mut both = fields("transfer-encoding", &["chunked"]);
        both.insert("content-length", HeaderValue::from_static("3"));
        assert!(is_ambiguous(&both));
        assert_eq!(settle_length(&mut both), Ok(()));
        assert!(!both.contains_key("content-length"));
        let mut coded = fields("transfer-encoding", &["gzip, chunked"]);
        assert_eq!(settle_length(&mut coded), Err(Failure::BadAnswer));
    }

    #[test]
    fn equal_lengths_of_an_answer_are_one_and_others_are_refused() {
        for same in [&["5"][..], &["5, 5"], &["5", "5"], &["5,", "5"]] {
            let mut fields = fields("content-length", same);
            assert_eq!(settle_length(&mut fields), Ok(()), "{same:?}");
            assert_eq!(fields.get_all("content-length").iter().count(), 1);
            assert_eq!(fields["content-length"], "5");
        }
        for bad in [
            &["5, 6"][..],
            &["5", "6"],
            &["+5"],
            &[""],
            &["5", "x"],
            &["0x5"],
        ] {
            let mut fields = fields("content-length", bad);
            assert_eq!(
                settle_length(&mut fields),
                Err(Failure::BadAnswer),
                "{bad:?}"
            );
        }
    }
}
