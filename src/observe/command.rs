//! What the operator's side can ask of the observer. Nobody waits: a full channel is an answer.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::{sync::oneshot, time::timeout};

use super::{board::Board, models::Listing, recent::Listed, worker::Settings};
use crate::drift::{
    Baseline, Baselines, CheckInput, InUse, Key, SeriesName, Snapshot, Verdict,
    report::{Histograms, Report},
};

/// Commands that may wait.
const MAX_WAITING: usize = 64;

/// Pause before a busy observer is asked again, and how often it is.
const AGAIN: Duration = Duration::from_millis(20);
const TRIES: u32 = 100;
/// Longest wait for an answer: an observer that is stuck must not hold up probes.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way in; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Sender<Command>);

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// As many commands wait as may, or it did not answer in time.
    #[error("the observer is busy, try again")]
    Busy,
    /// It has ended.
    #[error("the observer has ended")]
    Ended,
    /// It panicked over this command, or ended before it came to it.
    #[error("the observer failed on this")]
    Failed,
}

/// Whose confidences are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of every model and version with recent traffic.
    All,
    /// Those of the model and version that predicted last.
    Latest,
    /// Those of one model, and of one of its versions or the one that predicted last.
    Of {
        /// As in the label `model`.
        model: String,
        /// As in the label `model_version`.
        version: Option<String>,
    },
}

/// What the upstream says of its model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelState {
    /// Whether it is loaded.
    pub loaded: bool,
    /// Its version, where the upstream tells one.
    pub version: Option<String>,
}

/// A verdict and whom it is about.
#[derive(Debug, Clone)]
pub struct Judged {
    /// As in the label `model`.
    pub model: String,
    /// As in the label `model_version`.
    pub version: String,
    /// Start of the hash of the baseline in use.
    pub baseline: Option<String>,
    /// What is told of it.
    pub in_use: Option<InUse>,
    /// What was found.
    pub verdict: Verdict,
    /// What the scan knows; `None`: there is no baseline.
    pub scan: Option<Report>,
}

impl Judged {
    /// Whether the scan decides; else the two-sample test does.
    pub fn is_of_scan(&self) -> bool {
        self.scan.as_ref().is_some_and(|scan| scan.is_warm)
    }

    /// The series whose recent values the two-sample test compares: the numbers of a regression, else the
    /// confidences.
    pub fn tested(&self) -> SeriesName {
        let first = self.scan.as_ref().and_then(|scan| scan.series.first());
        match first.map(|series| SeriesName::of(&series.name)) {
            Some(SeriesName::Value) => SeriesName::Value,
            _ => SeriesName::Confidence,
        }
    }

    /// Whether there is drift, by whichever decides.
    pub fn drift_detected(&self) -> bool {
        match &self.scan {
            Some(scan) if scan.is_warm => scan.drift_detected,
            _ => self.verdict.drift_detected(),
        }
    }
}

/// A baseline that was gathered, and whose it is.
pub type Captured = (Key, Baseline);

/// One command.
#[derive(Debug)]
pub(super) enum Command {
    Copy(Which, oneshot::Sender<Vec<CheckInput>>),
    UseBaselines(Baselines),
    Publish(Vec<Judged>),
    Model(ModelState),
    Apply(Box<Settings>),
    Models(oneshot::Sender<Listing>),
    Board(oneshot::Sender<Board>),
    Recent(oneshot::Sender<Listed>),
    LastPredictor(oneshot::Sender<Option<(String, String)>>),
    Captured(oneshot::Sender<Vec<Captured>>),
    Snapshots(oneshot::Sender<Vec<Snapshot>>),
    Histograms(Which, String, oneshot::Sender<Option<Histograms>>),
}

/// The handle and what the observer listens to.
pub(super) fn channel() -> (Handle, Receiver<Command>) {
    let (sender, receiver) = bounded(MAX_WAITING);
    (Handle(sender), receiver)
}

impl Handle {
    /// Copies of recent confidences with the baselines they are compared to.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn copy(&self, which: Which) -> Result<Vec<CheckInput>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Copy(which, reply))?;
        came(answer).await
    }

    /// The model and version that predicted last.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn last_predictor(&self) -> Result<Option<(String, String)>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::LastPredictor(reply))?;
        came(answer).await
    }

    /// Baselines that have been gathered since the last time.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn captured(&self) -> Result<Vec<Captured>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Captured(reply))?;
        came(answer).await
    }

    /// What is known of every version, to go on after a restart.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Snapshots(reply))?;
        came(answer).await
    }

    /// The baseline and the window of one series, by its label; `None`: there is no such series.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn histograms(
        &self,
        which: Which,
        series: String,
    ) -> Result<Option<Histograms>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Histograms(which, series, reply))?;
        came(answer).await
    }

    /// Every model that was seen, and what of it is not known.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn models(&self) -> Result<Listing, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Models(reply))?;
        came(answer).await
    }

    /// What a live page shows of the models.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn board(&self) -> Result<Board, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Board(reply))?;
        came(answer).await
    }

    /// The last requests, which are kept from the first time on that somebody asks, for as long as
    /// somebody does.
    ///
    /// # Errors
    /// When the observer does not take the command, or does not answer within 2 s.
    pub async fn recent(&self) -> Result<Listed, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Recent(reply))?;
        came(answer).await
    }

    /// Replaces the baselines in use; waits a while for a busy observer.
    ///
    /// # Errors
    /// When the observer does not take the command.
    pub async fn use_baselines(&self, baselines: Baselines) -> Result<(), Unavailable> {
        self.insist(Command::UseBaselines(baselines)).await
    }

    /// Shows verdicts as gauges.
    ///
    /// # Errors
    /// When the observer does not take the command.
    pub fn publish(&self, verdicts: Vec<Judged>) -> Result<(), Unavailable> {
        self.send(Command::Publish(verdicts))
    }

    /// Shows what the upstream says of its model.
    ///
    /// # Errors
    /// When the observer does not take the command.
    pub fn model(&self, state: ModelState) -> Result<(), Unavailable> {
        self.send(Command::Model(state))
    }

    /// Goes by other settings from the next exchange on; waits a while for a busy observer.
    ///
    /// # Errors
    /// When the observer does not take the command.
    pub async fn apply(&self, settings: Settings) -> Result<(), Unavailable> {
        self.insist(Command::Apply(Box::new(settings))).await
    }

    /// One that nobody answers.
    #[cfg(test)]
    pub(crate) fn stuck() -> Self {
        let (handle, commands) = channel();
        std::mem::forget(commands);
        handle
    }

    fn send(&self, command: Command) -> Result<(), Unavailable> {
        self.0.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Disconnected(_) => Unavailable::Ended,
        })
    }

    async fn insist(&self, mut command: Command) -> Result<(), Unavailable> {
        for _ in 0..TRIES {
            match self.0.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Unavailable::Ended),
                Err(TrySendError::Full(again)) => command = again,
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(Unavailable::Busy)
    }
}

async fn came<T>(answer: oneshot::Receiver<T>) -> Result<T, Unavailable> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|_| Unavailable::Failed),
        Err(_) => Err(Unavailable::Busy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_observer_that_is_stuck_is_not_waited_for() {
        let (handle, _commands) = channel();
        assert_eq!(handle.last_predictor().await, Err(Unavailable::Busy));
        assert_eq!(handle.copy(Which::All).await, Err(Unavailable::Busy));
    }
}
