//! The file that documents every key and holds every default.

use std::sync::LazyLock;

use super::{Config, error::Origin, fill::fill, tree::Node, yaml};

/// `config/sidelight.yaml` as it was at compile time.
pub const DEFAULT_FILE: &str = include_str!("../../config/sidelight.yaml");

/// The default file as a tree.
pub(super) static TREE: LazyLock<Node> = LazyLock::new(|| {
    let mut node = yaml::read(DEFAULT_FILE, "sidelight.yaml", &mut Vec::new())
        .expect("the file is compiled in, and a test reads it");
    // nobody can change it, so no report points into it
    node.all_from(&Origin::BuiltIn);
    node
});

/// Every key in the order of the file: `proxy.listen`, `routes`.
pub(super) fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    TREE.leaves(&mut |key, _| keys.push(key));
    keys
}

/// The configuration of the default file alone. `drain.delay` is still open: it depends on where
/// the agent runs.
///
/// # Panics
/// Never: the file is compiled in, and a test reads it.
pub fn defaults() -> Config {
    fill(&TREE).expect("the file is compiled in, and a test reads it")
}

/// The comment that stands directly above `key` in the file.
#[cfg(test)]
pub(super) fn comment(key: &str) -> String {
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let indent = if section.is_empty() { "" } else { "  " };
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    let start = match section {
        "" => 0,
        _ => lines
            .iter()
            .position(|line| *line == format!("{section}:"))
            .unwrap(),
    };
    let field = format!("{indent}{name}:");
    let at = start
        + lines[start..]
            .iter()
            .position(|line| line.starts_with(&field))
            .unwrap();
    let comment = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.trim_start().starts_with('#'));
    let mut comment: Vec<&str> = comment.copied().collect();
    comment.reverse();
    comment.join("\n")
}
