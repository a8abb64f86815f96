//! Tensors of Open Inference, however they came: as JSON, as typed lists, or as bytes.

use super::super::{
    Lot,
    inference::{Scalar, Values},
    walk,
};

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::decode) enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
    #[default]
    Unknown,
}

impl Datatype {
    pub(in crate::decode) fn named(name: &str) -> Self {
        match name {
            "BOOL" => Self::Bool,
            "UINT8" => Self::Uint8,
            "UINT16" => Self::Uint16,
            "UINT32" => Self::Uint32,
            "UINT64" => Self::Uint64,
            "INT8" => Self::Int8,
            "INT16" => Self::Int16,
            "INT32" => Self::Int32,
            "INT64" => Self::Int64,
            "FP16" => Self::Fp16,
            "BF16" => Self::Bf16,
            "FP32" => Self::Fp32,
            "FP64" => Self::Fp64,
            "BYTES" => Self::Bytes,
            _ => Self::Unknown,
        }
    }

    /// Bytes of one element; `None`: each has its own length.
    fn size(self) -> Option<usize> {
        Some(match self {
            Self::Bool | Self::Uint8 | Self::Int8 => 1,
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => 2,
            Self::Uint32 | Self::Int32 | Self::Fp32 => 4,
            Self::Uint64 | Self::Int64 | Self::Fp64 => 8,
            Self::Bytes | Self::Unknown => return None,
        })
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::Fp16 | Self::Bf16 | Self::Fp32 | Self::Fp64)
    }

    pub(super) fn is_number(self) -> bool {
        !matches!(self, Self::Bool | Self::Bytes | Self::Unknown)
    }
}

/// Rows and what one row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::decode) struct Shape {
    /// The first dimension.
    pub(super) rows: usize,
    /// The product of all others.
    pub(super) width: usize,
    /// How many dimensions there are.
    pub(super) dims: usize,
}

impl Shape {
    /// That of a single value, to which dimensions are added.
    pub(in crate::decode) const SCALAR: Self = Self {
        rows: 1,
        width: 1,
        dims: 0,
    };

    /// With one more dimension; `None`: no memory has so many elements.
    pub(in crate::decode) fn with(mut self, dimension: usize) -> Option<Self> {
        if self.dims == 0 {
            self.rows = dimension;
        } else {
            self.width = self.width.checked_mul(dimension)?;
        }
        self.dims += 1;
        Some(self)
    }
}

/// Elements that are no numbers take three times the room, so fewer are kept.
#[derive(Debug, Default, PartialEq)]
pub(in crate::decode) struct Kept {
    values: Values,
    /// How many there were, kept or not.
    len: usize,
    max: usize,
    /// There were too many: none is kept.
    is_over: bool,
}

/// Elements that any tensor may have that are no numbers.
const FREE: usize = 4096;

impl Kept {
    /// For a body of so many bytes.
    pub(in crate::decode) fn within(bytes: usize) -> Self {
        Self::with_room(Self::room(bytes))
    }

    /// How many elements that are no numbers a body of so many bytes may have.
    pub(in crate::decode) fn room(bytes: usize) -> usize {
        (bytes / 4).max(FREE)
    }

