//! The items of an answer, in any of the shapes that JSON has for them.
//!
//! | shape | item |
//! |---|---|
//! | `"setosa"`, `2`, `205.39` | a class or a number |
//! | `[0.1, 0.9]` | a vector; of one number or word, that |
//! | `[["a", 0.9], ["b", 0.1]]`, `[{"label": "a", "score": 0.9}]` | a ranking: the label with the largest score |
//! | `{"label": "a", "score": 0.9, "probabilities": [0.9, 0.1]}` | a class with what stands beside it |
//! | `{"classes": ["a", "b"], "scores": [0.9, 0.1]}` | a ranking |
//! | `{"a": 0.9, "b": 0.1}` | a ranking, if these are probabilities |
//!
//! What the numbers mean is settled in `meaning`.

mod columns;
mod item;

use serde::de::{Error as _, MapAccess, SeqAccess};

use self::item::Found;
pub(super) use self::{
    columns::Columns,
    item::{Item, Shares, SharesOf, says_no_prediction},
};
pub(super) use super::table::TooLarge;
use super::{
    inference::{Output, Prediction},
    meaning::{Field, Raw, Vectors},
    walk::{At, Leaf, Name, Node},
};

/// Items that any answer may have.
const FREE_ITEMS: usize = 4096;

/// How many items bodies of so many bytes may have: a true batch has more than four bytes for each.
pub(super) fn most_items(bytes: usize) -> usize {
    (bytes / 4).max(FREE_ITEMS)
}

/// Makes room for another one in a list that is never longer than `most`. Room that grows is there
/// twice, so what is left of the way is gone at once.
pub(super) fn make_room<T>(list: &mut Vec<T>, most: usize) {
    let len = list.len();
    if len == list.capacity() {
        let next = if len > most / 3 { most } else { len * 2 };
        list.reserve_exact(next.saturating_sub(len).max(1));
    }
}

/// The place of a list of items, or of the only one.
#[derive(Clone, Copy)]
pub(super) struct Items {
    /// Of both bodies.
    pub(super) bytes: usize,
    /// An object of numbers is a ranking even if these do not sum to 1, as the best five do not.
    pub(super) has_maps: bool,
    /// The only number of an object is what was predicted, whatever it is called.
    pub(super) has_numbers: bool,
}

impl Items {
    fn builder(self) -> Builder {
        let mut builder = Builder::within(self.bytes);
        builder.manner.has_maps = self.has_maps;
        if self.has_numbers {
            builder.manner.others = Others::Numbers;
        }
        builder
    }
}

