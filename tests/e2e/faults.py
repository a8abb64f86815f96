#!/usr/bin/env python3
"""What goes wrong around the agent: requests that can be answered are, memory stays bounded, all is counted.

Needs the release binary and Python's standard library; the full disk needs the right to mount a tmpfs.
"""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import harness as h
from harness import Agent, Client, PythonServer, Skipped, case, check, close, equal, wait_until

ROWS = h.rows()
MIB = 1 << 20
UPSTREAM = h.E2E / "upstream.py"


class Load:
    """Threads that send single predictions until told to stop, and remember what came back."""

    def __init__(self, agent, threads=4):
        self.agent = agent
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.statuses = collections.Counter()
        self.reasons = collections.Counter()
        self.odd = []
        self.tally = h.Tally()
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, first):
        with Client(self.agent.port) as client:
            sent = first
            while not self.stopping.wait(0.002):
                sent += 1
                try:
                    answer = client.request("POST", "/predict", ROWS[sent % len(ROWS)])
                except (OSError, http.client.HTTPException) as error:
                    # an answer that broke off half way: its status was sent, its rest cannot be
                    answer = error
                with self.lock:
                    self._note(answer)

    def _note(self, answer):
        if isinstance(answer, Exception):
            self.statuses["broken"] += 1
            if not isinstance(answer, http.client.IncompleteRead):
                self.odd.append(repr(answer))
            return
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.tally.add(answer)
        else:
            self.reasons[answer.header("x-sidelight-reason")] += 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)
        return sum(self.statuses.values())


@case
def the_model_server_dies_in_the_middle_of_traffic_and_comes_back():
    upstream = PythonServer(UPSTREAM)
    with Agent(upstream=upstream.port, config={"model": {"probe_interval": "200ms"}}) as agent:
        load = Load(agent)
        wait_until(lambda: load.statuses[200] > 200, "traffic")
        upstream.kill()
        wait_until(lambda: load.statuses[502] > 50, "502s while nobody listens")
        wait_until(lambda: agent.ask("GET", "/ready").status == 503, "not ready without a model server")
        wait_until(lambda: agent.metrics().sum("ml_model_loaded") == 0, "ml_model_loaded to be 0")
        before = load.statuses[200]
        with PythonServer(UPSTREAM, port=upstream.port):
            wait_until(lambda: load.statuses[200] > before + 200, "traffic after the restart")
            agent.wait_ready()
            sent = load.stop()
            metrics = agent.settled(requests=sent)
        check(not load.odd, lambda: f"requests without an answer: {load.odd[:5]}")
        check(set(load.statuses) <= {200, 502, "broken"}, f"statuses {load.statuses}")
        check(all(reason and reason.startswith("upstream_") for reason in load.reasons), f"reasons {load.reasons}")
        by_status = metrics.by("ml_api_requests_total", "status_code")
        equal(by_status["502"], load.statuses[502], "502s counted")
        equal(by_status["200"], load.statuses[200] + load.statuses["broken"], "200s counted")
        equal(metrics.by("sidelight_request_failures_total", "fault"),
              {"upstream": load.statuses[502] + load.statuses["broken"]}, "failures by fault")
        if not metrics.books().get("shed"):
            equal(metrics.by("ml_model_predictions_total", "predicted_class"), dict(load.tally.classes), "predictions")
        failed = [e for e in agent.events() if e["message"] == "Request failed"]
        check(failed and all(e["fault"] == "upstream" for e in failed), "log lines of failures")


