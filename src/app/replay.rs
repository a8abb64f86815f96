//! `sidelight replay`: a log as a report, on the standard output and as a page.

use std::{
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};

use super::baseline_files::BaselineFiles;
use crate::{
    config::Config,
    drift::{Baselines, file},
    replay::{self, Options},
};

pub use crate::drift::Key;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The files of the log; `-`: what comes in on the standard input.
    pub files: Vec<PathBuf>,
    /// What `sidelight baseline` wrote.
    pub baselines: Vec<PathBuf>,
    /// Where the page goes.
    pub html: Option<PathBuf>,
    /// Whose predictions count.
    pub wanted: Key,
}

/// Reads the log, prints the report and writes the page.
///
/// # Errors
/// When a file cannot be read, is no log or no baseline, or the report cannot be written.
pub fn replay(config: &Config, request: &Request) -> anyhow::Result<()> {
    if let Some(html) = &request.html {
        let is_same = |path: &Path| path.canonicalize().ok();
        let own = is_same(html).filter(|_| html.metadata().is_ok_and(|found| found.is_file()));
        let mut inputs = request.files.iter().chain(&request.baselines);
        if own.is_some() && inputs.any(|path| is_same(path) == own) {
            bail!(
                "{}: expected another file than what is read",
                html.display()
            );
        }
    }
    let baselines = if request.baselines.is_empty() {
        configured(config)?
    } else {
        given(&request.baselines)?
    };
    let report = replay::replay(
        config,
        &Options {
            files: request.files.clone(),
            baselines,
            wanted: request.wanted.clone(),
        },
    )?;
    if let Some(html) = &request.html {
        file::replace(html, report.html.as_bytes())
            .with_context(|| format!("cannot write {}", html.display()))?;
    }
    print(report.text.as_bytes()).context("cannot write the report")
}

fn given(files: &[PathBuf]) -> anyhow::Result<Baselines> {
    let mut baselines = Baselines::new();
    for path in files {
        let (key, baseline) = file::load(path)
            .map_err(|reason| anyhow::anyhow!("{} is no baseline: {reason}", path.display()))?;
        let before = baselines
            .set(key, Arc::new(baseline))
            .with_context(|| path.display().to_string())?;
        if before.is_some() {
            bail!(
                "{}: a baseline before it is for the same model and version",
                path.display()
            );
        }
    }
    Ok(baselines)
}

fn configured(config: &Config) -> anyhow::Result<Baselines> {
    let (files, problems) = BaselineFiles::read(config, &BaselineFiles::default());
    match problems.first() {
        Some(problem) => bail!("{problem}"),
        None => Ok(files.baselines()),
    }
}

/// A reader that has gone is no failure.
fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
