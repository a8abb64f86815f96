//! Notices that a file has changed, by reading it once a second.
//!
//! What counts is the content, so it is the same whether an editor writes in place or renames, or
//! Kubernetes swaps the symlink `..data` of a mounted `ConfigMap` (where watching by inotify needs
//! a watch for each link on the way, and misses network file systems).

use std::{
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::time::{Interval, MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(1);

/// Largest part of a file that is looked at.
const MAX: u64 = 1 << 20;

/// Watches files from the moment it is made: make it before they are read for use.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    /// As it was when a change was last reported.
    reported: Digests,
    /// As it was at the last look.
    seen: Digests,
    tick: Interval,
}

/// One for each file; `None` where it cannot be read.
type Digests = Vec<Option<[u8; 32]>>;

impl Watch {
    /// Watches `paths`: the configuration file, and the token file if there is one. Needs the
    /// runtime of the caller.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self::with_interval(paths, EVERY)
    }

    fn with_interval(paths: impl IntoIterator<Item = PathBuf>, every: Duration) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let digests = digests(&paths);
        let mut tick = interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            paths,
            reported: digests.clone(),
            seen: digests,
            tick,
        }
    }

    /// Resolves when a file has new content that is the same at two looks, so that a half-written
    /// one is left alone. A file that is gone is no new content: it is waited for. Without paths it
    /// never resolves. Nothing is missed when it is dropped before it resolves.
    pub async fn changed(&mut self) {
        loop {
            self.tick.tick().await;
            let paths = self.paths.clone();
            // a network file system may keep a read waiting: not on the thread of the caller
            let Ok(now) = tokio::task::spawn_blocking(move || digests(&paths)).await else {
                continue;
            };
            let seen = std::mem::replace(&mut self.seen, now.clone());
            let mut is_changed = false;
            // each file on its own: one that is gone must not hide a change of another
            for ((now, seen), reported) in now.into_iter().zip(seen).zip(&mut self.reported) {
                let is_stable = now.is_some() && now == seen;
                if is_stable && now != *reported {
                    *reported = now;
                    is_changed = true;
                }
            }
            if is_changed {
                return;
            }
        }
    }
}

fn digests(paths: &[PathBuf]) -> Digests {
    paths.iter().map(|path| digest(path).ok()).collect()
}

fn digest(path: &PathBuf) -> io::Result<[u8; 32]> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX).read_to_end(&mut content)?;
    Ok(Sha256::digest(&content).into())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use tokio::time::timeout;

    use super::*;

    const FAST: Duration = Duration::from_millis(5);

    fn watch(path: &Path) -> Watch {
        Watch::with_interval([path.to_owned()], FAST)
    }

    async fn notices(watch: &mut Watch) -> bool {
        timeout(Duration::from_secs(10), watch.changed())
            .await
            .is_ok()
    }

    async fn stays_quiet(watch: &mut Watch) -> bool {
        timeout(FAST * 20, watch.changed()).await.is_err()
    }

    #[tokio::test]
    async fn a_file_that_is_gone_does_not_hide_a_change_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (token, config) = (dir.path().join("token"), dir.path().join("a.yaml"));
        fs::write(&token, "secret").unwrap();
        fs::write(&config, "a: 1").unwrap();
        let mut watch = Watch::with_interval([config.clone(), token.clone()], FAST);
        fs::remove_file(&token).unwrap();
        fs::write(&config, "a: 2").unwrap();
        timeout(Duration::from_mins(1), watch.changed())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn new_content_is_noticed_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "a").unwrap();
        let mut watch = watch(&path);
        assert!(stays_quiet(&mut watch).await);
        fs::write(&path, "b").unwrap();
        assert!(notices(&mut watch).await);
        assert!(stays_quiet(&mut watch).await);
    }

    #[tokio::test]
    async fn a_swapped_symlink_of_a_config_map_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (version, text) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("a.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/a.yaml", at("a.yaml")).unwrap();
        let mut watch = watch(&at("a.yaml"));
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        fs::remove_dir_all(at("..1")).unwrap();
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn a_file_that_is_renamed_into_place_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "a").unwrap();
        let mut watch = watch(&path);
        fs::write(dir.path().join("a.yaml~"), "b").unwrap();
        fs::rename(dir.path().join("a.yaml~"), &path).unwrap();
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "a").unwrap();
        let mut watch = watch(&path);
        fs::remove_file(&path).unwrap();
        assert!(stays_quiet(&mut watch).await);
        fs::write(&path, "a").unwrap();
        assert!(stays_quiet(&mut watch).await);
        fs::write(&path, "b").unwrap();
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn a_file_that_is_still_being_written_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        fs::write(&path, "").unwrap();
        let mut watch = Watch::with_interval([path.clone()], Duration::from_millis(50));
        let writing = async {
            for length in 1..30 {
                fs::write(&path, "x".repeat(length)).unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = watch.changed() => panic!("noticed while it was growing"),
            () = writing => {}
        }
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn without_a_file_there_is_nothing_to_notice() {
        let mut watch = Watch::with_interval(None, FAST);
        assert!(stays_quiet(&mut watch).await);
    }
}
