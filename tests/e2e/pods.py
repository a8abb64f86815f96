"""What a pod of Kubernetes is made of, without Kubernetes: a network of its own, and processes that run in it.

Needs root, `unshare`, `nsenter`, `setpriv` and `ip`, and takes the suite into namespaces of
its own: there is the node, with a bridge to which each pod has a cable.
"""

import atexit
import contextlib
import ctypes
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness as h
from harness import Process, Skipped, check, wait_until

IS_ALONE = h.alone("--net", "--mount")
NODE = "node-1"
BRIDGE, GATEWAY, PREFIX = "pods", "10.88.0.1", "10.88.0"
CLONE_NEWNET = 0x40000000
# longer than any case: a pod whose suite was killed is gone after that
LIFETIME_S = 1800

libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(2)


def run(*command):
    done = subprocess.run([str(part) for part in command], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


class Space:
    """A network with an address of its own. It is there as long as the process that holds it."""

    is_bridged = False

    def __init__(self, name):
        if not IS_ALONE:
            raise Skipped("only root gets namespaces of its own")
        self._bridge()
        self.name, number = name, next(_numbers)
        self.address = f"{PREFIX}.{number}"
        self.holder = Process(["unshare", "--net", "sleep", LIFETIME_S], f"network of {name}")
        comm = pathlib.Path(f"/proc/{self.holder.pid}/comm")
        wait_until(lambda: comm.read_text() == "sleep\n", f"the network of {name}")
        self.inside = ["nsenter", "-t", str(self.holder.pid), "-n"]
        self.cable = f"pod{number}"
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.holder.pid)
        run("ip", "link", "set", self.cable, "master", BRIDGE, "up")
        run(*self.inside, "ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        run(*self.inside, "ip", "link", "set", "eth0", "up")
        run(*self.inside, "ip", "link", "set", "lo", "up")

    @classmethod
    def _bridge(cls):
        if not Space.is_bridged:
            run("ip", "link", "set", "lo", "up")
            run("ip", "link", "add", BRIDGE, "type", "bridge")
            run("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
            run("ip", "link", "set", BRIDGE, "up")
            Space.is_bridged = True

    @contextlib.contextmanager
    def entered(self):
        """This thread is in it: the sockets that it makes are. Other threads stay where they are."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        try:
            self._enter(there)
            yield
        finally:
            self._enter(back)
            os.close(back)
            os.close(there)

    @staticmethod
    def _enter(space):
        check(libc.setns(space, CLONE_NEWNET) == 0, lambda: os.strerror(ctypes.get_errno()))

    def close(self):
        """The cable goes with it: an end that is gone takes the other."""
        self.holder.kill()


# -- images ---------------------------------------------------------------------------------------

class Images:
    """What containers are started from: a folder that any user can read, as the root of an image."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-images-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        shutil.copy(h.BINARY, self.folder / "sidelight")
        (self.folder / "sidelight").chmod(0o755)
        # what an image starts where the container does not say
        self.entrypoints = {"sidelight": ["sidelight"], "model": [sys.executable, h.E2E / "pod_model.py"]}

    def command(self, container):
        """As Kubernetes puts it together of the image and the container."""
        image = container["image"].rpartition("/")[2].partition(":")[0]
        words = container.get("command") or self.entrypoints[image]
        return [*words, *container.get("args", [])]

    def process(self, space, container, env, command=None):
        """The container, or a command in it, as the user and with the rights that it asks for."""
        context = container.get("securityContext") or {}
        command = list(command or self.command(container))
        if command[0] == "sidelight":
            command[0] = self.folder / "sidelight"
        around = list(space.inside)
        if context.get("readOnlyRootFilesystem"):
            around += ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]
        around += ["setpriv", *self._rights(context)]
        return Process([*around, *command], f"{container['name']} of {space.name}", env=env, cwd="/")

    @staticmethod
    def _rights(context):
        rights = ["--clear-groups"]
        if context.get("runAsUser"):
            rights += ["--reuid", str(context["runAsUser"]), "--regid", str(context.get("runAsGroup", 0))]
        if context.get("allowPrivilegeEscalation") is False:
            rights.append("--no-new-privs")
        if "ALL" in (context.get("capabilities") or {}).get("drop", []):
            rights += ["--bounding-set=-all", "--inh-caps=-all"]
        return rights


def environment(pod, container, address, services):
    """What the container finds: its own variables, and those of Kubernetes and of each Service."""
    env = {"PATH": os.environ["PATH"], "HOSTNAME": pod["metadata"]["name"], "KUBERNETES_SERVICE_HOST": "10.96.0.1",
           "KUBERNETES_SERVICE_PORT": "443"}
    for service in services:
        env.update(links(service))
    metadata = pod["metadata"]
    fields = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "default"),
              "spec.nodeName": NODE, "status.podIP": address}
    for variable in container.get("env", []):
        source = variable.get("valueFrom")
        env[variable["name"]] = fields[source["fieldRef"]["fieldPath"]] if source else variable.get("value", "")
    return env


def links(service):
    """The variables of a Service, as they are in every pod of its namespace."""
    name = service["metadata"]["name"].upper().replace("-", "_")
    address, port = "10.96.0.7", service["spec"]["ports"][0]["port"]
    url = f"tcp://{address}:{port}"
    base = f"{name}_PORT_{port}_TCP"
    return {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(port), f"{name}_PORT": url, base: url,
            f"{base}_PROTO": "tcp", f"{base}_PORT": str(port), f"{base}_ADDR": address}
