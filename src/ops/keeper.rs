//! Baselines as they were last set, and where they outlive the process.

use std::sync::Arc;

use crate::{
    drift::{Baseline, BaselineError, Baselines, Key, Store, StoreError},
    observe::command::{Handle, Unavailable},
};

/// The baselines in use.
///
/// Behind one lock, which nothing on the path or in the observer takes: a change is saved before
/// it is used, so what is in use is always what a restart would find.
#[derive(Debug)]
pub struct Keeper {
    /// Those that were posted or captured.
    baselines: Baselines,
    /// Those of `drift.baseline_files`.
    files: Baselines,
    /// `None` keeps baselines in memory only.
    store: Option<Arc<Store>>,
    observer: Handle,
}

/// Why a change was not made. The baselines before it stay in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unchanged {
    /// It is no baseline, or there is no room for it.
    #[error(transparent)]
    Refused(#[from] BaselineError),
    /// There is nothing to take away.
    #[error("no baseline was set for exactly this model and version")]
    Missing,
    /// Somebody has set one while it was captured.
    #[error("there is a baseline for this model and version already")]
    Taken,
    /// It is not ours to take away.
    #[error("this baseline is one of drift.baseline_files: take it out there")]
    OfFile,
    /// The disk refused.
    #[error("the baseline could not be saved, the one before stays in use")]
    NotSaved(#[from] StoreError),
    /// Saving panicked.
    #[error("the baseline could not be saved: its writer panicked")]
    Panicked,
    /// It would not be used.
    #[error(transparent)]
    Observer(#[from] Unavailable),
}

impl Keeper {
    /// Begins with what `store` holds.
    pub fn new(baselines: Baselines, store: Option<Arc<Store>>, observer: Handle) -> Self {
        Self {
            baselines,
            files: Baselines::new(),
            store,
            observer,
        }
    }

    /// Uses those of `drift.baseline_files`, in place of others that were.
    ///
    /// # Errors
    /// When there are too many together, or the observer does not take them: the others stay.
    pub async fn use_files(&mut self, files: Baselines) -> Result<(), Unchanged> {
        let all = self.baselines.before(&files)?;
        self.observer.use_baselines(all).await?;
        self.files = files;
        Ok(())
    }

    /// Those in use.
    pub(super) fn all(&self) -> Baselines {
        // there was room when each was set
        let all = self.baselines.before(&self.files);
        all.unwrap_or_else(|_| self.baselines.clone())
    }

    /// Whether the baseline of `key` is one of `drift.baseline_files`.
    pub(super) fn is_of_file(&self, key: &Key) -> bool {
        self.files.has(key) && !self.baselines.has(key)
    }

    /// Sets the baseline of `key`.
    pub(super) async fn set(&mut self, key: Key, baseline: Baseline) -> Result<(), Unchanged> {
        let mut baselines = self.baselines.clone();
        baselines.set(key, baseline)?;
        self.replace(baselines).await
    }

    /// Sets what was captured as the baseline of `key`, unless one fits it by now.
    pub(super) async fn set_captured(
        &mut self,
        key: Key,
        baseline: Baseline,
    ) -> Result<(), Unchanged> {
        let (model, version) = (key.model.as_deref(), key.version.as_deref());
        let is_taken = (self.all()).fits(model.unwrap_or_default(), version.unwrap_or_default());
        if is_taken {
            return Err(Unchanged::Taken);
        }
        self.set(key, baseline).await
    }

    /// Takes the baseline of `key` away.
    pub(super) async fn remove(&mut self, key: &Key) -> Result<(), Unchanged> {
        if self.is_of_file(key) {
            return Err(Unchanged::OfFile);
        }
        let mut baselines = self.baselines.clone();
        baselines.remove(key).ok_or(Unchanged::Missing)?;
        self.replace(baselines).await
    }

    /// Where windows are kept; `None`: nowhere.
    pub fn store(&self) -> Option<Arc<Store>> {
        self.store.clone()
    }

    async fn replace(&mut self, baselines: Baselines) -> Result<(), Unchanged> {
        let all = baselines.before(&self.files)?;
        self.save(&baselines).await?;
        if let Err(error) = self.observer.use_baselines(all).await {
            // as it was, so that a restart finds what is in use; it could be saved a moment ago
            self.save(&self.baselines).await?;
            return Err(error.into());
        }
        self.baselines = baselines;
        Ok(())
    }

    async fn save(&self, baselines: &Baselines) -> Result<(), Unchanged> {
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let baselines = baselines.clone();
        let saving = tokio::task::spawn_blocking(move || store.save(&baselines));
        saving.await.map_err(|_| Unchanged::Panicked)??;
        Ok(())
    }
}
