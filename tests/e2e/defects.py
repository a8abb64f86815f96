#!/usr/bin/env python3
"""What a service that counts itself gets wrong: a process each, paths, its own scrapes, a readiness that says no.

docs/monitoring.md has the whole list. Needs the release binary and Python's standard library.
"""

import random
import string
import threading

import harness as h
from harness import Agent, Client, PythonServer, case, check, equal, request, wait_until

ROW = h.rows()[0]


@case
def requests_to_two_workers_are_counted_whole_where_each_of_them_knows_a_part():
    with PythonServer(h.E2E / "workers.py", path="/count") as model, Agent(upstream=model.port) as agent:
        workers, sent = set(), 0
        # which of them is asked is chance: until both have been
        while sent < 60 or len(workers) < 2:
            check(sent < 3000, "only one worker ever answers")
            answers = h.in_parallel([lambda: agent.send("POST", "/predict", ROW) for _ in range(4)])
            workers |= {answer.header("X-Worker") for answer in answers}
            sent += len(answers)
        agent.settled(requests=sent)
        for _ in range(5):
            equal(agent.metrics().sum("ml_model_predictions_total"), sent, "predictions of any scrape")
        known = {}
        for _ in range(1000):
            answer = request(model.port, "GET", "/count")
            known[answer.header("X-Worker")] = answer.json()["count"]
            if set(known) == workers:
                break
        equal(set(known), workers, "workers")
        equal(sum(known.values()), sent, "what the workers counted together")
        check(max(known.values()) < sent, "one worker knew it all: this shows nothing")


@case
def two_hundred_random_paths_make_no_series_of_their_own():
    order = random.Random(7)
    with Agent() as agent, Client(agent.port) as client:
        client.request("POST", "/predict", ROW)
        client.request("GET", "/nothing")
        before = agent.settled(requests=2)
        for _ in range(200):
            path = "/" + "".join(order.choices(string.ascii_lowercase, k=12))
            equal(client.request("GET", path).status, 404, "status of a path that nobody has")
        after = agent.settled(requests=202)
        equal(sum(map(len, after.samples.values())), sum(map(len, before.samples.values())), "series")
        equal(after.sum("ml_api_requests_total", endpoint="other", status_code="404"), 201, "404 of other")


@case
def scrapes_and_probes_are_no_requests_and_only_those_of_clients_are_in_flight():
    with PythonServer(h.E2E / "upstream.py") as model, Agent(upstream=model.port) as agent:
        equal(agent.metrics().one("ml_api_active_requests"), 0, "in flight while idle")
        h.in_parallel([lambda: [equal(agent.metrics().one("ml_api_active_requests"), 0, "in flight while others scrape")
                                for _ in range(20)] for _ in range(4)])
        for path in ("/health", "/ready", "/live", "/metrics", "/drift"):
            agent.ask("GET", path)
        equal(agent.settled(requests=0).sum("ml_api_requests_total"), 0, "requests after 86 to the operator's port")
        slow = threading.Thread(target=agent.send, args=("GET", "/slow?ms=2000"))
        slow.start()
        wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 1, "the request of a client in flight")
        slow.join()
        agent.settled(requests=1)


@case
def a_server_that_says_200_and_not_ready_is_not_ready():
    with PythonServer(h.E2E / "workers.py", "not-ready", path="/count") as model, \
            Agent(upstream=model.port, ready=False) as agent:
        equal(request(model.port, "GET", "/ready").status, 200, "status of the server's own /ready")
        wait_until(lambda: agent.metrics().of("ml_model_loaded"), "a first probe")
        equal(agent.metrics().sum("ml_model_loaded"), 0, "ml_model_loaded")
        answer = agent.ask("GET", "/ready")
        equal((answer.status, answer.json()["ready"]), (503, False), "/ready")


if __name__ == "__main__":
    h.main("defects")