impl<'de> Node<'de> for Items {
    /// `None`: no items stand there.
    type Found = Option<Raw>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Raw> {
        only(leaf)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Raw>, A::Error> {
        self.builder().read_list(list)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Raw>, A::Error> {
        self.builder().read_object(object)
    }
}

/// The place of items, as the envelope around them says: an object of which nothing is known is an
/// item too, whose class is unknown.
#[derive(Clone, Copy)]
pub(super) struct Claimed {
    items: Items,
    has_positive_scores: bool,
}

impl Claimed {
    /// For bodies of so many bytes; a score is that of the class beside it.
    pub(super) fn within(bytes: usize) -> Self {
        let items = Items {
            bytes,
            has_maps: false,
            has_numbers: false,
        };
        Self {
            items,
            has_positive_scores: false,
        }
    }

    /// The place of such items column by column.
    pub(super) fn columns(self) -> Columns {
        Columns::within(self.items.bytes)
    }

    /// The same, where a score beside the class 0 or 1 is the probability of class 1.
    pub(super) fn with_positive_scores(bytes: usize) -> Self {
        Self {
            has_positive_scores: true,
            ..Self::within(bytes)
        }
    }

    /// The only item, if something of it is known.
    pub(super) fn alone<'de, A: MapAccess<'de>>(self, object: A) -> Result<Option<Raw>, A::Error> {
        let mut builder = self.builder();
        builder.manner.others = Others::Nothing;
        builder.read_object(object)
    }

    fn builder(self) -> Builder {
        let mut builder = self.items.builder();
        builder.manner.others = Others::Items;
        builder.manner.has_positive_scores = self.has_positive_scores;
        builder
    }
}

impl<'de> Node<'de> for Claimed {
    /// `None`: no items stand there.
    type Found = Option<Raw>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<Raw> {
        only(leaf)
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Option<Raw>, A::Error> {
        self.builder().read_list(list)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Option<Raw>, A::Error> {
        self.builder().read_object(object)
    }
}

/// The only item.
fn only(leaf: Leaf<'_>) -> Option<Raw> {
    let prediction = prediction(leaf)?;
    Some(Raw {
        outputs: vec![Output::from(prediction)],
        ..Raw::default()
    })
}

/// A class or number as it stands; `None` for lists and objects.
pub(super) fn prediction(leaf: Leaf<'_>) -> Option<Prediction> {
    Some(match leaf {
        Leaf::Bool(value) => Prediction::Bool(value),
        Leaf::Integer(value) => Prediction::Index(value),
        Leaf::Large(value) => Prediction::Name(value.to_string().into()),
        Leaf::Real(value) if value.is_finite() => Prediction::Value(value),
        Leaf::Null | Leaf::Real(_) => Prediction::Unknown,
        Leaf::Text(text) => Prediction::named(text),
        Leaf::List | Leaf::Object => return None,
    })
}

/// Items, one after the other.
#[derive(Debug, Default)]
pub(super) struct Builder {
    outputs: Vec<Output>,
    vectors: Option<Vectors>,
    /// Vectors so far.
    rows: usize,
    /// Rankings so far.
    rankings: usize,
    /// Items so far that their fields call classes.
    labels: usize,
    /// A text was written, and is no class.
    has_texts: bool,
    /// Items of a list so far.
    items: usize,
    /// What all elements of a list are.
    kind: Option<Kind>,
    /// Something is no item, or not of the same shape as the others.
    is_mixed: bool,
    max: usize,
    manner: Manner,
}

/// How objects are read.
#[derive(Debug, Clone, Copy, Default)]
struct Manner {
    /// Numbers by name are a ranking even if they do not sum to 1.
    has_maps: bool,
    /// What an object without known names is.
    others: Others,
    /// A score beside the class 0 or 1 is the probability of class 1.
    has_positive_scores: bool,
}

/// What an object without known names is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Others {
    #[default]
    Nothing,
    /// The number that it holds alone.
    Numbers,
    /// An item, also where nothing of it is known.
    Items,
}

/// What an element of a list of items is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    List,
    Object,
}

impl Builder {
    /// For bodies of so many bytes.
    pub(super) fn within(bytes: usize) -> Self {
        Self {
            max: most_items(bytes),
            ..Self::default()
        }
    }

    fn read_list<'de, A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Option<Raw>, A::Error> {
        while let Some(fits) = list.next_element_seed(At(Each(&mut self)))? {
            fits.map_err(A::Error::custom)?;
        }
        Ok(self.finish())
    }

    fn read_object<'de, A: MapAccess<'de>>(mut self, object: A) -> Result<Option<Raw>, A::Error> {
        let item = Item::read(object)?;
        self.item(item).map_err(A::Error::custom)?;
        Ok(self.finish())
    }

    /// Another element of a list is there.
    fn begin(&mut self, kind: Kind) {
        self.items += 1;
        self.is_mixed |= *self.kind.get_or_insert(kind) != kind;
    }

    /// What was added so far.
    pub(super) fn outputs_mut(&mut self) -> &mut [Output] {
        &mut self.outputs
    }

    /// Whether it may be as many.
    pub(super) fn fits(&self) -> Result<(), TooLarge> {
        if self.outputs.len().max(self.rows) > self.max {
            return Err(TooLarge);
        }
        Ok(())
    }

    /// Makes room for so many items at once: room that grows is there twice.
    pub(super) fn reserve(&mut self, items: usize) {
        self.outputs.reserve_exact(items.min(self.max));
    }

    /// The same for the vectors of so many items, of which the first is there.
    pub(super) fn reserve_vectors(&mut self, items: usize) {
        let Some(vectors) = &mut self.vectors else {
            return;
        };
        let room = vectors.width.saturating_mul(items);
        // two bytes for a number: more there cannot be
        if room <= self.max.saturating_mul(2) {
            let numbers = &mut vectors.numbers;
            numbers.reserve_exact(room.saturating_sub(numbers.len()));
        }
    }

    /// Adds an item.
    pub(super) fn output(&mut self, output: Output) -> Result<(), TooLarge> {
        if self.outputs.len() >= self.max {
            return Err(TooLarge);
        }
        make_room(&mut self.outputs, self.max);
        self.outputs.push(output);
        self.fits()
    }

    /// What a list held; its numbers are there already, from `from` on.
    fn list(&mut self, from: usize, mut held: Held) -> Result<(), TooLarge> {
        let numbers = self.vectors.as_ref().map_or(0, |v| v.numbers.len()) - from;
        match (numbers, held.words.len(), held.ranking.is_empty()) {
            (0, 1, true) => self.output(Output::from(held.words.remove(0))),
            (0, 0, false) => self.ranking(held.ranking),
            (1.., 0, true) if !held.is_other => self.vector(numbers),
            _ => {
                self.is_mixed = true;
                Ok(())
            }
        }
    }

    /// Ends a vector of so many numbers, the last ones.
    fn vector(&mut self, width: usize) -> Result<(), TooLarge> {
        let vectors = self.vectors.get_or_insert_default();
        if self.rows == 0 {
            vectors.width = width;
        }
        self.is_mixed |= vectors.width != width;
        self.rows += 1;
        self.fits()
    }

    /// The label with the largest score, and all scores.
    pub(super) fn ranking(&mut self, shares: Shares<'_>) -> Result<(), TooLarge> {
        self.rankings += 1;
        self.outputs.push(shares.best());
        self.scores(shares);
        self.fits()
    }

    /// An item that is an object without a field, as three bytes can be one.
    fn nothing(&mut self) -> Result<(), TooLarge> {
        match self.manner.others {
            Others::Items => return self.output(Output::from(Prediction::Unknown)),
            Others::Nothing | Others::Numbers => self.is_mixed = true,
        }
        self.fits()
    }

    fn item(&mut self, item: Item<'_>) -> Result<(), TooLarge> {
        let Item {
            prediction,
            mut share,
            is_label,
            is_score,
            shares,
            mut map,
            lone,
            is_text,
            only,
        } = item;
        if let (Some((name, share)), true) = (lone, self.manner.has_maps) {
            map.push_name(name, share);
        }
        match prediction {
            Some(prediction) => {
                if self.manner.has_positive_scores && is_score && prediction.place() == Some(0) {
                    share = share.map(|share| 1.0 - share);
                }
                self.labels += usize::from(is_label);
                let share = share.or_else(|| shares.of(&prediction));
                self.outputs.push(Output::new(prediction, share));
                self.scores(shares);
            }
            None if !shares.is_empty() => {
                if shares.has_names() {
                    return self.ranking(shares);
                }
                self.scores(shares);
            }
            None if map.is_ranking(self.manner.has_maps) => return self.ranking(map),
            None if self.manner.others == Others::Numbers => match only {
                Some(Found::Scalar(number, Some(_))) => self.outputs.push(Output::from(number)),
                _ => self.is_mixed = true,
            },
            None if self.manner.others == Others::Items => match only {
                Some(Found::Scalar(Prediction::Name(_), _)) if is_text => {
                    self.has_texts = true;
                    self.outputs.push(Output::from(Prediction::Unknown));
                }
                Some(Found::Scalar(prediction, _)) => self.outputs.push(Output::from(prediction)),
                Some(Found::Shares(shares)) if shares.are_numbers() => self.scores(shares),
                _ => self.outputs.push(Output::from(Prediction::Unknown)),
            },
            None => self.is_mixed = true,
        }
        self.fits()
    }

    /// Adds the scores of one item, in the order of the first item's; none are none.
    pub(super) fn scores(&mut self, shares: Shares<'_>) {
        if shares.is_empty() {
            return;
        }
        let vectors = self.vectors.get_or_insert_default();
        if self.rows == 0 {
            vectors.labels = shares.labels();
            vectors.width = shares.len();
            vectors.are_whole = false;
            if vectors.numbers.is_empty() {
                self.rows = 1;
                vectors.numbers = shares.into_numbers();
                return;
            }
        }
        self.rows += 1;
        if vectors.width == shares.len() {
            shares.append(vectors.labels.as_deref(), &mut vectors.numbers);
        } else {
            // the best five of many: each item has others
            vectors.width = 0;
        }
    }

    /// `None`: that were no items.
    pub(super) fn finish(mut self) -> Option<Raw> {
        self.vectors.take_if(|vectors| vectors.width == 0);
        let rows = self.vectors.as_ref().map_or(0, Vectors::rows);
        let has_others = rows > 0 && !self.outputs.is_empty() && rows != self.outputs.len();
        if self.items > 0 && !self.outputs.is_empty() && self.outputs.len() != self.items {
            // some are classes, others vectors
            return None;
        }
        if self.is_mixed || (has_others && self.rows == rows && self.rows > self.outputs.len()) {
            return None;
        }
        if has_others {
            self.vectors = None;
        }
        Some(Raw {
            is_argmax: self.rankings > 0 && self.rankings == self.outputs.len(),
            field: match self.labels {
                _ if self.has_texts => Field::Text,
                1.. if self.labels == self.outputs.len() => Field::Class,
                _ => Field::Open,
            },
            outputs: self.outputs,
            vectors: self.vectors,
            is_ranking: false,
        })
    }
}

/// An element of a list of items.
pub(super) struct Each<'a>(pub(super) &'a mut Builder);

