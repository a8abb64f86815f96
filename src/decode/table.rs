//! Rows of values, gathered column by column.

mod places;

use self::places::Places;

use super::{
    Lot,
    inference::{Column, Name, Scalar, Values},
    walk,
};

/// More than may be kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("too large")]
pub(super) struct TooLarge;

/// Rows of values. Rows may lack fields and name them in any order, or know them by position.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    columns: Vec<Column>,
    /// Rows that have ended.
    rows: usize,
    /// Where the next field is, if this row names fields in the order of the columns.
    next: usize,
    /// Bytes that its cells may take.
    max_bytes: usize,
    /// Columns that hold more than numbers.
    mixed: usize,
    /// Columns by name; there when there are too many to look through.
    places: Option<Box<Places>>,
    /// There are more positions than columns are kept, as in an image: rows are counted alone.
    is_too_wide: bool,
    /// Columns got their names together, so that two may have one.
    may_repeat: bool,
    /// Values by position of the current row, as long as there is no column.
    row: Vec<Scalar>,
}

impl Table {
    /// Columns that are kept.
    pub(super) const MAX_COLUMNS: usize = 4096;
    /// Cells that any body may have.
    const FREE_CELLS: usize = 4096;
    /// Bytes of a cell, of those and of a body's; a text takes two thirds, and a number one.
    const CELL: usize = 24;
    /// Up to here, looking through the columns beats hashing.
    const FEW: usize = 16;

    /// For a body of `bytes`. A number on the wire has at least two (`1,`), and a word in JSON four
    /// (`"a",`), so only missing cells reach the bound, and words of one letter in CSV.
    pub(super) fn within(bytes: usize) -> Self {
        let free = Self::FREE_CELLS * Self::CELL;
        Self {
            max_bytes: (bytes / 4).saturating_mul(Self::CELL).max(free),
            ..Self::default()
        }
    }

    /// Rows of which no value is kept.
    pub(super) fn of_rows(rows: usize) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that its columns take.
    pub(super) fn held_bytes(&self) -> usize {
        self.columns.iter().map(Column::held_bytes).sum()
    }

    /// Whether values by position are not kept, but their rows counted.
    pub(super) fn is_too_wide(&self) -> bool {
        self.is_too_wide
    }

