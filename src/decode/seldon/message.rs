//! The message of both directions, with whatever is read where rows stand.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        inference::Scalar,
        meaning::{Raw, Vectors},
        predictions::Items,
        table::{Table, TooLarge},
        v2,
        walk::{self, At, Leaf, Name, Node, Number, Word},
    },
    tftensor::TfTensor,
};
use crate::capture::Exchange;

/// What a message holds; `T`: what is made of its rows.
pub(super) struct Found<T> {
    pub(super) names: Vec<String>,
    /// Of `ndarray`.
    pub(super) rows: Option<T>,
    pub(super) tensor: Option<Tensor>,
    pub(super) tftensor: Option<v2::Tensor<'static>>,
    /// Of `strData` or `jsonData`.
    pub(super) plain: Option<T>,
    /// There is `binData`.
    pub(super) has_bytes: bool,
    pub(super) model: Option<String>,
    pub(super) version: Option<String>,
    pub(super) puid: Option<Box<str>>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            rows: None,
            tensor: None,
            tftensor: None,
            plain: None,
            has_bytes: false,
            model: None,
            version: None,
            puid: None,
        }
    }
}

impl<T> Found<T> {
    pub(super) fn plain(plain: T) -> Self {
        Self {
            plain: Some(plain),
            ..Self::default()
        }
    }

    pub(super) fn bytes() -> Self {
        Self {
            has_bytes: true,
            ..Self::default()
        }
    }

    /// Whether there is one of the kinds of `data`.
    pub(super) fn has_data(&self) -> bool {
        self.rows.is_some() || self.tftensor.is_some() || self.tensor.is_some()
    }

    fn is_message(&self) -> bool {
        self.has_data() || self.plain.is_some() || self.has_bytes
    }
}

/// A whole message; the node reads its rows.
#[derive(Clone, Copy)]
pub(super) struct Message<N>(pub(super) N);

impl<'de, N: Node<'de> + Copy> Node<'de> for Message<N> {
    /// `None`: it is none.
    type Found = Option<Found<N::Found>>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let mut found = Found::default();
        let mut meta = Stated::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "data" => {
                    let part = object.next_value_seed(At(Part(self.0)))?;
                    found = Found {
                        plain: found.plain,
                        has_bytes: found.has_bytes,
                        ..part
                    };
                }
                "strData" | "jsonData" => {
                    found.plain = Some(object.next_value_seed(At(self.0))?);
                }
                "binData" => {
                    object.next_value::<IgnoredAny>()?;
                    found.has_bytes = true;
                }
                "meta" => meta = object.next_value_seed(At(Meta))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        (found.model, found.version) = meta.path.unwrap_or_default();
        found.puid = meta.puid;
        Ok(found.is_message().then_some(found))
    }
}

/// The value of `data`.
#[derive(Clone, Copy)]
pub(super) struct Part<N>(pub(super) N);

impl<'de, N: Node<'de> + Copy> Node<'de> for Part<N> {
    type Found = Found<N::Found>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        Found::default()
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let mut found = Found::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "names" => found.names = object.next_value_seed(At(Names))?,
                "ndarray" => found.rows = Some(object.next_value_seed(At(self.0))?),
                "tensor" => found.tensor = object.next_value_seed(At(Shaped))?,
                "tftensor" => found.tftensor = object.next_value_seed(At(TfTensor))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A text alone, read as the node reads it.
#[derive(Clone, Copy)]
pub(super) struct Plain<N>(pub(super) N);

impl<'de, N: Node<'de>> Node<'de> for Plain<N> {
    type Found = N::Found;

    fn leaf(self, leaf: Leaf<'_>) -> N::Found {
        self.0.leaf(leaf)
    }
}

/// An object with a list of items under one of the names that servers have for them.
#[derive(Clone, Copy)]
pub(super) struct Enclosed(pub(super) Items);

impl<'de> Node<'de> for Enclosed {
    type Found = Option<Raw>;

    fn leaf(self, _: Leaf<'_>) -> Option<Raw> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Raw>, A::Error> {
        let mut raw = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if matches!(&*name, "predictions" | "outputs") {
                raw = object.next_value_seed(At(self.0))?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(raw)
    }
}

/// The place of `names`.
struct Names;

impl<'de> Node<'de> for Names {
    type Found = Vec<String>;

    fn leaf(self, _: Leaf<'_>) -> Vec<String> {
        Vec::new()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element_seed(At(Word))? {
            if names.len() < Table::MAX_COLUMNS {
                names.push(name.unwrap_or_default());
            }
        }
        Ok(names)
    }
}

/// What `meta` says.
#[derive(Default)]
pub(super) struct Stated {
    /// Of the only step of the request's path, the name and the image's tag.
    path: Option<(Option<String>, Option<String>)>,
    /// The name of the prediction.
    pub(super) puid: Option<Box<str>>,
}

/// The place of `meta`.
pub(super) struct Meta;

impl<'de> Node<'de> for Meta {
    type Found = Stated;

