"""What containers of manifests would run, run on this machine: on other ports, with their files elsewhere. No case."""

import base64
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import types

import harness as h
from harness import HOST, PATIENCE, Process, check, equal, request, wait_until
from references import LAST_LINES, LAST_REVIEWS, number
from rendered import decoded

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


class Container(Process):
    """Its command and variables as they are written. `there`: what stands here for which path of the container."""

    def __init__(self, container, ports, there=()):
        check("command" not in container, "the image's own entry point is what is run")
        self.ports, self.container = ports, container
        variables = {one["name"]: one.get("value", "a-field") for one in container.get("env", [])}
        arguments = [re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], one)
                     for one in container.get("args", [])]
        self.arguments = [self.here(one, there) for one in arguments]
        self.env = h.clean_environment(**{name: self.here(value, there) for name, value in variables.items()})
        super().__init__([h.BINARY, *self.arguments], container["name"], env=self.env, stdin=subprocess.PIPE)

    def here(self, text, there):
        for before, after in there:
            text = text.replace(before, str(after))
        # addresses, of which only the port is another
        return re.sub(r"(0\.0\.0\.0|127\.0\.0\.1):(\d+)", lambda match: f"{HOST}:{self.ports[int(match[2])]}", text)

    def asked(self, pod, kind):
        """What a probe is answered, at the path and the port that it names; of a program 200, or 503 for a bad end."""
        check(self.is_alive(), lambda: f"{self.name} has ended\n{self.tail()}")
        if "exec" in self.container[kind]:
            name, *arguments = self.container[kind]["exec"]["command"]
            equal(name, "sidelight", "what the image has")
            done = subprocess.run([h.BINARY, *arguments], env=self.env, capture_output=True, timeout=PATIENCE, check=False)
            return types.SimpleNamespace(status=503 if done.returncode else 200)
        probe = self.container[kind]["httpGet"]
        # not by the probe's own deadline: this machine may have much else to do
        return request(self.ports[number(pod, probe["port"])], "GET", probe["path"])

    def wait_ready(self, pod):
        for kind in PROBES:
            if kind in self.container:
                wait_until(lambda kind=kind: self.asked(pod, kind).status == 200, f"{kind} of {self.name}")


def ports_here(pod):
    """A free port of this machine for each that a pod declares."""
    declared = {port["containerPort"] for kind in ("containers", "initContainers")
                for one in pod.get(kind, []) for port in one.get("ports", [])}
    return {port: h.free_port() for port in declared}


def injects(where, deployment, secret, configuration):
    """The injector, with a certificate of `sidelight gen-certs`, asked as the API server would ask it."""
    pod = deployment["spec"]["template"]["spec"]
    container, = pod["containers"]
    mount, = container["volumeMounts"]
    ports = ports_here(pod)
    with mounted(secret) as folder, Container(container, ports, [(mount["mountPath"], folder)]) as injector:
        injector.wait_ready(pod)
        image = next(one["value"] for one in container["env"] if one["name"] == "SIDECAR_IMAGE")
        sidecar = reviewed(injector.ports[8443], configuration)
        equal(sidecar["image"], image, f"{where}: image of the sidecar")
        equal("restartPolicy" in sidecar, "--native-sidecar=false" not in container["args"], f"{where}: native")
        leaves(where, injector, pod)