    pub(super) fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }

    /// A field of the current row. Named twice, the last counts, as in Python.
    pub(super) fn put(&mut self, name: &str, value: Scalar) -> Result<(), TooLarge> {
        let place = self.place(walk::cut(name))?;
        self.next = place + 1;
        self.set(place, value);
        Ok(())
    }

    /// The value at a position of the current row. More than are kept are counted alone.
    #[inline]
    pub(super) fn put_at(&mut self, position: usize, value: Scalar) {
        if position < self.columns.len() && !self.is_too_wide {
            self.set(position, value);
        } else if self.columns.is_empty() && position == self.row.len() && !self.is_full() {
            self.row.push(value);
        } else {
            self.put_apart(position, value);
        }
    }

    /// The same of a number; one that is not finite is missing.
    #[inline]
    pub(super) fn put_number(&mut self, position: usize, number: f64) {
        if let Some(column) = self.columns.get_mut(position)
            && let Values::Numbers(numbers) = &mut column.values
            && numbers.len() == self.rows
        {
            return numbers.push(if number.is_finite() { number } else { f64::NAN });
        }
        self.put_at(position, Scalar::of_number(number));
    }

    /// Whether no value by position is gathered any more.
    fn is_full(&self) -> bool {
        self.is_too_wide || self.row.len() == Self::MAX_COLUMNS
    }

    /// A value that is neither of a column nor the next of the first row.
    fn put_apart(&mut self, position: usize, value: Scalar) {
        if self.is_too_wide {
            return;
        }
        if position >= Self::MAX_COLUMNS {
            return self.be_too_wide();
        }
        if self.columns.is_empty() {
            // sparse, or named twice: the last counts
            self.row
                .resize(self.row.len().max(position + 1), Scalar::Missing);
            self.row[position] = value;
            return;
        }
        while self.columns.len() <= position {
            if self
                .push_column(Name::Position(self.columns.len()))
                .is_err()
            {
                // the end of the row tells
                self.max_bytes = 0;
                return;
            }
        }
        self.set(position, value);
    }

    /// A row by position.
    pub(super) fn put_row(&mut self, values: Values) -> Result<(), TooLarge> {
        if values.len() > Self::MAX_COLUMNS {
            self.be_too_wide();
        } else if let (true, Values::Numbers(numbers)) = (self.columns.is_empty(), &values) {
            self.fits(self.rows + 1, numbers.len())?;
            if !self.is_too_wide {
                let rows = self.rows;
                let numbers = numbers.iter().map(|number| of_number(rows, *number));
                self.columns = columns_of(numbers);
            }
        } else {
            match values {
                Values::Numbers(numbers) => {
                    let numbers = numbers.iter().map(|number| Scalar::of_number(*number));
                    numbers
                        .enumerate()
                        .for_each(|(place, number)| self.put_at(place, number));
                }
                Values::Mixed(values) => {
                    let values = values.into_iter().enumerate();
                    values.for_each(|(place, value)| self.put_at(place, value));
                }
            }
        }
        self.end_row()
    }

    fn be_too_wide(&mut self) {
        self.is_too_wide = true;
        self.columns = Vec::new();
        self.row = Vec::new();
        self.mixed = 0;
    }

    /// Makes columns of the first row by position.
    fn place_row(&mut self) -> Result<(), TooLarge> {
        self.fits(self.rows + 1, self.row.len())?;
        let (row, rows) = (std::mem::take(&mut self.row), self.rows);
        self.columns = columns_of(row.into_iter().map(|value| of_value(rows, value)));
        self.mixed = self
            .columns
            .iter()
            .filter(|column| is_mixed(column))
            .count();
        Ok(())
    }

    fn set(&mut self, place: usize, value: Scalar) {
        let values = &mut self.columns[place].values;
        if values.len() != self.rows {
            values.resize(self.rows);
        }
        if let (Values::Numbers(numbers), Scalar::Number(number)) = (&mut *values, &value) {
            return numbers.push(*number);
        }
        let were_numbers = matches!(values, Values::Numbers(_));
        values.push(value);
        self.mixed += usize::from(were_numbers && matches!(values, Values::Mixed(_)));
    }

    /// A whole column. All must have as many values: as many rows there are.
    pub(super) fn put_column(&mut self, name: Name, values: Values) -> Result<(), TooLarge> {
        self.rows = self.rows.max(values.len());
        self.mixed += usize::from(matches!(values, Values::Mixed(_)));
        self.fits(self.rows, self.columns.len() + 1)?;
        self.may_repeat |= matches!(name, Name::Word(_));
        self.columns.push(Column { name, values });
        Ok(())
    }

    /// There are at least so many rows, whether or not any of their columns is kept.
    pub(super) fn count(&mut self, rows: usize) {
        self.rows = self.rows.max(rows);
    }

    /// Whether there is room for a column more of so many rows.
    pub(super) fn fits_column(&self, rows: usize) -> Result<(), TooLarge> {
        self.fits(self.rows.max(rows), self.columns.len() + 1)
    }

    /// Adds the rows of another. Columns stay where both have the same.
    pub(super) fn append(&mut self, other: Self) {
        if other.rows == 0 {
            // a crowd of empty messages must not cost a look at all columns each
            return;
        }
        if self.rows == 0 {
            *self = other;
            return;
        }
        if self
            .columns
            .iter()
            .map(|c| &c.name)
            .eq(other.columns.iter().map(|c| &c.name))
        {
            for (own, others) in self.columns.iter_mut().zip(other.columns) {
                own.values.resize(self.rows);
                own.values.append(others.values);
            }
        } else {
            self.columns = Vec::new();
            self.is_too_wide = true;
        }
        self.mixed = self
            .columns
            .iter()
            .filter(|column| is_mixed(column))
            .count();
        self.rows += other.rows;
    }

    /// Gives columns by position these names, if they are as many.
    pub(super) fn name(&mut self, names: &[String]) {
        if names.len() != self.columns.len() {
            return;
        }
        for (column, name) in self.columns.iter_mut().zip(names) {
            if matches!(column.name, Name::Position(_)) && !name.is_empty() {
                column.name = Name::Word(walk::cut(name).into());
                self.may_repeat = true;
            }
        }
    }

    /// Ends the current row.
    pub(super) fn end_row(&mut self) -> Result<(), TooLarge> {
        if !self.row.is_empty() {
            self.place_row()?;
        }
        self.rows += 1;
        self.next = 0;
        self.fits(self.rows, self.columns.len())
    }

    /// Number of rows, and the columns with that many values each.
    pub(super) fn finish(mut self) -> (usize, Vec<Column>) {
        for column in &mut self.columns {
            if column.values.len() != self.rows {
                column.values.resize(self.rows);
            }
        }
        if self.may_repeat {
            keep_last_of_each_name(&mut self.columns);
        }
        (self.rows, self.columns)
    }

    fn fits(&self, rows: usize, columns: usize) -> Result<(), TooLarge> {
        let numbers = columns.saturating_sub(self.mixed) * size_of::<f64>();
        let row = numbers + self.mixed * size_of::<Scalar>();
        let fits = columns <= Self::MAX_COLUMNS && rows.saturating_mul(row) <= self.max_bytes;
        if fits { Ok(()) } else { Err(TooLarge) }
    }

    fn place(&mut self, name: &str) -> Result<usize, TooLarge> {
        let is_next = self.columns.get(self.next).is_some_and(|c| is(c, name));
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
            return self.columns.iter().position(|column| is(column, name));
        }
        self.places
            .get_or_insert_default()
            .find(&self.columns, name)
    }

    fn add(&mut self, name: &str) -> Result<usize, TooLarge> {
        self.push_column(Name::Word(name.into()))?;
        Ok(self.columns.len() - 1)
    }

    fn push_column(&mut self, name: Name) -> Result<(), TooLarge> {
        self.fits(self.rows + 1, self.columns.len() + 1)?;
        self.columns.push(Column {
            name,
            // A single row is the rule: `push` alone would make room for four.
            values: Values::with_capacity(self.rows + 1),
        });
        Ok(())
    }
}

