//! Which version of HTTP the upstream understands, found out once and shared by all data threads.

use std::sync::atomic::{AtomicU8, Ordering};

/// What is known; one for all data threads.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Spoken(AtomicU8);

/// What an upstream understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::proxy) enum Tongue {
    /// Nobody has asked.
    Unknown,
    /// HTTP/1 and not HTTP/2.
    Http1,
    /// HTTP/2, and HTTP/1 as far as anyone knows.
    Http2,
    /// HTTP/2 alone: it answers HTTP/1 with frames.
    OnlyHttp2,
}

impl Tongue {
    const ALL: [Self; 4] = [Self::Unknown, Self::Http1, Self::Http2, Self::OnlyHttp2];
}

impl Spoken {
    /// Whoever asks the upstream something else found out that it speaks HTTP/2 alone, so that the
    /// first client of HTTP/1 need not; or that this is over.
    pub(in crate::proxy) fn set_only_http2(&self, is: bool) {
        if is {
            self.found(Tongue::OnlyHttp2);
        } else if self.get() == Tongue::OnlyHttp2 {
            self.forget();
        }
    }

    pub(in crate::proxy) fn get(&self) -> Tongue {
        Tongue::ALL[usize::from(self.0.load(Ordering::Relaxed))]
    }

    /// A connection showed it.
    pub(in crate::proxy) fn found(&self, tongue: Tongue) {
        self.0.store(tongue as u8, Ordering::Relaxed);
    }

    /// The upstream was not there: whoever comes up next may be another.
    pub(in crate::proxy) fn forget(&self) {
        self.found(Tongue::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_known_until_it_is_forgotten() {
        let spoken = Spoken::default();
        assert_eq!(spoken.get(), Tongue::Unknown);
        for tongue in Tongue::ALL {
            spoken.found(tongue);
            assert_eq!(spoken.get(), tongue);
        }
        spoken.forget();
        assert_eq!(spoken.get(), Tongue::Unknown);
        spoken.found(Tongue::Http1);
        spoken.set_only_http2(false);
        assert_eq!(spoken.get(), Tongue::Http1);
        spoken.set_only_http2(true);
        assert_eq!(spoken.get(), Tongue::OnlyHttp2);
        spoken.set_only_http2(false);
        assert_eq!(spoken.get(), Tongue::Unknown);
    }
}
