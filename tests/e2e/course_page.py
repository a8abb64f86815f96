#!/usr/bin/env python3
"""The course's own FastAPI service, unchanged and unmonitored, behind the agent.

Run it with the Python of an environment made from course_service/requirements.txt.
"""

import math
import random

from scipy.stats import ks_2samp

import harness as h
from harness import Agent, Client, PythonServer, Tally, case, check, close, equal, request, wait_until

ROWS = h.rows()
WINDOW = 300
INCH = 1 / 2.54


def service():
    return PythonServer(h.E2E / "course_service" / "service.py")


def same_but_for_the_id(answer, original, what):
    """Status, body and fields as the service itself gives them."""
    equal((answer.status, answer.body), (original.status, original.body), what)
    own = {"x-request-id", "date"}
    given, expected = (sorted((k.lower(), v) for k, v in one.headers if k.lower() not in own)
                       for one in (answer, original))
    equal(given, expected, f"fields of {what}")
    check(answer.header("x-request-id"), f"no X-Request-ID on {what}")


@case
def all_rows_in_three_forms_are_counted_exactly_and_pass_byte_for_byte():
    with service() as upstream, Agent(upstream=upstream.port) as agent:
        tally = Tally()
        expected = [request(upstream.port, "POST", "/predict", row) for row in ROWS]
        with Client(agent.port) as client:
            for row, original in zip(ROWS, expected):
                same_but_for_the_id(tally.add(client.request("POST", "/predict", row)), original, "a single row")
        tally.compare(agent.settled(requests=tally.requests))

        whole = tally.add(agent.send("POST", "/predict/batch", ROWS))
        same_but_for_the_id(whole, request(upstream.port, "POST", "/predict/batch", ROWS), "the batch")
        tally.compare(agent.settled(requests=tally.requests))

        def share(first):
            with Client(agent.port) as client:
                return [client.request("POST", "/predict", row) for row in ROWS[first::8]]

        for first, answers in enumerate(h.in_parallel([lambda first=first: share(first) for first in range(8)])):
            for answer, original in zip(answers, expected[first::8]):
                same_but_for_the_id(tally.add(answer), original, "one of eight connections")
        metrics = agent.settled(requests=tally.requests)
        tally.compare(metrics)
        h.has_the_seven(metrics)
        equal(metrics.books().get("decoded"), tally.requests, "decoded exchanges")
        equal(metrics.by("ml_model_predictions_total", "model_version"), {"1.0.0": 450}, "predictions by version")
        wait_until(lambda: agent.metrics().one("ml_model_loaded", model_version="1.0.0") == 1, "ml_model_loaded")
        ready = agent.ask("GET", "/ready").json()
        equal(ready["ready"], True, "ready")
        page = {"model_loaded": True, "model_version": "1.0.0"}
        equal({key: ready["checks"][key] for key in page}, page, "checks of /ready")


@case
def mistakes_of_clients_pass_unchanged_and_are_no_predictions():
    with service() as upstream, Agent(upstream=upstream.port) as agent:
        cases = [
            ("POST", "/predict", {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4}),
            ("POST", "/predict", '{"sepal_length":5.1,'),
            ("POST", "/predict", {**ROWS[0], "sepal_length": "abc"}),
            ("POST", "/predict", {**ROWS[0], "sepal_length": -1}),
            ("POST", "/predict/batch", []),
            ("GET", "/predict", None),
            ("POST", "/v2/predict", ROWS[0]),
            ("GET", "/health?probe=1", None),
        ]
        for method, path, body in cases:
            answer, original = agent.send(method, path, body), request(upstream.port, method, path, body)
            if "health" in path:
                equal(answer.status, original.status, f"status of {path}")  # its body has the time in it
            else:
                same_but_for_the_id(answer, original, f"{method} {path}")
        metrics = agent.settled(requests=len(cases))
        equal(metrics.sum("ml_model_predictions_total"), 0, "predictions")
        equal(metrics.sum("ml_api_requests_total", endpoint="/predict", status_code="422"), 4, "422 of /predict")
        # a string that is a number is one
        text = {name: str(value) for name, value in ROWS[0].items()}
        equal(h.predictions(agent.send("POST", "/predict", text))[0]["prediction"], "setosa", "class")
        equal(agent.settled(requests=len(cases) + 1).sum("ml_model_predictions_total"), 1, "predictions")


