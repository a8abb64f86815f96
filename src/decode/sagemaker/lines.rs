//! An answer in CSV: a line for each item, of one number, of several, or of a label and its score.

use super::{
    super::{
        Pair, Scalar,
        csv::{self, Fields},
        inference::{Output, Prediction},
        meaning::{self, Raw, Vectors},
    },
    rows,
};

/// The items; `None`: lines are not alike.
pub(super) fn read(pair: &Pair<'_>) -> Option<Raw> {
    let mut lines = Lines::default();
    let mut fields = Fields::of(pair.response);
    while let Some((field, is_last)) = fields.next() {
        lines.put(&field);
        if is_last {
            lines.end();
        }
    }
    let mut raw = lines.finish()?;
    // older containers write the scores of all items into one line
    if let Some(vectors) = &mut raw.vectors
        && vectors.rows() == 1
        && vectors.width > 1
        && rows(pair) == Some(vectors.width)
    {
        vectors.width = 1;
    }
    Some(raw)
}

/// Lines so far, and the one that is being read.
#[derive(Default)]
struct Lines {
    /// Fields of the current line, and of each line.
    fields: usize,
    width: Option<usize>,
    rows: usize,
    numbers: Vec<f64>,
    has_fraction: bool,
    /// The first field of a line, where that is a word.
    labels: Vec<Prediction>,
    /// The second field of such a line.
    shares: Vec<f64>,
    /// First fields that are whole numbers, and second ones with a fraction.
    whole_firsts: usize,
    real_seconds: usize,
    is_other: bool,
}

impl Lines {
    fn put(&mut self, field: &str) {
        let place = self.fields;
        self.fields += 1;
        let is_labelled = self.labels.len() > self.rows;
        match csv::cell(field) {
            Scalar::Number(number) if is_labelled => {
                if place == 1 {
                    self.shares.push(number);
                }
            }
            Scalar::Number(number) => {
                let is_whole = !field.contains(['.', 'e', 'E']);
                self.has_fraction |= !is_whole;
                self.whole_firsts += usize::from(place == 0 && is_whole);
                self.real_seconds += usize::from(place == 1 && !is_whole);
                self.numbers.push(number);
            }
            Scalar::Missing if !is_labelled => {
                self.has_fraction = true;
                self.numbers.push(f64::NAN);
            }
            _ if is_labelled => {}
            Scalar::Bool(value) if place == 0 => self.labels.push(Prediction::Bool(value)),
            Scalar::Text(text) if place == 0 => {
                self.labels.push(Prediction::named(&text));
            }
            _ => self.is_other = true,
        }
    }

    fn end(&mut self) {
        let width = *self.width.get_or_insert(self.fields);
        self.is_other |= width != self.fields;
        self.fields = 0;
        self.rows += 1;
    }

    fn finish(self) -> Option<Raw> {
        let width = self.width?;
        let outputs = if self.is_other {
            return None;
        } else if self.labels.len() == self.rows {
            let shares = self.shares.iter().copied().map(Some);
            let shares = shares.chain(std::iter::repeat(None));
            let are_aligned = self.shares.is_empty() || self.shares.len() == self.rows;
            let labels = self.labels.into_iter().zip(shares);
            labels
                .map(|(label, share)| Output::new(label, share.filter(|_| are_aligned)))
                .collect()
        } else if !self.labels.is_empty() {
            return None;
        } else if width == 2 && self.whole_firsts == self.rows && self.real_seconds == self.rows {
            let pairs = self.numbers.as_chunks::<2>().0.iter();
            pairs
                .map(|[label, share]| Output::new(meaning::scalar(*label, true), Some(*share)))
                .collect()
        } else {
            return Some(Raw {
                vectors: Some(Vectors {
                    labels: None,
                    width,
                    numbers: self.numbers,
                    are_whole: !self.has_fraction,
                }),
                ..Raw::default()
            });
        };
        Some(Raw {
            outputs,
            ..Raw::default()
        })
    }
}
