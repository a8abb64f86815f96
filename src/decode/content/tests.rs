use super::*;
use crate::{
    capture::Exchange,
    config::{Capture, defaults},
};

fn bounds() -> Capture {
    defaults().capture
}

fn message(change: impl FnOnce(&mut Message)) -> Message {
    let mut message = Exchange::example("/", "{}", "").request;
    change(&mut message);
    message
}

fn encoded(codings: &str, bytes: &[u8]) -> Message {
    message(|m| {
        m.content_encoding = Some(codings.to_owned());
        m.body.as_mut().unwrap().bytes = bytes.to_vec();
    })
}

/// What is read of `bytes` within `bounds`.
fn within(bounds: &Capture, codings: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    body(&encoded(codings, bytes), bounds).map(Cow::into_owned)
}

fn read(codings: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    within(&bounds(), codings, bytes)
}

/// The answer in every coding, by every encoder there is.
fn answers() -> Vec<(&'static str, Vec<u8>)> {
    let text = samples::ANSWER;
    vec![
        ("gzip", samples::gzip(text)),
        ("deflate", samples::zlib(text, 6)),
        ("deflate", samples::bare(text, 6)),
        ("deflate", samples::bare(text, 0)),
        ("br", samples::brotli(text)),
        ("br", samples::ANSWER_BR.to_vec()),
        ("zstd", samples::zstd(text)),
        ("zstd", samples::ANSWER_ZSTD.to_vec()),
    ]
}

#[test]
fn only_a_body_seen_to_its_end_is_read() {
    let body = |message: &Message| body(message, &bounds()).map(Cow::into_owned);
    assert_eq!(body(&message(|_| {})), Ok(b"{}".to_vec()));
    let none = message(|m| m.body = None);
    assert_eq!(body(&none), Err(DecodeError::Incomplete));
    for end in [End::TooLong, End::Broken, End::Dropped] {
        let cut = message(|m| m.body.as_mut().unwrap().end = end);
        assert_eq!(body(&cut), Err(DecodeError::Incomplete));
    }
}

#[test]
fn a_body_without_coding_is_not_copied() {
    for codings in ["", "Identity", "identity, identity"] {
        let message = encoded(codings, b"\x1f\x8b");
        let bounds = bounds();
        assert!(matches!(
            body(&message, &bounds),
            Ok(Cow::Borrowed(b"\x1f\x8b"))
        ));
    }
}

#[test]
fn an_encoding_that_is_not_known_is_told() {
    for codings in ["compress", "gzip, dcb", "gzip,gzip,gzip,gzip,gzip"] {
        assert_eq!(read(codings, b"{}"), Err(DecodeError::ContentEncoding));
    }
    let unreadable = Message::UNREADABLE;
    assert_eq!(read(unreadable, b"{}"), Err(DecodeError::ContentEncoding));
}

#[test]
fn a_body_without_content_is_empty_in_every_coding() {
    for codings in ["gzip", "deflate", "br", "zstd", "compress"] {
        assert_eq!(read(codings, b""), Ok(vec![]), "{codings}");
    }
}

#[test]
fn every_coding_of_every_encoder_is_undone() {
    for (coding, bytes) in answers() {
        assert!(read(coding, &bytes).unwrap() == samples::ANSWER, "{coding}");
        let upper = coding.to_ascii_uppercase();
        assert!(read(&upper, &bytes).unwrap() == samples::ANSWER, "{upper}");
    }
}

#[test]
fn an_empty_text_is_undone() {
    for (coding, bytes) in [
        ("gzip", samples::gzip(b"")),
        ("deflate", samples::zlib(b"", 6)),
        ("deflate", samples::bare(b"", 6)),
        ("br", samples::brotli(b"")),
        ("zstd", samples::zstd(b"")),
    ] {
        assert_eq!(read(coding, &bytes), Ok(vec![]), "{coding}");
    }
}

type Encode = fn(&[u8]) -> Vec<u8>;

#[test]
fn two_codings_are_undone_in_reverse_and_in_no_other_order() {
    let text = b"{\"prediction\":1}";
    let encoders: [(&str, Encode); 4] = [
        ("gzip", samples::gzip),
        ("deflate", |text| samples::zlib(text, 6)),
        ("br", samples::brotli),
        ("zstd", samples::zstd),
    ];
    for (inner, first) in encoders {
        for (outer, second) in encoders {
            let bytes = second(&first(text));
            let list = format!("{inner}, {outer}");
            assert_eq!(read(&list, &bytes).unwrap(), text, "{list}");
            if inner != outer {
                let wrong = format!("{outer}, {inner}");
                assert_eq!(read(&wrong, &bytes), Err(DecodeError::InflateBroken));
            }
        }
    }
    let four = samples::zstd(&samples::brotli(&samples::zlib(&samples::gzip(text), 6)));
    assert_eq!(read("gzip,deflate,br,zstd", &four).unwrap(), text);
}

#[test]
fn members_and_frames_follow_one_another() {
    let gzip = [samples::gzip(b"{\"a\":"), samples::gzip(b"1}")].concat();
    assert_eq!(read("gzip", &gzip).unwrap(), b"{\"a\":1}");
    let skipped = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let (first, second) = (samples::zstd(b"{\"a\":"), samples::zstd(b"1}"));
    let zstd = [&first[..], &skipped, &second, &skipped].concat();
    assert_eq!(read("zstd", &zstd).unwrap(), b"{\"a\":1}");
    let cut = [&first[..], &skipped[..10]].concat();
    assert_eq!(read("zstd", &cut), Err(DecodeError::InflateBroken));
}

