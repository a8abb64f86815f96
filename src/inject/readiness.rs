//! How Kubernetes asks a model whether it may be sent requests, as far as the agent can ask the same.

use std::time::Duration;

use serde_json::Value;

use super::pod::text;
use crate::config;

/// What the agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Readiness {
    /// `model.ready_path`.
    pub(super) path: String,
    /// `model.probe_timeout`, where its default is less.
    pub(super) timeout: Option<Duration>,
}

impl Readiness {
    /// Of a probe over HTTP at the model's port; `None`: the agent would get another answer than Kubernetes,
    /// or refuse the setting, and the pod would never be ready.
    pub(super) fn of(probe: &Value) -> Option<Self> {
        let question = probe.get("httpGet")?;
        let says = |key: &str| match question.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(value) => value.as_str() != Some(""),
        };
        if says("host") || says("httpHeaders") {
            return None;
        }
        let path = text(question, "/path").filter(|path| !path.is_empty());
        let path = path.unwrap_or("/").to_owned();
        let timeout = probe.get("timeoutSeconds").and_then(Value::as_u64);
        let timeout = Duration::from_secs(timeout.unwrap_or(1));
        let can_be_asked = config::is_ready_path(&path)
            // a kubelet takes the first for a host, and a value of the environment is YAML
            && !path.starts_with("//")
            && !path.ends_with(':')
            && timeout <= config::LONGEST_PROBE;
        can_be_asked.then(|| Self {
            timeout: (timeout > config::defaults().model.probe_timeout).then_some(timeout),
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_agent_cannot_ask_alike_it_does_not_ask() {
        for (question, expected) in [
            (json!({"port": 1}), Some("/")),
            (
                json!({"path": "", "host": "", "httpHeaders": []}),
                Some("/"),
            ),
            (
                json!({"path": "/health?verbose=1"}),
                Some("/health?verbose=1"),
            ),
            (json!({"path": "health"}), None),
            (json!({"path": "/a#b"}), None),
            (json!({"path": "/\u{fc}"}), None),
            (json!({"path": "/a b"}), None),
            (json!({"path": "/a:"}), None),
            (json!({"path": "//a"}), None),
            (json!({"path": "/a", "host": "127.0.0.1"}), None),
            (
                json!({"path": "/a", "httpHeaders": [{"name": "Host", "value": "a"}]}),
                None,
            ),
        ] {
            let probe = json!({"httpGet": question});
            let path = Readiness::of(&probe).map(|readiness| readiness.path);
            assert_eq!(path.as_deref(), expected, "{probe}");
        }
    }

    #[test]
    fn a_model_that_takes_its_time_is_given_it() {
        let seconds = |timeout: Value| {
            let probe = json!({"httpGet": {"path": "/a"}, "timeoutSeconds": timeout});
            Readiness::of(&probe).map(|readiness| readiness.timeout.map(|time| time.as_secs()))
        };
        assert_eq!(seconds(Value::Null), Some(None));
        assert_eq!(seconds(json!(1)), Some(None));
        assert_eq!(seconds(json!(20)), Some(Some(20)));
        assert_eq!(seconds(json!(60)), Some(Some(60)));
        assert_eq!(seconds(json!(61)), None);
    }
}
