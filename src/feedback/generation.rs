//! One file of predictions with the labels that came for them. It is an embedded database; what is
//! committed outlives a crash of the agent and of the machine.
//!
//! A store has several, one after the other, and drops the oldest whole. So nothing is deleted one by
//! one, and no index by time is needed.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ::metrics::Counter;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    backends::InMemoryBackend,
};
use sha2::{Digest, Sha256};

use super::record;
use crate::panics::contain;

/// Records by request id.
const PREDICTIONS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("predictions");
/// Hashes of labels by the hash of request id and item: 24 bytes for each, for there may be more of them than
/// of anything else.
const LABELS: TableDefinition<u128, u64> = TableDefinition::new("labels");
/// What was joined since the windows were written down, in the order in which it was.
const JOINED: TableDefinition<u64, &[u8]> = TableDefinition::new("joined");
/// One entry: when the last prediction was made.
const NEWEST: TableDefinition<(), f64> = TableDefinition::new("newest");

/// Pages of a file that are kept in memory, in bytes; the system has them all the same.
const CACHE: usize = 1 << 20;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// What the database says.
    #[error(transparent)]
    Database(#[from] redb::Error),
    /// The database gave up on what stands there.
    #[error("its content is damaged beyond what can be read")]
    Panicked,
}

macro_rules! from {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for FileError {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.into())
            }
        }
    )*};
}

from!(
    CommitError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError
);

impl FileError {
    /// Whether what stands in the file is at fault, not the disk.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Panicked => true,
            Self::Database(error) => match error {
                // what is no database is told so
                redb::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
                redb::Error::Corrupted(_)
                | redb::Error::UpgradeRequired(_)
                | redb::Error::TableTypeMismatch { .. }
                | redb::Error::TableIsMultimap(_) => true,
                _ => false,
            },
        }
    }
}

/// A label that is to be joined.
#[derive(Debug, Clone)]
pub(super) struct Joining {
    pub(super) key: u128,
    pub(super) label: u64,
    /// What is kept of it to go on after a restart.
    pub(super) joined: Vec<u8>,
    /// Its place in the order of all.
    pub(super) number: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Joined,
    /// The same label was there.
    Duplicate,
    /// Another label was there, which stays.
    Contradicting,
}

/// One file, open.
pub(super) struct Generation {
    pub(super) number: u64,
    database: Database,
    place: Place,
    /// When its last prediction was made, in seconds since 1970; of none 0.
    pub(super) newest: f64,
}

enum Place {
    File(PathBuf),
    Memory(Arc<AtomicU64>),
}

