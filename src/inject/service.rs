//! Services that lead to a model: which pods they choose, and how they lead to the sidecar.

use serde_json::Value;

use super::{
    operation::Operation,
    pod::{self, PortRef, list, port_number},
    status,
    target::Target,
};

/// Whether `service` chooses pods of `template`. Both must be of one namespace, or say none.
pub fn selects(service: &Value, template: &Value) -> bool {
    let Some(selector) = service.pointer("/spec/selector").and_then(Value::as_object) else {
        return false;
    };
    let labels = template.pointer("/metadata/labels");
    !selector.is_empty()
        && selector
            .iter()
            .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

/// Whether clients reach the pods themselves, past whatever its ports say.
pub fn is_headless(service: &Value) -> bool {
    pod::text(service, "/spec/clusterIP") == Some("None")
}

/// Whether it leads to a sidecar already.
pub fn is_redirected(service: &Value) -> bool {
    status::is_in(service)
}

/// Where its TCP ports lead, by the place of each.
fn tcp(service: &Value) -> impl Iterator<Item = (usize, PortRef)> {
    let ports = list(service, "/spec/ports").iter().enumerate();
    ports.filter_map(|(at, port)| {
        let is_tcp = pod::text(port, "/protocol").is_none_or(|protocol| protocol == "TCP");
        let target = match port.get("targetPort") {
            None | Some(Value::Null) => port_number(port.get("port")?).map(PortRef::Number),
            Some(target) => PortRef::of(target),
        };
        target.filter(|_| is_tcp).map(|target| (at, target))
    })
}

/// Where its TCP ports lead.
pub(super) fn targets(service: &Value) -> Vec<PortRef> {
    tcp(service).map(|(_, target)| target).collect()
}

/// By what its ports lead to `target`, if any does.
pub(super) fn led(service: &Value, target: &Target) -> Led {
    let mut led = Led::default();
    for (_, reference) in tcp(service).filter(|(_, reference)| target.is(reference)) {
        match reference {
            PortRef::Number(_) => led.by_number = true,
            PortRef::Name(_) => led.by_name = true,
        }
    }
    led
}

/// How a Service leads to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Led {
    /// By the name of the port: each pod says which that is, so that one with a sidecar and one without
    /// can stand side by side while they are rolled out.
    pub by_name: bool,
    /// By the number of the port.
    pub by_number: bool,
}

/// Whether a port that leads to `target` says that it carries TLS.
pub(super) fn is_encrypted(service: &Value, target: &Target) -> bool {
    tcp(service)
        .filter(|(_, reference)| target.is(reference))
        .any(|(at, _)| {
            let port = &list(service, "/spec/ports")[at];
            let says = |path| pod::text(port, path).is_some_and(pod::is_https);
            says("/name") || says("/appProtocol")
        })
}

/// A Service, and how values of it are written, by their pointers; `None`: as one would write them.
pub struct Seen<'a> {
    /// What it is.
    pub value: &'a Value,
    /// How what stands at a pointer is written.
    pub written: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Seen<'a> {
    /// One of which nobody wrote a text.
    pub fn unwritten(value: &'a Value) -> Self {
        Self {
            value,
            written: &|_| None,
        }
    }
}

/// What makes its ports that lead to `target` by its number lead to `port`, with the status that undoes
/// it. Those that lead by name find the sidecar by it.
pub(super) fn redirected(seen: &Seen, target: &Target, port: u16) -> Vec<Operation> {
    let service = seen.value;
    let mut edits = status::Edits::of(service);
    let mut changed = Vec::new();
    let by_number = |reference: &PortRef| matches!(reference, PortRef::Number(_));
    for (at, _) in tcp(service).filter(|(_, r)| by_number(r) && target.is(r)) {
        let path = format!("/spec/ports/{at}/targetPort");
        edits.set(&path, port.into());
        if let Some(written) = (seen.written)(&path) {
            edits.was_written(&written);
        }
        changed.push(format!("targetPort of port {at}"));
    }
    edits.finish("service", changed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_chooses_by_all_of_its_labels() {
        let template = json!({"metadata": {"labels": {"app": "iris", "tier": "b"}}});
        let service = |selector: Value| json!({"spec": {"selector": selector}});
        assert!(selects(&service(json!({"app": "iris"})), &template));
        assert!(!selects(
            &service(json!({"app": "iris", "x": "y"})),
            &template
        ));
        assert!(!selects(&service(json!({})), &template));
        assert!(!selects(&json!({"spec": {}}), &template));
        assert!(!selects(&service(json!({"app": "iris"})), &json!({})));
    }

    #[test]
    fn a_port_leads_to_its_own_number_unless_it_says_another() {
        let service = json!({"spec": {"ports": [
            {"port": 80}, {"port": 81, "targetPort": 8000}, {"port": 82, "targetPort": "http"},
            {"port": 53, "protocol": "UDP"}, {"port": "x"},
        ]}});
        let expected = [
            PortRef::Number(80),
            PortRef::Number(8000),
            PortRef::Name("http".to_owned()),
        ];
        assert_eq!(targets(&service), expected);
    }
}
