//! Pods, Services and options by chance, the same for the same seed.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::{Options, patch::port_reference};

const NUMBERS: [u16; 8] = [80, 8000, 8001, 8080, 9464, 18080, 21000, 65535];
const NAMES: [&str; 6] = [
    "http",
    "grpc",
    "http-app",
    "sidelight",
    "sidelight-ops",
    "a-very-long-one",
];

const PATHS: [&str; 14] = [
    "",
    "/",
    "/ready",
    "/health?verbose=1",
    "health",
    "/a#b",
    "/a?b#c",
    "/\u{fc}",
    "/a b",
    "/a:",
    "/a?b:",
    "//a",
    "/{a}",
    "/<a>",
];
const FORMATS: [&str; 8] = [
    "/score=v1, /embed=tei",
    "/a b=v1",
    "/a?x=v1",
    "/a{=v1",
    "/a=v1, /a=v2",
    "/{x}=v1, /{y}=v2",
    "/a:=v1",
    "/\"a\"=json",
];

pub(super) struct Generator(Rng);

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.usize(..of.len())]
    }

    /// True in so many of a hundred.
    fn chance(&mut self, percent: u8) -> bool {
        self.0.u8(..100) < percent
    }

    pub(super) fn options(&mut self) -> Options {
        Options {
            native: self.chance(70),
            config: self.chance(20).then(|| "mine".to_owned()),
            app_port_env: self.chance(30).then(|| "PORT".to_owned()),
            upstream_port: self
                .chance(20)
                .then(|| port_reference("8000").expect("a number is a port")),
            ..Options::default()
        }
    }

    pub(super) fn service(&mut self) -> Value {
        let mut ports = Vec::new();
        for _ in 0..=self.0.usize(..2) {
            let mut port = json!({"port": self.one(&NUMBERS)});
            if self.chance(60) {
                port["targetPort"] = self.reference();
            }
            ports.push(port);
        }
        let mut service =
            json!({"metadata": {"name": "s"}, "spec": {"selector": {"app": "a"}, "ports": ports}});
        if self.chance(10) {
            service["spec"]["clusterIP"] = "None".into();
        }
        if self.chance(20) {
            service["metadata"] = Value::Null;
        }
        service
    }

    fn reference(&mut self) -> Value {
        if self.chance(50) {
            json!(self.one(&NUMBERS))
        } else {
            json!(self.one(&NAMES))
        }
    }

    pub(super) fn pod(&mut self) -> Value {
        let (mut numbers, mut names) = (NUMBERS.to_vec(), NAMES.to_vec());
        self.0.shuffle(&mut numbers);
        self.0.shuffle(&mut names);
        let mut spec = Map::new();
        let count = 1 + self.0.usize(..2);
        let containers = (0..count).map(|at| self.container(at, &mut numbers, &mut names));
        spec.insert("containers".to_owned(), containers.collect());
        for list in ["initContainers", "volumes"] {
            match self.0.u8(..6) {
                0 => spec.insert(list.to_owned(), json!([])),
                1 => spec.insert(list.to_owned(), Value::Null),
                2 => spec.insert(list.to_owned(), json!([{"name": "first"}])),
                _ => None,
            };
        }
        if self.chance(5) {
            spec.insert("hostNetwork".to_owned(), json!(true));
        }
        if self.chance(30) {
            let seconds = self.one(&[0, 1, 30, 86_402, 100_000]);
            spec.insert("terminationGracePeriodSeconds".to_owned(), json!(seconds));
        }
        if self.chance(30) {
            let policy = self.one(&["Always", "Never"]);
            spec.insert("restartPolicy".to_owned(), json!(policy));
        }
        let mut pod = json!({"spec": spec});
        self.metadata(&mut pod);
        pod
    }

    fn metadata(&mut self, pod: &mut Value) {
        if self.chance(10) {
            return;
        }
        pod["metadata"] = json!({"labels": {"app": "a"}});
        match self.0.u8(..7) {
            4 => {
                let formats = self.one(&FORMATS);
                pod["metadata"]["annotations"] = json!({"sidelight.dev/format": formats});
            }
            0 => pod["metadata"]["annotations"] = json!({}),
            1 => pod["metadata"]["annotations"] = Value::Null,
            2 => pod["metadata"]["annotations"] = json!({"a/b": "c"}),
            3 => {
                let port = self.one(&NUMBERS).to_string();
                let key = self.one(&["port", "ops-port", "upstream-port"]);
                pod["metadata"]["annotations"] = json!({format!("sidelight.dev/{key}"): port});
            }
            _ => {}
        }
    }

    /// How a probe asks, as a kubelet takes it.
    fn question(&mut self, probe: &mut Value) {
        if self.chance(80) {
            probe["httpGet"]["path"] = json!(self.one(&PATHS));
        }
        if self.chance(10) {
            probe["httpGet"]["httpHeaders"] = json!([{"name": "Host", "value": "a"}]);
        }
        if self.chance(5) {
            probe["httpGet"]["host"] = json!("127.0.0.1");
        }
        if self.chance(30) {
            probe["timeoutSeconds"] = json!(self.one(&[1, 20, 60, 61, 100_000]));
        }
    }

    fn container(&mut self, at: usize, numbers: &mut Vec<u16>, names: &mut Vec<&str>) -> Value {
        let mut container = json!({"name": format!("c{at}")});
        let mut own = Vec::new();
        for _ in 0..self.0.usize(..=2 - at) {
            let mut port = json!({"containerPort": numbers.pop()});
            if self.chance(60) {
                port["name"] = json!(names.pop());
            }
            if self.chance(10) {
                port["protocol"] = "UDP".into();
            }
            own.push(port);
        }
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            if let Some(port) = own.first()
                && self.chance(40)
            {
                let by_name = port.get("name").filter(|_| self.chance(50));
                let port = by_name.unwrap_or(&port["containerPort"]);
                let kind = self.one(&["httpGet", "tcpSocket"]);
                container[probe] = json!({kind: {"port": port}});
                if kind == "httpGet" {
                    self.question(&mut container[probe]);
                }
            }
        }
        if self.chance(40) {
            let value = own
                .first()
                .map_or(Value::Null, |port| port["containerPort"].clone());
            let value = if self.chance(70) { value } else { json!(1) };
            container["env"] = json!([{"name": "A"}, {"name": "PORT", "value": value.to_string()}]);
        }
        if !own.is_empty() || self.chance(30) {
            container["ports"] = Value::Array(own);
        }
        container
    }
}
