//! Records as the built-in algorithms take and give them: `RecordIO` with protocol buffers.
//!
//! Each record stands behind a magic number and its length, both of four bytes, and is filled up to four.
//! It is a message `Record` with maps of tensors, `features` (1) and `label` (2); the features of a row
//! are one tensor, `values`. A sparse tensor has the place of each value in `keys`, and zeros elsewhere.
//!
//! From the documentation of Amazon `SageMaker` AI (common data formats for training and for inference,
//! with `record.proto`) and of `RecordIO` in `MXNet`.

use super::super::{
    DecodeError, Scalar,
    inference::{Output, Prediction},
    meaning::{self, Raw, Vectors},
    protobuf::{Fields, Malformed, Value, fixed32, fixed64, varints},
    table::Table,
};

/// What each record begins with, little-endian.
const MAGIC: [u8; 4] = 0xced7_230a_u32.to_le_bytes();

/// Whether a body is of records.
pub(super) fn is_one(body: &[u8]) -> bool {
    body.starts_with(&MAGIC)
}

/// The records of a body, one after the other. Nothing follows a failure.
struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    fn record(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(&MAGIC)?;
        let (len, rest) = rest.split_first_chunk()?;
        let len = u32::from_le_bytes(*len);
        // the upper bits say that a record comes in parts, as none of these does
        let len = usize::try_from(len).ok().filter(|len| len >> 29 == 0)?;
        let (record, rest) = rest.split_at_checked(len)?;
        // the last one need not be filled up
        self.0 = rest
            .get(len.next_multiple_of(4) - len..)
            .unwrap_or_default();
        Some(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_none() {
            self.0 = &[];
        }
        Some(record.ok_or(Malformed))
    }
}

/// Values with the place of each in a row.
#[derive(Debug, Default, PartialEq)]
struct Tensor {
    values: Vec<f64>,
    /// None: each has its own.
    keys: Vec<u64>,
    /// Values of a whole row, where that is said.
    width: Option<u64>,
}

/// The numbers of fields of a record.
const FEATURES: u64 = 1;
const LABEL: u64 = 2;

/// The named tensors of one of a record's maps.
fn tensors(record: &[u8], map: u64) -> Result<Vec<(&[u8], Tensor)>, Malformed> {
    let mut found = Vec::new();
    for field in Fields::of(record) {
        let (number, Value::Bytes(entry)) = field? else {
            continue;
        };
        if number != map {
            continue;
        }
        let (mut name, mut tensor) = (&[][..], None);
        for field in Fields::of(entry) {
            match field? {
                (1, Value::Bytes(key)) => name = key,
                (2, Value::Bytes(value)) => tensor = self::tensor(value)?,
                _ => {}
            }
        }
        if found.len() == Table::MAX_COLUMNS {
            return Err(Malformed);
        }
        found.extend(tensor.map(|tensor| (name, tensor)));
    }
    Ok(found)
}

/// `None`: it is of bytes, as an image is.
#[expect(
    clippy::cast_possible_truncation,
    reason = "of 32 bits, whose sign a varint has as of 64"
)]
fn tensor(value: &[u8]) -> Result<Option<Tensor>, Malformed> {
    let mut found = None;
    for field in Fields::of(value) {
        let (kind @ (2 | 3 | 7), Value::Bytes(message)) = field? else {
            continue;
        };
        let mut tensor = Tensor::default();
        for field in Fields::of(message) {
            let (number, value) = field?;
            let values = &mut tensor.values;
            match (number, kind) {
                (1, 2) => fixed32(value, |n| values.push(f32::from_le_bytes(n).into()))?,
                (1, 3) => fixed64(value, |n| values.push(f64::from_le_bytes(n)))?,
                (1, _) => varints(value, |n| values.push((n.cast_signed() as i32).into()))?,
                (2, _) => varints(value, |n| tensor.keys.push(n))?,
                (3, _) => varints(value, |n| {
                    tensor.width = Some(tensor.width.unwrap_or(1).saturating_mul(n));
                })?,
                _ => {}
            }
        }
        found = Some(tensor);
    }
    Ok(found)
}

/// The rows of a request. Where they are sparse and would take too much room, they are counted alone.
pub(super) fn table(body: &[u8]) -> Result<Table, DecodeError> {
    let mut table = Table::within(body.len());
    let mut rows = 0;
    let mut is_full = false;
    for record in Records(body) {
        let features = tensors(record?, FEATURES)?;
        rows += 1;
        is_full = is_full || put(&mut table, &features).is_none();
    }
    Ok(if is_full { Table::of_rows(rows) } else { table })
}

