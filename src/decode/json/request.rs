//! The rows of a request, under whatever name they stand.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use super::super::{
    Asked, DecodeError, Pair,
    rows::{Data, Rows},
    walk::{self, At, Leaf, Name, Node},
};

/// Names under which a flat list of numbers is the features of an item.
const USUAL: &[&str] = &[
    "input",
    "inputs",
    "input_data",
    "instance",
    "instances",
    "features",
    "data",
    "x",
    "X",
];

/// What was asked; `None`: nothing says which numbers are features. `items`, those of the answer.
pub(in crate::decode) fn asked(
    format: &'static str,
    pair: &Pair<'_>,
    items: Option<usize>,
) -> Result<Option<Asked>, DecodeError> {
    if items.is_none() && !pair.is_of_route(format) {
        return Ok(None);
    }
    rows_of(format, pair.request, pair.shape()?, items)
}

/// The rows of a body with JSON.
pub(in crate::decode) fn rows(
    format: &'static str,
    body: &[u8],
    items: Option<usize>,
) -> Result<Option<Asked>, DecodeError> {
    rows_of(format, body, Shape::of(body)?, items)
}

fn rows_of(
    format: &'static str,
    body: &[u8],
    shape: Shape,
    items: Option<usize>,
) -> Result<Option<Asked>, DecodeError> {
    let place = shape.place;
    let data = Data { bytes: body.len() };
    let rows = walk::read(format, body, Document { data, place })?;
    let Some(rows) = rows else {
        return Ok(None);
    };
    let table = rows
        .settle(items)
        .map_err(|_| DecodeError::TooLarge { format })?;
    // the rows of an image are no items, so what was taken for rows may not be any
    let table = table.filter(|table| items.is_none_or(|items| items == table.rows()));
    Ok(table.map(Asked::from))
}

/// What a request looks like, from one pass that keeps nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::decode) struct Shape {
    place: Place,
    /// Rows of numbers, or of objects, where that is plain to see.
    rows: Option<usize>,
}

/// Where the rows stand.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Place {
    /// The whole document: bare rows, or the fields of one.
    #[default]
    Whole,
    /// The field of this number, from 0.
    Field(usize),
}

impl Shape {
    /// That of a body, which may be anything.
    pub(in crate::decode) fn of(body: &[u8]) -> Result<Self, DecodeError> {
        walk::read(super::FORMAT, body, Look)
    }

    /// Whether numbers were sent for just so many items.
    pub(in crate::decode) fn vouches_for(&self, items: usize) -> bool {
        items > 0 && self.rows == Some(items)
    }

    /// Whether it is an object that holds them.
    pub(in crate::decode) fn is_argument(&self) -> bool {
        matches!(self.place, Place::Field(_))
    }
}

#[derive(Clone, Copy)]
struct Look;

impl<'de> Node<'de> for Look {
    type Found = Shape;

    fn leaf(self, _: Leaf<'_>) -> Shape {
        Shape::default()
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Shape, A::Error> {
        let rows = Value.list(list)?.rows(false);
        Ok(Shape {
            place: Place::Whole,
            rows,
        })
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Shape, A::Error> {
        let (mut numbers, mut holders, mut at) = (0, 0, 0);
        let mut only = (0, Seen::Other, false);
        while let Some(name) = object.next_key_seed(Name)? {
            match object.next_value_seed(At(Value))? {
                Seen::Number => numbers += 1,
                Seen::Other => {}
                held => {
                    holders += 1;
                    only = (at, held, USUAL.contains(&&*name));
                }
            }
            at += 1;
        }
        let (at, held, is_usual) = only;
        // beside numbers, a flat list under a name of its own is one more feature
        let is_rows = is_usual || numbers == 0 || !matches!(held, Seen::Flat(_));
        if holders != 1 || !is_rows {
            return Ok(Shape::default());
        }
        Ok(Shape {
            place: Place::Field(at),
            rows: held.rows(is_usual),
        })
    }
}

/// What a value is, seen from afar.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Number,
    /// So many numbers.
    Flat(usize),
    /// So many lists of at least two numbers, or objects.
    Rows(usize),
    /// Lists of something else, or an object.
    Holder,
    Other,
}

impl Seen {
    fn rows(self, is_usual: bool) -> Option<usize> {
        match self {
            Self::Rows(rows) => Some(rows),
            Self::Flat(_) if is_usual => Some(1),
            _ => None,
        }
    }
}

struct Value;

impl<'de> Node<'de> for Value {
    type Found = Seen;

    fn leaf(self, leaf: Leaf<'_>) -> Seen {
        match leaf {
            Leaf::Object => Seen::Holder,
            leaf if leaf.number().is_some() => Seen::Number,
            _ => Seen::Other,
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seen, A::Error> {
        let (mut numbers, mut rows, mut all) = (0, 0, 0);
        while let Some(element) = list.next_element_seed(At(Element))? {
            match element {
                Seen::Number => numbers += 1,
                Seen::Flat(2..) | Seen::Holder => rows += 1,
                _ => {}
            }
            all += 1;
        }
        Ok(match all {
            0 => Seen::Other,
            _ if numbers == all => Seen::Flat(all),
            _ if rows == all => Seen::Rows(all),
            _ => Seen::Holder,
        })
    }
}

/// An element of a list.
struct Element;

impl<'de> Node<'de> for Element {
    type Found = Seen;

    fn leaf(self, leaf: Leaf<'_>) -> Seen {
        Value.leaf(leaf)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seen, A::Error> {
        let (mut numbers, mut all) = (0, 0);
        while let Some(is_number) = list.next_element_seed(At(IsNumber))? {
            numbers += usize::from(is_number);
            all += 1;
        }
        Ok(if numbers == all {
            Seen::Flat(all)
        } else {
            Seen::Other
        })
    }
}

struct IsNumber;

impl Node<'_> for IsNumber {
    type Found = bool;

    fn leaf(self, leaf: Leaf<'_>) -> bool {
        matches!(leaf, Leaf::Null) || leaf.number().is_some()
    }
}

#[derive(Clone, Copy)]
struct Document {
    data: Data,
    place: Place,
}

impl<'de> Node<'de> for Document {
    type Found = Option<Rows>;

    fn leaf(self, _: Leaf<'_>) -> Option<Rows> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Rows>, A::Error> {
        self.data.list(list).map(Some)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Rows>, A::Error> {
        let Place::Field(place) = self.place else {
            return self.data.object(object).map(Some);
        };
        let mut rows = None;
        let mut at = 0;
        while object.next_key::<IgnoredAny>()?.is_some() {
            if at == place {
                rows = Some(object.next_value_seed(At(self.data))?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
            at += 1;
        }
        Ok(rows)
    }
}