/// Values by position, a column each.
fn columns_of(values: impl Iterator<Item = Values>) -> Vec<Column> {
    let column = |(place, values)| Column {
        name: Name::Position(place),
        values,
    };
    values.enumerate().map(column).collect()
}

/// A value behind so many rows that lack it.
fn of_value(rows: usize, value: Scalar) -> Values {
    match value {
        Scalar::Number(number) => of_number(rows, number),
        Scalar::Missing => of_number(rows, f64::NAN),
        value if rows == 0 => Values::Mixed(Lot::One(value)),
        value => {
            let mut values = Values::with_capacity(rows + 1);
            values.resize(rows);
            values.push(value);
            values
        }
    }
}

/// The same of a number.
#[inline]
fn of_number(rows: usize, number: f64) -> Values {
    if rows == 0 {
        return Values::Numbers(Lot::One(number));
    }
    let mut numbers = vec![f64::NAN; rows];
    numbers.push(number);
    Values::Numbers(numbers.into())
}

fn is_mixed(column: &Column) -> bool {
    matches!(column.values, Values::Mixed(_))
}

/// Of several columns with one name, as a field that is named twice.
pub(super) fn keep_last_of_each_name(columns: &mut Vec<Column>) {
    let mut places = Places::of(columns.len());
    let from_last = (0..columns.len()).rev();
    let are_last: Vec<bool> = from_last.map(|place| places.add(columns, place)).collect();
    if !are_last.iter().all(|is_last| *is_last) {
        let mut are_last = are_last.into_iter().rev();
        columns.retain(|_| are_last.next().unwrap_or(true));
    }
}

