//! `ModelInferRequest` and `ModelInferResponse`.

use super::super::{
    DecodeError, Scalar,
    protobuf::{Fields, Malformed, Value, fixed32, fixed64, varints},
    v2::{self, Cells, Datatype, Document, Kept, Shape, Tensor},
    walk,
};

/// Numbers of the fields that the two kinds of message have apart.
pub(super) struct Kind {
    raw_contents: u64,
}

pub(super) const REQUEST: Kind = Kind { raw_contents: 7 };
pub(super) const ANSWER: Kind = Kind { raw_contents: 6 };

/// One message.
pub(super) struct Message<'a> {
    /// Empty: none was given.
    pub(super) id: &'a [u8],
    pub(super) document: Document<'a>,
}

impl<'a> Message<'a> {
    /// `bytes`: of what came.
    pub(super) fn read(message: &'a [u8], kind: &Kind, bytes: usize) -> Result<Self, DecodeError> {
        let mut read = Self {
            id: &[],
            document: Document::default(),
        };
        let mut tensors = Vec::new();
        let mut raw = Vec::new();
        // a truth value is a byte on the wire, and all tensors of a message come to one memory
        let mut room = Kept::room(bytes);
        for field in Fields::of(message) {
            match field? {
                (1, Value::Bytes(model)) => read.document.model = word(model),
                (2, Value::Bytes(version)) => read.document.version = word(version),
                (3, Value::Bytes(id)) => read.id = id,
                (4, Value::Bytes(entry)) => read.document.is_pandas |= is_pandas(entry)?,
                (5, Value::Bytes(tensor)) if tensors.len() < v2::MAX_TENSORS => {
                    tensors.push(self::tensor(tensor, &mut room)?);
                }
                (5, _) => return Err(super::TOO_LARGE),
                (number, Value::Bytes(contents))
                    if number == kind.raw_contents && raw.len() < v2::MAX_TENSORS =>
                {
                    raw.push(contents);
                }
                _ => {}
            }
        }
        // they stand for all tensors or for none
        for (tensor, contents) in tensors.iter_mut().zip(raw) {
            tensor.fill(contents, bytes);
        }
        read.document.tensors = Some(tensors);
        Ok(read)
    }
}

fn word(text: &[u8]) -> Option<String> {
    walk::word(&String::from_utf8_lossy(text))
}

/// Whether a parameter says that tensors are the columns of one table.
fn is_pandas(entry: &[u8]) -> Result<bool, Malformed> {
    let (mut is_type, mut is_pandas) = (false, false);
    for field in Fields::of(entry) {
        match field? {
            (1, Value::Bytes(name)) => is_type = name == b"content_type",
            (2, Value::Bytes(parameter)) => {
                for field in Fields::of(parameter) {
                    is_pandas |= field? == (3, Value::Bytes(b"pd"));
                }
            }
            _ => {}
        }
    }
    Ok(is_type && is_pandas)
}

fn tensor<'a>(message: &[u8], room: &mut usize) -> Result<Tensor<'a>, Malformed> {
    let mut tensor = Tensor::default();
    let mut shape = Some(Shape::SCALAR);
    for field in Fields::of(message) {
        match field? {
            (1, Value::Bytes(name)) => tensor.name = v2::name(name),
            (2, Value::Bytes(name)) => {
                tensor.datatype =
                    std::str::from_utf8(name).map_or(Datatype::Unknown, Datatype::named);
            }
            (3, dimensions) => varints(dimensions, |dimension| {
                // a negative one has the highest bit, and is more than there is
                let dimension = usize::try_from(dimension).unwrap_or(usize::MAX);
                shape = shape.and_then(|shape| shape.with(dimension));
            })?,
            (5, Value::Bytes(typed)) => {
                let mut kept = Kept::with_room(*room);
                contents(typed, &mut kept)?;
                *room -= kept.taken();
                tensor.cells = Cells::Kept(kept.finish());
            }
            _ => {}
        }
    }
    tensor.shape = shape;
    Ok(tensor)
}

/// `InferTensorContents`: lists of one type each, of which one is there.
#[expect(clippy::cast_precision_loss, reason = "features are floats")]
fn contents(message: &[u8], kept: &mut Kept) -> Result<(), Malformed> {
    for field in Fields::of(message) {
        let (number, value) = field?;
        match (number, value) {
            (1, value) => varints(value, |n| kept.push(Scalar::Bool(n != 0)))?,
            (2 | 3, value) => varints(value, |n| kept.number(n.cast_signed() as f64))?,
            (4 | 5, value) => varints(value, |n| kept.number(n as f64))?,
            (6, value) => fixed32(value, |n| kept.number(f32::from_le_bytes(n).into()))?,
            (7, value) => fixed64(value, |n| kept.number(f64::from_le_bytes(n)))?,
            (8, Value::Bytes(text)) => kept.text(text),
            _ => {}
        }
    }
    Ok(())
}
