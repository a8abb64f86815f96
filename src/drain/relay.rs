//! Tells the tasks of one thread, of which there are thousands, what one of them hears.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::{Phase, Watch};

/// The phase as the tasks of one thread see it.
///
/// A task that waits here beside its work asks each time it works, and most of the time just waits:
/// to ask is a comparison, and to wait takes three words of the task and a place in a list.
#[derive(Debug)]
pub struct Relay {
    phase: Cell<Phase>,
    waiting: RefCell<Places>,
}

#[derive(Debug, Default)]
struct Places {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// Waits until a phase or a later one is reached.
#[derive(Debug)]
pub struct Reached {
    relay: Rc<Relay>,
    phase: Phase,
    place: Option<usize>,
}

impl Relay {
    /// Begins with the phase that `watch` sees; hears nothing until it [follows](Self::follow).
    pub fn new(watch: &Watch) -> Rc<Self> {
        Rc::new(Self {
            phase: Cell::new(watch.phase()),
            waiting: RefCell::default(),
        })
    }

    /// Passes on what `watch` says, to the last phase.
    pub async fn follow(&self, mut watch: Watch) {
        for phase in [Phase::Leaving, Phase::Draining, Phase::Stopped] {
            watch.reached(phase).await;
            self.phase.set(phase.max(self.phase.get()));
            // whoever wakes may leave its place at once
            let wakers: Vec<_> = self.waiting.borrow().wakers.clone();
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Waits until `phase` or a later one is reached.
    pub fn reached(self: &Rc<Self>, phase: Phase) -> Reached {
        Reached {
            relay: Rc::clone(self),
            phase,
            place: None,
        }
    }
}

impl Places {
    fn take(&mut self, waker: Waker) -> usize {
        let place = self.free.pop().unwrap_or(self.wakers.len());
        if place == self.wakers.len() {
            self.wakers.push(None);
        }
        self.wakers[place] = Some(waker);
        place
    }

    fn renew(&mut self, place: usize, waker: &Waker) {
        let known = &mut self.wakers[place];
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    fn leave(&mut self, place: usize) {
        self.wakers[place] = None;
        self.free.push(place);
        if self.free.len() == self.wakers.len() {
            *self = Self::default();
        }
    }
}

impl Future for Reached {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.relay.phase() >= this.phase {
            return Poll::Ready(());
        }
        let mut places = this.relay.waiting.borrow_mut();
        match this.place {
            None => this.place = Some(places.take(cx.waker().clone())),
            Some(place) => places.renew(place, cx.waker()),
        }
        Poll::Pending
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.relay.waiting.borrow_mut().leave(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::{super::Drain, *};

    #[tokio::test]
    async fn all_tasks_hear_of_a_phase_and_none_before_it() {
        let (drain, watch) = Drain::new();
        let relay = Relay::new(&watch);
        let heard = Rc::new(Cell::new(0));
        let local = LocalSet::new();
        for phase in [Phase::Leaving, Phase::Draining, Phase::Stopped].repeat(3) {
            let (reached, heard) = (relay.reached(phase), Rc::clone(&heard));
            local.spawn_local(async move {
                reached.await;
                heard.set(heard.get() + 1);
            });
        }
        let follower = Rc::clone(&relay);
        local.spawn_local(async move { follower.follow(watch).await });
        for (phase, expected) in [
            (Phase::Serving, 0),
            (Phase::Draining, 6),
            (Phase::Stopped, 9),
        ] {
            drain.advance(phase);
            local
                .run_until(async {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                })
                .await;
            assert_eq!((relay.phase(), heard.get()), (phase, expected));
        }
    }

    #[test]
    fn places_are_used_again_and_given_back_with_the_last() {
        let (_drain, watch) = Drain::new();
        let relay = Relay::new(&watch);
        let cx = &mut Context::from_waker(Waker::noop());
        let wait = |cx: &mut Context<'_>| {
            let mut reached = Box::pin(relay.reached(Phase::Stopped));
            assert!(reached.as_mut().poll(cx).is_pending());
            assert!(reached.as_mut().poll(cx).is_pending());
            reached
        };
        let held = wait(cx);
        for _ in 0..100 {
            drop(wait(cx));
        }
        assert_eq!(relay.waiting.borrow().wakers.len(), 2);
        drop(held);
        assert_eq!(relay.waiting.borrow().wakers.capacity(), 0);
    }
}
