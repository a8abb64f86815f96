"""The upstream and the candidates as processes, and one run of the load on one of them."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib

import machine
import tools
from places import BIN, RUN, TEMPLATES, folder

HOST = "127.0.0.1"
# below the ports of outgoing connections, so that none of those sits on one
_ports = iter(range(21000, 29000))


def specifications():
    """The tables of peers.toml, each on top of the one that it is `like`."""
    raw = tomllib.loads((TEMPLATES / "peers.toml").read_text())
    return {name: {**raw.get(table.get("like"), {}), **table} for name, table in raw.items()}


def next_port():
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise SystemExit("no free port")


def render(text, values, variant=""):
    """Keeps of `@IF a b@ ... @END@` what `variant` is named in, and puts values in place of `@NAME@`."""
    lines, keep = [], True
    for line in text.splitlines():
        condition = re.match(r"@IF (.+)@$", line.strip())
        if condition:
            keep = variant in condition[1].split()
        elif line.strip() == "@END@":
            keep = True
        elif keep:
            lines.append(line)
    text = "\n".join(lines) + "\n"
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def wait_http(port, path="/health", timeout=20):
    """Whether something answers there in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(port, path)
            return True
        time.sleep(0.05)
    return False


def ask(port, path, method="GET", body=None, headers=None, timeout=10, chunked=False):
    """(status, headers, body) of a request on a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


class Bench:
    """All are started at once, for an idle one costs no CPU, and ended at the end."""

    def __init__(self, args):
        self.args, self.processes, self.port, self.admin, self.began = args, {}, {}, {}, {}
        self.specifications = specifications()
        apart = args.threads == 1
        self.proxy_cpus = args.proxy_cpu if apart else "0,1"
        self.side_cpus = args.side_cpu if apart else "0,1"
        machine.descriptors()
        folder(RUN)

    def __enter__(self):
        self.upstream = next_port()
        command = self.pinned([BIN / "upstream", "--port", self.upstream], self.side_cpus)
        if not (BIN / "upstream").exists():
            sys.exit("not built: python3 bench.py build")
        self.processes["_upstream"] = self._begin(command, RUN, {}, "upstream")
        if not wait_http(self.upstream):
            self.stop("_upstream")
            sys.exit("the upstream did not start")
        return self

    def __exit__(self, *_):
        for name in list(self.processes):
            self.stop(name)

    def pinned(self, command, cpus):
        nice = ["nice", "-n", str(self.args.nice)] if self.args.nice else []
        return ["taskset", "-c", cpus, *nice, *map(str, command)]

    def _begin(self, command, cwd, env, tag):
        with open(RUN / f"{tag}.out", "wb") as out:
            return self._popen([str(part) for part in command], cwd=cwd, env={**os.environ, **env},
                               stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def _popen(self, command, **streams):
        """In a session of its own. A nice value counts only inside the session's group, so that gets it too."""
        process = subprocess.Popen(command, start_new_session=True, **streams)
        if self.args.nice:
            with contextlib.suppress(OSError), open(f"/proc/{process.pid}/autogroup", "w") as file:
                file.write(str(self.args.nice))
        return process

    def launch(self, name, wrap=(), cpus=None):
        """Starts `NAME` or `NAME#2` and does not wait; whether it could."""
        base = name.split("#")[0]
        if base not in self.specifications:
            sys.exit(f"{base} is not in peers.toml")
        if base == "direct":
            self.port[name] = self.upstream
            return True
        table = self.specifications[base]
        run = RUN / name.replace("#", "_")
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        variant, port, admin = table.get("variant", ""), next_port(), next_port()
        modules = tools.nginx_modules(self.args) if base.startswith("nginx") else ""
        values = {"LISTEN": port, "UPSTREAM": self.upstream, "ADMIN": admin, "THREADS": self.args.threads, "RUN": run,
                  "BIN": BIN, "VARIANT": variant, "NGINX_MODULES": modules}
        for source, target in table.get("files", {}).items():
            (run / target).write_text(render((TEMPLATES / source).read_text(), values, variant))
        command = self._command(name, table["cmd"], values)
        if not command:
            return False
        env = {key: render(value, values).strip() for key, value in table.get("env", {}).items()}
        command = self.pinned([*wrap, *command], cpus or self.proxy_cpus)
        self.port[name], self.admin[name] = port, admin
        self.began[name] = time.monotonic()
        self.processes[name] = self._begin(command, run, env, run.name)
        return True

    def _command(self, name, parts, values):
        """With `{tool}` found, or None when it is not there."""
        command = []
        for part in parts:
            tool = re.fullmatch(r"\{(.+)\}", part)
            path = tools.find(tool[1], self.args) if tool else part
            if path is None:
                print(f"  {name}: no {tool[1]}, skipped", file=sys.stderr)
                return None
            command.append(render(path, values).strip())
        if not os.access(command[0], os.X_OK):
            print(f"  {name}: {command[0]} is not built, skipped", file=sys.stderr)
            return None
        return command

    def start(self, name, wrap=(), cpus=None):
        """Starts it and waits until it answers; whether it does."""
        if not self.launch(name, wrap, cpus):
            return False
        if name not in self.processes:
            return True
        if not wait_http(self.port[name], timeout=90 if wrap else 30) or self.processes[name].poll() is not None:
            print(f"  {name}: did not start, see {RUN / name.replace('#', '_')}.out", file=sys.stderr)
            self.stop(name)
            return False
        return True

    def stop(self, name):
        process = self.processes.pop(name, None)
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
                return

    def pids(self, name):
        process = self.processes.get(name)
        return machine.tree(process.pid) if process else []

    def begin_load(self, name, mode, *options, stdin=None):
        command = self.pinned([BIN / "load", mode, "--port", self.port[name], *options], self.side_cpus)
        return self._popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def load(self, name, mode, *options):
        """One run of the load: what it says, and what the candidate and the upstream took meanwhile."""
        loader = self.begin_load(name, mode, *options)
        pids, upstream = self.pids(name), self.pids("_upstream")
        for line in loader.stderr:
            if line.startswith("measure"):
                break
            print("   ", name, line.rstrip(), file=sys.stderr)
        before, began = _Taken(pids, upstream), time.monotonic()
        resident = None
        if "-d" in options:
            time.sleep(float(options[options.index("-d") + 1]) / 2)
            resident = machine.memory_of(pids)
        said = loader.stdout.read()
        after, wall = _Taken(pids, upstream), time.monotonic() - began
        loader.wait()
        fault = loader.stderr.read().strip()
        if fault:
            print("   ", name, fault.splitlines()[0], file=sys.stderr)
        if not said:
            raise SystemExit(f"{name}: the load said nothing: {fault}")
        result = json.loads(said)
        result.update(after.since(before, result, wall))
        if resident:
            result["rss_kib"], result["private_kib"] = resident
        return result


class _Taken:
    """What processes have taken so far."""

    def __init__(self, pids, upstream):
        self.cpu, self.upstream = machine.cpu_of(pids), machine.cpu_of(upstream)
        self.machine, self.switches = machine.busy(), machine.switches_of(pids)

    def since(self, before, said, wall):
        """Per request, in microseconds; and of the whole machine."""
        total, user, system = (now - then for now, then in zip(self.cpu, before.cpu))
        requests = max(1, said["requests"])
        each = total / requests * 1e6
        ticks = max(1e-9, user + system)
        found = {
            "cpu_us": each,
            "user_us": each * user / ticks,
            "sys_us": each * system / ticks,
            "upstream_us": (self.upstream[0] - before.upstream[0]) / requests * 1e6,
            "core_use": total / wall,
            "ctx_per_req": (self.switches - before.switches) / requests,
            "machine_busy": (self.machine[0] - before.machine[0]) / wall,
            "stolen": (self.machine[1] - before.machine[1]) / wall,
        }
        if said["requests"]:
            found["us_per_mb"] = total * 1e6 / max(1e-9, said["mb_in_per_s"] * said["seconds"])
        return found
