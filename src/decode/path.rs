//! What a `JSONPath` of RFC 9535 leads to, within a bound on the steps taken.
//!
//! The crate that reads paths does not follow them, and those that do want a tree, whose size a
//! body of 64 KiB can make a hundred times its own. Recursion is that of the path, never of the body.
//! Two things differ from the RFC: functions in filters are refused when the path is read, and lists
//! and objects compare equal in a filter only where they are written alike.

mod filter;

use std::ops::Range;

use rsonpath_syntax::{Index, Segment, Selector, Selectors, Slice, Step};

use super::{
    table::TooLarge,
    tape::{self, Place, Tape},
};
use crate::config::is_singular;

/// One place that a path leads to. A body can have one for each two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    row: u32,
    place: u32,
}

impl Found {
    pub(super) fn new(row: usize, place: Place) -> Self {
        let [row, place] = [row, place].map(tape::length);
        Self { row, place }
    }

    /// Which of the places that the first segment for many leads to lies above it, from 0. Paths
    /// that go through the same list tell by it what belongs together.
    pub(super) fn row(self) -> usize {
        self.row as usize
    }

    /// The place itself.
    pub(super) fn place(self) -> Place {
        self.place as usize
    }
}

/// How many steps may be taken over a body, by all paths together.
#[derive(Debug)]
pub(super) struct Steps(usize);

impl Steps {
    /// Steps for each byte.
    const PER_BYTE: usize = 4;
    /// Paths for which there is one more: looking for each of many fields takes as many.
    const PATHS: usize = 4;
    /// Steps that any body has.
    const FREE: usize = 4096;
    /// What it takes to read a byte of what was found: a body can be read twice.
    const READING: usize = 2;

    /// For a body of `bytes` in which so many `paths` are followed.
    pub(super) fn within(bytes: usize, paths: usize) -> Self {
        let per_byte = Self::PER_BYTE + paths / Self::PATHS;
        Self(bytes.saturating_mul(per_byte) + Self::FREE)
    }

    /// Takes those for reading so many bytes.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.take(bytes.saturating_mul(Self::READING))
            .map_err(|_| TooLarge)
    }

    fn take(&mut self, steps: usize) -> Result<(), Stop> {
        self.0 = self.0.checked_sub(steps).ok_or(Stop::TooLong)?;
        Ok(())
    }
}

/// Why a walk ends early.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// What was looked for is found.
    Enough,
    /// All steps are taken.
    TooLong,
}

/// What is done at each place.
type Each<'f, 't, 'a> = &'f mut dyn FnMut(&mut Walk<'t, 'a>, Place) -> Result<(), Stop>;

/// A walk over one body.
pub(super) struct Walk<'t, 'a> {
    tape: &'t Tape<'a>,
    steps: &'t mut Steps,
}

/// All places that `segments` lead to from `root`, in the order of the RFC.
pub(super) fn find(
    tape: &Tape<'_>,
    root: Place,
    segments: &[Segment],
    steps: &mut Steps,
) -> Result<Vec<Found>, TooLarge> {
    let is_everywhere = |segment: &Segment| matches!(segment, Segment::Descendant(_));
    if root == 0 && segments.iter().any(is_everywhere) {
        let places = root..tape.after(root);
        if !may_lead(tape, &places, segments) {
            // one for each place, as looking into all of them takes
            return match steps.take(places.len()) {
                Ok(()) => Ok(Vec::new()),
                Err(_) => Err(TooLarge),
            };
        }
    }
    let mut walk = Walk { tape, steps };
    let mut found = Vec::new();
    let most = (tape.bytes() / 4).max(MAX_FOUND);
    let first = segments.iter().position(|segment| !is_singular(segment));
    let (above, below) = segments.split_at(first.unwrap_or(segments.len()));
    let walked = walk.follow(root, above, &mut |walk, place| {
        let Some((many, below)) = below.split_first() else {
            return push(&mut found, Found::new(0, place), most);
        };
        let mut row = 0;
        walk.segment(place, many, &mut |walk, place| {
            walk.follow(place, below, &mut |_, place| {
                push(&mut found, Found::new(row, place), most)
            })?;
            row += 1;
            Ok(())
        })
    });
    match walked {
        Ok(()) | Err(Stop::Enough) => Ok(found),
        Err(Stop::TooLong) => Err(TooLarge),
    }
}

/// Whether `segments` may lead anywhere among `places`: a name of each that wants one is there. That
/// takes less to see than to follow them, from each of many places above all.
pub(super) fn may_lead(tape: &Tape<'_>, places: &Range<Place>, segments: &[Segment]) -> bool {
    let may_lead = |selector: &Selector| match selector {
        Selector::Name(name) => tape.has_name(places.clone(), name.unquoted()),
        _ => true,
    };
    let mut all = segments.iter().map(Segment::selectors);
    all.all(|selectors| selectors.as_slice().iter().any(may_lead))
}

/// Whether a segment chooses fields by their names alone.
pub(super) fn wants_names(segment: &Segment) -> bool {
    let is_name = |selector: &Selector| matches!(selector, Selector::Name(_));
    segment.selectors().as_slice().iter().all(is_name)
}

/// Places that may be found in any body; else one for each four bytes, as items are.
const MAX_FOUND: usize = 4096;

fn push(found: &mut Vec<Found>, one: Found, most: usize) -> Result<(), Stop> {
    found.push(one);
    if found.len() > most {
        return Err(Stop::TooLong);
    }
    Ok(())
}

