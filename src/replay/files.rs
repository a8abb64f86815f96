//! The files of a log, the oldest first.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;

use super::{ReplayError, logged::time};

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;
/// What of a file is looked at to find out when it begins.
const BEGINNING: u64 = 256 * 1024;

/// A file that is being read.
pub(super) type Input = BufReader<Box<dyn Read>>;

/// By the time of their first line, as far as all have one: a shell lists `log.1`, which is older, behind
/// `log`. What is no file stays where it is, and so do all then.
pub(super) fn in_order(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = files.to_vec();
    if files.len() > 1 {
        let begins: Option<Vec<Timestamp>> = files.iter().map(|file| begin(file)).collect();
        if let Some(begins) = begins {
            let mut both: Vec<_> = begins.into_iter().zip(files).collect();
            both.sort_by_key(|(begin, _)| *begin);
            files = both.into_iter().map(|(_, file)| file).collect();
        }
    }
    files
}

pub(super) fn open(path: &Path) -> Result<Input, ReplayError> {
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|source| failed(path, source))?)
    };
    Ok(BufReader::with_capacity(BUFFER, input))
}

pub(super) fn failed(path: &Path, source: io::Error) -> ReplayError {
    ReplayError::Io {
        path: path.to_owned(),
        source,
    }
}

#[derive(Deserialize)]
struct Begins {
    timestamp: Option<serde_json::Value>,
}

/// The time of its first line that has one.
fn begin(path: &Path) -> Option<Timestamp> {
    // a pipe could be read once only
    if path.as_os_str() == "-" || !path.metadata().ok()?.is_file() {
        return None;
    }
    let beginning = File::open(path).ok()?.take(BEGINNING);
    let lines = BufReader::new(beginning).split(b'\n').map_while(Result::ok);
    let mut times = lines.filter_map(|line| {
        let line: Begins = serde_json::from_slice(&line).ok()?;
        time(line.timestamp.as_ref())
    });
    times.next()
}
