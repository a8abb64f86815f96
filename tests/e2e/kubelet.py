"""A kubelet for pods of `pods.py`: the order of starting and ending, probes, hooks, restarts, as Kubernetes has them.

Sources: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle and .../pods/sidecar-containers. What is not there:
images, volumes, limits of resources, and the pauses between restarts.
"""

import collections
import http.client
import signal
import socket
import subprocess
import threading
import time

import harness as h
import pods
from harness import check, wait_until

AGENT = "kube-probe/1.33"
GRACE_S = 30
# the least that a container gets between SIGTERM and SIGKILL, however long others took
LEAST_GRACE_S = 2
PAUSE_S = 0.02

Event = collections.namedtuple("Event", "at what container")


class Container:
    """One of a pod, started anew as often as its policy says."""

    def __init__(self, pod, spec, restarts):
        self.pod, self.spec, self.name, self.restarts = pod, spec, spec["name"], restarts
        self.process, self.codes = None, []
        self.is_started = self.is_ready = self.is_told = False
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def _run(self):
        while True:
            self.process = self.pod.process(self.spec)
            self.pod.note("started", self)
            threading.Thread(target=self._probe, args=(self.process,), daemon=True).start()
            self.codes.append(self.process.child.wait())
            self.is_started = self.is_ready = False
            self.pod.note("ended", self)
            if self.is_told or not self.restarts(self.codes[-1]):
                break
        self.ended.set()

    def _probe(self, process):
        startup, readiness = self.spec.get("startupProbe"), self.spec.get("readinessProbe")
        if startup and not self._until(process, startup):
            process.kill()
            return
        self.is_started = True
        self.pod.note("is up", self)
        self.is_ready = readiness is None
        while readiness and process.is_alive():
            self._until(process, readiness)
            self.is_ready = process.is_alive()
            self._while_good(process, readiness)
            self.is_ready = False

    def _until(self, process, probe):
        """Asks until the answer is good; `False`: as often as is allowed, or the process has ended."""
        is_startup = probe is self.spec.get("startupProbe")
        fails = 0
        while process.is_alive():
            if self._ask(probe):
                return True
            fails += 1
            if is_startup and fails >= probe.get("failureThreshold", 3):
                return False
            self._pause(process, probe)
        return False

    def _while_good(self, process, probe):
        fails = 0
        while process.is_alive() and fails < probe.get("failureThreshold", 3):
            self._pause(process, probe)
            fails = 0 if self._ask(probe) else fails + 1

    @staticmethod
    def _pause(process, probe):
        end = time.monotonic() + probe.get("periodSeconds", 10)
        while process.is_alive() and time.monotonic() < end:
            time.sleep(PAUSE_S)

    def _ask(self, probe):
        """Whether the answer is good; the question comes from the node, over a connection of its own."""
        patience = probe.get("timeoutSeconds", 1)
        if "tcpSocket" in probe:
            where = (self.pod.address, self.pod.port(probe["tcpSocket"]["port"], self.spec))
            try:
                socket.create_connection(where, timeout=patience).close()
                return True
            except OSError:
                return False
        if "exec" in probe:
            # in the container, by its own environment
            return self._run_in(probe["exec"]["command"], patience) == 0
        action = probe["httpGet"]
        try:
            port = self.pod.port(action["port"], self.spec)
            fields = {"User-Agent": AGENT, "Connection": "close"}
            answer = h.request(port, "GET", action.get("path", "/"), None, fields, self.pod.address, patience)
            return 200 <= answer.status < 400
        except (OSError, http.client.HTTPException):
            return False

    def _run_in(self, command, patience):
        """The exit code of a program in the container; killed when it takes too long."""
        done = self.pod.process(self.spec, command)
        try:
            return done.wait(patience)
        except (h.Failed, subprocess.TimeoutExpired):
            return None
        finally:
            done.kill()

    def end(self, grace, turn):
        """The hook, its turn, SIGTERM, and SIGKILL when the grace period is over."""
        until = time.monotonic() + grace
        self.is_told = True
        if self.process is None or self.ended.is_set():
            return
        self._hook((self.spec.get("lifecycle") or {}).get("preStop"), until)
        turn(until)
        if self.process.is_alive():
            self.pod.note("SIGTERM", self)
            self.process.signal(signal.SIGTERM)
        self.ended.wait(max(until - time.monotonic(), LEAST_GRACE_S))
        if not self.ended.is_set():
            self.pod.note("SIGKILL", self)
            self.process.signal(signal.SIGKILL)
            self.ended.wait(h.PATIENCE)

    def _hook(self, hook, until):
        if not hook:
            return
        if "sleep" in hook:
            self.ended.wait(min(hook["sleep"]["seconds"], until - time.monotonic()))
        else:
            done = self.pod.process(self.spec, hook["exec"]["command"])
            code = done.wait(max(until - time.monotonic(), LEAST_GRACE_S))
            check(code == 0, f"the hook of {self.name} ended with {code}")
        self.pod.note("hook done", self)


