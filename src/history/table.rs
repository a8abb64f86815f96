//! Rows of a file: CSV with a header line, JSON lines, or Sidelight's own log.

mod lines;
mod log;

use std::{
    cell::Cell,
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::Value as Json;

pub(crate) use self::log::is_hashed;
use self::{
    lines::{Fields, Lines},
    log::Log,
};
use crate::drift::{Gathered, Key, Value};

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;
/// Bytes of a row; a quote that is never closed must not take the whole file into memory.
const LONGEST_ROW: usize = 16 << 20;

/// A file that is being read.
pub(super) type Input = BufReader<Box<dyn Read>>;

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
    /// The file as a whole is not what was expected.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected.
        message: String,
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
    /// `--categorical` does not go with the file.
    #[error("{}: {message}", path.display())]
    Categorical {
        /// The file.
        path: PathBuf,
        /// What was expected.
        message: String,
    },
}

impl TableError {
    /// Whether what was asked for is wrong, and not the file.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Categorical { .. })
    }
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

/// Opens a file; `-` is what comes in on standard input.
///
/// # Errors
/// When it cannot be read.
pub(super) fn open(path: &Path) -> Result<Input, TableError> {
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|source| io_error(path, source))?)
    };
    Ok(BufReader::with_capacity(BUFFER, input))
}

/// A file of rows, read as they are asked for.
pub struct Table {
    path: PathBuf,
    names: Names,
    rows: Rows,
}

/// The names of the columns, and where each is.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

enum Rows {
    Csv {
        reader: csv::Reader<Box<dyn Read>>,
        record: ByteRecord,
        /// Bytes that the row under way may still take.
        left: Rc<Cell<usize>>,
    },
    Json {
        lines: Lines,
        values: Vec<Json>,
    },
    Log(Log),
}

impl Table {
    /// Reads the header line or the first object of an open file.
    ///
    /// # Errors
    /// When it cannot be read, or has neither.
    pub(super) fn new(path: &Path, mut reader: Input) -> Result<Self, TableError> {
        let start = reader.fill_buf().map_err(|source| io_error(path, source))?;
        let is_json = start.trim_ascii_start().first() == Some(&b'{');
        let mut names = Names::default();
        let rows = if is_json {
            objects(Lines::new(path, reader))?
        } else {
            csv(path, reader, &mut names)?
        };
        let mut table = Self {
            path: path.to_owned(),
            names,
            rows,
        };
        if let Rows::Json { lines, values } = &mut table.rows {
            // so that names are known before the first row is asked for
            table.names.take(lines, values)?;
            lines.again();
        }
        if table.names.all.is_empty() && !matches!(table.rows, Rows::Log(_)) {
            let message = "expected a header line with names, or JSON lines";
            return Err(table.refused(message));
        }
        Ok(table)
    }

    /// The names of the columns. Those of JSON lines grow with fields that come later. Those of a log are
    /// labels of series.
    pub fn names(&self) -> &[String] {
        &self.names.all
    }

    /// Of a log, takes only what this model and version predicted.
    pub(super) fn choose(&mut self, wanted: Key) {
        if let Rows::Log(log) = &mut self.rows {
            log.choose(wanted);
        }
    }

    /// The log that it is.
    pub(super) fn log(&self) -> Option<&Log> {
        match &self.rows {
            Rows::Log(log) => Some(log),
            Rows::Csv { .. } | Rows::Json { .. } => None,
        }
    }

    /// What was expected of the file.
    pub(super) fn refused(&self, message: impl Into<String>) -> TableError {
        TableError::File {
            path: self.path.clone(),
            message: message.into(),
        }
    }

    /// What was expected of the row that was read last.
    pub(super) fn refused_row(&self, message: impl Into<String>) -> TableError {
        let line = match &self.rows {
            Rows::Csv { record, .. } => record.position().map_or(0, csv::Position::line),
            Rows::Json { lines, .. } => lines.line(),
            Rows::Log(log) => log.line(),
        };
        line_error(&self.path, line, message)
    }

