//! What was seen of each model, what of it is not known, and the line that would tell: `GET /models`.
//!
//! Bounded as labels are: names beyond a bound are `other` before they come here.

mod advice;
mod edges;

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use self::advice::Missing;
use super::board::{GAPS, Gap};
use crate::{
    capture::Exchange,
    config::{self, RouteKind},
    decode::{Column, Inference, Name, Prediction, Scalar, Source, Values},
};

/// Most routes and formats of one model that are listed.
const MAX_ENTRIES: usize = 32;
/// Reason of a body that was too long to be kept.
pub(super) const TOO_LONG: &str = "too_long";
/// Most features of one of these.
const MAX_FEATURES: usize = 200;

/// What was seen so far.
pub(super) struct Models {
    bounds: config::Metrics,
    known: BTreeMap<String, Vec<Entry>>,
    unread: BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>,
    not_listed: u64,
}

/// A model behind one route in one format.
struct Entry {
    route: Arc<str>,
    format: &'static str,
    /// In the order of their last item, bounded.
    versions: Vec<String>,
    exchanges: u64,
    items: u64,
    features: Vec<Feature>,
    /// Most features of one exchange that were not among these.
    more_features: usize,
    unknown: Unknown,
}

/// Items or exchanges of which something is not known.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Unknown {
    confidence: u64,
    class: u64,
    /// Of these, answers with texts instead.
    texts: u64,
    /// Classes that are numbers without a name, and the largest of them.
    class_name: u64,
    largest_class: i64,
    features: u64,
    model: u64,
    /// Values whose histogram has no edges of its route, and their range.
    edges: u64,
    values: Option<(f64, f64)>,
    /// Values that are whole numbers, of which no route says that they are values.
    whole: u64,
    /// What the route of the last exchange says that answers are.
    kind: RouteKind,
    /// Answers whose classes are places of the largest scores, which no path leads to.
    argmax: u64,
}

/// How many values of each kind a feature had.
struct Feature {
    name: Name,
    numeric: u64,
    categorical: u64,
    boolean: u64,
    missing: u64,
}

/// The answer to `GET /models`.
#[derive(Debug, Serialize)]
pub struct Listing {
    models: Vec<ModelSeen>,
    unread: Vec<UnreadRoute>,
    /// Exchanges of models, routes and formats beyond the bounds of this list.
    not_listed: u64,
}

#[derive(Debug, Serialize)]
struct ModelSeen {
    model: String,
    versions: Vec<String>,
    format: &'static str,
    route: String,
    exchanges: u64,
    items: u64,
    features: Vec<FeatureSeen>,
    /// How many more than are listed one exchange had, at most.
    more_features: usize,
    missing: Vec<Missing>,
}

#[derive(Debug, Serialize)]
struct FeatureSeen {
    /// `None`: it is known by its position alone.
    name: Option<String>,
    position: Option<usize>,
    kind: &'static str,
    /// Rows that lack it, of those whose features are kept.
    missing: u64,
}

/// Things that are not known, of all models.
#[derive(Debug)]
pub struct Gaps {
    /// The first of them.
    pub list: Vec<Gap>,
    /// How many there are beyond.
    pub left_out: usize,
}

/// Routes whose bodies were not read.
#[derive(Debug)]
pub struct Unread {
    /// The first of them.
    pub list: Vec<UnreadRoute>,
    /// How many there are beyond.
    pub left_out: usize,
}

/// Bodies of one route that were not read.
#[derive(Debug, Serialize)]
pub struct UnreadRoute {
    route: String,
    exchanges: u64,
    reasons: BTreeMap<&'static str, u64>,
    configure: Option<String>,
}

impl Models {
    pub(super) fn new(bounds: config::Metrics) -> Self {
        Self {
            bounds,
            known: BTreeMap::new(),
            unread: BTreeMap::new(),
            not_listed: 0,
        }
    }

    /// Goes by other bounds from the next exchange on.
    pub(super) fn set_bounds(&mut self, bounds: config::Metrics) {
        self.bounds = bounds;
    }

