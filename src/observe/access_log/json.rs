//! JSON as `serde_json` writes it, byte for byte, for lines of known fields.
//!
//! Of the strings in a line half are names that stand in the code, and the other half hardly ever
//! has anything to escape. `serde_json` looks at each byte of both; this writes a name as one
//! constant and looks at eight bytes of a value at once.

use std::borrow::Cow;

use serde::Serialize;

use crate::telemetry::Common;

/// A value.
pub(super) trait Json {
    /// Appends it to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Appends it as a field; `key`: the name as it stands between two fields, `,"name":`.
    fn write_field(&self, key: &'static str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
        self.write(out);
    }
}

/// Fields of one object, in the order in which they are written.
pub(super) trait Fields {
    /// Appends each to `out`, with a comma before it.
    fn write_fields(&self, out: &mut Vec<u8>);
}

impl<T: Fields> Fields for &T {
    fn write_fields(&self, out: &mut Vec<u8>) {
        (**self).write_fields(out);
    }
}

impl Fields for Common {
    fn write_fields(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

/// Those of both in one object.
impl<A: Fields, B: Fields> Fields for (A, B) {
    fn write_fields(&self, out: &mut Vec<u8>) {
        self.0.write_fields(out);
        self.1.write_fields(out);
    }
}

/// A struct whose fields are those of an object, by their names and in their order.
macro_rules! fields {
    ($(
        $(#[$about:meta])*
        $seen:vis struct $name:ident<'a> {
            $($field_seen:vis $field:ident: $of:ty,)+
        }
    )+) => {$(
        $(#[$about])*
        $seen struct $name<'a> {
            $($field_seen $field: $of,)+
        }

        impl Fields for $name<'_> {
            fn write_fields(&self, out: &mut Vec<u8>) {
                $(self.$field.write_field(concat!(",\"", stringify!($field), "\":"), out);)+
            }
        }
    )+};
}
pub(super) use fields;

/// Appends an object of `fields`.
pub(super) fn object(fields: &impl Fields, out: &mut Vec<u8>) {
    enclosed(*b"{}", out, |out| fields.write_fields(out));
}

/// Appends an object of names that are only known now.
pub(super) fn map<N: Json, T: Json>(entries: impl Iterator<Item = (N, T)>, out: &mut Vec<u8>) {
    enclosed(*b"{}", out, |out| {
        for (name, value) in entries {
            out.push(b',');
            name.write(out);
            out.push(b':');
            value.write(out);
        }
    });
}

/// Appends the only one of `values` as it is, or a list of them.
pub(super) fn one_or_list<T: Json>(
    mut values: impl ExactSizeIterator<Item = T>,
    out: &mut Vec<u8>,
) {
    if values.len() == 1 {
        values.next().write(out);
    } else {
        list(values, out);
    }
}

/// Appends a list.
fn list<T: Json>(values: impl Iterator<Item = T>, out: &mut Vec<u8>) {
    enclosed(*b"[]", out, |out| {
        for value in values {
            out.push(b',');
            value.write(out);
        }
    });
}

/// `inside` between two brackets; the first takes the place of the first comma.
fn enclosed([open, close]: [u8; 2], out: &mut Vec<u8>, inside: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    inside(out);
    match out.get_mut(start) {
        Some(comma) => *comma = open,
        None => out.push(open),
    }
    out.push(close);
}

impl Json for String {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl Json for str {
    fn write(&self, out: &mut Vec<u8>) {
        if is_plain(self.as_bytes()) {
            quoted(self.as_bytes(), out);
        } else {
            by_serde(self, out);
        }
    }
}

/// Appends a string of text that has nothing to escape.
pub(super) fn quoted(plain: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(plain);
    out.push(b'"');
}

/// Whether a string of these bytes has nothing to escape: no `"`, no `\`, no control character.
///
/// Eight bytes at once, the last of them again where the length is no multiple.
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk() {
        let (eights, _) = bytes.as_chunks();
        let mut eights = eights.iter().chain([last]);
        return eights.all(|eight| are_plain(u64::from_le_bytes(*eight)));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        return are_plain(first | last << 32);
    }
    bytes.iter().all(|byte| is_plain_byte(*byte))
}

const fn is_plain_byte(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// The first byte to escape borrows from its highest bit; without one, no byte does.
const fn are_plain(eight: u64) -> bool {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let control = eight.wrapping_sub(EACH * 0x20);
    let quote = (eight ^ (EACH * b'"' as u64)).wrapping_sub(EACH);
    let backslash = (eight ^ (EACH * b'\\' as u64)).wrapping_sub(EACH);
    (control | quote | backslash) & !eight & (EACH * 0x80) == 0
}

impl Json for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

/// A word of the code, which has nothing to escape: looked at when the code is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(&'static str);

impl Word {
    /// # Panics
    /// When there is something to escape.
    pub(super) const fn new(word: &'static str) -> Self {
        let bytes = word.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(is_plain_byte(bytes[at]));
            at += 1;
        }
        Self(word)
    }
}

impl Json for Word {
    fn write(&self, out: &mut Vec<u8>) {
        quoted(self.0.as_bytes(), out);
    }
}

/// A value that stands in every line, written once.
#[derive(Debug)]
pub(super) struct Written(Vec<u8>);

impl Written {
    pub(super) fn new(value: &(impl Json + ?Sized)) -> Self {
        let mut written = Vec::new();
        value.write(&mut written);
        Self(written)
    }
}

impl Json for Written {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

macro_rules! by_serde {
    ($($number:ty)+) => {$(
        impl Json for $number {
            fn write(&self, out: &mut Vec<u8>) {
                by_serde(self, out);
            }
        }
    )+};
}
by_serde!(u16 u32 usize);

/// Most numbers of a log have three decimals at most: written from a whole number of thousandths,
/// one takes a third of the instructions.
impl Json for f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "digits, of what is not negative"
    )]
    fn write(&self, out: &mut Vec<u8>) {
        let Some(thousandths) = thousandths(self.abs()) else {
            return by_serde(self, out);
        };
        if self.is_sign_negative() {
            out.push(b'-');
        }
        let (whole, places) = (thousandths / 1000, (thousandths % 1000) as u16);
        match whole {
            0..10 => out.push(b'0' + whole as u8),
            _ => by_serde(&whole, out),
        }
        let [tenths, hundredths, last] =
            [places / 100, places / 10 % 10, places % 10].map(|digit| b'0' + digit as u8);
        match (hundredths, last) {
            (b'0', b'0') => out.extend_from_slice(&[b'.', tenths]),
            (_, b'0') => out.extend_from_slice(&[b'.', tenths, hundredths]),
            _ => out.extend_from_slice(&[b'.', tenths, hundredths, last]),
        }
    }
}

