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
    baselines: Baselines,
    /// `None` keeps baselines in memory only.
    store: Option<Arc<Store>>,
    observer: Handle,
}

/// Why a change was not made. The baselines before it stay in use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unchanged {
    #[error(transparent)]
    Refused(#[from] BaselineError),
    #[error("no baseline was set for exactly this model and version")]
    Missing,
    #[error("the baseline could not be saved, the one before stays in use")]
    NotSaved(#[from] StoreError),
    #[error("the baseline could not be saved: its writer panicked")]
    Panicked,
    #[error(transparent)]
    Observer(#[from] Unavailable),
}

impl Keeper {
    /// Begins with what `store` holds.
    pub fn new(baselines: Baselines, store: Option<Arc<Store>>, observer: Handle) -> Self {
        Self {
            baselines,
            store,
            observer,
        }
    }

    /// Sets the baseline of `key`.
    pub(super) async fn set(&mut self, key: Key, baseline: Baseline) -> Result<(), Unchanged> {
        let mut baselines = self.baselines.clone();
        baselines.set(key, baseline)?;
        self.replace(baselines).await
    }

    /// Takes the baseline of `key` away.
    pub(super) async fn remove(&mut self, key: &Key) -> Result<(), Unchanged> {
        let mut baselines = self.baselines.clone();
        baselines.remove(key).ok_or(Unchanged::Missing)?;
        self.replace(baselines).await
    }

    /// Where windows are kept; `None`: nowhere.
    pub fn store(&self) -> Option<Arc<Store>> {
        self.store.clone()
    }

    async fn replace(&mut self, baselines: Baselines) -> Result<(), Unchanged> {
        self.save(&baselines).await?;
        if let Err(error) = self.observer.use_baselines(baselines.clone()).await {
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