    /// With what other tensors have left of that.
    pub(in crate::decode) fn with_room(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// With room for the numbers of a shape, if a body of so many bytes may hold as many: they are not
    /// moved then while they grow.
    pub(in crate::decode) fn expecting(mut self, shape: Option<Shape>) -> Self {
        let numbers = shape.map_or(0, |shape| shape.rows.saturating_mul(shape.width));
        if numbers <= self.max {
            self.values = Values::with_capacity(numbers);
        }
        self
    }

    /// Those that little-endian bytes are, truth values as numbers; none of a type without a size.
    pub(in crate::decode) fn of_bytes(bytes: &[u8], datatype: Datatype) -> Self {
        let datatype = match datatype {
            Datatype::Bool => Datatype::Uint8,
            datatype => datatype,
        };
        let is_whole = |size| bytes.len().is_multiple_of(size);
        let values = match datatype.size() {
            Some(size) if is_whole(size) => raw(bytes, datatype, 0, 1),
            _ => Values::default(),
        };
        Self {
            len: values.len(),
            values,
            ..Self::default()
        }
    }

    /// Lets the last number stand for all that a shape has more, up to `most`.
    pub(in crate::decode) fn repeat_last(&mut self, shape: Shape, most: usize) {
        let wanted = shape.rows.saturating_mul(shape.width);
        if let Values::Numbers(numbers) = &mut self.values
            && let Some(last) = numbers.last().copied()
            && (self.len..=most).contains(&wanted)
        {
            numbers.resize(wanted, last);
            self.len = wanted;
        }
    }

    /// How much of it is taken.
    pub(in crate::decode) fn taken(&self) -> usize {
        match &self.values {
            Values::Numbers(_) => 0,
            Values::Mixed(values) => values.len(),
        }
    }

    pub(in crate::decode) fn push(&mut self, value: Scalar) {
        self.len += 1;
        if self.is_over {
            return;
        }
        let is_number = matches!(value, Scalar::Number(_) | Scalar::Missing);
        let are_numbers = is_number && matches!(self.values, Values::Numbers(_));
        if !are_numbers && self.len > self.max {
            self.is_over = true;
            self.values = Values::default();
            return;
        }
        self.values.push(value);
    }

    /// All of them are there: gives back room that none needs, as a list of one has for four.
    pub(in crate::decode) fn finish(mut self) -> Self {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.shrink_to_fit(),
            Values::Mixed(values) => values.shrink_to_fit(),
        }
        self
    }

    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// The same of a number, without the detour that other values take.
    #[inline]
    pub(in crate::decode) fn number(&mut self, number: f64) {
        match &mut self.values {
            Values::Numbers(numbers) if !self.is_over => {
                self.len += 1;
                numbers.push(if number.is_finite() { number } else { f64::NAN });
            }
            _ => self.push(Scalar::of_number(number)),
        }
    }

    pub(in crate::decode) fn text(&mut self, bytes: &[u8]) {
        self.push(Scalar::Text(String::from_utf8_lossy(bytes).into()));
    }
}

/// The elements of a tensor, the last dimension fastest.
#[derive(Debug, Default, PartialEq)]
pub(in crate::decode) enum Cells<'a> {
    /// None came.
    #[default]
    None,
    Kept(Kept),
    /// Little-endian, all of one size.
    Raw(&'a [u8]),
}

/// One tensor.
#[derive(Debug, Default, PartialEq)]
pub(in crate::decode) struct Tensor<'a> {
    /// At most [`super::super::Inference::MAX_WORD`] bytes.
    pub(in crate::decode) name: String,
    pub(in crate::decode) datatype: Datatype,
    pub(in crate::decode) shape: Option<Shape>,
    pub(in crate::decode) cells: Cells<'a>,
    /// Of its part behind the JSON.
    pub(in crate::decode) binary_bytes: Option<usize>,
}

impl<'a> Tensor<'a> {
    /// Takes `bytes` for its elements; `most`: bytes of the whole body.
    pub(in crate::decode) fn fill(&mut self, bytes: &'a [u8], most: usize) {
        self.cells = match self.datatype {
            Datatype::Bytes => texts(bytes, most).map_or(Cells::None, Cells::Kept),
            datatype => match datatype.size() {
                Some(size) if bytes.len().is_multiple_of(size) => Cells::Raw(bytes),
                _ => Cells::None,
            },
        };
    }

    /// Its shape, if it has elements and as many as that says.
    pub(super) fn whole(&self) -> Option<Shape> {
        let shape = self.shape?;
        let len = match &self.cells {
            Cells::None => 0,
            Cells::Kept(kept) => kept.len,
            Cells::Raw(bytes) => bytes.len() / self.datatype.size()?,
        };
        let is_whole = len > 0 && shape.rows.checked_mul(shape.width) == Some(len);
        is_whole.then_some(shape)
    }

