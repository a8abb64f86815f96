#!/usr/bin/env python3
"""What happens in a cluster, without one: pods with Sidelight in them are processes, each pod in a network of its own.

`sidelight inject` and the webhook write the manifests, `kubelet.py` starts what stands there, clients in another
network come by the Service. Needs the release binary, openssl, Python's standard library, and root for network and
mount namespaces of its own.
"""

import base64
import http.client
import json
import pathlib
import signal
import ssl
import sys
import time

import harness as h
import pod_model
import pods
from authority import Authority
from callers import Caller, Callers, row
from cluster import (MODEL_PORT, SIDECAR_PORT, Cluster, ask, deployment, inject, iris, model, named_model,
                     service)
from harness import PATIENCE, case, check, equal, wait_until
from kubelet import AGENT

USER = 65532
PREDICTIONS = "ml_model_predictions_total"


def predicted(cluster, pod):
    return cluster.metrics(pod).sum(PREDICTIONS)


def arrives(cluster, pod, app_port):
    """Requests by the Service have the answers of the model, each is counted, and none of the kubelet's is."""
    sent = [json.dumps(features).encode() for features in h.rows()[::10]]
    for body in sent:
        direct = ask(pod.address, app_port, body)
        equal(direct[0], 200, "status without the sidecar")
        equal(cluster.call(body), direct, "the answer by the Service")
    wait_until(lambda: predicted(cluster, pod) == len(sent), "each to be counted")
    for body in sent:
        equal(cluster.call(body, headers={"User-Agent": AGENT})[0], 200, "status of a probe that predicts")
    equal(cluster.call(None, method="GET", path="/ready", headers={"User-Agent": AGENT})[0], 200, "status of a probe")
    cluster.call(sent[0])
    wait_until(lambda: predicted(cluster, pod) >= len(sent) + 1, "the last to be counted")
    equal(predicted(cluster, pod), len(sent) + 1, "predictions")


# -- how requests come to it ----------------------------------------------------------------------

@case
def a_service_of_the_same_run_leads_to_the_sidecar_and_the_model_answers():
    workload, to = inject([deployment(iris()), service(MODEL_PORT)])
    equal(to["spec"]["ports"][0]["targetPort"], SIDECAR_PORT, "targetPort")
    with Cluster() as cluster:
        cluster.serve(to)
        pod = cluster.pod(workload).wait_ready()
        check(pod.when("is up", "sidelight") < pod.when("started", "model"), "the model was started first")
        status = pathlib.Path(f"/proc/{pod.container('sidelight').process.pid}/status").read_text()
        fields = dict(line.split(":\t") for line in status.splitlines())
        rights = (int(fields["Uid"].split()[0]), int(fields["CapEff"], 16), int(fields["NoNewPrivs"]))
        equal(rights, (USER, 0, 1), "user, capabilities, and that it gets no more")
        arrives(cluster, pod, MODEL_PORT)


@case
def a_named_port_is_the_sidecars_and_the_service_stays_as_it_is():
    [workload] = inject([deployment(named_model())])
    with Cluster() as cluster:
        cluster.serve(service("http"))
        pod = cluster.pod(workload).wait_ready()
        equal(cluster.service.endpoints(), [(pod.address, SIDECAR_PORT)], "endpoints")
        arrives(cluster, pod, MODEL_PORT)


@case
def a_model_that_a_variable_moves_leaves_its_port_to_the_sidecar():
    [workload] = inject([deployment(model(), {"sidelight.dev/app-port-env": "PORT"})])
    with Cluster() as cluster:
        cluster.serve(service(MODEL_PORT))
        pod = cluster.pod(workload).wait_ready()
        moved = pod.container("model").spec["ports"][0]["containerPort"]
        check(moved != MODEL_PORT, "the model has not been moved")
        equal(cluster.service.endpoints(), [(pod.address, MODEL_PORT)], "endpoints")
        arrives(cluster, pod, moved)


@case
def a_pod_is_ready_when_its_model_is_and_not_before():
    workload, to = inject([deployment(model(env=[{"name": "LOADED", "value": "no"}])), service(MODEL_PORT)])
    with Cluster() as cluster:
        cluster.serve(to)
        pod = cluster.pod(workload)
        wait_until(lambda: pod.has("is up", "model"), "the model to be started")
        ops = pod.port("sidelight-ops")
        for path, status in (("/live", 200), ("/ready", 503)):
            wait_until(lambda: h.request(ops, "GET", path, host=pod.address).status == status, f"{path}")
        # the model's probe has asked by then, the sidecar's too
        time.sleep(6)
        check(not pod.is_ready and not cluster.service.endpoints(), "it is ready without its model")
        equal([container.is_ready for container in pod.main + pod.sidecars], [False, False], "ready containers")
        equal(ask(pod.address, MODEL_PORT, b"{}", path="/load")[0], 200, "status of /load")
        pod.wait_ready()
        equal(pod.container("sidelight").codes + pod.container("model").codes, [], "restarts")

