#!/usr/bin/env python3
"""215 raw requests and answers, those that mutations found, and 26 behaviours, judged at both ends of the
proxy; then a drain under way.

Fails on any FAIL of the runner in tests/http, and prints every WARN. Arguments pick cases, as in every suite.
"""

import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

import harness as h
from harness import Agent, case, check, equal

HTTP = h.ROOT / "tests" / "http"
# what the mutations of tests/mutations.rs have found
FOUND = HTTP / "found_cases.jsonl"
# the default of proxy.head_timeout is 30 s
HEAD_TIMEOUT = 31
# Each would be explained in docs/reliability.md; there is none.
MOST_WARNINGS = 5
# no request but the runner's may reach its upstream
CONFIG = {"model": {"probe_interval": "1h"}, "proxy": {"threads": 1}}


class Ready(http.server.BaseHTTPRequestHandler):
    """Says once that the model is loaded."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def start():
    """An agent that will not probe again, and the port on which the runner is its upstream."""
    upstream = h.free_port()
    server = http.server.HTTPServer((h.HOST, upstream), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        return Agent(upstream=upstream, config=CONFIG), upstream
    finally:
        server.shutdown()
        server.server_close()


def run(agent, upstream, *arguments):
    """The runner's results by name."""
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        results = pathlib.Path(folder) / "results.json"
        command = [sys.executable, HTTP / "run_cases.py", "--proxy-port", agent.port, "--upstream-port", upstream,
                   "--pid", agent.pid, "--quiet", "--json", results, *arguments]
        runner = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, check=False, timeout=600)
        check(results.exists(), lambda: f"the runner ended with {runner.returncode}:\n{runner.stdout[-4000:]}")
        return json.loads(results.read_text())["results"]


def show(results, verdict):
    found = [r for r in results if r["verdict"] == verdict]
    for r in found:
        print(f"  {verdict} {r['name']}: {r['outcome']} {' | '.join(r['why'])[:300]}", flush=True)
    return found


@case
def every_raw_case_and_behaviour_holds():
    agent, upstream = start()
    with agent:
        results = run(agent, upstream, "--cases", HTTP / "raw_cases.jsonl", FOUND, "--behaviours",
                      "--header-timeout", HEAD_TIMEOUT)
        failures, warnings = show(results, "FAIL"), show(results, "WARN")
        print(f"  {len(failures)} FAIL and {len(warnings)} WARN of {len(results)}", flush=True)
        equal(len(results), 241 + len(FOUND.read_text().splitlines()), "cases")
        check(agent.is_alive(), "the agent has ended")
        agent.settled()
        check(not failures, f"{len(failures)} FAIL")
        check(len(warnings) <= MOST_WARNINGS, f"{len(warnings)} WARN")


@case
def a_request_in_flight_survives_sigterm():
    agent, upstream = start()
    with agent:
        results = run(agent, upstream, "--behaviours", "--only", "graceful-drain", "--drain")
        equal([r["verdict"] for r in results], ["PASS"], f"verdict of {results}")
        print(f"  {results[0]['outcome']}", flush=True)


if __name__ == "__main__":
    sys.exit(h.main("conformance"))
