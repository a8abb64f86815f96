//! What a pod says about its own injection.

use serde_json::Value;

use super::{
    Options, Skip,
    pod::{self, PortRef},
};
use crate::config;

/// Before the slash of every key of ours.
pub const PREFIX: &str = "sidelight.dev/";
/// What was done, for [`uninject`](super::uninject).
pub const STATUS: &str = "sidelight.dev/status";

/// Every key that a pod may have, without its prefix, and what it says.
pub const KEYS: &[(&str, &str)] = &[
    (
        "inject",
        "`enabled`, or `disabled`: this pod is left as it is",
    ),
    (
        "upstream-port",
        "the model's port, by number or by the name that a container declares",
    ),
    ("port", "where Sidelight listens"),
    ("ops-port", "where Prometheus and probes reach it"),
    (
        "config",
        "a ConfigMap of the same namespace, whose `sidelight.yaml` is its configuration",
    ),
    (
        "format",
        "formats of bodies by path: `/score=v1, /embed=tei`",
    ),
    ("image", "its image"),
    (
        "app-port-env",
        "the variable that tells the model its port, such as `PORT`: the model is moved by it",
    ),
    ("status", "written by Sidelight: what it changed"),
];

/// The annotations of a template.
pub(super) fn of(pod: &Value) -> Option<&serde_json::Map<String, Value>> {
    pod.pointer("/metadata/annotations")?.as_object()
}

/// Keys with our prefix that mean nothing, whole.
pub fn unknown(pod: &Value) -> Vec<String> {
    let keys = of(pod).into_iter().flat_map(|all| all.keys());
    let is_known = |key: &str| KEYS.iter().any(|(known, _)| *known == key);
    keys.filter(|key| {
        let own = key.strip_prefix(PREFIX);
        own.is_some_and(|own| !is_known(own))
    })
    .cloned()
    .collect()
}

/// What is asked for one pod: its annotations over the options.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) image: String,
    /// Asked for by the pod itself.
    pub(super) port: Option<u16>,
    pub(super) ops_port: Option<u16>,
    pub(super) upstream_port: Option<PortRef>,
    pub(super) app_port_env: Option<String>,
    pub(super) config: Option<String>,
    /// Paths and formats.
    pub(super) formats: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn of(pod: &Value, options: &Options) -> Result<Self, Skip> {
        let read = Read(pod);
        read.checked("inject", "enabled or disabled", |text| match text {
            "enabled" => Ok(Some(())),
            "disabled" => Err(Some(Skip::Disabled)),
            _ => Ok(None),
        })?;
        let port = |key| {
            read.checked(key, "a number from 1 to 65535", |text| {
                Ok(pod::number(text))
            })
        };
        let upstream = read.checked("upstream-port", "a port's number or name", |text| {
            Ok(text.parse().ok())
        })?;
        let env = read.checked("app-port-env", "the name of a variable", |text| {
            Ok(is_variable(text).then(|| text.to_owned()))
        })?;
        let config = read.checked("config", "the name of a ConfigMap", |text| {
            Ok(is_object_name(text).then(|| text.to_owned()))
        })?;
        let image = read.checked("image", "an image", |text| {
            Ok(is_image(text).then(|| text.to_owned()))
        })?;
        Ok(Self {
            image: image.unwrap_or_else(|| options.image.clone()),
            port: port("port")?,
            ops_port: port("ops-port")?,
            upstream_port: upstream.or_else(|| options.upstream_port.clone()),
            app_port_env: env.or_else(|| options.app_port_env.clone()),
            config: config.or_else(|| options.config.clone()),
            formats: read
                .checked(
                    "format",
                    "PATH=FORMAT, perhaps several with commas",
                    |text| Ok(formats(text)),
                )?
                .unwrap_or_default(),
        })
    }
}

struct Read<'a>(&'a Value);

