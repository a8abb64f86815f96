use std::collections::BTreeMap;

use super::*;
use crate::config::Config;
use crate::inject::{generated::Generator, service::selects};

/// As many pods as the properties are tried on.
const PODS: u64 = 4000;

fn injected(pod: &Value, services: &[&Value], options: &Options) -> Outcome {
    let services: Vec<Seen> = services.iter().copied().map(Seen::unwritten).collect();
    inject(pod, &services, options)
}

fn patched(pod: &Value, services: &[&Value], options: &Options) -> Patched {
    match injected(pod, services, options) {
        Outcome::Patched(patched) => *patched,
        Outcome::Skipped(skip) => panic!("{skip}: {pod}"),
    }
}

fn skipped(pod: &Value, options: &Options) -> Skip {
    match injected(pod, &[], options) {
        Outcome::Skipped(skip) => skip,
        Outcome::Patched(patched) => panic!("{:?}", patched.operations),
    }
}

fn after(pod: &Value, operations: &[Operation]) -> Value {
    let mut pod = pod.clone();
    apply_all(&mut pod, operations).unwrap();
    pod
}

/// A pod with one container that has these ports.
#[expect(clippy::needless_pass_by_value, reason = "it is written in place")]
fn pod(ports: Value) -> Value {
    json!({
        "metadata": {"labels": {"app": "iris"}},
        "spec": {"containers": [{"name": "model", "image": "iris:1", "ports": ports}]},
    })
}

fn annotated(mut pod: Value, annotations: Value) -> Value {
    pod["metadata"]["annotations"] = annotations;
    pod
}

fn sidecar(pod: &Value) -> &Value {
    let all = all_containers(pod).find(|container| container["name"] == CONTAINER);
    all.expect("it was injected")
}

/// What the agent in this container makes of its environment.
pub(in crate::inject) fn loaded(container: &Value) -> Result<Config, String> {
    let env = pod::list(container, "/env").iter();
    let env = env.filter_map(|variable| {
        let name = text(variable, "/name")?.to_owned();
        // the file is not here
        let is_file = name == crate::config::CONFIG;
        let value = text(variable, "/value").filter(|_| !is_file)?;
        Some((name, value.to_owned()))
    });
    let sources = crate::config::Sources {
        env: env.collect(),
        ..Default::default()
    };
    let loaded = sources.load().map_err(|errors| errors.to_string())?;
    match loaded.warnings.as_slice() {
        [] => Ok(loaded.config),
        warnings => Err(warnings.join("\n")),
    }
}

/// What a probe of the sidecar asks it, over loopback: no mesh and no family of addresses is in between.
fn asks(probe: &Value) -> &str {
    let command = &probe["exec"]["command"];
    assert_eq!(
        (&command[0], &command[1]),
        (&json!("sidelight"), &json!("probe"))
    );
    assert!(probe["timeoutSeconds"].as_u64() > Some(1), "{probe}");
    command[2].as_str().unwrap()
}

#[test]
fn over_generated_pods_the_agent_takes_every_setting() {
    let (mut asked, mut patient) = (0, 0);
    for seed in 0..PODS {
        let mut generator = Generator::new(seed);
        let (pod, options) = (generator.pod(), generator.options());
        let Outcome::Patched(patched) = injected(&pod, &[], &options) else {
            continue;
        };
        let injected = after(&pod, &patched.operations);
        let container = sidecar(&injected);
        let config = loaded(container).unwrap_or_else(|why| panic!("{seed}: {why}\n{container}"));
        asked += usize::from(config.model.ready_path.is_some());
        patient += usize::from(config.model.probe_timeout.as_secs() > 1);
        let is_asked = container["readinessProbe"]["exec"]["command"][2] == "ready";
        assert_eq!(is_asked, config.model.ready_path.is_some(), "{seed}");
        assert!(
            config.drain.deadline <= crate::config::LONGEST_DRAIN,
            "{seed}"
        );
    }
    assert!(asked > 20 && patient > 1, "{asked} {patient}");
}

