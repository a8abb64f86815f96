#!/usr/bin/env python3
"""What goes wrong at the model server costs the requests that it concerns, and no other.

Needs the release binary and Python's standard library. The rules that hold in every case are those of `traffic.py`.
"""

import pathlib
import signal
import threading
import time

import harness as h
import traffic as t
from harness import Agent, case, check, equal, wait_until
from traffic import BROKEN, Ledger, Traffic

QUICK = {"proxy": {"connect_timeout": "2s", "response_timeout": "20s"}, "model": {"probe_interval": "200ms"}}
GONE = ("502 upstream_refused", "502 upstream_reset", BROKEN)


@case
def a_model_server_that_is_killed_is_used_again_from_the_moment_it_is_back():
    with Ledger() as ledger:
        upstream = ledger.server()
        with Agent(upstream=upstream.port, config=QUICK) as agent:
            traffic = Traffic(agent, ledger)
            memory = t.warm(traffic)
            for _ in range(3):
                with traffic.window(*GONE):
                    upstream.kill()
                    traffic.goes_on(100, "502s while nobody listens", "502 upstream_refused")
                    wait_until(lambda: agent.ask("GET", "/ready").status == 503, "not ready without a model server")
                    wait_until(lambda: agent.metrics().sum("ml_model_loaded") == 0, "ml_model_loaded to be 0")
                    upstream = ledger.server(port=upstream.port)
                # what begins after it listens must be answered: that is sooner than any number of milliseconds
                traffic.goes_on(200, "traffic after the restart")
                agent.wait_ready()
            metrics = traffic.end(twice=("window",), memory=memory)
            outcomes = traffic.outcomes()
            equal(metrics.by("sidelight_request_failures_total", "fault"),
                  {"upstream": sum(outcomes.values()) - outcomes["200"]}, "failures by fault")
            failed = [e for e in agent.events() if e["message"] == "Request failed"]
            check(failed and all(e["fault"] == "upstream" for e in failed), "log lines of failures")
            upstream.stop()


@case
def a_model_server_that_ends_politely_and_returns_loses_nothing_it_could_answer():
    with Ledger() as ledger:
        upstream = ledger.server()
        with Agent(upstream=upstream.port, config=QUICK) as agent:
            traffic = Traffic(agent, ledger)
            memory = t.warm(traffic)
            for _ in range(3):
                with traffic.window(*GONE):
                    upstream.signal(signal.SIGTERM)
                    upstream.wait()
                    traffic.goes_on(50, "502s while nobody listens", "502 upstream_refused")
                    upstream = ledger.server(port=upstream.port)
                traffic.goes_on(100, "traffic after the restart")
            traffic.end(twice=("window",), memory=memory)
            upstream.stop()


RESET, BAD = {"502 upstream_reset"}, {"502 upstream_bad_answer"}
OUTCOMES = {
    "reset": RESET, "reset-head": RESET, "close-head": RESET,
    # a GET on a connection that was used before is sent once more
    "reset-once": RESET | {"200"},
    "reset-body": {BROKEN}, "close-body": {BROKEN}, "bad-chunk": {BROKEN},
    "reset-after": RESET | {"200"}, "close-after": {"200"}, "extra": {"200"},
    "text": BAD, "binary": BAD, "endless-head": BAD, "two-lengths": BAD,
}


def neighbours(faults, seconds=4, twice=(), allowed=()):
    """Every third request asks for a fault; the others are on the same connections, and must not notice.

    `allowed`: what may come of any request.
    """
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=QUICK) as agent:
        traffic = Traffic(agent, ledger, threads=8)
        memory = t.warm(traffic)
        end = time.monotonic() + seconds
        with traffic.window(*allowed):
            traffic.faults = faults
            wait_until(lambda: time.monotonic() > end and all(
                sum(sent.fault == fault for sent in list(traffic.sent)) >= 20 for fault in faults), "20 of each fault")
            traffic.stop()
        metrics = traffic.end({fault: OUTCOMES[fault] for fault in faults}, twice=twice, memory=memory)
        failed = {name: count for name, count in traffic.outcomes().items() if name != "200"}
        reasons = metrics.by("sidelight_request_failures_total", "reason")
        equal(reasons, {("upstream_body_broken" if name == BROKEN else name.split(" ")[1]): count
                        for name, count in failed.items()}, "failures by reason")
        return traffic


@case
def a_reset_costs_the_request_it_hits_and_no_neighbour():
    traffic = neighbours(["reset", "reset-head", "close-head", "reset-once"], twice=("reset", "reset-once"))
    seen = traffic.seen
    again = [s for s in traffic.sent if s.fault == "reset-once" and s.method == "GET" and s.outcome == "200"]
    check(again, "no GET was ever sent once more")
    check(all(seen[s.id] == 2 for s in again), "a GET was answered that was reset")


@case
def a_body_that_breaks_off_costs_its_request_and_no_neighbour():
    neighbours(["reset-body", "close-body", "bad-chunk"])