@contextlib.contextmanager
def mounted(secret):
    """A folder with a Secret as the kubelet mounts it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-manifests-"))
    try:
        write(secret, folder)
        for name in secret["data"]:
            (folder / name).symlink_to(f"..data/{name}")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write(secret, folder):
    """As the kubelet does: in a folder of its own, to which a link is moved when all is there."""
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name, value in secret["data"].items():
        (fresh / name).write_text(decoded(value), encoding="utf-8")
    link = folder / "..data_tmp"
    link.symlink_to(fresh.name)
    link.replace(folder / "..data")


def renews(deployment, before, after):
    """The injector, whose Secret and registration are made anew while it runs."""
    pod = deployment["spec"]["template"]["spec"]
    container, = pod["containers"]
    mount, = container["volumeMounts"]
    ports = ports_here(pod)
    with mounted(before[0]) as folder, Container(container, ports, [(mount["mountPath"], folder)]) as injector:
        injector.wait_ready(pod)
        reviewed(injector.ports[8443], before[1])
        try:
            reviewed(injector.ports[8443], after[1])
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise h.Failed("the old certificate is believed by who has the new authority")
        write(after[0], folder)
        wait_until(lambda: reviewed(injector.ports[8443], after[1]), "the new certificate to be in use")
        injector.kill()


def reviewed(port, configuration):
    """The sidecar in the patch of a pod, asked over TLS by the name that the certificate is for."""
    client = configuration["webhooks"][0]["clientConfig"]
    review = json.loads((h.ROOT / "tests" / "kube" / "review-inj-a.json").read_text(encoding="utf-8"))
    container = review["request"]["object"]["spec"]["containers"][0]
    container["ports"][0]["name"] = "http"
    context = ssl.create_default_context(cadata=decoded(client["caBundle"]))
    host = f"{client['service']['name']}.{client['service']['namespace']}.svc"
    connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
    plain = socket.create_connection((HOST, port), timeout=PATIENCE)
    connection.sock = context.wrap_socket(plain, server_hostname=host)
    connection.request("POST", client["service"]["path"], json.dumps(review), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())["response"]
    connection.close()
    check(answer["allowed"] and "patch" in answer, lambda: f"no patch: {answer}")
    added = [step["value"] for step in json.loads(base64.b64decode(answer["patch"], validate=True)) if "value" in step]
    found = [one for value in added for one in (value if isinstance(value, list) else [value])
             if isinstance(one, dict) and one.get("name") == "sidelight" and "image" in one]
    equal(len(found), 1, f"sidecars in {added}")
    return found[0]


def leaves(where, injector, pod):
    """On SIGTERM it is not ready, is alive, and has ended before it would be killed."""
    arguments = dict(one.split("=", 1) for one in injector.arguments if "=" in one)
    delay = int(arguments["--drain-delay"])
    injector.signal(signal.SIGTERM)
    if delay:
        wait_until(lambda: injector.asked(pod, "readinessProbe").status == 503, f"{where}: it is not ready", delay)
        equal(injector.asked(pod, "livenessProbe").status, 200, f"{where}: alive while it leaves")
    equal(injector.wait(), 0, f"{where}: exit code")
    check(delay + LAST_REVIEWS + LAST_LINES <= pod["terminationGracePeriodSeconds"], f"{where}: it would be killed")


def predicts(pod, service):
    """A model and its sidecar, asked where the Service leads."""
    model, = pod["containers"]
    sidecar, = pod["initContainers"]
    ports = ports_here(pod)
    # the order in which Kubernetes starts them: the sidecar's startup probe first
    with Container(sidecar, ports) as agent:
        wait_until(lambda: agent.asked(pod, "startupProbe").status == 200, "the startup probe, without a model")
        wait_until(lambda: agent.asked(pod, "readinessProbe").status == 503, "it to be not ready without a model")
        with Container(model, ports) as server:
            server.wait_ready(pod)
            agent.wait_ready(pod)
            target = number(pod, service["spec"]["ports"][0]["targetPort"])
            answer = request(ports[target], "POST", "/predict", h.rows()[0])
            equal(h.predictions(answer)[0]["prediction"], "setosa", "prediction")
            monitored, = [port["containerPort"] for port in sidecar["ports"] if port["name"] == "sidelight-ops"]

            def counted():
                metrics = h.Metrics(request(ports[monitored], "GET", "/metrics").body.decode())
                return metrics.sum("ml_model_predictions_total", predicted_class="setosa") == 1
            wait_until(counted, "the prediction to be counted at the port that Prometheus asks")
