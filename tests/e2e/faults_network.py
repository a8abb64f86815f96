#!/usr/bin/env python3
"""Names that change, fail or are not answered, and model servers that vanish without a word.

Needs the release binary, Python's standard library, and root for network and mount namespaces of its own. The rules
that hold in every case are those of `traffic.py`.
"""

import contextlib
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import harness as h
import names as n
import traffic as t
from harness import Agent, Skipped, case, check, equal, wait_until
from names import Names
from traffic import BROKEN, Ledger, Traffic

IS_ALONE = h.alone("--net", "--mount")
RESOLVER = "127.0.0.53"
FIRST, SECOND = "127.0.0.2", "127.0.0.3"
# the two ends of a cable
NEAR, FAR = "10.77.0.1", "10.77.0.2"
NEAR_CARD, FAR_CARD = "02:00:00:00:00:01", "02:00:00:00:00:02"
# far longer than any patience of the agent here
HANG_S = 25


def run(*command):
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"{' '.join(command)}: {done.stderr.strip()}")


@contextlib.contextmanager
def resolver(answer):
    """This suite's own resolver, in the place of the machine's for whoever is started in it."""
    if not IS_ALONE:
        raise Skipped("only root gets namespaces of its own")
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder, Names(RESOLVER, answer) as names:
        files = {"/etc/resolv.conf": f"nameserver {RESOLVER}\noptions timeout:{HANG_S} attempts:1\n",
                 "/etc/nsswitch.conf": "hosts: files dns\n"}
        with contextlib.ExitStack() as stack:
            for path, text in files.items():
                own = pathlib.Path(folder, pathlib.Path(path).name)
                own.write_text(text)
                run("mount", "--bind", str(own), path)
                stack.callback(run, "umount", path)
            yield names


def config(**proxy):
    return {"proxy": {"connect_timeout": "20s", "response_timeout": "60s", **proxy}}


@case
def a_name_that_changes_is_followed_while_there_is_traffic_and_costs_nothing():
    with resolver(FIRST) as names, Ledger() as ledger, ledger.server(host=FIRST) as first:
        with ledger.server(host=SECOND, port=first.port), \
                Agent(upstream=f"model.test:{first.port}", config=config(upstream_idle="1m")) as agent:
            traffic = Traffic(agent, ledger)
            memory = t.warm(traffic)
            names.answer = SECOND

            def moved():
                # the old address answers still, and there are connections to it
                since = time.monotonic()
                traffic.goes_on(50, "answers after the name has changed")
                servers = ledger.servers()
                return {servers[s.id] for s in list(traffic.sent) if s.began > since} == {SECOND}

            wait_until(moved, "requests at the new address")
            first.signal(signal.SIGTERM)
            first.wait()
            traffic.goes_on(200, "answers from the new address")
            traffic.end(memory=memory)


@case
def a_name_that_fails_costs_nothing_once_it_is_known_and_502_before():
    with resolver(n.NAME_ERROR) as names, Ledger() as ledger, ledger.server(host=FIRST) as server, \
            Agent(upstream=f"model.test:{server.port}", config=config(upstream_idle="0s"), ready=False) as agent:
        h.wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
        traffic = Traffic(agent, ledger, threads=2)
        with traffic.window("502 upstream_unreachable"):
            traffic.goes_on(50, "502s without an address", "502 upstream_unreachable")
            names.answer = FIRST
            traffic.goes_on(1, "an answer with an address")
        memory = t.warm(traffic)
        for failure in (n.NAME_ERROR, n.SERVER_FAILURE):
            names.answer = failure
            # each of them on a new connection, over more than one look at the name
            since = time.monotonic()
            wait_until(lambda begun=since: time.monotonic() - begun > 3, "three seconds")
            traffic.goes_on(300, "answers from the address that was known")
        names.answer = FIRST
        traffic.end(memory=memory)


@case
def a_resolver_that_hangs_is_waited_for_as_long_as_a_connection_and_only_where_no_address_is_known():
    settings = {"proxy": {"connect_timeout": "300ms", "upstream_idle": "0s", "threads": 1},
                "drift": {"window": 20}, "model": {"probe_interval": "100ms", "probe_timeout": "100ms"}}
    with resolver(n.SILENT) as names, Ledger() as ledger, ledger.server(host=FIRST) as server, \
            Agent(upstream=f"model.test:{server.port}", config=settings, ready=False) as agent:
        h.wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
        threads = len(list(pathlib.Path(f"/proc/{agent.pid}/task").iterdir()))
        traffic = Traffic(agent, ledger, threads=40, pause=0.02)
        with traffic.window("504 upstream_connect_timeout"):
            since = time.monotonic()
            traffic.goes_on(600, "504s while no address comes", "504 upstream_connect_timeout")
            # the operator's side has work of its own for which it must not lack a thread
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20, timeout=HANG_S / 2).status, 200, "baseline")
            agent.signal(signal.SIGHUP)
            agent.wait_event(message="configuration unchanged", patience=HANG_S / 2)
            held = len(list(pathlib.Path(f"/proc/{agent.pid}/task").iterdir())) - threads
            print(f"    {held} threads wait for the resolver, {len(traffic.sent)} requests")
            check(held <= 40, f"{held} more threads wait for the resolver")
            names.answer = FIRST
            # a question that was asked into the silence is not asked again before HANG_S
            traffic.goes_on(1, "an answer")
        late = [s for s in traffic.sent if s.outcome != "200" and s.ended - s.began > HANG_S / 2]
        check(not late, f"requests waited for the resolver itself: {late[:3]}")
        check(time.monotonic() - since < HANG_S, "too slow to tell: what hung has ended by itself")
        memory = t.warm(traffic, 800)
        names.answer = n.SILENT
        # each needs a new connection, and the address that was known serves
        traffic.goes_on(2000, "answers while the resolver is silent again")
        traffic.end(memory=memory)
        agent.signal(signal.SIGTERM)
        equal(agent.wait(HANG_S / 2), 0, "exit status while a name is being asked for")


