//! How the agent leaves: phases that only go forward, watched by every part.

use std::{future::poll_fn, pin::pin, task::Poll};

mod relay;

use tokio::sync::watch;

pub use relay::{Reached, Relay};

/// Where the agent is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Ready, accepting.
    Serving,
    /// Not ready, still accepting: load balancers need time to notice.
    Leaving,
    /// Accepts nothing; what is in flight is finished.
    Draining,
    /// What is still in flight is cut off.
    Stopped,
}

/// The one who decides the phase.
#[derive(Debug)]
pub struct Drain(watch::Sender<Phase>);

/// One who goes by it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Watch(watch::Receiver<Phase>);

impl Drain {
    /// Begins in [`Phase::Serving`].
    pub fn new() -> (Self, Watch) {
        let (sender, receiver) = watch::channel(Phase::Serving);
        (Self(sender), Watch(receiver))
    }

    /// Goes forward to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let forward = phase > *current;
            *current = phase.max(*current);
            forward
        });
    }
}

impl Watch {
    /// The phase now.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until `phase` or a later one is reached; also when the decider is gone.
    ///
    /// A task that waits for it beside its work asks here each time it works, and hears of a change
    /// by its waker: until there is one, asking again costs a few instructions.
    pub async fn reached(&mut self, phase: Phase) {
        let seen = self.0.clone();
        let mut waiting = pin!(self.0.wait_for(|current| *current >= phase));
        let mut known = None;
        poll_fn(|cx| {
            let asks_again = known == Some(cx.waker().data());
            if asks_again && matches!(seen.has_changed(), Ok(false)) {
                return Poll::Pending;
            }
            known = Some(cx.waker().data());
            waiting.as_mut().poll(cx).map(drop)
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn phases_only_go_forward() {
        let (drain, mut watch) = Drain::new();
        drain.advance(Phase::Draining);
        drain.advance(Phase::Leaving);
        assert_eq!(watch.phase(), Phase::Draining);
        watch.reached(Phase::Leaving).await;
        drop(drain);
        watch.reached(Phase::Stopped).await;
    }
}
