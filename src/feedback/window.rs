//! The last predicted classes whose truth is known.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    LabelledClass,
    classes::{Classes, OTHER},
};

/// The last labelled predictions of a classifier, in 40 bytes each.
#[derive(Debug, Clone)]
pub struct ClassWindow {
    items: VecDeque<Item>,
    size: usize,
    classes: Classes,
}

/// One of them. A number that is not known is NaN: an option would take twice as much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) predicted: u16,
    pub(super) truth: u16,
    /// Classes that there were probabilities of; 0: they are not known.
    pub(super) probabilities: u16,
    pub(super) right: bool,
    confidence: f64,
    expected: f64,
    log_loss: f64,
    squared: f64,
}

/// The whole window, to write it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassWindowState {
    /// Names in use.
    classes: Vec<String>,
    /// Oldest first.
    items: Vec<ItemState>,
}

/// An item: the places of the predicted and the true class among the names (`null`: of none), whether it was
/// right, confidence, expected, and log-loss, squared distance and number of its probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct ItemState(
    Option<u16>,
    Option<u16>,
    bool,
    Option<f64>,
    Option<f64>,
    Option<(f64, f64, u16)>,
);

impl Item {
    /// In `[0, 1]`.
    pub(super) fn confidence(&self) -> Option<f64> {
        known(self.confidence)
    }

    /// How probably it was right, as was estimated before its truth was known.
    pub(super) fn expected(&self) -> Option<f64> {
        known(self.expected)
    }

    /// In nats; `None`: its probabilities are not known, and so for the next.
    pub(super) fn log_loss(&self) -> Option<f64> {
        known(self.log_loss)
    }

    /// Sum of squared distances of its probabilities, in `[0, 2]`.
    pub(super) fn squared(&self) -> Option<f64> {
        known(self.squared)
    }
}

fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

impl ClassWindow {
    /// Of the last `size` labels, at least 1, naming at most `max_classes` classes.
    pub fn new(size: usize, max_classes: usize) -> Self {
        Self {
            items: VecDeque::new(),
            size: size.max(1),
            classes: Classes::new(max_classes),
        }
    }

    /// Adds a label; the oldest leaves when there are more than the window holds. `expected`: how probably
    /// the prediction is right by the calibration of before.
    pub fn push(&mut self, labelled: &LabelledClass<'_>, expected: Option<f64>) {
        while self.items.len() >= self.size {
            self.forget_oldest();
        }
        let scored = labelled.scored();
        self.items.push_back(Item {
            predicted: self.classes.hold(labelled.predicted),
            truth: self.classes.hold(labelled.truth),
            probabilities: scored.map_or(0, |scored| scored.classes),
            right: labelled.is_right(),
            confidence: labelled.confidence().unwrap_or(f64::NAN),
            expected: expected.unwrap_or(f64::NAN),
            log_loss: scored.map_or(f64::NAN, |scored| scored.log_loss),
            squared: scored.map_or(f64::NAN, |scored| scored.squared),
        });
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.items.pop_front() {
            self.classes.release(oldest.predicted);
            self.classes.release(oldest.truth);
        }
    }

    /// Another size: if it is smaller, the oldest leave.
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
        while self.items.len() > self.size {
            self.forget_oldest();
        }
        self.items.shrink_to(self.size);
    }

    /// How many it holds at most.
    pub fn size(&self) -> usize {
        self.size
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
    pub(super) fn items(&self) -> impl ExactSizeIterator<Item = &Item> + Clone {
        self.items.iter()
    }

    /// Names of classes in it with their numbers, in the order of names.
    pub(super) fn classes(&self) -> Vec<(Arc<str>, u16)> {
        self.classes.used()
    }

    /// Confidences with whether the prediction was right, oldest first.
    pub fn confidences(&self) -> impl Iterator<Item = (f64, bool)> {
        let items = self.items.iter();
        items.filter_map(|item| Some((item.confidence()?, item.right)))
    }

    /// All of it.
    pub fn state(&self) -> ClassWindowState {
        let used = self.classes.used();
        let place = |class: u16| {
            let place = used.iter().position(|(_, place)| *place == class)?;
            u16::try_from(place).ok()
        };
        let item = |item: &Item| {
            let scored = item.log_loss().zip(item.squared());
            ItemState(
                place(item.predicted),
                place(item.truth),
                item.right,
                item.confidence(),
                item.expected(),
                scored.map(|(loss, squared)| (loss, squared, item.probabilities)),
            )
        };
        ClassWindowState {
            items: self.items.iter().map(item).collect(),
            classes: used.into_iter().map(|(name, _)| name.to_string()).collect(),
        }
    }

    /// Fills it with what was written down, of which the newest that have room stay; `false`: it cannot have
    /// been so, and nothing has changed.
    pub fn restore(&mut self, state: &ClassWindowState) -> bool {
        if !state.is_sound() {
            return false;
        }
        while !self.items.is_empty() {
            self.forget_oldest();
        }
        let surplus = state.items.len().saturating_sub(self.size);
        for ItemState(predicted, truth, right, confidence, expected, scored) in
            state.items.iter().skip(surplus)
        {
            let mut hold = |place: &Option<u16>| {
                let name = place.and_then(|place| state.classes.get(usize::from(place)));
                name.map_or(OTHER, |name| self.classes.hold(name))
            };
            let (predicted, truth) = (hold(predicted), hold(truth));
            self.items.push_back(Item {
                predicted,
                truth,
                probabilities: scored.map_or(0, |scored| scored.2),
                right: *right,
                confidence: confidence.unwrap_or(f64::NAN),
                expected: expected.unwrap_or(f64::NAN),
                log_loss: scored.map_or(f64::NAN, |scored| scored.0),
                squared: scored.map_or(f64::NAN, |scored| scored.1),
            });
        }
        true
    }
}

