//! Items of an answer column by column: an object of tensors, each with as many rows as the others.

use serde::de::{Error as _, MapAccess, SeqAccess};

use super::{
    super::{
        Text,
        inference::{Output, Prediction},
        meaning::{self, Field, Raw, Vectors},
        walk::{At, Leaf, Name, Node, skip_elements},
    },
    TooLarge,
    item::{Role, class},
    make_room, most_items, prediction,
};

/// The place of such an object; `None` where its fields are not columns.
#[derive(Clone, Copy)]
pub(in crate::decode) struct Columns {
    bounds: Bounds,
}

impl Columns {
    /// For bodies of so many bytes.
    pub(in crate::decode) fn within(bytes: usize) -> Self {
        let bounds = Bounds {
            rows: most_items(bytes),
            elements: bytes / 2,
        };
        Self { bounds }
    }
}

/// How long a column may be.
#[derive(Clone, Copy)]
struct Bounds {
    /// As many as items of a list.
    rows: usize,
    /// What two bytes each can write.
    elements: usize,
}

impl<'de> Node<'de> for Columns {
    type Found = Option<Raw>;

    fn leaf(self, _: Leaf<'_>) -> Option<Raw> {
        None
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Option<Raw>, A::Error> {
        let mut found = Found::default();
        while let Some(name) = object.next_key_seed(Name)? {
            let role = Role::of(&name);
            let is_label = !matches!(role, Role::Share | Role::Score | Role::Other);
            let column = object.next_value_seed(At(Tensor {
                is_label,
                bounds: self.bounds,
            }))?;
            found.put(role, column);
        }
        Ok(found.raw())
    }
}

/// Columns by what their names say.
#[derive(Default)]
struct Found {
    labels: Option<Column>,
    /// Their name says that they are classes, whatever numbers they are.
    are_labels: bool,
    ids: Option<Column>,
    shares: Option<Column>,
    /// Names of all classes; classes, where there are no others.
    names: Option<Column>,
    /// The last one of another name, and how many there are.
    other: Option<Column>,
    others: usize,
    /// Something is no column.
    is_none: bool,
}

impl Found {
    fn put(&mut self, role: Role, column: Option<Column>) {
        let Some(column) = column else {
            self.is_none |= !matches!(role, Role::Other | Role::Names);
            return;
        };
        self.are_labels |= matches!(role, Role::Label | Role::Id | Role::Names);
        let place = match role {
            Role::Prediction | Role::Label => &mut self.labels,
            Role::Id => &mut self.ids,
            Role::Share | Role::Score => &mut self.shares,
            Role::Names => &mut self.names,
            Role::Other => {
                self.others += 1;
                &mut self.other
            }
        };
        *place = Some(column);
    }

    fn raw(self) -> Option<Raw> {
        let Self {
            labels,
            are_labels,
            ids,
            shares,
            names,
            other,
            others,
            is_none,
        } = self;
        if is_none {
            return None;
        }
        let (labels, names) = if labels.is_some() || ids.is_some() {
            (labels, names)
        } else {
            (names, None)
        };
        let rows = |column: &Option<Column>| column.as_ref().map(|column| column.rows);
        let known = [rows(&labels), rows(&ids), rows(&shares)];
        let Some(len) = known.iter().flatten().next().copied() else {
            return alone(other?, others);
        };
        if known.iter().flatten().any(|rows| *rows != len) {
            return None;
        }
        let mut raw = match (labels, ids, shares) {
            (Some(labels), ids, shares) => labelled(labels, ids.as_ref(), shares),
            (None, Some(ids), shares) => labelled(ids, None, shares),
            (None, None, Some(shares)) => shares.unlabelled(),
            (None, None, None) => return None,
        };
        if are_labels {
            raw.field = Field::Class;
        }
        if let (Some(names), Some(vectors)) = (names, &mut raw.vectors) {
            names.call(vectors);
        }
        Some(raw)
    }
}

/// A column whose name says nothing; of several, none is known to be the answer.
fn alone(column: Column, others: usize) -> Option<Raw> {
    if others > 1 {
        return (column.rows > 0).then(|| unknown(column.rows));
    }
    Some(if column.words.len() == column.rows && column.rows > 0 {
        labelled(column, None, None)
    } else {
        column.unlabelled()
    })
}

fn unknown(rows: usize) -> Raw {
    Raw {
        outputs: vec![Output::from(Prediction::Unknown); rows],
        ..Raw::default()
    }
}

/// Classes, with their probabilities where there are some.
fn labelled(labels: Column, ids: Option<&Column>, shares: Option<Column>) -> Raw {
    let rows = labels.rows;
    let width = labels.words.len() / rows.max(1);
    match shares {
        Some(shares) if width > 1 && shares.numbers.len() == labels.words.len() => {
            ranked(&labels.words, shares, width)
        }
        _ if width != 1 => unknown(rows),
        Some(shares) if shares.numbers.len() == rows => {
            let outputs = labels.words.into_iter().zip(shares.numbers);
            Raw {
                outputs: outputs
                    .map(|(label, share)| Output::new(class(label), Some(share)))
                    .collect(),
                ..Raw::default()
            }
        }
        shares => {
            let mut outputs: Vec<_> = labels.words.into_iter().map(Output::from).collect();
            let vectors = shares.and_then(Column::vectors);
            if let (Some(ids), Some(vectors)) = (ids, &vectors) {
                sure_by_index(&mut outputs, ids, vectors);
            }
            Raw {
                outputs,
                vectors,
                ..Raw::default()
            }
        }
    }
}

/// The index of a class finds its probability where its name cannot.
fn sure_by_index(outputs: &mut [Output], ids: &Column, vectors: &Vectors) {
    let rows = vectors.numbers.chunks_exact(vectors.width.max(1));
    for ((output, id), shares) in outputs.iter_mut().zip(&ids.words).zip(rows) {
        output.be_sure(meaning::share_of(&class(id.clone()), shares, None));
    }
}

/// Several classes a row, each with its score: all of them, or the best ones.
fn ranked(names: &[Prediction], shares: Column, width: usize) -> Raw {
    let first = &names[..width];
    if names.chunks_exact(width).all(|row| row == first) {
        return Raw {
            vectors: shares.vectors().map(|vectors| Vectors {
                labels: Some(called(first)),
                ..vectors
            }),
            ..Raw::default()
        };
    }
    let rows = names
        .chunks_exact(width)
        .zip(shares.numbers.chunks_exact(width));
    let best = |(names, shares): (&[Prediction], &[f64])| {
        let scored = names.iter().zip(shares);
        let best = scored.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or_else(
            || Output::from(Prediction::Unknown),
            |(name, share)| Output::new(class(name.clone()), Some(*share)),
        )
    };
    Raw {
        outputs: rows.map(best).collect(),
        ..Raw::default()
    }
}

fn called(names: &[Prediction]) -> Vec<Text> {
    let name = |name: &Prediction| name.class().unwrap_or_default().into();
    names.iter().map(name).collect()
}

/// A tensor of scalars, or of lists of as many scalars each.
#[derive(Debug, Default)]
struct Column {
    /// Elements of the outermost list.
    rows: usize,
    /// Numbers, `NaN` for what is none; none where it holds classes.
    numbers: Vec<f64>,
    /// Classes: all elements where it holds classes, else those that are words.
    words: Vec<Prediction>,
    /// All numbers are written without a fraction.
    are_whole: bool,
}

impl Column {
    fn vectors(self) -> Option<Vectors> {
        let width = self.numbers.len() / self.rows.max(1);
        (width > 0).then_some(Vectors {
            labels: None,
            width,
            numbers: self.numbers,
            are_whole: self.are_whole,
        })
    }