#[test]
fn over_generated_pods_it_changes_once_and_is_undone_exactly() {
    let mut counted: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..PODS {
        let mut generator = Generator::new(seed);
        let (pod, service, options) = (generator.pod(), generator.service(), generator.options());
        let chosen = selects(&service, &pod) && !service::is_headless(&service);
        let services: Vec<&Value> = chosen.then_some(&service).into_iter().collect();
        let patched = match injected(&pod, &services, &options) {
            Outcome::Patched(patched) => *patched,
            Outcome::Skipped(skip) => {
                *counted.entry(skip.reason()).or_default() += 1;
                continue;
            }
        };
        *counted.entry(patched.traffic.word()).or_default() += 1;
        let injected = after(&pod, &patched.operations);
        let again = self::injected(&injected, &services, &options);
        assert_eq!(again, Outcome::Skipped(Skip::AlreadyInjected), "{seed}");
        let undo = uninject(&injected).unwrap();
        assert_eq!(after(&injected, &undo), pod, "{seed}");
        for (service, operations) in services.iter().zip(&patched.services) {
            if !operations.is_empty() {
                let led = after(service, operations);
                assert_eq!(after(&led, &uninject(&led).unwrap()), **service, "{seed}");
            }
        }
        is_sound(&injected, &patched, seed);
    }
    for word in [
        "service",
        "name",
        "moved",
        "several_ports",
        "numeric_target_port",
        "host_network",
        "app_port_env",
    ] {
        assert!(counted.get(word) > Some(&20), "{word} of {counted:?}");
    }
}

/// What holds of every injected pod.
fn is_sound(pod: &Value, patched: &Patched, seed: u64) {
    let mut numbers: Vec<u16> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for port in all_containers(pod).flat_map(|c| pod::list(c, "/ports")) {
        if text(port, "/protocol") != Some("UDP") {
            numbers.extend(port.get("containerPort").and_then(pod::port_number));
        }
        names.extend(text(port, "/name"));
    }
    let is_once = |number: u16| numbers.iter().filter(|&&n| n == number).count() == 1;
    assert!(is_once(patched.port), "{seed}: {numbers:?}");
    assert!(
        !numbers.is_empty() && patched.port != patched.upstream,
        "{seed}"
    );
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{seed}: {names:?}");
    assert!(
        names.iter().all(|name| name.parse::<PortRef>().is_ok()),
        "{seed}: {names:?}"
    );
}

#[test]
fn a_service_that_leads_by_number_leads_to_the_sidecar_and_the_model_stays() {
    let pod = pod(json!([{"containerPort": 8000, "name": "http"}, {"containerPort": 8001}]));
    let service = json!({"metadata": {"name": "iris"}, "spec": {"selector": {"app": "iris"}, "ports": [
        {"port": 80, "targetPort": 8000}, {"port": 8000},
    ]}});
    let patched = patched(&pod, &[&service], &Options::default());
    assert_eq!(patched.traffic, Traffic::Service);
    assert_eq!((patched.port, patched.upstream), (18080, 8000));
    let led = after(&service, &patched.services[0]);
    assert_eq!(
        led["spec"]["ports"],
        json!([
            {"port": 80, "targetPort": 18080}, {"port": 8000, "targetPort": 18080},
        ])
    );
    let injected = after(&pod, &patched.operations);
    assert_eq!(injected["spec"]["containers"], pod["spec"]["containers"]);
}

