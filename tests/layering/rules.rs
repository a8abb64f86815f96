//! The table of the design, and what breaks it.

use std::collections::BTreeSet;

use super::paths::{Named, Path, named};

/// One file of `src`.
pub(crate) struct Source {
    /// Relative to `src`, with `/`.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// A module and those of ours that it may name. Who is missing from a row must not be named.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("stats", &[]),
    ("config", &[]),
    ("metrics", &[]),
    ("telemetry", &["panics"]),
    ("health", &[]),
    ("drain", &[]),
    ("http", &["panics"]),
    ("panics", &[]),
    ("tls", &["config"]),
    ("post", &["http", "tls", "config"]),
    ("otlp", &["metrics", "http", "post", "panics", "config"]),
    ("capture", &["config", "panics"]),
    (ONLY_IN_TESTS, &[]),
    ("decode", &["capture", "config"]),
    ("explain", &["capture", "decode", "config"]),
    ("drift", &["stats", "config"]),
    ("feedback", &["stats", "panics", "config"]),
    (
        "observe",
        &[
            "capture",
            "decode",
            "drift",
            "feedback",
            "metrics",
            "telemetry",
            "otlp",
            "panics",
            "config",
        ],
    ),
    (
        "proxy",
        &[
            "capture", "metrics", "drain", "http", "tls", "panics", "config",
        ],
    ),
    (
        "ops",
        &[
            "observe",
            "drift",
            "feedback",
            "metrics",
            "health",
            "telemetry",
            "drain",
            "http",
            "tls",
            "panics",
            "config",
        ],
    ),
    (
        "notify",
        &[
            "drift", "metrics", "http", "tls", "post", "panics", "config",
        ],
    ),
    ("history", &["drift"]),
    ("top", &["http"]),
    // it puts together what reads, counts and watches, as app does, but nothing that runs
    (
        "replay",
        &[
            "capture",
            "decode",
            "explain",
            "observe",
            "proxy",
            "drift",
            "history",
            "ops",
            "metrics",
            "telemetry",
            "config",
        ],
    ),
    ("inject", &["metrics", "drain", "http", "config"]),
    ("iris", &["drain", "http", "config"]),
    ("demo", &["drain", "http", "config"]),
    ("cli", &["tls", "config"]),
    ("main", &["app", "cli", "tls", "config"]),
];

/// Any module's tests may name it: it runs what fuzzing has kept, and is not in the program.
const ONLY_IN_TESTS: &str = "fuzzing";

/// The only file that names every part, and the one that declares them.
const MAY_NAME_ALL: &[&str] = &["app", "lib"];

/// A path of another crate and the modules that may name it.
const FENCES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("serde_saphyr", &["config"]),
    ("granit_parser", &["inject"]),
    ("ring", &["inject", "tls"]),
    ("metrics_exporter_prometheus", &["metrics"]),
    ("std::env", &["config", "cli", "panics"]),
    ("rsonpath_syntax", &["config", "decode"]),
    ("prost", &["otlp"]),
    ("redb", &["feedback"]),
    ("rustls", &["tls"]),
    ("rustls_native_certs", &["tls"]),
];

/// Everything that breaks a rule, as `capture/tee.rs:3: capture must not name decode`.
pub(crate) fn violations(sources: &[Source]) -> Vec<String> {
    let modules: BTreeSet<&str> = sources.iter().map(|s| owner(&s.file)).collect();
    let mut found: Vec<String> = modules.iter().filter_map(|m| without_row(m)).collect();
    for source in sources {
        if source.file.ends_with("mod.rs") {
            found.push(format!(
                "{}: a module is foo.rs, not foo/mod.rs",
                source.file
            ));
        }
        for named in named(&source.text, &module_path(&source.file)) {
            found.extend(violation(&source.file, &named, &modules));
        }
    }
    found.dedup();
    found
}

fn without_row(module: &str) -> Option<String> {
    let is_known = MAY_NAME_ALL.contains(&module) || MAY_NAME.iter().any(|(m, _)| *m == module);
    (!is_known).then(|| format!("{module}: has no row in tests/layering/rules.rs"))
}

fn violation(file: &str, named: &Named, modules: &BTreeSet<&str>) -> Option<String> {
    let owner = owner(file);
    let target = match &named.path {
        Path::Ours(path) => forbidden(owner, path, modules)?,
        Path::Other(path) => fenced(owner, path)?,
    };
    Some(format!(
        "{file}:{}: {owner} must not name {target}",
        named.line
    ))
}

