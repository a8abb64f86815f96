//! Statistics: plain numbers in, plain numbers out, the standard library only.
//!
//! Nothing here knows of models, windows or time, and nothing panics on a number: callers keep
//! NaN and infinities out, because an answer about them would mean nothing.

pub mod ks;
pub mod moments;

/// A count as a number; exact below 2^53, and a sample that size does not fit in memory.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
const fn real(count: usize) -> f64 {
    count as f64
}
