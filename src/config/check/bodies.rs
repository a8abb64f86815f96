//! What a route says of its bodies: each key on its own, and that they go together.

use std::{collections::BTreeSet, fmt};

use super::{Findings, texts};
use crate::config::{
    FORMATS, FeaturePaths, Identity, MAPPED, Paths, Route, RouteKind, closest::closest,
    misfit::one_of,
};

/// Most names of a list, and most features with a path.
const MOST_NAMES: usize = 4096;
/// Most paths of features: each may look at all of a body again.
const MOST_PATHS: usize = 256;
/// Most edges of a histogram: each is a series.
const MOST_EDGES: usize = 50;

/// Looks at the keys of `route`, which stands at `entry`.
pub(super) fn check(entry: &str, route: &Route, findings: &mut Findings<'_>) {
    let mut keys = Keys { entry, findings };
    format(route, &mut keys);
    names("classes", &route.classes, &mut keys);
    names("features", &route.features, &mut keys);
    binary(route, &mut keys);
    identity("model", route.model.as_ref(), &route.path, &mut keys);
    identity("version", route.version.as_ref(), &route.path, &mut keys);
    if let Some(edges) = &route.value_edges {
        value_edges(&format!("{entry}.value_edges"), edges, findings);
    }
}

/// The keys of one entry.
struct Keys<'a, 'b> {
    entry: &'a str,
    findings: &'a mut Findings<'b>,
}

impl Keys<'_, '_> {
    fn refuse(&mut self, key: &str, message: impl fmt::Display) {
        self.findings
            .refuse(&format!("{}.{key}", self.entry), message);
    }

    fn name(&mut self, key: &str, name: &str) {
        texts::name(&format!("{}.{key}", self.entry), name, self.findings);
    }
}

/// Edges of a histogram of values.
pub(super) fn value_edges(key: &str, edges: &[f64], findings: &mut Findings<'_>) {
    let is_ascending = edges.is_sorted_by(|a, b| a < b);
    if edges.is_empty() || edges.len() > MOST_EDGES || !is_ascending {
        let found = edges.len();
        let message = format_args!(
            "expected 1 to {MOST_EDGES} numbers, each above the one before, found {found}"
        );
        findings.refuse(key, message);
    }
}

fn format(route: &Route, keys: &mut Keys<'_, '_>) {
    let format = route.format.as_deref();
    if let Some(name) = format
        && !FORMATS.contains(&name)
    {
        let meant = closest(name, FORMATS.iter().copied());
        let meant = meant.map(|near| format!(", did you mean {near}?"));
        let (known, meant) = (one_of(FORMATS), meant.unwrap_or_default());
        keys.refuse(
            "format",
            format_args!("expected {known}, found {name:?}{meant}"),
        );
        return;
    }
    match (&route.paths, format == Some(MAPPED)) {
        (Some(paths), true) => mapped(paths, keys),
        (Some(_), false) => keys.refuse(
            "paths",
            format_args!("expected format: {MAPPED} beside it, which alone goes by paths"),
        ),
        (None, true) => keys.refuse(
            "format",
            format_args!("expected paths beside it, found {MAPPED:?} without any"),
        ),
        (None, false) => {}
    }
}

fn mapped(paths: &Paths, keys: &mut Keys<'_, '_>) {
    let Paths {
        features,
        items,
        class,
        confidence,
        probabilities,
        ..
    } = paths;
    if [items, class, confidence, probabilities]
        .iter()
        .all(|path| path.is_none())
    {
        keys.refuse(
            "paths",
            "expected at least one of items, class, confidence and probabilities, or nothing of \
             an answer is read",
        );
    }
    let Some(FeaturePaths::Named(named)) = features else {
        return;
    };
    if named.is_empty() || named.len() > MOST_PATHS {
        let found = named.len();
        keys.refuse(
            "paths.features",
            format_args!("expected 1 to {MOST_PATHS} names with their paths, found {found}"),
        );
    }
    for (name, _) in named {
        keys.name("paths.features", name);
    }
}

fn names(key: &str, names: &[String], keys: &mut Keys<'_, '_>) {
    let mut seen = BTreeSet::new();
    for (place, name) in names.iter().enumerate() {
        let key = format!("{key}[{place}]");
        keys.name(&key, name);
        if !seen.insert(name) {
            keys.refuse(
                &key,
                format_args!("expected each name once, found {name:?} again"),
            );
        }
    }
    if names.len() > MOST_NAMES {
        let found = names.len();
        keys.refuse(
            key,
            format_args!("expected at most {MOST_NAMES} names, found {found}"),
        );
    }
}

/// The keys of scores with two outcomes.
fn binary(route: &Route, keys: &mut Keys<'_, '_>) {
    if let Some(positive) = &route.positive_class {
        keys.name("positive_class", positive);
        if !route.classes.is_empty() && !route.classes.contains(positive) {
            keys.refuse(
                "positive_class",
                format_args!("expected one of classes, found {positive:?}"),
            );
        }
    }
    let Some(threshold) = route.threshold else {
        return;
    };
    if !(0.0..=1.0).contains(&threshold) {
        keys.refuse(
            "threshold",
            format_args!("expected 0 to 1, found {threshold}"),
        );
    } else if route.kind != RouteKind::Probabilities && route.positive_class.is_none() {
        keys.refuse(
            "threshold",
            "expected kind: probabilities or positive_class beside it, or it has no meaning",
        );
    }
}

fn identity(key: &str, identity: Option<&Identity>, path: &str, keys: &mut Keys<'_, '_>) {
    match identity {
        Some(Identity::Constant(name)) => keys.name(key, name),
        Some(Identity::Header(name)) if ::http::HeaderName::try_from(name).is_err() => {
            let key = format!("{key}.header");
            keys.refuse(
                &key,
                format_args!("expected the name of a header, found {name:?}"),
            );
        }
        Some(Identity::Segment(name)) if !has_segment(path, name) => {
            let key = format!("{key}.segment");
            keys.refuse(
                &key,
                format_args!(
                    "expected the name of a segment of path, {{{name}}} is not in {path:?}"
                ),
            );
        }
        _ => {}
    }
}

fn has_segment(path: &str, name: &str) -> bool {
    let named = format!("{{{name}}}");
    path.split('/').any(|segment| segment.starts_with(&named))
}
