//! From a pod to what has to change in it, and back. Pure: nothing is read but what is given.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Options, Skip,
    annotations::Asked,
    moved,
    operation::{Operation, apply_all},
    pod::{self, CONTAINER, PortRef, all_containers, free, text},
    renamed,
    service::{self, Led, Seen},
    sidecar::{self, Plan},
    status::{self, Edits},
    target::{self, Target},
};

/// The first port that needs no root.
const UNPRIVILEGED: u16 = 1024;

/// What comes of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is to be changed.
    Patched(Box<Patched>),
    /// It stays as it is.
    Skipped(Skip),
}

/// What has to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// In the pod. The last writes the status, which undoes all of them.
    pub operations: Vec<Operation>,
    /// In each Service that was given; none where it does not lead to the model, or does so by name.
    pub services: Vec<Vec<Operation>>,
    /// How each of them leads to the model.
    pub led: Vec<Led>,
    /// How requests come to the sidecar.
    pub traffic: Traffic,
    /// Where the sidecar listens.
    pub port: u16,
    /// Where the model listens from now on.
    pub upstream: u16,
}

/// How requests come to the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Services lead to it; who goes to the pod itself goes past it.
    Service,
    /// It has the name of the model's port; who goes by the number goes past it.
    Name,
    /// It has the model's port, and the model another: nobody goes past it.
    Moved,
}

impl Traffic {
    /// A word for labels and the status.
    pub fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Name => "name",
            Self::Moved => "moved",
        }
    }

    /// What does not come to the sidecar, for people.
    pub fn bypass(self) -> Option<&'static str> {
        match self {
            Self::Service => Some("clients that go to the pod's own address are not seen"),
            Self::Name => Some("clients that go by the number of the model's port are not seen"),
            Self::Moved => None,
        }
    }
}

/// Puts Sidelight into `pod` (metadata and spec of a pod, or a template of pods). `services` are
/// those that choose it, that may be changed, and that clients go through: none of headless ones.
pub fn inject(pod: &Value, services: &[Seen], options: &Options) -> Outcome {
    match injected(pod, services, options) {
        Ok(patched) => Outcome::Patched(Box::new(patched)),
        Err(skip) => Outcome::Skipped(skip),
    }
}

fn injected(pod: &Value, services: &[Seen], options: &Options) -> Result<Patched, Skip> {
    let asked = Asked::of(pod, options)?;
    may_be_injected(pod, options)?;
    let target = target::find(pod, asked.upstream_port.as_ref(), services)?;
    if target.is_encrypted(pod, services) {
        return Err(Skip::Encrypted(target.number));
    }
    let ways = Ways::new(pod, &asked, options);
    let led: Vec<Led> = services
        .iter()
        .map(|s| service::led(s.value, &target))
        .collect();
    let by_name = led.iter().any(|led| led.by_name);
    let by_number = led.iter().any(|led| led.by_number);
    let mut edits = Edits::of(pod);
    let mut changed = Vec::new();
    let mut plan = Plan {
        asked: &asked,
        options,
        listen: 0,
        listen_name: ways.own_name("sidelight").map(str::to_owned),
        ops: 0,
        ops_name: ways.own_name("sidelight-ops"),
        upstream: target.number,
        readiness: target.readiness(pod),
        volume: sidecar::free_volume(pod),
    };
    let mut traffic = if by_number && !by_name {
        plan.listen = ways.listen(target.number)?;
        Traffic::Service
    } else {
        let variable = asked.app_port_env.as_deref().filter(|_| !by_name);
        ways.take_port(variable, &mut edits, &mut plan, &target, &mut changed)?
    };
    if by_number {
        traffic = Traffic::Service;
    }
    plan.ops = ways.ops(&[plan.listen, plan.upstream])?;
    if let Some(&low) = [plan.listen, plan.ops]
        .iter()
        .find(|&&port| port < UNPRIVILEGED)
    {
        return Err(Skip::PrivilegedPort(low));
    }
    if let Some(config) = &asked.config {
        edits.append("/spec/volumes", sidecar::volume(&plan.volume, config));
        changed.push(format!("volume {}", plan.volume));
    }
    let list = if options.native {
        "/spec/initContainers"
    } else {
        "/spec/containers"
    };
    edits.append(list, plan.container(pod));
    changed.push(format!("container {CONTAINER}"));
    let redirected = |(service, led): (&Seen, &Led)| {
        if led.by_number {
            service::redirected(service, &target, plan.listen)
        } else {
            Vec::new()
        }
    };
    Ok(Patched {
        services: services.iter().zip(&led).map(redirected).collect(),
        led,
        traffic,
        port: plan.listen,
        upstream: plan.upstream,
        operations: edits.finish(traffic.word(), changed),
    })
}

