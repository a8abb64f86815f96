//! Features, by one path to rows or by a path for each.

use std::{borrow::Cow, collections::HashSet};

use rsonpath_syntax::{Segment, Selector};

use super::{
    super::{
        inference::{Name, Scalar, Values},
        rows::{Data, Row, Rows},
        table::{Table, TooLarge},
    },
    Body, FeaturePaths, Found, JsonPath, Leaf, Node, walk,
};
use crate::config::is_singular;

/// The rows, given the items of the answer where there was one.
pub(super) fn request(
    body: &mut Body<'_>,
    features: &FeaturePaths,
    items: Option<usize>,
) -> Result<Option<Table>, TooLarge> {
    match features {
        FeaturePaths::Rows(path) => rows(body, path, items),
        FeaturePaths::Named(named) => columns(body, named, items),
    }
}

/// A path to one place leads to all rows, in any shape; one to many places, to a row each, or to
/// several values of each.
fn rows(
    body: &mut Body<'_>,
    path: &JsonPath,
    items: Option<usize>,
) -> Result<Option<Table>, TooLarge> {
    let bytes = body.bytes();
    let found = body.find(path)?;
    if found.iter().all(|found| body.tape.is_null(found.place())) {
        return Ok(None);
    }
    if let Some(rows) = shared(body, path, &found, items)? {
        return Ok(Some(rows));
    }
    let mut rows = Rows::within(bytes);
    if let (true, [only]) = (path.is_singular(), &found[..]) {
        rows = body.read(only.place(), Data { bytes })?;
    } else {
        for found in found {
            body.read(found.place(), Row(&mut rows))?;
        }
    }
    rows.settle(items)
}

/// Rows of the values that lie below one element each, where a path leads to several: by the names of
/// their fields, else by position. `None`: each place is a row, or a value for each item.
fn shared(
    body: &mut Body<'_>,
    path: &JsonPath,
    found: &[Found],
    items: Option<usize>,
) -> Result<Option<Table>, TooLarge> {
    let is_alone = found.is_sorted_by(|before, after| before.row() < after.row());
    if is_alone || items == Some(found.len()) || begins_with_names(path) {
        return Ok(None);
    }
    let mut cells = Vec::with_capacity(found.len());
    for place in found.iter().map(|found| found.place()) {
        let Some(value) = body.read(place, Cell)? else {
            return Ok(None);
        };
        cells.push((body.name(place), value));
    }
    let lengths: Vec<usize> = by_row(found).collect();
    let mut table = Table::within(body.bytes());
    let are_named = are_named(&cells, &lengths);
    if !are_named && lengths.iter().any(|length| *length != lengths[0]) {
        // which of them a row lacks is not known
        return Ok(Some(Table::of_rows(lengths.len())));
    }
    let mut cells = cells.into_iter();
    for length in lengths {
        for (position, (name, value)) in cells.by_ref().take(length).enumerate() {
            match name.filter(|_| are_named) {
                Some(name) => table.put(&name, value)?,
                None => table.put_at(position, value),
            }
        }
        table.end_row()?;
    }
    Ok(Some(table))
}

/// Whether the first segment for many chooses fields of an object, which are no elements of a list.
fn begins_with_names(path: &JsonPath) -> bool {
    let first = path.segments().iter().find(|first| !is_singular(first));
    matches!(first, Some(Segment::Child(chosen))
        if chosen.as_slice().iter().all(|each| matches!(each, Selector::Name(_))))
}

/// How many places each row has, those that have none too.
fn by_row(found: &[Found]) -> impl Iterator<Item = usize> {
    let rows = found.last().map_or(0, |last| last.row() + 1);
    let mut rest = found;
    (0..rows).map(move |row| {
        let own = rest.partition_point(|found| found.row() == row);
        rest = &rest[own..];
        own
    })
}

/// Whether every value is a field of an object, and no two of one row have one name.
fn are_named(cells: &[(Option<Cow<'_, str>>, Scalar)], lengths: &[usize]) -> bool {
    let mut rest = cells;
    lengths.iter().all(|length| {
        let (own, others) = rest.split_at(*length);
        rest = others;
        let names: HashSet<_> = own.iter().filter_map(|(name, _)| name.as_deref()).collect();
        names.len() == *length
    })
}

/// The values of one feature.
enum Column {
    /// One for all rows.
    Same(Scalar),
    /// By row.
    Each(Vec<(usize, Scalar)>),
}

impl Column {
    fn rows(&self) -> usize {
        match self {
            Self::Same(_) => 1,
            Self::Each(values) => values.last().map_or(0, |(row, _)| row + 1),
        }
    }

    fn values(self, rows: usize) -> Values {
        match self {
            Self::Same(value) => std::iter::repeat_n(value, rows).collect(),
            Self::Each(values) => {
                let mut column = Values::with_capacity(rows);
                for (row, value) in values {
                    column.resize(row);
                    column.push(value);
                }
                column.resize(rows);
                column
            }
        }
    }
}

fn columns(
    body: &mut Body<'_>,
    named: &[(String, JsonPath)],
    items: Option<usize>,
) -> Result<Option<Table>, TooLarge> {
    let mut columns = Vec::new();
    let mut most = 1;
    for (name, path) in named {
        if let Some(column) = column(body, path)? {
            most = most.max(column.rows());
            columns.push((name, column));
        }
    }
    // a list that is longer than the answer is one value of several numbers, and no column
    let rows = items.filter(|items| *items > 0).unwrap_or(most);
    let mut table = Table::within(body.bytes());
    for (name, column) in columns {
        if column.rows() <= rows {
            let name = Name::Word(walk::cut(name).into());
            table.fits_column(rows)?;
            table.put_column(name, column.values(rows))?;
        }
    }
    Ok(table.has_columns().then_some(table))
}

/// What one path leads to: a value, a list of them, or values in several places.
fn column(body: &mut Body<'_>, path: &JsonPath) -> Result<Option<Column>, TooLarge> {
    let mut found = body.find(path)?;
    if let (true, [only]) = (path.is_singular(), &found[..]) {
        match body.elements(path, &found) {
            Some(elements) => found = elements,
            None => return Ok(body.read(only.place(), Cell)?.map(Column::Same)),
        }
    }
    let is_ambiguous = found.windows(2).any(|pair| pair[0].row() == pair[1].row());
    let mut values = Vec::with_capacity(found.len());
    for (at, found) in found.into_iter().enumerate() {
        let Some(value) = body.read(found.place(), Cell)? else {
            return Ok(None);
        };
        values.push((if is_ambiguous { at } else { found.row() }, value));
    }
    Ok((!values.is_empty()).then_some(Column::Each(values)))
}

/// A scalar; `None` for lists and objects.
struct Cell;

impl Node<'_> for Cell {
    type Found = Option<Scalar>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Scalar> {
        leaf.scalar()
    }
}