    /// Names the numbers of `vectors`, if that is what these are: one list, or the same for each item.
    fn call(&self, vectors: &mut Vectors) {
        let width = vectors.width;
        if let Some(first) = self.words.get(..width)
            && vectors.labels.is_none()
            && self.words.chunks(width.max(1)).all(|row| row == first)
        {
            vectors.labels = Some(called(first));
        }
    }

    fn unlabelled(self) -> Raw {
        if !self.words.is_empty() {
            return unknown(self.rows);
        }
        Raw {
            vectors: self.vectors(),
            ..Raw::default()
        }
    }
}

/// The place of a column; `None`: it is none.
struct Tensor {
    is_label: bool,
    bounds: Bounds,
}

impl<'de> Node<'de> for Tensor {
    type Found = Option<Column>;

    fn leaf(self, _: Leaf<'_>) -> Option<Column> {
        None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Column>, A::Error> {
        let mut column = Column {
            are_whole: true,
            ..Column::default()
        };
        let mut width = 0;
        loop {
            let before = column.numbers.len().max(column.words.len());
            let row = Row {
                column: &mut column,
                is_label: self.is_label,
                most: self.bounds.elements,
                is_inner: false,
            };
            let Some(is_row) = list.next_element_seed(At(row))? else {
                break;
            };
            let added = column.numbers.len().max(column.words.len()) - before;
            if column.rows == 0 {
                width = added;
            }
            if !is_row || added != width {
                skip_elements(&mut list)?;
                return Ok(None);
            }
            column.rows += 1;
            if column.rows > self.bounds.rows {
                return Err(A::Error::custom(TooLarge));
            }
        }
        Ok(Some(column))
    }
}

/// An element of a tensor; `false`: it is deeper than two lists.
struct Row<'a> {
    column: &'a mut Column,
    is_label: bool,
    /// Elements of the tensor at most.
    most: usize,
    is_inner: bool,
}

impl<'de> Node<'de> for Row<'_> {
    type Found = bool;

    fn leaf(self, leaf: Leaf<'_>) -> bool {
        let Some(word) = prediction(leaf) else {
            return false;
        };
        let Column { words, numbers, .. } = self.column;
        if self.is_label {
            make_room(words, self.most);
            words.push(word);
            return true;
        }
        if matches!(word, Prediction::Name(_) | Prediction::Bool(_)) && leaf.number().is_none() {
            make_room(words, self.most);
            words.push(word);
        }
        make_room(numbers, self.most);
        numbers.push(leaf.number().unwrap_or(f64::NAN));
        self.column.are_whole &= matches!(leaf, Leaf::Integer(_) | Leaf::Large(_));
        true
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if self.is_inner {
            skip_elements(&mut list)?;
            return Ok(false);
        }
        let mut are_rows = true;
        loop {
            let row = Row {
                column: &mut *self.column,
                is_label: self.is_label,
                most: self.most,
                is_inner: true,
            };
            match list.next_element_seed(At(row))? {
                Some(is_row) => are_rows &= is_row,
                None => return Ok(are_rows),
            }
        }
    }
}