    /// Whether it has more elements than are kept.
    pub(super) fn is_over(&self) -> bool {
        match &self.cells {
            Cells::None => false,
            Cells::Kept(kept) => kept.is_over,
            Cells::Raw(bytes) => self.datatype == Datatype::Bool && bytes.len() > FREE,
        }
    }

    /// Every `step`th element from `from` on. Texts are moved out.
    pub(super) fn take(&mut self, from: usize, step: usize) -> Values {
        let step = step.max(1);
        match &mut self.cells {
            Cells::None => Values::default(),
            Cells::Raw(bytes) => raw(bytes, self.datatype, from, step),
            Cells::Kept(kept) => match &mut kept.values {
                all if step == 1 && from == 0 => std::mem::take(all),
                Values::Numbers(numbers) => {
                    Values::Numbers(numbers.iter().skip(from).step_by(step).copied().collect())
                }
                Values::Mixed(all) => {
                    let some = all.iter_mut().skip(from).step_by(step);
                    some.map(|value| std::mem::replace(value, Scalar::Missing))
                        .collect()
                }
            },
        }
    }
}

/// Elements that are bytes: each behind its length, four bytes.
fn texts(mut bytes: &[u8], most: usize) -> Option<Kept> {
    let mut kept = Kept::within(most);
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (text, rest) = rest.split_at_checked(len)?;
        kept.text(text);
        bytes = rest;
    }
    Some(kept)
}

#[expect(clippy::cast_precision_loss, reason = "features are floats")]
fn raw(bytes: &[u8], datatype: Datatype, from: usize, step: usize) -> Values {
    let each = |number: fn(&[u8]) -> f64| {
        let size = datatype.size().unwrap_or(1);
        let chosen = bytes.chunks_exact(size).skip(from).step_by(step);
        let numbers = chosen.map(|bytes| match number(bytes) {
            number if number.is_finite() => number,
            _ => f64::NAN,
        });
        Values::Numbers(numbers.collect())
    };
    match datatype {
        Datatype::Bool => {
            let chosen = bytes.get(from..).unwrap_or_default().iter().step_by(step);
            let chosen: Lot<_> = chosen.map(|byte| Scalar::Bool(*byte != 0)).collect();
            if chosen.is_empty() {
                return Values::default();
            }
            Values::Mixed(chosen)
        }
        Datatype::Uint8 => each(|b| u8::from_le_bytes(array(b)).into()),
        Datatype::Int8 => each(|b| i8::from_le_bytes(array(b)).into()),
        Datatype::Uint16 => each(|b| u16::from_le_bytes(array(b)).into()),
        Datatype::Int16 => each(|b| i16::from_le_bytes(array(b)).into()),
        Datatype::Uint32 => each(|b| u32::from_le_bytes(array(b)).into()),
        Datatype::Int32 => each(|b| i32::from_le_bytes(array(b)).into()),
        Datatype::Uint64 => each(|b| u64::from_le_bytes(array(b)) as f64),
        Datatype::Int64 => each(|b| i64::from_le_bytes(array(b)) as f64),
        Datatype::Fp16 => each(|b| half(u16::from_le_bytes(array(b)))),
        // the upper half of a float
        Datatype::Bf16 => {
            each(|b| f32::from_bits(u32::from(u16::from_le_bytes(array(b))) << 16).into())
        }
        Datatype::Fp32 => each(|b| f32::from_le_bytes(array(b)).into()),
        Datatype::Fp64 => each(|b| f64::from_le_bytes(array(b))),
        Datatype::Bytes | Datatype::Unknown => Values::default(),
    }
}

/// The first bytes of a chunk, which has as many.
fn array<const N: usize>(chunk: &[u8]) -> [u8; N] {
    chunk.first_chunk().copied().unwrap_or([0; N])
}

/// The value of a float of 16 bits: 1 of sign, 5 of exponent, 10 of fraction (IEEE 754).
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    let magnitude = match (bits >> 10) & 0x1f {
        0 => fraction * 2_f64.powi(-14),
        0x1f => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(i32::from(exponent) - 15),
    };
    if bits & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// The name of a tensor, from text that may be any.
