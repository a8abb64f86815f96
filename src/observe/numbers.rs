//! Which models give values: what one answer cannot tell, several can.
//!
//! A regressor whose `[250000.5]` is a value would have its next `[200]` counted as a class. Once a
//! model behind a route gave a value, its whole numbers there are values too, unless the route says
//! what they are. Bounded: the model that was remembered first leaves, until its next value.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::cardinality::OTHER;
use crate::{
    capture::Exchange,
    config::{self, RouteKind},
    decode::{self, Inference, Output, Prediction},
};

/// Most routes of which models are known.
const MAX_ROUTES: usize = 1024;
/// Most models and versions of one of them.
const MAX_MODELS: usize = 64;

/// A model and its version.
type Identity = (String, String);

/// Models that gave values, by route.
#[derive(Default)]
pub(super) struct Numbers {
    routes: BTreeMap<Arc<str>, VecDeque<Identity>>,
}

impl Numbers {
    /// Makes values of whole numbers without a meaning, if this model is known for values.
    pub(super) fn settle(
        &mut self,
        inference: &mut Inference,
        exchange: &Exchange,
        configured: &config::Model,
    ) {
        let outputs = || inference.outputs.iter();
        let has_values = outputs().any(|output| output.value().is_some());
        // a route that stands for many paths stands for many models
        if is_said(exchange) || &*exchange.endpoint == OTHER {
            return;
        }
        if has_values {
            let identity = decode::identity(Some(inference), exchange, configured);
            self.remember(&exchange.endpoint, identity);
        } else if outputs().any(is_open)
            && let Some(known) = self.routes.get(&exchange.endpoint)
        {
            let identity = decode::identity(Some(inference), exchange, configured);
            if is_among(known, identity) {
                inference.be_values();
            }
        }
    }

    fn remember(&mut self, endpoint: &Arc<str>, identity: (&str, &str)) {
        if let Some(known) = self.routes.get(endpoint) {
            if is_among(known, identity) {
                return;
            }
        } else if self.routes.len() >= MAX_ROUTES {
            return;
        }
        let known = self.routes.entry(Arc::clone(endpoint)).or_default();
        if known.len() >= MAX_MODELS {
            known.pop_front();
        }
        known.push_back((identity.0.to_owned(), identity.1.to_owned()));
    }
}

fn is_among(known: &VecDeque<Identity>, (model, version): (&str, &str)) -> bool {
    known.iter().any(|(m, v)| m == model && v == version)
}

/// Whether the route says what numbers are.
fn is_said(exchange: &Exchange) -> bool {
    let route = exchange.route.as_deref();
    route.is_some_and(|route| {
        route.kind != RouteKind::Predict
            || route.positive_class.is_some()
            || !route.classes.is_empty()
    })
}

/// Whether it is a number that could be a value as well.
fn is_open(output: &Output) -> bool {
    matches!(output.prediction, Prediction::Index(_)) && output.confidence().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::route::Route;

    /// What an answer of `model` means once `numbers` saw it.
    fn settled(numbers: &mut Numbers, model: &str, prediction: Prediction) -> Prediction {
        settled_on(
            numbers,
            &Exchange::example("/price", "", ""),
            model,
            prediction,
        )
    }

    fn settled_on(
        numbers: &mut Numbers,
        exchange: &Exchange,
        model: &str,
        prediction: Prediction,
    ) -> Prediction {
        let mut inference = Inference {
            model: Some(model.to_owned()),
            outputs: vec![Output::from(prediction)],
            ..Inference::default()
        };
        numbers.settle(&mut inference, exchange, &config::defaults().model);
        inference.outputs.remove(0).prediction
    }

    #[test]
    fn whole_numbers_of_a_model_that_gave_a_value_are_values_from_then_on() {
        let mut numbers = Numbers::default();
        let (index, value) = (Prediction::Index(200), Prediction::Value(200.0));
        assert_eq!(settled(&mut numbers, "m", index.clone()), index);
        settled(&mut numbers, "m", Prediction::Value(0.5));
        assert_eq!(settled(&mut numbers, "m", index.clone()), value);
        assert_eq!(settled(&mut numbers, "other", index.clone()), index);
        let elsewhere = Exchange::example("/rate", "", "");
        assert_eq!(
            settled_on(&mut numbers, &elsewhere, "m", index.clone()),
            index
        );
        let mut said = Exchange::example("/price", "", "");
        said.route = Some(Arc::new(Route {
            kind: RouteKind::Classify,
            ..Route::new("/price")
        }));
        assert_eq!(settled_on(&mut numbers, &said, "m", index.clone()), index);
    }

    #[test]
    fn a_class_that_has_a_probability_or_a_name_stays_one() {
        let mut numbers = Numbers::default();
        settled(&mut numbers, "m", Prediction::Value(0.5));
        let exchange = Exchange::example("/price", "", "");
        let sure = Output::new(Prediction::Index(1), Some(0.75));
        let mut inference = Inference {
            model: Some("m".to_owned()),
            outputs: vec![sure.clone(), Output::from(Prediction::Bool(true))],
            ..Inference::default()
        };
        numbers.settle(&mut inference, &exchange, &config::defaults().model);
        assert_eq!(inference.outputs[0], sure);
        assert_eq!(inference.outputs[1].prediction, Prediction::Bool(true));
    }

    #[test]
    fn what_is_remembered_is_bounded_however_many_models_and_routes_there_are() {
        let mut numbers = Numbers::default();
        for i in 0..2000 {
            let name = i.to_string();
            settled(&mut numbers, &name, Prediction::Value(0.5));
            let exchange = Exchange::example(&format!("/{i}"), "", "");
            settled_on(&mut numbers, &exchange, "m", Prediction::Value(0.5));
        }
        assert_eq!(numbers.routes.len(), MAX_ROUTES);
        assert_eq!(numbers.routes["/price"].len(), MAX_MODELS);
    }
}
