//! A file of whole lines that becomes `NAME.1` when it is full.
//!
//! Who follows the file (a shipper) sees it grow and be renamed, and nothing else: it never shrinks
//! while lines come, for a follower takes that for a new file and reads all of it again. So the rest of
//! a line that could not be ended is kept, and is what is written first when there is room again.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    file_log::FileSettings,
    sink::{Fate, Outlet},
};

/// Whoever is in the group of the agent may read what it logs.
const MODE: u32 = 0o640;
/// Least time between two times that it is told that the file cannot be written.
const SILENCE: Duration = Duration::from_mins(1);

/// Why lines were not written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    #[error("is no regular file")]
    NoFile,
    #[error("cannot be written: {0}")]
    Write(io::Error),
    #[error("is full and cannot be renamed: {0}")]
    Rotate(io::Error),
}

/// The file, whichever it is at the moment.
pub(super) struct Rotating {
    settings: Option<FileSettings>,
    open: Option<Open>,
    /// Files that were full.
    rotations: Arc<AtomicU64>,
    trouble: Trouble,
}

/// A file that lines are added to.
struct Open<F = File> {
    file: F,
    id: (u64, u64),
    /// Of a line that was begun, what is still to be written.
    rest: Vec<u8>,
}

impl Rotating {
    pub(super) fn new(rotations: Arc<AtomicU64>) -> Self {
        Self {
            settings: None,
            open: None,
            rotations,
            trouble: Trouble::default(),
        }
    }

    /// Writes what it can of `lines`; `fate` knows of every line whose end or failure is certain.
    fn put(
        &mut self,
        settings: &FileSettings,
        mut lines: &[u8],
        fate: &mut Fate,
    ) -> Result<(), Failure> {
        let mut is_new = false;
        while !lines.is_empty() {
            let (open, size) = self.ready(settings, fate)?;
            let room = settings.max_size.saturating_sub(size);
            let mut part = whole_lines(lines, room);
            if part == 0 && size > 0 && !is_new {
                self.open = None;
                rotate(settings).map_err(Failure::Rotate)?;
                self.rotations.fetch_add(1, Ordering::Relaxed);
                is_new = true;
                continue;
            }
            if part == 0 {
                // longer than a file may be, it has one of its own
                part = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            }
            is_new = false;
            open.add(&lines[..part], fate).map_err(Failure::Write)?;
            lines = &lines[part..];
        }
        Ok(())
    }

    /// The file at the path and its size: opened anew where it was moved or deleted. What was begun is
    /// ended.
    fn ready(
        &mut self,
        settings: &FileSettings,
        fate: &mut Fate,
    ) -> Result<(&mut Open, u64), Failure> {
        let path = &settings.path;
        let found = match fs::metadata(path) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::Open(error)),
        };
        let is_there = |open: &Open| found.as_ref().is_some_and(|found| id(found) == open.id);
        if !self.open.as_ref().is_some_and(is_there) {
            fate_of_rest(self.open.take(), fate);
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => open(settings, found.as_ref())?,
        };
        let open = self.open.insert(open);
        open.end(fate).map_err(Failure::Write)?;
        let size = open.file.metadata().map_err(Failure::Open)?.len();
        Ok((open, size))
    }
}

impl Outlet for Rotating {
    fn write(&mut self, lines: &[u8], count: u64) -> Fate {
        let Some(settings) = self.settings.clone() else {
            return Fate {
                failed: count,
                ..Fate::default()
            };
        };
        let before = self.begun();
        let mut fate = Fate::default();
        let outcome = self.put(&settings, lines, &mut fate);
        // what is not written, and was not begun either
        let told = fate.written + fate.failed + self.begun() - before;
        fate.failed += count.saturating_sub(told);
        self.trouble.note(&settings.path, outcome, fate.failed);
        fate
    }

    fn change(&mut self, settings: Option<FileSettings>) -> Fate {
        let path = |settings: &Option<FileSettings>| settings.as_ref().map(|s| s.path.clone());
        let mut fate = Fate::default();
        if path(&self.settings) != path(&settings) {
            fate_of_rest(self.open.take(), &mut fate);
            self.trouble = Trouble::default();
        }
        if let Some(settings) = &settings {
            let outcome = self.ready(settings, &mut fate).map(|_| ());
            self.trouble.note(&settings.path, outcome, fate.failed);
        }
        self.settings = settings;
        fate
    }

    fn end(&mut self) -> Fate {
        let mut fate = Fate::default();
        fate_of_rest(self.open.take(), &mut fate);
        fate
    }
}

impl Rotating {
    /// Lines that are begun and not ended.
    fn begun(&self) -> u64 {
        self.open
            .as_ref()
            .is_some_and(|o| !o.rest.is_empty())
            .into()
    }
}