#[test]
fn as_many_members_and_frames_as_may_be_are_read_and_no_more() {
    for (coding, part) in [("gzip", samples::gzip(b"1")), ("zstd", samples::zstd(b"1"))] {
        let text = read(coding, &part.repeat(MAX_PARTS));
        assert_eq!(text, Ok(vec![b'1'; MAX_PARTS]), "{coding}");
        let more = part.repeat(MAX_PARTS + 1);
        let wide = Capture {
            inflate_ratio: 10_000,
            ..bounds()
        };
        let outcome = within(&wide, coding, &more);
        assert_eq!(outcome, Err(DecodeError::InflateLimit), "{coding}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_broken() {
    for (coding, bytes) in answers() {
        for end in 1..bytes.len() {
            let outcome = read(coding, &bytes[..end]);
            assert_eq!(outcome, Err(DecodeError::InflateBroken), "{coding} {end}");
        }
    }
}

#[test]
fn a_stream_with_something_behind_it_is_broken() {
    for (coding, mut bytes) in answers() {
        for garbage in [0, b'\n', 0xff] {
            bytes.push(garbage);
            let outcome = read(coding, &bytes);
            assert_eq!(outcome, Err(DecodeError::InflateBroken), "{coding}");
            bytes.pop();
        }
    }
}

#[test]
fn a_wrong_checksum_is_broken() {
    for (coding, behind) in [("gzip", 5), ("gzip", 1), ("deflate", 1), ("zstd", 1)] {
        let (_, mut bytes) = answers().into_iter().rfind(|a| a.0 == coding).unwrap();
        if coding == "deflate" {
            bytes = samples::zlib(samples::ANSWER, 6);
        }
        let at = bytes.len() - behind;
        bytes[at] ^= 1;
        let outcome = read(coding, &bytes);
        assert_eq!(outcome, Err(DecodeError::InflateBroken), "{coding}");
    }
}

#[test]
fn a_frame_that_holds_less_than_it_announces_is_broken() {
    // one segment of 4 bytes, in one raw block of 3
    let frame = b"\x28\xb5\x2f\xfd\x20\x04\x19\x00\x00abc";
    assert_eq!(read("zstd", frame), Err(DecodeError::InflateBroken));
    let whole = b"\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00abc";
    assert_eq!(read("zstd", whole).unwrap(), b"abc");
}

#[test]
fn a_body_may_inflate_to_the_limit_and_not_beyond() {
    let exact = Capture {
        inflate_limit: samples::ANSWER.len(),
        ..bounds()
    };
    let less = Capture {
        inflate_limit: samples::ANSWER.len() - 1,
        ..bounds()
    };
    for (coding, bytes) in answers() {
        assert!(within(&exact, coding, &bytes).is_ok(), "{coding}");
        let outcome = within(&less, coding, &bytes);
        assert_eq!(outcome, Err(DecodeError::InflateLimit), "{coding}");
    }
}

#[test]
fn every_coding_of_several_stays_within_the_limit() {
    let zeros = vec![0; 10_000];
    let small = Capture {
        inflate_limit: 5000,
        ..bounds()
    };
    let inner = samples::gzip(&samples::brotli(&zeros));
    let outcome = within(&small, "br,gzip", &inner);
    assert_eq!(outcome, Err(DecodeError::InflateLimit));
    let outer = samples::brotli(&samples::gzip(&zeros));
    let outcome = within(&small, "gzip,br", &outer);
    assert_eq!(outcome, Err(DecodeError::InflateLimit));
}

#[test]
fn the_ratio_counts_above_the_limit_of_a_body_without_coding() {
    let bounds = Capture {
        body_limit: 1000,
        inflate_limit: 1 << 20,
        inflate_ratio: 2,
        ..bounds()
    };
    let zeros = |n| samples::gzip(&vec![0; n]);
    assert_eq!(within(&bounds, "gzip", &zeros(1000)).unwrap().len(), 1000);
    let outcome = within(&bounds, "gzip", &zeros(1001));
    assert_eq!(outcome, Err(DecodeError::InflateRatio));
    let twice = samples::brotli(&[b'1'; 5000]);
    assert_eq!(within(&bounds, "br", &twice).unwrap().len(), 5000);
}

/// The streams that inflate most.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let members = samples::gzip(&vec![0; 1 << 20]).repeat(1024);
    vec![
        ("gzip", samples::zeros_gzip()),
        ("gzip", members),
        ("deflate", samples::zeros_gzip()[10..].to_vec()),
        ("br", samples::ZEROS_BR.to_vec()),
        ("zstd", samples::zeros_zstd(17)),
        ("zstd", samples::zeros_zstd(23)),
    ]
}

#[test]
fn a_gibibyte_of_zeros_stops_at_the_limit() {
    for (coding, bytes) in bombs() {
        let outcome = read(coding, &bytes);
        let reached = match coding {
            "br" => DecodeError::InflateRatio,
            _ => DecodeError::InflateLimit,
        };
        assert_eq!(outcome, Err(reached), "{coding}");
    }
}

#[test]
fn a_stream_that_names_a_larger_window_than_http_allows_is_broken() {
    let outcome = read("zstd", &samples::zeros_zstd(24));
    assert_eq!(outcome, Err(DecodeError::InflateBroken));
    let outcome = read("zstd", &samples::zeros_zstd(41));
    assert_eq!(outcome, Err(DecodeError::InflateBroken));
    // the header of brotli's `large_window`
    let outcome = read("br", &[0x11, 0x1e, 0x03]);
    assert_eq!(outcome, Err(DecodeError::InflateBroken));
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
