//! Labels put together with the rest: the thread, and what of it a scrape shows.

use std::sync::Arc;

use super::{Config, Metrics, Store, Table, catalogue};
use crate::{
    feedback::{self, Feedback, Offer, Settings},
    observe::labels,
};

/// Begins to keep predictions, where `feedback.enabled` says so. A state folder that cannot be written is
/// none.
pub(super) fn start(
    config: &Config,
    store: Option<&Store>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Option<Feedback>> {
    if !config.feedback.enabled {
        return Ok(None);
    }
    let mut settings = Settings::new(config);
    let is_lasting = store.is_some_and(|store| !store.is_read_only());
    if !is_lasting {
        settings.dir = None;
        tracing::info!("predictions wait for labels in memory only; set state.dir to keep them");
    }
    let panics = metrics.counter(&catalogue::PANICS, &[feedback::THREAD]);
    let feedback = feedback::start(settings, panics)?;
    let shown = Arc::clone(&feedback.shown);
    metrics.add_collector(move |table: &mut Table| labels::push(table, &shown));
    Ok(Some(feedback))
}

/// Where the observer offers predictions.
pub(super) fn offer(feedback: Option<&Feedback>) -> Offer {
    feedback.map_or_else(Offer::default, |feedback| feedback.offer.clone())
}
