//! Where a route says that model and version are: a constant, a field, a segment of the path, a body.

use super::{Inference, Pair, classified, embeddings, generate, mapped, ranked};
use crate::{
    capture::{Exchange, exchange::Named, route::segment},
    config::{self, Identity},
};

/// Model name and version of an exchange: where its route says they are, else from the wire, else
/// the configuration.
///
/// The one place that decides it: metrics, logs, baselines and routes agree. A server of texts that echoes
/// the name which its client asks for would let any client make series: that name is none.
pub fn identity<'a>(
    inference: Option<&'a Inference>,
    exchange: &'a Exchange,
    configured: &'a config::Model,
) -> (&'a str, &'a str) {
    let (model, version) = named(inference, exchange);
    let is_echo = inference.is_some_and(|inference| ECHOES.contains(&inference.format));
    let is_stated = exchange
        .route
        .as_ref()
        .is_some_and(|route| route.model.is_some());
    let model = model.filter(|_| is_stated || !is_echo);
    (
        model.unwrap_or(&configured.name),
        version.unwrap_or(&configured.version),
    )
}

/// Formats whose servers do so.
const ECHOES: [&str; 7] = [
    classified::DECODER.format,
    generate::OPENAI.format,
    generate::RESPONSES.format,
    generate::MEDIA.format,
    generate::ANTHROPIC.format,
    embeddings::DECODER.format,
    ranked::DECODER.format,
];

/// The same without the configuration's names for those that have none.
pub fn named<'a>(
    inference: Option<&'a Inference>,
    exchange: &'a Exchange,
) -> (Option<&'a str>, Option<&'a str>) {
    let route = exchange.route.as_deref();
    let fields = exchange.named.as_deref();
    let stated = |identity: Option<&'a Identity>, field: fn(&Named) -> Option<&str>| {
        in_head(identity?, exchange, fields.and_then(field))
    };
    let model = stated(route.and_then(|route| route.model.as_ref()), |named| {
        named.model.as_deref()
    });
    let version = stated(route.and_then(|route| route.version.as_ref()), |named| {
        named.version.as_deref()
    });
    (
        model.or_else(|| inference?.model.as_deref()),
        version.or_else(|| inference?.version.as_deref()),
    )
}

/// The keys of a route that say where model and version are, and where nothing is.
pub(super) fn not_found(pair: &Pair<'_>) -> Vec<&'static str> {
    let exchange = pair.exchange;
    let Some(route) = exchange.route.as_deref() else {
        return Vec::new();
    };
    let fields = exchange.named.as_deref();
    let all = [
        (
            "model",
            &route.model,
            fields.and_then(|f| f.model.as_deref()),
        ),
        (
            "version",
            &route.version,
            fields.and_then(|f| f.version.as_deref()),
        ),
    ];
    let is_lost = |identity: &Identity, field| {
        in_head(identity, exchange, field).is_none() && in_body(pair, Some(identity)).is_none()
    };
    let lost = all.into_iter().filter(|(_, identity, field)| {
        identity
            .as_ref()
            .is_some_and(|identity| is_lost(identity, *field))
    });
    lost.map(|(key, ..)| key).collect()
}

/// What needs no body; `field`: what was noted of the heads and of the path.
fn in_head<'a>(
    identity: &'a Identity,
    exchange: &'a Exchange,
    field: Option<&'a str>,
) -> Option<&'a str> {
    match identity {
        Identity::Constant(name) => Some(super::walk::cut(name)),
        Identity::Header(_) => field,
        Identity::Segment(name) => {
            let template = &exchange.route.as_deref()?.endpoint;
            let plain = || segment(template, name, &exchange.path).map(super::walk::cut);
            // one with escapes was noted
            field.or_else(plain)
        }
        Identity::Request(_) | Identity::Response(_) => None,
    }
}

/// What one of the bodies says, where that is where it is; a body that cannot be read says nothing.
pub(super) fn in_body(pair: &Pair<'_>, identity: Option<&Identity>) -> Option<String> {
    match identity? {
        Identity::Request(path) => mapped::word(pair.request, path),
        Identity::Response(path) => mapped::word(pair.response, path),
        Identity::Constant(_) | Identity::Header(_) | Identity::Segment(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{super::decoded, *};
    use crate::{capture::route::Route, config::JsonPath};

    const REQUEST: &str = r#"{"a":1,"meta":{"model":"lily"}}"#;
    const ANSWER: &str = r#"{"prediction":"setosa","model_version":"2","meta":[3]}"#;

    fn exchange(model: Option<Identity>, version: Option<Identity>) -> Exchange {
        let mut exchange = Exchange::example("/m/rose/4", REQUEST, ANSWER);
        let is_field = matches!(model, Some(Identity::Header(_)));
        exchange.route = Some(Arc::new(Route {
            model,
            version,
            ..Route::new("/m/{name}/{v}")
        }));
        exchange.named = Some(Box::new(Named {
            model: is_field.then(|| "tulip".to_owned()),
            version: None,
        }));
        exchange
    }

    /// Model and version of an exchange that was read, and of the same if it was not.
    fn of(model: Option<Identity>, version: Option<Identity>) -> [(String, String); 2] {
        let exchange = exchange(model, version);
        let configured = config::Model {
            name: "default".to_owned(),
            version: "unknown".to_owned(),
            ready_path: None,
            probe_interval: Duration::ZERO,
            probe_timeout: Duration::ZERO,
        };
        let read = decoded(&exchange).unwrap();
        [Some(&read), None].map(|read| {
            let (model, version) = identity(read, &exchange, &configured);
            (model.to_owned(), version.to_owned())
        })
    }

    fn pairs(read: (&str, &str), unread: (&str, &str)) -> [(String, String); 2] {
        [read, unread].map(|(model, version)| (model.to_owned(), version.to_owned()))
    }

    #[test]
    fn identity_is_where_the_route_says_then_of_the_wire_then_of_the_configuration() {
        let path = |text: &str| JsonPath::new(text).unwrap();
        let name = |name: &str| name.to_owned();
        assert_eq!(
            of(None, None),
            pairs(("default", "2"), ("default", "unknown"))
        );
        assert_eq!(
            of(Some(Identity::from("iris")), Some(Identity::from("1"))),
            pairs(("iris", "1"), ("iris", "1"))
        );
        assert_eq!(
            of(
                Some(Identity::Header(name("X-Model"))),
                Some(Identity::Header(name("X-Version")))
            ),
            pairs(("tulip", "2"), ("tulip", "unknown")),
            "a field that did not come says nothing"
        );
        assert_eq!(
            of(
                Some(Identity::Segment(name("name"))),
                Some(Identity::Segment(name("v")))
            ),
            pairs(("rose", "4"), ("rose", "4"))
        );
        assert_eq!(
            of(
                Some(Identity::Request(path("$.meta.model"))),
                Some(Identity::Response(path("$.meta[0]")))
            ),
            pairs(("lily", "3"), ("default", "unknown"))
        );
        assert_eq!(
            of(
                Some(Identity::Response(path("$.nothing"))),
                Some(Identity::Request(path("$.meta")))
            ),
            pairs(("default", "2"), ("default", "unknown")),
            "a path that leads to no word says nothing"
        );
    }
}
