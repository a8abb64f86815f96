//! The versions of models: what the observer knows of them, with what they have counted.

use std::collections::HashMap;

use super::{
    state::{Capturing, Class, Drift, Version},
    traffic::Counted,
};
use crate::observe::board::{Gap, Seen};

/// Classes of one version that are listed.
pub(super) const CLASSES: usize = 20;
/// As metrics call classes beyond their bound.
const OTHER: &str = "other";

/// One version, and what it has counted.
pub(super) fn version(seen: Seen, counted: Counted) -> Version {
    let (classes, left_out, of_left_out) = classes(&counted.classes, seen.classes);
    let predictions = counted.classes.iter().map(|(_, count)| count).sum();
    let capturing = seen
        .gathered
        .map(|(rows, wanted)| Capturing { rows, wanted });
    Version {
        model: seen.judged.model.clone(),
        version: seen.judged.version.clone(),
        serving: seen.is_serving,
        last_prediction: seen.last,
        predictions,
        classes,
        classes_left_out: left_out,
        left_out_predictions: of_left_out,
        confidence: counted.confidence,
        values: counted.values,
        inference: counted.inference,
        baseline: seen.baseline,
        capturing: capturing.filter(|_| seen.judged.baseline.is_none()),
        drift: Drift {
            judged: seen.judged,
            names_left_out: seen.names_left_out,
        },
        series: seen.series,
        series_left_out: seen.series_left_out,
        accuracy: None,
    }
}

/// The most frequent, then those of the baseline that were not predicted; how many are left out, and
/// their items.
fn classes(
    counted: &[(String, u64)],
    shares: Vec<(String, f64, Option<f64>)>,
) -> (Vec<Class>, usize, u64) {
    let mut all: HashMap<String, Class> = HashMap::new();
    for (name, baseline, recent) in shares {
        let class = Class {
            class: name.clone(),
            count: 0,
            baseline: Some(baseline),
            recent,
        };
        all.insert(name, class);
    }
    for (name, count) in counted {
        let class = all.entry(name.clone()).or_insert_with(|| Class {
            class: name.clone(),
            count: 0,
            baseline: None,
            recent: None,
        });
        class.count = *count;
    }
    let is_other = |class: &Class| class.class == OTHER && class.baseline.is_none();
    let mut all: Vec<Class> = all.into_values().collect();
    all.sort_by(|a, b| {
        let shares = (b.baseline.unwrap_or(0.0)).total_cmp(&a.baseline.unwrap_or(0.0));
        is_other(a)
            .cmp(&is_other(b))
            .then(b.count.cmp(&a.count))
            .then(shares)
            .then_with(|| a.class.cmp(&b.class))
    });
    let named = all.iter().filter(|class| !is_other(class)).count();
    let rest = all.split_off(named.min(CLASSES));
    let items = rest.iter().map(|class| class.count).sum();
    (all, rest.len(), items)
}

/// What is missing where there is no baseline; `port`: where one can be posted.
pub(super) fn without_baseline(version: &Version, port: u16) -> Option<Gap> {
    if version.baseline.is_some() {
        return None;
    }
    let why = match version.capturing {
        Some(Capturing { rows, wanted }) => format!(
            "there is no baseline yet: one is captured from the first {wanted} predictions, of which \
             {rows} have come"
        ),
        None => "there is no baseline: drift is not looked for".to_owned(),
    };
    let (model, name) = (escaped(&version.model), escaped(&version.version));
    let command = format!(
        "curl --data-binary @baseline.json 'http://localhost:{port}/drift/baseline?model={model}&version={name}'"
    );
    Some(Gap {
        what: "baseline",
        model: version.model.clone(),
        version: Some(version.version.clone()),
        route: None,
        format: None,
        count: version.predictions + version.values.as_ref().map_or(0, |v| v.histogram.count),
        why,
        configure: None,
        command: Some(command),
    })
}

/// As a value of a query, which stands in quotes of a shell too.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => {
                text.push('%');
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(classes: &[(&str, u64)]) -> Vec<(String, u64)> {
        let classes = classes.iter();
        classes
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn classes_of_the_baseline_that_are_predicted_no_more_are_listed() {
        let shares = vec![
            ("a".to_owned(), 0.5, Some(1.0)),
            ("b".to_owned(), 0.5, Some(0.0)),
        ];
        let (all, left_out, items) =
            classes(&counted(&[("a", 7), ("c", 9), ("other", 30)]), shares);
        let shown: Vec<_> = all.iter().map(|c| (c.class.as_str(), c.count)).collect();
        assert_eq!(shown, [("c", 9), ("a", 7), ("b", 0)]);
        assert_eq!((all[0].baseline, all[2].baseline), (None, Some(0.5)));
        assert_eq!((left_out, items), (1, 30), "what metrics call other");
    }

    #[test]
    fn the_most_frequent_classes_are_listed_and_the_others_counted() {
        let many: Vec<_> = (0..100).map(|i| (format!("c{i:02}"), i)).collect();
        let (all, left_out, items) = classes(&many, Vec::new());
        assert_eq!((all.len(), left_out), (CLASSES, 100 - CLASSES));
        assert_eq!((all[0].class.as_str(), all[0].count), ("c99", 99));
        assert_eq!(
            items + all.iter().map(|c| c.count).sum::<u64>(),
            99 * 100 / 2
        );
    }

    #[test]
    fn a_name_can_be_nothing_but_a_name_in_the_command() {
        assert_eq!(escaped("iris-1.0_~"), "iris-1.0_~");
        assert_eq!(escaped("a' ; rm & é"), "a%27%20%3B%20rm%20%26%20%C3%A9");
    }
}
