"""How much more memory a process has than when it was warm, and the most that it had in between."""

import pathlib
import re
import time

import harness as h
from harness import Client, check, equal, in_parallel

MIB = 1 << 20
KIB = 1 << 10


def status(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M)[1]) * KIB


def warm(agent, path="/predict", body='{"petal_length":1.4}', clients=16, requests=40):
    """What a process has touched once stays with it: that is not growth. Gives how many requests that took."""
    def use():
        with Client(agent.port) as client:
            for _ in range(requests):
                equal(client.request("POST", path, body).status, 200, "status of a request to warm up")
    in_parallel([use] * clients)
    agent.settled(requests=clients * requests)
    return clients * requests


class Growth:
    """Measured from the moment when this is made, over all of `pids` together."""

    def __init__(self, *pids):
        self.pids = pids
        for pid in pids:
            # the highest so far counts from here: proc(5), clear_refs
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        self.before = self._sum("VmRSS")

    def _sum(self, field):
        return sum(status(pid, field) for pid in self.pids)

    def now(self):
        return self._sum("VmRSS") - self.before

    def most(self):
        return self._sum("VmHWM") - self.before

    def falls_below(self, bound, what, patience=h.PATIENCE):
        """Waits until so little is left, and says how much there was before."""
        end = time.monotonic() + patience
        while self.now() >= bound and time.monotonic() < end:
            time.sleep(0.1)
        self.below(bound, what, self.now())

    def stays_below(self, bound, what):
        """At no time was there more, as the system has noted it."""
        self.below(bound, what, self.most())

    @staticmethod
    def below(bound, what, grown):
        print(f"    {what}: {grown / MIB:.1f} MiB more, of {bound / MIB:.1f}", flush=True)
        check(grown < bound, f"{what}: {grown / MIB:.1f} MiB more, not below {bound / MIB:.1f}")
