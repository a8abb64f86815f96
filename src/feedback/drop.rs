//! Whether fewer predictions are right than were: an alarm that holds however often one looks.
//!
//! A [`Watch`] is told of each label whether the prediction was right. Its null is that the share of right
//! ones is at least a bound: the [`Baseline`] less the least drop that counts, or less what a baseline of so
//! few labels may be off by chance, whichever is lower. Against it runs the detector of
//! [`shiryaev_roberts`](crate::stats::shiryaev_roberts): while the null holds, the mean time to an alarm is
//! at least a million labels over the accepted false alarms per million.

mod baseline;
mod state;
mod watch;

pub use baseline::Baseline;
pub use state::WatchState;
pub use watch::{Change, DropRules, Episode, Watch};