# -- how pods leave -------------------------------------------------------------------------------

# as whoever wants to lose no request has it: the model goes on until every node knows that the pod leaves
LINGERS = {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}


def ended_well(pod):
    """Nobody had to be killed, and all ended with 0."""
    check(not any(event.what == "SIGKILL" for event in pod.events), lambda: f"killed: {pod.events}")
    for container in pod.main + pod.sidecars:
        equal(container.codes, [0], f"exit codes of {container.name}\n{container.process.tail()}")


def leaves_under_traffic(cluster, pod):
    """Requests go on while the last pod leaves, and one is in hand when the model is told to end."""
    callers = Callers(cluster.clients, cluster.service)
    callers.go_on(200, "answers before")
    with cluster.clients.entered():
        in_hand = Caller(cluster.service, keeps=True)
        in_hand.reachable()
        leaving = pod.delete()
        slow = row()
        status, content, _ = in_hand.call(slow, "/predict?ms=5000")
    equal((status, content), (200, pod_model.answer(slow)), "what was in hand")
    leaving.join(2 * PATIENCE)
    ended_well(pod)
    callers.lost_none()


def sidecar_left_last(pod):
    check(pod.when("SIGTERM", "model") < pod.when("ended", "model") <= pod.when("ended", "sidelight"),
          lambda: f"order: {pod.events}")


@case
def a_pod_without_a_sidecar_leaves_and_loses_no_request():
    """What the next two are compared with."""
    with Cluster() as cluster:
        cluster.serve(service(MODEL_PORT))
        leaves_under_traffic(cluster, cluster.pod(deployment(model(**LINGERS))).wait_ready())


@case
def a_pod_leaves_with_what_is_in_hand_and_a_native_sidecar_last():
    workload, to = inject([deployment(model(**LINGERS)), service(MODEL_PORT)])
    with Cluster() as cluster:
        cluster.serve(to)
        pod = cluster.pod(workload).wait_ready()
        leaves_under_traffic(cluster, pod)
        sidecar_left_last(pod)
        check(pod.when("ended", "model") <= pod.when("SIGTERM", "sidelight"), "it was told before the model ended")


@case
def a_pod_leaves_with_what_is_in_hand_and_a_sidecar_that_is_not_native():
    workload, to = inject([deployment(model(**LINGERS)), service(MODEL_PORT)], "--native-sidecar=false")
    with Cluster() as cluster:
        cluster.serve(to)
        pod = cluster.pod(workload).wait_ready()
        leaves_under_traffic(cluster, pod)
        # both are told at once: it goes on for as long as it answers, and the model may end in the same moment
        check(pod.when("SIGTERM", "model") < pod.when("ended", "sidelight"), lambda: f"order: {pod.events}")
        check(pod.when("hook done", "sidelight") <= pod.when("SIGTERM", "sidelight"), "it did not wait")


@case
def a_rolling_update_loses_no_request():
    workload, to = inject([deployment(model(**LINGERS)), service(MODEL_PORT)])
    with Cluster() as cluster:
        cluster.serve(to)
        old = [cluster.pod(workload) for _ in range(2)]
        for pod in old:
            pod.wait_ready()
        callers = Callers(cluster.clients, cluster.service)
        callers.go_on(200, "answers before")
        leaving = []
        for pod in old:
            cluster.pod(workload).wait_ready()
            leaving.append(pod.delete())
            callers.go_on(50, "answers while one leaves")
        for thread in leaving:
            thread.join(2 * PATIENCE)
        callers.go_on(200, "answers after")
        callers.lost_none()
        for pod in old:
            ended_well(pod)


# -- pods that end, sidecars that break -----------------------------------------------------------

BATCH = """
import json, sys, threading, urllib.request
import pod_model, upstream
server = pod_model.Model()
threading.Thread(target=server.serve_forever, daemon=True).start()
for i in range(40):
    row = json.dumps({"petal_length": 1 + i / 10}).encode()
    asked = urllib.request.Request("http://127.0.0.1:18080/predict", row, {"Content-Type": "application/json"})
    assert urllib.request.urlopen(asked, timeout=60).read() == pod_model.answer(row)
sys.exit(int(sys.argv[1]))
"""


def job(code):
    """It asks its model 40 times, through the sidecar, and ends."""
    container = {"name": "model", "image": "registry.example/model:1.4",
                 "ports": [{"containerPort": MODEL_PORT, "name": "http"}],
                 "command": [sys.executable, "-c", BATCH, str(code)],
                 "env": [{"name": "PYTHONPATH", "value": str(h.E2E)}]}
    template = {"metadata": {"labels": {"app": "batch"}}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "batch"}, "spec": {"template": template}}


