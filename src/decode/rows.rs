//! Rows of features, in any of the shapes that JSON has for them.
//!
//! | shape | rows |
//! |---|---|
//! | `[[1, 2], [3, 4]]` | two, by position; deeper lists are flattened |
//! | `[{"a": 1}, {"a": 3}]` | two, by name |
//! | `{"a": [1, 3], "b": [2, 4]}`, or a list with one such object | two, column by column |
//! | `{"x": [[1, 2], [3, 4]]}`, `[{"x": [1, 2]}, {"x": [3, 4]}]` | two, by position |
//! | `{"a": 1, "b": 2}` | one |
//! | `[1, 2, 3]` | one, or three of one column where the answer has three items |

mod field;
mod places;
mod settle;
mod tensor;

pub(super) use self::{
    field::Flat,
    places::{Data, DataOf, Grid, Row},
};

use serde::de::{Error as _, MapAccess, SeqAccess};

use self::{
    field::{Field, Found},
    tensor::Tensor,
};
use super::{
    inference::{Scalar, Values},
    table::{Table, TooLarge},
    walk::{At, Name, next_numbers},
};

/// How deep lists of a row are looked into: an image has three dimensions.
const DEPTH: u8 = 4;

/// What stands where rows are expected; [`Rows::settle`] makes rows of it.
#[derive(Debug)]
pub(super) struct Rows {
    table: Table,
    /// Scalars that stand in no row.
    flat: Values,
    /// Lists in the first object, by its names.
    lists: Vec<(String, Tensor)>,
    /// Values of the objects after it, where each holds the same list and nothing else.
    later: Values,
    objects: usize,
    /// A scalar stands beside lists in an object.
    has_fields: bool,
    /// Objects hold what is neither a scalar nor the list that all of them hold.
    has_others: bool,
    whole: Whole,
    /// Something is no row, or not of the same kind as the others.
    is_mixed: bool,
    /// How deep lists of a row by position are looked into.
    depth: u8,
    bytes: usize,
}

/// What rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    List,
    /// One object, in no list.
    Object,
    Scalar,
}

impl Rows {
    /// For a body of `bytes`.
    pub(super) fn within(bytes: usize) -> Self {
        Self {
            table: Table::within(bytes),
            flat: Values::with_capacity(0),
            lists: Vec::new(),
            later: Values::with_capacity(0),
            objects: 0,
            has_fields: false,
            has_others: false,
            whole: Whole::List,
            is_mixed: false,
            depth: DEPTH,
            bytes,
        }
    }

    /// One object in no list, whose fields are still to be read.
    pub(super) fn bare(bytes: usize) -> Self {
        Self {
            whole: Whole::Object,
            ..Self::within(bytes)
        }
    }

    fn is_bare(&self) -> bool {
        self.whole == Whole::Object
    }

    /// Values that stand in no row.
    pub(super) fn loose(&self) -> usize {
        self.flat.len()
    }

    /// Whether no field of an object holds anything but a scalar.
    pub(super) fn holds_scalars(&self) -> bool {
        self.has_fields && !self.has_others && self.lists.is_empty()
    }

    /// Reads the value of a field, as [`Data`], into these.
    pub(super) fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        object: &mut A,
    ) -> Result<(), A::Error> {
        match object.next_value_seed(At(Field))? {
            // encoded bytes, as of an image
            Found::Scalar(Scalar::Text(_)) if name == "b64" => self.has_fields = true,
            Found::Scalar(value) => {
                self.has_fields = true;
                self.table.put(name, value).map_err(A::Error::custom)?;
            }
            Found::List(list) if self.objects == 0 => {
                if self.lists.len() == Table::MAX_COLUMNS {
                    return Err(A::Error::custom(TooLarge));
                }
                self.lists.push((name.to_owned(), list));
            }
            Found::List(list) if self.is_repeated(name, &list) => {
                list.values
                    .iter()
                    .for_each(|v| self.later.push(v.into_owned()));
            }
            Found::List(_) | Found::Other => self.has_others = true,
        }
        Ok(())
    }

    fn is_repeated(&self, name: &str, list: &Tensor) -> bool {
        let is_wanted = !self.has_fields && !self.has_others;
        is_wanted
            && matches!(self.lists.as_slice(), [(first, of_first)]
                if first == name && of_first.values.len() == list.values.len())
    }

    pub(super) fn row<'de, A: MapAccess<'de>>(&mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key_seed(Name)? {
            self.field(&name, &mut object)?;
        }
        self.end().map_err(A::Error::custom)
    }

    /// Ends an object whose fields were read.
    pub(super) fn end(&mut self) -> Result<(), TooLarge> {
        self.objects += 1;
        self.table.end_row()
    }

    fn read_list<'de, A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while next_numbers(&mut list, Row(&mut self))? {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
