//! Manifests before and after, each in a folder of `tests/inject`: `input.yaml`, perhaps `flags`, and
//! what must come of it: `output.yaml` and `report.txt`. `SIDELIGHT_GOLDEN=write` writes these anew;
//! look at what has changed before it is kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sidelight::{
    app::inject::options,
    cli::{self, Command},
    inject::{
        Options, REASONS, annotations,
        manifest::{Manifests, Source, inject, uninject},
    },
};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn given(case: &Path) -> Options {
    let flags = fs::read_to_string(case.join("flags")).unwrap_or_default();
    let words = ["sidelight", "inject"]
        .into_iter()
        .chain(flags.split_whitespace());
    match cli::parse_from(words.map(Into::into), Vec::new()).unwrap() {
        Command::Inject(asked) => options(&asked.sidecar).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn source(text: &str) -> [Source; 1] {
    let name = "input.yaml".to_owned();
    let text = text.to_owned();
    [Source { name, text }]
}

fn report(done: &Manifests) -> String {
    done.report
        .iter()
        .flat_map(|line| [line.to_string(), "\n".to_owned()])
        .collect()
}

#[test]
fn every_case_comes_out_as_it_was_looked_at() {
    let is_writing = std::env::var("SIDELIGHT_GOLDEN").is_ok_and(|value| value == "write");
    let mut wrong = Vec::new();
    for case in cases() {
        let input = fs::read_to_string(case.join("input.yaml")).unwrap();
        let done = inject(&source(&input), &given(&case));
        for (file, now) in [("output.yaml", &done.text), ("report.txt", &report(&done))] {
            if is_writing {
                fs::write(case.join(file), now).unwrap();
            } else if fs::read_to_string(case.join(file)).ok().as_ref() != Some(now) {
                wrong.push(format!("{}/{file}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_case_stays_as_it_is_the_second_time() {
    for case in cases() {
        let input = fs::read_to_string(case.join("input.yaml")).unwrap();
        let once = inject(&source(&input), &given(&case)).text;
        let twice = inject(&source(&once), &given(&case)).text;
        assert_eq!(once, twice, "{}", case.display());
    }
}

#[test]
fn every_case_is_given_back_byte_for_byte() {
    let mut injected = 0;
    for case in cases() {
        let input = fs::read_to_string(case.join("input.yaml")).unwrap();
        // what is in it already comes out as it was before
        if input.contains("sidelight.dev/status") {
            continue;
        }
        let once = inject(&source(&input), &given(&case)).text;
        injected += usize::from(once != input);
        let back = uninject(&source(&once)).text;
        assert_eq!(back, input, "{}", case.display());
    }
    assert!(injected > 30, "{injected}");
}

#[test]
fn there_are_cases_for_all_that_manifests_are_made_of() {
    let names: Vec<_> = cases()
        .iter()
        .map(|case| case.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 40, "{names:?}");
}

const PAGE: &str = include_str!("../../docs/kubernetes.md");

#[test]
fn the_page_names_every_annotation_and_every_reason() {
    for (key, what) in annotations::KEYS {
        let row = format!("| `sidelight.dev/{key}` | {what} |\n");
        assert!(PAGE.contains(&row), "docs/kubernetes.md lacks {row}");
    }
    let others = [
        "shared_service",
        "headless_service",
        "no_edit",
        "no_workload",
    ];
    let asides = ["not_kubernetes", "unreadable"];
    for reason in REASONS.iter().chain(&others).chain(&asides) {
        let row = format!("\n| `{reason}` | ");
        assert!(PAGE.contains(&row), "docs/kubernetes.md lacks {row}");
    }
}

/// Lines of a case without the annotation that nobody wants to read.
fn lines(text: &str) -> Vec<&str> {
    let status = "sidelight.dev/status";
    let is_status = |line: &str| line.contains(status) || line.trim() == "annotations:";
    text.lines().filter(|line| !is_status(line)).collect()
}

#[test]
fn the_page_shows_the_case_that_it_says() {
    let (_, rest) = PAGE.split_once("<!-- diff: of ").unwrap();
    let (case, rest) = rest.split_once(" -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- end -->").unwrap();
    let shown: Vec<&str> = shown
        .lines()
        .filter(|line| !line.starts_with("```"))
        .collect();
    let side = |mark: char| -> Vec<&str> {
        let own = shown.iter().filter(|line| line.starts_with([' ', mark]));
        own.map(|line| &line[1..]).collect()
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(case);
    let input = fs::read_to_string(folder.join("input.yaml")).unwrap();
    let output = fs::read_to_string(folder.join("output.yaml")).unwrap();
    assert_eq!(side('-'), lines(&input));
    assert_eq!(side('+'), lines(&output));
}