pub(in crate::decode) fn name(text: &[u8]) -> String {
    walk::cut(&String::from_utf8_lossy(text)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(datatype: Datatype, bytes: &[u8]) -> Vec<Scalar> {
        let mut tensor = Tensor {
            datatype,
            ..Tensor::default()
        };
        tensor.fill(bytes, bytes.len());
        let values = tensor.take(0, 1);
        values.iter().map(std::borrow::Cow::into_owned).collect()
    }

    fn numbers(numbers: &[f64]) -> Vec<Scalar> {
        numbers.iter().map(|n| Scalar::of_number(*n)).collect()
    }

    #[test]
    fn every_type_is_read_from_its_bytes() {
        use Datatype::*;
        assert_eq!(of(Uint8, &[0, 255]), numbers(&[0.0, 255.0]));
        assert_eq!(of(Int8, &[0x80, 1]), numbers(&[-128.0, 1.0]));
        assert_eq!(of(Uint16, &[1, 2]), numbers(&[513.0]));
        assert_eq!(of(Int16, &[0xff, 0xff]), numbers(&[-1.0]));
        assert_eq!(of(Uint32, &[1, 0, 0, 0x80]), numbers(&[2_147_483_649.0]));
        assert_eq!(of(Int32, &[0xfe, 0xff, 0xff, 0xff]), numbers(&[-2.0]));
        assert_eq!(of(Uint64, &7_u64.to_le_bytes()), numbers(&[7.0]));
        assert_eq!(of(Int64, &(-7_i64).to_le_bytes()), numbers(&[-7.0]));
        assert_eq!(of(Fp32, &0.5_f32.to_le_bytes()), numbers(&[0.5]));
        assert_eq!(of(Fp64, &5.1_f64.to_le_bytes()), numbers(&[5.1]));
        assert_eq!(of(Bf16, &[0xc0, 0x3f]), numbers(&[1.5]));
        let bools = [Scalar::Bool(true), Scalar::Bool(false)];
        assert_eq!(of(Bool, &[1, 0]), bools);
        let texts = ["ab", ""].map(|text| Scalar::Text(text.into()));
        assert_eq!(of(Bytes, b"\x02\0\0\0ab\0\0\0\0"), texts);
    }

    #[test]
    fn halves_are_those_of_ieee_754() {
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x3555, 0.333_251_953_125),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 6.103_515_625e-5),
            (0x0000, 0.0),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits).to_bits(), f64::to_bits(value), "{bits:x}");
        }
        assert!(half(0x7c00).is_nan() && half(0x7e00).is_nan());
    }

    #[test]
    fn what_is_not_as_long_as_it_says_has_no_elements() {
        use Datatype::*;
        assert!(of(Fp32, &[0; 3]).is_empty());
        assert!(of(Bytes, b"\x05\0\0\0ab").is_empty());
        assert!(of(Bytes, b"\xff\xff\xff\xff").is_empty());
        assert!(of(Unknown, &[0; 4]).is_empty());
    }

    #[test]
    fn no_shape_of_any_size_is_believed_without_its_elements() {
        let shape = Shape::SCALAR.with(usize::MAX).and_then(|s| s.with(2));
        let mut tensor = Tensor {
            datatype: Datatype::Fp32,
            shape,
            ..Tensor::default()
        };
        tensor.fill(&[0; 8], 8);
        assert_eq!(tensor.whole(), None);
        assert_eq!(shape.unwrap().with(usize::MAX), None);
    }

    #[test]
    fn texts_beyond_the_bound_are_counted_alone() {
        let mut kept = Kept::within(0);
        for _ in 0..=FREE {
            kept.text(b"a");
        }
        assert!(kept.is_over && kept.values.is_empty());
        assert_eq!(kept.len, FREE + 1);
        let mut kept = Kept::within(0);
        (0..10_000).for_each(|_| kept.number(1.0));
        assert_eq!(kept.values.len(), 10_000);
    }
}