impl ClassWindowState {
    fn is_sound(&self) -> bool {
        let is_share = |share: &Option<f64>| share.is_none_or(|s| (0.0..=1.0).contains(&s));
        let is_named =
            |place: Option<u16>| place.is_none_or(|place| usize::from(place) < self.classes.len());
        self.items.iter().all(
            |ItemState(predicted, truth, right, confidence, expected, scored)| {
                let is_scored = scored.is_none_or(|(loss, squared, classes)| {
                    (0.0..=40.0).contains(&loss) && (0.0..=3.0).contains(&squared) && classes >= 2
                });
                is_named(*predicted)
                    && is_named(*truth)
                    && (!right || predicted == truth)
                    && is_share(confidence)
                    && is_share(expected)
                    && is_scored
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::Probabilities;

    fn pushed(window: &mut ClassWindow, predicted: &str, truth: &str) {
        let labelled = LabelledClass {
            predicted,
            truth,
            confidence: Some(0.75),
            probabilities: Some(Probabilities {
                values: &[0.75, 0.25],
                truth: Some(0),
            }),
        };
        window.push(&labelled, None);
    }

    #[test]
    fn the_oldest_leaves_and_its_names_with_it() {
        let mut window = ClassWindow::new(2, 10);
        pushed(&mut window, "a", "b");
        pushed(&mut window, "c", "c");
        pushed(&mut window, "c", "d");
        let names: Vec<_> = window.classes().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["c".into(), "d".into()]);
        assert_eq!(window.len(), 2);
        window.resize(1);
        assert_eq!(window.len(), 1);
    }

    #[test]
    fn two_classes_without_room_are_not_taken_for_one() {
        let mut window = ClassWindow::new(9, 1);
        pushed(&mut window, "a", "a");
        pushed(&mut window, "b", "c");
        pushed(&mut window, "b", "b");
        let right: Vec<_> = window.items().map(|item| item.right).collect();
        assert_eq!(right, [true, false, true]);
        assert!(window.items().skip(1).all(|item| item.truth == OTHER));
    }

    #[test]
    fn an_item_takes_40_bytes_and_a_window_no_more_than_twice_that() {
        assert_eq!(size_of::<Item>(), 40);
        let mut window = ClassWindow::new(5_000, 10);
        for item in 0..20_000 {
            pushed(&mut window, &(item % 50).to_string(), "a");
        }
        assert_eq!(window.len(), 5_000);
        assert!(
            window.items.capacity() <= 10_000,
            "{}",
            window.items.capacity()
        );
        assert!(window.classes().len() <= 10);
    }

    #[test]
    fn it_goes_on_as_it_was_written_down() {
        let mut window = ClassWindow::new(3, 2);
        for (predicted, truth) in [("a", "b"), ("a", "a"), ("c", "c"), ("c", "a")] {
            pushed(&mut window, predicted, truth);
        }
        let text = serde_json::to_string(&window.state()).unwrap();
        let state: ClassWindowState = serde_json::from_str(&text).unwrap();
        let mut again = ClassWindow::new(3, 2);
        assert!(again.restore(&state));
        assert_eq!(again.state(), window.state());
        let mut smaller = ClassWindow::new(1, 2);
        assert!(smaller.restore(&state));
        assert_eq!(smaller.state().items, state.items[2..]);
    }

    #[test]
    fn what_cannot_have_been_is_not_restored() {
        let sound = ItemState(Some(0), Some(0), true, Some(0.5), None, Some((0.1, 0.2, 2)));
        let broken = [
            ItemState(Some(1), Some(0), false, None, None, None),
            ItemState(None, Some(0), true, None, None, None),
            ItemState(Some(0), Some(0), true, Some(1.5), None, None),
            ItemState(Some(0), Some(0), true, None, Some(-0.5), None),
            ItemState(Some(0), Some(0), true, None, None, Some((f64::NAN, 0.2, 2))),
        ];
        let state = |item| ClassWindowState {
            classes: vec!["a".into()],
            items: vec![sound, item],
        };
        let mut window = ClassWindow::new(3, 2);
        for item in broken {
            assert!(!window.restore(&state(item)), "{item:?}");
            assert!(window.is_empty());
        }
        assert!(window.restore(&state(sound)));
    }
}
