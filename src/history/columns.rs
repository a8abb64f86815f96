//! All columns of a file, gathered for a baseline.

use std::path::Path;

use super::table::{Table, TableError};
use crate::drift::{Gathered, SeriesName, Value};

/// One of them.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) values: Gathered,
}

/// Columns as they come.
pub(super) struct Columns {
    pub(super) all: Vec<Column>,
    /// Rows that are complete.
    pub(super) rows: usize,
    /// How many columns have room as it is.
    room: usize,
}

/// Columns that need not share.
const AT_FIRST: usize = 100;

/// The series that a column of a file is.
pub(super) fn series_of(column: &str) -> SeriesName {
    match column {
        "predicted_class" | "prediction" => SeriesName::Class,
        label => SeriesName::of(label),
    }
}

impl Columns {
    /// Those of a table, of at most `limit` rows. `look` sees each value first, and says what it should
    /// have been.
    pub(super) fn gather(
        table: &mut Table,
        limit: usize,
        is_categorical: impl Fn(&str) -> bool,
        mut look: impl FnMut(&str, Value<'_>) -> Result<(), String>,
    ) -> Result<Self, TableError> {
        let mut columns = Self {
            all: Vec::new(),
            rows: 0,
            room: AT_FIRST,
        };
        while columns.rows < limit {
            let mut fine = Ok(());
            let has_row = table.row(|place, name, cell| {
                if fine.is_ok() {
                    fine = look(name, cell);
                }
                if place == columns.all.len() {
                    columns.add(name, is_categorical(name));
                }
                columns.all[place].values.push(cell);
            })?;
            fine.map_err(|message| table.refused_row(message))?;
            if !has_row {
                break;
            }
            columns.rows += 1;
            for column in &mut columns.all {
                column.values.fill(columns.rows);
            }
        }
        Ok(columns)
    }

    /// Refuses a name of `--categorical` that no column has; `names`: those of a file without a row.
    pub(super) fn have_all(
        &self,
        categorical: &[String],
        path: &Path,
        names: &[String],
    ) -> Result<(), TableError> {
        let is_there = |name: &&String| {
            names.contains(name) || self.all.iter().any(|column| column.name == **name)
        };
        match categorical.iter().find(|name| !is_there(name)) {
            None => Ok(()),
            Some(name) => Err(TableError::Categorical {
                path: path.to_owned(),
                message: format!("expected a column {name}, as --categorical has it"),
            }),
        }
    }

    fn add(&mut self, name: &str, is_categorical: bool) {
        let mut values = Gathered::new(is_categorical);
        if self.all.len() == self.room {
            self.room *= 2;
            for column in &mut self.all {
                column.values.share_with(self.room);
            }
        }
        values.share_with(self.room);
        values.fill(self.rows);
        self.all.push(Column {
            name: name.to_owned(),
            values,
        });
    }
}
