//! The content codings of a message, by name.

use super::{Stop, brotli, deflate, zstd};
use crate::decode::DecodeError;

/// A content coding that is undone. Source: RFC 9110, 8.4.1; RFC 7932; RFC 8878.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Most codings of one message, `identity` not counted.
const MAX_CODINGS: usize = 4;

/// The codings of a `Content-Encoding`, in the order in which they are to be undone: the field
/// names them in the order in which they were applied (RFC 9110, 8.4).
///
/// `field`: all fields of that name as one list; `None`: there was none.
pub(super) fn outermost_first(field: Option<&str>) -> Result<Vec<Coding>, DecodeError> {
    let names = field.unwrap_or_default().rsplit(',').map(str::trim);
    let mut codings = Vec::new();
    // a list may have empty elements (RFC 9110, 5.6.1.2)
    for name in names.filter(|name| !name.is_empty()) {
        if name.eq_ignore_ascii_case("identity") {
            continue;
        }
        if codings.len() == MAX_CODINGS {
            return Err(DecodeError::ContentEncoding);
        }
        codings.push(Coding::named(name).ok_or(DecodeError::ContentEncoding)?);
    }
    Ok(codings)
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        let names = [
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("deflate", Self::Deflate),
            ("br", Self::Brotli),
            ("zstd", Self::Zstd),
        ];
        let is_named = |(known, _): &&(&str, Self)| known.eq_ignore_ascii_case(name);
        names.iter().find(is_named).map(|(_, coding)| *coding)
    }

    /// What `encoded` was before this coding; at most `limit` bytes.
    pub(super) fn undo(self, encoded: &[u8], limit: usize) -> Result<Vec<u8>, Stop> {
        match self {
            Self::Gzip => deflate::gunzip(encoded, limit),
            Self::Deflate => deflate::inflate(encoded, limit),
            Self::Brotli => brotli::inflate(encoded, limit),
            Self::Zstd => zstd::inflate(encoded, limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Coding::*, *};

    #[test]
    fn codings_are_undone_in_the_reverse_of_the_order_they_were_applied_in() {
        let of = |field| outermost_first(Some(field));
        assert_eq!(outermost_first(None), Ok(vec![]));
        assert_eq!(of(""), Ok(vec![]));
        assert_eq!(of("Identity"), Ok(vec![]));
        assert_eq!(of("gzip"), Ok(vec![Gzip]));
        assert_eq!(of(" X-GZip\t"), Ok(vec![Gzip]));
        assert_eq!(of("deflate, BR"), Ok(vec![Brotli, Deflate]));
        assert_eq!(of(",zstd,, identity,gzip ,"), Ok(vec![Gzip, Zstd]));
    }

    #[test]
    fn at_most_four_codings_are_undone_and_no_unknown_one() {
        let of = |field| outermost_first(Some(field));
        assert_eq!(of("br,gzip,zstd,gzip").unwrap().len(), 4);
        assert_eq!(of("identity,br,gzip,zstd,gzip").unwrap().len(), 4);
        for field in [
            "br,gzip,zstd,gzip,br",
            "compress",
            "gzip, aes128gcm",
            "dcz",
            "gzip;q=1",
            "gzip br",
            "gzıp",
        ] {
            assert_eq!(of(field), Err(DecodeError::ContentEncoding), "{field}");
        }
    }
}
