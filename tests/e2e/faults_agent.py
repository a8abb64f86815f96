#!/usr/bin/env python3
"""Signals under load, a flooded ops port, and a second agent on the same state folder.

Needs the release binary and Python's standard library. The rules that hold in every case are those of `traffic.py`.
"""

import collections
import signal
import sys
import tempfile

import harness as h
import traffic as t
from harness import Agent, Process, case, check, close, equal, wait_until
from traffic import CLOSED, REFUSED, Ledger, Traffic

CONFIG = {"proxy": {"connect_timeout": "5s", "response_timeout": "60s"}, "drain": {"deadline": "60s"}}


def leaves(number):
    """All that is in flight is answered; who is not answered has not reached the model server either."""
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=CONFIG) as agent:
        quick = Traffic(agent, ledger, threads=6)
        t.warm(quick)
        slow = Traffic(agent, ledger, threads=8, faults=["slow=400"], every=1)
        slow.goes_on(8, "slow answers")
        wait_until(lambda: agent.metrics().one("ml_api_active_requests") >= 7, "slow requests in flight")
        with quick.window(CLOSED, REFUSED), slow.window(CLOSED, REFUSED):
            agent.signal(number)
            equal(agent.wait(), 0, "exit status")
            quick.stop()
            slow.stop()
        quick.verify()
        slow.verify({"slow=400": {"200", CLOSED, REFUSED}})
        sent = quick.sent + slow.sent
        cut = [s for s in sent if s.outcome == CLOSED and slow.seen[s.id]]
        check(not cut, f"{len(cut)} requests were in flight and got no answer: {cut[:5]}")
        check(any(s.outcome == "200" and s.ended > slow.windows[0].began for s in slow.sent), "nothing was in flight")
        # the books after the end: each request that was answered is in the log, once
        lines = collections.Counter(e["request_id"] for e in agent.events() if e["message"].startswith("Request"))
        answered = [s.id for s in sent if s.outcome == "200"]
        check(all(lines[i] == 1 for i in answered), "an answer is not in the log, or twice")
        equal(sum(lines.values()), len(answered), "requests in the log")
        equal(agent.events()[-1]["message"], "left", "the last line")


@case
def sigterm_under_load_answers_all_that_is_in_flight():
    leaves(signal.SIGTERM)


@case
def sigint_under_load_answers_all_that_is_in_flight():
    leaves(signal.SIGINT)


@case
def sighup_under_load_reloads_and_loses_nothing():
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=CONFIG) as agent:
        traffic = Traffic(agent, ledger)
        memory = t.warm(traffic)
        for i in range(20):
            agent.write_config({**CONFIG, "capture": {"body_limit": f"{i + 1}KiB"}, "log": {"logger": f"number-{i}"},
                                "proxy": {**CONFIG["proxy"], "upstream_idle": f"{i + 1}s"}})
            agent.signal(signal.SIGHUP)
            wait_until(lambda: any(e["logger"] == f"number-{i}" for e in agent.events()[-200:]), "the new logger")
        for _ in range(300):
            # as fast as they come
            agent.signal(signal.SIGHUP)
        agent.write_config_text("proxy: {upstream_idle: never}")
        agent.signal(signal.SIGHUP)
        agent.wait_event(message="configuration refused, the one in use stays")
        traffic.goes_on(100, "answers after the reloads")
        metrics = traffic.end(memory=memory)
        check(metrics.sum("sidelight_config_reloads_total", outcome="applied") >= 20, "reloads that were applied")
        check(metrics.sum("sidelight_config_reloads_total", outcome="refused") >= 1, "reloads that were refused")


