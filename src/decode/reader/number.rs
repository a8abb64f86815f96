//! Numbers, exactly: the float that is nearest to what is written.

use super::{Reader, Stop};

/// What is written without fraction and exponent stays whole where 64 bits hold it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Real(f64),
    /// Beyond the largest float, or infinite by name.
    Infinite,
}

/// Digits that any number of 64 bits has room for.
const DIGITS: usize = 19;
/// Whole numbers up to here are floats, each of them.
const EXACT: u64 = 1 << 53;
/// 1 times a larger power of ten than this is beyond the largest float.
const MAX_SCALE: i64 = 308;
/// So are these powers of ten: with one of them and such a number, one rounding is the only one.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Powers of ten that so many digits are moved by.
const TENS: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

impl Reader<'_> {
    /// The number of a few digits that begins here, where a list or an object goes on or ends behind it.
    #[inline]
    pub(super) fn short_number(&mut self) -> Option<u64> {
        let rest = self.bytes.get(self.at..)?;
        let mut value = 0;
        for (count, byte) in rest.iter().take(DIGITS).enumerate() {
            match byte {
                b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
                b',' | b']' | b'}' if count == 1 || rest.first() != Some(&b'0') => {
                    self.at += count;
                    return Some(value);
                }
                _ => return None,
            }
        }
        None
    }

    /// The number that begins here, infinite where it is beyond the largest.
    #[expect(clippy::cast_precision_loss, reason = "features are floats")]
    pub(super) fn long_float(&mut self) -> Result<f64, Stop> {
        Ok(match self.number()? {
            Number::Unsigned(value) => value as f64,
            Number::Signed(value) => value as f64,
            Number::Real(value) => value,
            Number::Infinite => f64::INFINITY,
        })
    }

    /// The number that begins here.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Number, Stop> {
        let start = self.at;
        let is_negative = self.bytes.get(start) == Some(&b'-');
        let first = start + usize::from(is_negative);
        let (whole, end) = digits(self.bytes, first, 0);
        let count = end - first;
        if count == 0 || (count > 1 && self.bytes.get(first) == Some(&b'0')) {
            return self.no_number(count, is_negative);
        }
        self.at = end;
        if matches!(self.bytes.get(end), Some(b'.' | b'e' | b'E')) {
            return self.real(start, whole, count);
        }
        if count > DIGITS {
            return self.long(start);
        }
        if !is_negative {
            return Ok(Number::Unsigned(whole));
        }
        Ok(match 0_i64.checked_sub_unsigned(whole) {
            // there is no whole negative zero
            Some(0) => Number::Real(-0.0),
            Some(value) => Number::Signed(value),
            None => return self.parsed(start),
        })
    }

    fn no_number(&mut self, count: usize, is_negative: bool) -> Result<Number, Stop> {
        if count > 0 || !is_negative {
            return Err(Stop::Syntax);
        }
        self.loose_word(b"-Infinity").map(|()| Number::Infinite)
    }

    /// One with a fraction or an exponent; `whole`: what stands before these, of `count` digits.
    fn real(&mut self, start: usize, whole: u64, mut count: usize) -> Result<Number, Stop> {
        let (mut value, mut scale) = (whole, 0_i64);
        if self.bytes.get(self.at) == Some(&b'.') {
            let first = self.at + 1;
            let (more, end) = digits(self.bytes, first, value);
            if end == first {
                return Err(Stop::Syntax);
            }
            value = more;
            count += end - first;
            scale = -i64::try_from(end - first).unwrap_or(i64::MAX);
            self.at = end;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            scale = scale.saturating_add(self.exponent()?);
        }
        if count <= DIGITS && value > 0 && scale > MAX_SCALE {
            self.is_strict = false;
            return Ok(Number::Infinite);
        }
        let power = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
        if count > DIGITS || value > EXACT || power >= POWERS.len() {
            return self.parsed(start);
        }
        #[expect(clippy::cast_precision_loss, reason = "it is exact up to here")]
        let value = value as f64;
        let magnitude = if scale < 0 {
            value / POWERS[power]
        } else {
            value * POWERS[power]
        };
        let is_negative = self.bytes.get(start) == Some(&b'-');
        Ok(Number::Real(if is_negative {
            -magnitude
        } else {
            magnitude
        }))
    }

    /// What stands behind `e`, which is next.
    pub(super) fn exponent(&mut self) -> Result<i64, Stop> {
        self.at += 1;
        let sign = self.bytes.get(self.at);
        let is_negative = sign == Some(&b'-');
        let first = self.at + usize::from(matches!(sign, Some(b'-' | b'+')));
        let (value, end) = digits(self.bytes, first, 0);
        if end == first {
            return Err(Stop::Syntax);
        }
        self.at = end;
        // of more digits the value means nothing, but that it is far from 0
        let value = if end - first < DIGITS {
            value
        } else {
            u64::MAX
        };
        let value = i64::try_from(value).unwrap_or(i64::MAX / 2);
        Ok(if is_negative { -value } else { value })
    }

    /// A whole one of many digits.
    fn long(&mut self, start: usize) -> Result<Number, Stop> {
        match self.slice(start, self.at)?.parse() {
            Ok(value) => Ok(Number::Unsigned(value)),
            Err(_) => self.parsed(start),
        }
    }

    /// What stands from `start` to here, the long way.
    fn parsed(&mut self, start: usize) -> Result<Number, Stop> {
        let value: f64 = self
            .slice(start, self.at)?
            .parse()
            .map_err(|_| Stop::Syntax)?;
        if value.is_infinite() {
            self.is_strict = false;
            return Ok(Number::Infinite);
        }
        Ok(Number::Real(value))
    }
}

