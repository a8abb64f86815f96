//! A list in an object, as a vector or as rows of them.

use super::super::{
    inference::{Name as Called, Values},
    table::{Table, TooLarge},
};

/// A list in an object: scalars, or lists of as many scalars each.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) values: Values,
    /// Elements of the outermost list.
    pub(super) len: usize,
}

impl Tensor {
    /// Values of each element.
    pub(super) fn width(&self) -> usize {
        self.values.len() / self.len.max(1)
    }

    /// Puts each element into `table` as a row by position.
    pub(super) fn put(&self, table: &mut Table) -> Result<(), TooLarge> {
        let width = self.width();
        if width <= Table::MAX_COLUMNS {
            for position in 0..width {
                table.put_column(Called::Position(position), self.column(position))?;
            }
        }
        table.count(self.len);
        Ok(())
    }

    /// The same as columns that are called by `name` and their place.
    pub(super) fn put_named(&self, name: &str, table: &mut Table) -> Result<(), TooLarge> {
        for place in 0..self.width() {
            table.fits_column(self.len)?;
            table.put_column(Called::placed(name, place), self.column(place))?;
        }
        Ok(())
    }

    fn column(&self, position: usize) -> Values {
        let width = self.width();
        match &self.values {
            Values::Numbers(all) => {
                Values::Numbers(all[position..].iter().step_by(width).copied().collect())
            }
            Values::Mixed(all) => all[position..].iter().step_by(width).cloned().collect(),
        }
    }

    /// Values of the first element, when the last one begins at `before`.
    pub(super) fn width_of_first(&self, before: usize) -> usize {
        if self.len == 1 {
            self.values.len()
        } else {
            before / (self.len - 1)
        }
    }
}
