//! One prediction as it is kept: what was answered to a request, item by item, in bytes.
//!
//! ```text
//! 1 | at f64 | width u16 | names u16 | items u32 | words u32
//! model and version, each u8 length and text
//! items, each: kind u8, value 8 bytes, confidence f64, `width` shares f32
//! names of the shares, each a word: start u32, length u8
//! words: all texts
//! ```
//!
//! An alias is another id of a request, and has no items: `2`, 16 times `0`, and the id.
//!
//! An item has the same length whatever it is, so one of thousands is read without the others.

use std::sync::Arc;

/// The first byte of what this version writes.
const FORMAT: u8 = 1;
/// The first byte of an alias.
const IS_ALIAS: u8 = 2;
/// Bytes of an alias before its id: those in the place of a number of items are 0.
pub(super) const ALIAS: usize = 17;
/// Bytes before the names of model and version.
const HEAD: usize = 1 + 8 + 2 + 2 + 4 + 4;
/// Bytes of an item without its shares.
const ITEM: usize = 1 + 8 + 8;
/// Bytes of a word's place.
const PLACE: usize = 4 + 1;
/// Longest text in bytes; longer ones are cut between two characters.
pub(super) const MAX_WORD: usize = 128;
/// Most classes of which the probabilities are kept; of more there is the confidence alone.
pub(super) const MAX_SHARES: usize = 64;
/// Largest record in bytes; a larger one is not kept.
pub(super) const MAX_RECORD: usize = 512 << 10;

/// What was answered for one item.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// A class by name.
    Name(String),
    /// A class by number.
    Index(i64),
    /// A class of two.
    Bool(bool),
    /// What a regression gave: finite.
    Value(f64),
    /// Neither is known.
    Unknown,
}

/// One item with what is the same for all of its request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Predicted {
    /// As in the label `model`.
    pub model: Arc<str>,
    /// As in the label `model_version`.
    pub version: Arc<str>,
    /// When, in seconds since 1970.
    pub at: f64,
    /// What.
    pub said: Said,
    /// The probability of the predicted class, in `[0, 1]`.
    pub confidence: Option<f64>,
    /// The probability of each class, in the order of `names`, or by place; empty where they are not known.
    pub shares: Vec<f64>,
    /// Names of the classes by their numbers; empty where they have none.
    pub names: Vec<String>,
}

/// A record in the making.
#[derive(Debug)]
pub struct Draft {
    head: Vec<u8>,
    items: Vec<u8>,
    names: Vec<(u32, u8)>,
    words: Vec<u8>,
    /// Words so far, to have each once; a few.
    known: Vec<(u32, u8)>,
    width: usize,
    count: u32,
    at: f64,
    is_too_large: bool,
}

/// Words among which one that is there is looked for.
const KNOWN: usize = 32;

impl Draft {
    /// One without items. `width`: probabilities of each item, none where there are more than
    /// 64.
    pub fn new(model: &str, version: &str, at: f64, width: usize) -> Self {
        let mut head = Vec::with_capacity(2 + model.len() + version.len());
        for text in [model, version] {
            let text = cut(text);
            head.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            head.extend_from_slice(text.as_bytes());
        }
        Self {
            head,
            items: Vec::new(),
            names: Vec::new(),
            words: Vec::new(),
            known: Vec::new(),
            width: if width > MAX_SHARES { 0 } else { width },
            count: 0,
            at,
            is_too_large: false,
        }
    }

