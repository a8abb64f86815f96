//! A minute that shows what the agent is for: a client whose traffic changes, and when that was noticed.
//!
//! [`traffic`] makes the rows, [`story`] says what happens to them and for how long, [`mod@play`] sends them and
//! listens, and [`teller`] turns both into lines for a terminal. The agent is asked over HTTP as anybody could:
//! what is told of it are the notices that it posts and what its `/drift` says. Nothing here decides what
//! it finds, and it knows nothing of who plays here. Neither is the model known: whoever starts the play hands
//! over its rows.

mod agent;
mod client;
pub mod play;
mod screen;
pub mod story;
pub mod teller;
pub mod traffic;

pub use play::{Play, play};
pub use screen::Screen;
pub use story::Scenario;
pub use traffic::{Row, Table};