def send_rows(agent, rows):
    """Their confidences in the order in which they were predicted."""
    with Client(agent.port) as client:
        return [h.predictions(client.request("POST", "/predict", row))[0]["confidence"] for row in rows]


def same_verdict(drift, baseline, recent, what):
    """The page's verdict against scipy's on the same values."""
    oracle = ks_2samp(baseline, recent)
    close(drift["ks_statistic"], oracle.statistic, f"statistic, {what}")
    if oracle.pvalue > 1e-12:
        close(drift["p_value"], oracle.pvalue, f"p-value, {what}", relative=1e-6, absolute=0)
    else:
        # so far out scipy's own exact sum has few digits: the order of magnitude counts
        check(drift["p_value"] < 1e-11, lambda: f"p-value, {what}: {drift['p_value']} beside {oracle.pvalue}")
    close(drift["baseline_mean"], math.fsum(baseline) / len(baseline), f"baseline_mean, {what}")
    close(drift["recent_mean"], math.fsum(recent) / len(recent), f"recent_mean, {what}")
    equal(drift["samples_checked"], len(recent), f"samples_checked, {what}")
    equal(drift["drift_detected"], bool(oracle.pvalue < 0.05), f"drift_detected, {what}")
    return oracle.pvalue


@case
def drift_to_another_unit_is_detected_and_p_values_are_those_of_scipy():
    config = {"drift": {"window": WINDOW, "check_interval": "1s"}}
    with service() as upstream, Agent(upstream=upstream.port, config=config) as agent:
        def gauge(name):
            return agent.metrics().one(name, model_version="1.0.0")

        baseline = send_rows(agent, ROWS)
        equal(agent.ask("POST", "/drift/baseline", baseline).status, 200, "status of the baseline")
        sent = list(baseline)
        order = random.Random(7)

        def move_to(rows, what):
            """Sends rows, checks the verdict; gives scipy's p-value."""
            sent.extend(send_rows(agent, rows))
            agent.settled(requests=len(sent))
            drift = agent.ask("GET", "/drift").json()
            equal(drift["status"], "checked", f"status, {what}")
            p_value = same_verdict(drift, baseline, sent[-WINDOW:], what)
            # the schedule finds the same without being asked
            wait_until(lambda: gauge("ml_drift_detected") == float(drift["drift_detected"])
                       and math.isclose(gauge("ml_drift_p_value"), drift["p_value"], rel_tol=1e-9)
                       and math.isclose(gauge("ml_drift_ks_statistic"), drift["ks_statistic"], rel_tol=1e-9),
                       f"the gauges, {what}")
            return p_value

        clean = move_to([order.choice(ROWS) for _ in range(WINDOW)], "clean rows")
        check(clean > 0.05, f"the clean rows are not clean: p = {clean}")
        check(not any(e["message"] == "Drift detected!" for e in agent.events()), "drift in clean rows was logged")

        mild = [h.scaled(order.choice(ROWS), 1 - i / 900) for i in range(WINDOW)]
        move_to(mild, "rows that shrink a little")

        inches = move_to([h.scaled(row, INCH) for row in ROWS * 2], "rows in inches")
        check(inches < 1e-3, f"inches do not move this model: p = {inches}")
        equal(gauge("ml_drift_detected"), 1, "ml_drift_detected")
        event = agent.wait_event(message="Drift detected!")
        equal(event["level"], "WARNING", "level of the log line")
        check(event["p_value"] < 0.05, f"logged p-value {event['p_value']}")

        move_to([order.choice(ROWS) for _ in range(WINDOW)], "clean rows again")
        equal(gauge("ml_drift_detected"), 0, "ml_drift_detected after the return")


if __name__ == "__main__":
    h.main("course page")
