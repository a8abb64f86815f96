//! Strings, and what is escaped in them.

use super::{Reader, Stop};

impl<'de> Reader<'de> {
    /// The string whose quote is next; `None`: it has escapes, and is in `unescaped`.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Option<&'de str>, Stop> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                self.slice(start, end).map(Some)
            }
            Some(b'\\') => self.unescape(start, end).map(|()| None),
            _ => Err(Stop::Syntax),
        }
    }

    /// A string from `start` on, whose first escape is at `end`.
    fn unescape(&mut self, mut start: usize, mut end: usize) -> Result<(), Stop> {
        self.unescaped.clear();
        loop {
            if end > start {
                let plain = self.slice(start, end)?;
                self.unescaped.push_str(plain);
            }
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {}
                _ => return Err(Stop::Syntax),
            }
            let escape = Escape::at(self.bytes, end).ok_or(Stop::Syntax)?;
            self.unescaped.push(escape.means);
            self.is_strict &= escape.is_strict;
            start = end + escape.length;
            end = next_special(self.bytes, start);
        }
        self.at = end + 1;
        Ok(())
    }

    /// Steps over the string whose quote is next. It need be no UTF-8.
    #[inline]
    pub(super) fn skip_string(&mut self) -> Result<(), Stop> {
        let mut end = plain_end(self.bytes, self.at + 1);
        loop {
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {}
                _ => return Err(Stop::Syntax),
            }
            let escape = Escape::at(self.bytes, end).ok_or(Stop::Syntax)?;
            self.is_strict &= escape.is_strict;
            end = next_special(self.bytes, end + escape.length);
        }
        self.at = end + 1;
        Ok(())
    }
}

/// An escape in a string.
struct Escape {
    means: char,
    /// Bytes it takes.
    length: usize,
    /// It is no half of a surrogate pair.
    is_strict: bool,
}

impl Escape {
    const fn of(means: char, length: usize) -> Self {
        Self {
            means,
            length,
            is_strict: true,
        }
    }

    /// What the backslash at `at` begins.
    #[inline]
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let means = match bytes.get(at + 1)? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return Self::of_unit(bytes, at),
            _ => return None,
        };
        Some(Self::of(means, 2))
    }

    fn of_unit(bytes: &[u8], at: usize) -> Option<Self> {
        let unit = code_unit(bytes, at)?;
        if let Some(means) = char::from_u32(unit) {
            return Some(Self::of(means, 6));
        }
        let low = code_unit(bytes, at + 6).filter(|low| (0xdc00..0xe000).contains(low));
        if let (0xd800..0xdc00, Some(low)) = (unit, low) {
            let means = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
            return Some(Self::of(means, 12));
        }
        Some(Self {
            is_strict: false,
            ..Self::of(char::REPLACEMENT_CHARACTER, 6)
        })
    }
}

/// The value of `\uXXXX` at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = bytes.get(at..)?.first_chunk::<6>()? else {
        return None;
    };
    digits.iter().try_fold(0, |value, &digit| {
        Some(value << 4 | char::from(digit).to_digit(16)?)
    })
}

/// The same as [`plain_end`], at once where one escape follows another.
#[inline]
fn next_special(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'\\' | b'"') => at,
        _ => plain_end(bytes, at),
    }
}

/// The first byte from `at` on that is a quote, a backslash or a control character.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let marks = specials(u64::from_le_bytes(*eight));
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The highest bit of each byte that is one, of eight bytes; above the lowest, others may have it too.
#[inline]
const fn specials(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    // a byte borrows where it is below what is taken off, and had no highest bit
    const fn below(eight: u64, least: u64) -> u64 {
        eight.wrapping_sub(ONES * least) & !eight
    }
    let quotes = below(eight ^ (ONES * b'"' as u64), 1);
    let backslashes = below(eight ^ (ONES * b'\\' as u64), 1);
    (quotes | backslashes | below(eight, 0x20)) & HIGHEST
}