    /// The names of the classes by their numbers, where there are at most 64.
    pub fn name<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) {
        if names.len() <= MAX_SHARES {
            self.names = names.map(|name| self.word(name)).collect();
        }
    }

    /// Adds a class by name.
    pub fn named(&mut self, class: &str, confidence: Option<f64>, shares: &[f64]) {
        let (start, length) = self.word(class);
        let value = u64::from(start) | u64::from(length) << 32;
        self.item(1, value, confidence, shares);
    }

    /// Adds a class by number.
    pub fn index(&mut self, class: i64, confidence: Option<f64>, shares: &[f64]) {
        self.item(2, class.cast_unsigned(), confidence, shares);
    }

    /// Adds a class of two.
    pub fn truth(&mut self, class: bool, confidence: Option<f64>, shares: &[f64]) {
        self.item(3, u64::from(class), confidence, shares);
    }

    /// Adds what a regression gave.
    pub fn value(&mut self, value: f64) {
        self.item(4, value.to_bits(), None, &[]);
    }

    /// Adds an item of which nothing is known.
    pub fn unknown(&mut self) {
        self.item(0, 0, None, &[]);
    }

    fn item(&mut self, kind: u8, value: u64, confidence: Option<f64>, shares: &[f64]) {
        if self.items.len() + self.words.len() > MAX_RECORD {
            self.is_too_large = true;
            return;
        }
        self.count += 1;
        self.items.push(kind);
        self.items.extend_from_slice(&value.to_le_bytes());
        let confidence = confidence.unwrap_or(f64::NAN);
        self.items.extend_from_slice(&confidence.to_le_bytes());
        for at in 0..self.width {
            let share = shares.get(at).copied().unwrap_or(f64::NAN);
            #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough")]
            self.items.extend_from_slice(&(share as f32).to_le_bytes());
        }
    }

    fn word(&mut self, text: &str) -> (u32, u8) {
        let text = cut(text).as_bytes();
        let is_it = |(start, length): &&(u32, u8)| {
            let start = *start as usize;
            self.words.get(start..start + usize::from(*length)) == Some(text)
        };
        if let Some(known) = self.known.iter().find(is_it) {
            return *known;
        }
        let start = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let place = (start, u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.words.extend_from_slice(text);
        if self.known.len() < KNOWN {
            self.known.push(place);
        }
        place
    }

    /// The record.
    ///
    /// # Errors
    /// It has no item, or is larger than 512 KiB.
    pub fn finish(self) -> Result<Vec<u8>, NoRecord> {
        if self.count == 0 {
            return Err(NoRecord::Empty);
        }
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let words = u32::try_from(self.words.len()).map_err(|_| NoRecord::TooLarge)?;
        let places = self.names.len() * PLACE;
        let len = HEAD + self.head.len() + self.items.len() + places + self.words.len();
        if self.is_too_large || len > MAX_RECORD {
            return Err(NoRecord::TooLarge);
        }
        let mut bytes = Vec::with_capacity(len);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.at.to_le_bytes());
        bytes.extend_from_slice(&small(self.width).to_le_bytes());
        bytes.extend_from_slice(&small(self.names.len()).to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&words.to_le_bytes());
        bytes.extend_from_slice(&self.head);
        bytes.extend_from_slice(&self.items);
        for (start, length) in self.names {
            bytes.extend_from_slice(&start.to_le_bytes());
            bytes.push(length);
        }
        bytes.extend_from_slice(&self.words);
        Ok(bytes)
    }
}

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRecord {
    /// It has no item.
    Empty,
    /// It is larger than [`MAX_RECORD`].
    TooLarge,
}

/// Another id by which a request is found that has `id`.
pub(super) fn alias(id: &str) -> Vec<u8> {
    let mut bytes = vec![0; ALIAS];
    bytes[0] = IS_ALIAS;
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// The id that an alias stands for; `None`: it is none.
pub(super) fn alias_of(record: &[u8]) -> Option<&str> {
    let (head, id) = record.split_at_checked(ALIAS)?;
    let id = std::str::from_utf8(id).ok()?;
    (head[0] == IS_ALIAS).then_some(id)
}

/// When a record's prediction was made; `None`: it is none.
pub(super) fn made_at(record: &[u8]) -> Option<f64> {
    let mut rest = record;
    (take::<1>(&mut rest)? == [FORMAT]).then_some(())?;
    take(&mut rest).map(f64::from_le_bytes)
}

/// How many items a record has; of none 0.
pub(super) fn items(record: &[u8]) -> u32 {
    let count = record.get(13..17).and_then(<[u8]>::first_chunk);
    count.map_or(0, |count| u32::from_le_bytes(*count))
}

/// Whose a record is, and the confidences of its items, `NaN` where there is none.
pub(super) struct Confidences<'a, I> {
    pub(super) model: &'a str,
    pub(super) version: &'a str,
    pub(super) values: I,
}

