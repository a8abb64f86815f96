//! The last values of a series, for the two-sample test.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The last values of one series, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct KsWindow {
    values: VecDeque<f64>,
    size: usize,
    lacking: Lacking,
}

/// Predictions without a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lacking {
    /// Predictions so far.
    passed: u64,
    /// Which of the last ones had no value, by their number from 1, in order.
    numbers: VecDeque<u64>,
}

impl KsWindow {
    /// An empty window for `size` values; memory is taken as they come.
    pub const fn new(size: usize) -> Self {
        Self {
            values: VecDeque::new(),
            size,
            lacking: Lacking {
                passed: 0,
                numbers: VecDeque::new(),
            },
        }
    }

    /// Adds the value of a prediction, the oldest one leaves when the window is full. One that is not
    /// finite would make every later verdict meaningless: the prediction counts as one without a value.
    /// No allocation once full.
    pub fn push(&mut self, value: f64) {
        if self.size == 0 {
            return;
        }
        self.lacking.pass(self.size, !value.is_finite());
        if !value.is_finite() {
            return;
        }
        if self.values.len() >= self.size {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// Changes how many values fit; the newest stay.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
        let surplus = self.values.len().saturating_sub(size);
        self.values.drain(..surplus);
        self.values.shrink_to(size);
        self.lacking.forget(size);
        self.lacking.numbers.shrink_to(size);
    }

    /// Goes on from there: the values, oldest first, and what [`Self::lacking`] was.
    pub(super) fn restore(&mut self, values: Vec<f64>, lacking: Lacking) {
        for value in values {
            self.push(value);
        }
        self.lacking = lacking.sound();
        self.lacking.forget(self.size);
    }

    /// The predictions without a value.
    pub const fn lacking(&self) -> &Lacking {
        &self.lacking
    }

    /// Values held now.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A copy, oldest first.
    pub fn values(&self) -> Vec<f64> {
        self.values.iter().copied().collect()
    }

    /// A copy, oldest first, and behind it a `NaN` for each of as many last predictions as fit that had no
    /// value.
    pub fn with_missing(&self) -> Vec<f64> {
        let missing = self.lacking.numbers.iter().map(|_| f64::NAN);
        self.values.iter().copied().chain(missing).collect()
    }
}

impl Lacking {
    /// Counts a prediction; `size`: how many last ones are looked at.
    fn pass(&mut self, size: usize, lacks: bool) {
        self.passed += 1;
        self.forget(size);
        if lacks {
            self.numbers.push_back(self.passed);
        }
    }

    /// Leaves those of the last `size` predictions.
    fn forget(&mut self, size: usize) {
        while let Some(first) = self.numbers.front()
            && self.passed - first >= size as u64
        {
            self.numbers.pop_front();
        }
    }

    /// As it can have been: numbers of predictions that were, in order.
    fn sound(mut self) -> Self {
        self.numbers.retain(|number| *number <= self.passed);
        self.numbers.make_contiguous().sort_unstable();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_forgets_the_oldest() {
        let mut window = KsWindow::new(3);
        for value in [0.1, 0.2, 0.3, 0.4, 0.5] {
            window.push(value);
        }
        assert_eq!(window.values(), [0.3, 0.4, 0.5]);
        assert_eq!(window.len(), 3);
    }

    #[test]
    fn what_is_not_finite_never_enters() {
        let mut window = KsWindow::new(3);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            window.push(value);
        }
        assert!(window.is_empty());
    }

    #[test]
    fn predictions_without_a_value_are_counted_among_the_last_ones_and_take_no_place() {
        let mut window = KsWindow::new(4);
        let missing = |window: &KsWindow| window.with_missing().len() - window.len();
        for value in [0.1, f64::NAN, f64::NAN, 0.2] {
            window.push(value);
        }
        assert_eq!((window.values(), missing(&window)), (vec![0.1, 0.2], 2));
        window.push(0.3);
        assert_eq!(missing(&window), 2);
        window.push(0.4);
        assert_eq!((window.len(), missing(&window)), (4, 1));
        let mut again = KsWindow::new(4);
        again.restore(window.values(), window.lacking().clone());
        assert_eq!(again, window);
        again.resize(3);
        assert_eq!((again.len(), missing(&again)), (3, 0));
        (0..10).for_each(|_| window.push(f64::NAN));
        assert_eq!((window.len(), missing(&window)), (4, 4));
    }

    #[test]
    fn a_window_of_nothing_holds_nothing() {
        let mut window = KsWindow::new(0);
        window.push(0.5);
        assert!(window.is_empty());
    }

    #[test]
    fn resizing_keeps_the_newest_and_leaves_room_for_more() {
        let mut window = KsWindow::new(4);
        for value in [0.1, 0.2, 0.3, 0.4] {
            window.push(value);
        }
        window.resize(2);
        assert_eq!(window.values(), [0.3, 0.4]);
        window.resize(3);
        window.push(0.5);
        window.push(0.6);
        assert_eq!(window.values(), [0.4, 0.5, 0.6]);
    }

    #[test]
    fn a_full_window_takes_no_more_memory() {
        let mut window = KsWindow::new(1000);
        for _ in 0..1000 {
            window.push(0.5);
        }
        let capacity = window.values.capacity();
        for _ in 0..100_000 {
            window.push(0.5);
        }
        assert_eq!(window.values.capacity(), capacity);
    }
}
