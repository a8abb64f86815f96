//! The value of a field of a row: a scalar, or a list that may be a vector or a column.

use serde::de::SeqAccess;

use super::{
    super::{
        inference::{Scalar, Values},
        walk::{At, Leaf, Node, skip_elements},
    },
    DEPTH,
    tensor::Tensor,
};

/// The value of a field of a row.
pub(super) struct Field;

pub(super) enum Found {
    /// Also a list of one value: a column of shape [1, 1].
    Scalar(Scalar),
    List(Tensor),
    Other,
}

impl<'de> Node<'de> for Field {
    type Found = Found;

    fn leaf(self, leaf: Leaf<'_>) -> Found {
        leaf.scalar().map_or(Found::Other, Found::Scalar)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut tensor = Tensor {
            values: Values::with_capacity(0),
            len: 0,
        };
        loop {
            let before = tensor.values.len();
            let part = Part {
                values: &mut tensor.values,
                depth: DEPTH,
            };
            let Some(is_part) = list.next_element_seed(At(part))? else {
                break;
            };
            tensor.len += 1;
            let is_even = tensor.values.len() == before + tensor.width_of_first(before);
            if !(is_part && is_even) {
                skip_elements(&mut list)?;
                return Ok(Found::Other);
            }
        }
        Ok(match (&tensor.values, tensor.values.len()) {
            (_, 0) => Found::Other,
            (values, 1) => values
                .iter()
                .next()
                .map_or(Found::Other, |value| Found::Scalar(value.into_owned())),
            _ => Found::List(tensor),
        })
    }
}

/// The place of a list of scalars, deeper lists flattened; `None`: it is something else.
pub(in super::super) struct Flat;

impl<'de> Node<'de> for Flat {
    type Found = Option<Values>;

    fn leaf(self, _: Leaf<'_>) -> Option<Values> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Values>, A::Error> {
        let mut values = Values::with_capacity(0);
        let part = Part {
            values: &mut values,
            depth: DEPTH,
        };
        let is_flat = part.list(list)?;
        Ok(is_flat.then_some(values))
    }
}

/// An element of such a list, flattened; `false`: it is none.
struct Part<'a> {
    values: &'a mut Values,
    depth: u8,
}

impl<'de> Node<'de> for Part<'_> {
    type Found = bool;

    fn leaf(self, leaf: Leaf<'_>) -> bool {
        leaf.scalar().map(|value| self.values.push(value)).is_some()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let Some(depth) = self.depth.checked_sub(1) else {
            skip_elements(&mut list)?;
            return Ok(false);
        };
        let mut are_parts = true;
        loop {
            let part = Part {
                values: &mut *self.values,
                depth,
            };
            match list.next_element_seed(At(part))? {
                Some(is_part) => are_parts &= is_part,
                None => return Ok(are_parts),
            }
        }
    }
}