FLOOD = """
import random, socket, sys, threading, time
port, host = int(sys.argv[1]), "127.0.0.1"

def connect():
    return socket.create_connection((host, port), timeout=5)

def forever(what):
    while True:
        try:
            what()
        except OSError:
            time.sleep(0.01)

def silent():
    # more than may be connected; those who are closed come back
    held = [connect() for _ in range(40)]
    time.sleep(2)

def slow():
    with connect() as client:
        for byte in b"GET /metrics HTTP/1.1\\r\\nHost: a\\r\\nX-Long: " + b"x" * 100:
            client.sendall(bytes([byte]))
            time.sleep(0.1)

def garbage():
    with connect() as client:
        client.sendall(random.randbytes(random.randint(1, 20000)))
        client.recv(100)

def large():
    with connect() as client:
        client.sendall(b"POST /drift/baseline HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 8000000\\r\\n\\r\\n[")
        for _ in range(80):
            client.sendall(b"0.5," * 25000)
        client.recv(100)

def scrape():
    with connect() as client:
        for _ in range(20):
            client.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            if not client.recv(1 << 20):
                return

def deaf():
    with connect() as client:
        for _ in range(500):
            client.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        time.sleep(2)

for what in [silent] * 10 + [slow] * 30 + [garbage] * 4 + [large] * 2 + [scrape] * 4 + [deaf] * 4:
    threading.Thread(target=forever, args=(what,), daemon=True).start()
print("there", flush=True)
time.sleep(3600)
"""


@case
def a_flooded_ops_port_costs_no_request_and_answers_again():
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=CONFIG) as agent:
        traffic = Traffic(agent, ledger, threads=4)
        memory = t.warm(traffic)
        with Process([sys.executable, "-c", FLOOD, agent.ops], "flood") as flood:
            wait_until(lambda: flood.lines == ["there"], "the flood")
            # no window: every request must be answered
            traffic.goes_on(1500, "answers beside the flood", "200")
            # a probe that insists gets through, or a kubelet would kill the agent
            wait_until(lambda: agent.ask("GET", "/live", timeout=10).status == 200, "/live beside the flood")
            wait_until(lambda: agent.ask("GET", "/ready", timeout=10).status == 200, "/ready beside the flood")
            traffic.goes_on(500, "answers beside the flood", "200")
            check(flood.is_alive(), "the flood has ended")
            flood.child.kill()
        since = len(agent.events())
        for path in ("/live", "/ready", "/health", "/metrics", "/drift"):
            equal(agent.ask("GET", path).status, 200, f"status of {path} after the flood")
        traffic.goes_on(200, "answers after the flood")
        metrics = traffic.end(memory=memory, slack=32 << 20)
        equal(metrics.by("sidelight_request_failures_total", "reason"), {}, "failures")
        check(since < 100_000, f"the flood made {since} log lines")


@case
def a_second_agent_on_a_state_folder_is_told_so_and_the_first_goes_on():
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder, Ledger() as ledger, \
            ledger.server() as upstream:
        config = {**CONFIG, "state": {"dir": folder}, "drift": {"window": 20}}
        with Agent(upstream=upstream.port, config=config) as first:
            traffic = Traffic(first, ledger, threads=3)
            memory = t.warm(traffic)
            equal(first.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of a baseline")
            for _ in range(3):
                second = Agent(upstream=upstream.port, config=config, ready=False)
                equal(second.wait(), 1, "exit status of the second")
                said = "\n".join(second.errors)
                check("state.dir" in said and folder in said and "used by another agent" in said, f"it said {said!r}")
                equal(len(second.errors), 1, "lines it said so in")
            traffic.goes_on(100, "answers of the first")
            close(first.ask("GET", "/drift").json()["baseline_mean"], 0.625, "mean of the baseline of the first")
            traffic.end(memory=memory)
            first.child.kill()
            first.wait()
        with Agent(upstream=upstream.port, config=config) as third:
            traffic = Traffic(third, ledger, threads=2)
            traffic.goes_on(40, "answers of one after it")
            close(third.ask("GET", "/drift").json()["baseline_mean"], 0.625, "mean of the baseline after a kill")
            traffic.end()


if __name__ == "__main__":
    h.main("faults: agent")
