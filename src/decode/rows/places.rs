//! Where rows stand in a document, and their elements.

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess};

use super::{
    super::{
        inference::Scalar,
        table::Table,
        walk::{At, Leaf, Name, Node, Numbers, next_numbers, skip_elements},
    },
    Rows, Whole,
};

/// The place of rows.
#[derive(Clone, Copy)]
pub(in super::super) struct Data {
    /// Of the whole body.
    pub(in super::super) bytes: usize,
}

impl<'de> Node<'de> for Data {
    type Found = Rows;

    fn leaf(self, leaf: Leaf<'_>) -> Rows {
        let mut rows = Rows::within(self.bytes);
        match leaf.scalar() {
            Some(value) => rows.flat.push(value),
            None => rows.is_mixed = true,
        }
        rows.whole = Whole::Scalar;
        rows
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Rows, A::Error> {
        Rows::within(self.bytes).read_list(list)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::bare(self.bytes);
        rows.row(object)?;
        Ok(rows)
    }
}

/// The place of the rows of a data frame: each element of a row is one cell, whatever it is.
#[derive(Clone, Copy)]
pub(in super::super) struct Grid {
    /// Of the whole body.
    pub(in super::super) bytes: usize,
}

impl<'de> Node<'de> for Grid {
    type Found = Rows;

    fn leaf(self, _: Leaf<'_>) -> Rows {
        let mut rows = Rows::within(self.bytes);
        rows.is_mixed = true;
        rows
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::within(self.bytes);
        rows.depth = 0;
        rows.read_list(list)
    }
}

/// An object that has rows under one of some names.
#[derive(Clone, Copy)]
pub(in super::super) struct DataOf {
    pub(in super::super) names: &'static [&'static str],
    pub(in super::super) data: Data,
}

impl<'de> Node<'de> for DataOf {
    /// `None`: it has none of these.
    type Found = Option<Rows>;

    fn leaf(self, _: Leaf<'_>) -> Option<Rows> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Rows>, A::Error> {
        let mut rows = None;
        while let Some(name) = object.next_key_seed(Name)? {
            if self.names.contains(&&*name) {
                rows = Some(object.next_value_seed(At(self.data))?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(rows)
    }
}

/// An element of a list of rows.
pub(in super::super) struct Row<'a>(pub(in super::super) &'a mut Rows);

impl<'de> Node<'de> for Row<'_> {
    type Found = ();

    fn leaf(self, leaf: Leaf<'_>) {
        match leaf.scalar() {
            Some(value) => self.0.flat.push(value),
            None => self.0.is_mixed = true,
        }
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        let table = &mut self.0.table;
        let mut position = 0;
        let cells = Cells {
            table: &mut *table,
            position: &mut position,
            depth: self.0.depth,
        };
        cells.elements(list)?;
        table.end_row().map_err(A::Error::custom)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        self.0.row(object)
    }
}

impl Numbers<'_> for Row<'_> {
    fn number(&mut self, number: f64) {
        self.0.flat.push(Scalar::of_number(number));
    }
}

/// An element of a row by position; that of a list in it likewise.
struct Cells<'a> {
    table: &'a mut Table,
    position: &'a mut usize,
    depth: u8,
}

impl<'de> Node<'de> for Cells<'_> {
    type Found = ();

    fn leaf(self, leaf: Leaf<'_>) {
        let value = leaf.scalar().unwrap_or(Scalar::Missing);
        let position = *self.position;
        *self.position += 1;
        self.table.put_at(position, value);
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(depth) = self.depth.checked_sub(1) else {
            skip_elements(&mut list)?;
            self.leaf(Leaf::List);
            return Ok(());
        };
        Cells { depth, ..self }.elements(list)
    }
}

impl Numbers<'_> for Cells<'_> {
    #[inline]
    fn number(&mut self, number: f64) {
        self.table.put_number(*self.position, number);
        *self.position += 1;
    }
}

impl Cells<'_> {
    fn elements<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let cells = Cells {
                table: &mut *self.table,
                position: &mut *self.position,
                depth: self.depth,
            };
            if !next_numbers(&mut list, cells)? {
                return Ok(());
            }
        }
    }
}