    /// Takes one answer; `model` and `version` as in their labels.
    pub(super) fn saw(
        &mut self,
        inference: &Inference,
        exchange: &Exchange,
        (model, version): (&str, &str),
    ) {
        let Some(entry) = self.entry(model, &exchange.endpoint, inference.format) else {
            self.not_listed += 1;
            return;
        };
        let entry = &mut self.known.get_mut(model).expect("it was just found")[entry];
        entry.exchanges += 1;
        entry.items += inference.outputs.len() as u64;
        entry.version(version, self.bounds.max_versions);
        entry.features(&inference.features);
        entry.unknown.count(inference, exchange);
    }

    /// Counts an exchange whose bodies were not read.
    pub(super) fn unread(&mut self, endpoint: &Arc<str>, reason: &'static str) {
        let is_known = self.unread.contains_key(endpoint);
        // the known routes of the agent and those of the configuration, and as many learned
        if !is_known && self.unread.len() >= 2 * self.bounds.max_endpoints {
            self.not_listed += 1;
            return;
        }
        let reasons = self.unread.entry(Arc::clone(endpoint)).or_default();
        *reasons.entry(reason).or_default() += 1;
    }

    /// The place of an entry, made where there is none and room.
    fn entry(&mut self, model: &str, route: &Arc<str>, format: &'static str) -> Option<usize> {
        if !self.known.contains_key(model) {
            // one more than there may be names: other
            if self.known.len() > self.bounds.max_models {
                return None;
            }
            self.known.insert(model.to_owned(), Vec::new());
        }
        let entries = self.known.get_mut(model)?;
        let found = entries
            .iter()
            .position(|entry| entry.format == format && entry.route == *route);
        if found.is_none() && entries.len() < MAX_ENTRIES {
            entries.push(Entry::new(Arc::clone(route), format));
            return Some(entries.len() - 1);
        }
        found
    }

    /// All of it, for the operator.
    pub(super) fn listing(&self) -> Listing {
        let entries = self.known.iter().flat_map(|(model, entries)| {
            let seen = |entry: &Entry| entry.seen(model);
            entries.iter().map(seen).collect::<Vec<_>>()
        });
        Listing {
            models: entries.collect(),
            unread: self.unread_routes().collect(),
            not_listed: self.not_listed,
        }
    }

    fn unread_routes(&self) -> impl Iterator<Item = UnreadRoute> {
        self.unread.iter().map(|(route, reasons)| UnreadRoute {
            route: route.to_string(),
            exchanges: reasons.values().sum(),
            reasons: reasons.clone(),
            configure: advice::unread(route, reasons),
        })
    }

    /// What is not known of the models, a bounded number of things.
    pub(super) fn gaps(&self) -> Gaps {
        let entries = self.known.iter();
        let entries = entries.flat_map(|(model, all)| all.iter().map(move |one| (model, one)));
        let mut all = entries.flat_map(|(model, entry)| {
            let missing = advice::missing(entry).into_iter();
            missing.map(|missing| missing.of(model, &entry.route, entry.format))
        });
        let list: Vec<Gap> = all.by_ref().take(GAPS).collect();
        let left_out = all.count();
        Gaps { list, left_out }
    }

    /// Likewise, the routes that are not read.
    pub(super) fn not_read(&self) -> Unread {
        Unread {
            list: self.unread_routes().take(GAPS).collect(),
            left_out: self.unread.len().saturating_sub(GAPS),
        }
    }
}

impl Entry {
    fn new(route: Arc<str>, format: &'static str) -> Self {
        Self {
            route,
            format,
            versions: Vec::new(),
            exchanges: 0,
            items: 0,
            features: Vec::new(),
            more_features: 0,
            unknown: Unknown::default(),
        }
    }

    /// The version unused for longest leaves.
    fn version(&mut self, version: &str, most: usize) {
        if self.versions.last().is_some_and(|last| last == version) {
            return;
        }
        self.versions.retain(|known| known != version);
        if self.versions.len() >= most {
            self.versions.remove(0);
        }
        self.versions.push(version.to_owned());
    }

