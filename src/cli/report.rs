//! Text for people, and the exit code that goes with it.

use std::io::{self, ErrorKind, Write};

use super::{FAILED, OK, USAGE};
use crate::config::ConfigErrors;

/// What is printed before the process ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it is to be printed"]
pub struct Report {
    text: String,
    code: u8,
}

impl Report {
    /// An answer, for stdout; exit 0.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: OK,
        }
    }

    /// A complaint, for stderr.
    pub fn error(text: impl Into<String>, code: u8) -> Self {
        Self {
            text: text.into(),
            code,
        }
    }

    /// Everything that is wrong with a configuration, one line each; exit 64.
    pub fn of_errors(errors: &ConfigErrors) -> Self {
        Self::error(format!("{errors}\n"), USAGE)
    }

    /// What is printed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The exit code, if it can be printed.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Prints it and returns the exit code. A reader that has gone (`sidelight config | head`) is no
    /// failure; a full disk is.
    pub fn print(&self) -> u8 {
        let written = if self.code == OK {
            write(&mut io::stdout().lock(), &self.text)
        } else {
            write(&mut io::stderr().lock(), &self.text)
        };
        match written {
            Ok(()) => self.code,
            Err(_) => self.code.max(FAILED),
        }
    }
}

fn write(to: &mut impl Write, text: &str) -> io::Result<()> {
    let written = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        assert!(write(&mut Fails(ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write(&mut Fails(ErrorKind::StorageFull), "x").is_err());
    }
}
