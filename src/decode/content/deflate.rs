//! `gzip` and `x-gzip` (RFC 1952) and `deflate` (RFC 1950), which are one method in two wrappers.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::{MAX_PARTS, Stop};

/// What all members of `encoded` hold, at most `limit` bytes. Checksums and lengths are checked.
pub(super) fn gunzip(mut encoded: &[u8], limit: usize) -> Result<Vec<u8>, Stop> {
    let mut inflated = Vec::new();
    for _ in 0..MAX_PARTS {
        let mut member = GzDecoder::new(encoded);
        drain(&mut member, limit, &mut inflated)?;
        encoded = member.into_inner();
        if encoded.is_empty() {
            return Ok(inflated);
        }
    }
    Err(Stop::Bound)
}

/// What `encoded` holds, at most `limit` bytes: the zlib format with its checksum, or bare deflate
/// (RFC 1951), which some servers send under the same name.
pub(super) fn inflate(encoded: &[u8], limit: usize) -> Result<Vec<u8>, Stop> {
    let mut inflated = Vec::new();
    let rest = if has_header(encoded) {
        let mut decoder = ZlibDecoder::new(encoded);
        drain(&mut decoder, limit, &mut inflated)?;
        decoder.into_inner()
    } else {
        let mut decoder = DeflateDecoder::new(encoded);
        drain(&mut decoder, limit, &mut inflated)?;
        decoder.into_inner()
    };
    if rest.is_empty() {
        Ok(inflated)
    } else {
        Err(Stop::Broken)
    }
}

/// Adds what comes out, up to `limit` bytes altogether.
fn drain(decoder: &mut impl Read, limit: usize, inflated: &mut Vec<u8>) -> Result<(), Stop> {
    // one byte more tells a body that ends at the limit from one that goes on
    let room = limit - inflated.len();
    let mut bounded = decoder.take(room as u64 + 1);
    bounded.read_to_end(inflated).map_err(|_| Stop::Broken)?;
    if inflated.len() > limit {
        return Err(Stop::Bound);
    }
    Ok(())
}

/// Whether the first two bytes are those of the zlib format: method 8, a window of at most 32 KiB,
/// no dictionary, and a check of both. A bare stream begins so only with a stored block whose
/// padding is not zero.
fn has_header(encoded: &[u8]) -> bool {
    let &[method, flags, ..] = encoded else {
        return false;
    };
    let check = u16::from_be_bytes([method, flags]);
    method & 0x0f == 8 && method >> 4 <= 7 && flags & 0x20 == 0 && check.is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    #[test]
    fn every_level_of_zlib_has_a_header_and_no_bare_stream_has() {
        for text in [&b""[..], b"x", &vec![0; 70_000], &[b'{'; 1000]] {
            for level in 0..=9 {
                assert!(has_header(&samples::zlib(text, level)));
                assert!(!has_header(&samples::bare(text, level)));
            }
        }
    }

    #[test]
    fn a_stream_that_asks_for_a_dictionary_is_broken() {
        let mut stream = samples::zlib(b"text", 6);
        // the flag of a dictionary, and a check that fits
        stream[1] = 0x20;
        assert_eq!(u16::from_be_bytes([stream[0], stream[1]]) % 31, 0);
        assert_eq!(inflate(&stream, 100), Err(Stop::Broken));
    }
}