#[test]
fn a_service_that_leads_by_name_stays_for_pods_that_have_no_sidecar_yet() {
    let pod = pod(json!([{"containerPort": 8000, "name": "http"}, {"containerPort": 8001}]));
    let service = |ports: Value| json!({"metadata": {}, "spec": {"ports": ports}});
    let by_name = service(json!([{"port": 80, "targetPort": "http"}]));
    let options = Options {
        // as before, a Service of the run comes before the variable
        app_port_env: Some("PORT".to_owned()),
        ..Options::default()
    };
    let alone = patched(&pod, &[&by_name], &options);
    assert_eq!(alone.traffic, Traffic::Name);
    assert_eq!(alone.services, [[]]);
    let injected = after(&pod, &alone.operations);
    let ports = |container: &Value| container["ports"][0].clone();
    assert_eq!(ports(sidecar(&injected))["name"], "http");
    assert_eq!(
        ports(&injected["spec"]["containers"][0])["name"],
        "http-app"
    );
    // beside it one that leads by number: only that is changed
    let both = service(json!([{"port": 80, "targetPort": "http"}, {"port": 8000}]));
    let patched = patched(&pod, &[&by_name, &both], &options);
    assert_eq!(patched.traffic, Traffic::Service);
    assert_eq!(patched.services[0], []);
    assert_eq!(
        after(&both, &patched.services[1])["spec"]["ports"],
        json!([{"port": 80, "targetPort": "http"}, {"port": 8000, "targetPort": 18080}])
    );
}

#[test]
fn whatever_says_that_a_model_speaks_tls_is_believed() {
    let probed = |port: u16, name: &str, probe: &str, scheme: &str| {
        let mut pod = pod(json!([{"containerPort": port, "name": name}]));
        pod["spec"]["containers"][0][probe] = json!({"httpGet": {"port": port, "scheme": scheme}});
        injected(&pod, &[], &Options::default())
    };
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let outcome = probed(8000, "api", probe, "HTTPS");
        assert_eq!(outcome, Outcome::Skipped(Skip::Encrypted(8000)), "{probe}");
        // a number says less than a probe that is answered
        assert!(matches!(
            probed(8443, "api", probe, "HTTP"),
            Outcome::Patched(_)
        ));
    }
    for (port, name) in [(8000, "https-api"), (443, "api"), (8443, "api")] {
        let pod = pod(json!([{"containerPort": port, "name": name}]));
        assert_eq!(skipped(&pod, &Options::default()), Skip::Encrypted(port));
    }
    for says in [
        json!({"name": "https-api"}),
        json!({"appProtocol": "HTTPS"}),
    ] {
        let mut service = json!({"spec": {"ports": [{"port": 443, "targetPort": 8000}]}});
        let port = service["spec"]["ports"][0].as_object_mut().unwrap();
        port.extend(says.as_object().unwrap().clone());
        let pod = pod(json!([{"containerPort": 8000, "name": "api"}]));
        let outcome = injected(&pod, &[&service], &Options::default());
        assert_eq!(outcome, Outcome::Skipped(Skip::Encrypted(8000)));
    }
}

#[test]
fn a_port_of_the_node_does_not_move_with_the_model() {
    let pod = pod(json!([{"containerPort": 8000, "name": "http", "hostPort": 80}]));
    let options = Options {
        app_port_env: Some("PORT".to_owned()),
        ..Options::default()
    };
    assert_eq!(skipped(&pod, &options), Skip::HostPort(8000));
}

#[test]
fn a_volume_of_our_name_is_left_alone() {
    let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    pod["spec"]["volumes"] = json!([{"name": "sidelight-config", "emptyDir": {}}]);
    let options = Options {
        config: Some("mine".to_owned()),
        ..Options::default()
    };
    let injected = after(&pod, &patched(&pod, &[], &options).operations);
    assert_eq!(injected["spec"]["volumes"][1]["name"], "sidelight-config-1");
    assert_eq!(
        sidecar(&injected)["volumeMounts"][0]["name"],
        "sidelight-config-1"
    );
    assert_eq!(after(&injected, &uninject(&injected).unwrap()), pod);
}

#[test]
fn pods_of_windows_and_of_the_kubelet_itself_are_left_alone() {
    for key in ["kubernetes.io/os", "beta.kubernetes.io/os"] {
        let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
        pod["spec"]["nodeSelector"] = json!({key: "windows"});
        assert_eq!(skipped(&pod, &Options::default()), Skip::NotLinux);
        pod["spec"]["nodeSelector"] = json!({key: "linux"});
        patched(&pod, &[], &Options::default());
    }
    let mirror = annotated(
        pod(json!([{"containerPort": 8000, "name": "http"}])),
        json!({"kubernetes.io/config.mirror": "0b3e"}),
    );
    assert_eq!(skipped(&mirror, &Options::default()), Skip::MirrorPod);
}

