//! Which port is the model's.

use serde_json::Value;

use super::{
    Skip,
    pod::{self, Port, PortRef, app_containers},
    readiness::Readiness,
    service::{self, Seen},
};

const PROBES: [&str; 3] = ["readinessProbe", "livenessProbe", "startupProbe"];
/// Ports that are TLS by custom.
const ENCRYPTED: [u16; 2] = [443, 8443];

/// The model's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) number: u16,
    /// As a container declares it, if one does.
    pub(super) port: Option<Port>,
    /// Whose it is; `None`: nobody declares it, and there are several containers.
    pub(super) container: Option<usize>,
}

/// By what is asked for, else by where Services lead, else by what containers declare. Nothing is
/// guessed: of several it is none.
pub(super) fn find(
    pod: &Value,
    asked: Option<&PortRef>,
    services: &[Seen],
) -> Result<Target, Skip> {
    let declared = pod::tcp_ports(pod);
    if let Some(asked) = asked {
        return match (declared.iter().find(|port| port.is(asked)), asked) {
            (Some(port), _) => Ok(Target::declared(port)),
            (None, PortRef::Number(number)) => Ok(Target::undeclared(pod, *number)),
            (None, PortRef::Name(name)) => Err(Skip::UnknownPort(name.clone())),
        };
    }
    let mut led_to: Vec<Target> = Vec::new();
    for reference in services
        .iter()
        .flat_map(|service| service::targets(service.value))
    {
        let target = match (declared.iter().find(|port| port.is(&reference)), &reference) {
            (Some(port), _) => Target::declared(port),
            (None, PortRef::Number(number)) => Target::undeclared(pod, *number),
            // it leads nowhere today either
            (None, PortRef::Name(_)) => continue,
        };
        if !led_to.contains(&target) {
            led_to.push(target);
        }
    }
    if led_to.is_empty() {
        led_to.extend(declared.iter().map(Target::declared));
    }
    match led_to.as_slice() {
        [] => Err(Skip::NoTcpPort),
        [target] => Ok(target.clone()),
        several => {
            let names = several.iter().map(Target::shown).collect::<Vec<_>>();
            Err(Skip::SeveralPorts(names.join(", ")))
        }
    }
}

impl Target {
    fn declared(port: &Port) -> Self {
        Self {
            number: port.number,
            container: Some(port.container),
            port: Some(port.clone()),
        }
    }

    fn undeclared(pod: &Value, number: u16) -> Self {
        let mut containers = app_containers(pod).map(|(at, _)| at);
        let first = containers.next();
        Self {
            number,
            port: None,
            container: first.filter(|_| containers.next().is_none()),
        }
    }

    fn shown(&self) -> String {
        match self.port.as_ref().and_then(|port| port.name.as_ref()) {
            Some(name) => format!("{name} {}", self.number),
            None => self.number.to_string(),
        }
    }

    /// How Kubernetes asks the model whether it may be sent requests, if the agent can ask that.
    pub(super) fn readiness(&self, pod: &Value) -> Option<Readiness> {
        self.asked_over_http(pod, "readinessProbe")?;
        let container = pod.pointer(&pod::container_path(self.container?))?;
        Readiness::of(container.get("readinessProbe")?)
    }

    /// What a probe asks over HTTP at this port.
    fn asked_over_http<'a>(&self, pod: &'a Value, probe: &str) -> Option<&'a Value> {
        let container = pod.pointer(&pod::container_path(self.container?))?;
        let question = container.get(probe)?.get("httpGet")?;
        let port = PortRef::of(question.get("port")?)?;
        self.is(&port).then_some(question)
    }

    /// Whether it speaks TLS, as far as anything says so: its name, a probe, a Service, or, where no probe
    /// speaks HTTP to it, its number.
    pub(super) fn is_encrypted(&self, pod: &Value, services: &[Seen]) -> bool {
        let name = self.port.as_ref().and_then(|port| port.name.as_deref());
        if name.is_some_and(pod::is_https) {
            return true;
        }
        let asked = PROBES.iter().filter_map(|probe| {
            let question = self.asked_over_http(pod, probe)?;
            Some(pod::text(question, "/scheme").is_some_and(pod::is_https))
        });
        let asked: Vec<bool> = asked.collect();
        if !asked.is_empty() {
            return asked.contains(&true);
        }
        ENCRYPTED.contains(&self.number)
            || services
                .iter()
                .any(|service| service::is_encrypted(service.value, self))
    }

    /// Whether a Service that leads to `reference` leads here.
    pub(super) fn is(&self, reference: &PortRef) -> bool {
        match (&self.port, reference) {
            (Some(port), reference) => port.is(reference),
            (None, PortRef::Number(number)) => self.number == *number,
            (None, PortRef::Name(_)) => false,
        }
    }
}
