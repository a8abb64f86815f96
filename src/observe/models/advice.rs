//! What is not known of a model, and the line of configuration that would tell.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Entry, TOO_LONG, Unknown, edges};
use crate::{config::RouteKind, decode::Name, observe::board::Gap};

/// Most names that a line has room for.
const MAX_NAMES: usize = 20;

/// One thing that is not known.
#[derive(Debug, Serialize)]
pub(super) struct Missing {
    /// What: `confidence`, `class`, `kind`, `class_names`, `feature_names`, `features`,
    /// `value_edges` or `model`.
    what: &'static str,
    /// Of how many items, or exchanges for what is of an exchange.
    count: u64,
    /// For people.
    why: &'static str,
    /// YAML that would tell it, with names to be replaced; `None`: the route has no template.
    configure: Option<String>,
}

impl Missing {
    /// The same, of a model behind a route.
    pub(super) fn of(self, model: &str, route: &str, format: &'static str) -> Gap {
        Gap {
            what: self.what,
            model: model.to_owned(),
            version: None,
            route: Some(route.to_owned()),
            format: Some(format),
            count: self.count,
            why: self.why.to_owned(),
            configure: self.configure,
            command: None,
        }
    }
}

/// Everything of an entry that is not known.
pub(super) fn missing(entry: &Entry) -> Vec<Missing> {
    let unknown = &entry.unknown;
    let positions = entry
        .features
        .iter()
        .filter(|feature| matches!(feature.name, Name::Position(_)))
        .count();
    let line = |keys: &str| line(&entry.route, keys);
    let mapped = |paths: Option<String>| line(&format!("format: mapped, paths: {{{}}}", paths?));
    let all = [
        Missing {
            what: "confidence",
            count: unknown.confidence,
            why: "no confidence on the wire where it is looked for: drift is seen in classes and \
                  features only; where answers hold it elsewhere, say where",
            configure: mapped(confidence(entry)),
        },
        class(unknown, &line),
        Missing {
            what: "kind",
            count: unknown.whole,
            why: "whole numbers are taken for values, by how they or others were written: say that \
                  they are (regress), or that they are classes (classify)",
            configure: line("kind: regress"),
        },
        Missing {
            what: "class_names",
            count: unknown.class_name,
            why: "classes are numbers without a name",
            configure: line(&format!("classes: [{}]", classes(unknown.largest_class))),
        },
        Missing {
            what: "feature_names",
            count: if positions > 0 { entry.exchanges } else { 0 },
            why: "features are known by position alone",
            configure: line(&format!("features: [{}]", numbered("feature", positions))),
        },
        Missing {
            what: "features",
            count: unknown.features,
            why: "no features were read from requests: say where they are",
            configure: mapped(features(entry)),
        },
        Missing {
            what: "value_edges",
            count: unknown.edges,
            why: "the histogram of its values has the edges that all have: orders of magnitude",
            configure: unknown
                .values
                .and_then(|range| line(&format!("value_edges: [{}]", edges::of(range)))),
        },
        Missing {
            what: "model",
            count: unknown.model,
            why: "the model's name is not on the wire",
            configure: line("model: NAME"),
        },
    ];
    let is_missing = |missing: &Missing| missing.count > 0;
    all.into_iter().filter(is_missing).collect()
}

fn class(unknown: &Unknown, line: &dyn Fn(&str) -> Option<String>) -> Missing {
    let (why, kind) = if unknown.texts > 0 {
        let why = "answers are texts, longer than the name of a class can be: say that they are \
                   generated (or classify, if they are classes)";
        (why, Some("kind: generate"))
    } else if unknown.kind == RouteKind::Predict {
        let why = "neither a class nor a number is known: say what numbers mean (classify, regress \
                   or probabilities)";
        (why, Some("kind: classify"))
    } else {
        let why = "neither a class nor a number is known where it is looked for, although the route \
                   says what numbers mean";
        (why, None)
    };
    Missing {
        what: "class",
        count: unknown.class,
        why,
        configure: kind.and_then(line),
    }
}

/// Paths to a class and its confidence, as answers of the format have them; `None`: no path leads to
/// what is read there, or a number has none.
fn confidence(entry: &Entry) -> Option<String> {
    let Unknown { argmax, kind, .. } = entry.unknown;
    let items = items(entry.format)?;
    (argmax == 0 && kind != RouteKind::Regress).then(|| match items {
        "$" => r#"class: "$.class", confidence: "$.confidence""#.to_owned(),
        list => format!(r#"class: "{list}[*].class", confidence: "{list}[*].confidence""#),
    })
}

/// Paths to rows and items, likewise.
fn features(entry: &Entry) -> Option<String> {
    let items = items(entry.format)?;
    Some(format!(r#"features: "$.rows", items: "{items}""#))
}

/// Where answers have items; `None`: they are no JSON, or have no place for them that paths tell apart
/// from what stands beside them.
fn items(format: &str) -> Option<&'static str> {
    match format {
        "v1" | "mlflow" => Some("$.predictions"),
        "iris" | "json" | "mapped" | "bentoml" | "azure" => Some("$"),
        _ => None,
    }
}

/// What to say of a route whose bodies are not read: where things are, or that more of them is to
/// be kept where nothing else is wrong.
pub(super) fn unread(route: &str, reasons: &BTreeMap<&'static str, u64>) -> Option<String> {
    if reasons.keys().all(|reason| *reason == TOO_LONG) {
        return Some("capture: {body_limit: 1MiB}".to_owned());
    }
    line(
        route,
        "format: mapped, paths: {features: \"$.rows\", class: \"$.class\"}",
    )
}

/// An entry of `routes` for one path; a label that stands for many paths has none.
fn line(route: &str, keys: &str) -> Option<String> {
    if !route.starts_with('/') {
        return None;
    }
    // what JSON quotes, YAML reads
    let path = serde_json::to_string(route).ok()?;
    Some(format!("routes: [{{path: {path}, {keys}}}]"))
}

fn classes(largest: i64) -> String {
    let count = usize::try_from(largest).unwrap_or(0).saturating_add(1);
    numbered("class", count)
}

/// `class_0, class_1`, as many as fit.
fn numbered(word: &str, count: usize) -> String {
    let names = (0..count.min(MAX_NAMES)).map(|place| format!("{word}_{place}"));
    names.collect::<Vec<_>>().join(", ")
}
