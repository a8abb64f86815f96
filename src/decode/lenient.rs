//! What JSON writers emit and the standard forbids.
//!
//! Python writes `NaN`, `Infinity`, `-Infinity` and lone surrogates (`"\ud800"`), and reads
//! `1e999` as infinite. A strict parser refuses the whole body for one of them.

/// `text` with these rewritten so that a strict parser takes it: what is no finite number as
/// `null`, a lone surrogate as the replacement character. `None`: there was nothing to rewrite.
///
/// At most a third longer than `text`, in linear time; only for texts that paths are followed in: any
/// other is read as it is, by the reader.
pub(super) fn rewrite(text: &[u8]) -> Option<Vec<u8>> {
    let mut written = Vec::with_capacity(text.len() + text.len() / 3 + 1);
    let mut changed = false;
    let mut in_string = false;
    let mut rest = text;
    while let Some(&first) = rest.first() {
        in_string ^= first == b'"';
        let (length, instead) = if in_string {
            in_string_at(rest)
        } else {
            outside_at(rest)
        };
        let (token, after) = rest.split_at(length.min(rest.len()));
        written.extend_from_slice(instead.unwrap_or(token));
        changed |= instead.is_some();
        rest = after;
    }
    changed.then_some(written)
}

/// Length of the next token, and what to write in its place.
type Token = (usize, Option<&'static [u8]>);

fn outside_at(rest: &[u8]) -> Token {
    for word in [&b"NaN"[..], b"Infinity", b"-Infinity"] {
        if rest.starts_with(word) {
            return (word.len(), Some(b"null"));
        }
    }
    let is_digit = |b: &&u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = rest.iter().take_while(is_digit).count();
    let number = &rest[..length];
    (length.max(1), is_infinite(number).then_some(b"null"))
}

fn is_infinite(number: &[u8]) -> bool {
    let parsed = std::str::from_utf8(number)
        .ok()
        .and_then(|n| n.parse().ok());
    parsed.is_some_and(f64::is_infinite)
}

fn in_string_at(rest: &[u8]) -> Token {
    if rest.first() != Some(&b'\\') {
        return (1, None);
    }
    match code_unit(rest) {
        None => (2, None),
        Some(0xd800..=0xdbff) => match rest.get(6..).and_then(code_unit) {
            Some(0xdc00..=0xdfff) => (12, None),
            _ => (6, Some(b"\\ufffd")),
        },
        Some(0xdc00..=0xdfff) => (6, Some(b"\\ufffd")),
        Some(_) => (6, None),
    }
}

/// The value of `\uXXXX` at the start of `text`.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |value, &digit| {
        Some(value * 16 + char::from(digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        rewrite(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn bare_words_become_null_outside_strings_only() {
        assert_eq!(
            rewritten(r#"{"NaN":NaN,"a":[Infinity,-Infinity],"b":"a \" NaN"}"#).as_deref(),
            Some(r#"{"NaN":null,"a":[null,null],"b":"a \" NaN"}"#)
        );
        assert_eq!(rewritten(r#"{"a":"NaN","b":"\\","c":"-Infinity"}"#), None);
    }

    #[test]
    fn numbers_beyond_the_largest_float_become_null() {
        let long = "9".repeat(400);
        assert_eq!(
            rewritten(&format!("[1e999,-1e999,1e308,1e-999,{long}]")).as_deref(),
            Some("[null,null,1e308,1e-999,null]")
        );
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        assert_eq!(
            rewritten(r#"["\ud83d\ude00","\ud83d","\ude00x","\ud83d\ud83d\ude00","\\ud83d"]"#)
                .as_deref(),
            Some(r#"["\ud83d\ude00","\ufffd","\ufffdx","\ufffd\ud83d\ude00","\\ud83d"]"#)
        );
    }

    #[test]
    fn text_cut_anywhere_is_no_problem() {
        let text = r#"{"a":[NaN,"\ud83d\ude00\ud83d",1e999,-Infinity],"b\\":"\""}"#;
        for end in 0..text.len() {
            let cut = rewrite(&text.as_bytes()[..end]).unwrap_or_default();
            assert!(cut.len() <= text.len() * 4 / 3);
        }
    }
}
