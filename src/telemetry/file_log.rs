//! The lines of stdout in a file as well, once somebody names one.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use ::metrics::Counter;

use super::{
    rotating::Rotating,
    sink::{Counts, Sink, Writer},
};

/// The name of the thread that writes the file.
pub const FILE_THREAD: &str = "log-file";

/// Where the file is, and how large it and how many older ones may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Its path; the older ones have `.1`, `.2`, ... behind it, the newest of them first.
    pub path: PathBuf,
    /// Largest size in bytes; one line alone may be longer.
    pub max_size: u64,
    /// Older ones that are kept, at least 1.
    pub keep: usize,
}

/// Whom lines are handed to that go to a file; cheap to clone, never waits. Its thread begins with the
/// first [`FileLog::apply`] that names a file, and stays.
#[derive(Clone)]
pub struct FileLog(Arc<Shared>);

struct Shared {
    counts: Arc<Counts>,
    rotations: Arc<AtomicU64>,
    /// Whether a file is named.
    is_on: AtomicBool,
    lane: OnceLock<Sink>,
    writer: Mutex<Option<Writer>>,
    max_bytes: usize,
}

impl FileLog {
    /// One without a file. At most `max_bytes` of lines wait for the disk.
    pub fn new(max_bytes: usize) -> Self {
        Self(Arc::new(Shared {
            counts: Arc::default(),
            rotations: Arc::default(),
            is_on: AtomicBool::new(false),
            lane: OnceLock::new(),
            writer: Mutex::new(None),
            max_bytes,
        }))
    }

    /// Goes by other settings; `None`: no file any more. Waits up to `patience` for the thread to have
    /// written what came before. A file that cannot be opened is no error: it is tried again with every line.
    ///
    /// # Errors
    /// When the system gives no thread, or the disk keeps it waiting; then it changes later.
    pub fn apply(&self, settings: Option<FileSettings>, patience: Duration) -> io::Result<()> {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let is_on = settings.is_some();
        if !is_on {
            self.0.is_on.store(false, Ordering::Relaxed);
        }
        if writer.is_none() {
            if !is_on {
                return Ok(());
            }
            *writer = Some(self.start()?);
        }
        let changed = writer
            .as_ref()
            .is_none_or(|writer| writer.change(settings, patience));
        if is_on {
            self.0.is_on.store(true, Ordering::Relaxed);
        }
        changed.then_some(()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                "the log file's disk does not answer",
            )
        })
    }

    fn start(&self) -> io::Result<Writer> {
        let shared = &self.0;
        let file = Rotating::new(Arc::clone(&shared.rotations));
        let counts = Arc::clone(&shared.counts);
        let (lane, writer) = Sink::to(file, FILE_THREAD, shared.max_bytes, counts)?;
        // there was none, or there would be its writer
        let _ = shared.lane.set(lane);
        Ok(writer)
    }

    /// Hands in a copy of `count` whole lines, or drops and counts them when too many bytes wait already.
    pub(super) fn copy(&self, lines: &[u8], count: u64) {
        if self.0.is_on.load(Ordering::Relaxed)
            && let Some(lane) = self.0.lane.get()
        {
            lane.copy(lines, count);
        }
    }

    /// Waits until what was handed in is written, or `patience` is over.
    pub fn finish(&self, patience: Duration) {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = &*writer {
            writer.finish(patience);
        }
    }

    pub(super) fn count_panics(&self, panics: Counter) {
        self.0.counts.count_panics(panics);
    }

    /// Whether there is or was a file.
    pub fn is_used(&self) -> bool {
        self.0.lane.get().is_some()
    }

    /// Lines written so far.
    pub fn written(&self) -> u64 {
        self.0.counts.written()
    }

    /// Lines dropped so far because too many waited.
    pub fn dropped(&self) -> u64 {
        self.0.counts.dropped()
    }

    /// Lines so far that the file did not take.
    pub fn failed(&self) -> u64 {
        self.0.counts.failed()
    }

    /// Files so far that were full.
    pub fn rotations(&self) -> u64 {
        self.0.rotations.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn settings(path: PathBuf) -> FileSettings {
        FileSettings {
            path,
            max_size: 1000,
            keep: 2,
        }
    }

    #[test]
    fn lines_go_to_the_file_that_is_named_when_they_are_handed_in() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        let file = FileLog::new(1 << 20);
        let (sink, _writer) = Sink::start(io::sink(), 1 << 20).unwrap();
        let sink = sink.with_file(file.clone());
        sink.write(b"none yet\n".to_vec(), 1);
        for (path, line) in [(&a, "1\n"), (&b, "2\n"), (&a, "3\n")] {
            file.apply(Some(settings(path.clone())), LONG).unwrap();
            sink.write(line.as_bytes().to_vec(), 1);
        }
        file.apply(None, LONG).unwrap();
        sink.write(b"none any more\n".to_vec(), 1);
        file.finish(LONG);
        let text = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((text(&a), text(&b)), ("1\n3\n".into(), "2\n".into()));
        assert_eq!((file.written(), file.dropped(), file.failed()), (3, 0, 0));
    }

    #[test]
    fn lines_that_wait_for_the_disk_are_bounded_and_the_others_counted() {
        let dir = tempfile::tempdir().unwrap();
        let file = FileLog::new(1000);
        file.apply(Some(settings(dir.path().join("a"))), LONG)
            .unwrap();
        // more than may wait at once never fits, however fast the disk is
        file.copy(&b"x\n".repeat(501), 501);
        file.copy(b"y\n", 1);
        file.finish(LONG);
        assert_eq!((file.written(), file.dropped(), file.failed()), (1, 501, 0));
    }
}
