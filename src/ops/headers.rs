//! What every answer of the operator's port tells browsers, the port's own refusals included.
//!
//! A page that is served from here can do what its reader may: it must not be framed by another,
//! taken for another type, or kept. Programs that scrape or probe look at none of this.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The policy of what is no page: nothing runs, nothing loads, nobody frames it.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Fields of every answer.
const FIELDS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, NO_PAGE),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // figures of a moment ago are no figures
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// Puts them on; a route that sets one itself, such as a page its policy, knows better.
pub(super) fn put(fields: &mut HeaderMap) {
    for (name, value) in FIELDS {
        fields.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_sets_a_field_itself_keeps_it() {
        let own = HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'");
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_SECURITY_POLICY, own.clone());
        put(&mut fields);
        assert_eq!(fields[header::CONTENT_SECURITY_POLICY], own);
        assert_eq!(fields.len(), FIELDS.len());
    }
}
