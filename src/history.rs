//! The drift detector over files: what it would have said of a past that is known, before anybody trusts it
//! with the present.
//!
//! `table` reads rows, `column` gathers those of a baseline, `detect` runs a stream past it.

mod column;
mod detect;
mod table;

pub use detect::{Alarmed, Options, Summary, detect};
pub use table::{Table, TableError};