/// What is estimated from, without the rest; `None`: it is no record.
pub(super) fn confidences(
    record: &[u8],
) -> Option<Confidences<'_, impl Iterator<Item = f64> + '_>> {
    let mut rest = record;
    made_at(record)?;
    take::<9>(&mut rest)?;
    let width = usize::from(u16::from_le_bytes(take(&mut rest)?));
    take::<2>(&mut rest)?;
    let count = u32::from_le_bytes(take(&mut rest)?) as usize;
    take::<4>(&mut rest)?;
    let model = short_text(&mut rest)?;
    let version = short_text(&mut rest)?;
    let length = ITEM + width * 4;
    let items = rest.get(..length * count)?.chunks_exact(length);
    Some(Confidences {
        model,
        version,
        values: items.filter_map(|item| {
            let confidence = item.get(9..)?.first_chunk()?;
            Some(f64::from_le_bytes(*confidence))
        }),
    })
}

/// One item of a record; `None`: it has no such item.
pub(super) fn item(record: &[u8], place: u32) -> Option<Predicted> {
    let mut rest = record;
    let at = made_at(record)?;
    take::<9>(&mut rest)?;
    let width = usize::from(u16::from_le_bytes(take(&mut rest)?));
    let names = usize::from(u16::from_le_bytes(take(&mut rest)?));
    let count = u32::from_le_bytes(take(&mut rest)?);
    let words = u32::from_le_bytes(take(&mut rest)?) as usize;
    if place >= count {
        return None;
    }
    let model = Arc::from(short_text(&mut rest)?);
    let version = Arc::from(short_text(&mut rest)?);
    let length = ITEM + width * 4;
    let items = rest.get(..length * count as usize)?;
    let rest = rest.get(items.len()..)?;
    let (mut places, words) = (
        rest.get(..names * PLACE)?,
        rest.get(names * PLACE..)?.get(..words)?,
    );
    let word = |start: u32, length: u8| {
        let start = start as usize;
        std::str::from_utf8(words.get(start..start + usize::from(length))?).ok()
    };
    let mut item = items.get(place as usize * length..)?.get(..length)?;
    let [kind] = take(&mut item)?;
    let value = u64::from_le_bytes(take(&mut item)?);
    let confidence = f64::from_le_bytes(take(&mut item)?);
    let said = match kind {
        0 => Said::Unknown,
        1 => {
            let (start, length) = (value & u64::from(u32::MAX), value >> 32);
            Said::Name(word(u32::try_from(start).ok()?, u8::try_from(length).ok()?)?.to_owned())
        }
        2 => Said::Index(value.cast_signed()),
        3 => Said::Bool(value != 0),
        4 => Said::Value(f64::from_bits(value)),
        _ => return None,
    };
    let shares = item.chunks_exact(4).map_while(|share| {
        let share = f32::from_le_bytes(share.try_into().ok()?);
        share.is_finite().then_some(f64::from(share))
    });
    let shares: Vec<f64> = shares.collect();
    let mut all = Vec::with_capacity(names);
    for _ in 0..names {
        let start = u32::from_le_bytes(take(&mut places)?);
        let [length] = take(&mut places)?;
        all.push(word(start, length)?.to_owned());
    }
    Some(Predicted {
        model,
        version,
        at,
        said,
        confidence: (!confidence.is_nan()).then_some(confidence),
        // of an item that has only some of them nothing can be said
        shares: if shares.len() == width {
            shares
        } else {
            Vec::new()
        },
        names: all,
    })
}

