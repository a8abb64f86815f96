"""What the suites that count share: the load and the model server in C, and the figures that were accepted."""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

import harness as h
from harness import Agent, Failed, Process, check, equal, wait_until

TABLE = tomllib.loads((h.E2E / "counts.toml").read_text())
BIN = h.TARGET / "load" / "bin"


def build():
    """Compiles both programs; a C compiler is there, for the agent needs one."""
    bench = h.ROOT / "benches" / "load" / "bench.py"
    done = subprocess.run([sys.executable, bench, "build", "upstream", "load"], capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, lambda: done.stdout + done.stderr)


class FixedServer(Process):
    """A model server that costs next to nothing and answers with the same 64 Iris answers in turn."""

    def __init__(self):
        self.port = h.free_port()
        super().__init__([BIN / "upstream", "--port", self.port], "fixed server")
        wait_until(lambda: h.request(self.port, "GET", "/health", timeout=5).status == 200, "the fixed server")


@contextlib.contextmanager
def agent(prefix=()):
    """The agent with one data thread and its defaults, in front of a fixed server; its log goes nowhere."""
    build()
    config = {"proxy": {"threads": 1}}
    with (open("/dev/null", "wb") as nowhere, FixedServer() as upstream,
          Agent(upstream=upstream.port, config=config, stdout=nowhere, prefix=prefix) as running):
        yield running


def send(port, connections, count):
    """Exactly so many predictions, all of which must succeed."""
    command = [BIN / "load", "count", "--port", port, "-c", connections, "-n", count]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    check(done.stdout, lambda: f"the load said nothing: {done.stderr}")
    said = json.loads(done.stdout)
    equal((said["requests"], said["errors"], said["non2xx"]), (count, 0, 0), "requests, errors, other statuses")


def bench(name):
    """The program of `benches/NAME.rs` as it would be released."""
    command = ["cargo", "build", "--locked", "--quiet", "--release", "--bench", name, "--message-format=json"]
    done = subprocess.run(command, cwd=h.ROOT, capture_output=True, text=True, check=False)
    check(done.returncode == 0, lambda: done.stdout + done.stderr)
    said = (json.loads(line) for line in done.stdout.splitlines())
    return next(one["executable"] for one in said if one.get("target", {}).get("name") == name)


def callgrind(options, command, codes=(0,)):
    """Instructions of a program as callgrind counts them, part by part, and what it said."""
    check(shutil.which("valgrind"), "no valgrind: apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        out = pathlib.Path(folder) / "callgrind"
        command = ["valgrind", "--quiet", "--tool=callgrind", *options, f"--callgrind-out-file={out}", *command]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        check(done.returncode in codes, lambda: done.stdout + done.stderr)
        files = sorted(out.parent.glob(f"{out.name}.*"), key=lambda file: int(file.suffix[1:])) or [out]
        totals = [re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE) for file in files]
        return [int(total.group(1)) for total in totals if total], done.stdout


def calls(function, command):
    """Instructions of each call of one function of a program, beside the line that it printed behind it."""
    totals, said = callgrind([f"--toggle-collect={function}", f"--dump-after={function}"], command)
    return zip(said.splitlines(), totals)


def judge(kind, figures, each="request"):
    """Prints what was found beside what was accepted; fails when one is worse, after all are printed."""
    tolerance, worse = TABLE[kind].get("tolerance", TABLE["tolerance"]), []
    for name, found in figures.items():
        accepted = TABLE[kind][name]
        limit = min(accepted * (1 + tolerance), TABLE.get(f"{kind}_never_above", {}).get(name, float("inf")))
        found = round(found, 0 if accepted > 100 else 2)
        print(f"    {kind}, {name}: {found:g} per {each}, accepted {accepted:g}")
        if found > limit:
            worse.append(f"{name}: {found:g} per {each} is above {limit:g}")
        elif found < accepted * (1 - tolerance):
            print(f"    better: lower {name} of [{kind}] in tests/e2e/counts.toml to {found:g}")
    if worse:
        raise Failed(f"{kind}, {'; '.join(worse)}")