@case
def a_job_is_done_when_its_own_container_is():
    for code, phase in ((0, "Succeeded"), (3, "Failed")):
        [workload] = inject([job(code)])
        with Cluster() as cluster:
            pod = cluster.pod(workload)
            wait_until(lambda: pod.phase == phase, f"the job to be done: {pod.events}")
            equal(pod.container("model").codes, [code], f"exit of the batch\n{pod.container('model').process.tail()}")
            sidecar = pod.container("sidelight")
            equal(sidecar.codes, [0], "exit of the sidecar")
            check(not pod.has("SIGKILL", "sidelight"), "the sidecar had to be killed")
            check(pod.when("ended", "model") <= pod.when("SIGTERM", "sidelight"), "it was told before the batch ended")
            sidecar.process.wait()
            lines = [json.loads(line) for line in sidecar.process.lines]
            equal(sum("prediction" in line for line in lines), 40, "predictions in the log")


@case
def a_sidecar_that_is_killed_is_started_again_and_requests_come_back():
    workload, to = inject([deployment(model()), service(MODEL_PORT)])
    with Cluster() as cluster:
        cluster.serve(to)
        pod = cluster.pod(workload).wait_ready()
        callers = Callers(cluster.clients, cluster.service)
        callers.go_on(100, "answers before")
        sidecar, app = pod.container("sidelight"), pod.container("model").process
        began = time.monotonic()
        sidecar.process.signal(signal.SIGKILL)
        wait_until(lambda: sidecar.codes, "its end")
        equal(sidecar.codes, [-signal.SIGKILL], "exit")
        pod.wait_ready()
        back = time.monotonic()
        callers.go_on(200, "answers after")
        callers.stop()
        outside = [fault for start, end, fault in callers.lost if end < began or start > back]
        check(not outside, lambda: f"lost with a sidecar: {outside}")
        check(app.is_alive() and pod.container("model").codes == [], "the model was started again, too")


# -- the webhook ----------------------------------------------------------------------------------

def patched(document, patch):
    """As the API server applies it: RFC 6902."""
    document = json.loads(json.dumps(document))
    for step in patch:
        *outer, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        inner = document
        for key in outer:
            inner = inner[int(key) if isinstance(inner, list) else key]
        if isinstance(inner, list):
            last = len(inner) if last == "-" else int(last)
        if step["op"] == "test":
            equal(inner[last], step["value"], f"value at {step['path']}")
        elif step["op"] == "remove":
            del inner[last]
        elif step["op"] == "add" and isinstance(inner, list):
            inner.insert(last, step["value"])
        else:
            check(step["op"] == "add" or step["op"] == "replace" and last in inner, f"cannot be done: {step}")
            inner[last] = step["value"]
    return document


@case
def a_pod_that_the_webhook_patches_is_the_one_of_the_command_and_serves():
    with Cluster() as cluster:
        hook, api_server = cluster.space("webhook"), cluster.space("api server")
        authority = Authority()
        files = authority.issue(name=hook.address)
        folder = cluster.images.folder
        for file, name in ((files.cert, "tls.crt"), (files.key, "tls.key")):
            (folder / name).write_bytes(file.read_bytes())
            (folder / name).chmod(0o644)
        container = {"name": "webhook", "image": "sidelight:1", "securityContext": sidecar_rights(),
                     "args": ["webhook", "--cert", str(folder / "tls.crt"), "--key", str(folder / "tls.key")]}
        itself = {"metadata": {"name": "webhook"}}
        env = pods.environment(itself, container, hook.address, [service(443, "sidelight-webhook")])
        process = cluster.images.process(hook, container, env)
        wait_until(lambda: h.request(9465, "GET", "/ready", host=hook.address).status == 200,
                   "the webhook")
        pod = {"apiVersion": "v1", "kind": "Pod", **deployment(named_model())["spec"]["template"]}
        pod["metadata"].update(name="iris-1", namespace="models")
        review = json.loads((h.ROOT / "tests" / "kube" / "review-inj-a.json").read_text())
        review["request"]["object"], review["request"]["namespace"] = pod, "models"
        with api_server.entered():
            context = ssl.create_default_context(cafile=str(authority.cert))
            connection = http.client.HTTPSConnection(hook.address, 8443, timeout=PATIENCE, context=context)
            connection.request("POST", "/mutate?timeout=5s", json.dumps(review), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["response"]
            connection.close()
        check(answer["allowed"] and answer["uid"] == review["request"]["uid"], lambda: f"answer: {answer}")
        admitted = patched(pod, json.loads(base64.b64decode(answer["patch"], validate=True)))
        equal([admitted], inject([pod]), "the pod")
        cluster.serve(service("http"))
        arrives(cluster, cluster.pod(admitted).wait_ready(), MODEL_PORT)
        process.signal(signal.SIGTERM)
        equal(process.wait(), 0, "exit of the webhook")


def sidecar_rights():
    [workload] = inject([deployment(named_model())])
    return workload["spec"]["template"]["spec"]["initContainers"][0]["securityContext"]


if __name__ == "__main__":
    h.main("a rehearsal of Kubernetes")
