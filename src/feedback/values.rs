//! The last predicted numbers whose truth is known.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::LabelledValue;

/// The last labelled predictions of a regression, in 16 bytes each.
#[derive(Debug, Clone)]
pub struct ValueWindow {
    items: VecDeque<LabelledValue>,
    size: usize,
}

/// The whole window, to write it down: predicted and true, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueWindowState(Vec<(f64, f64)>);

impl ValueWindow {
    /// Of the last `size` labels, at least 1.
    pub fn new(size: usize) -> Self {
        Self {
            items: VecDeque::new(),
            size: size.max(1),
        }
    }

    /// Adds a label of which both are numbers; the oldest leaves when there are more than the window holds.
    pub fn push(&mut self, labelled: LabelledValue) {
        while self.items.len() >= self.size {
            self.items.pop_front();
        }
        self.items.push_back(labelled);
    }

    /// Another size: if it is smaller, the oldest leave.
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
        let surplus = self.items.len().saturating_sub(self.size);
        self.items.drain(..surplus);
        self.items.shrink_to(self.size);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Oldest first.
    pub(super) fn items(&self) -> impl ExactSizeIterator<Item = &LabelledValue> {
        self.items.iter()
    }

    /// All of it.
    pub fn state(&self) -> ValueWindowState {
        let items = self.items.iter();
        ValueWindowState(items.map(|item| (item.predicted, item.truth)).collect())
    }

    /// Fills it with what was written down, of which the newest that have room stay; `false`: it cannot have
    /// been so, and nothing has changed.
    pub fn restore(&mut self, state: &ValueWindowState) -> bool {
        let items = state.0.iter();
        let items = items.map(|(predicted, truth)| LabelledValue {
            predicted: *predicted,
            truth: *truth,
        });
        if items.clone().any(|item| item.off().is_none()) {
            return false;
        }
        self.items.clear();
        items.for_each(|item| self.push(item));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u32>) -> ValueWindow {
        let mut window = ValueWindow::new(3);
        for value in range.map(f64::from) {
            window.push(LabelledValue {
                predicted: value,
                truth: -value,
            });
        }
        window
    }

    #[test]
    fn the_oldest_leaves() {
        let mut window = of(0..5);
        assert_eq!(window.state().0, [(2.0, -2.0), (3.0, -3.0), (4.0, -4.0)]);
        window.resize(1);
        assert_eq!(window.state().0, [(4.0, -4.0)]);
    }

    #[test]
    fn an_item_takes_16_bytes_and_a_window_no_more_than_twice_that() {
        assert_eq!(size_of::<LabelledValue>(), 16);
        let mut window = ValueWindow::new(5_000);
        for _ in 0..20_000 {
            window.push(LabelledValue {
                predicted: 1.0,
                truth: 1.0,
            });
        }
        assert!(window.items.capacity() <= 10_000);
    }

    #[test]
    fn it_goes_on_as_it_was_written_down() {
        let text = serde_json::to_string(&of(0..5).state()).unwrap();
        let mut again = ValueWindow::new(3);
        assert!(again.restore(&serde_json::from_str(&text).unwrap()));
        assert_eq!(again.state(), of(0..5).state());
        assert!(!again.restore(&ValueWindowState(vec![(f64::INFINITY, 0.0)])));
        assert_eq!(again.len(), 3);
    }
}
