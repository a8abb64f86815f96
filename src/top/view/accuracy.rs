//! How right a version is, where labels came: one line.

use std::fmt::Write;

use super::{Page, Tone};
use crate::top::state::{Accuracy, OfClasses, OfValues};

/// Its line; a drop is told with it.
pub(super) fn line(accuracy: &Accuracy, page: &mut Page) {
    let classes = accuracy.classification.as_ref().map(of_classes);
    let values = accuracy.regression.as_ref().map(of_values);
    let parts: Vec<_> = classes.into_iter().chain(values).collect();
    if parts.is_empty() {
        return;
    }
    let (tone, word) = if accuracy.has_dropped() {
        (Tone::Bad, "DROPPED  ")
    } else {
        (Tone::Plain, "")
    };
    page.push(tone, format!("  accuracy: {word}{}", parts.join("; ")));
}

fn of_classes(of: &OfClasses) -> String {
    let mut text = match &of.accuracy {
        Some(share) => format!(
            "{} right of {} labels ({} to {})",
            percent(share.value),
            of.labels,
            percent(share.low),
            percent(share.high)
        ),
        None => "no labels".to_owned(),
    };
    if let Some(estimate) = of.estimate.accuracy {
        let _ = write!(text, "  estimate of the unlabelled {}", percent(estimate));
    }
    text
}

fn of_values(of: &OfValues) -> String {
    let mut text = format!("{} labels of numbers", of.labels);
    for (name, figure) in [
        ("mean error", of.mae),
        ("root mean square", of.rmse),
        ("R squared", of.r2),
    ] {
        if let Some(figure) = figure {
            let _ = write!(text, "  {name} {}", digits(figure));
        }
    }
    text
}

/// A model is wrong in few of hundred: a digit behind the point says something.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Four digits, for its unit is not known.
fn digits(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    format!("{rounded}")
}