/// How many thousandths `value` is, where it is the float nearest to so many.
///
/// These have 15 digits at most, and no two numbers of 15 digits have the same nearest float: no
/// other way to write `value` is as short.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "below 2^53, and the same float or another"
)]
fn thousandths(value: f64) -> Option<i64> {
    if value.is_nan() || value >= 1e12 {
        return None;
    }
    let nearest = (value * 1000.0 + 0.5) as i64;
    (nearest as f64 / 1000.0 == value).then_some(nearest)
}

/// What is worth no way of its own.
fn by_serde<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // neither a vector nor a string or number fails
    let _ = serde_json::to_writer(out, value);
}

impl<T: Json + ?Sized> Json for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl Json for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

/// As a value `null` where there is none; as a field not there at all.
impl<T: Json> Json for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn write_field(&self, key: &'static str, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.write_field(key, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &(impl Json + ?Sized)) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_anywhere_is_written_as_serde_json_does() {
        let low = (0..=0x2ff).chain([0x2028, 0x2029, 0xfeff, 0xfffd, 0x1_f600, 0x10_ffff]);
        for character in low.filter_map(char::from_u32) {
            for before in 0..17 {
                for around in ["x", "\u{7f}", "\u{80}", "!", "#", "[", "]", " "] {
                    let start = around.repeat(before);
                    let string = format!("{start}{character}{around}");
                    assert_eq!(
                        text(string.as_str()),
                        serde_json::to_string(&string).unwrap()
                    );
                }
            }
        }
    }

    #[test]
    fn every_pair_of_bytes_is_plain_or_not_as_each_of_them_is() {
        let is_plain_alone = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut bytes = [b'a'; 9];
                (bytes[3], bytes[4]) = (first, second);
                let expected = is_plain_alone(first) && is_plain_alone(second);
                assert_eq!(is_plain(&bytes), expected, "{first} {second}");
            }
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "any float will do")]
    fn numbers_are_written_as_serde_json_does() {
        let odd = [
            0.0,
            -0.0,
            1e16,
            1e-5,
            5e-324,
            f64::MAX,
            f64::NAN,
            f64::INFINITY,
        ];
        let random = std::iter::repeat_with(|| f64::from_bits(fastrand::u64(..)));
        let places = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
        let short = std::iter::repeat_with(|| {
            let digits = fastrand::u64(..10_u64.pow(fastrand::u32(1..18)));
            digits as f64 / places[fastrand::usize(..places.len())]
        });
        let near = [1e12, 999_999_999_999.999, 0.001, 0.0005, 0.0015].into_iter();
        let near = near.flat_map(|value: f64| [value.next_down(), value, value.next_up()]);
        let signed = short.take(100_000).chain(near).flat_map(|v| [v, -v]);
        for number in random.take(10_000).chain(odd).chain(signed) {
            assert_eq!(text(&number), serde_json::to_string(&number).unwrap());
        }
        assert_eq!(
            (text(&u16::MAX), text(&0_usize)),
            ("65535".into(), "0".into())
        );
    }

    #[test]
    fn empty_lists_and_objects_have_both_brackets() {
        let mut out = Vec::new();
        list(std::iter::empty::<bool>(), &mut out);
        map(std::iter::empty::<(&str, bool)>(), &mut out);
        list([Some(true), None].into_iter(), &mut out);
        map([("a\"", false), ("", true)].into_iter(), &mut out);
        let expected = r#"[]{}[true,null]{"a\"":false,"":true}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