class Pod:
    """From its manifest to its end. `services`: of its namespace, whose variables it gets."""

    def __init__(self, manifest, images, services=()):
        self.manifest, self.images, self.services = manifest, images, services
        self.name, self.spec = manifest["metadata"]["name"], manifest["spec"]
        self.space = pods.Space(self.name)
        self.address = self.space.address
        self.events, self.phase, self.deleted_at = [], "Pending", None
        policy = self.spec.get("restartPolicy", "Always")
        again = {"Always": lambda _: True, "OnFailure": lambda code: code != 0, "Never": lambda _: False}[policy]
        self.first = [Container(self, spec, lambda _, own=spec: self._is_sidecar(own))
                      for spec in self.spec.get("initContainers", [])]
        self.main = [Container(self, spec, again) for spec in self.spec["containers"]]
        self.sidecars = [container for container in self.first if self._is_sidecar(container.spec)]
        self.ends = policy != "Always"
        threading.Thread(target=self._bring_up, daemon=True).start()

    @staticmethod
    def _is_sidecar(spec):
        return spec.get("restartPolicy") == "Always"

    def container(self, name):
        return next(container for container in self.first + self.main if container.name == name)

    def process(self, spec, command=None):
        env = pods.environment(self.manifest, spec, self.address, self.services)
        return self.images.process(self.space, spec, env, command)

    def note(self, what, container):
        self.events.append(Event(time.monotonic(), what, container.name))

    def when(self, what, name):
        """The first time that it happened."""
        times = [event.at for event in self.events if (event.what, event.container) == (what, name)]
        check(times, lambda: f"never {what}: {name}; {self.events}")
        return times[0]

    def has(self, what, name):
        return any((event.what, event.container) == (what, name) for event in self.events)

    def port(self, port, own=None):
        """The number of a port that has a name: of one container, or of all that go on running."""
        if isinstance(port, int):
            return port
        specs = [own] if own else [container.spec for container in self.main + self.sidecars]
        return next(found["containerPort"] for spec in specs for found in spec.get("ports", [])
                    if found.get("name") == port)

    def _bring_up(self):
        for container in self.first:
            container.start()
            while not container.ended.is_set() and not (container in self.sidecars and container.is_started):
                if self.deleted_at:
                    return
                time.sleep(PAUSE_S)
        for container in self.main:
            container.start()
        self.phase = "Running"
        if self.ends:
            for container in self.main:
                container.ended.wait()
            if not self.deleted_at:
                self._end(self.sidecars)
            self.phase = "Failed" if any(container.codes[-1] for container in self.main) else "Succeeded"

    @property
    def is_ready(self):
        return self.phase == "Running" and all(container.is_ready for container in self.main + self.sidecars)

    def wait_ready(self):
        wait_until(lambda: self.is_ready, f"{self.name} to be ready, {self.events}", patience=3 * h.PATIENCE)
        return self

    def delete(self):
        """Tells it to end, and comes back at once."""
        self.deleted_at = time.monotonic()
        thread = threading.Thread(target=self._end, args=(self.main + self.sidecars,), daemon=True)
        thread.start()
        return thread

    def _end(self, containers):
        grace = self.spec.get("terminationGracePeriodSeconds", GRACE_S)
        h.in_parallel([lambda one=one: one.end(grace, lambda until: self._turn(one, until)) for one in containers])

    def _turn(self, container, until):
        """A sidecar's comes when the model has ended, and the sidecars that were started after it."""
        if container in self.sidecars:
            later = self.sidecars[self.sidecars.index(container) + 1:]
            for other in self.main + later:
                other.ended.wait(max(until - time.monotonic(), 0))

    def close(self):
        """Ends it without ceremony."""
        for container in self.first + self.main:
            container.is_told = True
            if container.process:
                container.process.kill()
        self.space.close()


class Service:
    """Which pods a client reaches, and at which port. `lag_s`: until every node knows that a pod leaves."""

    def __init__(self, manifest, lag_s=1.0):
        self.manifest, self.lag_s, self.pods = manifest, lag_s, []
        self.port = manifest["spec"]["ports"][0]

    def endpoints(self):
        found = []
        for pod in list(self.pods):
            left = pod.deleted_at
            is_known = time.monotonic() < left + self.lag_s if left else pod.is_ready
            if is_known and self.selects(pod):
                found.append((pod.address, pod.port(self.port.get("targetPort", self.port["port"]))))
        return found

    def selects(self, pod):
        labels = pod.manifest["metadata"].get("labels", {})
        return all(labels.get(key) == value for key, value in self.manifest["spec"]["selector"].items())
