"""What Prometheus's operator makes of PodMonitors, for a real Prometheus that is told of the pods. No case."""

import json
import re

import stack
from harness import wait_until
from references import running

META = "__meta_kubernetes_"


def sanitized(name):
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def discovered(namespace, template, address):
    """As Prometheus discovers a pod: a target for each port of each container, and for one without ports itself."""
    pod, labels = template["spec"], template["metadata"]["labels"]
    of_pod = {f"{META}namespace": namespace, f"{META}pod_ip": address, f"{META}pod_phase": "Running"}
    for name, value in labels.items():
        of_pod[f"{META}pod_label_{sanitized(name)}"] = value
        of_pod[f"{META}pod_labelpresent_{sanitized(name)}"] = "true"
    for container in running(pod):
        of_container = {**of_pod, f"{META}pod_container_name": container["name"]}
        for port in container.get("ports", []):
            of_port = {f"{META}pod_container_port_name": port.get("name", ""),
                       f"{META}pod_container_port_number": str(port["containerPort"])}
            yield {"targets": [f"{address}:{port['containerPort']}"], "labels": {**of_container, **of_port}}
        if not container.get("ports"):
            yield {"targets": [address], "labels": of_container}


def relabeled(monitor, endpoint):
    """What the operator has Prometheus do with them."""
    spec, name = monitor["spec"], monitor["metadata"]
    yield {"target_label": "job", "replacement": f"{name['namespace']}/{name['name']}"}
    if not spec.get("namespaceSelector", {}).get("any"):
        yield {"source_labels": [f"{META}namespace"], "regex": name["namespace"], "action": "keep"}
    for label, value in spec["selector"].get("matchLabels", {}).items():
        yield {"source_labels": [f"{META}pod_label_{sanitized(label)}"], "regex": re.escape(value), "action": "keep"}
    for one in spec["selector"].get("matchExpressions", []):
        assert one["operator"] == "Exists", one
        yield {"source_labels": [f"{META}pod_labelpresent_{sanitized(one['key'])}"], "regex": "true", "action": "keep"}
    if "port" in endpoint:
        yield {"source_labels": [f"{META}pod_container_port_name"], "regex": endpoint["port"], "action": "keep"}
    if "jobLabel" in spec:
        yield {"source_labels": [f"{META}pod_label_{sanitized(spec['jobLabel'])}"], "regex": "(.+)",
               "target_label": "job", "replacement": "$1"}
    for one in endpoint.get("relabelings", []):
        yield {re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", key): value for key, value in one.items()}


def asked(monitors, pods):
    """(job, URL) of all that a Prometheus with these monitors asks. `pods`: (namespace, template)."""
    targets = [target for place, (namespace, template) in enumerate(pods, 1)
               for target in discovered(namespace, template, f"127.0.1.{place}")]
    jobs = [{"job_name": f"{monitor['metadata']['name']}/{place}", "metrics_path": endpoint["path"],
             # it is only to be seen whom it would ask
             "scrape_interval": "1h", "static_configs": targets, "relabel_configs": list(relabeled(monitor, endpoint))}
            for monitor in monitors for place, endpoint in enumerate(monitor["spec"]["podMetricsEndpoints"])]
    # JSON is YAML
    with stack.Prometheus(json.dumps({"scrape_configs": jobs})) as prometheus:
        def found():
            told = prometheus.ask("/api/v1/targets?state=any")
            return told if len(told["activeTargets"]) + len(told["droppedTargets"]) >= len(targets) else None
        told = wait_until(found, "the targets")
    return sorted((one["labels"]["job"], one["scrapeUrl"]) for one in told["activeTargets"])
