//! Brings the collector one request after the other, all of one signal.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use prost::Message as _;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    counts::{Counts, InHand, Outcome},
    proto::{Answer, PartialSuccess},
    settings::{Letter, Settings},
};
use crate::{
    config::Signal,
    http::ClientError,
    post::{Peer, pause, retry_after},
};

/// Most of what a collector says that is logged, in characters.
const SAID: usize = 200;

/// What is told once, and not for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Down,
    Refused,
    Partly,
}

pub(super) struct Sender {
    pub(super) signal: Signal,
    pub(super) settings: watch::Receiver<Arc<Settings>>,
    /// Whether the agent leaves: then there is one try.
    pub(super) leaving: watch::Receiver<bool>,
    pub(super) counts: Counts,
    random: fastrand::Rng,
    failures: u32,
    /// When the next try may be, after one that failed.
    not_before: Instant,
    told: Told,
}

/// What a collector means by its answer.
enum Meaning {
    /// It has taken it, but for these.
    Taken(PartialSuccess),
    Later(Option<Duration>),
    Refused,
}

/// The codes that OTLP names may be tried again, and no others. Redirects are not followed, for a secret must
/// not go where nobody has sent it.
fn meaning(status: StatusCode, fields: &HeaderMap, body: &[u8], now: Timestamp) -> Meaning {
    match status.as_u16() {
        200..=299 => {
            let answer = Answer::decode(body).unwrap_or_default();
            Meaning::Taken(answer.partial_success.unwrap_or_default())
        }
        429 | 502 | 503 | 504 => Meaning::Later(retry_after(fields, now)),
        _ => Meaning::Refused,
    }
}

impl Sender {
    pub(super) fn new(
        signal: Signal,
        settings: watch::Receiver<Arc<Settings>>,
        leaving: watch::Receiver<bool>,
        counts: Counts,
    ) -> Self {
        Self {
            signal,
            settings,
            leaving,
            counts,
            random: fastrand::Rng::new(),
            failures: 0,
            not_before: Instant::now(),
            told: Told::Nothing,
        }
    }

    /// When the next try may be.
    pub(super) fn not_before(&self) -> Instant {
        self.not_before
    }

    pub(super) fn is_leaving(&self) -> bool {
        *self.leaving.borrow()
    }

    /// Tries until the letter is taken or refused, or the next try would be after `until`.
    pub(super) async fn deliver(&mut self, letter: &Letter, mut hand: InHand<'_>, until: Instant) {
        let mut is_first = true;
        loop {
            if self.not_before > until && !self.is_leaving() {
                return hand.all(Outcome::GivenUp);
            }
            self.rest().await;
            let settings = Arc::clone(&self.settings.borrow_and_update());
            let Some(peer) = &settings.peer else {
                // there is nobody any more
                return hand.all(Outcome::Dropped);
            };
            if !std::mem::take(&mut is_first) {
                self.counts.retried();
            }
            let was_leaving = self.is_leaving();
            let (asked, why) = match self.post(peer, letter).await {
                Ok((status, fields, body)) => {
                    match meaning(status, &fields, &body, Timestamp::now()) {
                        Meaning::Taken(but) => {
                            let rejected = u64::try_from(but.rejected).unwrap_or_default();
                            hand.some(Outcome::Rejected, rejected);
                            self.taken(peer, rejected, &but.error_message);
                            return hand.all(Outcome::Exported);
                        }
                        Meaning::Refused => {
                            self.refused(peer, status);
                            return hand.all(Outcome::Rejected);
                        }
                        Meaning::Later(asked) => (asked, Why::Status(status.as_u16())),
                    }
                }
                Err(error) => (None, Why::Error(error)),
            };
            self.failures += 1;
            let pause = pause(self.failures, asked, &mut self.random);
            self.not_before = Instant::now() + pause;
            self.failed(peer, &why, pause);
            if was_leaving {
                return hand.all(Outcome::GivenUp);
            }
        }
    }

    /// Waits until it may be tried. Other settings may be what it takes; the end leaves one more try.
    async fn rest(&mut self) {
        tokio::select! {
            () = sleep_until(self.not_before) => {}
            Ok(()) = self.settings.changed() => {}
            _ = self.leaving.wait_for(|leaving| *leaving) => {}
        }
    }

    async fn post(
        &self,
        peer: &Peer,
        letter: &Letter,
    ) -> Result<(StatusCode, HeaderMap, bytes::Bytes), ClientError> {
        let below = peer.address.path.trim_end_matches('/');
        let path = format!("{below}/v1/{}", self.signal.word());
        peer.post(&path, letter.field(), letter.body.clone()).await
    }

    fn taken(&mut self, peer: &Peer, rejected: u64, message: &str) {
        self.failures = 0;
        self.not_before = Instant::now();
        // a message without a number is a warning of the collector
        let told = if rejected > 0 || !message.is_empty() {
            Told::Partly
        } else {
            Told::Nothing
        };
        let before = std::mem::replace(&mut self.told, told);
        let (signal, to) = (self.signal.word(), peer.address.server.url());
        if told == Told::Partly && before != Told::Partly {
            let said: String = message.chars().take(SAID).collect();
            tracing::warn!(
                signal,
                to,
                rejected,
                said,
                "the collector has not taken all"
            );
        } else if told == Told::Nothing && before != Told::Nothing {
            tracing::info!(signal, to, "the collector takes all again");
        }
    }

    fn refused(&mut self, peer: &Peer, status: StatusCode) {
        self.failures = 0;
        if std::mem::replace(&mut self.told, Told::Refused) != Told::Refused {
            tracing::error!(
                signal = self.signal.word(),
                to = peer.address.server.url(),
                reason = status.as_u16(),
                "the collector refuses what is exported"
            );
        }
    }

    fn failed(&mut self, peer: &Peer, why: &Why, pause: Duration) {
        if std::mem::replace(&mut self.told, Told::Down) != Told::Down {
            tracing::warn!(
                signal = self.signal.word(),
                to = peer.address.server.url(),
                reason = %why,
                again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "the collector takes nothing, it is tried again"
            );
        }
    }
}

/// Why a try failed. Shows nothing of the URL but its host.
enum Why {
    Status(u16),
    Error(ClientError),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Error(error) => error.fmt(f),
        }
    }
}
