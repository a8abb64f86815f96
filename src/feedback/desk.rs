//! What the operator's side can ask of the thread `feedback`. Nobody waits to ask: a full channel is an answer.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use serde::Serialize;
use tokio::{sync::oneshot, time::timeout};

use super::{
    models::Stated,
    posted::Posted,
    worker::{Known, Settings, Shown},
};

/// Questions that may wait; each may hold as many labels as a request may.
const MAX_WAITING: usize = 4;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The way in; cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    sender: Sender<Asked>,
    shown: Arc<Shown>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// As much waits as may, or it did not answer in time.
    #[error("labels of others are being joined, try again")]
    Busy,
    /// The thread has ended, or panicked over this.
    #[error("the thread that joins labels failed on this")]
    Failed,
    /// The disk refused.
    #[error(
        "not all labels could be written down; post them again: those that were count as duplicates"
    )]
    NotSaved,
}

/// What became of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Labels that were joined with their prediction.
    pub joined: u64,
    /// The same label was there.
    pub duplicate: u64,
    /// Another label was there, which stays.
    pub contradicting: u64,
    /// Their prediction is older than `feedback.retention`.
    pub late: u64,
    /// No such prediction is kept.
    pub unknown: u64,
    /// They are wrong in themselves, or no label of such a prediction.
    pub invalid: u64,
    /// The first of the invalid ones.
    pub errors: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Asked {
    Join(Posted, oneshot::Sender<Result<Taken, NoAnswer>>),
    Report(oneshot::Sender<Vec<Stated>>),
    Apply(Box<Settings>),
    Leave,
}

pub(super) fn channel(shown: Arc<Shown>) -> (Desk, Receiver<Asked>) {
    let (sender, receiver) = bounded(MAX_WAITING);
    (Desk { sender, shown }, receiver)
}

impl Desk {
    /// What a scrape shows, as it was last published: nobody is asked, so nothing is waited for.
    pub fn known(&self) -> Arc<Known> {
        self.shown.known()
    }

    /// One of which this is known, and that gives no answer.
    #[cfg(test)]
    pub fn silent(known: Known) -> Self {
        let shown = Arc::new(Shown::default());
        shown.publish(known);
        channel(shown).0
    }

    /// Joins labels; they are durable when this returns.
    ///
    /// # Errors
    /// See [`NoAnswer`]; some of them may have been taken.
    pub async fn join(&self, posted: Posted) -> Result<Taken, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Join(posted, reply))?;
        came(answer).await?
    }

    /// What is known of each model and version that has labels.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn stated(&self) -> Result<Vec<Stated>, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Report(reply))?;
        came(answer).await
    }

    /// Goes by other settings from now on.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn apply(&self, settings: Settings) -> Result<(), NoAnswer> {
        let settings = Box::new(settings);
        for _ in 0..100 {
            match self.ask(Asked::Apply(settings.clone())) {
                Err(NoAnswer::Busy) => tokio::time::sleep(Duration::from_millis(20)).await,
                answer => return answer,
            }
        }
        Err(NoAnswer::Busy)
    }

    /// Has the thread end, once what waits is kept. It is waited for.
    pub(super) fn leave(&self) {
        // there is nobody to tell when it is gone
        let _ = self.sender.send(Asked::Leave);
    }

    fn ask(&self, asked: Asked) -> Result<(), NoAnswer> {
        self.sender.try_send(asked).map_err(|error| match error {
            TrySendError::Full(_) => NoAnswer::Busy,
            TrySendError::Disconnected(_) => NoAnswer::Failed,
        })
    }
}

async fn came<T>(answer: oneshot::Receiver<T>) -> Result<T, NoAnswer> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|_| NoAnswer::Failed),
        Err(_) => Err(NoAnswer::Busy),
    }
}
