//! Comma-separated values: rows of a request, or lines of an answer.
//!
//! RFC 4180, read as widely as pandas does: lines end with LF or CRLF, empty ones are skipped, quotes
//! may stand anywhere, and words for nothing (`NaN`, `NA`, `null`) are missing values.

use std::borrow::Cow;

use csv_core::{ReadFieldResult, Reader};

use super::{
    inference::Scalar,
    table::{Table, TooLarge},
    walk::Leaf,
};

/// Fields, one after the other.
pub(super) struct Fields<'a> {
    reader: Reader,
    rest: &'a [u8],
    /// Room for one field.
    room: Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(),
            rest: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
            room: vec![0; 64],
        }
    }

    /// The next field, and whether it is the last of its line.
    pub(super) fn next(&mut self) -> Option<(Cow<'_, str>, bool)> {
        let mut len = 0;
        loop {
            let room = &mut self.room[len..];
            let (result, read, written) = self.reader.read_field(self.rest, room);
            self.rest = &self.rest[read..];
            len += written;
            match result {
                // once more with nothing to read: the text ends here
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => self.room.resize(self.room.len() * 2, 0),
                ReadFieldResult::Field { record_end } => {
                    let field = String::from_utf8_lossy(&self.room[..len]);
                    return Some((field, record_end));
                }
                ReadFieldResult::End => return None,
            }
        }
    }

    /// The fields of the next line, if there are at most [`Table::MAX_COLUMNS`].
    fn line(&mut self) -> Option<Vec<String>> {
        let mut line = Vec::new();
        while let Some((field, is_last)) = self.next() {
            if line.len() < Table::MAX_COLUMNS {
                line.push(field.trim_ascii().to_owned());
            }
            if is_last {
                return Some(line);
            }
        }
        None
    }
}

/// Where the names of columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// In the first line.
    First,
    /// Nowhere; unless the answer has one item less than there are lines.
    Nowhere {
        /// Items of the answer.
        items: Option<usize>,
    },
}

/// The rows; `None`: there are none. Where lines differ in length, they are counted alone.
pub(super) fn table(text: &[u8], header: Header) -> Result<Option<Table>, TooLarge> {
    let mut fields = Fields::of(text);
    let mut names = None;
    if has_names(text, header) {
        names = fields.line();
    }
    let mut table = Table::within(text.len());
    let (mut width, mut position) = (None, 0);
    let mut is_ragged = false;
    while let Some((field, is_last)) = fields.next() {
        if !is_ragged {
            table.put_at(position, cell(&field))?;
        }
        position += 1;
        if is_last {
            is_ragged |= *width.get_or_insert(position) != position;
            position = 0;
            if is_ragged {
                table = Table::of_rows(table.rows() + 1);
            } else {
                table.end_row()?;
            }
        }
    }
    if let Some(names) = names {
        table.name(&names);
    }
    Ok((table.rows() > 0).then_some(table))
}

fn has_names(text: &[u8], header: Header) -> bool {
    match header {
        Header::First => true,
        Header::Nowhere { items: Some(items) } => items > 0 && lines(text) == items + 1,
        Header::Nowhere { items: None } => false,
    }
}

/// Lines that are not empty.
pub(super) fn lines(text: &[u8]) -> usize {
    let mut fields = Fields::of(text);
    let mut lines = 0;
    while let Some((_, is_last)) = fields.next() {
        lines += usize::from(is_last);
    }
    lines
}

/// Whether the first line may be one of names: none is a number, and none is empty.
pub(super) fn begins_with_names(text: &[u8]) -> bool {
    let is_name = |field: &String| matches!(cell(field), Scalar::Text(_));
    Fields::of(text)
        .line()
        .is_some_and(|line| line.iter().all(is_name))
}

/// Whether the first line is of numbers alone, at least one.
pub(super) fn begins_with_numbers(text: &[u8]) -> bool {
    let is_number = |field: &String| matches!(cell(field), Scalar::Number(_));
    Fields::of(text)
        .line()
        .is_some_and(|line| line.iter().all(is_number))
}

/// The value of a field.
pub(super) fn cell(field: &str) -> Scalar {
    match field.trim_ascii() {
        "" | "nan" | "NA" | "N/A" | "null" | "NULL" | "None" | "inf" | "-inf" => Scalar::Missing,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        text => Leaf::Text(text).scalar().unwrap_or(Scalar::Missing),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    type Columns = Vec<(String, Vec<Scalar>)>;

    fn read(text: &str, header: Header) -> Option<(usize, Columns)> {
        let (rows, columns) = table(text.as_bytes(), header).unwrap()?.finish();
        let columns = columns.into_iter().map(|column| {
            let values = column.values.iter().map(Cow::into_owned).collect();
            (column.name.text().into_owned(), values)
        });
        Some((rows, columns.collect()))
    }

    const NOWHERE: Header = Header::Nowhere { items: None };

    #[test]
    fn quotes_line_ends_and_empty_cells_are_read() {
        let text = "a,\"b, \"\"c\"\"\"\r\n1,\"x\ny\"\r\n\r\n,2";
        let (rows, columns) = read(text, Header::First).unwrap();
        let (missing, one) = (Scalar::Missing, Scalar::Number(1.0));
        let text = Scalar::Text("x\ny".to_owned());
        assert_eq!(rows, 2);
        assert_eq!(columns[0], ("a".to_owned(), vec![one, missing]));
        let second = ("b, \"c\"".to_owned(), vec![text, Scalar::Number(2.0)]);
        assert_eq!(columns[1], second);
    }

    #[test]
    fn a_field_longer_than_the_room_is_whole() {
        let long = "é".repeat(1000);
        let (_, columns) = read(&format!("1,{long}\n"), NOWHERE).unwrap();
        assert_eq!(columns[1].1, [Scalar::Text(long)]);
    }

    #[test]
    fn lines_of_different_length_are_counted_alone() {
        assert_eq!(read("1,2\n3\n4,5\n", NOWHERE), Some((3, vec![])));
        assert_eq!(read("1\n3,4\n", NOWHERE), Some((2, vec![])));
    }

    #[test]
    fn names_are_told_from_words_by_the_answer() {
        let text = "sex,class\nmale,first\n";
        let of = |items| {
            let (rows, columns) = read(text, Header::Nowhere { items }).unwrap();
            (rows, columns[0].0.clone())
        };
        assert_eq!(of(None), (2, "0".to_owned()));
        assert_eq!(of(Some(2)), (2, "0".to_owned()));
        assert_eq!(of(Some(1)), (1, "sex".to_owned()));
    }

    #[test]
    fn words_for_nothing_are_missing_and_truth_is_a_truth_value() {
        let cells = ["NaN", " NA ", "", "null", "True", "007", "1e3", "-inf"].map(cell);
        let missing = Scalar::Missing;
        let expected = [
            missing.clone(),
            missing.clone(),
            missing.clone(),
            missing.clone(),
            Scalar::Bool(true),
            Scalar::Text("007".to_owned()),
            Scalar::Number(1000.0),
            missing,
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn nothing_is_no_table() {
        for text in ["", "\n\n", "\u{feff}"] {
            assert_eq!(read(text, NOWHERE), None);
        }
        assert_eq!(read("a,b\n", Header::First), None);
        let wide = format!("{}1\n", "1,".repeat(5000));
        assert_eq!(read(&wide, NOWHERE), Some((1, vec![])));
    }
}
