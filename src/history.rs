//! The drift detector over files: what it would have said of a past that is known, before anybody trusts it
//! with the present.
//!
//! `table` reads rows, `columns` gathers them, `build` makes a baseline of them, `detect` runs a stream past
//! one.

mod build;
mod columns;
mod detect;
mod table;

pub use build::{BuildOptions, Built, LeftOut, build};
pub use detect::{Alarmed, Options, Summary, detect};
pub(crate) use table::is_hashed;
pub use table::{Table, TableError};
