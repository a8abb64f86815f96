//! Where to, how often, and as who.

use std::{
    io::{self, Write as _},
    sync::LazyLock,
    time::Duration,
};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::{HeaderName, HeaderValue, header};
use prost::Message;

use super::proto::{KeyValue, Resource, Scope, Value};
use crate::{
    config::{Compression, Config, Proxy, Signal},
    metrics::process,
    post::{Peer, Unusable},
};

/// One process is one instance, whatever is reloaded.
static INSTANCE: LazyLock<String> = LazyLock::new(|| {
    let random = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes());
    random.into_uuid().to_string()
});

/// The collector of `otlp`, ready for use.
#[derive(Debug)]
pub struct Settings {
    /// `None`: nothing is exported.
    pub(super) peer: Option<Peer>,
    signals: Vec<Signal>,
    pub(super) interval: Duration,
    pub(super) give_up_after: Duration,
    room: (usize, usize),
    compression: Compression,
    resource: Resource,
    server: Vec<KeyValue>,
}

impl Settings {
    /// Those of `config`. May read the roots of the system: not on a thread that others wait for. `place`:
    /// attributes of the resource that say where the agent is.
    ///
    /// # Errors
    /// When the collector cannot be reached, whatever is there.
    pub fn new(config: &Config, place: &[(&str, String)]) -> Result<Self, Unusable> {
        let otlp = &config.otlp;
        let peer = otlp.endpoint.clone().map(|endpoint| {
            let (headers, ca_file) = (&otlp.headers, otlp.ca_file.as_ref());
            Peer::new(
                endpoint,
                "application/x-protobuf",
                headers,
                ca_file,
                otlp.timeout,
            )
        });
        Ok(Self {
            peer: peer.transpose()?,
            signals: otlp.signals.clone(),
            interval: otlp.interval,
            give_up_after: otlp.give_up_after,
            room: (otlp.queue_records, otlp.queue_bytes),
            compression: otlp.compression,
            resource: resource(&otlp.resource, place),
            server: server(&config.proxy),
        })
    }

    /// Whether it is exported.
    pub(super) fn wants(&self, signal: Signal) -> bool {
        self.peer.is_some() && self.signals.contains(&signal)
    }

    /// Most lines or spans that wait, and their bytes.
    pub(super) const fn room(&self) -> (usize, usize) {
        self.room
    }

    /// Attributes that all spans have.
    pub(super) fn server(&self) -> &[KeyValue] {
        &self.server
    }

    /// The two that stand around everything that is exported.
    pub(super) fn origin(&self) -> (Option<Resource>, Option<Scope>) {
        let scope = Scope {
            name: "sidelight".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        (Some(self.resource.clone()), Some(scope))
    }

    /// `message` as it is sent. Takes milliseconds where it is large: not on a thread that others wait for.
    pub(super) fn letter(&self, message: &impl Message) -> io::Result<Letter> {
        let body = message.encode_to_vec();
        let body = match self.compression {
            Compression::None => body,
            Compression::Gzip => {
                let mut coded = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                coded.write_all(&body)?;
                coded.finish()?
            }
        };
        let is_coded = self.compression == Compression::Gzip;
        Ok(Letter {
            body: body.into(),
            is_coded,
        })
    }
}

/// The body of a request.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) body: Bytes,
    is_coded: bool,
}

impl Letter {
    pub(super) fn field(&self) -> Option<(HeaderName, HeaderValue)> {
        let gzip = HeaderValue::from_static("gzip");
        self.is_coded.then_some((header::CONTENT_ENCODING, gzip))
    }
}

/// What is named, and what stands for who exports where it is not.
fn resource(named: &[(String, String)], place: &[(&str, String)]) -> Resource {
    let host = process::host_name();
    let own = [
        ("service.name", "sidelight"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &INSTANCE),
        ("host.name", &host),
    ];
    let is_named = |key: &str| named.iter().any(|(name, _)| name == key);
    let place = place.iter().map(|(key, value)| (*key, value.as_str()));
    let own = own
        .into_iter()
        .chain(place)
        .filter(|(key, value)| !value.is_empty() && !is_named(key));
    let own = own.map(|(key, value)| KeyValue::text(key, value));
    let named = named.iter().map(|(key, value)| KeyValue::text(key, value));
    Resource {
        attributes: own.chain(named).collect(),
    }
}

/// Whom clients speak to, and how. What they call it is not kept: it is the host here.
fn server(proxy: &Proxy) -> Vec<KeyValue> {
    let scheme = match proxy.tls.cert_file {
        Some(_) => "https",
        None => "http",
    };
    let port = Value::Int(proxy.listen.port().into());
    vec![
        KeyValue::text("url.scheme", scheme),
        KeyValue::text("server.address", process::host_name()),
        KeyValue::new("server.port", port),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;

    fn resource_of(named: &[(&str, &str)]) -> Vec<String> {
        let named: Vec<_> = named
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let place = [("k8s.pod.name", "iris-0".to_owned())];
        let attributes = resource(&named, &place).attributes;
        let shown = |a: &KeyValue| format!("{}={:?}", a.key, a.value.as_ref().unwrap().value);
        attributes.iter().map(shown).collect()
    }

    #[test]
    fn a_resource_says_who_exports_and_what_is_named_wins() {
        let own = resource_of(&[]);
        assert_eq!(own[0], "service.name=Some(Text(\"sidelight\"))");
        assert!(own[2].starts_with("service.instance.id="));
        assert_eq!(own, resource_of(&[]), "another instance");
        let pod = |of: &[String]| of.iter().filter(|a| a.starts_with("k8s.pod.name=")).count();
        assert_eq!(pod(&own), 1);
        assert_eq!(pod(&resource_of(&[("k8s.pod.name", "x")])), 1);
        let named = resource_of(&[("service.name", "fraud"), ("a", "b")]);
        assert_eq!(named.len(), own.len() + 1);
        assert!(named.contains(&"service.name=Some(Text(\"fraud\"))".to_owned()));
        assert_eq!(
            named
                .iter()
                .filter(|a| a.starts_with("service.name="))
                .count(),
            1
        );
    }

    #[test]
    fn nothing_is_wanted_without_an_endpoint() {
        let settings = Settings::new(&defaults(), &[]).unwrap();
        assert!(Signal::ALL.iter().all(|signal| !settings.wants(*signal)));
    }
}