fn is(column: &Column, name: &str) -> bool {
    matches!(&column.name, Name::Word(word) if *word == *name)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use Scalar::{Missing, Number};

    fn table(rows: &[&[(&str, f64)]]) -> Result<Table, TooLarge> {
        let mut table = Table::within(0);
        for row in rows {
            for (name, value) in *row {
                table.put(name, Number(*value))?;
            }
            table.end_row()?;
        }
        Ok(table)
    }

    fn columns(table: Table) -> Vec<(String, Vec<Scalar>)> {
        let columns = table.finish().1.into_iter();
        let values = |values: Values| values.iter().map(Cow::into_owned).collect();
        columns
            .map(|c| (c.name.text().into_owned(), values(c.values)))
            .collect()
    }

    #[test]
    fn a_field_that_a_row_lacks_is_missing_and_order_means_nothing() {
        let table = table(&[
            &[("a", 1.0), ("b", 2.0)],
            &[("b", 3.0), ("c", 4.0), ("a", 5.0)],
            &[],
            &[("c", 6.0)],
        ]);
        assert_eq!(
            columns(table.unwrap()),
            [
                ("a".into(), vec![Number(1.0), Number(5.0), Missing, Missing]),
                ("b".into(), vec![Number(2.0), Number(3.0), Missing, Missing]),
                ("c".into(), vec![Missing, Number(4.0), Missing, Number(6.0)]),
            ]
        );
    }

    #[test]
    fn a_field_named_twice_in_a_row_has_its_last_value() {
        let table = table(&[
            &[("a", 1.0), ("b", 2.0), ("a", 3.0)],
            &[("a", 4.0), ("a", 5.0)],
        ]);
        assert_eq!(
            columns(table.unwrap()),
            [
                ("a".into(), vec![Number(3.0), Number(5.0)]),
                ("b".into(), vec![Number(2.0), Missing]),
            ]
        );
    }

    #[test]
    fn of_columns_with_one_name_the_last_counts() {
        let column = |numbers: [f64; 2]| numbers.map(Number).into_iter().collect::<Values>();
        let mut whole = Table::within(0);
        for (name, numbers) in [("a", [1.0, 2.0]), ("b", [3.0, 4.0]), ("a", [5.0, 6.0])] {
            let name = Name::Word(name.into());
            whole.put_column(name, column(numbers)).unwrap();
        }
        let mut named = Table::within(0);
        for numbers in [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]] {
            for (place, number) in numbers.into_iter().enumerate() {
                named.put_at(place, Number(number));
            }
            named.end_row().unwrap();
        }
        named.name(&["a", "b", "a"].map(str::to_owned));
        for table in [whole, named] {
            let expected = [
                ("b".to_owned(), vec![Number(3.0), Number(4.0)]),
                ("a".to_owned(), vec![Number(5.0), Number(6.0)]),
            ];
            assert_eq!(columns(table), expected);
        }
    }

    #[test]
    fn many_columns_in_any_order_land_where_they_belong() {
        let names: Vec<String> = (0..500).map(|i| format!("f{i}")).collect();
        let forth: Vec<(&str, f64)> = names.iter().map(|n| (n.as_str(), 1.0)).collect();
        let back: Vec<(&str, f64)> = names.iter().rev().map(|n| (n.as_str(), 2.0)).collect();
        let mut wide = Table::within(8000);
        for row in [forth, back] {
            for (name, value) in row {
                wide.put(name, Number(value)).unwrap();
            }
            wide.end_row().unwrap();
        }
        let found = columns(wide);
        assert_eq!(found.len(), 500);
        for ((name, values), expected) in found.iter().zip(&names) {
            assert_eq!(
                (name, &values[..]),
                (expected, &[Number(1.0), Number(2.0)][..])
            );
        }
    }

    #[test]
    fn dense_digits_are_kept_and_so_are_words_among_them() {
        // 10 bits are 20 bytes, and a letter 2
        let mut bits = Table::within(1000 * 22);
        for _ in 0..1000 {
            for place in 0..10 {
                bits.put_at(place, Number(1.0));
            }
            bits.put_at(10, Scalar::Text("m".into()));
            bits.end_row().unwrap();
        }
        assert_eq!(bits.finish().0, 1000);
    }

    #[test]
    fn rows_that_share_no_field_cannot_grow_without_bound() {
        let names: Vec<String> = (0..200).map(|i| format!("f{i}")).collect();
        let rows: Vec<[(&str, f64); 1]> = names.iter().map(|n| [(n.as_str(), 1.0)]).collect();
        let some: Vec<&[(&str, f64)]> = rows[..110].iter().map(<[_; 1]>::as_slice).collect();
        assert!(table(&some).is_ok());
        let all: Vec<&[(&str, f64)]> = rows.iter().map(<[_; 1]>::as_slice).collect();
        assert_eq!(table(&all), Err(TooLarge));
    }

    #[test]
    fn more_columns_than_kept_are_refused() {
        let mut wide = Table::within(1 << 20);
        for i in 0..Table::MAX_COLUMNS {
            wide.put(&i.to_string(), Missing).unwrap();
        }
        assert_eq!(wide.put("one more", Missing), Err(TooLarge));
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let mut table = Table::within(0);
        table.put(&"é".repeat(100), Missing).unwrap();
        table.put(&"x€".repeat(100), Missing).unwrap();
        let lengths: Vec<usize> = columns(table).iter().map(|(name, _)| name.len()).collect();
        assert_eq!(lengths, [128, 128]);
        let mut named = Table::within(0);
        named.put_at(0, Missing);
        named.end_row().unwrap();
        named.name(&["é".repeat(100)]);
        assert_eq!(columns(named)[0].0.len(), 128);
        assert_eq!(walk::cut(&"€".repeat(100)).len(), 126);
    }
}