impl Generation {
    /// Opens the file at `path`, or begins it.
    ///
    /// # Errors
    /// When it is damaged or the disk refuses; a panic of the database is counted in `panics`.
    pub(super) fn open(number: u64, path: &Path, panics: &Counter) -> Result<Self, FileError> {
        let opening = || {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE);
            builder.set_check_integrity_on_open(true);
            Self::of(number, builder.create(path)?, Place::File(path.to_owned()))
        };
        contain(panics, opening).unwrap_or(Err(FileError::Panicked))
    }

    /// One in memory alone.
    ///
    /// # Errors
    /// None that is known.
    pub(super) fn in_memory(number: u64) -> Result<Self, FileError> {
        let len = Arc::new(AtomicU64::new(0));
        let memory = Memory {
            inner: InMemoryBackend::new(),
            len: Arc::clone(&len),
        };
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        Self::of(
            number,
            builder.create_with_backend(memory)?,
            Place::Memory(len),
        )
    }

    fn of(number: u64, database: Database, place: Place) -> Result<Self, FileError> {
        let is_new = database.begin_read()?.list_tables()?.next().is_none();
        if is_new {
            // all are there from the first transaction on, so that reading needs no case for none
            let write = database.begin_write()?;
            drop(write.open_table(PREDICTIONS)?);
            drop(write.open_table(LABELS)?);
            drop(write.open_table(JOINED)?);
            drop(write.open_table(NEWEST)?);
            write.commit()?;
        }
        let newest = database.begin_read()?.open_table(NEWEST)?.get(())?;
        let newest = newest.map_or(0.0, |at| at.value());
        Ok(Self {
            number,
            database,
            place,
            newest,
        })
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> u64 {
        match &self.place {
            Place::File(path) => std::fs::metadata(path).map_or(0, |file| file.len()),
            Place::Memory(len) => len.load(Ordering::Relaxed),
        }
    }

    /// Closes it and gives its path.
    pub(super) fn close(self) -> Option<PathBuf> {
        match self.place {
            Place::File(path) => Some(path),
            Place::Memory(_) => None,
        }
    }

    /// Keeps records by their ids, durably. A later one of the same id takes the place of one before, and
    /// its labels with it. How many did.
    ///
    /// # Errors
    /// Nothing of it is kept then.
    pub(super) fn keep(&mut self, records: &[(String, Vec<u8>)]) -> Result<u64, FileError> {
        let write = self.database.begin_write()?;
        let mut replaced = 0;
        let mut newest = self.newest;
        {
            let mut predictions = write.open_table(PREDICTIONS)?;
            let mut labels = write.open_table(LABELS)?;
            for (id, record) in records {
                newest = newest.max(record::made_at(record).unwrap_or(0.0));
                let before = predictions.insert(id.as_bytes(), record.as_slice())?;
                if let Some(before) = before {
                    replaced += u64::from(record::alias_of(record).is_none());
                    for item in 0..record::items(before.value()) {
                        labels.remove(key(id, item))?;
                    }
                }
            }
            write.open_table(NEWEST)?.insert((), newest)?;
        }
        write.commit()?;
        self.newest = newest;
        Ok(replaced)
    }

    /// Gives `found` the record of each id, where there is one: of those from `ids`, by their places.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn find<'a>(
        &self,
        ids: impl Iterator<Item = (usize, &'a str)>,
        mut found: impl FnMut(usize, &[u8]),
    ) -> Result<(), FileError> {
        let read = self.database.begin_read()?;
        let predictions = read.open_table(PREDICTIONS)?;
        for (place, id) in ids {
            if let Some(record) = predictions.get(id.as_bytes())? {
                found(place, record.value());
            }
        }
        Ok(())
    }

    /// Joins labels, durably; what became of each.
    ///
    /// # Errors
    /// None of them is joined then.
    pub(super) fn join(&self, all: &[Joining]) -> Result<Vec<Outcome>, FileError> {
        let write = self.database.begin_write()?;
        let mut outcomes = Vec::with_capacity(all.len());
        {
            let mut labels = write.open_table(LABELS)?;
            let mut joined = write.open_table(JOINED)?;
            for joining in all {
                let before = labels.get(joining.key)?;
                let before = before.map(|label| label.value() == joining.label);
                outcomes.push(match before {
                    Some(true) => Outcome::Duplicate,
                    Some(false) => Outcome::Contradicting,
                    None => {
                        labels.insert(joining.key, joining.label)?;
                        joined.insert(joining.number, joining.joined.as_slice())?;
                        Outcome::Joined
                    }
                });
            }
        }
        write.commit()?;
        Ok(outcomes)
    }

    /// The last `most` that were joined from the one of that place on, the last one first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn joined(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, FileError> {
        let read = self.database.begin_read()?;
        let table = read.open_table(JOINED)?;
        let mut all = Vec::new();
        for entry in table.range(from..)?.rev().take(most) {
            let (number, joined) = entry?;
            all.push((number.value(), joined.value().to_vec()));
        }
        Ok(all)
    }

    /// Number of the last that was joined; `None`: none that is remembered.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn last_joined(&self) -> Result<Option<u64>, FileError> {
        let read = self.database.begin_read()?;
        let table = read.open_table(JOINED)?;
        Ok(table.last()?.map(|(number, _)| number.value()))
    }

    /// Forgets what was joined before the one of that place: the windows that hold it are written down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn forget_joined(&self, until: u64) -> Result<(), FileError> {
        if self.last_joined()?.is_none() {
            return Ok(());
        }
        let write = self.database.begin_write()?;
        write.open_table(JOINED)?.retain_in(..until, |_, _| false)?;
        write.commit()?;
        Ok(())
    }
}

/// Of an item of a request: half of a SHA-256, so that nobody who chooses ids can make two the same.
pub(super) fn key(id: &str, item: u32) -> u128 {
    let mut sha = Sha256::new();
    sha.update(item.to_le_bytes());
    sha.update(id);
    let hash = sha.finalize();
    hash.first_chunk()
        .map_or(0, |first| u128::from_le_bytes(*first))
}

/// Of a label: the start of one.
pub(super) fn label(label: &[u8]) -> u64 {
    let hash = Sha256::digest(label);
    hash.first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// Memory that tells how much of it is used.
#[derive(Debug)]
struct Memory {
    inner: InMemoryBackend,
    len: Arc<AtomicU64>,
}

impl StorageBackend for Memory {
    fn len(&self) -> std::io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.inner.set_len(len)?;
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.inner.write(offset, data)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        f.debug_struct("Generation")
            .field("number", &number)
            .finish_non_exhaustive()
    }
}
