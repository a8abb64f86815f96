//! Lines on their way out, through a thread of its own and a bounded queue.
//!
//! A reader that stops reading, or a disk that is full, costs log lines, which are counted, and never a
//! request.

use std::{
    io::Write,
    ops::RangeInclusive,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ::metrics::Counter;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    file_log::{FileLog, FileSettings},
    stream::Stream,
};
use crate::panics::{contain, hook};

/// The name of the thread that writes. What it says of itself would come back to it.
pub const THREAD: &str = "log";

/// Blocks that may wait; the bound that matters is that of their bytes.
const MAX_BLOCKS: usize = 1024;
/// Blocks that are kept for the next lines when they are written.
const SPARES: usize = 2;
/// Sizes of a block that is worth keeping, and not too large to keep.
const SPARE: RangeInclusive<usize> = 16 * 1024..=128 * 1024;

enum Message {
    Lines { bytes: Vec<u8>, count: u64 },
    Change(Option<FileSettings>, Sender<()>),
    Flush(Sender<()>),
}

/// What became of lines.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) written: u64,
    pub(super) failed: u64,
}

/// Where lines end.
pub(super) trait Outlet {
    /// Writes what it can of `count` whole lines. The fate of one that was begun may be told later.
    fn write(&mut self, lines: &[u8], count: u64) -> Fate;

    /// Goes by other settings.
    fn change(&mut self, _: Option<FileSettings>) -> Fate {
        Fate::default()
    }

    /// Ends what was begun: this may have been the last.
    fn end(&mut self) -> Fate {
        Fate::default()
    }
}

#[derive(Default)]
pub(super) struct Counts {
    held_bytes: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    panics: OnceLock<Counter>,
}

impl Counts {
    fn add(&self, fate: Fate) {
        self.written.fetch_add(fate.written, Ordering::Relaxed);
        self.failed.fetch_add(fate.failed, Ordering::Relaxed);
    }

    /// Has panics of the thread counted; the first counter stays.
    pub(super) fn count_panics(&self, panics: Counter) {
        let _ = self.panics.set(panics);
    }

    /// Lines written so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Lines that too many were waiting for.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Lines that could not be written.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Where lines are handed in; cheap to clone, never waits.
#[derive(Clone)]
pub struct Sink {
    queue: Sender<Message>,
    spares: Receiver<Vec<u8>>,
    counts: Arc<Counts>,
    max_bytes: usize,
    file: Option<FileLog>,
}

/// The thread that writes; keep it to [`Writer::finish`].
pub struct Writer {
    queue: Sender<Message>,
    _thread: JoinHandle<()>,
}

impl Sink {
    /// Starts the thread `log`, which writes to `out`; at most `max_bytes` wait for it.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        out: impl Write + Send + 'static,
        max_bytes: usize,
    ) -> std::io::Result<(Self, Writer)> {
        Self::to(Stream::new(out), THREAD, max_bytes, Arc::default())
    }

    /// Starts a thread that writes to `outlet`, and counts in `counts`.
    pub(super) fn to(
        outlet: impl Outlet + Send + 'static,
        thread: &str,
        max_bytes: usize,
        counts: Arc<Counts>,
    ) -> std::io::Result<(Self, Writer)> {
        let (queue, waiting) = bounded(MAX_BLOCKS);
        let (empty, spares) = bounded(SPARES);
        let thread = std::thread::Builder::new().name(thread.to_owned()).spawn({
            let counts = Arc::clone(&counts);
            move || write_all(outlet, &waiting, &empty, &counts)
        })?;
        let writer = Writer {
            queue: queue.clone(),
            _thread: thread,
        };
        let sink = Self {
            queue,
            spares,
            counts,
            max_bytes,
            file: None,
        };
        Ok((sink, writer))
    }

    /// Has the lines written to `file` as well.
    #[must_use]
    pub fn with_file(mut self, file: FileLog) -> Self {
        self.file = Some(file);
        self
    }

    /// Hands in `count` whole lines, or drops and counts them when too many bytes wait already.
    pub fn write(&self, bytes: Vec<u8>, count: u64) {
        if let Some(file) = &self.file {
            file.copy(&bytes, count);
        }
        self.hand_in(bytes, count);
    }

