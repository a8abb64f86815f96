//! `sidelight baseline`: a baseline file from rows, and what is in it as a table for people.

use std::{
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use super::history::printable;
use crate::{
    drift::file,
    history::{Built, build},
};

pub use crate::{drift::Key, history::BuildOptions};

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where the rows are; `-`: on the standard input.
    pub rows: PathBuf,
    /// How it is done.
    pub options: BuildOptions,
    /// Where the baseline goes; `None`: to the standard output.
    pub output: Option<PathBuf>,
}

/// Builds a baseline, writes it, and sums up on the standard error.
///
/// # Errors
/// When rows cannot be read, are not what was expected, or the baseline cannot be written.
pub fn baseline(request: &Request) -> anyhow::Result<()> {
    if let Some(output) = &request.output {
        let is_same = |path: &Path| path.canonicalize().ok();
        if is_same(output).is_some_and(|path| Some(path) == is_same(&request.rows)) {
            bail!("{}: expected another file than --output", output.display());
        }
    }
    let built = build(&request.rows, &request.options)?;
    let bytes = file::render(&built.key, &built.baseline);
    match &request.output {
        Some(output) => file::replace(output, &bytes)
            .with_context(|| format!("cannot write {}", output.display()))?,
        None => print(&bytes).context("cannot write the baseline")?,
    }
    // that nobody reads it is no failure
    let _ = sum_up(&mut io::stderr().lock(), &built);
    Ok(())
}

/// A reader that has gone is no failure.
fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn sum_up(out: &mut impl Write, built: &Built) -> io::Result<()> {
    let name = |name: &Option<String>| name.as_deref().map_or("any".to_owned(), printable);
    writeln!(
        out,
        "{} rows; model {}, version {}; sha256 {}",
        built.rows,
        name(&built.key.model),
        name(&built.key.version),
        built.baseline.short_hash()
    )?;
    writeln!(
        out,
        "{:<24} {:<11} {:>10} {:>8} {:>5} {:>7}",
        "series", "kind", "rows", "missing", "bins", "tau"
    )?;
    for ((name, profile), (rows, missing)) in built.baseline.profiles().iter().zip(&built.counts) {
        let kind = profile.bins.kind();
        let share = 100.0 * shares(*missing, *rows);
        let tau = profile
            .tau
            .map_or("live".to_owned(), |tau| format!("{tau:.2}"));
        writeln!(
            out,
            "{:<24} {kind:<11} {rows:>10} {:>8} {:>5} {tau:>7}",
            printable(&name.label()),
            format!("{share:.1} %"),
            profile.bins.known(),
        )?;
    }
    for left_out in &built.left_out {
        writeln!(
            out,
            "left out: {} ({})",
            printable(&left_out.column),
            left_out.why
        )?;
    }
    if !built.is_ordered {
        writeln!(
            out,
            "order means nothing: tau is found out live, in 2,048 predictions"
        )?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn shares(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