/// A number without exponent at the start of `text` that is exact with one rounding, and what stands behind
/// it, where a list goes on or ends there.
#[expect(
    clippy::inline_always,
    reason = "a call for each number is a quarter of what it costs"
)]
#[inline(always)]
pub(super) fn short_float(text: &[u8]) -> Option<(f64, &[u8])> {
    let is_negative = text.first() == Some(&b'-');
    // no branch: which sign a number has is not to be foreseen
    let unsigned = text.get(usize::from(is_negative)..)?;
    let short = match unsigned {
        [digit @ b'0'..=b'9', b'.', fraction @ ..] => fraction_behind(digit - b'0', fraction),
        [digit @ b'0'..=b'9', rest @ ..] if matches!(rest, [b',' | b']', ..]) => {
            Some((f64::from(digit - b'0'), rest))
        }
        _ => None,
    };
    let (magnitude, rest) = match short {
        Some(found) => found,
        None => longer_float(unsigned)?,
    };
    let number = f64::from_bits(magnitude.to_bits() | u64::from(is_negative) << 63);
    Some((number, rest))
}

/// A digit and a fraction of at most eight, which is what most features are.
#[inline]
fn fraction_behind(digit: u8, fraction: &[u8]) -> Option<(f64, &[u8])> {
    let (digits, count) = eight_digits(*fraction.first_chunk()?);
    let (tens, power) = (TENS.get(count)?, POWERS.get(count)?);
    let rest = fraction.get(count..)?;
    if count == 0 || !matches!(rest.first(), Some(b',' | b']' | b' ')) {
        return None;
    }
    let value = u64::from(digit) * tens + digits;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        reason = "nine digits are exact"
    )]
    let value = value as i64 as f64;
    Some((value / power, rest))
}

/// One without sign that has more digits. Not inlined: what calls it then is small enough to be.
#[inline(never)]
fn longer_float(unsigned: &[u8]) -> Option<(f64, &[u8])> {
    let (mut value, whole) = digits(unsigned, 0, 0);
    let mut rest = unsigned.get(whole..)?;
    if whole == 0 || (whole > 1 && unsigned.first() == Some(&b'0')) {
        return None;
    }
    let mut scale = 0;
    if let [b'.', fraction @ ..] = rest {
        rest = fraction;
        loop {
            let (digits, count) = eight_digits(*rest.first_chunk()?);
            value = value.wrapping_mul(TENS[count]).wrapping_add(digits);
            scale += count;
            rest = &rest[count..];
            if count < 8 {
                break;
            }
        }
        if scale == 0 {
            return None;
        }
    }
    let is_exact = whole + scale <= DIGITS && value <= EXACT;
    if !is_exact || !matches!(rest.first(), Some(b',' | b']' | b' ')) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "it is exact up to here")]
    let magnitude = value as f64 / POWERS[scale];
    Some((magnitude, rest))
}

/// The number that the digits at the start of `text` are, and how many they are: eight at once, since a
/// loop over them takes most of the time that a list of numbers does.
#[inline]
fn eight_digits(text: [u8; 8]) -> (u64, usize) {
    const ONES: u64 = u64::MAX / 0xff;
    // the first digit is the lowest byte
    let digits = u64::from_le_bytes(text) ^ (ONES * 0x30);
    let others = (digits.wrapping_add(ONES * (0x80 - 10)) | digits) & (ONES * 0x80);
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // digits that are not there are zeros in front
    let digits = digits << (64 - 8 * count);
    // pairs, fours, and all eight of them
    let pairs = (digits * 10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    let eight = (fours * 10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    (eight, count)
}

/// The digits from `at` on behind those of `value`, and where they end. Of more than [`DIGITS`], the value
/// means nothing.
#[inline]
fn digits(bytes: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    while let Some(byte @ b'0'..=b'9') = bytes.get(at) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        at += 1;
    }
    (value, at)
}
