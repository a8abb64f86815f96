//! What is wrong with a configuration: all of it, each with its key and where it was written.

use std::fmt::{self, Write as _};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the file that is compiled in.
    BuiltIn,
    /// In a file, at a line; line 0 where it is not known.
    File {
        /// The path as it was given.
        file: String,
        /// Counted from 1.
        line: u64,
    },
    /// In an environment variable of this name.
    Env(String),
    /// In a flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.write_str("built in"),
            Origin::File { file, line: 0 } => f.write_str(file),
            Origin::File { file, line } => write!(f, "{file}:{line}"),
            Origin::Env(name) => write!(f, "environment {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `proxy.listen` or `routes[0].path`; or the file or variable as a whole.
    pub key: String,
    /// What was expected and what was found. Never the text of a secret.
    pub message: String,
    /// Where it was written.
    pub origin: Origin,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            key,
            message,
            origin,
        } = self;
        let line = match origin {
            Origin::BuiltIn => format!("{key}: {message}"),
            Origin::Env(name) if name == key => format!("{key}: {message}"),
            Origin::File { file, line: 0 } if file == key => format!("{key}: {message}"),
            _ => format!("{key}: {message} ({origin})"),
        };
        write_line(f, &line)
    }
}

/// It goes to a terminal and into logs, and keys and names may hold anything.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| {
        if character.is_control() {
            write!(f, "{}", character.escape_default())
        } else {
            f.write_char(character)
        }
    })
}

/// Everything that is wrong with a configuration; at least one problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} error{plural} in the configuration", self.0.len())?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_or_name_can_write_to_a_terminal() {
        let problem = Problem {
            key: "a\tb\u{1b}[2J".to_owned(),
            message: "expected é".to_owned(),
            origin: Origin::Env("X\n\u{9b}".to_owned()),
        };
        let expected = r"a\tb\u{1b}[2J: expected é (environment X\n\u{9b})";
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn a_report_has_one_line_for_each_problem() {
        let problem = |key: &str, origin| Problem {
            key: key.to_owned(),
            message: "expected X".to_owned(),
            origin,
        };
        let file = || "a.yaml".to_owned();
        let errors = ConfigErrors(vec![
            problem(
                "a.b",
                Origin::File {
                    file: file(),
                    line: 3,
                },
            ),
            problem(
                "a.yaml",
                Origin::File {
                    file: file(),
                    line: 0,
                },
            ),
            problem("a.c", Origin::Env("SIDELIGHT_A__C".to_owned())),
            problem("SIDELIGHT_X", Origin::Env("SIDELIGHT_X".to_owned())),
            problem("a.d", Origin::Flag("--d")),
        ]);
        let expected = "5 errors in the configuration
  a.b: expected X (a.yaml:3)
  a.yaml: expected X
  a.c: expected X (environment SIDELIGHT_A__C)
  SIDELIGHT_X: expected X
  a.d: expected X (flag --d)";
        assert_eq!(errors.to_string(), expected);
    }
}
