//! An answer in CSV: a line for each item, of one number, of several, or of a label and its score.

use super::{
    super::{
        DecodeError, Pair, Scalar,
        csv::{self, Fields},
        inference::{Output, Prediction},
        meaning::{self, Raw, Vectors},
        predictions::{make_room, most_items},
    },
    FORMAT, rows,
};

/// The items; `None`: lines are not alike.
///
/// # Errors
/// When it has more lines than items may be asked about in so few bytes.
pub(super) fn read(pair: &Pair<'_>) -> Result<Option<Raw>, DecodeError> {
    let most = most(pair);
    let mut lines = Lines::of(pair.response);
    let mut fields = Fields::of(pair.response);
    while let Some((field, is_last)) = fields.next() {
        lines.put(&field);
        if is_last {
            lines.end();
            if lines.rows > most {
                return Err(DecodeError::TooLarge { format: FORMAT });
            }
        }
    }
    let Some(mut raw) = lines.finish() else {
        return Ok(None);
    };
    // older containers write the scores of all items into one line
    if let Some(vectors) = &mut raw.vectors
        && vectors.rows() == 1
        && vectors.width > 1
        && rows(pair) == Some(vectors.width)
    {
        vectors.width = 1;
    }
    Ok(Some(raw))
}

/// Lines that an answer may have; any, where it is not known what was asked.
fn most(pair: &Pair<'_>) -> usize {
    if pair.request.is_empty() {
        return usize::MAX;
    }
    // the last line of each side may be without its end
    most_items(pair.bytes() + 2)
}

/// Lines so far, and the one that is being read.
#[derive(Default)]
struct Lines {
    /// Fields of all lines at most: room that grows is there twice.
    most: usize,
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
    fn of(text: &[u8]) -> Self {
        let is_end = |byte: &&u8| matches!(byte, b',' | b'\n' | b'\r');
        Self {
            most: text.iter().filter(is_end).count() + 1,
            ..Self::default()
        }
    }

    fn put(&mut self, field: &str) {
        let place = self.fields;
        self.fields += 1;
        let is_labelled = self.labels.len() > self.rows;
        if is_labelled && place != 1 {
            return;
        }
        match csv::cell(field) {
            Scalar::Number(number) if is_labelled => {
                make_room(&mut self.shares, self.most);
                self.shares.push(number);
            }
            Scalar::Number(number) => {
                let is_whole = !field.contains(['.', 'e', 'E']);
                self.has_fraction |= !is_whole;
                self.whole_firsts += usize::from(place == 0 && is_whole);
                self.real_seconds += usize::from(place == 1 && !is_whole);
                self.number(number);
            }
            Scalar::Missing if !is_labelled => {
                self.has_fraction = true;
                self.number(f64::NAN);
            }
            _ if is_labelled => {}
            Scalar::Bool(value) if place == 0 => self.label(Prediction::Bool(value)),
            Scalar::Text(_) if place == 0 => {
                self.label(Prediction::named(field.trim_ascii()));
            }
            _ => self.is_other = true,
        }
    }

    fn number(&mut self, number: f64) {
        make_room(&mut self.numbers, self.most);
        self.numbers.push(number);
    }

    fn label(&mut self, label: Prediction) {
        make_room(&mut self.labels, self.most);
        self.labels.push(label);
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
