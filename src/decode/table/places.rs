//! Where columns are, by their names.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::super::inference::{Column, Name};

/// Places of columns by a hash of their names, which stay where they are.
///
/// The hash is a cheap one that anybody can know. Who makes names that meet in it gets one with a secret
/// key for all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// The hash in the upper half, in the lower one more than the place; 0: free. At least half are.
    slots: Vec<u64>,
    /// Columns that are in it, or were found to be called as one that is.
    seen: usize,
    /// Names that were looked for.
    lookups: usize,
    /// Others that were met there.
    met: usize,
    key: Option<RandomState>,
}

/// They say nothing that columns do not say.
impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// For so many columns.
    pub(super) fn of(columns: usize) -> Self {
        Self {
            slots: vec![0; (columns * 2).next_power_of_two()],
            ..Self::default()
        }
    }

    /// The column of that name, with those that came since the last time.
    pub(super) fn find(&mut self, columns: &[Column], name: &str) -> Option<usize> {
        while self.seen < columns.len() {
            self.add(columns, self.seen);
        }
        if columns.is_empty() {
            return None;
        }
        let hash = self.hash_of_word(name);
        let is = |column: &Column| matches!(&column.name, Name::Word(word) if *word == *name);
        self.look(columns, hash, is).ok()
    }

    /// Adds the column at `place`; `false`: another is called the same.
    pub(super) fn add(&mut self, columns: &[Column], place: usize) -> bool {
        self.seen += 1;
        if self.seen * 2 > self.slots.len() {
            self.rebuild(self.slots.len() * 2, |hash, _| hash);
        }
        let name = &columns[place].name;
        let hash = self.hash(name);
        let Err(free) = self.look(columns, hash, |column| column.name == *name) else {
            return false;
        };
        self.slots[free] = u64::from(hash) << 32 | (place as u64 + 1);
        if self.key.is_none() && self.met > 4 * self.lookups + 64 {
            self.key = Some(RandomState::new());
            let key = self.key.clone();
            self.rebuild(self.slots.len(), |_, place| {
                hash_of_name(&columns[place].name, key.as_ref())
            });
        }
        true
    }

    /// The place of the column that it is, else the slot where it would be.
    fn look(
        &mut self,
        columns: &[Column],
        hash: u32,
        is: impl Fn(&Column) -> bool,
    ) -> Result<usize, usize> {
        self.lookups += 1;
        let last = self.slots.len() - 1;
        let mut at = hash as usize & last;
        loop {
            match split(self.slots[at]) {
                None => return Err(at),
                Some((other, place)) if other == hash && is(&columns[place]) => return Ok(place),
                Some(_) => self.met += 1,
            }
            at = (at + 1) & last;
        }
    }

    /// Puts all into so many slots, by hashes made of those that they have and their places.
    fn rebuild(&mut self, slots: usize, hash: impl Fn(u32, usize) -> u32) {
        let before = std::mem::replace(&mut self.slots, vec![0; slots.max(64)]);
        let last = self.slots.len() - 1;
        for (old, place) in before.into_iter().filter_map(split) {
            let hash = hash(old, place);
            let mut at = hash as usize & last;
            while self.slots[at] != 0 {
                at = (at + 1) & last;
            }
            self.slots[at] = u64::from(hash) << 32 | (place as u64 + 1);
        }
    }

    fn hash(&self, name: &Name) -> u32 {
        hash_of_name(name, self.key.as_ref())
    }

    fn hash_of_word(&self, name: &str) -> u32 {
        hash_of(name.as_bytes(), self.key.as_ref())
    }
}

/// Hash and place of what is in a slot.
#[expect(clippy::cast_possible_truncation, reason = "one half, then the other")]
fn split(slot: u64) -> Option<(u32, usize)> {
    let place = (slot as u32).checked_sub(1)?;
    Some(((slot >> 32) as u32, place as usize))
}

fn hash_of_name(name: &Name, key: Option<&RandomState>) -> u32 {
    match name {
        Name::Word(word) => hash_of(word.as_bytes(), key),
        Name::Position(place) => hash_of(&place.to_le_bytes(), key),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a hash is one")]
fn hash_of(name: &[u8], key: Option<&RandomState>) -> u32 {
    /// Odd, half of its bits are set, and no pattern is in it: the golden ratio.
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    if let Some(key) = key {
        let mut hasher = key.build_hasher();
        hasher.write(name);
        return hasher.finish() as u32;
    }
    let mix = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(ODD);
        hash ^ hash >> 32
    };
    let (words, rest) = name.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let hash = words.fold(name.len() as u64, mix);
    let rest = rest.iter().rev();
    mix(
        hash,
        rest.fold(0, |word, byte| word << 8 | u64::from(*byte)),
    ) as u32
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{Text, inference::Values},
        *,
    };

    fn columns(names: impl Iterator<Item = Text>) -> Vec<Column> {
        let column = |name| Column {
            name: Name::Word(name),
            values: Values::default(),
        };
        names.map(column).collect()
    }

    #[test]
    fn every_name_is_found_however_the_places_came() {
        let columns = columns((0..1000).map(|i| Text::from(format!("{i:x}"))));
        let mut places = Places::default();
        for half in [500, 1000] {
            for place in 0..1000 {
                let found = places.find(&columns[..half], &format!("{place:x}"));
                assert_eq!(found, (place < half).then_some(place));
            }
        }
        assert_eq!(places.find(&columns, "y"), None);
        assert!(places.key.is_none());
    }

    #[test]
    fn names_that_meet_get_a_key_and_are_found_all_the_same() {
        // the first that meet in the lowest bits
        let all = (0..1 << 20).map(|i: u32| format!("{i:x}"));
        let meet = all.filter(|name| hash_of(name.as_bytes(), None).is_multiple_of(1 << 11));
        let columns = columns(meet.take(400).map(Text::from));
        let mut places = Places::of(columns.len());
        assert!((0..columns.len()).all(|place| places.add(&columns, place)));
        assert!(places.key.is_some());
        for (place, column) in columns.iter().enumerate() {
            assert_eq!(places.find(&columns, &column.name.text()), Some(place));
        }
    }
}
