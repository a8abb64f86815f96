//! The container of Sidelight.

use serde_json::{Value, json};

use super::{
    Options,
    annotations::Asked,
    options::QUEUE_BYTES,
    pod::{CONTAINER, list, text},
    readiness::Readiness,
};
use crate::config;

/// The user of the image, and of nobody else.
const USER: u32 = 65532;
/// The volume of the configuration.
const VOLUME: &str = "sidelight-config";
const FOLDER: &str = "/etc/sidelight";
/// Seconds in which a pod ends where it does not say.
const GRACE: u64 = 30;
/// Seconds in which load balancers learn that a pod leaves.
const NOTICE: u64 = 5;

/// Seconds in which a probe has to end. They are programs in the container, which ask over loopback:
/// a mesh may lead all that comes from outside to a proxy that starts only behind this container.
const PATIENCE: u64 = 5;

/// What the container is made of.
pub(super) struct Plan<'a> {
    pub(super) asked: &'a Asked,
    pub(super) options: &'a Options,
    pub(super) listen: u16,
    pub(super) listen_name: Option<String>,
    pub(super) ops: u16,
    pub(super) ops_name: Option<&'static str>,
    pub(super) upstream: u16,
    /// How Kubernetes asks the model whether it is ready, if the agent can ask that in turn.
    pub(super) readiness: Option<Readiness>,
    /// The name of the volume of the configuration.
    pub(super) volume: String,
}

impl Plan<'_> {
    /// The container, in `pod`.
    pub(super) fn container(&self, pod: &Value) -> Value {
        let grace = pod.pointer("/spec/terminationGracePeriodSeconds");
        let grace = grace.and_then(Value::as_u64).unwrap_or(GRACE);
        let wait = if self.options.native {
            0
        } else {
            NOTICE.min(grace / 3)
        };
        let deadline = grace.saturating_sub(wait + 2).max(1);
        let mut container = json!({
            "name": CONTAINER,
            "image": self.asked.image,
            "env": self.environment(deadline.min(config::LONGEST_DRAIN.as_secs())),
            "ports": self.ports(),
            "readinessProbe": {
                "exec": {"command": ["sidelight", "probe", self.asked_as_ready()]}, "periodSeconds": 5, "timeoutSeconds": PATIENCE,
            },
            "resources": self.resources(),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
                "runAsGroup": USER,
                "runAsNonRoot": true,
                "runAsUser": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        });
        if self.options.native {
            container["restartPolicy"] = "Always".into();
            // the model starts behind it: whether that is ready must not be asked here
            container["startupProbe"] = json!({
                "exec": {"command": ["sidelight", "probe", "live"]}, "periodSeconds": 1, "timeoutSeconds": PATIENCE, "failureThreshold": 60,
            });
        }
        // clients that keep a connection to it would not notice that the model is told to end
        let mut leave = vec!["sidelight".to_owned(), "leave".to_owned()];
        if wait > 0 {
            // it is told to end together with the model, and must outlive the last client
            leave.push(format!("{wait}s"));
        }
        container["lifecycle"] = json!({"preStop": {"exec": {"command": leave}}});
        if self.asked.config.is_some() {
            container["volumeMounts"] =
                json!([{"name": self.volume, "mountPath": FOLDER, "readOnly": true}]);
        }
        container
    }

    /// `ready` asks the model in turn. One that nobody asks today may know no path for it, and would
    /// never be sent a request.
    fn asked_as_ready(&self) -> &'static str {
        if self.readiness.is_some() {
            "ready"
        } else {
            "live"
        }
    }

    fn environment(&self, deadline: u64) -> Vec<Value> {
        let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
        let value = |name: &str, value: String| json!({"name": name, "value": value});
        let mut all = vec![
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("NODE_NAME", "spec.nodeName"),
            value("SIDELIGHT_LISTEN", format!("0.0.0.0:{}", self.listen)),
            value("SIDELIGHT_OPS_LISTEN", format!("0.0.0.0:{}", self.ops)),
            value(
                "SIDELIGHT_UPSTREAM",
                format!("http://127.0.0.1:{}", self.upstream),
            ),
        ];
        // where a ConfigMap may say how long bodies are, it says how many may wait, too
        let queue = match (self.options.queue_bytes, &self.asked.config) {
            (None, Some(_)) => None,
            (asked, _) => Some(asked.unwrap_or(QUEUE_BYTES)),
        };
        if let Some(bytes) = queue {
            all.push(value("SIDELIGHT_CAPTURE__QUEUE_BYTES", bytes.to_string()));
        }
        all.extend([
            // a native sidecar is told when the model has ended, any other has waited before
            value("SIDELIGHT_DRAIN__DELAY", "0s".to_owned()),
            value("SIDELIGHT_DRAIN__DEADLINE", format!("{deadline}s")),
        ]);
        if let Some(Readiness { path, timeout }) = &self.readiness {
            all.push(value("SIDELIGHT_MODEL__READY_PATH", path.clone()));
            if let Some(timeout) = timeout {
                let timeout = format!("{}s", timeout.as_secs());
                all.push(value("SIDELIGHT_MODEL__PROBE_TIMEOUT", timeout));
            }
        }
        if self.asked.config.is_some() {
            all.push(value(
                "SIDELIGHT_CONFIG",
                format!("{FOLDER}/sidelight.yaml"),
            ));
        }
        if !self.asked.formats.is_empty() {
            let route = |(path, format): &(String, String)| json!({"path": path, "format": format});
            let routes: Vec<_> = self.asked.formats.iter().map(route).collect();
            all.push(value("SIDELIGHT_ROUTES", Value::Array(routes).to_string()));
        }
        all
    }

    fn ports(&self) -> Value {
        let port = |number: u16, name: Option<&str>| {
            let mut port = json!({"containerPort": number, "protocol": "TCP"});
            if let Some(name) = name {
                port["name"] = name.into();
            }
            port
        };
        json!([
            port(self.listen, self.listen_name.as_deref()),
            port(self.ops, self.ops_name),
        ])
    }

    fn resources(&self) -> Value {
        let mebibytes = self.options.memory_limit().div_ceil(1 << 20);
        let mut limits = json!({"memory": format!("{mebibytes}Mi")});
        if let Some(cpu) = &self.options.cpu_limit {
            limits["cpu"] = cpu.as_str().into();
        }
        json!({"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": limits})
    }
}

/// The volume of the configuration in this `ConfigMap`.
pub(super) fn volume(name: &str, config: &str) -> Value {
    json!({"name": name, "configMap": {"name": config}})
}

/// A name for it that no volume of `pod` has.
pub(super) fn free_volume(pod: &Value) -> String {
    let taken = list(pod, "/spec/volumes");
    let is_free = |name: &String| taken.iter().all(|v| text(v, "/name") != Some(name));
    let numbered = (1..=taken.len()).map(|n| format!("{VOLUME}-{n}"));
    let mut names = std::iter::once(VOLUME.to_owned()).chain(numbered);
    names
        .find(is_free)
        .expect("there are more names than volumes")
}