impl<F: Write> Open<F> {
    /// Adds whole lines, or as many as it can and the beginning of the next.
    fn add(&mut self, lines: &[u8], fate: &mut Fate) -> io::Result<()> {
        let (sent, outcome) = append(&mut self.file, lines);
        fate.written += count(&lines[..sent]);
        let is_cut = sent > 0 && lines[sent - 1] != b'\n';
        if is_cut {
            let rest = &lines[sent..];
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            self.rest = rest[..end].to_vec();
        }
        outcome
    }

    /// Ends the line that was begun.
    fn end(&mut self, fate: &mut Fate) -> io::Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let (sent, outcome) = append(&mut self.file, &self.rest);
        self.rest.drain(..sent);
        if self.rest.is_empty() {
            self.rest = Vec::new();
            fate.written += 1;
        }
        outcome
    }
}

impl Open {
    /// Takes back the line that was begun: nobody will end it.
    fn take_back(mut self) {
        let length = self.file.metadata().map(|found| found.len());
        let whole = length.and_then(|length| last_line_end(&mut self.file, length));
        // what cannot be taken back is half a line that nothing is added to
        let _ = whole.and_then(|whole| self.file.set_len(whole));
    }
}

/// What becomes of a line that was begun in a file that is left.
fn fate_of_rest(open: Option<Open>, fate: &mut Fate) {
    let Some(mut open) = open.filter(|open| !open.rest.is_empty()) else {
        return;
    };
    if open.end(fate).is_err() {
        open.take_back();
        fate.failed += 1;
    }
}

fn open(settings: &FileSettings, found: Option<&Metadata>) -> Result<Open, Failure> {
    let path = &settings.path;
    if let Some(found) = found {
        // a pipe would keep it waiting, a device must not be renamed
        if !found.is_file() {
            return Err(Failure::NoFile);
        }
        if found.len() > 0 && !ends_in_a_line(path).map_err(Failure::Open)? {
            // half a line that an agent left which was killed: nothing is glued to it
            rotate(settings).map_err(Failure::Rotate)?;
        }
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(MODE);
    let file = options.open(path).map_err(Failure::Open)?;
    let id = id(&file.metadata().map_err(Failure::Open)?);
    let rest = Vec::new();
    Ok(Open { file, id, rest })
}

/// `NAME` becomes `NAME.1`, that `NAME.2`, and the last of those that are kept is gone, with those
/// beyond it that more were kept of.
///
/// The full one is `NAME.0` on its way: where it cannot be renamed, which is tried again and again, no older
/// one has made room for it.
fn rotate(settings: &FileSettings) -> io::Result<()> {
    let FileSettings { path, keep, .. } = settings;
    // of one that was cut off
    shift(settings)?;
    rename(path, &older(path, 0))?;
    shift(settings)?;
    let mut beyond = keep + 1;
    while fs::remove_file(older(path, beyond)).is_ok() {
        beyond += 1;
    }
    Ok(())
}

/// Makes `NAME.1` of `NAME.0`, if it is there.
fn shift(settings: &FileSettings) -> io::Result<()> {
    let FileSettings { path, keep, .. } = settings;
    if !older(path, 0).try_exists()? {
        return Ok(());
    }
    (0..*keep)
        .rev()
        .try_for_each(|place| rename(&older(path, place), &older(path, place + 1)))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn older(path: &Path, place: usize) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{place}"));
    name.into()
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn ends_in_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Where the last whole line of a file of `length` bytes ends.
fn last_line_end(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        file.seek(SeekFrom::Start(start))?;
        let block = &mut block[..usize::try_from(end - start).unwrap_or_default()];
        file.read_exact(block)?;
        if let Some(place) = memchr::memrchr(b'\n', block) {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Bytes of the whole lines at the beginning of `lines` that fit into `room`.
fn whole_lines(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
    memchr::memrchr(b'\n', &lines[..room]).map_or(0, |end| end + 1)
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// How many bytes were written, and what kept the others from it.
fn append(file: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match file.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}

/// Whether the file is in trouble, and whether that was told.
#[derive(Default)]
struct Trouble {
    lost: u64,
    is_told: bool,
    told: Option<Instant>,
}

impl Trouble {
    /// Tells what began or ended: each once, and not again within a minute.
    fn note(&mut self, path: &Path, outcome: Result<(), Failure>, failed: u64) {
        let path = path.display();
        match outcome {
            Ok(()) if self.is_told => {
                tracing::info!(%path, lines = self.lost, "log file is written again");
                (self.lost, self.is_told) = (0, false);
            }
            Ok(()) => self.lost = 0,
            Err(why) => {
                self.lost += failed;
                if !self.is_told && self.told.is_none_or(|told| told.elapsed() >= SILENCE) {
                    tracing::error!(%path, %why, "log file is not written: its lines are lost");
                    (self.is_told, self.told) = (true, Some(Instant::now()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
