//! Lines on their way to stdout, through a thread of its own and a bounded queue.
//!
//! A reader that stops reading costs log lines, which are counted, and never a request.

use std::{
    io::{ErrorKind, Write},
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
    Flush(Sender<()>),
}

#[derive(Default)]
struct Counts {
    held_bytes: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
    panics: OnceLock<Counter>,
}

/// Where lines are handed in; cheap to clone, never waits.
#[derive(Clone)]
pub struct Sink {
    queue: Sender<Message>,
    spares: Receiver<Vec<u8>>,
    counts: Arc<Counts>,
    max_bytes: usize,
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
        let (queue, waiting) = bounded(MAX_BLOCKS);
        let (empty, spares) = bounded(SPARES);
        let counts = Arc::new(Counts::default());
        let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn({
            let counts = Arc::clone(&counts);
            move || write_all(out, &waiting, &empty, &counts)
        })?;
        let writer = Writer {
            queue: queue.clone(),
            _thread: thread,
        };
        Ok((
            Self {
                queue,
                spares,
                counts,
                max_bytes,
            },
            writer,
        ))
    }

    /// Hands in `count` whole lines, or drops and counts them when too many bytes wait already.
    pub fn write(&self, bytes: Vec<u8>, count: u64) {
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
        let _ = self.counts.panics.set(panics);
    }

    /// Lines written so far.
    pub fn written(&self) -> u64 {
        self.counts.written.load(Ordering::Relaxed)
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }
}

impl Writer {
    /// Waits until what was handed in is written, or `patience` is over: a blocked reader must
    /// not keep the process alive.
    pub fn finish(&self, patience: Duration) {
        let (done, wait) = bounded(1);
        if self
            .queue
            .send_timeout(Message::Flush(done), patience)
            .is_ok()
        {
            let _ = wait.recv_timeout(patience);
        }
    }
}

fn write_all(
    out: impl Write,
    waiting: &Receiver<Message>,
    empty: &Sender<Vec<u8>>,
    counts: &Counts,
) {
    let mut out = Out { out, is_cut: false };
    for message in waiting {
        match message {
            Message::Lines { mut bytes, count } => {
                let panics = counts.panics.get().cloned().unwrap_or(Counter::noop());
                let outcome = contain(&panics, || {
                    hook("log");
                    out.write(&bytes)
                });
                let written = outcome.unwrap_or_default().min(count);
                counts.written.fetch_add(written, Ordering::Relaxed);
                counts.dropped.fetch_add(count - written, Ordering::Relaxed);
                let size = bytes.capacity();
                counts.held_bytes.fetch_sub(size, Ordering::Relaxed);
                if SPARE.contains(&size) {
                    bytes.clear();
                    // as many as are kept may be there
                    drop(empty.try_send(bytes));
                }
            }
            // the receiver may have lost its patience
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

struct Out<W> {
    out: W,
    /// A line was begun and could not be ended, as on a full disk.
    is_cut: bool,
}

impl<W: Write> Out<W> {
    /// Writes what it can of whole lines, and says how many those were. A line that was cut is
    /// ended first, or the next one would be lost with it.
    fn write(&mut self, bytes: &[u8]) -> u64 {
        if self.is_cut && self.out.write_all(b"\n").is_err() {
            return 0;
        }
        self.is_cut = false;
        let mut sent = 0;
        while sent < bytes.len() {
            match self.out.write(&bytes[sent..]) {
                Ok(0) => break,
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if self.out.flush().is_err() {
            sent = 0;
        }
        let sent = &bytes[..sent];
        self.is_cut = sent.last().is_some_and(|last| *last != b'\n');
        memchr::memchr_iter(b'\n', sent).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

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

    /// A disk with room for so many bytes.
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);
    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let (room, held) = &mut *self.0.lock().unwrap();
            let fits = bytes.len().min(*room);
            if fits == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            *room -= fits;
            held.extend(&bytes[..fits]);
            Ok(fits)
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
    fn a_full_disk_costs_the_lines_that_do_not_fit_and_not_the_next() {
        let disk = Arc::new(Mutex::new((10, Vec::new())));
        let mut out = Out {
            out: Disk(Arc::clone(&disk)),
            is_cut: false,
        };
        assert_eq!(out.write(b"1234\n67890\n"), 1);
        assert_eq!(out.write(b"lost\n"), 0);
        disk.lock().unwrap().0 = 100;
        assert_eq!(out.write(b"next\n"), 1);
        assert_eq!(disk.lock().unwrap().1, b"1234\n67890\nnext\n");
    }

    #[test]
    fn a_closed_reader_is_counted_and_survived() {
        let (sink, writer) = Sink::start(Closed, 1000).unwrap();
        sink.write(b"a\n".to_vec(), 1);
        writer.finish(Duration::from_mins(1));
        assert_eq!((sink.written(), sink.dropped()), (0, 1));
    }
}
