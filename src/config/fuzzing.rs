//! What must hold for any file and any environment. The fuzz target calls this, and so does a
//! test, with the inputs that fuzzing has kept.

use super::{Sources, check, defaults, documented, env, reload, yaml};

/// A file, 0xff, and lines of `NAME=value`.
///
/// # Panics
/// When what is accepted does not hold, or what is refused is not said in a line each.
pub fn configuration(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == 0xff);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default());
    let file = text();
    let sources = Sources {
        env: variables(&text()),
        ..Sources::default()
    };
    let mut problems = Vec::new();
    let mut tree = documented::TREE.clone();
    match yaml::read(&file, "fuzzed.yaml", &mut problems) {
        Ok(node) => tree.merge(node, &mut problems),
        Err(problem) => problems.push(*problem),
    }
    env::apply(&mut tree, &sources.env, &mut problems);
    match sources.settle(tree, problems, |_, _| {}) {
        Ok(loaded) => {
            assert!(check::holds(&loaded.config).is_ok());
            assert_eq!(reload::diff(&loaded.config, &loaded.config), [""; 0]);
            let (merged, waiting) = reload::merge_live(&defaults(), &loaded.config);
            let changed = reload::diff(&merged, &loaded.config);
            assert_eq!(changed, waiting);
            assert!(loaded.settings.len() <= reload::KEYS.len());
            for setting in loaded.settings {
                let is_secret = ["ops.token", "log.redact_key"].contains(&&*setting.key);
                assert!(!is_secret || ["***", "null"].contains(&&*setting.value));
            }
        }
        Err(errors) => {
            assert!(!errors.0.is_empty());
            for problem in errors.0 {
                is_a_short_line(&problem.to_string(), input.len());
            }
        }
    }
}

/// It goes into a log and onto a terminal: no control characters, no longer than what it quotes.
fn is_a_short_line(text: &str, input: usize) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() <= 1000 + 8 * input, "{} bytes", text.len());
}

fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_has_kept_of_configurations_still_holds() {
        crate::fuzzing::replay("configuration", configuration);
    }
}
