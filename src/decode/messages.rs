//! Answers that come in several messages.

use super::{
    Prediction,
    meaning::{Field, Raw},
};

/// Model and version of the messages of a stream.
#[derive(Default)]
pub(super) struct Named {
    model: Option<String>,
    version: Option<String>,
    /// Messages name others: items of one must not count for another.
    are_several: bool,
}

impl Named {
    pub(super) fn add(&mut self, model: Option<String>, version: Option<String>) {
        let is_other = |known: &Option<String>, named: &Option<String>| {
            known.is_some() && named.is_some() && known != named
        };
        self.are_several |= is_other(&self.model, &model) || is_other(&self.version, &version);
        self.model = self.model.take().or(model);
        self.version = self.version.take().or(version);
    }

    pub(super) fn of_all(self) -> (Option<String>, Option<String>) {
        if self.are_several {
            return (None, None);
        }
        (self.model, self.version)
    }
}

impl Raw {
    /// Adds the items of another message. Vectors stay where both have the same.
    pub(super) fn append(&mut self, mut other: Self) {
        if self.items() == 0 {
            *self = other;
            return;
        }
        if other.items() == 0 {
            return;
        }
        let are_alike = self.outputs.is_empty() == other.outputs.is_empty()
            && match (&self.vectors, &other.vectors) {
                (Some(own), Some(others)) => {
                    own.width == others.width && own.labels == others.labels
                }
                (None, None) => true,
                _ => false,
            };
        if are_alike {
            if let (Some(own), Some(others)) = (&mut self.vectors, other.vectors) {
                own.numbers.extend(others.numbers);
            }
            self.outputs.extend(other.outputs);
        } else {
            self.be_outputs();
            other.be_outputs();
            self.outputs.extend(other.outputs);
        }
        self.is_ranking &= other.is_ranking;
        self.is_argmax &= other.is_argmax;
        if self.field != other.field {
            self.field = Field::Open;
        }
    }

    /// Vectors alone become items of which nothing is known.
    fn be_outputs(&mut self) {
        let items = self.items();
        self.vectors = None;
        self.outputs
            .resize_with(items, || Prediction::Unknown.into());
    }
}
