//! What is asked of models that give each text a vector or a score.

use super::{Asked, Pair, table::Table};

/// Items that any answer may have; else one for each four bytes, as items are.
const FREE: usize = 4096;

/// Most items that an answer may have.
pub(super) fn most(pair: &Pair<'_>) -> usize {
    (pair.bytes() / 4).max(FREE)
}

/// What a request says.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) model: Option<String>,
    /// How many texts there are; `None`: there is no place for any.
    pub(super) texts: Option<usize>,
}

impl Wanted {
    /// Texts are no features, so rows are counted alone: as many as there are items of the answer.
    pub(super) fn asked(self, items: Option<usize>) -> Option<Asked> {
        let rows = items.or(self.texts)?;
        Some(Asked {
            model: self.model,
            table: Table::of_rows(rows),
            ..Asked::default()
        })
    }
}