impl Read<'_> {
    /// What `check` makes of the value of a key; `Ok(None)` is a value that cannot be meant.
    fn checked<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        check: impl Fn(&str) -> Result<Option<T>, Option<Skip>>,
    ) -> Result<Option<T>, Skip> {
        let value = of(self.0).and_then(|all| all.get(&format!("{PREFIX}{key}")));
        let Some(value) = value else {
            return Ok(None);
        };
        let bad = |found: &str| Skip::BadAnnotation {
            key,
            found: found.to_owned(),
            expected,
        };
        let text = value.as_str().ok_or_else(|| bad(&value.to_string()))?;
        match check(text) {
            Ok(Some(read)) => Ok(Some(read)),
            Ok(None) | Err(None) => Err(bad(text)),
            Err(Some(skip)) => Err(skip),
        }
    }
}

pub(crate) fn is_variable(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().all(known) && text.starts_with(|c: char| !c.is_ascii_digit())
}

/// A DNS subdomain.
pub(crate) fn is_object_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let edge = |c: char| c.is_ascii_alphanumeric();
    (1..=253).contains(&text.len())
        && text.bytes().all(known)
        && text.starts_with(edge)
        && text.ends_with(edge)
}

pub(crate) fn is_image(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|b| b.is_ascii_graphic())
}

fn formats(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(|pair| {
        let (path, format) = pair.trim().split_once('=')?;
        let is_known = config::FORMATS.contains(&format) && format != config::MAPPED;
        is_known.then(|| (path.to_owned(), format.to_owned()))
    });
    let pairs: Vec<_> = pairs.collect::<Option<_>>()?;
    // the agent would not start with what it refuses
    let paths: Vec<&str> = pairs.iter().map(|(path, _)| path.as_str()).collect();
    config::are_routes(&paths).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(key: &str, value: &Value) -> Result<Asked, Skip> {
        let pod = json!({"metadata": {"annotations": {format!("{PREFIX}{key}"): value}}});
        Asked::of(&pod, &Options::default())
    }

    #[test]
    fn what_cannot_be_meant_is_a_reason_that_names_the_key() {
        for (key, value) in [
            ("inject", json!("true")),
            ("inject", json!(true)),
            ("port", json!("0")),
            ("ops-port", json!("metrics")),
            ("upstream-port", json!("")),
            ("app-port-env", json!("9PORT")),
            ("app-port-env", json!("")),
            ("config", json!("Mine")),
            ("format", json!("v1")),
            ("format", json!("/a=nothing")),
            ("format", json!("/a=mapped")),
            ("format", json!("a=v1")),
            ("format", json!("/a b=v1")),
            ("format", json!("/a?x=v1")),
            ("format", json!("/\u{fc}=v1")),
            ("format", json!("/a{=v1")),
            ("format", json!("/a=v1, /a=v2")),
            ("format", json!("/{x}=v1, /{y}=v2")),
            ("image", json!("a b")),
        ] {
            let skip = asked(key, &value).unwrap_err();
            assert_eq!(skip.reason(), "bad_annotation", "{key} {value}");
            assert!(
                skip.to_string().starts_with(&format!("{PREFIX}{key} is ")),
                "{skip}"
            );
        }
        assert_eq!(
            asked("inject", &json!("disabled")).unwrap_err(),
            Skip::Disabled
        );
    }

    #[test]
    fn what_a_pod_says_wins_over_the_options() {
        let asked = |key, value: &str| asked(key, &json!(value)).unwrap();
        assert_eq!(asked("image", "a/b:1").image, "a/b:1");
        assert_eq!(asked("inject", "enabled").image, Options::default().image);
        assert_eq!(asked("port", "81").port, Some(81));
        assert_eq!(
            asked("format", "/score=v1, /embed=tei").formats,
            [("/score", "v1"), ("/embed", "tei")].map(|(p, f)| (p.to_owned(), f.to_owned()))
        );
    }

    #[test]
    fn unknown_keys_are_those_of_ours_alone() {
        let pod = json!({"metadata": {"annotations": {
            "sidelight.dev/prot": "1", "sidelight.dev/port": "1", "example.com/prot": "1",
        }}});
        assert_eq!(unknown(&pod), ["sidelight.dev/prot"]);
    }
}