/// Adds a row; `None`: there is no room for it, or it has no place for each value.
fn put(table: &mut Table, features: &[(&[u8], Tensor)]) -> Option<()> {
    let is_alone = features.len() == 1;
    for (name, tensor) in features {
        let name = String::from_utf8_lossy(name);
        let mut put = |place: usize, value: f64| {
            let value = Scalar::of_number(value);
            let put = match (is_alone, tensor.values.len()) {
                (true, _) => {
                    table.put_at(place, value);
                    Ok(())
                }
                (false, 1) => table.put(&name, value),
                (false, _) => table.put(&format!("{name}[{place}]"), value),
            };
            put.ok()
        };
        if tensor.keys.is_empty() {
            let mut values = tensor.values.iter().enumerate();
            values.try_for_each(|(place, value)| put(place, *value))?;
            continue;
        }
        // zeros first: where a value has a place of its own, it counts
        let width = usize::try_from(tensor.width?).ok()?;
        if width > Table::MAX_COLUMNS || !is_alone {
            return None;
        }
        (0..width).try_for_each(|place| put(place, 0.0))?;
        for (key, value) in tensor.keys.iter().zip(&tensor.values) {
            let place = usize::try_from(*key).ok().filter(|place| *place < width)?;
            put(place, *value)?;
        }
    }
    table.end_row().ok()
}

/// The items of an answer, a record each; `None`: there are none.
pub(super) fn raw(body: &[u8]) -> Result<Option<Raw>, DecodeError> {
    let mut items = Items {
        // an integer of one byte takes eight
        max: (body.len() / 4).max(FREE),
        ..Items::default()
    };
    for record in Records(body) {
        items.add(&tensors(record?, LABEL)?);
    }
    Ok(items.finish())
}

/// Numbers of vectors that any answer may have.
const FREE: usize = 4096;

/// Items so far.
#[derive(Default)]
struct Items {
    /// Numbers that are kept.
    max: usize,
    outputs: Vec<Output>,
    /// Those whose class or value is known without the vector beside it.
    known: usize,
    numbers: Vec<f64>,
    /// Of each vector; 0: they differ.
    width: Option<usize>,
}

impl Items {
    fn add(&mut self, label: &[(&[u8], Tensor)]) {
        let named = |wanted: &[&[u8]]| {
            let mut tensors = label.iter().filter(|(name, _)| wanted.contains(name));
            tensors.next().map(|(_, tensor)| tensor)
        };
        let class = named(&[b"predicted_label", b"closest_cluster"]).and_then(Tensor::only);
        let class = class.map(|class| meaning::scalar(class, class.fract() == 0.0));
        let scores = named(&[b"score"]).or(match label {
            [(_, tensor)] if class.is_none() => Some(tensor),
            _ => None,
        });
        let score = scores.and_then(Tensor::only).filter(|n| n.is_finite());
        let output = match (class, score) {
            // the score of two classes is the probability of class 1
            (Some(class), Some(score)) if class.place() == Some(0) => {
                Output::new(class, Some(1.0 - score))
            }
            (Some(class), score) => Output::new(class, score),
            (None, Some(score)) => Output::from(Prediction::Value(score)),
            (None, None) => Output::from(Prediction::Unknown),
        };
        self.known += usize::from(output.prediction != Prediction::Unknown);
        self.outputs.push(output);
        let vector = scores.filter(|tensor| tensor.values.len() > 1 && tensor.keys.is_empty());
        let values = vector.map_or(&[][..], |tensor| &tensor.values);
        let is_alike = *self.width.get_or_insert(values.len()) == values.len();
        if is_alike && self.numbers.len() + values.len() <= self.max {
            self.numbers.extend(values);
        } else {
            self.width = Some(0);
        }
    }

    fn finish(mut self) -> Option<Raw> {
        if self.outputs.is_empty() {
            return None;
        }
        let vectors = self.width.filter(|width| *width > 0).map(|width| Vectors {
            width,
            numbers: self.numbers,
            ..Vectors::default()
        });
        if vectors.is_some() && self.known == 0 {
            // what the vectors mean is settled for all of them
            self.outputs = Vec::new();
        }
        Some(Raw {
            outputs: self.outputs,
            vectors,
            ..Raw::default()
        })
    }
}

impl Tensor {
    /// The value, where it is one alone.
    fn only(&self) -> Option<f64> {
        match *self.values {
            [value] => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [
            &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()],
            bytes,
        ]
        .concat()
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        field(1, &bytes)
    }

    /// A record whose `map` has one tensor of that `kind`.
    fn record(map: u8, name: &str, kind: u8, tensor: &[u8]) -> Vec<u8> {
        let entry = [field(1, name.as_bytes()), field(2, &field(kind, tensor))].concat();
        framed(&field(map, &entry))
    }

    fn framed(record: &[u8]) -> Vec<u8> {
        let len = u32::try_from(record.len()).unwrap().to_le_bytes();
        let mut framed = [&MAGIC, &len, record].concat();
        framed.resize(framed.len().next_multiple_of(4), 0);
        framed
    }

