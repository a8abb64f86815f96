//! Where a client's connection of HTTP/2 stands between two heads.
//!
//! hyper keeps the rules of frames but one, and has no deadline for them. This follows the same bytes
//! to know whether the client owes the rest of something that nobody can do without: its first
//! `SETTINGS`, which no other frame may precede, or the rest of a head (RFC 9113, sections 3.4, 6.2
//! and 6.10). Payloads are counted, not looked at.

/// Length, type, flags and stream (RFC 9113, section 4.1).
const HEADER: usize = 9;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Another frame came before the first `SETTINGS` (RFC 9113, section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct Unsettled;

/// Follows what comes behind the preface.
#[derive(Default)]
pub(in crate::proxy) struct Frames {
    /// The preface, still to come.
    preface: usize,
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    filled: usize,
    /// Bytes of the payload that are to come.
    payload: u32,
    /// Whether the first `SETTINGS` are there.
    is_settled: bool,
    /// Whether a head has begun that has not ended.
    is_in_head: bool,
    /// `SETTINGS` and heads that have ended.
    paid: u64,
}

impl Frames {
    /// Begins before a preface of so many bytes.
    pub(in crate::proxy) fn behind(preface: usize) -> Self {
        Self {
            preface,
            ..Self::default()
        }
    }

    /// Whether the client has begun what it must end.
    pub(in crate::proxy) fn owes(&self) -> bool {
        let is_in_header = (1..HEADER).contains(&self.filled);
        !self.is_settled || self.is_in_head || is_in_header
    }

    /// What was owed and came, all there was of it.
    pub(in crate::proxy) fn paid(&self) -> u64 {
        self.paid
    }

    /// More came from the client.
    pub(in crate::proxy) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Unsettled> {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.payload > 0 {
                let now = (self.payload as usize).min(bytes.len());
                bytes = &bytes[now..];
                self.payload -= u32::try_from(now).unwrap_or(self.payload);
            } else {
                let now = (HEADER - self.filled).min(bytes.len());
                self.header[self.filled..self.filled + now].copy_from_slice(&bytes[..now]);
                self.filled += now;
                bytes = &bytes[now..];
                if self.filled < HEADER {
                    return Ok(());
                }
                self.begin()?;
            }
            if self.payload == 0 {
                self.end();
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Unsettled> {
        let [a, b, c, kind, ..] = self.header;
        if !self.is_settled && kind != SETTINGS {
            return Err(Unsettled);
        }
        self.payload = u32::from_be_bytes([0, a, b, c]);
        // a frame that has begun is followed to its end
        self.is_in_head |= matches!(kind, HEADERS | CONTINUATION);
        Ok(())
    }

    fn end(&mut self) {
        let [_, _, _, kind, flags, ..] = self.header;
        self.filled = 0;
        match kind {
            SETTINGS => self.is_settled = true,
            HEADERS | CONTINUATION => self.is_in_head = flags & END_HEADERS == 0,
            _ => {}
        }
        self.paid += u64::from(self.is_settled && !self.is_in_head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        let header = [0, 0, length, kind, flags, 0, 0, 0, 1];
        [&header[..], payload].concat()
    }

    /// Whether it owes something, behind each of `frames` that comes in pieces of `size`.
    fn owes(frames: &[Vec<u8>], size: usize) -> Vec<bool> {
        let mut all = Frames::behind(3);
        all.read(b"PRI").unwrap();
        let mut behind = Vec::new();
        for frame in frames {
            for piece in frame.chunks(size) {
                all.read(piece).unwrap();
            }
            behind.push(all.owes());
        }
        behind
    }

    #[test]
    fn a_head_is_owed_until_its_last_frame_however_it_is_cut() {
        let frames = [
            frame(SETTINGS, 0, &[]),
            frame(HEADERS, 0, b"abc"),
            frame(CONTINUATION, 0, b""),
            frame(CONTINUATION, END_HEADERS, b"de"),
            frame(0, 0, b"body"),
            frame(HEADERS, END_HEADERS, b"f"),
        ];
        for size in 1..16 {
            let expected = [false, true, true, false, false, false];
            assert_eq!(owes(&frames, size), expected, "{size}");
        }
    }

    #[test]
    fn nothing_may_come_before_the_settings() {
        for kind in [0, HEADERS, 6, CONTINUATION] {
            let mut all = Frames::behind(0);
            assert_eq!(all.read(&frame(kind, 0, b"12345678")), Err(Unsettled));
        }
    }

    #[test]
    fn settings_and_the_rest_of_a_frame_of_a_head_are_owed() {
        assert!(Frames::behind(3).owes());
        let mut half = frame(HEADERS, END_HEADERS, b"abc");
        half.pop();
        assert_eq!(
            owes(&[frame(SETTINGS, 0, b"123456"), half], 99),
            [false, true]
        );
        let mut half = frame(SETTINGS, 0, b"123456");
        half.pop();
        assert_eq!(owes(&[half], 99), [true]);
        // a body may come as slowly as it likes, the header of its frame may not
        let body = vec![0, 0, 9, 0, 0, 0, 0, 0, 1, 7];
        let settings = frame(SETTINGS, 0, b"");
        assert_eq!(owes(&[settings.clone(), body.clone()], 99), [false; 2]);
        assert_eq!(owes(&[settings, body[..5].to_vec()], 99), [false, true]);
    }
}
