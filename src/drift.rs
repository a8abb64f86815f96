//! Whether the model's confidence has drifted away from what it was.
//!
//! [`Windows`] keep the last confidences of every model and version, [`Baselines`] what they
//! should look like, [`check`] compares the two, [`Store`] brings baselines over a restart.
//! Windows and baselines have one owner and no lock; a check works on a copy, because its exact
//! p-value may take milliseconds and must not hold up whoever fills the windows.

mod baseline;
mod baselines;
pub mod bins;
pub mod dependence;
pub mod episode;
pub mod file;
mod gather;
mod ks_window;
mod name;
mod posted;
pub mod profile;
mod sample;
pub mod scan;
pub mod series;
mod store;
mod verdict;
mod words;

pub use baseline::{Baseline, BaselineError, Origin};
pub use baselines::{Baselines, Key, MAX_BASELINES};
pub use file::DamageReason;
pub use gather::Gathered;
pub use ks_window::{KsWindow, Retired, VERSIONS_PER_MODEL, Windows};
pub use name::SeriesName;
pub use posted::{PostedError, posted};
pub use profile::{Bins, Profile, Value};
pub use sample::Sample;
pub use store::{Damage, Loaded, Store, StoreError};
pub use verdict::{CheckInput, Checked, Verdict, check};
