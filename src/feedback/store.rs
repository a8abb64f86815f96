//! Predictions that wait for their labels, in files of which the oldest leaves whole: when all in it
//! are older than is kept, or when there is no room.
//!
//! A file doubles as it grows, and never shrinks. One that has come to an eighth of the room is
//! followed by the next; what is free in it is for the labels of what it holds. Before anything is
//! written, there is room for the file to double: so all files together stay within the bound.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use ::metrics::Counter;

use super::{
    generation::{FileError, Generation, Joining, Outcome},
    record,
};

const PREFIX: &str = "feedback-";
const SUFFIX: &str = ".redb";
/// Part of the room at which a file is full, and of the retention after which another is begun.
const PARTS: u32 = 8;
/// Most that is written at once, in bytes: less than what a file grows by.
pub(super) const MAX_BATCH: usize = 512 << 10;
/// Room of a store in memory.
const MAX_MEMORY: u64 = 32 << 20;
/// The least room that a file may come to need at once.
const LEAST_GROWTH: u64 = 4 << 20;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) retention: Duration,
    pub(super) max_bytes: u64,
}

/// All files, the oldest first; predictions go to the last.
///
/// After a failure a database takes nothing more: then all of it is dropped, and opened again.
#[derive(Debug)]
pub(super) struct Store {
    dir: Option<PathBuf>,
    files: Vec<Generation>,
    bounds: Bounds,
    panics: Counter,
    /// Since when the last file takes predictions.
    since: f64,
    next: u64,
    /// The number of the next that is joined.
    pub(super) order: u64,
}

/// A file that was refused, and where it is now.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) file: PathBuf,
    pub(super) kept: PathBuf,
    pub(super) reason: FileError,
}

