//! A tensor of `TensorFlow` as JSON: a type, a shape, and elements as lists or as bytes.
//!
//! `{"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]}, "floatVal": [1, 2]}`, or
//! `tensorContent` in base64 with the elements in little-endian order. The last element of a list
//! stands for all that are missing. Names may also be written with underscores.
//!
//! From `tensor.proto`, `tensor_shape.proto` and `types.proto` of `TensorFlow`, and the JSON mapping of
//! protocol buffers.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::super::{
    v2::{Cells, Datatype, Dimensions, Kept, Shape, Tensor},
    walk::{At, Leaf, Name, Node},
};
use crate::capture::recorded::base64;

/// The place of one; `None`: it has no shape.
pub(super) struct TfTensor;

impl<'de> Node<'de> for TfTensor {
    type Found = Option<Tensor<'static>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let (mut datatype, mut shape) = (Datatype::Unknown, None);
        let mut kept = Kept::with_room(FREE);
        let mut content = None;
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "dtype" => datatype = object.next_value_seed(At(Type))?,
                "tensorShape" | "tensor_shape" => shape = object.next_value_seed(At(ShapeOf))?,
                "tensorContent" | "tensor_content" => {
                    content = object.next_value_seed(At(Content))?;
                }
                name if name.ends_with("Val") || name.ends_with("_val") => {
                    object.next_value_seed(At(Elements {
                        are_texts: name.starts_with("string"),
                        kept: &mut kept,
                    }))?;
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let Some(bytes) = content.filter(|bytes: &Vec<u8>| !bytes.is_empty()) {
            kept = Kept::of_bytes(&bytes, datatype);
        }
        Ok(shape.map(|shape| {
            kept.repeat_last(shape, FREE);
            Tensor {
                datatype,
                shape: Some(shape),
                cells: Cells::Kept(kept.finish()),
                ..Tensor::default()
            }
        }))
    }
}

/// Most texts, and most elements that the last of fewer stands for: a few bytes may stand for any number.
const FREE: usize = 4096;

/// The place of a type, by its name or its number.
struct Type;

impl Node<'_> for Type {
    type Found = Datatype;

    fn leaf(self, leaf: Leaf<'_>) -> Datatype {
        match leaf {
            Leaf::Text("DT_FLOAT") | Leaf::Integer(1) => Datatype::Fp32,
            Leaf::Text("DT_DOUBLE") | Leaf::Integer(2) => Datatype::Fp64,
            Leaf::Text("DT_INT32") | Leaf::Integer(3) => Datatype::Int32,
            Leaf::Text("DT_UINT8") | Leaf::Integer(4) => Datatype::Uint8,
            Leaf::Text("DT_INT16") | Leaf::Integer(5) => Datatype::Int16,
            Leaf::Text("DT_INT8") | Leaf::Integer(6) => Datatype::Int8,
            Leaf::Text("DT_STRING") | Leaf::Integer(7) => Datatype::Bytes,
            Leaf::Text("DT_INT64") | Leaf::Integer(9) => Datatype::Int64,
            Leaf::Text("DT_BOOL") | Leaf::Integer(10) => Datatype::Bool,
            Leaf::Text("DT_BFLOAT16") | Leaf::Integer(14) => Datatype::Bf16,
            Leaf::Text("DT_UINT16") | Leaf::Integer(17) => Datatype::Uint16,
            Leaf::Text("DT_HALF") | Leaf::Integer(19) => Datatype::Fp16,
            Leaf::Text("DT_UINT32") | Leaf::Integer(22) => Datatype::Uint32,
            Leaf::Text("DT_UINT64") | Leaf::Integer(23) => Datatype::Uint64,
            _ => Datatype::Unknown,
        }
    }
}

/// The place of a shape: `{"dim": [{"size": "2"}, ..]}`.
struct ShapeOf;

impl<'de> Node<'de> for ShapeOf {
    type Found = Option<Shape>;

    fn leaf(self, _: Leaf<'_>) -> Option<Shape> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Shape>, A::Error> {
        let mut shape = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == "dim" {
                shape = object.next_value_seed(At(Dimensions(Dimension)))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(shape)
    }
}

#[derive(Clone, Copy)]
struct Dimension;

impl<'de> Node<'de> for Dimension {
    type Found = Option<usize>;

    fn leaf(self, _: Leaf<'_>) -> Option<usize> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<usize>, A::Error> {
        let mut size = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if name == "size" {
                size = object.next_value_seed(At(Size))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(size)
    }
}

/// The place of a size, which is a text as all integers of 64 bits are.
struct Size;

impl Node<'_> for Size {
    type Found = Option<usize>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<usize> {
        match leaf {
            Leaf::Integer(size) => usize::try_from(size).ok(),
            Leaf::Text(size) => size.parse().ok(),
            _ => None,
        }
    }
}

/// The place of a list of elements.
struct Elements<'a> {
    kept: &'a mut Kept,
    /// They are texts in base64, not numbers or truth values.
    are_texts: bool,
}

impl<'de> Node<'de> for Elements<'_> {
    type Found = ();

    fn leaf(self, _: Leaf<'_>) {}

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let element = Element(Elements {
                kept: &mut *self.kept,
                are_texts: self.are_texts,
            });
            if list.next_element_seed(At(element))?.is_none() {
                return Ok(());
            }
        }
    }
}

struct Element<'a>(Elements<'a>);

impl Node<'_> for Element<'_> {
    type Found = ();

    fn leaf(self, leaf: Leaf<'_>) {
        let Elements { kept, are_texts } = self.0;
        match leaf {
            Leaf::Text(text) if are_texts => kept.text(&base64::decode(text).unwrap_or_default()),
            Leaf::Bool(value) => kept.number(f64::from(u8::from(value))),
            leaf => kept.number(leaf.number().unwrap_or(f64::NAN)),
        }
    }
}

/// The place of bytes.
struct Content;

impl Node<'_> for Content {
    type Found = Option<Vec<u8>>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Vec<u8>> {
        match leaf {
            Leaf::Text(text) => base64::decode(text),
            _ => None,
        }
    }
}
