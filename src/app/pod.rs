//! Where in Kubernetes the agent is, as far as its environment says: in its metrics, lines and exports.

use crate::{
    capture::name,
    config::{POD, Sources},
    telemetry::Common,
};

/// Longest name that Kubernetes gives, in bytes.
const LONGEST: usize = 253;

/// Fields of the log and labels. Prometheus gives `pod`, `namespace` and `node` to what it discovers, so
/// these must have other names.
const FIELDS: [&str; 3] = ["pod_name", "pod_namespace", "node_name"];

/// As the semantic conventions of OpenTelemetry name them.
#[cfg(feature = "otlp")]
const ATTRIBUTES: [&str; 3] = ["k8s.pod.name", "k8s.namespace.name", "k8s.node.name"];

/// The names of pod, namespace and node; empty: not known.
#[derive(Debug)]
pub(super) struct Pod([String; 3]);

impl Pod {
    /// As the environment of `sources` says.
    pub(super) fn of(sources: &Sources) -> Self {
        Self(POD.map(|variable| clean(sources.variable(variable))))
    }

    /// All of them, for labels.
    pub(super) fn names(&self) -> [&str; 3] {
        self.0.each_ref().map(String::as_str)
    }

    /// Those that are known, for lines.
    pub(super) fn common(&self) -> Common {
        Common::new(self.known(FIELDS))
    }

    /// Those that are known, for a resource.
    #[cfg(feature = "otlp")]
    pub(super) fn attributes(&self) -> Vec<(&'static str, String)> {
        let known = self.known(ATTRIBUTES);
        known.map(|(key, name)| (key, name.to_owned())).collect()
    }

    fn known(&self, keys: [&'static str; 3]) -> impl Iterator<Item = (&'static str, &str)> {
        let all = keys.into_iter().zip(self.names());
        all.filter(|(_, name)| !name.is_empty())
    }
}

/// Anybody may have set it to anything.
fn clean(name: &str) -> String {
    name::shown(&name[..name.floor_char_boundary(LONGEST)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(env: &[(&str, &str)]) -> Pod {
        let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Pod::of(&Sources {
            env: env.collect(),
            ..Sources::default()
        })
    }

    #[test]
    fn what_the_environment_says_is_told_and_nothing_else() {
        let known = pod(&[("NODE_NAME", "a"), ("POD_NAME", "iris-0"), ("PODNAME", "x")]);
        assert_eq!(known.names(), ["iris-0", "", "a"]);
        let written = br#","pod_name":"iris-0","node_name":"a""#;
        assert_eq!(known.common().as_bytes(), written);
        #[cfg(feature = "otlp")]
        assert_eq!(
            known.attributes(),
            [
                ("k8s.pod.name", "iris-0".to_owned()),
                ("k8s.node.name", "a".to_owned())
            ]
        );
        for nothing in [&[][..], &[("POD_NAME", ""), ("POD_NAMESPACE", " ")]] {
            assert_eq!(pod(nothing).names(), [""; 3]);
            assert_eq!(pod(nothing).common(), Common::default());
        }
    }

    #[test]
    fn a_name_is_short_and_all_of_it_is_seen() {
        let long = "é".repeat(200);
        let odd = pod(&[("POD_NAME", &long), ("NODE_NAME", "a\u{1b}[2J\u{202e}b\n")]);
        assert_eq!(odd.names()[0], "é".repeat(126));
        assert_eq!(odd.names()[2], "a\u{fffd}[2J\u{fffd}b");
    }
}
