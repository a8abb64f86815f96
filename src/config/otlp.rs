//! `otlp`: the collector that metrics, logs and traces are exported to.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

use super::{Address, Given, PemFile, units};

/// `otlp`: export to an OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// Where a collector takes OTLP over HTTP; `None`: nothing is exported.
    #[serde(deserialize_with = "endpoint")]
    pub endpoint: Option<Address>,
    /// What is exported.
    pub signals: Vec<Signal>,
    /// Time between two exports of the metrics.
    #[serde(with = "units::duration")]
    pub interval: Duration,
    /// Fields of each request besides its own.
    #[serde(deserialize_with = "pairs")]
    pub headers: Vec<(String, Given)>,
    /// Who signs the collector's certificate; `None`: the roots of the system.
    pub ca_file: Option<PemFile>,
    /// How bodies are compressed.
    pub compression: Compression,
    /// Longest wait for an answer.
    #[serde(with = "units::duration")]
    pub timeout: Duration,
    /// How long logs and traces are tried again.
    #[serde(with = "units::duration")]
    pub give_up_after: Duration,
    /// Most lines and most spans that wait, each.
    pub queue_records: usize,
    /// Most bytes of lines and of spans that wait, each.
    #[serde(with = "units::bytes")]
    pub queue_bytes: usize,
    /// Attributes of the resource.
    #[serde(deserialize_with = "pairs")]
    pub resource: Vec<(String, String)>,
}

/// `otlp.signals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Signal {
    Metrics,
    Logs,
    Traces,
}

impl Signal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Traces];

    /// The word of the configuration, of labels and of the collector's paths.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }
}

/// `otlp.compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Compression {
    Gzip,
    None,
}

fn endpoint<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Address>, D::Error> {
    let url = Option::<String>::deserialize(from)?;
    let address = url.map(|url| url.parse()).transpose();
    address.map_err(de::Error::custom)
}

/// Names with values, or a text of both as the variables of OpenTelemetry have it: `a=b,c=d`. What stands
/// there instead may be a secret, which is not shown.
fn pairs<'de, D, T>(deserializer: D) -> Result<Vec<(String, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + for<'a> From<&'a str>,
{
    struct AsWritten<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de> + for<'a> From<&'a str>> Visitor<'de> for AsWritten<T> {
        type Value = Vec<(String, T)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            let pairs = text.split(',').map(|pair| pair.split_once('='));
            let pairs = pairs.map(|pair| {
                let (name, value) = pair?;
                Some((name.trim().to_owned(), T::from(value.trim())))
            });
            let pairs: Option<_> = pairs.collect();
            pairs.ok_or_else(|| refused("another text"))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<de::IgnoredAny>()?.is_some() {}
            Err(refused("a list"))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut named = Vec::new();
            while let Some(entry) = map.next_entry()? {
                named.push(entry);
            }
            Ok(named)
        }
    }

    deserializer.deserialize_any(AsWritten(PhantomData))
}

const EXPECTED: &str = "names with their values, or a text such as a=b,c=d";

fn refused<E: de::Error>(found: &str) -> E {
    E::custom(format_args!("expected {EXPECTED}, found {found}"))
}

#[cfg(test)]
mod tests {
    use crate::config::{Address, Given, Otlp, Signal, Sources, defaults};

