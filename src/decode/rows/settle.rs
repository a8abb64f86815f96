//! What the rows are, once all is read and the answer has said how many there should be.

use super::{
    super::{
        inference::{Name as Called, Scalar, Values},
        table::{Table, TooLarge},
    },
    Rows, Whole,
    tensor::Tensor,
};

impl Rows {
    /// The rows; `items`, those of the answer, settles what the shape alone leaves open. `None`: there
    /// are none.
    pub(in super::super) fn settle(
        mut self,
        items: Option<usize>,
    ) -> Result<Option<Table>, TooLarge> {
        let has_rows = self.table.rows() > 0;
        if self.is_mixed || (has_rows && !self.flat.is_empty()) {
            return Ok(None);
        }
        if !self.flat.is_empty() {
            return self.settle_flat(items).map(Some);
        }
        if self.is_column_wise(items) {
            return self.settle_columns().map(Some);
        }
        let has_lists = self.has_others || !self.lists.is_empty();
        if self.is_bare() && has_lists && items.is_some_and(|items| items != 1) {
            // columns, but not of a value for each item
            return Ok(None);
        }
        if let Some(vectors) = self.vectors() {
            let mut table = Table::within(self.bytes);
            vectors.put(&mut table)?;
            return Ok(Some(table));
        }
        Ok(has_rows.then_some(self.table))
    }

    /// A flat list of numbers is one item, and one of words several.
    fn settle_flat(self, items: Option<usize>) -> Result<Table, TooLarge> {
        let len = self.flat.len();
        let are_words = matches!(&self.flat, Values::Mixed(all)
            if all.iter().all(|value| matches!(value, Scalar::Text(_))));
        let mut table = Table::within(self.bytes);
        if items.map_or(are_words, |items| items == len) || self.whole == Whole::Scalar {
            table.put_column(Called::Position(0), self.flat)?;
            return Ok(table);
        }
        table.put_row(self.flat)?;
        Ok(table)
    }

    /// Whether the lists of an object are columns. In a list, an object with one list alone rather
    /// holds a vector.
    fn is_column_wise(&self, items: Option<usize>) -> bool {
        let Some((_, first)) = self.lists.first() else {
            return false;
        };
        let len = first.len;
        let is_told = match items {
            Some(items) => items == len && (len > 1 || !self.has_fields),
            None => !self.has_fields && (self.is_bare() || self.lists.len() > 1),
        };
        is_told && self.objects == 1 && self.lists.iter().all(|(_, list)| list.len == len)
    }

    /// Lists of vectors have no name for each of their numbers: one alone is read by position, and of
    /// several each number has the name with its place, `x[0]`.
    fn settle_columns(self) -> Result<Table, TooLarge> {
        let mut table = Table::within(self.bytes);
        let is_alone = self.lists.len() == 1;
        let widths = self.lists.iter().map(|(_, list)| list.width());
        let fits = widths.fold(0, usize::saturating_add) <= Table::MAX_COLUMNS;
        let len = self.lists.first().map_or(0, |(_, list)| list.len);
        for (name, list) in self.lists {
            if list.width() == 1 {
                table.put_column(Called::Word(name.into()), list.values)?;
            } else if is_alone {
                list.put(&mut table)?;
            } else if fits {
                list.put_named(&name, &mut table)?;
            }
        }
        table.count(len);
        Ok(table)
    }

    /// One vector an object, where that is all that they hold.
    fn vectors(&mut self) -> Option<Tensor> {
        let [(_, first)] = self.lists.as_mut_slice() else {
            return None;
        };
        let width = first.values.len();
        let is_even = self.later.len() == width.checked_mul(self.objects.checked_sub(1)?)?;
        if self.has_fields || self.has_others || !is_even || width == 0 {
            return None;
        }
        let mut values = std::mem::replace(&mut first.values, Values::with_capacity(0));
        for value in self.later.iter() {
            values.push(value.into_owned());
        }
        Some(Tensor {
            values,
            len: self.objects,
        })
    }
}
