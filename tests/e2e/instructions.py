#!/usr/bin/env python3
"""A request costs no more instructions than it did, on the thread that carries it and on the one that observes.

Needs the release binary (its symbols are not looked at), a C compiler, and valgrind.
"""

import collections
import pathlib
import re
import shutil
import subprocess
import tempfile

import counted
import harness as h
from harness import case, check

# of each part; the part of the fewest is the one that was disturbed least by what goes by time
REQUESTS, PARTS, CONNECTIONS = 2048, 3, 8


class Callgrind:
    """The agent under callgrind, which keeps the threads apart by numbers of its own."""

    def __init__(self, agent, out):
        self.agent, self.out, self.part = agent, out, 0
        # only valgrind knows which of its threads is which of Linux's; that one has the name
        said = self.tell("v.info", "scheduler")
        found = re.findall(r"^Thread (\d+): status.*\(lwpid (\d+)\)", said, re.MULTILINE)
        check(found, lambda: f"no threads in {said[:2000]!r}")
        self.names = {int(number): self._name(thread) for number, thread in found}

    def _name(self, thread):
        if int(thread) == self.agent.pid:
            return "main"       # its name is valgrind's
        return pathlib.Path(f"/proc/{self.agent.pid}/task/{thread}/comm").read_text().strip()

    def tell(self, *command):
        done = subprocess.run(["vgdb", f"--pid={self.agent.pid}", *command], capture_output=True, text=True,
                              timeout=h.PATIENCE, check=False)
        check(done.returncode == 0, lambda: f"vgdb {command}: {done.stdout}{done.stderr}")
        return done.stdout

    def counts(self):
        """Instructions by thread since the last call, or since `zero`."""
        self.tell("dump")
        self.part += 1
        counts = collections.Counter()
        for file in self.out.parent.glob(f"{self.out.name}.{self.part}-*"):
            text = file.read_text()
            number, total = (int(re.search(rf"^{key}: (\d+)", text, re.MULTILINE).group(1))
                             for key in ("thread", "totals"))
            counts[self.names.get(number, "later")] += total
        return counts


def instructions(folder):
    """Per request by thread, of the best part."""
    out = folder / "callgrind"
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
    with counted.agent(prefix=valgrind) as agent:
        counted.send(agent.port, CONNECTIONS, 512)
        callgrind = Callgrind(agent, out)
        callgrind.tell("zero")
        parts = []
        for _ in range(PARTS):
            counted.send(agent.port, CONNECTIONS, REQUESTS)
            agent.settled()
            parts.append(callgrind.counts())
    best = min(parts, key=lambda counts: counts["data-0"] + counts["observe"])
    return {name: count / REQUESTS for name, count in best.items()}


@case
def a_request_costs_no_more_instructions_than_it_did():
    for tool in ("valgrind", "vgdb"):
        check(shutil.which(tool), f"no {tool}: apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        each = instructions(pathlib.Path(folder))
    said = ", ".join(f"{name} {count:.0f}" for name, count in sorted(each.items(), key=lambda item: -item[1]))
    print(f"    {said}")
    # without the operator's thread, which this suite asks whether all is observed
    observer = each["observe"] + each["log"]
    print(f"    the observer and its log: {observer / (observer + each['data-0']):.1%} of all that a request costs")
    counted.judge("instructions", {"data": each["data-0"], "observe": each["observe"],
                                   "both": each["data-0"] + each["observe"]})


if __name__ == "__main__":
    h.main("instructions")