def meanwhile(number, arrived):
    """Something comes from the model server on a connection that is kept, after a request for which it will be used.

    The agent is stopped, so that both wait for it when it goes on, and it looks at the request first.
    """
    config = {"proxy": {**QUICK["proxy"], "threads": 1, "upstream_idle": "1m"}, "model": {"probe_interval": "1h"}}
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=config) as agent:
        traffic = Traffic(agent, ledger, threads=0)
        with h.Client(agent.port) as client:
            for i in range(4):
                equal(traffic.one(client, f"before-{i}", "POST"), "200", "an answer")
                # or a connection might not have been given back yet
                wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 0, "nothing in flight")
                agent.signal(signal.SIGSTOP)
                try:
                    wait_until(lambda: states(agent.pid) == {"T"}, "its threads to stand still", pause=0.005)
                    waiting = threading.Thread(target=traffic.one, args=(client, f"meanwhile-{i}", "POST"))
                    waiting.start()
                    wait_until(lambda: unread(agent.pid, "local", agent.port), "the request to arrive")
                    upstream.signal(number)
                    wait_until(lambda: arrived(agent.pid, upstream.port), "what comes from the model server")
                finally:
                    agent.signal(signal.SIGCONT)
                waiting.join()
        traffic.end()


def states(pid):
    """The states of all threads of `pid`."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks}


def connections(pid, end, port):
    """The lines of connections of `pid` whose `local` or `remote` end has this port: state, bytes to be read."""
    column = {"local": 1, "remote": 2}[end]
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        field = line.split()
        if field[column].endswith(f":{port:04X}"):
            yield field[3], int(field[4].partition(":")[2], 16)


def unread(pid, end, port):
    return any(state in ("01", "08") and waiting > 0 for state, waiting in connections(pid, end, port))


@case
def an_end_that_came_before_a_kept_connection_is_used_costs_nothing():
    # 08: the other end is closed, and this one has not noticed
    meanwhile(signal.SIGUSR1, lambda pid, port: any(state == "08" for state, _ in connections(pid, "remote", port)))


@case
def an_answer_that_came_before_a_kept_connection_is_used_is_nobodys():
    meanwhile(signal.SIGUSR2, lambda pid, port: unread(pid, "remote", port))


@case
def an_end_that_comes_with_the_last_byte_costs_nothing():
    neighbours(["close-after"])


@case
def a_reset_after_the_last_byte_costs_at_most_a_post_that_met_it_on_the_wire():
    traffic = neighbours(["reset-after"], twice=("window",), allowed=RESET)
    lost = [sent for sent in traffic.sent if sent.outcome != "200"]
    resets = sum(sent.fault == "reset-after" for sent in traffic.sent)
    print(f"    {len(lost)} of {len(traffic.sent)} met one of {resets} resets on the wire")
    # HTTP/1.1 cannot tell whether such a POST was read; here nobody has read it
    check(all(sent.method == "POST" and traffic.seen[sent.id] == 0 for sent in lost), f"{lost[:5]}")
    check(len(lost) * 10 < resets, f"{len(lost)} requests were sent into {resets} connections that were reset")


@case
def an_answer_nobody_asked_for_reaches_nobody():
    neighbours(["extra"])


@case
def garbage_is_a_bad_answer_and_costs_no_neighbour():
    neighbours(["text", "binary", "endless-head", "two-lengths"])


@case
def slow_heads_are_waited_for_as_long_as_is_said_and_hold_up_nobody():
    config = {"proxy": {"response_timeout": "1s"}}
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=config) as agent:
        traffic = Traffic(agent, ledger, threads=4)
        memory = t.warm(traffic)
        slow = Traffic(agent, ledger, threads=20, every=1, size=50,
                       faults=["slow-head=200", "slow-head=30000", "slow=30000", "slow-body=3000"])
        wait_until(lambda: slow.outcomes()["504 upstream_response_timeout"] >= 40, "slow answers to be given up")
        slow.stop()
        late = {"504 upstream_response_timeout"}
        # on a machine that is busy with something else the quick one may be late as well
        slow.verify({"slow-head=200": {"200"} | late, "slow-head=30000": late, "slow=30000": late,
                     "slow-body=3000": {"200"} | late})
        check(any(s.fault == "slow-head=200" and s.outcome == "200" for s in slow.sent), "every slow head was late")
        check(any(s.fault == "slow-body=3000" and s.outcome == "200" for s in slow.sent), "a slow body was cut off")
        traffic.stop()
        traffic.verify()
        agent.settled(requests=len(traffic.sent) + len(slow.sent))
        traffic.memory_is_back(memory)


@case
def a_slow_and_an_absent_model_server_are_told_apart():
    config = {"proxy": {"response_timeout": "500ms"}}
    with h.PythonServer(h.E2E / "upstream.py") as upstream, Agent(upstream=upstream.port, config=config) as agent:
        late = agent.send("GET", "/slow?ms=3000")
        equal((late.status, late.header("x-sidelight-reason")), (504, "upstream_response_timeout"), "a late answer")
        upstream.kill()
        gone = agent.send("GET", "/slow?ms=0")
        equal(gone.status, 502, "status without a model server")
        check(gone.header("x-sidelight-reason") in ("upstream_refused", "upstream_reset"), "reason")
        equal(agent.settled(requests=2).by("sidelight_request_failures_total", "fault"), {"upstream": 2}, "failures")


if __name__ == "__main__":
    h.main("faults: upstream")