    /// Reads the next row and tells `each` of every value with the place and the name of its column;
    /// `false`: there is none.
    ///
    /// # Errors
    /// When the file cannot be read on, or a line is none of its format.
    pub fn row(
        &mut self,
        mut each: impl FnMut(usize, &str, Value<'_>),
    ) -> Result<bool, TableError> {
        match &mut self.rows {
            Rows::Csv {
                reader,
                record,
                left,
            } => {
                left.set(LONGEST_ROW);
                let begins = reader.position().line();
                let has_row = reader.read_byte_record(record);
                if !has_row.map_err(|error| csv_error(&self.path, begins, &error))? {
                    return Ok(false);
                }
                for (place, (name, field)) in self.names.all.iter().zip(record.iter()).enumerate() {
                    match std::str::from_utf8(field) {
                        Ok(text) => each(place, name, value_of(text)),
                        Err(_) => each(place, name, value_of(&String::from_utf8_lossy(field))),
                    }
                }
                Ok(true)
            }
            Rows::Json { lines, values } => {
                if !self.names.take(lines, values)? {
                    return Ok(false);
                }
                for (place, (name, json)) in self.names.all.iter().zip(values).enumerate() {
                    each(place, name, value(json));
                }
                Ok(true)
            }
            Rows::Log(log) => log.row(&mut self.names, each),
        }
    }
}

impl Names {
    /// The place of a column; a new one is the last. `None`: there are too many.
    fn place(&mut self, name: String) -> Option<usize> {
        let all = &mut self.all;
        if all.len() >= Gathered::MOST && !self.places.contains_key(&name) {
            return None;
        }
        let place = self.places.entry(name).or_insert_with_key(|name| {
            all.push(name.clone());
            all.len() - 1
        });
        Some(*place)
    }

    /// Reads one object into `values`; `false`: there is none.
    fn take(&mut self, lines: &mut Lines, values: &mut Vec<Json>) -> Result<bool, TableError> {
        let Some(Fields(fields)) = lines.next("expected a JSON object")? else {
            return Ok(false);
        };
        values.fill(Json::Null);
        for (name, value) in fields {
            let place = self.place(name).ok_or_else(|| lines.refused(TOO_MANY))?;
            if place >= values.len() {
                values.resize(place + 1, Json::Null);
            }
            values[place] = value;
        }
        Ok(true)
    }
}

const TOO_MANY: &str = "expected at most 2000 different columns";

/// JSON lines, or the log, by their first line.
fn objects(mut lines: Lines) -> Result<Rows, TableError> {
    let first = lines.next("expected a JSON object")?;
    lines.again();
    Ok(match first {
        Some(first) if log::is_line(&first) => Rows::Log(Log::new(lines)),
        _ => Rows::Json {
            lines,
            values: Vec::new(),
        },
    })
}

fn csv(path: &Path, reader: Input, names: &mut Names) -> Result<Rows, TableError> {
    let left = Rc::new(Cell::new(LONGEST_ROW));
    let bounded: Box<dyn Read> = Box::new(Bounded {
        input: reader,
        left: Rc::clone(&left),
    });
    let mut reader = ReaderBuilder::new()
        .buffer_capacity(BUFFER)
        .from_reader(bounded);
    let header = reader.byte_headers().cloned();
    let header = header.map_err(|error| csv_error(path, 1, &error))?;
    for (place, field) in header.iter().enumerate() {
        let name = String::from_utf8_lossy(field);
        let name = name.trim().trim_start_matches('\u{feff}');
        let refused = |message: &str| line_error(path, 1, message);
        match names.place(name.to_owned()) {
            Some(found) if found == place => {}
            Some(_) => {
                let message = format!("expected different names, {name:?} is there twice");
                return Err(refused(&message));
            }
            None => return Err(refused(TOO_MANY)),
        }
    }
    if names.all == [""] {
        names.all.clear();
    }
    if let [only] = names.all.as_slice()
        && let Some(between) = [(';', "semicolons"), ('\t', "tabs")]
            .into_iter()
            .find_map(|(separator, what)| only.contains(separator).then_some(what))
    {
        let message = format!("expected names with commas between them, found {between}");
        return Err(line_error(path, 1, message));
    }
    Ok(Rows::Csv {
        reader,
        record: ByteRecord::new(),
        left,
    })
}

/// Reads on only while the row under way is not too long.
struct Bounded {
    input: Input,
    left: Rc<Cell<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.left.get().checked_sub(into.len()) else {
            let message = "expected the end of a row within 16 MiB; a quote may never be closed";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        };
        self.left.set(left);
        self.input.read(into)
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

pub(super) fn io_error(path: &Path, source: io::Error) -> TableError {
    TableError::Io {
        path: path.to_owned(),
        source,
    }
}

fn line_error(path: &Path, line: u64, message: impl Into<String>) -> TableError {
    TableError::Line {
        path: path.to_owned(),
        line,
        message: message.into(),
    }
}

/// `begins`: the line where the row begins.
fn csv_error(path: &Path, begins: u64, error: &csv::Error) -> TableError {
    let line = error.position().map_or(begins, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("expected {expected_len} fields as in the header, found {len}"),
        _ => error.to_string(),
    };
    line_error(path, line, message)
}
