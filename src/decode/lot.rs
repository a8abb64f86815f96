//! Values of one kind, of which there often is one alone.

use std::ops::{Deref, DerefMut};

/// Values in their order. One alone lies in place: a request of one row has a column for each of its
/// numbers, and room on the heap for each costs more than all else that is done with it.
#[derive(Debug, Clone)]
pub enum Lot<T> {
    /// One alone.
    One(T),
    /// Any number of them.
    Many(Vec<T>),
}

impl<T> Lot<T> {
    /// None yet, with room for `room`.
    pub fn with_capacity(room: usize) -> Self {
        Self::Many(if room > 1 {
            Vec::with_capacity(room)
        } else {
            Vec::new()
        })
    }

    /// Adds one.
    #[inline]
    pub fn push(&mut self, value: T) {
        match self {
            Self::Many(values) if values.capacity() > 0 => values.push(value),
            _ => self.begin(value),
        }
    }

    /// Adds one where there is no room on the heap yet.
    fn begin(&mut self, value: T) {
        *self = match std::mem::take(self) {
            Self::One(first) => Self::Many(vec![first, value]),
            Self::Many(_) => Self::One(value),
        };
    }

    /// Cuts off all behind the first `len`.
    pub fn truncate(&mut self, len: usize) {
        match self {
            Self::One(_) if len > 0 => {}
            Self::One(_) => *self = Self::default(),
            Self::Many(values) => values.truncate(len),
        }
    }

    /// Gives back room that none needs.
    pub fn shrink_to_fit(&mut self) {
        if let Self::Many(values) = self {
            match values.pop() {
                Some(only) if values.is_empty() => *self = Self::One(only),
                Some(last) => {
                    values.push(last);
                    values.shrink_to_fit();
                }
                None => *values = Vec::new(),
            }
        }
    }

    /// How many there is room for on the heap.
    pub fn room(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(values) => values.capacity(),
        }
    }
}

impl<T: Clone> Lot<T> {
    /// Cuts off, or fills up with `value`.
    pub fn resize(&mut self, len: usize, value: T) {
        if let (Self::Many(values), true) = (&mut *self, len != 1) {
            return values.resize(len, value);
        }
        self.truncate(len);
        while self.len() < len {
            self.push(value.clone());
        }
    }
}

impl<T> Default for Lot<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> Deref for Lot<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> DerefMut for Lot<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(value) => std::slice::from_mut(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> From<Vec<T>> for Lot<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Many(values)
    }
}

impl<T> From<Lot<T>> for Vec<T> {
    fn from(lot: Lot<T>) -> Self {
        match lot {
            Lot::One(value) => vec![value],
            Lot::Many(values) => values,
        }
    }
}

impl<T> Extend<T> for Lot<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, all: I) {
        let mut all = all.into_iter();
        if let Self::Many(values) = self
            && values.capacity() > 0
        {
            return values.extend(all);
        }
        while let Some(value) = all.next() {
            self.push(value);
            if let Self::Many(values) = self {
                return values.extend(all);
            }
        }
    }
}

impl<T> FromIterator<T> for Lot<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let all = all.into_iter();
        if all.size_hint().0 > 1 {
            return Self::Many(all.collect());
        }
        let mut lot = Self::default();
        lot.extend(all);
        lot
    }
}

impl<T> IntoIterator for Lot<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::One(value) => (Some(value), Vec::new()),
            Self::Many(values) => (None, values),
        };
        one.into_iter().chain(many)
    }
}

impl<'a, T> IntoIterator for &'a Lot<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_steps_leave_what_they_leave_of_a_vector() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2000 {
            let (mut lot, mut vector) = (Lot::with_capacity(random.usize(0..3)), Vec::new());
            for step in 0..random.usize(0..6) {
                let len = random.usize(0..4);
                match random.u8(0..5) {
                    0 => (lot.push(step), vector.push(step)),
                    1 => (lot.resize(len, step), vector.resize(len, step)),
                    2 => (lot.truncate(len), vector.truncate(len)),
                    3 => (lot.extend(0..len), vector.extend(0..len)),
                    _ => (lot.shrink_to_fit(), ()),
                };
                assert_eq!(lot[..], vector[..]);
                assert_eq!(lot.clone().into_iter().collect::<Vec<_>>(), vector);
                assert_eq!(lot.iter().copied().collect::<Lot<_>>()[..], vector[..]);
            }
        }
    }

    #[test]
    fn one_alone_takes_no_room_on_the_heap() {
        let mut lot = Lot::with_capacity(1);
        lot.push(1.0);
        assert_eq!(lot.room(), 0);
        assert_eq!(size_of_val(&lot), size_of::<Vec<f64>>());
    }
}
