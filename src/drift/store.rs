//! Baselines and windows on disk, one file each: damage to one costs one, and posting one writes one.
//!
//! A file is replaced in one step (temporary file, fsync, rename, fsync of the folder), so that
//! a crash or a full disk leaves the old one or the new one. What cannot be read is moved aside,
//! never overwritten or deleted. One agent at a time uses a folder; one on a read-only file system,
//! such as a mounted set of baselines, is read by as many as want it and written by none.

mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use super::{
    Baseline, BaselineError, Baselines, Key, Snapshot,
    file::{self, DamageReason},
};

/// A folder of baselines, locked while this lives.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// `None`: it cannot be written, and so not locked.
    lock: Option<File>,
    files: Mutex<Files>,
    /// Names of the windows that were written last.
    windows: Mutex<BTreeSet<String>>,
}

/// Our files by name, with what they hold; `None`: not known to be whole.
type Files = BTreeMap<String, Option<Contents>>;

/// Tells whether a file is up to date without reading it.
#[derive(Debug, Clone, PartialEq)]
struct Contents {
    hash: String,
    rows: usize,
    set_at: Timestamp,
}

/// What was found in the folder.
#[derive(Debug)]
pub struct Loaded {
    /// Every baseline that is whole.
    pub baselines: Baselines,
    /// Windows that are whole.
    pub windows: Vec<Snapshot>,
    /// The files that are not.
    pub failures: Vec<Damage>,
}

/// A file that was refused and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it was found.
    pub file: PathBuf,
    /// Where it is now.
    pub kept: PathBuf,
    /// What is wrong with it.
    pub reason: DamageReason,
}

/// Why baselines could not be loaded or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder is locked.
    #[error("{} is used by another agent", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder could not be written when it was opened, so that it is not locked.
    #[error("{} is read-only since the start", dir.display())]
    ReadOnly {
        /// The folder.
        dir: PathBuf,
    },
    /// The file would be larger than [`open`](Store::open) reads.
    #[error("{} would be larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes it may have.
        limit: u64,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl StoreError {
    /// The label value.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "in_use",
            Self::ReadOnly { .. } => "not_allowed",
            Self::TooLarge { .. } => "too_large",
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "not_allowed"
                }
                _ => "io",
            },
        }
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Held while the folder is in use.
const LOCK: &str = "sidelight.lock";

