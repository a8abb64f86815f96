"""Manifests as people write them, Sidelight put into them, and a cluster for one case that runs them."""

import contextlib
import json
import subprocess

import harness as h
import pods
from callers import Caller
from harness import PATIENCE, equal
from kubelet import Pod, Service

MODEL_PORT, SIDECAR_PORT = 8000, 18080


# -- manifests ------------------------------------------------------------------------------------

def model(**more):
    """The container of `pod_model.py`."""
    return {"name": "model", "image": "registry.example/model:1.4", "ports": [{"containerPort": MODEL_PORT}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": MODEL_PORT}, "periodSeconds": 1}, **more}


def named_model(**more):
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1}
    return model(ports=[{"containerPort": MODEL_PORT, "name": "http"}], readinessProbe=probe, **more)


def iris():
    """The one of `sidelight iris`, a model server that knows nothing of the sidecar."""
    return {**model(), "image": "registry.example/iris:1.4",
            "command": ["sidelight", "iris", "--listen", f"0.0.0.0:{MODEL_PORT}"]}


def deployment(container, annotations=None, **spec):
    template = {"metadata": {"labels": {"app": "iris"}, "annotations": annotations or {}},
                "spec": {"containers": [container], **spec}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "iris"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "iris"}}, "template": template}}


def service(target, name="sidelight"):
    """Its name is the worst: its variables begin like those of the sidecar."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": "iris"}, "ports": [{"port": 80, "targetPort": target}]}}


def inject(objects, *flags):
    """What `kubectl apply` would get."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    done = subprocess.run([h.BINARY, "inject", *flags], input=text, capture_output=True, text=True, timeout=PATIENCE,
                          env=h.clean_environment(), check=False)
    equal(done.returncode, 0, f"exit of inject, {done.stderr[-500:]}")
    print("".join(f"    {line}\n" for line in done.stderr.splitlines()), end="")
    return json.loads(done.stdout)["items"]


# -- a cluster ------------------------------------------------------------------------------------

class Cluster:
    """The pods of a case, their Service, and a network for clients. All of it is gone after the case."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.images, self.service, self.number = pods.Images(), None, 0

    def __enter__(self):
        with contextlib.ExitStack() as until_all_is_well:
            until_all_is_well.callback(self.stack.close)
            self.clients = self.space("clients")
            until_all_is_well.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def space(self, name):
        space = pods.Space(name)
        self.stack.callback(space.close)
        return space

    def serve(self, manifest):
        self.service = Service(manifest)

    def pod(self, workload):
        """One more of the workload, as its controller makes it."""
        self.number += 1
        template = workload["spec"]["template"] if "template" in workload["spec"] else workload
        metadata = {**template["metadata"], "name": f"iris-{self.number}", "namespace": "models"}
        services = [self.service.manifest] if self.service else []
        pod = Pod({"metadata": metadata, "spec": template["spec"]}, self.images, services)
        self.stack.callback(pod.close)
        if self.service:
            self.service.pods.append(pod)
        return pod

    def call(self, body, **more):
        """(status, type, body): a request of a client, over a connection of its own, by way of the Service."""
        with self.clients.entered():
            host, port = Caller(self.service, keeps=False).reachable()
            return ask(host, port, body, **more)

    def metrics(self, pod):
        with self.clients.entered():
            answer = h.request(pod.port("sidelight-ops"), "GET", "/metrics", host=pod.address)
        equal(answer.status, 200, "status of /metrics")
        return h.Metrics(answer.body.decode())


def ask(host, port, body, method="POST", path="/predict", headers=None):
    fields = {"Content-Type": "application/json", **(headers or {})}
    answer = h.request(port, method, path, body, fields, host=host)
    return answer.status, answer.header("content-type"), answer.body