impl<'t, 'a> Walk<'t, 'a> {
    fn follow(
        &mut self,
        from: Place,
        segments: &[Segment],
        each: Each<'_, 't, 'a>,
    ) -> Result<(), Stop> {
        self.steps.take(1)?;
        let Some((segment, rest)) = segments.split_first() else {
            return each(self, from);
        };
        self.segment(from, segment, &mut |walk, place| {
            walk.follow(place, rest, each)
        })
    }

    fn segment(
        &mut self,
        from: Place,
        segment: &Segment,
        each: Each<'_, 't, 'a>,
    ) -> Result<(), Stop> {
        match segment {
            Segment::Child(selectors) => self.selectors(from, selectors, each),
            Segment::Descendant(selectors) => {
                let wants_names = wants_names(segment);
                for place in from..self.tape.after(from) {
                    self.steps.take(1)?;
                    let may_lead = !wants_names || self.tape.is_object(place);
                    if may_lead && self.tape.holds(place) {
                        self.selectors(place, selectors, each)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn selectors(
        &mut self,
        from: Place,
        selectors: &Selectors,
        each: Each<'_, 't, 'a>,
    ) -> Result<(), Stop> {
        if !(self.tape.is_list(from) || self.tape.is_object(from)) {
            return Ok(());
        }
        for selector in selectors.as_slice() {
            self.selector(from, selector, each)?;
        }
        Ok(())
    }

    fn selector(
        &mut self,
        from: Place,
        selector: &Selector,
        each: Each<'_, 't, 'a>,
    ) -> Result<(), Stop> {
        match selector {
            Selector::Name(name) => match self.named(from, name.unquoted())? {
                Some(place) => each(self, place),
                None => Ok(()),
            },
            Selector::Index(index) => match self.at(from, *index)? {
                Some(place) => each(self, place),
                None => Ok(()),
            },
            Selector::Wildcard => {
                for (_, place) in self.tape.children(from) {
                    self.steps.take(1)?;
                    each(self, place)?;
                }
                Ok(())
            }
            Selector::Slice(slice) => self.slice(from, slice, each),
            Selector::Filter(test) => {
                for (_, place) in self.tape.children(from) {
                    if self.holds(test, place)? {
                        each(self, place)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The field of that name; of several the last, as in Python.
    fn named(&mut self, from: Place, name: &str) -> Result<Option<Place>, Stop> {
        if !self.tape.is_object(from) {
            return Ok(None);
        }
        let mut found = None;
        for (named, place) in self.tape.children(from) {
            self.steps.take(1)?;
            if named.is_some_and(|named| self.tape.reads(named, name)) {
                found = Some(place);
            }
        }
        Ok(found)
    }

    /// The element at `index` of a list.
    fn at(&mut self, from: Place, index: Index) -> Result<Option<Place>, Stop> {
        if !self.tape.is_list(from) {
            return Ok(None);
        }
        let index = match index {
            Index::FromStart(index) => usize::try_from(index.as_u64()).ok(),
            Index::FromEnd(back) => {
                let length = self.length(from)?;
                usize::try_from(back.as_u64())
                    .ok()
                    .and_then(|back| length.checked_sub(back))
            }
        };
        let Some(index) = index else {
            return Ok(None);
        };
        for (at, (_, place)) in self.tape.children(from).enumerate() {
            self.steps.take(1)?;
            if at == index {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn length(&mut self, list: Place) -> Result<usize, Stop> {
        let length = self.tape.children(list).count();
        self.steps.take(length)?;
        Ok(length)
    }

    fn slice(&mut self, from: Place, slice: &Slice, each: Each<'_, 't, 'a>) -> Result<(), Stop> {
        if !self.tape.is_list(from) {
            return Ok(());
        }
        let elements: Vec<Place> = self.tape.children(from).map(|(_, place)| place).collect();
        self.steps.take(elements.len())?;
        let place = |index: Index| position(index, elements.len());
        match slice.step() {
            Step::Forward(step) => {
                let end = slice.end().map_or(elements.len(), place);
                let step = usize::try_from(step.as_u64()).unwrap_or(usize::MAX);
                let chosen = elements.get(place(slice.start())..end).unwrap_or_default();
                if step > 0 {
                    for place in chosen.iter().step_by(step) {
                        each(self, *place)?;
                    }
                }
            }
            Step::Backward(step) => {
                let step = usize::try_from(step.as_u64()).unwrap_or(usize::MAX);
                let (first, last) = backward(slice, elements.len());
                let chosen = elements.get(last..first).unwrap_or_default();
                for place in chosen.iter().rev().step_by(step) {
                    each(self, *place)?;
                }
            }
        }
        Ok(())
    }
}

/// Where an index of a slice lies in a list of `length`, at its ends if it is beyond them.
fn position(index: Index, length: usize) -> usize {
    let within = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(length);
    match index {
        Index::FromStart(index) => within(index.as_u64()),
        Index::FromEnd(back) => length - within(back.as_u64()),
    }
}

/// The half-open range that a slice takes from its end: behind its first element, and its last.
fn backward(slice: &Slice, length: usize) -> (usize, usize) {
    // both ends are elements that count from behind: one further up than the range begins
    let behind = |index: Index| match index {
        Index::FromStart(index) => {
            let index = usize::try_from(index.as_u64()).unwrap_or(usize::MAX);
            index.saturating_add(1).min(length)
        }
        Index::FromEnd(back) => {
            let back = usize::try_from(back.as_u64()).unwrap_or(usize::MAX);
            length.checked_sub(back).map_or(0, |index| index + 1)
        }
    };
    (behind(slice.start()), slice.end().map_or(0, behind))
}

#[cfg(test)]
mod tests;
