#!/usr/bin/env python3
"""Drift of every series in the running agent: captured, found, told once, kept over a restart and a crash.

Needs the release binary and Python's standard library.
"""

import collections
import http.server
import json
import tempfile
import threading

import harness as h
from flowers import Traffic
from harness import Agent, case, check, equal, wait_until

CAPTURED = 400
SETTINGS = {"drift": {"capture": CAPTURED, "check_interval": "1s"}}


def drift(agent):
    return agent.ask("GET", "/drift").json()


def series(agent, name):
    return next(one for one in drift(agent)["series"] if one["name"] == name)


def told(agent, message, **fields):
    return [event for event in agent.events() if event.get("message") == message
            and all(event.get(key) == value for key, value in fields.items())]


def captured(agent, traffic):
    """The first predictions are the baseline."""
    traffic.send(agent, CAPTURED)
    agent.wait_event(message="Baseline captured")
    wait_until(lambda: drift(agent)["decision"] == "ks" or drift(agent)["scan"], "the baseline in use")
    # the scan of a captured baseline is warm with the first value that it compares
    traffic.send(agent, 40)
    agent.settled()
    equal(drift(agent)["decision"], "scan", "who decides")


@case
def the_first_predictions_are_a_baseline_and_a_feature_that_moves_drifts_and_no_other():
    traffic = Traffic(1)
    with Agent(config=SETTINGS) as agent:
        captured(agent, traffic)
        traffic.send(agent, 1500)
        agent.settled()
        before = drift(agent)
        equal((before["drift_detected"], before["scan"]["drifting"]), (False, []), "while nothing drifts")
        equal([one["name"] for one in before["series"]],
              ["confidence", "class", "sepal_length", "sepal_width", "petal_length", "petal_width"], "series")
        equal(before["scan"]["baseline_origin"], "captured", "origin")
        traffic.send(agent, 300, sepal_width=0.6)
        agent.settled()
        after = drift(agent)
        check("sepal_width" in after["scan"]["drifting"], lambda: after)
        check(not {"petal_length", "sepal_length"} & set(after["scan"]["drifting"]), lambda: after)
        equal((after["drift_detected"], after["decision"]), (True, "scan"), "/drift")
        found = series(agent, "sepal_width")
        check(found["psi"] > 0.1 and found["wasserstein_over_iqr"] > 0.1, lambda: found)
        check(1000 < found["episode"]["since_prediction"] <= 40 + 1500 + 32, lambda: found)
        event = agent.wait_event(message="Drift detected!", series="sepal_width")
        check(event["recent_share"] != event["baseline_share"] and event["region"], lambda: event)
        labels = {"model": "default", "model_version": "1.0.0", "series": "sepal_width"}
        wait_until(lambda: agent.metrics().one("ml_drift_detected", **labels) == 1, "the gauge")
        metrics = agent.metrics()
        check(metrics.one("ml_drift_score", **labels) > 0, "score")
        equal(metrics.one("ml_drift_alarms_total", **labels), 1, "alarms")
        equal(metrics.sum("ml_drift_observations_total", **labels), 40 + 1500 + 300, "observations")
        check(abs(metrics.sum("ml_drift_baseline_ratio", **labels) - 1) < 1e-9, "shares of the baseline")
        check(abs(metrics.sum("ml_model_class_share", model="default") - 1) < 1e-9, "shares of the classes")
        histograms = agent.ask("GET", "/drift/default/sepal_width").json()
        equal(sum(histograms["baseline"]), CAPTURED, "values of the baseline")
        equal(sum(histograms["recent"]), histograms["window"], "values of the window")
        equal(agent.ask("GET", "/drift/default/nothing").status, 404, "status of no series")
        equal(len(told(agent, "Drift detected!", series="sepal_width")), 1, "times that it was told")


@case
def a_batch_counts_whole_and_enters_the_scan_with_64_items():
    traffic = Traffic(2)
    with Agent(config=SETTINGS) as agent:
        captured(agent, traffic)
        before = series(agent, "confidence")["predictions"]
        batch = [traffic.row() for _ in range(200)]
        equal(agent.send("POST", "/predict/batch", batch).status, 200, "status")
        agent.settled()
        equal(series(agent, "confidence")["predictions"] - before, 64, "items of the scan")
        equal(series(agent, "petal_width")["predictions"] - before, 64, "rows of the scan")
        counted = lambda: agent.metrics().sum("ml_drift_observations_total", series="petal_width")
        wait_until(lambda: counted() == before + 200, "all rows are counted")


