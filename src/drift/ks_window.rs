//! The last values of a series, for the two-sample test.

use std::collections::VecDeque;

/// The last values of one series, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct KsWindow {
    values: VecDeque<f64>,
    size: usize,
}

impl KsWindow {
    /// An empty window for `size` values; memory is taken as they come.
    pub const fn new(size: usize) -> Self {
        Self {
            values: VecDeque::new(),
            size,
        }
    }

    /// Adds a value, the oldest one leaves when the window is full. One that is not finite is
    /// ignored: it would make every later verdict meaningless. No allocation once full.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() || self.size == 0 {
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