    fn features(&mut self, columns: &[Column]) {
        let mut more = 0;
        for (place, column) in columns.iter().enumerate() {
            // requests of one model name features in one order
            let is_it = |feature: &Feature| feature.name == column.name;
            let at = match self.features.get(place) {
                Some(feature) if is_it(feature) => Some(place),
                // of names that come in any order, so many are looked for
                _ if more < MAX_FEATURES => self.features.iter().position(is_it),
                _ => None,
            };
            match at {
                Some(at) => self.features[at].saw(&column.values),
                None if self.features.len() < MAX_FEATURES => {
                    let mut feature = Feature::new(column.name.clone());
                    feature.saw(&column.values);
                    self.features.push(feature);
                }
                None => more += 1,
            }
        }
        self.more_features = self.more_features.max(more);
    }

    fn seen(&self, model: &str) -> ModelSeen {
        ModelSeen {
            model: model.to_owned(),
            versions: self.versions.clone(),
            format: self.format,
            route: self.route.to_string(),
            exchanges: self.exchanges,
            items: self.items,
            features: self.features.iter().map(Feature::seen).collect(),
            more_features: self.more_features,
            missing: advice::missing(self),
        }
    }
}

impl Unknown {
    fn count(&mut self, inference: &Inference, exchange: &Exchange) {
        let is_stated = exchange.route.as_ref().is_some_and(|r| r.model.is_some());
        self.model += u64::from(inference.model.is_none() && !is_stated);
        self.kind = exchange
            .route
            .as_ref()
            .map_or(RouteKind::Predict, |r| r.kind);
        self.argmax += u64::from(inference.source != Source::Label);
        if inference.is_generated() {
            // a text has no class to be sure of
            return;
        }
        for output in &inference.outputs {
            match &output.prediction {
                Prediction::Value(value) => {
                    self.value(*value, exchange);
                    continue;
                }
                Prediction::Unknown => self.class += 1,
                Prediction::Index(index) => {
                    self.class_name += 1;
                    self.largest_class = self.largest_class.max(*index);
                }
                Prediction::Name(_) | Prediction::Bool(_) => {}
            }
            self.confidence += u64::from(output.confidence().is_none());
        }
        self.features += u64::from(inference.features.is_empty());
        self.texts += u64::from(inference.source == Source::Text);
    }

    fn value(&mut self, value: f64, exchange: &Exchange) {
        let route = exchange.route.as_deref();
        let is_said = route.is_some_and(|route| route.kind != RouteKind::Predict);
        self.whole += u64::from(!is_said && value.fract() == 0.0);
        if route.is_some_and(|route| route.value_edges.is_some()) {
            return;
        }
        self.edges += 1;
        let (least, most) = self.values.unwrap_or((value, value));
        self.values = Some((least.min(value), most.max(value)));
    }
}

impl Feature {
    fn new(name: Name) -> Self {
        Self {
            name,
            numeric: 0,
            categorical: 0,
            boolean: 0,
            missing: 0,
        }
    }

    fn saw(&mut self, values: &Values) {
        match values {
            Values::Numbers(numbers) => {
                let missing = numbers.iter().filter(|number| number.is_nan()).count();
                self.missing += missing as u64;
                self.numeric += (numbers.len() - missing) as u64;
            }
            Values::Mixed(values) => {
                for value in values {
                    *match value {
                        Scalar::Missing => &mut self.missing,
                        Scalar::Number(_) => &mut self.numeric,
                        Scalar::Bool(_) => &mut self.boolean,
                        Scalar::Text(_) => &mut self.categorical,
                    } += 1;
                }
            }
        }
    }

    const fn kind(&self) -> &'static str {
        match (self.numeric, self.categorical, self.boolean) {
            (1.., 0, 0) => "numeric",
            (0, 1.., 0) => "categorical",
            (0, 0, 1..) => "boolean",
            (0, 0, 0) => "unknown",
            _ => "mixed",
        }
    }

    fn seen(&self) -> FeatureSeen {
        let (name, position) = match &self.name {
            Name::Word(name) => (Some(name.as_str().to_owned()), None),
            Name::Position(place) => (None, Some(*place)),
        };
        FeatureSeen {
            name,
            position,
            kind: self.kind(),
            missing: self.missing,
        }
    }
}

#[cfg(test)]
mod tests;
