//! Panics on purpose, for `tests/panics.rs`: nothing without the feature `inject-panics`.

/// A place that panics on every n-th call where the variable `INJECT_PANICS` says `place=n`.
#[cfg(not(feature = "inject-panics"))]
#[inline]
pub(crate) const fn hook(_place: &str) {}

#[cfg(feature = "inject-panics")]
pub(crate) fn hook(place: &str) {
    use std::{
        collections::HashMap,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    static PLACES: OnceLock<HashMap<String, (u64, AtomicU64)>> = OnceLock::new();
    let places = PLACES.get_or_init(|| {
        let said = std::env::var("INJECT_PANICS").unwrap_or_default();
        let places = said.split(',').filter_map(|place| place.split_once('='));
        let counted = |every: &str| (every.parse().expect("a number"), AtomicU64::new(0));
        places
            .map(|(place, every)| (place.to_owned(), counted(every)))
            .collect()
    });
    if let Some((every, calls)) = places.get(place) {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(!call.is_multiple_of(*every), "injected in {place}");
    }
}