impl Store {
    /// Locks the folder, creating it if there is none, and reads every baseline in it. Temporary
    /// files of an agent that was killed are removed, damaged files moved aside and reported; on a
    /// read-only file system both stay.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or the file system refuses. No baseline is lost by it: what was moved aside
    /// before stays there.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        let lock = lock(dir)?;
        let mut files = Files::new();
        let mut loaded = Loaded {
            baselines: Baselines::new(),
            windows: Vec::new(),
            failures: Vec::new(),
        };
        for name in files::ours(files::BASELINE, dir, lock.is_some())? {
            let path = dir.join(&name);
            match file::load(&path).and_then(|found| keep(&mut loaded.baselines, &name, found)) {
                Ok(contents) => {
                    files.insert(name, Some(contents));
                }
                Err(reason) => loaded.refuse(path, reason, lock.is_some())?,
            }
        }
        let windows = files::ours(files::WINDOWS, dir, lock.is_some())?;
        for path in windows.iter().map(|name| dir.join(name)) {
            match file::read_whole(&path).and_then(|text| Snapshot::parse(&text)) {
                Ok(snapshot) => loaded.windows.push(snapshot),
                Err(reason) => loaded.refuse(path, reason, lock.is_some())?,
            }
        }
        let store = Self {
            dir: dir.to_owned(),
            lock,
            files: Mutex::new(files),
            windows: Mutex::new(windows.into_iter().collect()),
        };
        Ok((store, loaded))
    }

    /// Whether the folder could not be written when it was opened.
    pub fn is_read_only(&self) -> bool {
        self.lock.is_none()
    }

    /// Makes the folder hold exactly these baselines; only what has changed is written.
    ///
    /// Waits for the disk. Removes first, so that a full disk has room again; one file that cannot
    /// be written does not keep the others from it.
    ///
    /// # Errors
    /// The first of them. The file it names is the old one, whole; saving again tries again.
    pub fn save(&self, baselines: &Baselines) -> Result<(), StoreError> {
        if self.is_read_only() {
            let dir = self.dir.clone();
            return Err(StoreError::ReadOnly { dir });
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: BTreeMap<_, _> = baselines
            .iter()
            .map(|(key, baseline)| (files::name(files::BASELINE, key), (key, &**baseline)))
            .collect();
        let mut outcome = self.remove_others(&mut files, |name| wanted.contains_key(name));
        for (name, (key, baseline)) in wanted {
            outcome = outcome.and(self.write(&mut files, name, key, baseline));
        }
        outcome
    }

    /// Makes the folder hold exactly these windows. A read-only one is left as it is.
    ///
    /// Waits for the disk.
    ///
    /// # Errors
    /// The first of them. The file it names is the old one, whole.
    pub fn save_windows(&self, snapshots: &[Snapshot]) -> Result<(), StoreError> {
        if self.is_read_only() {
            return Ok(());
        }
        let mut written = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let named: BTreeMap<_, _> = snapshots
            .iter()
            .map(|snapshot| (files::name(files::WINDOWS, &snapshot.key()), snapshot))
            .collect();
        let mut outcome = Ok(());
        for gone in written.iter().filter(|name| !named.contains_key(*name)) {
            outcome = outcome.and(files::remove(&self.dir, gone));
        }
        written.retain(|name| named.contains_key(name));
        for (name, snapshot) in named {
            outcome = outcome.and(files::replace(&self.dir, &name, &snapshot.render()));
            written.insert(name);
        }
        outcome
    }

    fn remove_others(
        &self,
        files: &mut Files,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        let others: Vec<String> = files.keys().filter(|n| !wanted(n)).cloned().collect();
        for name in others {
            files::remove(&self.dir, &name)?;
            files.remove(&name);
        }
        Ok(())
    }

    fn write(
        &self,
        files: &mut Files,
        name: String,
        key: &Key,
        baseline: &Baseline,
    ) -> Result<(), StoreError> {
        let (path, contents) = (self.dir.join(&name), Contents::of(baseline));
        let exists = path.exists();
        match files.get(&name) {
            Some(Some(held)) if *held == contents && exists => return Ok(()),
            // Someone else's, put here since: what it holds is not ours to destroy.
            None if exists => drop(files::set_aside(&path)?),
            _ => (),
        }
        files.insert(name.clone(), None);
        let bytes = file::render(key, baseline);
        if bytes.len() as u64 > file::LARGEST {
            let limit = file::LARGEST;
            return Err(StoreError::TooLarge { path, limit });
        }
        files::replace(&self.dir, &name, &bytes)?;
        files.insert(name, Some(contents));
        Ok(())
    }
}

impl Loaded {
    fn refuse(
        &mut self,
        file: PathBuf,
        reason: DamageReason,
        is_allowed: bool,
    ) -> Result<(), StoreError> {
        let kept = if is_allowed {
            files::set_aside(&file)?
        } else {
            file.clone()
        };
        self.failures.push(Damage { file, kept, reason });
        Ok(())
    }
}

impl Contents {
    fn of(baseline: &Baseline) -> Self {
        Self {
            hash: baseline.hash().to_owned(),
            rows: baseline.rows(),
            set_at: baseline.set_at(),
        }
    }
}

/// `None`: the file system is read-only, nobody can write there.
fn lock(dir: &Path) -> Result<Option<File>, StoreError> {
    let path = dir.join(LOCK);
    let file = match File::options().create(true).append(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Ok(None),
        Err(error) => return Err(StoreError::io("open", &path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            dir: dir.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(StoreError::io("lock", &path)(source)),
    }
}

fn keep(
    baselines: &mut Baselines,
    name: &str,
    (key, baseline): (Key, Baseline),
) -> Result<Contents, DamageReason> {
    if files::name(files::BASELINE, &key) != name {
        return Err(DamageReason::Misplaced);
    }
    let contents = Contents::of(&baseline);
    match baselines.set(key, baseline) {
        Err(BaselineError::NoRoom { limit }) => Err(DamageReason::NoRoom { limit }),
        _ => Ok(contents),
    }
}

#[cfg(test)]
mod tests;