    fn columns(body: &[u8]) -> (usize, Vec<(String, Vec<f64>)>) {
        let (rows, columns) = table(body).unwrap().finish();
        let numbers = |column: &super::super::super::Column| {
            let values = column.values.iter().map(|value| match *value {
                Scalar::Number(number) => number,
                _ => f64::NAN,
            });
            (column.name.text().into_owned(), values.collect())
        };
        (rows, columns.iter().map(numbers).collect())
    }

    fn named(name: &str, values: &[f64]) -> (String, Vec<f64>) {
        (name.to_owned(), values.to_vec())
    }

    #[test]
    fn rows_are_tensors_of_any_type() {
        let doubles = [0.5_f64, 1.5].map(f64::to_le_bytes).concat();
        let body = [
            record(1, "values", 2, &floats(&[1.5, 2.5])),
            record(1, "values", 3, &field(1, &doubles)),
            record(
                1,
                "values",
                7,
                &field(
                    1,
                    &[7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                ),
            ),
        ];
        let expected = vec![named("0", &[1.5, 0.5, 7.0]), named("1", &[2.5, 1.5, -1.0])];
        assert_eq!(columns(&body.concat()), (3, expected));
    }

    #[test]
    fn a_sparse_row_has_zeros_where_it_has_no_values() {
        let sparse = [floats(&[2.5]), field(2, &[1]), field(3, &[3])].concat();
        let body = record(1, "values", 2, &sparse);
        let expected = vec![named("0", &[0.0]), named("1", &[2.5]), named("2", &[0.0])];
        assert_eq!(columns(&body), (1, expected));
        for (keys, shape) in [
            (&[3_u8][..], &[3_u8][..]),
            (&[1], &[]),
            (&[1], &[0xff, 0xff, 1]),
        ] {
            let sparse = [floats(&[2.5]), field(2, keys), field(3, shape)].concat();
            assert_eq!(columns(&record(1, "values", 2, &sparse)), (1, Vec::new()));
        }
        let wide = [floats(&[2.5]), field(2, &[1]), field(3, &[0x80, 0x20])].concat();
        let many = record(1, "values", 2, &wide).repeat(1000);
        assert_eq!(columns(&many), (1000, Vec::new()));
    }

    #[test]
    fn features_of_several_names_have_them() {
        let entry = |name: &str, values: &[f32]| {
            let tensor = field(2, &field(2, &floats(values)));
            field(1, &[field(1, name.as_bytes()), tensor].concat())
        };
        let body = framed(&[entry("a", &[1.0]), entry("b", &[2.0, 3.0])].concat());
        let expected = vec![
            named("a", &[1.0]),
            named("b[0]", &[2.0]),
            named("b[1]", &[3.0]),
        ];
        assert_eq!(columns(&body), (1, expected));
    }

    #[test]
    fn a_label_beside_its_score_is_a_class() {
        let entry = |name: &str, value: f32| {
            let tensor = field(2, &field(2, &floats(&[value])));
            field(2, &[field(1, name.as_bytes()), tensor].concat())
        };
        let both = |label, score| {
            framed(&[entry("predicted_label", label), entry("score", score)].concat())
        };
        let raw = raw(&[both(1.0, 0.75), both(0.0, 0.25)].concat())
            .unwrap()
            .unwrap();
        let found: Vec<_> = raw
            .outputs
            .iter()
            .map(|o| (o.prediction.clone(), o.confidence()))
            .collect();
        assert_eq!(
            found,
            [
                (Prediction::Index(1), Some(0.75)),
                (Prediction::Index(0), Some(0.75))
            ]
        );
    }

    #[test]
    fn scores_alone_are_values_or_vectors() {
        let values = raw(&record(2, "score", 2, &floats(&[40.0])))
            .unwrap()
            .unwrap();
        assert_eq!(values.outputs, [Output::from(Prediction::Value(40.0))]);
        let vectors = raw(&record(2, "score", 2, &floats(&[0.25, 0.75])).repeat(2))
            .unwrap()
            .unwrap();
        assert_eq!((vectors.items(), vectors.vectors.unwrap().width), (2, 2));
        assert_eq!(raw(&[]).unwrap(), None);
    }

    #[test]
    fn what_breaks_off_is_not_read() {
        let whole = record(1, "values", 2, &floats(&[1.5, 2.5]));
        let len = 8 + usize::from(whole[4]);
        for end in 1..len {
            assert_eq!(
                table(&whole[..end]).unwrap_err(),
                DecodeError::Syntax,
                "{end}"
            );
        }
        // what fills the last one up may be missing
        assert!(table(&whole[..len]).is_ok());
    }
}
