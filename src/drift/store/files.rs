//! What is done to the folder: each step leaves every baseline whole.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::drift::{
    Key,
    baseline::hexadecimal,
    file::{self, TEMPORARY},
};

/// The name of the file of `kind` that belongs to `key`: a model's name may hold what a file's must not.
pub(super) fn name(kind: &str, key: &Key) -> String {
    let mut sha = Sha256::new();
    for part in [&key.model, &key.version] {
        // The length keeps apart what would read the same, and a name that is empty from none.
        let length = part.as_ref().map_or(u64::MAX, |text| text.len() as u64);
        sha.update(length.to_le_bytes());
        sha.update(part.as_deref().unwrap_or_default());
    }
    format!(
        "{kind}{}{SUFFIX}",
        hexadecimal(&sha.finalize()[..DIGITS / 2])
    )
}

/// Baselines.
pub(super) const BASELINE: &str = "baseline-";
/// Windows of what passes.
pub(super) const WINDOWS: &str = "windows-";
const SUFFIX: &str = ".json";
const DIGITS: usize = 24;

/// Whether a file of this name is taken for one of `kind`.
fn is_name(kind: &str, name: &str) -> bool {
    let digits = name.strip_prefix(kind).and_then(|n| n.strip_suffix(SUFFIX));
    digits.is_some_and(|d| d.len() == DIGITS && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Names of the files of `kind` in the folder, sorted; unfinished ones are removed where that `is_allowed`.
pub(super) fn ours(kind: &str, dir: &Path, is_allowed: bool) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::io("read", dir))? {
        let entry = entry.map_err(StoreError::io("read", dir))?;
        // A name that is not text is not ours.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if is_name(kind, &name) {
            names.push(name);
        } else if is_allowed
            && name
                .strip_suffix(TEMPORARY)
                .is_some_and(|name| is_name(kind, name))
        {
            fs::remove_file(entry.path()).map_err(StoreError::io("remove", &entry.path()))?;
        }
    }
    names.sort();
    Ok(names)
}

/// Puts `bytes` in the place of the file `name`, all of them or none.
pub(super) fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = dir.join(name);
    file::replace(&path, bytes).map_err(StoreError::io("write", &path))
}

/// A rename or removal lasts once the folder is on the disk.
fn synchronize(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes the file `name`; that there is none is as good.
pub(super) fn remove(dir: &Path, name: &str) -> Result<(), StoreError> {
    let path = dir.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => synchronize(dir),
    }
    .map_err(StoreError::io("remove", &path))
}

/// Moves a file to the first free `*.damaged-<n>` beside it.
pub(super) fn set_aside(file: &Path) -> Result<PathBuf, StoreError> {
    let mut n = 1;
    let kept = loop {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".damaged-{n}"));
        let candidate = PathBuf::from(name);
        // Not `exists`: a dangling link is taken, too.
        if candidate.symlink_metadata().is_err() {
            break candidate;
        }
        n += 1;
    };
    fs::rename(file, &kept).map_err(StoreError::io("move aside", file))?;
    Ok(kept)
}
