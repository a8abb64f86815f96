//! One vector, where one item was asked about: `[0.1, 0.2, 0.7]` is three items or the probabilities
//! of one, and only the request tells.

use super::{Decoder, Pair, meaning::Raw, torchserve};
use crate::config::RouteKind;

/// Numbers of several items as the vector of the only one, if that is what they are: a distribution,
/// scores of classes as the route says, or what answers a request that is always one.
pub(super) fn settle(decoder: &Decoder, pair: &Pair<'_>, raw: Raw) -> Raw {
    if !raw.is_flat() {
        return raw;
    }
    let is_one = if decoder.format == torchserve::DECODER.format {
        rows(decoder, pair, None) == 1
    } else if raw.is_distribution() {
        asks_about_one(decoder, pair) || is_told_by_count(decoder, pair, &raw)
    } else {
        // what has a fraction is no class
        is_of(pair, RouteKind::Classify) && raw.has_fractions() && asks_about_one(decoder, pair)
            || has_scores(pair) && is_told_by_count(decoder, pair, &raw)
    };
    if is_one { raw.into_vector() } else { raw }
}

/// Whether a list of numbers under a usual name was sent: one item, where nothing says otherwise.
fn asks_about_one(decoder: &Decoder, pair: &Pair<'_>) -> bool {
    decoder.is_anywhere && pair.shape().is_ok_and(|shape| shape.vouches_for(1))
}

/// Whether the request cannot be of as many items, but of one.
fn is_told_by_count(decoder: &Decoder, pair: &Pair<'_>, raw: &Raw) -> bool {
    let items = raw.items();
    rows(decoder, pair, Some(items)) != items && rows(decoder, pair, Some(1)) == 1
}

/// Whether the route says that numbers are scores of classes.
fn has_scores(pair: &Pair<'_>) -> bool {
    is_of(pair, RouteKind::Classify) || is_of(pair, RouteKind::Probabilities)
}

fn is_of(pair: &Pair<'_>, kind: RouteKind) -> bool {
    let route = pair.exchange.route.as_deref();
    route.is_some_and(|route| route.kind == kind)
}

/// Rows of the request, given so many items; 0: not known.
fn rows(decoder: &Decoder, pair: &Pair<'_>, items: Option<usize>) -> usize {
    let asked = (decoder.request)(pair, items).ok().flatten();
    asked.map_or(0, |asked| asked.table.rows())
}
