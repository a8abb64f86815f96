//! Panics, kept where they happen.
//!
//! A panic is a bug, and costs no more than what it happened in: one observation, one connection,
//! one answer. Whatever others depend on (a thread, a loop that accepts) does its work through
//! [`contain`] or [`contained`]. What is half done then is dropped; what stays is counters and
//! tables, which hold one step more or less.
//!
//! Each is counted in `sidelight_panics_total{part}`, by whoever hands the counter in.

mod injected;

pub(crate) use injected::hook;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use ::metrics::Counter;

/// There is no result: the work panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it panicked")]
pub struct Panicked;

/// Does `work`; a panic in it is counted, and goes no further.
///
/// # Errors
/// When it panicked.
pub fn contain<T>(panics: &Counter, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        panics.increment(1);
        Panicked
    })
}

/// Does `work`, which waits; a panic in it is counted, ends it, and goes no further.
///
/// # Errors
/// When it panicked.
pub async fn contained<T>(panics: &Counter, work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    // after a panic it is dropped and not polled again
    poll_fn(|cx| match contain(panics, || work.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// Counts itself when a panic drops it: for tasks, where the runtime contains the panic.
pub struct CountUnwinding(pub Counter);

impl Drop for CountUnwinding {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    fn counter() -> (Counter, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Counter::from_arc(Arc::clone(&count)), count)
    }

    #[tokio::test]
    async fn a_panic_is_counted_and_goes_no_further() {
        let (panics, count) = counter();
        assert_eq!(contain(&panics, || 1), Ok(1));
        assert_eq!(contained(&panics, async { 2 }).await, Ok(2));
        assert_eq!(count.load(Ordering::Relaxed), 0);
        let now = contain(&panics, || panic!("as the test wants"));
        assert_eq!(now, Err::<(), _>(Panicked));
        let later = contained(&panics, async {
            tokio::task::yield_now().await;
            panic!("as the test wants")
        });
        assert_eq!(later.await, Err::<(), _>(Panicked));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_task_that_panics_counts_itself_and_one_that_ends_does_not() {
        let (panics, count) = counter();
        let (first, second) = (panics.clone(), panics);
        let ends = tokio::spawn(async { drop(CountUnwinding(first)) });
        ends.await.unwrap();
        let panicked = tokio::spawn(async {
            let _count = CountUnwinding(second);
            panic!("as the test wants")
        });
        assert!(panicked.await.unwrap_err().is_panic());
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