#[test]
fn of_a_service_with_two_targets_the_pod_says_which_is_the_models() {
    let pod = pod(json!([{"containerPort": 8000}, {"containerPort": 8001}]));
    let service = json!({"metadata": {}, "spec": {"ports": [{"port": 8000}, {"port": 8001}]}});
    let options = Options::default();
    let outcome = injected(&pod, &[&service], &options);
    assert_eq!(
        outcome,
        Outcome::Skipped(Skip::SeveralPorts("8000, 8001".to_owned()))
    );
    let pod = annotated(pod, json!({"sidelight.dev/upstream-port": "8001"}));
    let patched = patched(&pod, &[&service], &options);
    let led = after(&service, &patched.services[0]);
    assert_eq!(
        led["spec"]["ports"],
        json!([{"port": 8000}, {"port": 8001, "targetPort": 18080}])
    );
}

#[test]
fn the_sidecar_takes_the_name_and_probes_follow_the_model() {
    let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    pod["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/r", "port": "http"}});
    pod["spec"]["containers"][0]["livenessProbe"] = json!({"tcpSocket": {"port": 8000}});
    let patched = patched(&pod, &[], &Options::default());
    assert_eq!(patched.traffic, Traffic::Name);
    let injected = after(&pod, &patched.operations);
    let model = &injected["spec"]["containers"][0];
    assert_eq!(
        model["ports"],
        json!([{"containerPort": 8000, "name": "http-app"}])
    );
    assert_eq!(model["readinessProbe"]["httpGet"]["port"], "http-app");
    assert_eq!(model["livenessProbe"]["tcpSocket"]["port"], 8000);
    assert_eq!(sidecar(&injected)["ports"][0]["name"], "http");
    assert_eq!(sidecar(&injected)["ports"][1]["name"], "sidelight-ops");
}

#[test]
fn a_model_is_moved_by_its_variable_alone() {
    let bare = pod(json!([{"containerPort": 8000}]));
    assert_eq!(
        skipped(&bare, &Options::default()),
        Skip::NumericTargetPort(8000)
    );
    let mut pod = annotated(bare, json!({"sidelight.dev/app-port-env": "PORT"}));
    pod["spec"]["containers"][0]["readinessProbe"] = json!({"httpGet": {"port": 8000}});
    pod["spec"]["containers"][0]["env"] =
        json!([{"name": "A", "value": "b"}, {"name": "PORT", "value": "8000"}]);
    let patched = patched(&pod, &[], &Options::default());
    assert_eq!(
        (patched.traffic, patched.port, patched.upstream),
        (Traffic::Moved, 8000, 21000)
    );
    let injected = after(&pod, &patched.operations);
    let model = &injected["spec"]["containers"][0];
    assert_eq!(model["env"][1]["value"], "21000");
    assert_eq!(model["ports"][0]["containerPort"], 21000);
    assert_eq!(model["readinessProbe"]["httpGet"]["port"], 21000);
    pod["spec"]["containers"][0]["env"][1]["value"] = json!("9000");
    assert_eq!(skipped(&pod, &Options::default()).reason(), "app_port_env");
}

