//! How the agent leaves: phases that only go forward, watched by every part.

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

/// Those who decide the phase; cheap to clone.
#[derive(Debug, Clone)]
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

    /// The phase now.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// One who goes by it from now on.
    pub fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
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
    pub async fn reached(&mut self, phase: Phase) {
        let _ = self.0.wait_for(|current| *current >= phase).await;
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
        assert_eq!(
            (drain.phase(), watch.phase()),
            (Phase::Draining, Phase::Draining)
        );
        watch.reached(Phase::Leaving).await;
        drop(drain);
        watch.reached(Phase::Stopped).await;
    }
}
