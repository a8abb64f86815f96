//! The README's tables are what the code has.

use std::fmt::Write;

use sidelight::{metrics::catalogue, ops::ROUTES};

const README: &str = include_str!("../../README.md");

/// What stands between the marker that begins with `name` and the next end.
fn section(name: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("<!-- {name}: ")).unwrap();
    let (_, rest) = rest.split_once("-->\n").unwrap();
    rest.split_once("<!-- end -->").unwrap().0
}

fn assert_section(name: &str, expected: &str) {
    let found = section(name);
    assert_eq!(
        found, expected,
        "the README's table of {name} is not up to date; put this there:\n\n{expected}\n"
    );
}

#[test]
fn the_readme_lists_every_metric() {
    let mut table = "| metric | type | labels | what |\n|---|---|---|---|\n".to_owned();
    for family in catalogue::ALL {
        let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        let (name, kind, help) = (family.name, family.kind.name(), family.help);
        let labels = labels.join(" ");
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    assert_section("metrics", &table);
}

#[test]
fn the_readme_lists_every_route() {
    let mut table = "| route | what |\n|---|---|\n".to_owned();
    for route in ROUTES {
        let (method, path, help) = (&route.method, route.path, route.help);
        writeln!(table, "| `{method} {path}` | {help} |").unwrap();
    }
    assert_section("routes", &table);
}

#[test]
fn every_server_of_the_readme_has_an_example_and_every_example_its_row() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<_> = section("servers").lines().skip(2).collect();
    for row in &rows {
        let (_, path) = row.split_once("](").unwrap();
        let (path, _) = path.split_once(')').unwrap();
        assert!(root.join(path).is_file(), "{path}");
    }
    let kubernetes = 1;
    let examples = std::fs::read_dir(root.join("config/examples")).unwrap();
    assert_eq!(rows.len() + kubernetes, examples.count());
}

#[test]
fn the_edges_that_the_catalogue_has_for_values_are_the_default() {
    let catalogue::Kind::Histogram(edges) = catalogue::PREDICTION_VALUE.kind else {
        panic!("no histogram");
    };
    assert_eq!(sidelight::config::defaults().metrics.value_edges, edges);
}

#[test]
fn every_metric_that_the_readme_names_is_in_the_catalogue() {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let prefixes = ["ml_api_", "ml_model_", "ml_drift_", "sidelight_"];
    let mut named = 0;
    for word in README.split(|c| !is_name(c)) {
        if !prefixes.iter().any(|prefix| word.starts_with(prefix)) {
            continue;
        }
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| word.strip_suffix(suffix))
            .unwrap_or(word);
        let is_known = |name: &str| catalogue::ALL.iter().any(|family| family.name == name);
        assert!(is_known(word) || is_known(base), "{word}");
        named += 1;
    }
    assert!(named > catalogue::ALL.len() / 2, "{named}");
}