@case
def windows_and_episodes_go_on_after_a_restart_and_after_a_crash():
    traffic = Traffic(3)
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        settings = {**SETTINGS, "state": {"dir": folder}}
        with Agent(config=settings) as agent:
            captured(agent, traffic)
            traffic.send(agent, 300, petal_width=0.8)
            agent.settled()
            before = series(agent, "petal_width")
            check(before["drift_detected"], lambda: before)
            agent.stop()
        with Agent(config=settings) as agent:
            traffic.send(agent, 1, petal_width=0.8)
            agent.settled()
            after = series(agent, "petal_width")
            equal((after["predictions"], after["alarms"]), (before["predictions"] + 1, before["alarms"]), "after a restart")
            equal(after["episode"]["since_prediction"], before["episode"]["since_prediction"], "since when")
            equal(told(agent, "Drift detected!", series="petal_width"), [], "told again")
            agent.kill()
        with Agent(config=settings) as agent:
            traffic.send(agent, 1, petal_width=0.8)
            agent.settled()
            # what came since the last writing is lost, what was written is not
            equal(series(agent, "petal_width")["predictions"], before["predictions"] + 1, "after a crash")


@case
def a_posted_baseline_says_which_features_do_not_match():
    baseline = {"confidence": [0.9, 0.95, 0.99] * 40, "features": {"petal_length": [1.0, 2.0, 3.0] * 40,
                                                                "petal_size": [1, 2, 3] * 40}}
    traffic = Traffic(4)
    with Agent(config={"drift": {"check_interval": "1s"}}) as agent:
        equal(agent.ask("POST", "/drift/baseline", baseline).json(), {"status": "baseline_set", "samples": 120}, "answer")
        # it is told when a hundred have come
        traffic.send(agent, 120)
        agent.settled()
        said = drift(agent)
        equal((said["decision"], said["scan"]["status"]), ("ks", "warming"), "before the scan is warm")
        equal(said["scan"]["unmatched"], ["petal_size"], "unmatched")
        equal(said["scan"]["only_in_traffic"], ["petal_width", "sepal_length", "sepal_width"], "only in traffic")
        event = agent.wait_event(message="features of the baseline and of the traffic differ")
        equal((event["only_in_baseline"], event["only_in_traffic"]),
              ("petal_size", "petal_width, sepal_length, sepal_width"), "names")
        equal(agent.metrics().sum("ml_model_feature_missing_total", feature="petal_size"), 0, "missing of what never was")


@case
def of_the_bundled_model_the_first_thousand_are_captured_unless_something_else_is_said():
    traffic = Traffic(5)
    fast = {"check_interval": "1s"}

    def send(agent, batches):
        for _ in range(batches):
            equal(agent.send("POST", "/predict/batch", [traffic.row() for _ in range(50)]).status, 200, "status")
        agent.settled()

    with Agent(config={"drift": fast}) as agent:
        send(agent, 19)
        equal(drift(agent)["baseline"], None, "before there are enough")
        send(agent, 1)
        event = agent.wait_event(message="Baseline captured")
        equal((event["rows"], event["reviewed"]), (1000, False), "in the log")
        said = wait_until(lambda: drift(agent)["baseline"] and drift(agent), "the baseline in use")
        equal((said["baseline"]["origin"], said["baseline"]["reviewed"], said["baseline"]["rows"]),
              ("captured", False, 1000), "baseline")
        send(agent, 60)
        said = drift(agent)
        equal((said["decision"], said["drift_detected"]), ("scan", False), "since")
        info = lambda: agent.metrics().of("ml_drift_baseline_info")
        equal([pairs["origin"] for pairs, _ in wait_until(info, "ml_drift_baseline_info")], ["captured"], "origin")
    with Agent(config={"drift": {**fast, "capture": 0}}) as agent:
        send(agent, 30)
        equal(drift(agent)["status"], "no_baseline", "with capture: 0")


