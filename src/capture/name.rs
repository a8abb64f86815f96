//! Names as people may read them, in labels and in lines, whatever bytes a stranger sent for them.

use std::borrow::Cow;

/// What a segment of a path says, without percent escapes; escapes that are none stay, and what is
/// no UTF-8 then is [`char::REPLACEMENT_CHARACTER`].
pub fn unescaped(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = after.first_chunk().filter(|_| *first == b'%');
        let escaped = digits.and_then(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?));
        if escaped.is_some() {
            rest = &after[2..];
        }
        bytes.push(escaped.unwrap_or(*first));
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// What stands before the last colon of a path, and the verb behind it; some clients write it `%3A`.
pub fn verb(path: &str) -> Option<(&str, &str)> {
    let escaped = || {
        let upper = path.rsplit_once("%3A");
        upper.or_else(|| path.rsplit_once("%3a"))
    };
    // hardly any path has an escape, and to look for three bytes costs more than for one
    let has_escape = || path.contains('%');
    path.rsplit_once(':')
        .or_else(|| has_escape().then(escaped).flatten())
}

/// `name` with [`char::REPLACEMENT_CHARACTER`] for what is not seen, or turns the text around it
/// (CVE-2021-42574): it may stand on a terminal, in a label or in a line of a log.
pub fn shown(name: &str) -> Cow<'_, str> {
    if is_plain(name.as_bytes()) {
        return Cow::Borrowed(name);
    }
    // all of these begin with one of few bytes
    let may_hide = |byte: u8| byte < b' ' || matches!(byte, 0x7f | 0xc2 | 0xd8 | 0xe2);
    if !name.bytes().any(may_hide) || !name.contains(is_hidden) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace(is_hidden, "\u{fffd}"))
}

/// Whether all of it is ASCII that is seen, as of nearly every name.
pub fn is_plain(name: &[u8]) -> bool {
    // eight at once, or names are most of what an answer's names cost
    let are_seen = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
    };
    let (eights, rest) = name.as_chunks::<8>();
    eights.iter().all(|eight| are_seen(eight)) && are_seen(rest)
}

/// A control character, the end of a line, or a format character of bidirectional text.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_a_segment_are_undone_and_what_is_none_stays() {
        for (segment, name) in [
            ("iris", "iris"),
            ("ir%20is", "ir is"),
            ("a+b", "a+b"),
            ("%C3%a9", "\u{e9}"),
            ("%ff", "\u{fffd}"),
            ("5%", "5%"),
            ("5%2", "5%2"),
            ("%zz%4%41", "%zz%4A"),
        ] {
            assert_eq!(unescaped(segment), name, "{segment}");
        }
    }

    #[test]
    fn a_verb_stands_behind_a_colon_or_its_escape() {
        for path in ["/m:predict", "/m%3Apredict", "/m%3apredict"] {
            assert_eq!(verb(path), Some(("/m", "predict")));
        }
        assert_eq!(verb("/m%20predict"), None);
    }

    #[test]
    fn what_is_not_seen_is_shown_as_such() {
        for (name, expected) in [
            ("setosa", "setosa"),
            (
                "\u{e9}t\u{e9} \u{20ac} \u{627}",
                "\u{e9}t\u{e9} \u{20ac} \u{627}",
            ),
            ("a\0b\u{1b}[1m\n", "a\u{fffd}b\u{fffd}[1m\u{fffd}"),
            (
                "x\u{202e}y\u{2066}\u{85}\u{61c}",
                "x\u{fffd}y\u{fffd}\u{fffd}\u{fffd}",
            ),
        ] {
            assert_eq!(shown(name), expected);
        }
    }

    #[test]
    fn every_hidden_character_begins_with_a_byte_that_is_looked_for() {
        for character in (0..=0xffff).filter_map(char::from_u32) {
            let name = character.to_string();
            assert_eq!(
                shown(&name) == "\u{fffd}",
                is_hidden(character) || character == '\u{fffd}'
            );
        }
    }
}
