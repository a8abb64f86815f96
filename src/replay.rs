//! `sidelight replay`: what the live page would show of a log, for whoever looks at an incident afterwards.
//!
//! Each line is read once, in its order, and nothing of it is kept: `line` says what it is, `parts` joins
//! the lines of one request where they are several, `logged` makes of it the exchange and the inference
//! that it was written of. `run` has these counted and watched by what counts and watches while requests
//! pass, at the times of the log. `untold` gathers what the log does not tell, which is reported as missing
//! and never guessed; `text` is the report for people.

mod far;
mod files;
mod line;
mod logged;
mod parts;
mod run;
mod text;
mod untold;

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

use crate::{
    config::Config,
    drift::{Baselines, Key},
};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The files, in their order; `-`: the standard input.
    pub files: Vec<PathBuf>,
    /// What predictions are compared with; without any, the first of them become a baseline.
    pub baselines: Baselines,
    /// Whose predictions count.
    pub wanted: Key,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// For people.
    pub text: String,
    /// The page, with all of it inside.
    pub html: String,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Nothing in it is a line of a log.
    #[error(
        "{names}: expected lines of Sidelight's log (log.lines: one or separate) or exchanges as `sidelight explain` takes them; found {found}"
    )]
    NoLine {
        /// The files.
        names: String,
        /// What is there instead.
        found: String,
    },
    /// The system gave no thread or no random bytes.
    #[error("cannot begin")]
    Begin(#[from] io::Error),
    /// The catalogue of metrics is wrong.
    #[error("cannot count")]
    Count(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Takes the lines of files through the observer again, and reports.
///
/// # Errors
/// When a file cannot be read, or no line of them is of any use.
pub fn replay(config: &Config, options: &Options) -> Result<Report, ReplayError> {
    let mut run = run::Run::new(config, options)?;
    let files = files::in_order(&options.files);
    for path in &files {
        let input = files::open(path)?;
        run.read(path, input)?;
    }
    run.finish(&files)
}