    fn loaded(values: &[(&str, &str)]) -> Result<Otlp, Vec<String>> {
        let env = values.iter();
        let env = env.map(|(key, value)| (format!("SIDELIGHT_OTLP__{key}"), (*value).to_owned()));
        let sources = Sources {
            env: env.collect(),
            ..Sources::default()
        };
        let loaded = sources.load();
        loaded
            .map(|loaded| loaded.config.otlp)
            .map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_is_exported_by_default() {
        let otlp = defaults().otlp;
        assert_eq!(otlp.endpoint, None);
        assert_eq!(otlp.signals, Signal::ALL);
        assert!(otlp.headers.is_empty() && otlp.resource.is_empty());
    }

    #[test]
    fn pairs_are_written_as_the_variables_of_opentelemetry_have_them() {
        let otlp = loaded(&[
            ("HEADERS", "X-Team=fraud, Authorization=Bearer a=b"),
            ("RESOURCE", "deployment.environment.name=prod"),
            ("SIGNALS", "logs"),
        ]);
        let otlp = otlp.unwrap();
        let given = |name: &str, value: &str| (name.to_owned(), Given::from(value));
        assert_eq!(
            otlp.headers,
            [
                given("X-Team", "fraud"),
                given("Authorization", "Bearer a=b")
            ]
        );
        let expected = ("deployment.environment.name".to_owned(), "prod".to_owned());
        assert_eq!(otlp.resource, [expected]);
        assert_eq!(otlp.signals, [Signal::Logs]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key_and_a_secret_is_not_shown() {
        for (key, value, said) in [
            ("ENDPOINT", "hunter2", "otlp.endpoint: expected http://"),
            (
                "ENDPOINT",
                "http://me:hunter2@a",
                "otlp.endpoint: expected http://",
            ),
            ("HEADERS", "hunter2", "otlp.headers: expected names"),
            (
                "HEADERS",
                "Host=hunter2",
                "otlp.headers.Host: expected a field",
            ),
            (
                "HEADERS",
                "A =hunter\n2",
                "otlp.headers.A: expected 1 to 4096",
            ),
            ("SIGNALS", "[]", "otlp.signals: expected at least one"),
            ("SIGNALS", "spans", "otlp.signals[0]: expected"),
            ("RESOURCE", "=x", "otlp.resource: expected names"),
            ("INTERVAL", "0", "otlp.interval: expected 1s to 1h"),
            ("QUEUE_BYTES", "1", "otlp.queue_bytes: expected 64KiB"),
        ] {
            let problems = loaded(&[(key, value)]).unwrap_err();
            assert!(problems[0].starts_with(said), "{problems:?}");
            assert!(!problems[0].contains("hunter"), "{problems:?}");
        }
    }

    #[test]
    fn a_field_may_come_from_a_file_and_no_value_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("token");
        std::fs::write(&secret, "hunter2\n").unwrap();
        let file = folder.path().join("sidelight.yaml");
        let load = |secret: &std::path::Path| {
            let secret = secret.display();
            let text = format!(
                "otlp:\n  headers:\n    X-Team: hunter3\n    Authorization: {{file: {secret}, prefix: 'Bearer '}}\n  \
                 resource: {{service.name: fraud}}\n"
            );
            std::fs::write(&file, text).unwrap();
            let file = Some(file.clone());
            let sources = Sources {
                file,
                ..Sources::default()
            };
            sources.load()
        };
        let loaded = load(&secret).unwrap();
        let headers = &loaded.config.otlp.headers;
        let values: Vec<_> = headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["hunter3", "Bearer hunter2"]);
        let name = ("service.name".to_owned(), "fraud".to_owned());
        assert_eq!(loaded.config.otlp.resource, [name]);
        let shown = format!("{loaded:?}");
        assert!(!shown.contains("hunter"), "{shown}");
        let problems = load(&folder.path().join("none")).unwrap_err();
        let said = problems.0[0].to_string();
        let expected = "otlp.headers.Authorization: cannot be read: No such file";
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn an_endpoint_needs_a_build_that_can_export() {
        let found = loaded(&[("ENDPOINT", "http://collector:4318/a")]);
        if cfg!(feature = "otlp") {
            let Address { server, path } = found.unwrap().endpoint.unwrap();
            assert_eq!(server.url(), "http://collector:4318");
            assert_eq!(&*path, "/a");
        } else {
            let said = "otlp: this build has no OTLP export; build with --features otlp";
            let problems = found.unwrap_err();
            assert!(problems[0].starts_with(said), "{problems:?}");
        }
    }
}
