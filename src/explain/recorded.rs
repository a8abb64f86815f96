//! Every exchange in `tests/wire`, against the `expect` beside it.
//!
//! `expect` of the recorded ones comes from the models' own files, that of the others from the
//! specifications that their `source` names: never from what is read here.
//!
//! Those of a folder are read by its `sidelight.yaml`, where it has one, and those of
//! `examples/{server}.jsonl` by `config/examples/{server}.yaml`; the others without configuration.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::Explainer;
use crate::config::{self, Config, Sources};

/// Those whose format is not read yet, as `folder/file/id`. One that is read must leave.
const UNREAD: &[&str] = &[];

/// One exchange and what is said of it.
struct Case {
    name: String,
    expect: Value,
    said: Value,
}

fn cases() -> Vec<Case> {
    let mut files = Vec::new();
    for folder in fs::read_dir(path("tests/wire")).unwrap() {
        files.extend(with_ending("jsonl", &folder.unwrap().path()));
    }
    files.sort();
    files.iter().flat_map(|file| of_file(file)).collect()
}

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The files of `folder` whose names end so.
fn with_ending(ending: &str, folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|own| own == ending))
        .collect()
}

/// What the exchanges of `file` are read by.
fn config_of(file: &Path) -> Config {
    let folder = file.parent().unwrap();
    let own = if folder.ends_with(EXAMPLES) {
        let name = file.with_extension("yaml");
        path("config/examples").join(name.file_name().unwrap())
    } else {
        folder.join("sidelight.yaml")
    };
    if !own.exists() {
        assert!(!folder.ends_with(EXAMPLES), "there is no {}", own.display());
        return config::defaults();
    }
    // a mounted secret exists only where it is mounted
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), "0123456789abcdef").unwrap();
    let token = ("SIDELIGHT_OPS__TOKEN_FILE", token.path().display());
    let sources = Sources {
        file: Some(own.clone()),
        env: vec![(token.0.to_owned(), token.1.to_string())],
        ..Sources::default()
    };
    let loaded = sources.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, [""; 0], "{}", own.display());
    loaded.config
}

/// The folder of exchanges that the examples read.
const EXAMPLES: &str = "tests/wire/examples";

fn of_file(file: &Path) -> Vec<Case> {
    let config = config_of(file);
    let explainer = Explainer::new(&config);
    let folder = file.parent().and_then(Path::file_name).unwrap();
    let prefix = Path::new(folder).join(file.file_stem().unwrap());
    let text = fs::read_to_string(file).unwrap();
    let case = |line: &str| {
        let mut said = Vec::new();
        let recorded: Value = serde_json::from_str(line).unwrap();
        let name = format!("{}/{}", prefix.display(), recorded["id"].as_str().unwrap());
        let refused = explainer.one(line.as_bytes(), &mut said).unwrap();
        assert_eq!(refused, Ok(()), "{name}");
        Case {
            name,
            expect: recorded["expect"].clone(),
            said: serde_json::from_slice(&said).unwrap(),
        }
    };
    text.lines().map(case).collect()
}

impl Case {
    /// What differs, key by key.
    fn differences(&self) -> Vec<String> {
        let expect = self.expect.as_object().unwrap();
        let differing = expect.iter().filter_map(|(key, expected)| {
            let found = self.said.get(key);
            let is_alike = match key.as_str() {
                // a class 0 is no 0.0 and no "0"
                "predicted_class" => found == Some(expected),
                _ => found.is_some_and(|found| alike(found, expected)),
            };
            (!is_alike).then(|| {
                let (found, expected) = (cut(found.unwrap_or(&Value::Null)), cut(expected));
                format!("{key} is {found} instead of {expected}")
            })
        });
        differing.collect()
    }
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(160).collect()
}

/// Equal, numbers but for rounding.
fn alike(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            let mut pairs = found.iter().zip(expected);
            found.len() == expected.len() && pairs.all(|(found, expected)| alike(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            let alike_at = |(key, expected)| found.get(key).is_some_and(|f| alike(f, expected));
            found.len() == expected.len() && expected.iter().all(alike_at)
        }
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
        }
        _ => found == expected,
    }
}

#[test]
fn every_exchange_is_explained_as_the_model_or_the_specification_tells_it() {
    let cases = cases();
    assert!(cases.len() >= 137, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let differences = case.differences();
        let is_listed = UNREAD.contains(&case.name.as_str());
        if is_listed && differences.is_empty() {
            wrong.push(format!("{}: is read; take it out of UNREAD", case.name));
        } else if !is_listed && !differences.is_empty() {
            wrong.push(format!("{}: {}", case.name, differences.join(", ")));
        }
    }
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let gone = UNREAD.iter().filter(|name| !names.contains(name));
    wrong.extend(gone.map(|name| format!("{name}: there is no such exchange")));
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_example_of_a_configuration_has_exchanges_that_it_reads() {
    let names = |ending, folder| -> BTreeSet<String> {
        let files = with_ending(ending, &path(folder));
        let stem = |file: &PathBuf| file.file_stem().unwrap().to_string_lossy().into_owned();
        files.iter().map(stem).collect()
    };
    let examples = names("yaml", "config/examples");
    assert_eq!(names("jsonl", EXAMPLES), examples);
    let cases = cases();
    for example in examples {
        let prefix = format!("examples/{example}/");
        let own = cases.iter().filter(|case| case.name.starts_with(&prefix));
        let mut read = own.filter(|case| case.said["format"].is_string());
        assert!(read.next().is_some(), "{example}");
    }
}

#[test]
fn every_line_says_why() {
    for case in cases() {
        let why = case.said["why"].as_str();
        assert!(why.is_some_and(|why| !why.is_empty()), "{}", case.name);
    }
}
