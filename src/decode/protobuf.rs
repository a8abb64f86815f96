//! Messages of protocol buffers, field by field, where they lie.
//!
//! Generated structs would copy every message into a tree of vectors and strings, whose size its
//! sender chooses: `42 00` is two bytes on the wire and an empty string of 24 in memory. What is read
//! here is borrowed, and who reads decides what is kept.
//!
//! Source: the documentation of protocol buffers, "Encoding".

/// A message breaks off within a field, or has a field of no kind that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The value of a field, by its kind on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed32([u8; 4]),
    Fixed64([u8; 8]),
    /// Text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message in the order of the wire, with their numbers. Nothing follows a failure.
#[derive(Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => Value::Fixed32(self.array()?),
            // groups, which proto3 has no more
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let (value, rest) = varint(self.0)?;
        self.0 = rest;
        Some(value)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

/// A number of seven bits a byte, the lowest first, and what follows it; bits beyond 64 are cut off.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// Calls `each` with a number, or with all of a packed list.
pub(super) fn varints(value: Value<'_>, mut each: impl FnMut(u64)) -> Result<(), Malformed> {
    match value {
        Value::Varint(number) => each(number),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                let (number, rest) = varint(packed).ok_or(Malformed)?;
                each(number);
                packed = rest;
            }
        }
        Value::Fixed32(_) | Value::Fixed64(_) => return Err(Malformed),
    }
    Ok(())
}

/// The same of numbers of four bytes.
pub(super) fn fixed32(value: Value<'_>, mut each: impl FnMut([u8; 4])) -> Result<(), Malformed> {
    match value {
        Value::Fixed32(number) => each(number),
        Value::Bytes(packed) => return chunks(packed, each),
        Value::Varint(_) | Value::Fixed64(_) => return Err(Malformed),
    }
    Ok(())
}

/// The same of numbers of eight bytes.
pub(super) fn fixed64(value: Value<'_>, mut each: impl FnMut([u8; 8])) -> Result<(), Malformed> {
    match value {
        Value::Fixed64(number) => each(number),
        Value::Bytes(packed) => return chunks(packed, each),
        Value::Varint(_) | Value::Fixed32(_) => return Err(Malformed),
    }
    Ok(())
}

fn chunks<const N: usize>(packed: &[u8], each: impl FnMut([u8; N])) -> Result<(), Malformed> {
    let (chunks, rest) = packed.as_chunks();
    chunks.iter().copied().for_each(each);
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Vec<Result<(u64, Value<'_>), Malformed>> {
        Fields::of(message).collect()
    }

    #[test]
    fn every_kind_of_field_is_read() {
        let message = b"\x08\x96\x01\x12\x02hi\x1d\x00\x00\x80\x3f\x21\0\0\0\0\0\0\xf0\x3f";
        assert_eq!(
            fields(message),
            [
                Ok((1, Value::Varint(150))),
                Ok((2, Value::Bytes(b"hi"))),
                Ok((3, Value::Fixed32(1_f32.to_le_bytes()))),
                Ok((4, Value::Fixed64(1_f64.to_le_bytes()))),
            ]
        );
        assert!(fields(b"").is_empty());
    }

    #[test]
    fn what_breaks_off_is_malformed_once() {
        for message in [
            &b"\x08"[..],
            b"\x08\xff",
            b"\x12\x05hi",
            b"\x1d\0\0",
            b"\x21\0",
            b"\x0b",
            b"\x0f\x00",
            &[0xff; 30],
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(fields(message), [Err(Malformed)], "{message:?}");
        }
    }

    #[test]
    fn numbers_are_read_packed_or_not() {
        let mut read = Vec::new();
        varints(Value::Varint(3), |n| read.push(n)).unwrap();
        varints(Value::Bytes(b"\x01\x80\x01"), |n| read.push(n)).unwrap();
        assert_eq!(read, [3, 1, 128]);
        let mut read = Vec::new();
        let two = [1_f32.to_le_bytes(), 2_f32.to_le_bytes()].concat();
        fixed32(Value::Bytes(&two), |n| read.push(f32::from_le_bytes(n))).unwrap();
        assert_eq!(read, [1.0, 2.0]);
        assert_eq!(fixed64(Value::Bytes(&two[..7]), |_| ()), Err(Malformed));
        assert_eq!(varints(Value::Bytes(b"\x80"), |_| ()), Err(Malformed));
        assert_eq!(fixed32(Value::Varint(1), |_| ()), Err(Malformed));
    }

    #[test]
    fn a_negative_number_takes_ten_bytes() {
        let message = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(fields(message), [Ok((1, Value::Varint(u64::MAX)))]);
    }
}
