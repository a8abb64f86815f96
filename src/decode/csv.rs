//! Comma-separated values: rows of a request, or lines of an answer.
//!
//! RFC 4180, read as widely as pandas does: lines end with LF or CRLF, empty ones are skipped, quotes
//! may stand anywhere, and words for nothing (`NaN`, `NA`, `null`) are missing values.

mod fields;

pub(super) use self::fields::Fields;

use super::{
    inference::Scalar,
    table::{Table, TooLarge},
    walk::Leaf,
};

/// Where the names of columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// In the first line.
    First,
    /// Nowhere; unless the answer has one item less than there are lines, and the first of these is
    /// not of numbers alone.
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
        names = Some(line(&mut fields));
    }
    let mut table = Table::within(text.len());
    let (mut width, mut position) = (None, 0);
    let mut is_ragged = false;
    while let Some((field, is_last)) = fields.next() {
        if !(is_ragged || table.is_too_wide()) {
            table.put_at(position, cell(&field));
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
        Header::Nowhere { items: Some(items) } => {
            items > 0 && lines(text) == items + 1 && !begins_with_numbers(text)
        }
        Header::Nowhere { items: None } => false,
    }
}

/// Lines that are not empty.
pub(super) fn lines(text: &[u8]) -> usize {
    if memchr::memchr(b'"', text).is_none() {
        return plain_lines(text);
    }
    let mut fields = Fields::of(text);
    let mut lines = 0;
    while let Some((_, is_last)) = fields.next() {
        lines += usize::from(is_last);
    }
    lines
}

/// The same of a text without quotes, in which every line ends where it seems to.
fn plain_lines(text: &[u8]) -> usize {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let ends = text
        .windows(2)
        .filter(|pair| !is_end(&pair[0]) && is_end(&pair[1]));
    ends.count() + usize::from(text.last().is_some_and(|last| !is_end(last)))
}

/// The fields of the next line, of which at most [`Table::MAX_COLUMNS`] are kept.
fn line(fields: &mut Fields<'_>) -> Vec<String> {
    let mut line = Vec::new();
    while let Some((field, is_last)) = fields.next() {
        if line.len() < Table::MAX_COLUMNS {
            line.push(field.trim_ascii().to_owned());
        }
        if is_last {
            break;
        }
    }
    line
}

/// Whether the first line may be one of names: none is a number, and none is empty.
pub(super) fn begins_with_names(text: &[u8]) -> bool {
    begins_with(text, |kind| kind == Kind::Text)
}

/// Whether the first line is of numbers alone, at least one.
pub(super) fn begins_with_numbers(text: &[u8]) -> bool {
    begins_with(text, |kind| kind == Kind::Number)
}

/// Whether all fields of the first line are such, as far as columns are kept.
fn begins_with(text: &[u8], is_such: impl Fn(Kind) -> bool) -> bool {
    let mut fields = Fields::of(text);
    for count in 0..Table::MAX_COLUMNS {
        match fields.next() {
            Some((field, _)) if !is_such(Kind::of(&field)) => return false,
            Some((_, true)) => return true,
            Some((_, false)) => {}
            None => return count > 0,
        }
    }
    true
}

/// What a field is, without a copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Other,
}

impl Kind {
    fn of(field: &str) -> Self {
        let text = field.trim_ascii();
        if is_word(text) {
            return Self::Text;
        }
        match cell(text) {
            Scalar::Number(_) => Self::Number,
            Scalar::Text(_) => Self::Text,
            Scalar::Missing | Scalar::Bool(_) => Self::Other,
        }
    }
}

/// Whether it is plain to see that it is a text: a letter that no word for something else begins with.
fn is_word(text: &str) -> bool {
    let first = text.as_bytes().first().copied().unwrap_or_default();
    first.is_ascii_alphabetic() && !b"nNtTfFiI".contains(&first)
}

/// The value of a field.
pub(super) fn cell(field: &str) -> Scalar {
    let text = field.trim_ascii();
    if text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return Leaf::Text(text).scalar().unwrap_or(Scalar::Missing);
    }
    if is_word(text) {
        return Scalar::Text(text.into());
    }
    match text {
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
        let text = Scalar::Text("x\ny".into());
        assert_eq!(rows, 2);
        assert_eq!(columns[0], ("a".to_owned(), vec![one, missing]));
        let second = ("b, \"c\"".to_owned(), vec![text, Scalar::Number(2.0)]);
        assert_eq!(columns[1], second);
    }

    #[test]
    fn a_field_longer_than_the_room_is_whole() {
        let long = "é".repeat(1000);
        let (_, columns) = read(&format!("1,{long}\n"), NOWHERE).unwrap();
        assert_eq!(columns[1].1, [Scalar::Text(long.into())]);
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
        let numbers = read("1.1\n2.2\n", Header::Nowhere { items: Some(1) });
        assert_eq!(numbers.unwrap().0, 2, "a number is no name");
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
            Scalar::Text("007".into()),
            Scalar::Number(1000.0),
            missing,
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn lines_are_counted_alike_with_quotes_and_without() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..5_000 {
            let length = random.usize(0..10);
            let byte = |_| *random.choice(b"a,\n\r").unwrap();
            let text: Vec<u8> = (0..length).map(byte).collect();
            let quoted = text.iter().flat_map(|byte| match byte {
                b'a' => &b"\"a\""[..],
                other => std::slice::from_ref(other),
            });
            let quoted: Vec<u8> = quoted.copied().collect();
            assert_eq!(lines(&text), lines(&quoted), "{text:?}");
        }
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
