//! Where the story is told: a terminal, or whatever reads the lines.

use std::io::{self, Write};

use super::teller::{Line, Who};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Writes lines, each at once.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    is_plain: bool,
}

impl<W: Write> Screen<W> {
    /// `is_plain`: nobody there understands escapes.
    pub fn new(out: W, is_plain: bool) -> Self {
        Self { out, is_plain }
    }

    /// # Errors
    /// Nobody reads it.
    pub fn say(&mut self, lines: &[Line]) -> io::Result<()> {
        for line in lines {
            let (on, off) = match line.who {
                _ if self.is_plain => ("", ""),
                Who::Sidelight => (BOLD, PLAIN),
                Who::Aside => (DIM, PLAIN),
                Who::Client | Who::Teller => ("", ""),
            };
            writeln!(self.out, "{on}{line}{off}")?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(is_plain: bool) -> String {
        let mut out = Vec::new();
        let lines =
            [Who::Client, Who::Sidelight, Who::Aside, Who::Teller].map(|who| Line::new(who, "it"));
        let mut screen = Screen::new(&mut out, is_plain);
        screen.say(&lines).unwrap();
        screen.say(&[Line::new(Who::Sidelight, "")]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_a_terminal_gets_escapes_and_the_words_are_the_same() {
        let plain = written(true);
        assert_eq!(plain, "it\nSidelight: it\nit\nit\nSidelight: \n");
        let on_terminal = written(false);
        assert!(
            on_terminal.contains("\x1b[1mSidelight: it\x1b[0m\n"),
            "{on_terminal:?}"
        );
        let words = [BOLD, DIM, PLAIN]
            .iter()
            .fold(on_terminal, |text, escape| text.replace(escape, ""));
        assert_eq!(words, plain);
    }
}