@case
def a_slow_and_an_absent_model_server_are_told_apart():
    with PythonServer(UPSTREAM) as upstream, \
            Agent(upstream=upstream.port, config={"proxy": {"response_timeout": "500ms"}}) as agent:
        late = agent.send("GET", "/slow?ms=3000")
        equal((late.status, late.header("x-sidelight-reason")), (504, "upstream_response_timeout"), "a late answer")
        upstream.kill()
        gone = agent.send("GET", "/slow?ms=0")
        equal(gone.status, 502, "status without a model server")
        check(gone.header("x-sidelight-reason") in ("upstream_refused", "upstream_reset"), "reason")
        equal(agent.settled(requests=2).by("sidelight_request_failures_total", "fault"), {"upstream": 2}, "failures")


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
def a_full_disk_costs_a_new_baseline_and_neither_the_old_one_nor_a_request():
    with small_disk() as folder:
        config = {"state": {"dir": str(folder / "state")}, "drift": {"window": 20}}
        (folder / "state").mkdir()
        with Agent(config=config) as agent:
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of the first baseline")
            old = contents(folder)
            check(old, "nothing was written to state.dir")
            with open(folder / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
                while filler.write(bytes(4096)):
                    pass
            new = [i / 5000 for i in range(5000)]
            answer = agent.ask("POST", "/drift/baseline", new)
            said = answer.status >= 500 or (answer.status == 200 and answer.json().get("persisted") is False)
            check(said, f"a baseline that cannot be written: {answer.status} {answer.body[:300]!r}")
            after = contents(folder)
            after.pop(pathlib.Path("filler"))
            equal(after, old, "files in state.dir")
            h.predictions(agent.send("POST", "/predict", ROWS[0]))
            agent.child.kill()
            agent.wait()
        with Agent(config=config) as agent:
            for row in ROWS[:20]:
                agent.send("POST", "/predict", row)
            agent.settled(requests=20)
            close(agent.ask("GET", "/drift").json()["baseline_mean"], 0.625, "mean of the baseline after a restart")
            (folder / "filler").unlink()
            equal(agent.ask("POST", "/drift/baseline", [0.25] * 40).status, 200, "status with room again")
            close(agent.ask("GET", "/drift").json()["baseline_mean"], 0.25, "mean of the new baseline")


@case
def stdout_without_a_reader_costs_log_lines_only():
    with Agent(stdout="closed") as agent, Client(agent.port) as client:
        for row in ROWS:
            h.predictions(client.request("POST", "/predict", row))
        wait_until(lambda: agent.metrics().sum("sidelight_log_lines_total", outcome="dropped") >= 150,
                   "the lines to be counted as dropped")
        agent.settled(requests=150)
        agent.signal(signal.SIGTERM)
        equal(agent.wait(), 0, "exit status")


@case
def a_blocked_stdout_costs_log_lines_only():
    config = {"capture": {"body_limit": "1MiB"}}
    with PythonServer(UPSTREAM) as upstream, \
            Agent(upstream=upstream.port, config=config, stdout="blocked") as agent, Client(agent.port) as client:
        batch, sent, slowest = json.dumps(ROWS * 4), 0, 0.0

        def dropped():
            return agent.metrics().sum("sidelight_log_lines_total", outcome="dropped")

        end = time.monotonic() + 120
        while dropped() < 20:
            check(time.monotonic() < end, f"no line was dropped after {sent} requests")
            for _ in range(20):
                began = time.monotonic()
                equal(client.request("POST", "/predict?canned=600", batch).status, 200, "status")
                slowest = max(slowest, time.monotonic() - began)
                sent += 1
        check(slowest < 10, f"a request took {slowest:.1f} s while stdout was blocked")
        agent.settled(requests=sent)
        check(h.resident_bytes(agent.pid) < 300 * MIB, f"{h.resident_bytes(agent.pid) / MIB:.0f} MiB resident")
        agent.signal(signal.SIGTERM)
        equal(agent.wait(), 0, "exit status with a blocked stdout")


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


def overflow(capture, reason):
    """Floods an observer that has far more to read than it can; gives what `/metrics` says after."""
    rows, batch = 4000, json.dumps((ROWS * 27)[:4000])
    config = {"capture": {"body_limit": "2MiB", **capture}, "log": {"lines": "off"}}
    with PythonServer(UPSTREAM) as upstream, Agent(upstream=upstream.port, config=config) as agent:
        stop, sent = threading.Event(), collections.Counter()

        def flood(name):
            with Client(agent.port) as client:
                while not stop.is_set():
                    sent[name, client.request("POST", f"/predict?canned={rows}", batch).status] += 1

        threads = [threading.Thread(target=flood, args=(i,), daemon=True) for i in range(8)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: agent.metrics().sum("sidelight_shed_total", reason=reason) >= 20,
                       f"exchanges to be shed for {reason}", patience=120)
        finally:
            stop.set()
            for thread in threads:
                thread.join(h.PATIENCE)
        requests = sum(sent.values())
        equal({status for _, status in sent}, {200}, "statuses under overload")
        metrics = agent.settled(requests=requests)
        books = metrics.books()
        equal(books["requests"], books["observed"] + books["shed"] + books.get("not_wanted", 0), "the first equation")
        equal(books["observed"], sum(books.get(result, 0) for result in
                                     ("decoded", "decode_failed", "too_long", "aborted")), "the second equation")
        equal(metrics.sum("sidelight_shed_total"), books["shed"], "shed by reason and altogether")
        equal(books.get("decoded"), books["observed"], "decoded exchanges")
        equal(metrics.sum("ml_model_predictions_total"), books["decoded"] * rows, "predictions of those decoded")
        equal(metrics.one("sidelight_queue_exchanges"), 0, "exchanges that wait")
        equal(metrics.one("sidelight_queue_bytes"), 0, "bytes that wait")
        check(h.resident_bytes(agent.pid) < 300 * MIB, f"{h.resident_bytes(agent.pid) / MIB:.0f} MiB resident")


@case
def a_queue_that_overflows_by_count_sheds_copies_and_the_books_balance():
    overflow({"queue_exchanges": 1, "queue_bytes": "64MiB"}, "queue_count")


@case
def a_queue_that_overflows_by_bytes_sheds_copies_and_the_books_balance():
    overflow({"queue_exchanges": 10_000, "queue_bytes": "4MiB"}, "queue_bytes")


if __name__ == "__main__":
    h.main("faults")