impl Store {
    /// Opens what is in `dir`, or begins in memory. Damaged files are moved aside.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn open(
        dir: Option<&Path>,
        bounds: Bounds,
        panics: Counter,
        now: f64,
    ) -> Result<(Self, Vec<Refused>), FileError> {
        let mut store = Self {
            dir: dir.map(Path::to_owned),
            files: Vec::new(),
            bounds,
            panics,
            since: now,
            next: 0,
            order: 0,
        };
        let mut refused = Vec::new();
        for number in dir
            .map(numbers)
            .transpose()
            .map_err(of_disk)?
            .unwrap_or_default()
        {
            store.next = number + 1;
            refused.extend(store.open_file(number)?);
        }
        store.make_room(0, now)?;
        if store.files.is_empty() {
            store.begin(now)?;
        }
        Ok((store, refused))
    }

    fn open_file(&mut self, number: u64) -> Result<Option<Refused>, FileError> {
        let path = self.path(number);
        let opened = Generation::open(number, &path, &self.panics).and_then(|file| {
            let last = file.last_joined()?;
            Ok((file, last))
        });
        match opened {
            Ok((file, last)) => {
                self.order = self.order.max(last.map_or(0, |last| last + 1));
                self.files.push(file);
                Ok(None)
            }
            Err(reason) if reason.is_damage() => {
                let kept = set_aside(&path).map_err(of_disk)?;
                let file = path;
                Ok(Some(Refused { file, kept, reason }))
            }
            Err(reason) => Err(reason),
        }
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    fn max_bytes(&self) -> u64 {
        match self.dir {
            Some(_) => self.bounds.max_bytes,
            None => self.bounds.max_bytes.min(MAX_MEMORY),
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        let dir = self.dir.as_deref().unwrap_or(Path::new(""));
        dir.join(format!("{PREFIX}{number:012}{SUFFIX}"))
    }

    /// Bytes of all files.
    pub(super) fn len(&self) -> u64 {
        self.files.iter().map(Generation::len).sum()
    }

    /// Begins the next file.
    fn begin(&mut self, now: f64) -> Result<(), FileError> {
        let number = self.next;
        let file = match self.dir {
            Some(_) => Generation::open(number, &self.path(number), &self.panics)?,
            None => Generation::in_memory(number)?,
        };
        self.next += 1;
        self.files.push(file);
        self.since = now;
        Ok(())
    }

    /// Drops files, the oldest first, until all of what is kept is young enough and the file at `writing` may
    /// double. How many: those behind it have moved by so many places.
    fn make_room(&mut self, writing: usize, now: f64) -> Result<usize, FileError> {
        let mut dropped = 0;
        while let Some(first) = self.files.first() {
            let is_last = self.files.len() == 1;
            let age = now - first.newest;
            // the last one may be new and have none yet
            let is_old = age > self.bounds.retention.as_secs_f64() && !is_last;
            let growth = self.files.get(writing.saturating_sub(dropped));
            let growth = growth.map_or(0, Generation::len).max(LEAST_GROWTH);
            if !is_old && self.len() + growth <= self.max_bytes() {
                break;
            }
            let gone = self.files.remove(0);
            dropped += 1;
            if let Some(path) = gone.close() {
                fs::remove_file(&path).map_err(of_disk)?;
            }
            if is_last {
                self.begin(now)?;
                break;
            }
        }
        Ok(dropped)
    }

    /// Keeps records by their ids, durably; how many took the place of one before.
    ///
    /// # Errors
    /// Nothing of it is kept then.
    pub(super) fn keep(
        &mut self,
        records: &[(String, Vec<u8>)],
        now: f64,
    ) -> Result<u64, FileError> {
        let is_full = |file: &Generation| file.len() >= self.max_bytes() / u64::from(PARTS);
        let is_old = now - self.since > self.bounds.retention.as_secs_f64() / f64::from(PARTS);
        if self
            .files
            .last()
            .is_none_or(|last| is_full(last) || (is_old && last.newest > 0.0))
        {
            self.begin(now)?;
        }
        let last = self.files.len() - 1;
        self.make_room(last, now)?;
        match self.files.last_mut() {
            Some(last) => last.keep(records),
            None => Ok(0),
        }
    }

    /// The item of each of `wanted`, by its place; the last one predicted under that id.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn find(
        &mut self,
        wanted: &[(&str, u32)],
    ) -> Result<HashMap<usize, Located>, FileError> {
        let mut found = self.look_up(wanted)?;
        // of requests that are found by another id
        let aliases = found.iter_mut();
        let aliases: Vec<(usize, String)> = aliases
            .filter_map(|(place, located)| Some((*place, located.id.take()?)))
            .collect();
        if aliases.is_empty() {
            return Ok(found);
        }
        let behind: Vec<(&str, u32)> = aliases
            .iter()
            .map(|(place, id)| (id.as_str(), wanted[*place].1))
            .collect();
        let mut behind = self.look_up(&behind)?;
        for (at, (place, id)) in aliases.into_iter().enumerate() {
            match behind.remove(&at) {
                Some(located) if located.id.is_none() => {
                    let id = Some(id);
                    found.insert(place, Located { id, ..located });
                }
                _ => {
                    found.remove(&place);
                }
            }
        }
        Ok(found)
    }

    /// The same, where an alias is found with the id that it stands for and no item.
    fn look_up(&self, wanted: &[(&str, u32)]) -> Result<HashMap<usize, Located>, FileError> {
        let mut found: HashMap<usize, Located> = HashMap::with_capacity(wanted.len());
        for file in self.files.iter().rev() {
            let open: Vec<usize> = (0..wanted.len())
                .filter(|at| !found.contains_key(at))
                .collect();
            if open.is_empty() {
                break;
            }
            let ids = open.into_iter().map(|place| (place, wanted[place].0));
            let number = file.number;
            file.find(ids, |place, record| {
                let item = record::item(record, wanted[place].1);
                let id = record::alias_of(record).map(str::to_owned);
                let file = number;
                found.insert(place, Located { file, id, item });
            })?;
        }
        Ok(found)
    }

    /// Joins labels in the file of that number, durably.
    ///
    /// # Errors
    /// None of them is joined then.
    pub(super) fn join(
        &mut self,
        file: u64,
        all: &[Joining],
        now: f64,
    ) -> Result<Option<Vec<Outcome>>, FileError> {
        let Some(place) = self.place(file) else {
            return Ok(None);
        };
        self.make_room(place, now)?;
        // it may have been the oldest
        let Some(place) = self.place(file) else {
            return Ok(None);
        };
        self.files[place].join(all).map(Some)
    }

    fn place(&self, file: u64) -> Option<usize> {
        self.files.iter().position(|known| known.number == file)
    }

    /// The last `most` that were joined from the one of that place on, in their order.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn joined(&self, from: u64, most: usize) -> Result<Vec<Vec<u8>>, FileError> {
        let mut all = Vec::new();
        for file in &self.files {
            all.extend(file.joined(from, most)?);
            all.sort_by_key(|(number, _)| *number);
            all.drain(..all.len().saturating_sub(most));
        }
        Ok(all.into_iter().map(|(_, joined)| joined).collect())
    }

    /// Forgets what was joined before the one of that place, in every file.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn forget_joined(&mut self, until: u64) -> Result<(), FileError> {
        self.files
            .iter()
            .try_for_each(|file| file.forget_joined(until))
    }
}

/// The item of a label.
#[derive(Debug)]
pub(super) struct Located {
    /// The number of the file.
    pub(super) file: u64,
    /// The id of its request, where it was found by another.
    pub(super) id: Option<String>,
    /// `None`: the request has fewer items.
    pub(super) item: Option<record::Predicted>,
}

fn of_disk(error: io::Error) -> FileError {
    FileError::Database(redb::Error::Io(error))
}

/// Numbers of the files in a folder, ascending.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    fs::create_dir_all(dir)?;
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_str().unwrap_or_default();
        let digits = name
            .strip_prefix(PREFIX)
            .and_then(|name| name.strip_suffix(SUFFIX));
        let digits = digits.filter(|d| d.len() == 12 && d.bytes().all(|b| b.is_ascii_digit()));
        numbers.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Moves a file to the first free `*.damaged-<n>` beside it.
pub(super) fn set_aside(file: &Path) -> io::Result<PathBuf> {
    for n in 1_u32.. {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".damaged-{n}"));
        let candidate = PathBuf::from(name);
        // not `exists`: a dangling link is taken, too
        if candidate.symlink_metadata().is_err() {
            fs::rename(file, &candidate)?;
            return Ok(candidate);
        }
    }
    Err(io::Error::from(io::ErrorKind::StorageFull))
}

#[cfg(test)]
mod tests;