#[test]
fn what_must_not_be_touched_is_skipped_with_its_reason() {
    let named = || pod(json!([{"containerPort": 8000, "name": "http"}]));
    let with = |path: &str, value: Value| {
        let mut pod = named();
        pod["spec"][path] = value;
        pod
    };
    let old = Options {
        native: false,
        ..Options::default()
    };
    let new = Options::default();
    for (pod, options, reason) in [
        (with("hostNetwork", json!(true)), &new, "host_network"),
        (with("os", json!({"name": "windows"})), &new, "not_linux"),
        (with("containers", json!([])), &new, "not_a_pod"),
        (with("containers", json!([7])), &new, "not_a_pod"),
        (with("initContainers", json!({"a": 1})), &new, "not_a_pod"),
        (
            with("initContainers", json!([{"name": "sidelight"}])),
            &new,
            "own_sidecar",
        ),
        (with("restartPolicy", json!("Never")), &old, "would_not_end"),
        (
            pod(json!([{"containerPort": 53, "protocol": "UDP"}])),
            &new,
            "no_tcp_port",
        ),
        (
            pod(json!([{"containerPort": 1}, {"containerPort": 2}])),
            &new,
            "several_ports",
        ),
        (
            annotated(named(), json!({"sidelight.dev/upstream-port": "grpc"})),
            &new,
            "unknown_port",
        ),
        (
            annotated(named(), json!({"sidelight.dev/upstream-port": "9000"})),
            &new,
            "numeric_target_port",
        ),
        (
            annotated(named(), json!({"sidelight.dev/port": "8000"})),
            &new,
            "port_taken",
        ),
        (
            annotated(named(), json!({"sidelight.dev/port": "80"})),
            &new,
            "privileged_port",
        ),
        (
            annotated(named(), json!({"sidelight.dev/inject": "disabled"})),
            &new,
            "disabled",
        ),
        (json!(null), &new, "not_a_pod"),
    ] {
        assert_eq!(skipped(&pod, options).reason(), reason, "{pod}");
    }
    let elsewhere = annotated(named(), json!({"sidelight.dev/ops-port": "18080"}));
    assert_eq!(patched(&elsewhere, &[], &new).port, 18081);
    let job = with("restartPolicy", json!("Never"));
    assert_eq!(patched(&job, &[], &new).traffic, Traffic::Name);
}

#[test]
fn ports_of_meshes_are_no_candidates_and_are_not_taken() {
    let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    let mesh = json!({"name": "istio-proxy", "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}]});
    pod["spec"]["containers"].as_array_mut().unwrap().push(mesh);
    pod["spec"]["initContainers"] =
        json!([{"name": "linkerd-proxy", "ports": [{"containerPort": 9464}]}]);
    let patched = patched(&pod, &[], &Options::default());
    assert_eq!(patched.upstream, 8000);
    let injected = after(&pod, &patched.operations);
    assert_eq!(sidecar(&injected)["ports"][1]["containerPort"], 9465);
}

#[test]
fn a_sidecar_of_either_kind_starts_before_or_ends_after_the_model() {
    let pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    let native = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    let container = &native["spec"]["initContainers"][0];
    assert_eq!(container["restartPolicy"], "Always");
    assert_eq!(asks(&container["startupProbe"]), "live");
    assert_eq!(asks(&container["readinessProbe"]), "live");
    let hook = |container: &Value| container["lifecycle"]["preStop"]["exec"]["command"].clone();
    assert_eq!(hook(container), json!(["sidelight", "leave"]));
    let options = Options {
        native: false,
        ..Options::default()
    };
    let plain = after(&pod, &patched(&pod, &[], &options).operations);
    let container = &plain["spec"]["containers"][1];
    assert_eq!(hook(container), json!(["sidelight", "leave", "5s"]));
    assert!(container.get("restartPolicy").is_none() && container.get("startupProbe").is_none());
}

#[test]
fn a_model_is_asked_whether_it_is_ready_only_where_it_says_how() {
    let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    pod["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/up", "port": "http"}});
    let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    let container = sidecar(&injected);
    assert_eq!(asks(&container["readinessProbe"]), "ready");
    let told = container["env"].as_array().unwrap();
    assert!(told.contains(&json!({"name": "SIDELIGHT_MODEL__READY_PATH", "value": "/up"})));
    // a probe of another port says nothing of this one
    pod["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"] = json!(9000);
    let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    let probe = &sidecar(&injected)["readinessProbe"];
    assert_eq!(asks(probe), "live");
}

