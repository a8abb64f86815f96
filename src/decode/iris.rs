//! The format of models behind a small JSON service, as the Iris service of the course has it:
//! named features in, `prediction` with `confidence` or `probabilities` out, one or a list.
//!
//! | | one | several |
//! |---|---|---|
//! | request | an object of scalars | a list of those, or an object with one such list |
//! | answer | `{"prediction", "confidence"?, "probabilities"?, "model_version"?, "model"?}` | a list of those or of classes, bare or as `predictions` |

mod answer;
mod item;
mod request;

use super::Decoder;

const FORMAT: &str = "iris";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    answer: answer::read,
    request: request::read,
};
