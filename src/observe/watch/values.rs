//! The values of an inference, series by series.

use std::borrow::Cow;

use crate::{
    decode::{Inference, Output, Prediction, Scalar, Values},
    drift::{Value, monitor::enters_scan},
};

/// Of which series a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Confidence,
    Class,
    Value,
    /// The feature of this place.
    Column(usize),
}

/// Tells `each` of every value, and whether it is of the items that enter the scan.
pub(super) fn each_value(inference: &Inference, mut each: impl FnMut(Source, Value<'_>, bool)) {
    let outputs = &inference.outputs;
    for (item, output) in outputs.iter().enumerate() {
        let enters = enters_scan(item, outputs.len());
        each(Source::Confidence, number(output.confidence()), enters);
        each(Source::Class, class(output), enters);
        each(Source::Value, number(output.value()), enters);
    }
    for (place, column) in inference.features.iter().enumerate() {
        let source = Source::Column(place);
        let rows = column.values.len();
        match &column.values {
            Values::Numbers(numbers) => {
                for (row, number) in numbers.iter().enumerate() {
                    let value = self::number((!number.is_nan()).then_some(*number));
                    each(source, value, enters_scan(row, rows));
                }
            }
            Values::Mixed(scalars) => {
                for (row, scalar) in scalars.iter().enumerate() {
                    each(source, self::scalar(scalar), enters_scan(row, rows));
                }
            }
        }
    }
}

fn number(number: Option<f64>) -> Value<'static> {
    number.map_or(Value::Missing, Value::Number)
}

#[expect(clippy::cast_precision_loss, reason = "classes stay far below 2^53")]
fn class(output: &Output) -> Value<'_> {
    match (&output.prediction, output.class()) {
        (Prediction::Index(index), _) => Value::Number(*index as f64),
        (_, Some(Cow::Borrowed(class))) => Value::Word(class),
        _ => Value::Missing,
    }
}

fn scalar(scalar: &Scalar) -> Value<'_> {
    match scalar {
        Scalar::Missing => Value::Missing,
        Scalar::Number(number) => Value::Number(*number),
        Scalar::Bool(true) => Value::Word("true"),
        Scalar::Bool(false) => Value::Word("false"),
        Scalar::Text(text) => Value::Word(text),
    }
}
