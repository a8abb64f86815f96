//! The JSON of a request or an answer.

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        inference::Scalar,
        walk::{At, Leaf, Name, Node, Numbers, Word, next_numbers, skip_elements},
    },
    tensor::{Cells, Datatype, Kept, Shape, Tensor},
};

/// Most tensors of one message: as many as columns are kept.
pub(in crate::decode) const MAX_TENSORS: usize = 4096;
/// How deep lists of elements are looked into: a batch of images has four dimensions.
const DEPTH: u8 = 6;

/// What a message says.
#[derive(Debug, Default, PartialEq)]
pub(in crate::decode) struct Document<'a> {
    pub(in crate::decode) model: Option<String>,
    pub(in crate::decode) version: Option<String>,
    /// `None`: it has no such list.
    pub(in crate::decode) tensors: Option<Vec<Tensor<'a>>>,
    /// Tensors are the columns of one table.
    pub(in crate::decode) is_pandas: bool,
}

/// The place of a message.
#[derive(Clone, Copy)]
pub(super) struct Message {
    /// `inputs` or `outputs`.
    pub(super) list: &'static str,
    /// Of the whole body.
    pub(super) bytes: usize,
}

impl<'de> Node<'de> for Message {
    type Found = Document<'static>;

    fn leaf(self, _: Leaf<'_>) -> Document<'static> {
        Document::default()
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Document<'static>, A::Error> {
        let mut document = Document::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "model_name" => document.model = object.next_value_seed(At(Word))?,
                "model_version" => document.version = object.next_value_seed(At(Word))?,
                "parameters" => {
                    document.is_pandas = object.next_value_seed(At(Parameters))?.is_pandas;
                }
                name if name == self.list => {
                    let tensors = Tensors { bytes: self.bytes };
                    document.tensors = object.next_value_seed(At(tensors))?;
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(document)
    }
}

struct Tensors {
    bytes: usize,
}

impl<'de> Node<'de> for Tensors {
    type Found = Option<Vec<Tensor<'static>>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        let mut tensors = Vec::new();
        while let Some(tensor) = list.next_element_seed(At(One { bytes: self.bytes }))? {
            if tensors.len() == MAX_TENSORS {
                return Err(A::Error::custom("too many tensors"));
            }
            tensors.extend(tensor);
        }
        Ok(Some(tensors))
    }
}

/// The place of a tensor.
struct One {
    bytes: usize,
}

impl<'de> Node<'de> for One {
    type Found = Option<Tensor<'static>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let mut tensor = Tensor::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "name" => tensor.name = object.next_value_seed(At(Word))?.unwrap_or_default(),
                "datatype" => tensor.datatype = object.next_value_seed(At(Type))?,
                "shape" => tensor.shape = object.next_value_seed(At(Dimensions(Size)))?,
                "parameters" => {
                    tensor.binary_bytes = object.next_value_seed(At(Parameters))?.binary_bytes;
                }
                "data" => {
                    let mut kept = Kept::within(self.bytes).expecting(tensor.shape);
                    object.next_value_seed(At(Elements {
                        kept: &mut kept,
                        depth: DEPTH,
                    }))?;
                    tensor.cells = Cells::Kept(kept.finish());
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(tensor))
    }
}

/// The place of parameters, of a message or a tensor.
struct Parameters;

#[derive(Default)]
struct Parameter {
    is_pandas: bool,
    binary_bytes: Option<usize>,
}

impl<'de> Node<'de> for Parameters {
    type Found = Parameter;

    fn leaf(self, _: Leaf<'_>) -> Parameter {
        Parameter::default()
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Parameter, A::Error> {
        let mut found = Parameter::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "content_type" => {
                    let kind = object.next_value_seed(At(Word))?;
                    found.is_pandas = kind.as_deref() == Some("pd");
                }
                "binary_data_size" => found.binary_bytes = object.next_value_seed(At(Size))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// The place of a datatype.
struct Type;

impl Node<'_> for Type {
    type Found = Datatype;

    fn leaf(self, leaf: Leaf<'_>) -> Datatype {
        match leaf {
            Leaf::Text(name) => Datatype::named(name),
            _ => Datatype::Unknown,
        }
    }
}

/// The place of a size.
#[derive(Clone, Copy)]
struct Size;

impl Node<'_> for Size {
    type Found = Option<usize>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<usize> {
        match leaf {
            Leaf::Integer(size) => usize::try_from(size).ok(),
            Leaf::Large(size) => usize::try_from(size).ok(),
            _ => None,
        }
    }
}

/// The place of a shape: a list with a size in each of its places.
pub(in super::super) struct Dimensions<N>(pub(in super::super) N);

impl<'de, N> Node<'de> for Dimensions<N>
where
    N: Node<'de, Found = Option<usize>> + Copy,
{
    type Found = Option<Shape>;

    fn leaf(self, _: Leaf<'_>) -> Option<Shape> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Shape>, A::Error> {
        let mut shape = Some(Shape::SCALAR);
        while let Some(size) = list.next_element_seed(At(self.0))? {
            shape = shape.and_then(|shape| shape.with(size?));
        }
        Ok(shape)
    }
}

/// The place of elements, flat or nested, or of the only one.
struct Elements<'a> {
    kept: &'a mut Kept,
    depth: u8,
}

impl<'de> Node<'de> for Elements<'_> {
    type Found = ();

    #[expect(clippy::cast_precision_loss, reason = "elements are floats")]
    fn leaf(self, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Integer(value) => self.kept.number(value as f64),
            Leaf::Large(value) => self.kept.number(value as f64),
            Leaf::Real(value) => self.kept.number(value),
            Leaf::Text(text) => self.kept.push(Scalar::Text(text.into())),
            leaf => self.kept.push(leaf.scalar().unwrap_or(Scalar::Missing)),
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            skip_elements(&mut list)?;
            self.leaf(Leaf::List);
            return Ok(());
        }
        loop {
            let elements = Elements {
                kept: &mut *self.kept,
                depth: self.depth - 1,
            };
            if !next_numbers(&mut list, elements)? {
                return Ok(());
            }
        }
    }
}

impl Numbers<'_> for Elements<'_> {
    #[inline]
    fn number(&mut self, number: f64) {
        self.kept.number(number);
    }
}
