//! Who may name whom: reads the sources and holds them against the table of the design.

mod layering {
    pub(crate) mod paths;
    pub(crate) mod rules;
    pub(crate) mod tokens;
}

use std::{
    fs,
    path::{Path, PathBuf},
};

use layering::rules::{self, Source};

/// Every Rust file under `folder`, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources can be read") {
        let path = entry.expect("and so can its entries").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    rust_files(&root)
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).expect("a source is text"),
            file: path
                .strip_prefix(&root)
                .expect("it was found under it")
                .to_string_lossy()
                .replace('\\', "/"),
        })
        .collect()
}

#[test]
fn no_module_names_one_that_it_may_not() {
    let sources = sources();
    assert!(sources.len() > 20, "the sources were not found");
    let violations = rules::violations(&sources);
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}
