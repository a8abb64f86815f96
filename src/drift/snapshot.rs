//! What is known of one version of a model, to go on after a restart.

use serde::{Deserialize, Serialize};

use super::{
    DamageReason, Key, KsWindow, Unmatched, clock::Clock, ks_window::Lacking,
    quality::QualityState, sealed, series::WindowsState,
};

/// What such a file says that it is.
const KIND: &str = "sidelight_windows";
/// Changes when an older agent could no longer read the file.
const VERSION: u64 = 3;
/// The oldest that is read: without `lacking` and `unmatched`.
const OLDEST: u64 = 2;

/// One version of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// [`Baseline::hash`](super::Baseline::hash) of what it was compared with.
    pub baseline: String,
    /// When it predicted last, in seconds since 1970.
    #[serde(default)]
    pub last: f64,
    /// Scheduled checks since then.
    #[serde(default)]
    pub quiet: u32,
    /// The last confidences, oldest first.
    pub recent: Vec<f64>,
    /// Which of the last predictions had none.
    #[serde(default)]
    pub lacking: Lacking,
    /// What of its traffic the baseline does not have.
    #[serde(default)]
    pub unmatched: Unmatched,
    /// Its series.
    pub series: Vec<SeriesState>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesState {
    pub(super) label: String,
    pub(super) windows: WindowsState,
    pub(super) counts: Vec<u64>,
    pub(super) quality: Option<QualityState>,
    pub(super) clock: Clock,
    pub(super) since: f64,
    pub(super) is_matched: bool,
}

impl Snapshot {
    /// Whose it is.
    pub fn key(&self) -> Key {
        Key {
            model: Some(self.model.clone()),
            version: Some(self.version.clone()),
        }
    }

    /// Brings a window that is empty to where it was.
    pub fn refill(&mut self, window: &mut KsWindow) {
        let recent = std::mem::take(&mut self.recent);
        window.restore(recent, std::mem::take(&mut self.lacking));
    }

    /// The whole file.
    ///
    /// # Panics
    /// Never: all of it is strings and numbers.
    pub fn render(&self) -> Vec<u8> {
        let mut contents = serde_json::to_vec(self).expect("strings and numbers are JSON");
        contents.push(b'\n');
        sealed::seal(KIND, VERSION, &contents)
    }

    /// What [`Self::render`] wrote.
    ///
    /// # Errors
    /// When it is not exactly as written.
    pub fn parse(text: &[u8]) -> Result<Self, DamageReason> {
        let (_, contents) = sealed::open(KIND, OLDEST..=VERSION, text)?;
        serde_json::from_slice(contents).map_err(|_| DamageReason::Contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_version_before_is_read() {
        let contents = r#"{"model":"m","version":"1","baseline":"00","last":7.5,"quiet":3,"recent":[0.5],"series":[]}"#;
        let snapshot = Snapshot::parse(&sealed::seal(KIND, OLDEST, contents.as_bytes())).unwrap();
        assert_eq!(
            (snapshot.recent, snapshot.lacking, snapshot.unmatched),
            (vec![0.5], Lacking::default(), Unmatched::default())
        );
    }
}
