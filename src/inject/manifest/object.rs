//! Objects of Kubernetes as they stand in documents.

use serde_json::Value;

use crate::inject::pod;

/// Where templates of pods are, by kind.
const TEMPLATES: [(&str, &str); 7] = [
    ("Pod", ""),
    ("Deployment", "/spec/template"),
    ("StatefulSet", "/spec/template"),
    ("DaemonSet", "/spec/template"),
    ("ReplicaSet", "/spec/template"),
    ("Job", "/spec/template"),
    ("CronJob", "/spec/jobTemplate/spec/template"),
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
            kind: kind_of(pod::text(item, "/kind").unwrap_or_default()),
            value: item.clone(),
        };
        return Some(items.iter().enumerate().map(item).collect());
    }
    Some(vec![Object {
        document,
        path: String::new(),
        kind: kind_of(kind),
        value: value.clone(),
    }])
}

fn kind_of(kind: &str) -> Kind {
    let template = TEMPLATES.iter().find(|(known, _)| *known == kind);
    match template {
        Some((_, template)) => Kind::Workload { template },
        None if kind == "Service" => Kind::Service,
        None => Kind::Other,
    }
}