#[test]
fn a_model_is_asked_as_kubernetes_asks_it_or_not_at_all() {
    let sidecar_of = |probe: Value, config: Option<&str>| {
        let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
        pod["spec"]["containers"][0]["readinessProbe"] = probe;
        let options = Options {
            config: config.map(str::to_owned),
            ..Options::default()
        };
        let injected = after(&pod, &patched(&pod, &[], &options).operations);
        sidecar(&injected).clone()
    };
    let probe = json!({"httpGet": {"path": "/up?deep=1", "port": 8000}, "timeoutSeconds": 20});
    for config in [None, Some("mine")] {
        let container = sidecar_of(probe.clone(), config);
        assert_eq!(asks(&container["readinessProbe"]), "ready");
        let model = loaded(&container).unwrap().model;
        assert_eq!(model.ready_path.as_deref(), Some("/up?deep=1"));
        assert_eq!(model.probe_timeout.as_secs(), 20);
    }
    let alone = |question| sidecar_of(json!({"httpGet": question}), None);
    for container in [
        alone(json!({"port": 8000, "httpHeaders": [{"name": "Authorization", "value": "x"}]})),
        alone(json!({"port": 8000, "host": "127.0.0.1"})),
        alone(json!({"port": 8000, "path": "/\u{fc}"})),
        sidecar_of(Value::Null, Some("mine")),
    ] {
        assert_eq!(asks(&container["readinessProbe"]), "live");
        assert_eq!(loaded(&container).unwrap().model.ready_path, None);
    }
}