impl<'de> Node<'de> for Each<'_> {
    type Found = Result<(), TooLarge>;

    fn leaf(self, leaf: Leaf<'_>) -> Self::Found {
        self.0.begin(Kind::Plain);
        if let Some(prediction) = prediction(leaf) {
            return self.0.output(Output::from(prediction));
        }
        self.0.is_mixed = true;
        Ok(())
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Found, A::Error> {
        self.0.begin(Kind::List);
        let mut held = Held::default();
        let vectors = self.0.vectors.get_or_insert_with(|| Vectors {
            are_whole: true,
            ..Vectors::default()
        });
        let from = vectors.numbers.len();
        loop {
            let element = Element {
                vectors: &mut *vectors,
                held: &mut held,
            };
            if list.next_element_seed(At(element))?.is_none() {
                break;
            }
        }
        Ok(self.0.list(from, held))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Found, A::Error> {
        self.0.begin(Kind::Object);
        let Some(name) = object.next_key_seed(Name)? else {
            return Ok(self.0.nothing());
        };
        let item = Item::read_from(name, object)?;
        Ok(self.0.item(item))
    }
}

/// What an item that is a list holds beside numbers.
#[derive(Debug, Default)]
struct Held<'de> {
    words: Vec<Prediction>,
    ranking: Shares<'de>,
    is_other: bool,
}

/// An element of an item that is a list.
struct Element<'a, 'de> {
    vectors: &'a mut Vectors,
    held: &'a mut Held<'de>,
}

impl<'de> Node<'de> for Element<'_, 'de> {
    type Found = ();

    fn leaf(self, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Integer(_) | Leaf::Large(_) | Leaf::Real(_) | Leaf::Null => {
                self.vectors.are_whole &= matches!(leaf, Leaf::Integer(_) | Leaf::Large(_));
                self.vectors.numbers.push(leaf.number().unwrap_or(f64::NAN));
            }
            // more than one are no class
            _ if self.held.words.len() > 1 => {}
            _ => match prediction(leaf) {
                Some(word) => self.held.words.push(word),
                None => self.held.is_other = true,
            },
        }
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        if !self.held.ranking.push_pair(list)? {
            self.held.is_other = true;
        }
        Ok(())
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        match Item::read(object)? {
            Item {
                prediction: Some(label),
                share: Some(share),
                ..
            } => self.held.ranking.push(&label, share),
            _ => self.held.is_other = true,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
