//! Rows of a file: CSV with a header line, or JSON lines.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::Value as Json;

use crate::drift::Value;

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is no header line, or no row below it.
    #[error("{}: expected a header line with names, or JSON lines", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not what the format wants.
    #[error("{}, line {line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
}

/// A text as a value; one that is written like a number is one.
fn value_of(text: &str) -> Value<'_> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Value::Missing;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_nan() => Value::Missing,
        Ok(number) => Value::Number(number),
        Err(_) if text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("na") => {
            Value::Missing
        }
        Err(_) => Value::Word(text),
    }
}

/// A file of rows, read as they are asked for.
pub struct Table {
    path: PathBuf,
    names: Vec<String>,
    rows: Rows,
}

enum Rows {
    Csv {
        reader: csv::Reader<Box<dyn Read>>,
        record: ByteRecord,
    },
    Json {
        reader: BufReader<Box<dyn Read>>,
        line: u64,
        text: String,
        places: HashMap<String, usize>,
        values: Vec<Json>,
        /// The first line was read for its names.
        has_first: bool,
    },
}

impl Table {
    /// Opens a file; `-` is what comes in on standard input.
    ///
    /// # Errors
    /// When it cannot be read, or has neither a header line nor a first object.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let input: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(|source| io_error(path, source))?)
        };
        let mut reader = BufReader::with_capacity(BUFFER, input);
        let start = reader.fill_buf().map_err(|source| io_error(path, source))?;
        let is_json = start.trim_ascii_start().first() == Some(&b'{');
        let mut table = Self {
            path: path.to_owned(),
            names: Vec::new(),
            rows: if is_json { json(reader) } else { csv(reader) },
        };
        table.read_names()?;
        if table.names.is_empty() {
            return Err(TableError::Empty { path: table.path });
        }
        Ok(table)
    }

    /// The names of the columns. Those of JSON lines grow with fields that come later.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn read_names(&mut self) -> Result<(), TableError> {
        match &mut self.rows {
            Rows::Csv { reader, .. } => {
                let names = reader
                    .byte_headers()
                    .map_err(|error| csv_error(&self.path, &error))?;
                let name = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
                self.names = names.iter().map(name).collect();
                if let Some(first) = self.names.first_mut() {
                    *first = first.trim_start_matches('\u{feff}').to_owned();
                }
                Ok(())
            }
            Rows::Json { .. } => {
                let has_row = self.read_line()?;
                if let Rows::Json { has_first, .. } = &mut self.rows {
                    *has_first = has_row;
                }
                Ok(())
            }
        }
    }

    /// Reads the next row and tells `each` of every value with the place of its column; `false`: there is
    /// none.
    ///
    /// # Errors
    /// When the file cannot be read on, or a line is none of its format.
    pub fn row(&mut self, mut each: impl FnMut(usize, Value<'_>)) -> Result<bool, TableError> {
        if let Rows::Json { has_first, .. } = &mut self.rows {
            if !std::mem::take(has_first) && !self.read_line()? {
                return Ok(false);
            }
            if let Rows::Json { values, .. } = &self.rows {
                values
                    .iter()
                    .enumerate()
                    .for_each(|(place, json)| each(place, value(json)));
            }
            return Ok(true);
        }
        let Rows::Csv { reader, record, .. } = &mut self.rows else {
            return Ok(false);
        };
        if !reader
            .read_byte_record(record)
            .map_err(|error| csv_error(&self.path, &error))?
        {
            return Ok(false);
        }
        for (place, field) in record.iter().enumerate() {
            match std::str::from_utf8(field) {
                Ok(text) => each(place, value_of(text)),
                Err(_) => each(place, value_of(&String::from_utf8_lossy(field))),
            }
        }
        Ok(true)
    }

    /// Reads one line of JSON into the values; `false`: there is none.
    fn read_line(&mut self) -> Result<bool, TableError> {
        let Rows::Json {
            reader,
            line,
            text,
            places,
            values,
            ..
        } = &mut self.rows
        else {
            return Ok(false);
        };
        let object = loop {
            text.clear();
            *line += 1;
            let read = reader.read_line(text);
            if read.map_err(|source| io_error(&self.path, source))? == 0 {
                return Ok(false);
            }
            if !text.trim().is_empty() {
                break serde_json::from_str::<serde_json::Map<String, Json>>(text);
            }
        };
        let object = object.map_err(|error| TableError::Line {
            path: self.path.clone(),
            line: *line,
            message: format!("expected a JSON object: {error}"),
        })?;
        values.fill(Json::Null);
        for (name, value) in object {
            let place = *places.entry(name).or_insert_with_key(|name| {
                self.names.push(name.clone());
                self.names.len() - 1
            });
            if place >= values.len() {
                values.resize(place + 1, Json::Null);
            }
            values[place] = value;
        }
        Ok(true)
    }
}

fn csv(reader: BufReader<Box<dyn Read>>) -> Rows {
    let reader: Box<dyn Read> = Box::new(reader);
    Rows::Csv {
        reader: ReaderBuilder::new()
            .buffer_capacity(BUFFER)
            .from_reader(reader),
        record: ByteRecord::new(),
    }
}

fn json(reader: BufReader<Box<dyn Read>>) -> Rows {
    Rows::Json {
        reader,
        line: 0,
        text: String::new(),
        places: HashMap::new(),
        values: Vec::new(),
        has_first: false,
    }
}

fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Number(number) => number.as_f64().map_or(Value::Missing, Value::Number),
        Json::String(text) => value_of(text),
        Json::Bool(true) => Value::Word("true"),
        Json::Bool(false) => Value::Word("false"),
        Json::Null | Json::Array(_) | Json::Object(_) => Value::Missing,
    }
}

fn io_error(path: &Path, source: io::Error) -> TableError {
    TableError::Io {
        path: path.to_owned(),
        source,
    }
}

fn csv_error(path: &Path, error: &csv::Error) -> TableError {
    TableError::Line {
        path: path.to_owned(),
        line: error.position().map_or(0, csv::Position::line),
        message: error.to_string(),
    }
}
