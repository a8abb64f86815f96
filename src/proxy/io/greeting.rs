//! Waiting for a client to say something, with nothing held for it but its socket.
//!
//! A connection waits before its first request and, parked, between later ones: hyper keeps 20 KiB
//! for a connection, and most connections are idle.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, sleep_until, timeout},
};

use super::{
    super::{failure::Failure, record::Record},
    Client,
};

/// How a client of HTTP/2 begins, whatever it wants (RFC 9113, section 3.4).
pub(in crate::proxy) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Most bytes that are read to find out what a client speaks.
const ROOM: usize = 1024;

/// What a client's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Greeting {
    /// It speaks HTTP/1, or something that the reader of HTTP/1 will refuse.
    Http1,
    /// It speaks HTTP/2.
    Http2,
    /// It speaks something else, and could not read an answer.
    Foreign,
    /// It left, or said nothing for too long.
    Nothing,
}

impl Client {
    /// Reads until it is clear what the client speaks; what was read stands before the rest.
    pub(in crate::proxy) async fn greeting(&self) -> Greeting {
        let (idle, head) = {
            let settings = self.thread.settings.borrow();
            (settings.client_idle, settings.head_timeout)
        };
        match timeout(idle, poll_fn(|cx| self.poll_more(cx))).await {
            Ok(true) => {}
            Ok(false) => return Greeting::Nothing,
            Err(_) => {
                self.count_idle();
                return Greeting::Nothing;
            }
        }
        let rest = async {
            loop {
                if let Some(greeting) = judge(&self.early.borrow()) {
                    return greeting;
                }
                if !poll_fn(|cx| self.poll_more(cx)).await {
                    return Greeting::Http1;
                }
            }
        };
        // half a preface is half a head, and gets the answer of one
        timeout(head, rest).await.unwrap_or_else(|_| {
            self.is_late.set(true);
            Greeting::Nothing
        })
    }

    /// Reads into `early`; `false`: there is nothing more.
    fn poll_more(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut room = [0; ROOM];
        let mut into = ReadBuf::new(&mut room);
        let outcome = ready!(self.with(|stream| stream.poll_read(cx, &mut into)));
        let came = into.filled();
        self.early.borrow_mut().extend_from_slice(came);
        Poll::Ready(outcome.is_ok() && !came.is_empty())
    }

    /// Turns a client away without a word, which is counted.
    pub(in crate::proxy) fn turn_away(&self, failure: Failure) {
        let id = self.thread.ids.generate();
        Record::unreadable(&self.thread, self.address, &id, failure);
        self.expect_more();
    }

    /// Waits for the next byte of a parked client; `false`: it was quiet for too long.
    pub(in crate::proxy) async fn wakes(&self) -> bool {
        self.is_parked.set(false);
        // one small thing that stays among what was freed keeps a page of it
        self.framing.borrow_mut().give_back();
        let rested = match self.rested.get() {
            // it woke, and asked for nothing
            Some((heads, since)) if heads == self.heads.get() => since,
            _ => Instant::now(),
        };
        self.rested.set(Some((self.heads.get(), rested)));
        let idle = rested + self.thread.settings.borrow().client_idle;
        let ready = poll_fn(|cx| match self.stream.borrow().as_ref() {
            Some(stream) => stream.poll_read_ready(cx),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        });
        tokio::select! {
            outcome = ready => outcome.is_ok(),
            () = sleep_until(idle) => {
                self.count_idle();
                false
            }
        }
    }

    pub(in crate::proxy) fn count_idle(&self) {
        self.thread.counts.limits.client_idle.increment(1);
    }

    /// Whether hyper let go of the connection only because nothing happened on it.
    pub(in crate::proxy) fn is_parked(&self) -> bool {
        self.is_parked.get()
    }

    /// Reads for hyper: first what was read before it.
    pub(in crate::proxy) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut early = self.early.borrow_mut();
        if early.is_empty() {
            return self.with(|stream| stream.poll_read(cx, into));
        }
        let now = early.len().min(into.remaining());
        into.put_slice(&early[..now]);
        if now == early.len() {
            *early = Vec::new();
        } else {
            early.drain(..now);
        }
        Poll::Ready(Ok(()))
    }
}

/// `None`: not clear yet.
fn judge(early: &[u8]) -> Option<Greeting> {
    if early.starts_with(PREFACE) {
        return Some(Greeting::Http2);
    }
    if PREFACE.starts_with(early) {
        return None;
    }
    Some(if is_foreign(early) {
        Greeting::Foreign
    } else {
        Greeting::Http1
    })
}

/// Whether another protocol is named where a request line names its version: a client of HTTP/2
/// whose preface is wrong reads no answer of HTTP/1 (RFC 9113, section 3.4).
fn is_foreign(early: &[u8]) -> bool {
    let mut lines = early.split(|byte| *byte == b'\n');
    let (Some(line), Some(_)) = (lines.next(), lines.next()) else {
        return false;
    };
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let version = words.nth(2).unwrap_or(b"HTTP");
    words.next().is_none()
        && !version
            .first_chunk()
            .is_some_and(|name: &[u8; 4]| name.eq_ignore_ascii_case(b"http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_line_that_names_another_protocol_is_foreign() {
        let foreign = b"INVALID CONNECTION PREFACE\r\n\r\n";
        assert_eq!(judge(foreign), Some(Greeting::Foreign));
        for line in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"GET / http/9\r\n",
            b"GET /\r\n",
            b"\r\n",
            b"a b c d\r\n",
            b"INVALID CONNECTION PREF",
        ] {
            assert_eq!(judge(line), Some(Greeting::Http1), "{line:?}");
        }
    }

    #[test]
    fn only_a_whole_preface_is_http2_and_only_its_beginning_is_unclear() {
        for cut in 0..PREFACE.len() {
            assert_eq!(judge(&PREFACE[..cut]), None, "{cut}");
            let mut other = PREFACE[..cut].to_vec();
            other.push(b'x');
            assert_eq!(judge(&other), Some(Greeting::Http1), "{cut}");
        }
        let with_more = [PREFACE, b"\0\0\0\x04"].concat();
        assert_eq!(judge(PREFACE), Some(Greeting::Http2));
        assert_eq!(judge(&with_more), Some(Greeting::Http2));
        assert_eq!(
            judge(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
            Some(Greeting::Http1)
        );
    }
}
