//! The baselines of `drift.baseline_files`: read at the start and at every reload.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{Config, Findings},
    drift::{Baseline, Baselines, Key, file},
};

/// What was read of each file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct BaselineFiles(Vec<(PathBuf, Key, Arc<Baseline>)>);

/// A file that is not used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Such as `drift.baseline_files[0]`.
    key: String,
    message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl BaselineFiles {
    /// Reads them all. Of one that is damaged, missing or for the same model and version as an earlier
    /// one nothing is taken; but what was read `before` of it stays.
    pub(super) fn read(config: &Config, before: &Self) -> (Self, Vec<Problem>) {
        let (mut files, mut problems) = (Self::default(), Vec::new());
        let mut baselines = Baselines::new();
        for (place, path) in config.drift.baseline_files.iter().enumerate() {
            let (found, message) = match file::load(path) {
                Ok(found) => (Some(found), None),
                Err(damage) => (None, Some(damage.to_string())),
            };
            let found = found.map(|(key, baseline)| (key, Arc::new(baseline)));
            let taken = found
                .or_else(|| before.of(path))
                .map(|(key, baseline)| files.take(path, key, baseline, &mut baselines));
            if let Some(message) = message.or(taken.and_then(Result::err)) {
                problems.push(Problem {
                    key: format!("drift.baseline_files[{place}]"),
                    message: format!("{} is refused: {message}", path.display()),
                });
            }
        }
        (files, problems)
    }

    fn of(&self, path: &Path) -> Option<(Key, Arc<Baseline>)> {
        let mut files = self.0.iter();
        let (_, key, baseline) = files.find(|(known, _, _)| known == path)?;
        Some((key.clone(), Arc::clone(baseline)))
    }

    fn take(
        &mut self,
        path: &Path,
        key: Key,
        baseline: Arc<Baseline>,
        baselines: &mut Baselines,
    ) -> Result<(), String> {
        if let Some((other, _, _)) = self.0.iter().find(|(_, known, _)| *known == key) {
            let other = other.display();
            return Err(format!("it is for the same model and version as {other}"));
        }
        baselines
            .set(key.clone(), Arc::clone(&baseline))
            .map_err(|error| error.to_string())?;
        self.0.push((path.to_owned(), key, baseline));
        Ok(())
    }

    /// Those that were set, then these: all before the first prediction, or windows of before the restart
    /// would be compared with nothing.
    pub(super) fn behind(&self, set: &Baselines) -> Baselines {
        let all = set.before(&self.baselines());
        all.unwrap_or_else(|_| set.clone())
    }

    /// All of them.
    pub(super) fn baselines(&self) -> Baselines {
        let mut baselines = Baselines::new();
        for (_, key, baseline) in &self.0 {
            // there was room when they were read
            let _ = baselines.set(key.clone(), Arc::clone(baseline));
        }
        baselines
    }
}

/// Tells the log.
pub(super) fn report(problems: &[Problem]) {
    for Problem { key, message } in problems {
        tracing::warn!(
            key = key.as_str(),
            reason = message.as_str(),
            "baseline file refused"
        );
    }
}

/// Warns of those that the agent would run without.
pub(super) fn examine(config: &Config, findings: &mut Findings<'_>) {
    let (_, problems) = BaselineFiles::read(config, &BaselineFiles::default());
    for Problem { key, message } in problems {
        findings.warn(&key, message);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::Timestamp;

    use super::*;
    use crate::config;

    fn baseline(of: &[f64]) -> Baseline {
        Baseline::of_confidences(of.iter().copied(), 10, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn key(model: &str) -> Key {
        Key {
            model: Some(model.to_owned()),
            version: None,
        }
    }

    fn models(files: &BaselineFiles) -> Vec<String> {
        let baselines = files.baselines();
        let keys = baselines.iter().map(|(key, _)| key.model.clone());
        keys.map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn whole_files_are_read_and_of_each_other_the_key_and_the_reason_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config::defaults();
        let mut put = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            config.drift.baseline_files.push(path);
        };
        let a = file::render(&key("a"), &baseline(&[0.5]));
        put("a", &a);
        put("damaged", &a[..a.len() - 3]);
        put("again", &a);
        put("b", &file::render(&key("b"), &baseline(&[0.6])));
        config.drift.baseline_files.push("/nowhere/c".into());
        let (files, problems) = BaselineFiles::read(&config, &BaselineFiles::default());
        assert_eq!(models(&files), ["a", "b"]);
        let told = problems.iter().map(|p| format!("{} {}", p.key, p.message));
        let told: Vec<_> = told.collect();
        for (told, (place, reason)) in told.iter().zip([
            (1, "damaged is refused: its checksum is wrong"),
            (
                2,
                "again is refused: it is for the same model and version as",
            ),
            (
                4,
                "/nowhere/c is refused: it cannot be read: entity not found",
            ),
        ]) {
            let key = format!("drift.baseline_files[{place}] ");
            assert!(told.starts_with(&key) && told.contains(reason), "{told}");
        }
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn what_was_read_of_a_file_stays_while_it_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut config = config::defaults();
        config.drift.baseline_files.push(path.clone());
        fs::write(&path, file::render(&key("a"), &baseline(&[0.5]))).unwrap();
        let (before, _) = BaselineFiles::read(&config, &BaselineFiles::default());
        fs::write(&path, "{}").unwrap();
        let (files, problems) = BaselineFiles::read(&config, &before);
        assert_eq!((&files, problems.len()), (&before, 1));
        config.drift.baseline_files.clear();
        let (files, problems) = BaselineFiles::read(&config, &before);
        assert_eq!((models(&files).len(), problems.len()), (0, 0));
    }
}
