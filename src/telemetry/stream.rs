//! Lines to whatever reads them: a terminal, a pipe, a file that somebody else has opened.

use std::io::{ErrorKind, Write};

use super::sink::{Fate, Outlet};

/// A stream of bytes that lines are written to.
pub(super) struct Stream<W> {
    out: W,
    /// A line was begun and could not be ended, as on a full disk.
    is_cut: bool,
}

impl<W: Write> Stream<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, is_cut: false }
    }

    /// Writes what it can of whole lines, and says how many those were. A line that was cut is
    /// ended first, or the next one would be lost with it.
    fn write_lines(&mut self, bytes: &[u8]) -> u64 {
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

impl<W: Write> Outlet for Stream<W> {
    fn write(&mut self, lines: &[u8], count: u64) -> Fate {
        let written = self.write_lines(lines).min(count);
        Fate {
            written,
            failed: count - written,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

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
    fn a_full_disk_costs_the_lines_that_do_not_fit_and_not_the_next() {
        let disk = Arc::new(Mutex::new((10, Vec::new())));
        let mut out = Stream::new(Disk(Arc::clone(&disk)));
        let mut write = |lines: &[u8]| {
            let fate = out.write(lines, memchr::memchr_iter(b'\n', lines).count() as u64);
            (fate.written, fate.failed)
        };
        assert_eq!(write(b"1234\n67890\n"), (1, 1));
        assert_eq!(write(b"lost\n"), (0, 1));
        disk.lock().unwrap().0 = 100;
        assert_eq!(write(b"next\n"), (1, 0));
        assert_eq!(disk.lock().unwrap().1, b"1234\n67890\nnext\n");
    }
}
