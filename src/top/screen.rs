//! Where lines go: a terminal, which shows the last of them, or whatever reads line by line.

use std::io::{self, Write};

use rustix::termios::tcgetwinsize;

/// A terminal that does not tell its size.
const USUAL: (usize, usize) = (80, 24);

// ECMA-48
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
const HOME: &str = "\u{1b}[H";
const REST_OF_LINE: &str = "\u{1b}[K";
const REST: &str = "\u{1b}[J";
const PLAIN: &str = "\u{1b}[0m";

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Title,
    Good,
    Bad,
    Faint,
}

impl Tone {
    /// Colours that are read on light and dark ground; words say the same without.
    const fn start(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Title => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[1;31m",
            Self::Faint => "\u{1b}[2m",
        }
    }
}

/// A line without its end, and without characters that a terminal obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// The output.
pub(super) struct Screen<W: Write> {
    out: W,
    is_live: bool,
    shown: usize,
}

impl<W: Write> Screen<W> {
    /// `is_live`: `out` is a terminal, and each view takes the place of the last.
    pub(super) fn new(mut out: W, is_live: bool) -> io::Result<Self> {
        if is_live {
            out.write_all(ENTER.as_bytes())?;
        }
        Ok(Self {
            out,
            is_live,
            shown: 0,
        })
    }

    /// Shows a view.
    pub(super) fn show(&mut self, lines: &[Line]) -> io::Result<()> {
        if self.is_live {
            return self.paint(lines, size());
        }
        if self.shown > 0 {
            writeln!(self.out)?;
        }
        self.shown += 1;
        for line in lines {
            writeln!(self.out, "{}", line.text)?;
        }
        self.out.flush()
    }

    /// Says something beside the view that stands there.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        if self.is_live {
            let (width, height) = size();
            let text = cut(text, width);
            let bad = Tone::Bad.start();
            write!(
                self.out,
                "\u{1b}[{height};1H{bad}{text}{PLAIN}{REST_OF_LINE}"
            )?;
        } else {
            writeln!(self.out, "{text}")?;
        }
        self.out.flush()
    }

    fn paint(&mut self, lines: &[Line], (width, height): (usize, usize)) -> io::Result<()> {
        let room = if lines.len() > height {
            height.saturating_sub(1)
        } else {
            lines.len()
        };
        // written at once: a slow line must not show half of it for long
        let mut frame = HOME.to_owned();
        for (place, line) in lines[..room].iter().enumerate() {
            if place > 0 {
                frame += "\r\n";
            }
            frame += line.tone.start();
            frame += cut(&line.text, width);
            frame += PLAIN;
            frame += REST_OF_LINE;
        }
        let more = lines.len() - room;
        if more > 0 {
            let text = format!("{more} more lines: --model shows one model, a pipe shows all");
            frame += "\r\n";
            frame += cut(&text, width);
            frame += REST_OF_LINE;
        }
        frame += REST;
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        if self.is_live {
            // a terminal that is gone needs no order
            let _ = self.out.write_all(LEAVE.as_bytes());
            let _ = self.out.flush();
        }
    }
}

/// Columns and lines of the terminal.
fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL,
    }
}

/// As much of it as there is room for. Of wide characters the end of a line is lost, not the next line.
fn cut(text: &str, width: usize) -> &str {
    match text.char_indices().nth(width) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<Line> {
        let line = |i| Line {
            tone: Tone::Bad,
            text: format!("line {i} é"),
        };
        (0..count).map(line).collect()
    }

    #[test]
    fn what_is_no_terminal_gets_lines_and_no_orders() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false).unwrap();
        screen.show(&lines(1)).unwrap();
        screen.note("away").unwrap();
        screen.show(&lines(2)).unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "line 0 é\naway\n\nline 0 é\nline 1 é\n");
    }

    #[test]
    fn a_terminal_shows_no_more_than_it_has_lines_and_columns_and_is_left_as_it_was() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, true).unwrap();
        screen.paint(&lines(9), (6, 4)).unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(ENTER) && text.ends_with(LEAVE), "{text:?}");
        assert_eq!(text.matches("\r\n").count(), 3, "{text:?}");
        assert!(
            text.contains("line 2\u{1b}[0m") && !text.contains("line 3"),
            "{text:?}"
        );
        assert!(text.contains("6 more"), "{text:?}");
    }
}