class Hook(http.server.ThreadingHTTPServer):
    """A receiver of `drift.notify`, which answers each of `says` once and then 204."""

    def __init__(self, *says):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.server.got.append((self.path, self.headers, json.loads(body)))
                status = self.server.says.popleft() if self.server.says else 204
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.got, self.says = [], collections.deque(says)
        super().__init__((h.HOST, 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def url(self, path):
        return f"http://{h.HOST}:{self.server_port}{path}"

    def notices(self, event):
        return [body for _, _, body in list(self.got) if body["event"] == event]


def notifying(hook, path):
    headers = {"Authorization": "Bearer hunter2"}
    return {"drift": {**SETTINGS["drift"], "notify": [{"url": hook.url(path), "headers": headers}]}}


@case
def each_drift_is_posted_once_when_it_begins_and_once_when_it_ends():
    traffic = Traffic(5)
    with Hook(503) as first, Hook() as second, Agent(config=notifying(first, "/hunter3")) as agent:
        captured(agent, traffic)
        traffic.send(agent, 1500)
        traffic.send(agent, 300, sepal_width=0.6)
        agent.settled()
        begun = told(agent, "Drift detected!", decision="scan")
        check(any(event["series"] == "sepal_width" for event in begun), lambda: begun)
        wait_until(lambda: agent.metrics().one("sidelight_notifications_waiting") == 0, "nothing to wait")
        equal(first.got[0][1]["Idempotency-Key"], first.got[1][1]["Idempotency-Key"], "id after 503")
        notices = {body["id"]: body for body in first.notices("drift_detected") if body["decision"] == "scan"}
        equal(sorted(body["series"] for body in notices.values()), sorted(event["series"] for event in begun), "series")
        equal(len(first.got) - 1, agent.metrics().one("sidelight_notifications_total", outcome="delivered"), "deliveries")
        event = next(event for event in begun if event["series"] == "sepal_width")
        notice = next(body for body in notices.values() if body["series"] == "sepal_width")
        for field in ("model", "model_version", "decision", "score", "prediction", "region", "baseline_share",
                      "recent_share", "psi", "wasserstein_over_iqr", "low_confidence", "since"):
            equal(notice[field], event[field], field)
        equal((notice["version"], notice["id"]), (1, notice["episode"] + "-detected"), "version and id")
        path, headers, _ = first.got[0]
        equal((path, headers["Authorization"], headers["Content-Type"]),
              ("/hunter3", "Bearer hunter2", "application/json"), "request")

        # another address, live; the end of the drift goes there
        agent.write_config(notifying(second, "/hunter4"))
        agent.wait_event(message="configuration reloaded", changed="drift.notify")
        so_far = len(first.got)

        def calm():
            traffic.send(agent, 200)
            agent.settled()
            return told(agent, "Drift cleared", series="sepal_width")
        wait_until(calm, "the drift to end", pause=0)
        wait_until(lambda: any(body["series"] == "sepal_width" for body in second.notices("drift_cleared")), "the end")
        ended = next(body for body in second.notices("drift_cleared") if body["series"] == "sepal_width")
        equal(ended["episode"], notice["episode"], "episode")
        equal((ended["since"], ended["reason"]), (notice["since"], "calm"), "its end")
        equal(len(first.got), so_far, "requests to the old address")
        agent.stop()
        said = "\n".join(agent.lines + agent.errors)
        check("hunter" not in said, "a secret in the log")


@case
def a_receiver_that_is_gone_keeps_neither_the_traffic_nor_the_end_waiting():
    traffic = Traffic(6)
    gone = {"drift": {**SETTINGS["drift"], "notify": [f"http://{h.HOST}:{h.free_port()}/hunter2"]}}
    with Agent(config=gone) as agent:
        captured(agent, traffic)
        traffic.send(agent, 300, petal_width=0.8)
        agent.settled()
        check(told(agent, "Drift detected!", series="petal_width"), "it drifts")
        wait_until(lambda: agent.metrics().one("sidelight_notifications_waiting") > 0, "what waits")
        warned = agent.wait_event(message="notification not delivered, it is tried again")
        check("hunter2" not in str(warned), lambda: warned)
        agent.signal(h.signal.SIGTERM)
        equal(agent.wait(), 0, "exit status")
        check(told(agent, "notifications that waited were not delivered"), "what was lost")


if __name__ == "__main__":
    h.main("drifting")
