#!/usr/bin/env python3
"""An observer or a reader of the log that does not keep up costs copies and lines, which are counted, never a request.

Needs the release binary and Python's standard library. The rules that hold in every case are those of `traffic.py`.
"""

import collections
import json
import os
import pathlib
import signal
import tempfile
import threading
import time

import harness as h
import traffic as t
from harness import Agent, Client, PythonServer, case, check, equal, wait_until
from stall import stalled
from traffic import Ledger, Traffic

ROWS = h.rows()
MIB = 1 << 20
UPSTREAM = h.E2E / "upstream.py"
CONFIG = {"proxy": {"connect_timeout": "5s", "response_timeout": "60s"}}


@case
def an_observer_that_stands_still_costs_copies_and_nothing_else():
    config = {**CONFIG, "capture": {"queue_exchanges": 200}, "drift": {"check_interval": "1s"},
              "model": {"probe_interval": "200ms"}}
    with Ledger() as ledger:
        upstream = ledger.server()
        with Agent(upstream=upstream.port, config=config) as agent:
            traffic = Traffic(agent, ledger)
            memory = t.warm(traffic)

            def shed():
                return agent.metrics().sum("sidelight_shed_total", reason="queue_count")
            with stalled(agent, "observe"):
                wait_until(lambda: shed() >= 100, "copies to be shed")
                equal(agent.metrics().one("sidelight_queue_exchanges"), 200, "exchanges that wait")
                # what needs the observer says so, what does not goes on
                equal(agent.ask("GET", "/drift").status, 503, "a question to the observer")
                with traffic.window("502 upstream_refused", "502 upstream_reset", t.BROKEN):
                    upstream.kill()
                    wait_until(lambda: agent.ask("GET", "/ready").status == 503, "not ready without a model server")
                    upstream = ledger.server(port=upstream.port)
                agent.wait_ready()
                traffic.goes_on(200, "answers without an observer")
                traffic.memory_is_back(memory, 32 * MIB)
            wait_until(lambda: agent.metrics().one("sidelight_queue_exchanges") == 0, "the queue to be read")
            before = shed()
            traffic.goes_on(200, "answers with the observer back")
            equal(shed(), before, "copies shed after that")
            equal(agent.ask("GET", "/drift").status, 200, "a question to the observer")
            metrics = traffic.end(twice=("window",), memory=memory)
            check(metrics.books()["observed"] > 200, "nothing was observed")
            upstream.stop()


class Reader:
    """Reads a log, with a pause."""

    def __init__(self):
        end, self.write = os.pipe()
        self.lines, self.goes = [], threading.Event()
        self.goes.set()
        self.thread = threading.Thread(target=self._read, args=(end,), daemon=True)
        self.thread.start()

    def _read(self, end):
        with os.fdopen(end, "rb") as stream:
            for line in stream:
                self.goes.wait()
                self.lines.append(line)


@case
def a_log_reader_that_stands_still_for_ten_seconds_of_full_load_costs_lines_that_are_counted():
    reader = Reader()
    # only lines of requests: one of the agent's own that is dropped would be counted among them
    config = {**CONFIG, "log": {"level": "error"}}
    with Ledger() as ledger, ledger.server() as upstream:
        with Agent(upstream=upstream.port, config=config, stdout=os.fdopen(reader.write, "wb")) as agent:
            agent.child.stdout = None
            traffic = Traffic(agent, ledger, threads=8, pause=0)
            memory = t.warm(traffic, 2000)

            def lines(outcome):
                return agent.metrics().sum("sidelight_log_lines_total", outcome=outcome)
            reader.goes.clear()
            began, most = time.monotonic(), 0
            while time.monotonic() < began + 10 or lines("dropped") < 100:
                most = max(most, h.resident_bytes(agent.pid) - memory)
                check(time.monotonic() < began + 120, f"no line was dropped after {len(traffic.sent)} requests")
                time.sleep(0.1)
            print(f"    {most / MIB:.1f} MiB more after {time.monotonic() - began:.0f} s, {len(traffic.sent)} requests "
                  f"and {lines('dropped'):.0f} lines dropped")
            check(most < 32 * MIB, f"{most / MIB:.1f} MiB more while nobody read the log")
            reader.goes.set()
            wait_until(lambda: len(reader.lines) >= lines("written") - 1, "what waited to be read")
            before = lines("dropped")
            traffic.goes_on(500, "answers with the reader back")
            equal(lines("dropped"), before, "lines dropped after that")
            metrics = traffic.end(memory=memory)
            # what was dropped was counted, what was written is whole
            equal(metrics.books().get("shed", 0), 0, "copies shed: the log must not hold up the observer")

            def all_read():
                written = lines("written")
                own = sum(json.loads(line)["message"].startswith("Request") for line in list(reader.lines))
                equal(written, len(reader.lines), "lines read")
                equal(own + lines("dropped"), len(traffic.sent), "lines of requests, written and dropped")
                return True
            wait_until(all_read, "each line to be written or dropped")


@case
def a_disk_that_hangs_costs_lines_of_the_log_file_and_neither_stdout_nor_the_observer():
    with Ledger() as ledger, ledger.server() as upstream, tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        file = pathlib.Path(folder, "log")
        config = {**CONFIG, "log": {"level": "error", "file": {"path": str(file)}}}
        with Agent(upstream=upstream.port, config=config) as agent:
            traffic = Traffic(agent, ledger, threads=8, pause=0)
            memory = t.warm(traffic)

            def lines(outcome):
                return agent.metrics().sum("sidelight_log_file_lines_total", outcome=outcome)
            # it stands still as it would in a write that does not return
            with stalled(agent, "log-file"):
                wait_until(lambda: lines("dropped") >= 100, "lines of the file to be dropped", patience=180)
                traffic.memory_is_back(memory, 32 * MIB)
                # what changes the file waits for the disk in vain, and the rest of the change is taken
                agent.write_config({**config, "log": {"level": "error", "logger": "two", "file": {"path": None}}})
                traffic.goes_on(200, "answers while the disk hangs")
            wait_until(lambda: any('"logger":"two"' in line for line in agent.lines[-200:]), "the other logger")
            agent.write_config(config)
            wait_until(lambda: '"logger":"ml-api"' in agent.lines[-1], "the first logger")
            before = lines("written")
            wait_until(lambda: lines("written") > before + 100, "lines with the disk back")
            metrics = traffic.end(memory=memory)
            equal(metrics.books().get("shed", 0), 0, "copies shed: the log file must not hold up the observer")
            equal(metrics.sum("sidelight_log_lines_total", outcome="dropped"), 0, "lines that stdout lost")
            equal(lines("failed"), 0, "lines that failed")
            agent.signal(signal.SIGTERM)
            equal(agent.wait(), 0, "exit status")
        written = file.read_text().splitlines()
        # traffic and its sums are of whole lines of stdout, of which the file lacks what was dropped
        check(len(written) >= before and all(map(json.loads, written)), "lines of the file")
        equal(set(written) - set(agent.lines), set(), "lines that stdout has not")


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
    h.main("faults: observer")
