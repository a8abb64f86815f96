//! The names of classes, as many as are wanted, each by a small number.

use std::{collections::HashMap, sync::Arc};

/// Stands for every class that found no room.
pub(super) const OTHER: u16 = u16::MAX;
/// Longest name in bytes; longer ones are cut between two characters.
pub(super) const MAX_NAME: usize = 128;

/// Names in use. A name that nobody uses any more makes room for another.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    slots: Vec<Slot>,
    places: HashMap<Arc<str>, u16>,
    free: Vec<u16>,
    most: u16,
}

#[derive(Debug, Clone)]
struct Slot {
    name: Arc<str>,
    uses: u32,
}

impl Classes {
    /// For at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            slots: Vec::new(),
            places: HashMap::new(),
            free: Vec::new(),
            most: u16::try_from(most).unwrap_or(OTHER - 1).min(OTHER - 1),
        }
    }

    /// The number of a name, which is in use once more; [`OTHER`]: there is no room.
    pub(super) fn hold(&mut self, name: &str) -> u16 {
        let name = &name[..name.floor_char_boundary(MAX_NAME)];
        if let Some(place) = self.places.get(name) {
            self.slots[usize::from(*place)].uses += 1;
            return *place;
        }
        let slot = Slot {
            name: name.into(),
            uses: 1,
        };
        let place = if let Some(place) = self.free.pop() {
            self.slots[usize::from(place)] = slot.clone();
            place
        } else {
            let place = u16::try_from(self.slots.len()).unwrap_or(OTHER);
            if place >= self.most {
                return OTHER;
            }
            self.slots.push(slot.clone());
            place
        };
        self.places.insert(slot.name, place);
        place
    }

    /// One use less.
    pub(super) fn release(&mut self, place: u16) {
        let Some(slot) = self.slots.get_mut(usize::from(place)) else {
            return;
        };
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 {
            self.places.remove(&slot.name);
            self.free.push(place);
        }
    }

    /// Names in use with their numbers, in the order of names.
    pub(super) fn used(&self) -> Vec<(Arc<str>, u16)> {
        let used = self.places.iter();
        let mut used: Vec<_> = used.map(|(name, place)| (name.clone(), *place)).collect();
        used.sort();
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_left_makes_room_for_another() {
        let mut classes = Classes::new(2);
        let [a, b] = ["a", "b"].map(|name| classes.hold(name));
        assert_eq!(classes.hold("c"), OTHER);
        assert_eq!(classes.hold("a"), a);
        classes.release(a);
        assert_eq!(classes.hold("c"), OTHER, "a is used once more");
        classes.release(a);
        assert_eq!(classes.hold("c"), a);
        assert_eq!(classes.used(), [("b".into(), b), ("c".into(), a)]);
        classes.release(OTHER);
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let mut classes = Classes::new(2);
        let place = classes.hold(&"ä".repeat(65));
        assert_eq!(classes.hold(&format!("{}x", "ä".repeat(64))), place);
        assert_eq!(classes.used()[0].0.len(), MAX_NAME);
    }
}
