//! The webhook: receivers that `drift.notify` names are told when a drift begins and when it ends.
//!
//! Everything here runs on the main thread. Whoever finds a drift hands a
//! [`Notice`] over and never waits; each receiver has a queue and a courier of its
//! own, so one that is slow or gone delays no other. One POST carries one notice, and the next follows
//! when it is taken or given up: their order is kept. `letter` is what is sent, `answer` what an answer
//! means, `outbox` what waits, `courier` who brings it.
//! Nothing of a URL's path or of a header is logged.
//! Emits `sidelight_notifications_total`, `sidelight_notification_retries_total`,
//! `sidelight_notifications_waiting`.

mod answer;
mod counts;
mod courier;
mod letter;
mod outbox;
mod settings;

pub use settings::{Settings, Unusable};

use std::{sync::Arc, time::Duration};

use ::metrics::Counter;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use self::{
    counts::{Counts, Outcome},
    courier::Courier,
    letter::Letter,
    outbox::Outbox,
    settings::Receiver,
};
use crate::{
    config::Target,
    drift::{Notice, Outlet},
    metrics::{Metrics, catalogue, process},
    panics::contained,
};

/// How long what waits may be tried when the agent leaves.
const LAST_TRIES: Duration = Duration::from_secs(2);
/// Pause after a panic: one that comes back must not fill the log.
const AFTER_PANIC: Duration = Duration::from_millis(500);

/// Where notices are handed over, and their other end, for [`start`].
pub fn outlet(metrics: &Metrics) -> (Outlet, mpsc::Receiver<Notice>) {
    Outlet::new(metrics.counter(&catalogue::NOTIFICATIONS, &[Outcome::Dropped.label()]))
}

/// The receivers of `targets`, and the way to replace them.
///
/// # Errors
/// As [`Settings::new`].
pub fn receivers(targets: &[Target]) -> Result<(Sender, watch::Receiver<Arc<Settings>>), Unusable> {
    Ok(watch::channel(Arc::new(Settings::new(targets)?)))
}

/// Replaces receivers while what waits goes on.
pub type Sender = watch::Sender<Arc<Settings>>;

/// What runs until it is [finished](Self::finish).
#[derive(Debug)]
pub struct Notifier {
    task: JoinHandle<()>,
    leave: Arc<Notify>,
}

/// Begins to take `notices` to the receivers of `settings`, on the runtime of the caller.
pub fn start(
    notices: mpsc::Receiver<Notice>,
    settings: watch::Receiver<Arc<Settings>>,
    metrics: &Metrics,
) -> Notifier {
    let leave = Arc::new(Notify::new());
    let mut office = Office {
        notices,
        settings,
        leave: Arc::clone(&leave),
        desks: Vec::new(),
        counts: Counts::new(metrics),
        panics: metrics.counter(&catalogue::PANICS, &["notify"]),
        instance: process::host_name(),
    };
    office.settings.mark_changed();
    let task = tokio::spawn(async move {
        let panics = office.panics.clone();
        while contained(&panics, office.dispatch()).await.is_err() {
            sleep(AFTER_PANIC).await;
        }
        office.close().await;
    });
    Notifier { task, leave }
}

impl Notifier {
    /// Tries what waits once more, for 2 s at most, and ends.
    pub async fn finish(self) {
        self.leave.notify_one();
        // it ends by a panic at worst
        let _ = self.task.await;
    }
}

/// Who hands notices to couriers.
struct Office {
    notices: mpsc::Receiver<Notice>,
    settings: watch::Receiver<Arc<Settings>>,
    leave: Arc<Notify>,
    desks: Vec<Desk>,
    counts: Counts,
    panics: Counter,
    instance: String,
}

/// One receiver.
struct Desk {
    outbox: Arc<Outbox>,
    receiver: watch::Sender<Arc<Receiver>>,
    courier: JoinHandle<()>,
}

impl Office {
    async fn dispatch(&mut self) {
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.settings.changed() => self.hire(),
                notice = self.notices.recv() => match notice {
                    Some(notice) => self.post(notice),
                    None => return,
                },
                () = self.leave.notified() => {
                    while let Ok(notice) = self.notices.try_recv() {
                        self.post(notice);
                    }
                    return;
                }
            }
        }
    }

    fn post(&self, notice: Notice) {
        if self.desks.is_empty() {
            return;
        }
        let letter = Arc::new(Letter::new(notice, &self.instance));
        for desk in &self.desks {
            let most = desk.receiver.borrow().max_queued;
            self.counts.queued();
            for _ in 0..desk.outbox.put(Arc::clone(&letter), most) {
                self.counts.ended(Outcome::Dropped);
            }
        }
    }

    /// Goes by other settings. A receiver of the same URL goes on with what waits for it; where URLs have
    /// changed, so do those that are new, in their order: a URL that was wrong loses nothing when it is
    /// corrected. What waits for one that is gone is dropped.
    fn hire(&mut self) {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        let mut before: Vec<Option<Desk>> = self.desks.drain(..).map(Some).collect();
        let mut after: Vec<Option<Desk>> = Vec::new();
        for receiver in &settings.receivers {
            let is_same =
                |desk: &Desk| desk.receiver.borrow().peer.address == receiver.peer.address;
            let place = before.iter().position(|d| d.as_ref().is_some_and(is_same));
            after.push(place.and_then(|place| before[place].take()));
        }
        let mut left = before.into_iter().flatten();
        for (receiver, desk) in settings.receivers.iter().zip(after) {
            let desk = match desk.or_else(|| left.next()) {
                Some(desk) => {
                    desk.receiver.send_replace(Arc::clone(receiver));
                    desk
                }
                None => self.desk(Arc::clone(receiver)),
            };
            self.desks.push(desk);
        }
        for desk in left {
            for _ in 0..desk.outbox.clear() {
                self.counts.ended(Outcome::Dropped);
            }
            // one that is on its way may arrive
            desk.outbox.close();
        }
    }

    fn desk(&self, receiver: Arc<Receiver>) -> Desk {
        let outbox = Arc::new(Outbox::new());
        let (receiver, changes) = watch::channel(receiver);
        let mut courier = Courier::new(Arc::clone(&outbox), changes, self.counts.clone());
        let panics = self.panics.clone();
        let courier = tokio::spawn(async move {
            // boxed: it holds a whole handshake, most of the time for nothing
            while contained(&panics, Box::pin(courier.run())).await.is_err() {
                sleep(AFTER_PANIC).await;
            }
        });
        Desk {
            outbox,
            receiver,
            courier,
        }
    }

    /// One try for everything that waits, within [`LAST_TRIES`] altogether.
    async fn close(&mut self) {
        let before = self.counts.lost();
        for desk in &self.desks {
            desk.outbox.close();
        }
        let last = async {
            for desk in &mut self.desks {
                let _ = (&mut desk.courier).await;
            }
        };
        if timeout(LAST_TRIES, last).await.is_err() {
            for desk in &mut self.desks {
                // those that have ended must not be asked again
                if !desk.courier.is_finished() {
                    desk.courier.abort();
                    let _ = (&mut desk.courier).await;
                }
                for _ in 0..desk.outbox.clear() {
                    self.counts.ended(Outcome::Dropped);
                }
            }
        }
        let count = self.counts.lost() - before;
        if count > 0 {
            tracing::warn!(count, "notifications that waited were not delivered");
        }
    }
}