@contextlib.contextmanager
def far_away():
    """Another network, as if on another machine, at the end of a cable: the command that runs others in it."""
    if not IS_ALONE:
        raise Skipped("only root gets namespaces of its own")
    run("ip", "link", "set", "lo", "up")
    with h.Process(["unshare", "--net", "sleep", "600"], "far") as far:
        wait_until(lambda: pathlib.Path(f"/proc/{far.pid}/comm").read_text() == "sleep\n", "the other network")
        inside = ["nsenter", "-t", str(far.pid), "-n"]
        run("ip", "link", "add", "near", "address", NEAR_CARD, "type", "veth", "peer", "name", "far", "address",
            FAR_CARD, "netns", str(far.pid))
        run("ip", "addr", "add", f"{NEAR}/30", "dev", "near")
        run("ip", "link", "set", "near", "up")
        # or a cut cable would be an error after a moment, and not silence
        run("ip", "neigh", "add", FAR, "lladdr", FAR_CARD, "dev", "near", "nud", "permanent")
        run(*inside, "ip", "addr", "add", f"{FAR}/30", "dev", "far")
        run(*inside, "ip", "link", "set", "far", "up")
        try:
            yield inside
        finally:
            run("ip", "link", "del", "near")


ASK_SLOWLY = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as client:
    client.sendall(b"GET /predict HTTP/1.1\\r\\nHost: a\\r\\nX-Fault: slow=600000\\r\\nX-Request-ID: far\\r\\n\\r\\n")
    client.recv(1)
"""


@case
def who_vanishes_without_a_word_is_given_up_and_used_again_when_it_is_back():
    settings = config(connect_timeout="500ms", response_timeout="1s", upstream_idle="2s")
    with far_away() as inside, Ledger() as ledger:
        far = ledger.server(host=FAR, prefix=inside)
        with Agent(upstream=f"{FAR}:{far.port}", config=settings) as agent, \
                Agent(upstream=f"{FAR}:{far.port}", config=config(response_timeout=None)) as patient, \
                ledger.server() as local, \
                Agent(upstream=local.port, config=config(response_timeout=None), host=NEAR) as near:
            traffic = Traffic(agent, ledger)
            memory = t.warm(traffic)
            waits = Traffic(patient, ledger, threads=3, faults=["slow=600000"], every=1)
            beside = Traffic(near, ledger, threads=2)
            client = h.Process([*inside, sys.executable, "-c", ASK_SLOWLY, NEAR, near.port], "client")
            wait_until(lambda: patient.metrics().one("ml_api_active_requests") == 3, "requests that wait")
            wait_until(lambda: {"far"} <= set(ledger.seen()), "the far client's request")
            with traffic.window("504 upstream_connect_timeout", "504 upstream_response_timeout", "502 upstream_reset",
                                "502 upstream_refused"), \
                    waits.window("502 upstream_reset", "504 upstream_connect_timeout"):
                run(*inside, "ip", "link", "set", "far", "down")
                traffic.goes_on(20, "504s while the other end is gone", "504 upstream_connect_timeout")
                # who waits for an answer without a limit, and whom a client waits for that is gone, notice as well
                waits.stopping.set()
                wait_until(lambda: sum(waits.outcomes().values()) >= 3, "requests without a limit to be answered",
                           patience=300)
                wait_until(lambda: near.metrics().by("sidelight_request_failures_total", "reason"),
                           "the far client to be missed", patience=300)
                equal(near.metrics().by("sidelight_request_failures_total", "reason"), {"client_left": 1}, "failures")
                far.kill()
                client.kill()
                run(*inside, "ip", "link", "set", "far", "up")
                far = ledger.server(host=FAR, prefix=inside, port=far.port)
                # connections that were kept unused are past their time by then
                time.sleep(2.5)
            traffic.goes_on(200, "answers with the other end back")
            traffic.end(memory=memory)
            waits.end({"slow=600000": {"502 upstream_reset"}})
            beside.stop()
            beside.verify()
            near.settled(requests=len(beside.sent) + 1)
            far.stop()


if __name__ == "__main__":
    h.main("faults: network")
