//! What the probes answer from: whether the model is loaded and whether the data threads live.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

/// What the upstream last said of its model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelState {
    /// Whether it is loaded; false until the upstream said so.
    pub loaded: bool,
    /// Its version, where the upstream or the traffic told one.
    pub version: Option<String>,
}

/// Shared by the prober, which writes, and the probes, which read.
#[derive(Debug, Default)]
pub struct Health {
    model: Mutex<ModelState>,
    threads: Mutex<Vec<Handle>>,
}

impl Health {
    /// Data threads that `/ready` asks for a sign of life.
    pub fn watch_threads(&self, threads: Vec<Handle>) {
        *lock(&self.threads) = threads;
    }

    /// What the upstream last said.
    pub fn model(&self) -> ModelState {
        lock(&self.model).clone()
    }

    /// Takes what the upstream says now; true when it differs from before.
    pub fn set_model(&self, state: ModelState) -> bool {
        let mut model = lock(&self.model);
        let changed = *model != state;
        *model = state;
        changed
    }

    /// Whether every data thread runs a task within `patience`.
    pub async fn data_threads_answer(&self, patience: Duration) -> bool {
        let asked: Vec<_> = lock(&self.threads)
            .iter()
            .map(|t| t.spawn(async {}))
            .collect();
        let all = async {
            for answer in asked {
                if answer.await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(patience, all).await.unwrap_or(false)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_run_its_tasks_is_noticed() {
        let stuck = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let asking = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let health = Health::default();
        let patience = Duration::from_millis(20);
        assert!(
            asking.block_on(health.data_threads_answer(patience)),
            "no thread, none missing"
        );
        health.watch_threads(vec![asking.handle().clone()]);
        assert!(asking.block_on(health.data_threads_answer(Duration::from_mins(1))));
        health.watch_threads(vec![stuck.handle().clone()]);
        assert!(!asking.block_on(health.data_threads_answer(patience)));
    }

    #[test]
    fn a_change_of_the_model_is_reported_once() {
        let health = Health::default();
        let loaded = ModelState {
            loaded: true,
            version: Some("1.0.0".to_owned()),
        };
        assert!(health.set_model(loaded.clone()));
        assert!(!health.set_model(loaded));
    }
}
