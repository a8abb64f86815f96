//! Path templates that are well-formed, and reached.

use super::{Findings, bodies, texts};
use crate::config::{
    Route,
    tree::{Node, Value, steps},
};

/// Longest template; it is a label.
const LONGEST: usize = 256;

pub(super) fn check(routes: &[Route], findings: &mut Findings<'_>) {
    let places = places(findings.tree);
    let named = |index: usize| format!("routes[{}]", places.get(index).unwrap_or(&index));
    for (index, route) in routes.iter().enumerate() {
        let entry = named(index);
        let path = format!("{entry}.path");
        if let Err(reason) = template(&route.path) {
            findings.refuse(&path, format_args!("{reason}, found {:?}", route.path));
        }
        bodies::check(&entry, route, findings);
        let before = routes[..index].iter().enumerate();
        let Some((first, by)) = before
            .into_iter()
            .find(|(_, by)| covers(&by.path, &route.path))
        else {
            continue;
        };
        let first = named(first);
        if covers(&route.path, &by.path) {
            findings.refuse(
                &path,
                format_args!("expected another path than that of {first}"),
            );
        } else {
            findings.warn(
                &path,
                format_args!("is never reached: {first} matches first"),
            );
        }
    }
}

/// Where the entries stand in the list as written, without those that are refused.
fn places(tree: &Node) -> Vec<usize> {
    let Some(Value::List(items)) = tree.get(&steps("routes")).map(|node| &node.value) else {
        return Vec::new();
    };
    let kept = items
        .iter()
        .enumerate()
        .filter(|(_, node)| node.value != Value::Refused);
    kept.map(|(place, _)| place).collect()
}

/// Whether entries with these templates can stand beside each other.
pub fn are_routes(paths: &[&str]) -> bool {
    let is_new = |(at, path): (usize, &&str)| {
        let mut before = paths[..at].iter();
        template(path).is_ok() && !before.any(|by| covers(by, path) && covers(path, by))
    };
    paths.iter().enumerate().all(is_new)
}

/// Whether a text is a path template; what was expected if not.
fn template(path: &str) -> Result<(), &'static str> {
    texts::path(path)?;
    if path.len() > LONGEST {
        return Err("expected at most 256 characters");
    }
    path.split('/').try_for_each(|segment| match segment {
        _ if !segment.contains(['{', '}']) => Ok(()),
        _ if placeholder(segment).is_some() => Ok(()),
        _ => Err("expected {name} to stand for a whole segment, or for all before its colon"),
    })
}

/// What follows the name in `{name}` or `{name}:verb`; `None`: it is no placeholder.
fn placeholder(segment: &str) -> Option<&str> {
    let (name, rest) = segment.strip_prefix('{')?.split_once('}')?;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_name = !name.is_empty() && name.chars().all(letter);
    let is_verb = rest.is_empty() || rest.starts_with(':');
    (is_name && is_verb && !rest.contains(['{', '}'])).then_some(rest)
}

/// Whether every path that fits `narrow` fits `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    let fits = |wide: &str, narrow: &str| match placeholder(wide) {
        Some(verb) => narrow.strip_suffix(verb).is_some_and(|n| !n.is_empty()),
        None => wide == narrow,
    };
    let (mut wide, mut narrow) = (wide.split('/'), narrow.split('/'));
    loop {
        match (wide.next(), narrow.next()) {
            (None, None) => return true,
            (Some(w), Some(n)) if fits(w, n) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_a_path_in_which_a_name_stands_for_a_segment() {
        for path in [
            "/",
            "/predict",
            "/v1/{customer}/score",
            "/v1/models/iris:predict",
            "/v1/models/{model}:predict",
            "/a//b",
        ] {
            assert_eq!(template(path), Ok(()), "{path}");
        }
        for path in [
            "", "predict", "/a?b=1", "/a#b", "/a b", "/a\n", "/é", "/{", "/}", "/{}", "/{a}b",
            "/a{b}", "/{a}{b}", "/{a b}", "/{{a}}", "/{a}:{b}",
        ] {
            assert!(template(path).is_err(), "{path}");
        }
        assert!(template(&"/a".repeat(200)).is_err());
    }

    #[test]
    fn a_template_covers_what_it_matches_whatever_the_names() {
        assert!(covers("/v1/{a}", "/v1/{b}"));
        assert!(covers("/v1/{a}", "/v1/iris"));
        assert!(!covers("/v1/iris", "/v1/{a}"));
        assert!(!covers("/v1/{a}", "/v1/a/b"));
        assert!(!covers("/v1/{a}", "/v1/"));
        assert!(covers("/v1/{a}", "/v1/{b}:predict"));
        assert!(covers("/v1/{a}:predict", "/v1/{b}:predict"));
        assert!(covers("/v1/{a}:predict", "/v1/iris:predict"));
        assert!(!covers("/v1/{a}:predict", "/v1/{b}"));
        assert!(!covers("/v1/{a}:predict", "/v1/:predict"));
    }
}
