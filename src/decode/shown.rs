//! Names of an inference as they may stand in labels and lines: nothing in them is hidden.

use std::borrow::Cow;

use super::{
    Text,
    inference::{Inference, Name, Prediction},
    table, walk,
};
use crate::capture::name as names;

/// Names of models, features and classes come from strangers.
pub(super) fn show(inference: &mut Inference) {
    let identity = [&mut inference.model, &mut inference.version];
    identity.into_iter().flatten().for_each(|name| {
        word(name);
    });
    let mut is_changed = false;
    for column in &mut inference.features {
        if let Name::Word(name) = &mut column.name {
            is_changed |= text(name);
        }
    }
    if is_changed {
        table::keep_last_of_each_name(&mut inference.features);
    }
    for output in &mut inference.outputs {
        if let Prediction::Name(name) = &mut output.prediction {
            text(name);
        }
    }
    let labels = inference.probabilities.as_mut();
    let labels = labels.and_then(|probabilities| probabilities.labels.as_mut());
    labels.into_iter().flatten().for_each(|label| {
        text(label);
    });
    let generation = inference.generation.as_mut();
    let finish = generation.and_then(|generation| generation.finish.as_mut());
    finish.into_iter().flatten().for_each(|reason| {
        word(reason);
    });
}

/// Whether something in it was hidden.
fn word(word: &mut String) -> bool {
    let Cow::Owned(shown) = names::shown(word) else {
        return false;
    };
    walk::cut(&shown).clone_into(word);
    true
}

/// The same of a name that may lie in place.
fn text(text: &mut Text) -> bool {
    if names::is_plain(text.as_bytes()) {
        return false;
    }
    let Cow::Owned(shown) = names::shown(text) else {
        return false;
    };
    *text = walk::cut(&shown).into();
    true
}

/// What a segment of a path names.
pub(super) fn segment(segment: &str) -> Option<String> {
    name(&names::unescaped(segment))
}

/// What stands in a body as a name.
pub(super) fn name(name: &str) -> Option<String> {
    walk::word(&names::shown(name))
}