    /// As [`Sink::write`] of a copy, for which there may be a block that was written.
    pub(super) fn copy(&self, bytes: &[u8], count: u64) {
        if self.counts.held_bytes.load(Ordering::Relaxed) + bytes.len() > self.max_bytes {
            self.counts.dropped.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let is_large = bytes.len() >= *SPARE.start();
        let spare = is_large.then(|| self.spares.try_recv().ok()).flatten();
        let mut block = spare.unwrap_or_default();
        block.extend_from_slice(bytes);
        self.hand_in(block, count);
    }

    fn hand_in(&self, bytes: Vec<u8>, count: u64) {
        let size = bytes.capacity();
        let held = self.counts.held_bytes.fetch_add(size, Ordering::Relaxed);
        let fits = held + size <= self.max_bytes;
        if !fits
            || self
                .queue
                .try_send(Message::Lines { bytes, count })
                .is_err()
        {
            self.counts.held_bytes.fetch_sub(size, Ordering::Relaxed);
            self.counts.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// As [`Sink::write`], and gives a block for the next lines: one that was written, which need
    /// not grow anew, or the same where its lines are few and a copy of them holds less.
    pub fn swap(&self, mut bytes: Vec<u8>, count: u64) -> Vec<u8> {
        if bytes.len() >= bytes.capacity() / 2 {
            self.write(bytes, count);
            return self.spares.try_recv().unwrap_or_default();
        }
        self.write(bytes.as_slice().to_vec(), count);
        bytes.clear();
        bytes.shrink_to(*SPARE.end());
        bytes
    }

    /// Has panics of the thread counted; the first counter stays.
    pub fn count_panics(&self, panics: Counter) {
        if let Some(file) = &self.file {
            file.count_panics(panics.clone());
        }
        self.counts.count_panics(panics);
    }

    /// Lines written so far.
    pub fn written(&self) -> u64 {
        self.counts.written()
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped() + self.counts.failed()
    }
}

impl Writer {
    /// Waits until what was handed in is written, or `patience` is over: a blocked reader must
    /// not keep the process alive.
    pub fn finish(&self, patience: Duration) {
        self.ask(patience, Message::Flush);
    }

    /// Has the outlet go by other settings, from the lines on that are handed in later; whether it did
    /// before `patience` was over.
    pub(super) fn change(&self, settings: Option<FileSettings>, patience: Duration) -> bool {
        self.ask(patience, |done| Message::Change(settings, done))
    }

    fn ask(&self, patience: Duration, message: impl FnOnce(Sender<()>) -> Message) -> bool {
        let (done, wait) = bounded(1);
        let asked = self.queue.send_timeout(message(done), patience);
        asked.is_ok() && wait.recv_timeout(patience).is_ok()
    }
}

fn write_all(
    mut outlet: impl Outlet,
    waiting: &Receiver<Message>,
    empty: &Sender<Vec<u8>>,
    counts: &Counts,
) {
    for message in waiting {
        let panics = counts.panics.get().cloned().unwrap_or(Counter::noop());
        match message {
            Message::Lines { mut bytes, count } => {
                let fate = contain(&panics, || {
                    hook("log");
                    outlet.write(&bytes, count)
                });
                let lost = Fate {
                    failed: count,
                    ..Fate::default()
                };
                counts.add(fate.unwrap_or(lost));
                let size = bytes.capacity();
                counts.held_bytes.fetch_sub(size, Ordering::Relaxed);
                if SPARE.contains(&size) {
                    bytes.clear();
                    // as many as are kept may be there
                    drop(empty.try_send(bytes));
                }
            }
            Message::Change(settings, done) => {
                let fate = contain(&panics, || outlet.change(settings));
                counts.add(fate.unwrap_or_default());
                let _ = done.try_send(());
            }
            Message::Flush(done) => {
                let fate = contain(&panics, || outlet.end());
                counts.add(fate.unwrap_or_default());
                // the receiver may have lost its patience
                let _ = done.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stuck(Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_costs_counted_lines_and_bounded_memory() {
        let (release, stuck) = bounded(0);
        let (sink, writer) = Sink::start(Stuck(stuck), 1000).unwrap();
        for _ in 0..100 {
            sink.write([[b'x'; 49].as_slice(), b"\n"].concat().repeat(2), 2);
        }
        assert_eq!(
            sink.dropped(),
            2 * 90,
            "ten blocks of 100 bytes fit, one may be in hand"
        );
        drop(release);
        writer.finish(Duration::from_mins(1));
        assert_eq!(sink.written(), 2 * 10);
    }

    #[test]
    fn blocks_come_back_when_they_are_written_and_few_lines_wait_as_a_copy() {
        let (release, stuck) = bounded(0);
        let (sink, writer) = Sink::start(Stuck(stuck), 1 << 20).unwrap();
        let held = || sink.counts.held_bytes.load(Ordering::Relaxed);
        let block = || {
            let mut block = Vec::with_capacity(20_000);
            block.resize(19_999, b'x');
            block.push(b'\n');
            block
        };
        let mut few = block();
        few.truncate(100);
        assert_eq!(sink.swap(few, 1).capacity(), 20_000);
        assert_eq!(held(), 100);
        for waiting in 1..=SPARES + 1 {
            assert_eq!(sink.swap(block(), 1).capacity(), 0);
            assert_eq!(held(), 100 + waiting * 20_000);
        }
        drop(release);
        writer.finish(Duration::from_mins(1));
        let kept = [(); SPARES + 1].map(|()| sink.spares.try_recv().map_or(0, |b| b.capacity()));
        assert_eq!(
            (kept[0], kept[SPARES - 1], kept[SPARES]),
            (20_000, 20_000, 0)
        );
        assert_eq!(held(), 0);
    }

    struct Panicking(bool);
    impl Write for Panicking {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = !self.0;
            assert!(!self.0, "as the test wants");
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_costs_the_lines_it_happened_in() {
        let (sink, writer) = Sink::start(Panicking(false), 1000).unwrap();
        let panics = Arc::new(AtomicU64::new(0));
        sink.count_panics(Counter::from_arc(Arc::clone(&panics)));
        for _ in 0..4 {
            sink.write(b"a\nb\n".to_vec(), 2);
        }
        writer.finish(Duration::from_mins(1));
        assert_eq!((sink.written(), sink.dropped()), (4, 4));
        assert_eq!(panics.load(Ordering::Relaxed), 2);
        assert_eq!(sink.counts.held_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_closed_reader_is_counted_and_survived() {
        let (sink, writer) = Sink::start(Closed, 1000).unwrap();
        sink.write(b"a\n".to_vec(), 1);
        writer.finish(Duration::from_mins(1));
        assert_eq!((sink.written(), sink.dropped()), (0, 1));
    }
}