/// Whether it may be at all, wherever its ports are.
fn may_be_injected(pod: &Value, options: &Options) -> Result<(), Skip> {
    if status::is_in(pod) {
        return Err(Skip::AlreadyInjected);
    }
    let containers = pod::list(pod, "/spec/containers");
    let is_whole = |container: &Value| container.is_object() && text(container, "/name").is_some();
    let fits = |path: &str, fits: fn(&Value) -> bool| {
        pod.pointer(path).is_none_or(|v| v.is_null() || fits(v))
    };
    let is_pod = !containers.is_empty()
        && containers.iter().all(is_whole)
        && ["/spec/initContainers", "/spec/volumes"]
            .iter()
            .all(|path| fits(path, Value::is_array))
        && ["/metadata", "/metadata/annotations"]
            .iter()
            .all(|path| fits(path, Value::is_object));
    if !is_pod {
        return Err(Skip::NotAPod);
    }
    if pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true)) {
        return Err(Skip::HostNetwork);
    }
    let is_mirror = "/metadata/annotations/kubernetes.io~1config.mirror";
    if pod.pointer(is_mirror).is_some() {
        return Err(Skip::MirrorPod);
    }
    let systems = [
        "/spec/os/name",
        "/spec/nodeSelector/kubernetes.io~1os",
        "/spec/nodeSelector/beta.kubernetes.io~1os",
    ];
    if systems
        .iter()
        .any(|path| text(pod, path) == Some("windows"))
    {
        return Err(Skip::NotLinux);
    }
    let own = all_containers(pod).any(|container| text(container, "/name") == Some(CONTAINER));
    if own {
        return Err(Skip::OwnSidecar(CONTAINER.to_owned()));
    }
    let ends = text(pod, "/spec/restartPolicy").is_some_and(|policy| policy != "Always");
    if ends && !options.native {
        return Err(Skip::WouldNotEnd);
    }
    Ok(())
}

/// Ports that are to be had.
struct Ways<'a> {
    pod: &'a Value,
    asked: &'a Asked,
    options: &'a Options,
    numbers: BTreeSet<u16>,
    names: BTreeSet<String>,
}

impl<'a> Ways<'a> {
    fn new(pod: &'a Value, asked: &'a Asked, options: &'a Options) -> Self {
        let (numbers, names) = pod::taken(pod);
        Self {
            pod,
            asked,
            options,
            numbers,
            names,
        }
    }

    fn own_name(&self, name: &'static str) -> Option<&'static str> {
        (!self.names.contains(name)).then_some(name)
    }

    /// A port of our own: that which is asked for, or the first free one.
    fn own(
        &self,
        asked: Option<u16>,
        from: u16,
        key: &'static str,
        more: &[u16],
    ) -> Result<u16, Skip> {
        let mut taken = self.numbers.clone();
        taken.extend(more);
        match asked {
            Some(port) if taken.contains(&port) => Err(Skip::PortTaken(port, key)),
            Some(port) => Ok(port),
            None => {
                // whoever asked for a port gets it
                taken.extend(self.asked.port.iter().chain(&self.asked.ops_port));
                Ok(free(from, &taken))
            }
        }
    }

    fn listen(&self, upstream: u16) -> Result<u16, Skip> {
        self.own(self.asked.port, self.options.port, "port", &[upstream])
    }

    fn ops(&self, more: &[u16]) -> Result<u16, Skip> {
        self.own(self.asked.ops_port, self.options.ops_port, "ops-port", more)
    }

    /// The sidecar takes the place of the model's port, by number where a variable can move the model,
    /// else by name.
    fn take_port(
        &self,
        variable: Option<&str>,
        edits: &mut Edits,
        plan: &mut Plan<'_>,
        target: &Target,
        changed: &mut Vec<String>,
    ) -> Result<Traffic, Skip> {
        let Some(port) = &target.port else {
            return Err(Skip::NumericTargetPort(target.number));
        };
        if variable.is_none() && port.name.is_none() {
            return Err(Skip::NumericTargetPort(port.number));
        }
        if let Some(variable) = variable {
            let host = self.pod.pointer(&format!("{}/hostPort", port.path()));
            if host.and_then(pod::port_number).is_some() {
                return Err(Skip::HostPort(port.number));
            }
            moved::can_move(self.pod, port, variable)?;
            if let Some(asked) = self.asked.port.filter(|&asked| asked != port.number) {
                let found = asked.to_string();
                let expected = "the model's own port, which app-port-env gives to Sidelight";
                return Err(Skip::BadAnnotation {
                    key: "port",
                    found,
                    expected,
                });
            }
        } else {
            plan.listen = self.listen(port.number)?;
        }
        plan.listen_name.clone_from(&port.name);
        if let Some(name) = &port.name {
            let other = renamed::other_name(name, |name| self.names.contains(name));
            edits.set(&format!("{}/name", port.path()), other.as_str().into());
            changed.push(format!("port {name} is {other}"));
            changed.extend(renamed::follow(edits, port, &json!(name), &json!(other)));
        }
        let Some(variable) = variable else {
            return Ok(Traffic::Name);
        };
        plan.listen = port.number;
        let wanted = self
            .asked
            .ops_port
            .into_iter()
            .chain([self.options.ops_port]);
        let taken = self.numbers.iter().copied().chain(wanted).collect();
        plan.upstream = free(moved::FROM, &taken);
        moved::set(edits, port, variable, plan.upstream);
        changed.push(format!("port {} is {}", port.number, plan.upstream));
        changed.extend(renamed::follow(
            edits,
            port,
            &json!(port.number),
            &json!(plan.upstream),
        ));
        Ok(Traffic::Moved)
    }
}

/// Takes Sidelight out of a pod or a Service again: what gives back exactly what was there.
///
/// # Errors
/// It is not in it, or what it did was changed since.
pub fn uninject(object: &Value) -> Result<Vec<Operation>, Skip> {
    if !status::is_in(object) {
        return Err(Skip::NotInjected);
    }
    let undo = status::of(object).ok_or(Skip::ChangedSince)?.undo;
    let mut copy = object.clone();
    for operation in &undo {
        if !status::takes_only_ours(&copy, operation) {
            return Err(Skip::ChangedSince);
        }
        apply_all(&mut copy, std::slice::from_ref(operation)).map_err(|_| Skip::ChangedSince)?;
    }
    Ok(undo)
}

/// A port for the options, as a flag or an annotation has it.
///
/// # Errors
/// What was expected.
pub fn port_reference(text: &str) -> Result<PortRef, &'static str> {
    text.parse()
}

#[cfg(test)]
pub(super) mod tests;
