//! The couriers of lines and spans: what has gathered in a queue, request by request.

use std::sync::Arc;

use ::metrics::Counter;
use prost::Message;
use tokio::time::Instant;

use super::{
    Courier,
    counts::InHand,
    queue::Queue,
    sender::Sender,
    settings::{Letter, Settings},
};
use crate::panics::{contain, hook};

/// What waits in a queue.
pub(super) trait Record: Send + Sized + 'static {
    /// What carries many of them.
    type Request: Message;

    /// The request that carries `batch`.
    fn request(settings: &Settings, batch: Vec<Self>) -> Self::Request;
}

pub(super) struct Shipper<T> {
    sender: Sender,
    queue: Arc<Queue<T>>,
    panics: Counter,
    /// Of the queue, as it was told last.
    dropped: u64,
    /// That there is no room is told once, until there is for a whole request.
    is_full: bool,
}

impl<T: Record> Courier for Shipper<T> {
    async fn run(&mut self) {
        while let Some(batch) = self.queue.batch(&mut self.sender.leaving).await {
            let counts = self.sender.counts.clone();
            let hand = InHand::new(&counts, batch.len() as u64);
            hook("otlp");
            let settings = Arc::clone(&self.sender.settings.borrow_and_update());
            let until = Instant::now() + settings.give_up_after;
            if let Some(letter) = self.letter(settings, batch).await {
                self.sender.deliver(&letter, hand, until).await;
            }
            self.tell_dropped();
        }
    }
}

impl<T: Record> Shipper<T> {
    pub(super) fn new(sender: Sender, queue: Arc<Queue<T>>, panics: Counter) -> Self {
        Self {
            sender,
            queue,
            panics,
            dropped: 0,
            is_full: false,
        }
    }

    /// Thousands of records take milliseconds.
    async fn letter(&self, settings: Arc<Settings>, batch: Vec<T>) -> Option<Letter> {
        let panics = self.panics.clone();
        let making = tokio::task::spawn_blocking(move || {
            let request = || settings.letter(&T::request(&settings, batch));
            contain(&panics, request)
        });
        making.await.ok()?.ok()?.ok()
    }

    fn tell_dropped(&mut self) {
        let dropped = self.queue.dropped();
        let more = dropped - std::mem::replace(&mut self.dropped, dropped);
        if more > 0 && !self.is_full {
            tracing::warn!(
                signal = self.sender.signal.word(),
                dropped = more,
                "more waits for the collector than there is room for"
            );
        }
        self.is_full = more > 0;
    }
}
