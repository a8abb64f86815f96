//! Where columns are, by their names.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

use super::super::inference::{Column, Name};

/// Places of columns by a hash of their names, which stay where they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    hashes: RandomState,
    /// The first column of each hash.
    by_hash: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    /// Columns that were looked at.
    seen: usize,
}

/// They say nothing that columns do not say.
impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// The column of that name, with those that came since the last time.
    pub(super) fn find(&mut self, columns: &[Column], name: &str) -> Option<usize> {
        for (place, column) in columns.iter().enumerate().skip(self.seen) {
            if let Name::Word(word) = &column.name {
                let hash = self.hash(word);
                self.by_hash.entry(hash).or_insert(place);
            }
        }
        self.seen = columns.len();
        let place = *self.by_hash.get(&self.hash(name))?;
        // nobody finds two names of one hash who does not know its key
        matches!(&columns[place].name, Name::Word(word) if word == name).then_some(place)
    }

    fn hash(&self, name: &str) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        hasher.write(name.as_bytes());
        hasher.finish()
    }
}

/// A hash that is there already.
#[derive(Debug, Clone, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
