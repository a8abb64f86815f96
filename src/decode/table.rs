//! Rows of named values, gathered column by column.

use std::collections::HashMap;

use super::{Column, Scalar, walk};

/// More than may be kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("too large")]
pub(super) struct TooLarge;

/// Rows of named values. Rows may lack fields and name them in any order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    columns: Vec<Column>,
    /// Rows that have ended.
    rows: usize,
    /// Where the next field is, if this row names fields in the order of the columns.
    next: usize,
    max_cells: usize,
    /// Columns by name; filled when there are too many to look through.
    places: HashMap<String, usize>,
}

impl Table {
    const MAX_COLUMNS: usize = 4096;
    /// Cells that any body may have.
    const FREE_CELLS: usize = 4096;
    /// Up to here, looking through the columns beats hashing.
    const FEW: usize = 16;

    /// For a body of `bytes`. A cell on the wire has at least four (`"":1`), so only missing cells
    /// reach the bound.
    pub(super) fn within(bytes: usize) -> Self {
        Self {
            max_cells: (bytes / 4).max(Self::FREE_CELLS),
            ..Self::default()
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }

    /// A field of the current row. Named twice, the last counts, as in Python.
    pub(super) fn put(&mut self, name: &str, value: Scalar) -> Result<(), TooLarge> {
        let place = self.place(walk::cut(name))?;
        self.next = place + 1;
        let values = &mut self.columns[place].values;
        values.resize(self.rows, Scalar::Missing);
        values.push(value);
        Ok(())
    }

    /// Ends the current row.
    pub(super) fn end_row(&mut self) -> Result<(), TooLarge> {
        self.rows += 1;
        self.next = 0;
        self.fits(self.rows, self.columns.len())
    }

    /// Number of rows, and the columns with that many values each.
    pub(super) fn finish(mut self) -> (usize, Vec<Column>) {
        for column in &mut self.columns {
            column.values.resize(self.rows, Scalar::Missing);
        }
        (self.rows, self.columns)
    }

    fn fits(&self, rows: usize, columns: usize) -> Result<(), TooLarge> {
        let fits = columns <= Self::MAX_COLUMNS && rows.saturating_mul(columns) <= self.max_cells;
        if fits { Ok(()) } else { Err(TooLarge) }
    }

    fn place(&mut self, name: &str) -> Result<usize, TooLarge> {
        let is_next = self.columns.get(self.next).is_some_and(|c| c.name == name);
        if is_next {
            return Ok(self.next);
        }
        match self.find(name) {
            Some(place) => Ok(place),
            None => self.add(name),
        }
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        if self.columns.len() <= Self::FEW {
            return self.columns.iter().position(|column| column.name == name);
        }
        for place in self.places.len()..self.columns.len() {
            self.places.insert(self.columns[place].name.clone(), place);
        }
        self.places.get(name).copied()
    }

    fn add(&mut self, name: &str) -> Result<usize, TooLarge> {
        self.fits(self.rows + 1, self.columns.len() + 1)?;
        self.columns.push(Column {
            name: name.to_owned(),
            // A single row is the rule: `push` alone would make room for four.
            values: Vec::with_capacity(self.rows + 1),
        });
        Ok(self.columns.len() - 1)
    }
}
