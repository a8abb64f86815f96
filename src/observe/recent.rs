//! The last requests as their log lines, while somebody looks.
//!
//! Nobody looks most of the time: then nothing is kept, and an exchange costs one comparison. While
//! somebody does, so many lines a second are written as a page can show, whatever passes.

mod cut;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::cut::cut;
use super::access_log::{AccessLog, Seen};
use crate::capture::Exchange;

/// How long lines are kept after somebody has asked.
const WATCHED: Duration = Duration::from_secs(10);
/// Longest line, in bytes; what is longer is cut.
pub const MOST_BYTES: usize = 2 << 10;
/// Lines that are written in a second, at most, and bytes of them before they are cut.
const PER_SECOND: usize = 500;
const BYTES_PER_SECOND: usize = 1 << 20;

/// What is listed.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// One JSON object each, the last first, at most [`MOST_BYTES`] long.
    pub lines: Vec<String>,
    /// How many there may be.
    pub most: usize,
    /// Requests since somebody looks that were not written, because there were too many.
    pub skipped: u64,
}

/// The lines, and until when they are kept.
pub(super) struct Recent {
    most: usize,
    lines: VecDeque<String>,
    until: Option<Instant>,
    second: Second,
    skipped: u64,
}

/// What was written since it began.
struct Second {
    began: Instant,
    lines: usize,
    bytes: usize,
}

impl Recent {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            lines: VecDeque::new(),
            until: None,
            second: Second::new(Instant::now()),
            skipped: 0,
        }
    }

    /// Keeps so many from now on. What other settings of the log have shown goes.
    pub(super) fn apply(&mut self, most: usize) {
        self.most = most;
        self.lines.clear();
    }

    /// What there is, the last first. From now on lines are kept for a while.
    pub(super) fn listed(&mut self, now: Instant) -> Listed {
        self.forget_if_due(now);
        self.until = Some(now + WATCHED);
        Listed {
            lines: self.lines.iter().cloned().collect(),
            most: self.most,
            skipped: self.skipped,
        }
    }

    /// Keeps one exchange, if somebody looks.
    pub(super) fn saw(&mut self, log: &mut AccessLog, exchange: &Exchange, seen: Option<Seen<'_>>) {
        if self.until.is_some() {
            self.keep(Instant::now(), || log.line(exchange, seen));
        }
    }

    fn keep(&mut self, now: Instant, line: impl FnOnce() -> Vec<u8>) {
        self.forget_if_due(now);
        if self.until.is_none() || self.most == 0 {
            return;
        }
        if now.duration_since(self.second.began) >= Duration::from_secs(1) {
            self.second = Second::new(now);
        }
        if self.second.lines >= PER_SECOND || self.second.bytes >= BYTES_PER_SECOND {
            self.skipped += 1;
            return;
        }
        let line = line();
        self.second.lines += 1;
        self.second.bytes += line.len();
        let Some(line) = cut(line, MOST_BYTES) else {
            self.skipped += 1;
            return;
        };
        self.lines.truncate(self.most - 1);
        self.lines.push_front(line);
    }

    /// What clients sent is not kept for longer than somebody looks.
    fn forget_if_due(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now >= until) {
            self.until = None;
            self.lines = VecDeque::new();
            self.skipped = 0;
        }
    }
}

impl Second {
    fn new(began: Instant) -> Self {
        Self {
            began,
            lines: 0,
            bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(i: usize) -> Vec<u8> {
        format!("{{\"i\":{i}}}").into_bytes()
    }

    #[test]
    fn nothing_is_written_before_somebody_looks_nor_long_after() {
        let start = Instant::now();
        let mut recent = Recent::new(3);
        recent.keep(start, || panic!("nobody looks"));
        assert!(recent.listed(start).lines.is_empty());
        (0..5).for_each(|i| recent.keep(start, || line(i)));
        let shown = recent.listed(start + WATCHED / 2);
        assert_eq!(shown.lines, [r#"{"i":4}"#, r#"{"i":3}"#, r#"{"i":2}"#]);
        let late = start + WATCHED / 2 + WATCHED;
        recent.keep(late, || panic!("nobody looks any more"));
        assert!(recent.until.is_none() && recent.lines.is_empty());
        assert!(recent.listed(late).lines.is_empty());
        recent.keep(late, || line(9));
        assert_eq!(recent.listed(late).lines.len(), 1);
        // a page that comes back finds nothing of before
        assert!(recent.listed(late + 2 * WATCHED).lines.is_empty());
    }

    #[test]
    fn of_a_flood_so_many_are_written_a_second_and_the_rest_is_counted() {
        let mut recent = Recent::new(50);
        let start = Instant::now();
        recent.listed(start);
        let mut written = 0;
        for i in 0..2 * PER_SECOND {
            recent.keep(start, || {
                written += 1;
                line(i)
            });
        }
        assert_eq!(written, PER_SECOND);
        let shown = recent.listed(start);
        assert_eq!((shown.lines.len(), shown.skipped), (50, PER_SECOND as u64));
        let next = start + Duration::from_secs(1);
        recent.keep(next, || line(7));
        assert_eq!(recent.listed(next).lines[0], r#"{"i":7}"#);
        let long = || format!("{{\"path\":\"{}\"}}", "x".repeat(BYTES_PER_SECOND)).into_bytes();
        recent.keep(next, long);
        recent.keep(next, || panic!("so many bytes are enough"));
    }

    #[test]
    fn other_settings_begin_anew_with_as_many_as_they_say() {
        let start = Instant::now();
        let mut recent = Recent::new(3);
        recent.listed(start);
        (0..3).for_each(|i| recent.keep(start, || line(i)));
        recent.apply(1);
        assert!(recent.listed(start).lines.is_empty());
        (0..3).for_each(|i| recent.keep(start, || line(i)));
        assert_eq!(recent.listed(start).lines, [r#"{"i":2}"#]);
        recent.apply(0);
        recent.keep(start, || panic!("it is off"));
        assert!(recent.listed(start).lines.is_empty());
    }
}
