//! Windows of labels over a restart: a file beside the predictions, which says up to which label it stands.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::models::State;

const NAME: &str = "feedback-windows.json";
const TEMPORARY: &str = "feedback-windows.json.tmp";
/// Largest file that is read: twice what the largest windows make.
const LARGEST: u64 = 1 << 30;

/// What was written down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct States {
    /// The place of the last label that is in it.
    pub(super) order: u64,
    pub(super) models: Vec<State>,
}

/// What was written down in `dir`; `Err` holds where a damaged file was moved.
///
/// # Errors
/// It is damaged, or the disk refuses.
pub(super) fn load(dir: &Path) -> Result<Option<States>, Damaged> {
    let path = dir.join(NAME);
    let damaged = |reason: io::Error| {
        let kept = super::store::set_aside(&path).unwrap_or_else(|_| path.clone());
        Damaged { kept, reason }
    };
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(error)),
        Ok(file) if file.len() > LARGEST => {
            return Err(damaged(io::Error::from(io::ErrorKind::FileTooLarge)));
        }
        Ok(_) => {}
    }
    let text = fs::read(&path).map_err(damaged)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| damaged(error.into()))
}

/// A file that was refused.
#[derive(Debug)]
pub(super) struct Damaged {
    pub(super) kept: PathBuf,
    pub(super) reason: io::Error,
}

/// Puts `states` in the place of what was written down before, all of them or none.
///
/// # Errors
/// What was there before is there still.
pub(super) fn save(dir: &Path, states: &States) -> io::Result<()> {
    let (path, temporary) = (dir.join(NAME), dir.join(TEMPORARY));
    let text = serde_json::to_vec(states)?;
    let mut file = File::create(&temporary)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    File::open(dir)?.sync_all()
}
