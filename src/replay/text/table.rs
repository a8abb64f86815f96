//! Columns of text.

use std::fmt::Write as _;

use super::{WIDTH, line};

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows under their heads.
pub(super) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

/// A longer cell is cut.
const LONGEST: usize = 40;

impl Table {
    pub(super) fn new(heads: &[(&str, Align)]) -> Self {
        Self {
            aligns: heads.iter().map(|(_, align)| *align).collect(),
            rows: vec![heads.iter().map(|(head, _)| (*head).to_owned()).collect()],
        }
    }

    pub(super) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row.into_iter().map(cut).collect());
    }

    /// Prints it with two spaces before; nothing without a row.
    pub(super) fn print(&self, out: &mut String) {
        if self.rows.len() < 2 {
            return line(out, "  ", "none");
        }
        let mut widths = vec![0; self.aligns.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        // the first column gives way
        let all: usize = widths.iter().map(|width| width + 2).sum();
        if let Some(first) = widths.first_mut() {
            *first = first.saturating_sub(all.saturating_sub(WIDTH)).max(12);
        }
        for row in &self.rows {
            let mut text = String::new();
            for ((cell, width), align) in row.iter().zip(&widths).zip(&self.aligns) {
                text.push_str("  ");
                let cell: String = cell.chars().take(*width).collect();
                match align {
                    Align::Left => write!(text, "{cell:<width$}"),
                    Align::Right => write!(text, "{cell:>width$}"),
                }
                .expect("a string takes all");
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
    }
}

fn cut(cell: String) -> String {
    if cell.chars().count() <= LONGEST {
        return cell;
    }
    let mut short: String = cell.chars().take(LONGEST - 3).collect();
    short.push_str("...");
    short
}