    fn leaf(self, _: Leaf<'_>) -> Stated {
        Stated::default()
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Stated, A::Error> {
        let mut found = Stated::default();
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "requestPath" => found.path = object.next_value_seed(At(RequestPath))?,
                "puid" => found.puid = object.next_value_seed(At(Puid))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

struct Puid;

impl Node<'_> for Puid {
    type Found = Option<Box<str>>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Box<str>> {
        let Leaf::Text(puid) = leaf else {
            return None;
        };
        Exchange::puid_of(puid).map(Into::into)
    }
}

struct RequestPath;

impl<'de> Node<'de> for RequestPath {
    type Found = Option<(Option<String>, Option<String>)>;

    fn leaf(self, _: Leaf<'_>) -> Self::Found {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        let (mut found, mut steps) = (None, 0);
        while let Some(name) = object.next_key_seed(Name)? {
            let image = object.next_value_seed(At(Image))?;
            found = Some((walk::word(&name), image));
            steps += 1;
        }
        // of several, none is said to be the model
        Ok(found.filter(|_| steps == 1))
    }
}

/// The tag of an image: `registry:5000/iris:0.1` has `0.1`.
struct Image;

impl Node<'_> for Image {
    type Found = Option<String>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<String> {
        let Leaf::Text(image) = leaf else {
            return None;
        };
        let name = image.split('@').next()?.rsplit('/').next()?;
        walk::word(name.split_once(':')?.1)
    }
}

/// Numbers with the shape that they have.
pub(super) struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
    are_whole: bool,
}

impl Tensor {
    /// Rows, and numbers of each.
    fn size(&self) -> Option<(usize, usize)> {
        let (rows, rest) = self.shape.split_first()?;
        let width = rest
            .iter()
            .try_fold(1, |all: usize, n| all.checked_mul(*n))?;
        let is_whole = *rows > 0 && width > 0 && rows.checked_mul(width) == Some(self.values.len());
        is_whole.then_some((*rows, width))
    }

    pub(super) fn raw(self) -> Option<Raw> {
        let (_, width) = self.size()?;
        let vectors = Vectors {
            labels: None,
            width,
            numbers: self.values,
            are_whole: self.are_whole,
        };
        Some(Raw {
            vectors: Some(vectors),
            ..Raw::default()
        })
    }

    pub(super) fn table(self) -> Result<Option<Table>, TooLarge> {
        let Some((_, width)) = self.size() else {
            return Ok(None);
        };
        let mut table = Table::within(self.values.len() * 4);
        for row in self.values.chunks_exact(width.max(1)) {
            for (position, value) in row.iter().enumerate() {
                table.put_at(position, Scalar::of_number(*value));
            }
            table.end_row()?;
        }
        Ok(Some(table))
    }
}

/// The place of a tensor.
struct Shaped;

impl<'de> Node<'de> for Shaped {
    type Found = Option<Tensor>;

    fn leaf(self, _: Leaf<'_>) -> Option<Tensor> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Tensor>, A::Error> {
        let (mut shape, mut values) = (Numbers::default(), Numbers::default());
        while let Some(name) = object.next_key_seed(Name)? {
            match &*name {
                "shape" => shape = object.next_value_seed(At(List))?,
                "values" => values = object.next_value_seed(At(List))?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        let shape = shape.all.into_iter().map(whole).collect::<Option<_>>();
        Ok(shape.map(|shape| Tensor {
            shape,
            values: values.all,
            are_whole: !values.has_fraction,
        }))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is neither too large nor below 0"
)]
fn whole(number: f64) -> Option<usize> {
    (number.fract() == 0.0 && (0.0..1e9).contains(&number)).then_some(number as usize)
}

#[derive(Default)]
struct Numbers {
    all: Vec<f64>,
    has_fraction: bool,
}

struct List;

impl<'de> Node<'de> for List {
    type Found = Numbers;

    fn leaf(self, _: Leaf<'_>) -> Numbers {
        Numbers::default()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Numbers, A::Error> {
        let mut numbers = Numbers::default();
        while let Some(number) = list.next_element_seed(At(Number))? {
            let number = number.unwrap_or(f64::NAN);
            // doubles of protocol buffers are written without their zeros, or with: 2.0
            numbers.has_fraction |= number.fract() != 0.0;
            numbers.all.push(number);
        }
        Ok(numbers)
    }
}
