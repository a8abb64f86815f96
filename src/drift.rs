//! Whether a model's traffic has drifted away from what it was.
//!
//! [`Baselines`] say what it was, of each model and version; a [`Baseline`] has a [`Profile`] for every
//! series: confidence, class, value, features. A [`Monitor`](monitor::Monitor) pushes what passes into the
//! [`scan`] of each series; [`check`] is the two-sample test of the course page, which decides until the scan
//! is warm. A [`Notice`] is what people are told when a drift begins or ends. [`Versions`] bound what is kept, [`Store`] brings baselines over a restart.
//! All have one owner and no lock; a check works on a copy, because its exact p-value may take
//! milliseconds and must not hold up whoever fills the windows.

mod baseline;
mod baselines;
pub mod bins;
mod clock;
pub mod dependence;
pub mod episode;
pub mod file;
mod gather;
mod ks_window;
pub mod monitor;
mod name;
pub mod notice;
pub mod picture;
mod posted;
pub mod profile;
pub mod quality;
pub mod report;
mod sample;
pub mod scan;
mod sealed;
pub mod series;
mod snapshot;
mod store;
mod tally;
pub mod unmatched;
mod verdict;
mod versions;
mod words;

pub use baseline::{Baseline, BaselineError, Origin};
pub use baselines::{Baselines, Chosen, InUse, Key, MAX_BASELINES};
pub use file::DamageReason;
pub use gather::Gathered;
pub use ks_window::{KsWindow, Lacking};
pub use name::{SeriesName, class_label};
pub use notice::{Notice, Outlet};
pub use posted::{PostedError, posted};
pub use profile::{Bins, Profile, Value};
pub use sample::Sample;
pub use snapshot::{SeriesState, Snapshot};
pub use store::{Damage, Loaded, Store, StoreError};
pub use unmatched::Unmatched;
pub use verdict::{CheckInput, Checked, Fields, Verdict, check};
pub use versions::{Retired, VERSIONS_PER_MODEL, Versions};
