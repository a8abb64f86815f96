//! The drift detector over files: what it would have said of a past that is known, before anybody trusts it
//! with the present.
//!
//! `table` reads rows, `detect` runs a stream past a baseline.

mod detect;
mod table;

pub use detect::{Alarmed, Options, Summary, detect};
pub use table::{Table, TableError};
