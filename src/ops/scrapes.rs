//! Renderings of the metrics, and how many of them are held for clients that are slow to take them.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;

/// Renderings that may be on their way to clients before others get a copy of the last.
const FRESH: usize = 4;
/// How old a copy may be.
const AGE: Duration = Duration::from_secs(1);

/// The renderings on their way, the last of them last. A few scrapers get one each, of now; a crowd
/// that does not read shares, so that it holds no more than one a second, for as long as a client
/// may take.
#[derive(Debug, Default)]
pub struct Scrapes(Mutex<Vec<(Instant, Weak<Text>)>>);

#[derive(Debug)]
struct Text(String);

struct Shared(Arc<Text>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.0.as_bytes()
    }
}

impl Scrapes {
    /// What `render` gives, or gave just now.
    pub(super) fn text(&self, render: impl FnOnce() -> String) -> Bytes {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, text)| text.strong_count() > 0);
        let last = held.last().filter(|(at, _)| at.elapsed() < AGE);
        let shared = last.and_then(|(_, text)| text.upgrade());
        let text = match shared {
            Some(text) if held.len() >= FRESH => text,
            _ => {
                let text = Arc::new(Text(render()));
                held.push((Instant::now(), Arc::downgrade(&text)));
                text
            }
        };
        Bytes::from_owner(Shared(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_that_does_not_read_shares_and_who_reads_gets_what_is_now() {
        let scrapes = Scrapes::default();
        let mut renderings = 0;
        let mut ask = || {
            scrapes.text(|| {
                renderings += 1;
                renderings.to_string()
            })
        };
        for i in 1..=10 {
            assert_eq!(ask(), i.to_string(), "taken at once");
        }
        let held: Vec<_> = (0..50).map(|_| ask()).collect();
        assert_eq!(held[FRESH - 1], "14");
        let is_shared = |text: &Bytes| text.as_ptr() == held[FRESH - 1].as_ptr();
        assert!(held[FRESH..].iter().filter(|text| is_shared(text)).count() > 40);
        drop(held);
        let now = ask();
        assert_eq!(now, renderings.to_string());
    }
}