/// The record of this item alone.
pub(super) fn alone(item: &Predicted) -> Vec<u8> {
    let mut draft = Draft::new(&item.model, &item.version, item.at, item.shares.len());
    draft.name(item.names.iter().map(String::as_str));
    match &item.said {
        Said::Name(name) => draft.named(name, item.confidence, &item.shares),
        Said::Index(class) => draft.index(*class, item.confidence, &item.shares),
        Said::Bool(class) => draft.truth(*class, item.confidence, &item.shares),
        Said::Value(value) => draft.value(*value),
        Said::Unknown => draft.unknown(),
    }
    draft.finish().unwrap_or_default()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn short_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let [length] = take(rest)?;
    let (text, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

/// At most [`MAX_WORD`] bytes, cut between two characters.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_WORD)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed() -> Vec<u8> {
        let mut draft = Draft::new("iris", "7", 12.5, 3);
        draft.name(["setosa", "versicolor", "virginica"].into_iter());
        draft.named("virginica", Some(0.75), &[0.0, 0.25, 0.75]);
        draft.named("another", None, &[]);
        draft.index(-2, Some(0.5), &[]);
        draft.truth(true, None, &[0.5, 0.25, 0.25]);
        draft.value(-1.5);
        draft.unknown();
        draft.finish().unwrap()
    }

    #[test]
    fn each_item_is_read_back_as_it_was_written() {
        let record = mixed();
        let said = |place| item(&record, place).unwrap().said;
        assert_eq!(said(0), Said::Name("virginica".to_owned()));
        assert_eq!(said(1), Said::Name("another".to_owned()));
        assert_eq!(said(2), Said::Index(-2));
        assert_eq!(said(3), Said::Bool(true));
        assert_eq!(said(4), Said::Value(-1.5));
        assert_eq!(said(5), Said::Unknown);
        assert_eq!(item(&record, 6), None);
        let first = item(&record, 0).unwrap();
        assert_eq!(
            (&*first.model, &*first.version, first.at),
            ("iris", "7", 12.5)
        );
        assert_eq!(first.confidence, Some(0.75));
        assert_eq!(first.shares, [0.0, 0.25, 0.75]);
        assert_eq!(first.names, ["setosa", "versicolor", "virginica"]);
        assert!(item(&record, 2).unwrap().shares.is_empty());
    }

    #[test]
    fn an_item_alone_is_the_same() {
        let record = mixed();
        for place in [0, 1, 3] {
            let found = item(&record, place).unwrap();
            assert_eq!(item(&alone(&found), 0), Some(found));
        }
    }

    #[test]
    fn a_record_that_is_cut_or_changed_is_no_reason_to_panic() {
        let record = mixed();
        for length in 0..record.len() {
            for place in 0..7 {
                let _ = item(&record[..length], place);
            }
        }
        for at in 0..record.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = record.clone();
                changed[at] = value;
                (0..7).for_each(|place| drop(item(&changed, place)));
            }
        }
    }

    #[test]
    fn what_is_too_large_or_empty_is_no_record() {
        let draft = Draft::new("m", "1", 0.0, 0);
        assert_eq!(draft.finish(), Err(NoRecord::Empty));
        let mut draft = Draft::new("m", "1", 0.0, 0);
        (0..100_000).for_each(|_| draft.value(1.0));
        assert_eq!(draft.finish(), Err(NoRecord::TooLarge));
        let mut wide = Draft::new("m", "1", 0.0, MAX_SHARES + 1);
        wide.index(1, Some(0.5), &[0.5; MAX_SHARES + 1]);
        let wide = wide.finish().unwrap();
        assert!(item(&wide, 0).unwrap().shares.is_empty());
    }

    #[test]
    fn many_items_of_few_classes_are_small() {
        let mut draft = Draft::new("m", "1", 0.0, 0);
        (0..1000).for_each(|at| draft.named(["a", "b"][at % 2], Some(0.5), &[]));
        assert!(draft.finish().unwrap().len() < 1000 * ITEM + 100);
    }
}
