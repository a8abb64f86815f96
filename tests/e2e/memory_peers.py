#!/usr/bin/env python3
"""A table of what proxies take for what `memory.py` holds the agent to. Measures whoever is on the PATH; judges nobody.

Needs the release binary and Python's standard library; nginx, envoy and caddy where they are to be in the table.
"""

import time

import bulk
import crowd
import harness as h
import peers
from bulk import SHORT, SLOW, STREAMED
from crowd import CONNECTIONS, GATHERING, Crowd, all_at_once
from growth import KIB, MIB, Growth
from harness import Client, PythonServer, case, check, equal, in_parallel


def warm(proxy):
    def use():
        with Client(proxy.port) as client:
            for _ in range(40):
                equal(client.request("POST", "/predict", '{"petal_length":1.4}').status, 200, "status")
    in_parallel([use] * 16)
    time.sleep(1)


def idle(start):
    """KiB for each connection: silent, 1 s and 5 s after all were active; MiB when all have left."""
    with PythonServer(GATHERING) as upstream, start(upstream.port) as proxy:
        warm(proxy)
        growth, count, found = Growth(*proxy.pids()), crowd.most(CONNECTIONS), []
        with Crowd(proxy.port, count) as clients:
            time.sleep(2)
            found.append(f"{growth.now() / count / KIB:.1f}")
            all_at_once(upstream, clients)
            for pause in (1, 4):
                time.sleep(pause)
                found.append(f"{growth.now() / count / KIB:.1f}")
        time.sleep(5)
        return [*found, f"{growth.now() / MIB:.1f}"]


def slow(start, to_client):
    """MiB at most, while 256 MiB go to someone who is slow."""
    with bulk.Server(SHORT) as upstream, start(upstream.port) as proxy:
        warm(proxy)
        growth = Growth(*proxy.pids())
        if to_client:
            upstream.size = STREAMED
            came = bulk.exchange(proxy.port, SHORT, SLOW)
        else:
            upstream.pace = SLOW
            bulk.exchange(proxy.port, STREAMED, bulk.FAST)
            came = upstream.taken[-1].bytes, upstream.taken[-1].crc
        equal(came, bulk.sum_of(STREAMED), "what came")
        return f"{growth.most() / MIB:.1f}"


@case
def the_table():
    print("    | proxy | silent | 1 s idle | 5 s idle | all left | to a slow client | to a slow model server |")
    for name, start in peers.each():
        try:
            figures = [*idle(start), slow(start, True), slow(start, False)]
        except (h.Failed, OSError) as error:
            figures = [f"failed: {str(error)[:200]}"]
        print("    | " + " | ".join([name, *figures]) + " |", flush=True)
        check(name != "sidelight" or len(figures) == 6, f"sidelight {figures}")


if __name__ == "__main__":
    h.main("memory of peers")