/// What of ours `owner` names and may not.
fn forbidden(owner: &str, path: &[String], modules: &BTreeSet<&str>) -> Option<String> {
    if MAY_NAME_ALL.contains(&owner) {
        return None;
    }
    let (_, allowed) = MAY_NAME.iter().find(|(m, _)| *m == owner)?;
    match path.first().map(String::as_str) {
        Some(target) if target == owner || target == ONLY_IN_TESTS => None,
        Some(target) if allowed.contains(&target) => None,
        Some(target) if modules.contains(target) => Some(target.to_owned()),
        // what the root re-exports would hide where it comes from
        _ if owner != "main" => Some("the root of the package".to_owned()),
        _ => None,
    }
}

/// The fence that `owner` crosses.
fn fenced(owner: &str, path: &[String]) -> Option<String> {
    let (fence, allowed) = FENCES.iter().find(|(fence, _)| {
        let mut segments = path.iter();
        fence
            .split("::")
            .all(|part| segments.next().is_some_and(|s| s == part))
    })?;
    (!allowed.contains(&owner)).then(|| (*fence).to_owned())
}

/// The top-level module of a file: `capture` for `capture.rs` and `capture/tee.rs`.
fn owner(file: &str) -> &str {
    file.split('/')
        .next()
        .map_or(file, |first| first.strip_suffix(".rs").unwrap_or(first))
}

fn module_path(file: &str) -> Vec<String> {
    if matches!(file, "lib.rs" | "main.rs") {
        return Vec::new();
    }
    let path = file.strip_suffix(".rs").unwrap_or(file);
    path.split('/').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one file breaks, in a package that has all modules.
    fn broken(file: &str, text: &str) -> Vec<String> {
        let mut sources: Vec<Source> = MAY_NAME
            .iter()
            .map(|(module, _)| Source {
                file: format!("{module}.rs"),
                text: String::new(),
            })
            .collect();
        sources.push(Source {
            file: file.to_owned(),
            text: text.to_owned(),
        });
        violations(&sources)
    }

    #[test]
    fn a_planted_violation_is_found_with_file_and_line() {
        let text = "//! Copies.\n\nuse crate::decode::Decoder;\n";
        let expected = "capture/tee.rs:3: capture must not name decode";
        assert_eq!(broken("capture/tee.rs", text), [expected]);
    }

    #[test]
    fn a_violation_cannot_hide_in_a_group_a_super_or_the_code() {
        for text in [
            "use crate::{config, observe::{self}};",
            "use super::super::observe::Worker;",
            "fn f() { crate::observe::start() }",
            "mod tests { use super::super::super::observe; }",
        ] {
            let expected = "proxy/service.rs:1: proxy must not name observe";
            assert_eq!(broken("proxy/service.rs", text), [expected], "{text}");
        }
    }

    #[test]
    fn what_the_table_allows_passes() {
        let text = "use crate::{capture::tee::Tee, config, metrics::Metrics}; use super::forward;";
        assert!(broken("proxy/service.rs", text).is_empty());
        let text = "use crate::{proxy, observe, decode, ops, iris};";
        assert!(broken("app.rs", text).is_empty());
        assert!(broken("decode/iris.rs", "use crate::capture::Exchange;").is_empty());
        assert!(broken("ops/probes.rs", "use crate::telemetry::Sink;").is_empty());
    }

    #[test]
    fn a_comment_or_a_string_names_nothing() {
        let text = "//! See [`crate::decode`].\nconst A: &str = \"crate::decode::x\";";
        assert!(broken("capture/tee.rs", text).is_empty());
    }

    #[test]
    fn a_glob_of_the_root_names_everything() {
        let expected = "capture.rs:1: capture must not name the root of the package";
        assert!(broken("capture.rs", "use super::*;").contains(&expected.to_owned()));
    }

    #[test]
    fn fenced_crates_are_named_only_where_they_belong() {
        for (file, text, fence) in [
            ("ops/router.rs", "use clap::Parser;", "clap"),
            (
                "drift/store.rs",
                "fn f() { std::env::var(\"A\") }",
                "std::env",
            ),
            ("proxy/io.rs", "use std::{env, fs};", "std::env"),
            (
                "iris/data.rs",
                "use serde_saphyr::from_str;",
                "serde_saphyr",
            ),
        ] {
            let owner = owner(file);
            let expected = format!("{file}:1: {owner} must not name {fence}");
            assert_eq!(broken(file, text), [expected]);
        }
        assert!(broken("config/load.rs", "use std::env; use serde_saphyr::Error;").is_empty());
        assert!(
            broken(
                "ops/probes.rs",
                "const V: &str = env!(\"CARGO_PKG_VERSION\");"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_mod_file_and_a_module_without_a_row_are_reported() {
        assert_eq!(
            broken("ops/mod.rs", ""),
            ["ops/mod.rs: a module is foo.rs, not foo/mod.rs"]
        );
        assert_eq!(
            broken("helpers.rs", ""),
            ["helpers: has no row in tests/layering/rules.rs"]
        );
    }
}
