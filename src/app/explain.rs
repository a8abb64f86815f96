//! `sidelight explain`: from a file or the standard input to the standard output.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, ErrorKind},
    path::Path,
};

use crate::{
    cli::{FAILED, Report, USAGE},
    config::Config,
    explain,
};

/// Explains the exchanges of `file`, or of the standard input, and returns how to end.
pub fn explain(config: &Config, file: Option<&Path>) -> Report {
    let input: Box<dyn BufRead> = match file.map(|path| (path, File::open(path))) {
        None => Box::new(io::stdin().lock()),
        Some((_, Ok(file))) => Box::new(BufReader::new(file)),
        Some((path, Err(error))) => {
            let text = format!("sidelight: {}: {error}\n", path.display());
            return Report::error(text, USAGE);
        }
    };
    let mut output = BufWriter::new(io::stdout().lock());
    match explain::explain(config, input, &mut output) {
        Ok(true) => Report::text(""),
        Ok(false) => Report::error("", FAILED),
        // a reader that has gone is no failure
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Report::text(""),
        Err(error) => Report::error(format!("sidelight: {error}\n"), FAILED),
    }
}