#[test]
fn a_configmap_says_how_much_may_wait_unless_a_flag_does() {
    let pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    let told = |config: Option<&str>, queue_bytes| {
        let options = Options {
            config: config.map(str::to_owned),
            queue_bytes,
            ..Options::default()
        };
        let injected = after(&pod, &patched(&pod, &[], &options).operations);
        let env = sidecar(&injected)["env"].as_array().unwrap().iter();
        let mut env = env.filter(|v| v["name"] == "SIDELIGHT_CAPTURE__QUEUE_BYTES");
        env.next().map(|v| v["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(told(None, None).as_deref(), Some("33554432"));
    assert_eq!(told(Some("mine"), None), None);
    assert_eq!(
        told(Some("mine"), Some(7 << 20)).as_deref(),
        Some("7340032")
    );
}

#[test]
fn a_grace_period_of_days_is_no_setting_that_the_agent_refuses() {
    let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    for (grace, expected) in [(100_000, 86_400), (30, 28), (1, 1), (0, 1)] {
        pod["spec"]["terminationGracePeriodSeconds"] = json!(grace);
        let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
        let config = loaded(sidecar(&injected)).unwrap();
        assert_eq!(config.drain.deadline.as_secs(), expected);
    }
}

#[test]
fn a_model_that_speaks_tls_is_left_alone() {
    let named = pod(json!([{"containerPort": 8443, "name": "https"}]));
    assert_eq!(skipped(&named, &Options::default()), Skip::Encrypted(8443));
    let mut probed = pod(json!([{"containerPort": 8443, "name": "api"}]));
    probed["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"port": 8443, "scheme": "HTTPS"}});
    assert_eq!(skipped(&probed, &Options::default()), Skip::Encrypted(8443));
}

#[test]
fn the_container_fits_the_restricted_standard_whatever_the_pod_says() {
    let mut pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    pod["spec"]["securityContext"] = json!({"runAsUser": 0, "runAsNonRoot": false});
    let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    assert_eq!(
        injected["spec"]["securityContext"],
        pod["spec"]["securityContext"]
    );
    assert_eq!(
        sidecar(&injected)["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsGroup": 65532, "runAsNonRoot": true, "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
}

#[test]
fn memory_follows_the_budget_and_the_sidecar_is_told() {
    let pod = pod(json!([{"containerPort": 8000, "name": "http"}]));
    let options = Options {
        queue_bytes: Some(100 << 20),
        cpu_limit: Some("2".to_owned()),
        ..Options::default()
    };
    let injected = after(&pod, &patched(&pod, &[], &options).operations);
    let container = sidecar(&injected);
    assert_eq!(
        container["resources"],
        json!({
            "requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "264Mi", "cpu": "2"},
        })
    );
    let told = container["env"].as_array().unwrap();
    assert!(
        told.contains(&json!({"name": "SIDELIGHT_CAPTURE__QUEUE_BYTES", "value": "104857600"}))
    );
}

#[test]
fn configuration_and_formats_come_by_annotation() {
    let pod = annotated(
        pod(json!([{"containerPort": 8000, "name": "http"}])),
        json!({"sidelight.dev/config": "mine", "sidelight.dev/format": "/score=v1", "sidelight.dev/image": "a/b:2"}),
    );
    let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    let container = sidecar(&injected);
    assert_eq!(container["image"], "a/b:2");
    assert_eq!(
        injected["spec"]["volumes"],
        json!([{"name": "sidelight-config", "configMap": {"name": "mine"}}])
    );
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/etc/sidelight");
    let told = container["env"].as_array().unwrap();
    for (name, value) in [
        ("SIDELIGHT_CONFIG", "/etc/sidelight/sidelight.yaml"),
        ("SIDELIGHT_ROUTES", r#"[{"format":"v1","path":"/score"}]"#),
    ] {
        assert!(
            told.contains(&json!({"name": name, "value": value})),
            "{told:?}"
        );
    }
}

#[test]
fn the_environment_is_one_that_the_agent_starts_with() {
    let pod = annotated(
        pod(json!([{"containerPort": 8000, "name": "http"}])),
        json!({"sidelight.dev/format": "/score=v1, /embed=tei"}),
    );
    let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    let config = loaded(sidecar(&injected)).unwrap();
    assert_eq!(config.proxy.listen.port(), 18080);
    assert_eq!(config.routes.len(), 2);
    assert_eq!(
        config.capture.queue_bytes.to_string(),
        (32 << 20).to_string()
    );
    let wait = config.drain.deadline + config.drain.delay.unwrap_or_default();
    assert!(wait < std::time::Duration::from_secs(30), "{wait:?}");
}

#[test]
fn what_others_changed_since_is_not_taken_away() {
    let pod = json!({"spec": {"containers": [{"name": "m", "ports": [{"containerPort": 8000, "name": "http"}]}]}});
    let injected = after(&pod, &patched(&pod, &[], &Options::default()).operations);
    let changed = |path: &str, value: Value| {
        let mut pod = injected.clone();
        *pod.pointer_mut(path).unwrap() = value;
        uninject(&pod)
    };
    assert!(changed("/metadata/annotations", json!({"a": "b"})).is_err());
    let mut pod = injected.clone();
    pod["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(uninject(&pod), Err(Skip::ChangedSince));
    let mut pod = injected.clone();
    pod["spec"]["initContainers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "x"}));
    assert_eq!(uninject(&pod), Err(Skip::ChangedSince));
    assert_eq!(
        changed("/spec/initContainers/0/name", json!("x")),
        Err(Skip::ChangedSince)
    );
    assert_eq!(
        changed("/spec/containers/0/ports/0/name", json!("x")),
        Err(Skip::ChangedSince)
    );
    let status = "/metadata/annotations/sidelight.dev~1status";
    assert_eq!(changed(status, json!("{}")), Err(Skip::ChangedSince));
    assert_eq!(changed(status, json!(7)), Err(Skip::ChangedSince));
    assert_eq!(uninject(&json!({})), Err(Skip::NotInjected));
}

#[test]
fn pods_that_an_api_server_sent_are_injected_and_given_back() {
    for text in [
        include_str!("../../../tests/kube/review-inj-a.json"),
        include_str!("../../../tests/kube/review-strict-a.json"),
        include_str!("../../../tests/kube/review-strict-bad.json"),
    ] {
        let review: Value = serde_json::from_str(text).unwrap();
        let pod = &review["request"]["object"];
        assert_eq!(
            skipped(pod, &Options::default()),
            Skip::NumericTargetPort(8000)
        );
        let options = Options {
            app_port_env: Some("PORT".to_owned()),
            ..Options::default()
        };
        let injected = after(pod, &patched(pod, &[], &options).operations);
        assert_eq!(sidecar(&injected)["ports"][0]["containerPort"], 8000);
        assert_eq!(after(&injected, &uninject(&injected).unwrap()), *pod);
    }
}
