//! Objects of Kubernetes as they stand in documents.

use serde_json::Value;

use crate::inject::pod;

/// Where templates of pods are, by the group of the API and the kind.
const TEMPLATES: [(&str, &str, &str); 7] = [
    ("", "Pod", ""),
    ("apps", "Deployment", "/spec/template"),
    ("apps", "StatefulSet", "/spec/template"),
    ("apps", "DaemonSet", "/spec/template"),
    ("apps", "ReplicaSet", "/spec/template"),
    ("batch", "Job", "/spec/template"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template"),
];

/// What injection does with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its pods may get a sidecar.
    Workload {
        template: &'static str,
    },
    /// It may lead to one.
    Service,
    Other,
}

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Its place among the documents.
    pub(super) document: usize,
    /// Within the document: empty, or that of an item of a List.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) value: Value,
}

impl Object {
    /// `Deployment/iris`.
    pub(super) fn name(&self) -> String {
        let kind = pod::text(&self.value, "/kind").unwrap_or_default();
        let name = pod::text(&self.value, "/metadata/name");
        let generated = || pod::text(&self.value, "/metadata/generateName");
        format!("{kind}/{}", name.or_else(generated).unwrap_or_default())
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        pod::text(&self.value, "/metadata/namespace")
    }

    /// Whether both are in one namespace: who names none is in `default`.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let named = |object: &'_ Self| object.namespace().unwrap_or("default").to_owned();
        named(self) == named(other)
    }

    pub(super) fn template(&self) -> Option<&Value> {
        match self.kind {
            Kind::Workload { template } => self.value.pointer(template),
            _ => None,
        }
    }
}

/// Whether the cluster itself lives there.
pub(in crate::inject) fn is_system(namespace: &str) -> bool {
    matches!(namespace, "kube-system" | "kube-public" | "kube-node-lease")
}

/// The objects of a document, at least one; `None`: it is not of Kubernetes.
pub(super) fn of(document: usize, value: &Value) -> Option<Vec<Object>> {
    let kind = pod::text(value, "/kind")?;
    pod::text(value, "/apiVersion")?;
    let items = value.get("items").and_then(Value::as_array);
    if let (true, Some(items)) = (kind.ends_with("List"), items) {
        let item = |(at, item): (usize, &Value)| Object {
            document,
            path: format!("/items/{at}"),
            kind: kind_of(item),
            value: item.clone(),
        };
        return Some(items.iter().enumerate().map(item).collect());
    }
    Some(vec![Object {
        document,
        path: String::new(),
        kind: kind_of(value),
        value: value.clone(),
    }])
}

/// By kind and group: other APIs have a `Deployment` or a `Service` of their own.
fn kind_of(value: &Value) -> Kind {
    let kind = pod::text(value, "/kind").unwrap_or_default();
    let version = pod::text(value, "/apiVersion").unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let mut templates = TEMPLATES.iter();
    match templates.find(|known| (known.0, known.1) == (group, kind)) {
        Some((_, _, template)) => Kind::Workload { template },
        None if (group, kind) == ("", "Service") => Kind::Service,
        None => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_of_other_apis_are_not_ours() {
        let kind =
            |version: &str, kind: &str| kind_of(&json!({"apiVersion": version, "kind": kind}));
        let template = "/spec/template";
        assert_eq!(kind("apps/v1", "Deployment"), Kind::Workload { template });
        assert_eq!(kind("v1", "Service"), Kind::Service);
        for (version, named) in [
            ("example.com/v1", "Deployment"),
            ("v1", "Deployment"),
            ("serving.knative.dev/v1", "Service"),
            ("", "Job"),
        ] {
            assert_eq!(kind(version, named), Kind::Other, "{version} {named}");
        }
    }

    #[test]
    fn no_namespace_is_the_default_one() {
        let of = |metadata: Value| {
            let value = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata});
            super::of(0, &value).unwrap().remove(0)
        };
        let (none, default) = (of(json!({})), of(json!({"namespace": "default"})));
        assert!(none.is_beside(&default) && default.is_beside(&none));
        assert!(!none.is_beside(&of(json!({"namespace": "models"}))));
    }
}
