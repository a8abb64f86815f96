#!/usr/bin/env python3
"""Clients that sit, stop reading or leave, and bodies that are too long or break off, cost only themselves.

Needs the release binary and Python's standard library.
"""

import contextlib
import http.client
import socket
import struct
import time

import harness as h
from harness import Agent, PythonServer, case, check, equal, wait_until

ROWS = h.rows()
MIB = 1 << 20
UPSTREAM = h.E2E / "upstream.py"


@case
def too_long_and_broken_bodies_pass_as_they_are_and_are_counted_as_such():
    config = {"capture": {"body_limit": "4KiB"}}
    with PythonServer(UPSTREAM) as upstream, Agent(upstream=upstream.port, config=config) as agent:
        for _ in range(3):
            equal(len(h.predictions(agent.send("POST", "/predict", ROWS))), 150, "rows in a batch beyond the limit")
        for _ in range(2):
            try:
                agent.send("POST", "/broken", ROWS[0])
            except http.client.IncompleteRead as error:
                equal(len(error.partial), 500, "bytes of a broken answer")
            else:
                check(False, "a broken answer came whole")
        for row in ROWS[:5]:
            h.predictions(agent.send("POST", "/predict", row))
        metrics = agent.settled(requests=10)
        results = metrics.by("sidelight_observed_total", "result")
        equal(results, {"too_long": 3, "aborted": 2, "decoded": 5}, "observed exchanges by result")
        equal(metrics.sum("ml_model_predictions_total"), 5, "predictions")


@contextlib.contextmanager
def small_disk():
    """A folder on a file system of 256 KiB."""
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        if os.geteuid() != 0:
            raise Skipped("only root can mount a tmpfs")
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], stderr=subprocess.PIPE,
                               text=True, check=False)
        if mount.returncode != 0:
            raise Skipped(f"no tmpfs can be mounted: {mount.stderr.strip()}")
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@case
def a_thousand_idle_clients_leave_it_answering():
    with Agent() as agent, contextlib.ExitStack() as stack:
        h.predictions(agent.send("POST", "/predict", ROWS[0]))
        before, files = h.resident_bytes(agent.pid), h.open_files(agent.pid)
        for i in range(1000):
            idle = stack.enter_context(socket.create_connection((h.HOST, agent.port), timeout=h.PATIENCE))
            if i % 2:
                idle.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Le")
        # a connection of the request before them may have been among the files
        wait_until(lambda: h.open_files(agent.pid) >= files + 990, "the clients to be accepted")
        for row in ROWS[:50]:
            began = time.monotonic()
            h.predictions(agent.send("POST", "/predict", row))
            check(time.monotonic() - began < 10, "an answer took 10 s beside idle clients")
        grown = (h.resident_bytes(agent.pid) - before) / MIB
        check(grown < 64, f"1,000 idle clients cost {grown:.0f} MiB")
        stack.close()
        wait_until(lambda: h.open_files(agent.pid) <= files + 20, "their sockets to be closed")
        wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 0, "no request to be in flight")
        agent.settled()


@case
def a_client_that_stops_reading_costs_no_memory_and_nobody_else():
    size = 200 * MIB
    with PythonServer(UPSTREAM) as upstream, Agent(upstream=upstream.port) as agent:
        h.predictions(agent.send("POST", "/predict", ROWS[0]))
        before = h.resident_bytes(agent.pid)
        with socket.create_connection((h.HOST, agent.port), timeout=h.PATIENCE) as reader:
            reader.sendall(f"GET /large?bytes={size} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            check(reader.recv(16).startswith(b"HTTP/1.1 200"), "no answer")
            end, most = time.monotonic() + 5, 0
            while time.monotonic() < end:
                h.predictions(agent.send("POST", "/predict", ROWS[1]))
                most = max(most, h.resident_bytes(agent.pid) - before)
                time.sleep(0.05)
            check(most < 32 * MIB, f"an answer that is not read cost {most / MIB:.0f} MiB")
            equal(agent.metrics().one("ml_api_active_requests"), 1, "requests in flight")
            # and it goes on when the client does
            got = 0
            while got < 8 * MIB:
                got += len(reader.recv(MIB))
            # leaves with a reset, not a polite end
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        metrics = agent.settled()
        equal(metrics.by("sidelight_request_failures_total", "reason"), {"client_left": 1}, "failures by reason")
        equal(metrics.by("sidelight_request_failures_total", "fault"), {"client": 1}, "failures by fault")


@case
def a_client_that_leaves_before_its_answer_is_counted_as_its_own_fault():
    with PythonServer(UPSTREAM) as upstream, Agent(upstream=upstream.port) as agent:
        for _ in range(5):
            with socket.create_connection((h.HOST, agent.port), timeout=h.PATIENCE) as client:
                client.sendall(b"GET /slow?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 1, "the request to be in flight")
        metrics = agent.settled(requests=5)
        equal(metrics.by("ml_api_requests_total", "status_code"), {"499": 5}, "requests by status")
        equal(metrics.by("sidelight_request_failures_total", "fault"), {"client": 5}, "failures by fault")


if __name__ == "__main__":
    h.main("faults: clients")
