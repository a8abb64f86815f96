#!/usr/bin/env python3
"""Drift over turns in the middle of traffic: a restart, a crash, a reload, a new version, another baseline.

Traffic that does not change must raise no alarm through any of them, an episode that is open must stay open or
end as docs/drift.md says, and what is counted must be counted once. Needs the release binary and Python's standard
library.
"""

import contextlib
import hashlib
import json
import math
import pathlib
import random
import signal
import tempfile
import threading
import time

import harness as h
from harness import Agent, Client, case, check, equal, wait_until

BATCH = 64
# batches until the scan knows how dependent neighbours are: 2,048 predictions
WARM = 32
# The two-sample test decides until then. At its usual p it would be wrong in one look of twenty.
DRIFT = {"check_interval": "1s", "threshold": 1e-6}
CAPTURED = 1000
SHIFT = 1.0


def chance(row):
    return 1 / (1 + math.exp(-(row[0] + row[1] / 2)))


class Model(h.ModelServer):
    """Two probabilities for each row, in the form of TensorFlow Serving and KServe."""

    def __init__(self):
        super().__init__(Answers)


class Answers(h.Answers):
    def predicted(self, asked):
        chances = [chance(row) for row in asked["instances"]]
        return {"predictions": [[p, 1 - p] for p in chances]}


class Traffic:
    """Rows of two numbers, always the same for a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def rows(self, count, shift=0.0):
        normal = self.random.gauss
        return [[round(normal(shift, 1), 4), round(normal(0, 1), 4)] for _ in range(count)]

    def send(self, agent, batches, shift=0.0, version="1"):
        with Client(agent.port) as client:
            for _ in range(batches):
                self.one(client, shift, version)

    def one(self, client, shift=0.0, version="1"):
        path = f"/v1/models/iris/versions/{version}:predict"
        equal(client.request("POST", path, {"instances": self.rows(BATCH, shift)}).status, 200, "status")

    def baseline(self, count=4000, shift=0.0):
        rows = self.rows(count, shift)
        chances = [chance(row) for row in rows]
        return {
            "confidence": [max(p, 1 - p) for p in chances],
            "classes": ["0" if p >= 0.5 else "1" for p in chances],
            "features": {str(place): [row[place] for row in rows] for place in (0, 1)},
        }


@contextlib.contextmanager
def endless(agent, traffic, **kind):
    """Traffic that goes on meanwhile; gives the list whose length is how many batches were answered."""
    answered, stop, errors = [], threading.Event(), []

    def send():
        try:
            with Client(agent.port) as client:
                while not stop.is_set():
                    traffic.one(client, **kind)
                    answered.append(1)
        except Exception as error:  # noqa: BLE001 - raised below, unless the agent was to die
            errors.append(error)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield answered
    finally:
        stop.set()
        thread.join(h.PATIENCE)
    if errors and agent.is_alive():
        raise errors[0]


def config(folder=None, **drift):
    state = {"state": {"dir": str(folder)}} if folder else {}
    return {"drift": {**DRIFT, **drift}, "log": {"lines": "off"}, **state}


def post(agent, baseline, version=None):
    target = "/drift/baseline?model=iris" + (f"&version={version}" if version else "")
    equal(agent.ask("POST", target, baseline).status, 200, "status of a baseline")


def delete(agent, version=None):
    target = "/drift/baseline?model=iris" + (f"&version={version}" if version else "")
    equal(agent.ask("DELETE", target).status, 200, "status of a baseline taken away")


def drift(agent, version="1"):
    # an observer that is behind on a busy machine says so with 503
    answer = wait_until(lambda: (a := agent.ask("GET", f"/drift?model=iris&version={version}")).status == 200 and a,
                        "an answer of /drift")
    return answer.json()


def series(said, name):
    return next(one for one in said["series"] if one["name"] == name)


def predictions(agent, version="1"):
    return drift(agent, version)["series"][0]["predictions"]


def told(agent, message, **fields):
    return [event for event in agent.events() if event.get("message") == message
            and all(event.get(key) == value for key, value in fields.items())]


def consistent(agent, version="1"):
    """What `/drift` says of every series is what the metrics say, each once; gives what it says."""
    def agree():
        metrics, said = agent.settled(), drift(agent, version)
        labels = {"model": "iris", "model_version": version}
        is_of_scan = said["decision"] == "scan"
        for one in said["series"]:
            if not one["predictions"]:
                # nothing of it has come yet
                continue
            own = {**labels, "series": one["name"]}
            if is_of_scan:
                equal(metrics.one("ml_drift_detected", **own), float(one["drift_detected"]), "ml_drift_detected")
            equal(metrics.one("ml_drift_alarms_total", **own), one["alarms"], "ml_drift_alarms_total")
            equal(metrics.sum("ml_drift_observations_total", **own), one["predictions"], "observations")
            is_open = one["episode"] is not None
            equal((one["drift_detected"], metrics.sum("ml_drift_since_timestamp_seconds", **own) > 0), (is_open, is_open), "episode")
        if not is_of_scan:
            equal(metrics.one("ml_drift_detected", **labels), float(said["drift_detected"]), "ml_drift_detected")
        equal(metrics.one("ml_drift_baseline_info", **labels), 1.0, "ml_drift_baseline_info")
        for name in ("ml_drift_detected", "ml_drift_alarms_total", "ml_drift_baseline_info"):
            found = [tuple(sorted(pairs.items())) for pairs, _ in metrics.of(name)]
            equal(len(found), len(set(found)), f"{name}: series that are there twice")
        return said
    return wait_until(agree, "metrics that say what /drift says", patience=20)


def calm(agent, version="1", count=None, decision="scan"):
    """No alarm of any series, and so many predictions scanned."""
    said = consistent(agent, version)
    equal((said["drift_detected"], said["decision"]), (False, decision), "while nothing drifts")
    equal([one["alarms"] for one in said["series"]], [0] * len(said["series"]), "alarms")
    equal(told(agent, "Drift detected!", model_version=version), [], "drifts in the log")
    if count is not None:
        equal([one["predictions"] for one in said["series"]], [count] * len(said["series"]), "predictions")
    return said


def drifting(agent, version="1"):
    """The series that drift, with what is said of each."""
    said = consistent(agent, version)
    check(said["drift_detected"] and "0" in said["scan"]["drifting"], lambda: said)
    return {one["name"]: one for one in said["series"] if one["drift_detected"]}


def same_episodes(before, after):
    for name, one in before.items():
        check(name in after, lambda: f"{name} drifts no more: {sorted(after)}")
        equal(after[name]["alarms"], one["alarms"], f"alarms of {name}")
        for key in ("since_prediction", "since"):
            equal(after[name]["episode"][key], one["episode"][key], f"{key} of {name}")


def cleared_once(agent, names, **fields):
    for name in names:
        wait_until(lambda name=name: told(agent, "Drift cleared", series=name), f"the end of {name}")
        equal(len(told(agent, "Drift cleared", series=name, **fields)), 1, f"ends of {name}")


# -- a restart -----------------------------------------------------------------------------------

@case
def windows_go_on_over_restarts_in_traffic_that_does_not_change():
    traffic = Traffic(11)
    with Model() as model, tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        settings, sent = config(folder), 0
        for batches in (70, 3, 40, 1, 60):
            with Agent(model.port, settings) as agent:
                if not sent:
                    post(agent, traffic.baseline())
                else:
                    # before the first request: what was known is known, and nothing is compared anew
                    calm(agent, count=sent)
                traffic.send(agent, batches)
                sent += BATCH * batches
                calm(agent, count=sent)
                agent.stop()


@case
def an_episode_stays_open_over_a_restart_and_ends_once():
    traffic = Traffic(12)
    with Model() as model, tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        settings = config(folder)
        with Agent(model.port, settings) as agent:
            post(agent, traffic.baseline())
            traffic.send(agent, 64)
            calm(agent, count=64 * BATCH)
            traffic.send(agent, 8, SHIFT)
            before = drifting(agent)
            equal(len(told(agent, "Drift detected!", series="0")), 1, "times that it was told")
            agent.stop()
        with Agent(model.port, settings) as agent:
            same_episodes(before, drifting(agent))
            traffic.send(agent, 8, SHIFT)
            same_episodes(before, drifting(agent))
            equal([e for e in told(agent, "Drift detected!") if e["series"] in before], [], "told again")
            agent.stop()
        with Agent(model.port, settings) as agent:
            traffic.send(agent, 1, SHIFT)
            open_ones = drifting(agent)
            traffic.send(agent, 640)
            cleared_once(agent, open_ones)
            said = consistent(agent)
            equal(said["drift_detected"], False, "at the end")
            equal(told(agent, "Drift detected!"), [], "alarms on the way back")


@case
def a_baseline_file_is_in_use_before_the_first_request_and_windows_go_on():
    traffic = Traffic(13)
    with Model() as model, tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        folder = pathlib.Path(folder)
        with Agent(model.port, config()) as agent:
            post(agent, traffic.baseline(), "1")
            (folder / "iris.json").write_bytes(agent.ask("GET", "/drift/baseline?model=iris&version=1").body)
        settings, sent = config(folder / "state", baseline_files=[str(folder / "iris.json")]), 0
        for _ in range(3):
            with Agent(model.port, settings, ready=False) as agent:
                # the first requests come as soon as anybody listens
                wait_until(lambda agent=agent: traffic.send(agent, 1) or True, "the first answer", pause=0.001)
                traffic.send(agent, 39)
                sent += 40 * BATCH
                agent.wait_ready()
                calm(agent, count=sent)
                agent.stop()


# -- a crash -------------------------------------------------------------------------------------

def written(folder):
    """Predictions of each series in the windows on the disk, which must be whole."""
    files = list(pathlib.Path(folder).glob("windows-*.json"))
    if not files:
        return None
    equal(len(files), 1, "files of windows")
    head, contents = files[0].read_bytes().split(b"\n", 1)
    equal(json.loads(head)["sha256"], hashlib.sha256(contents).hexdigest(), "checksum")
    counts = {one["windows"]["scan"]["count"] for one in json.loads(contents)["series"]}
    equal(len(counts), 1, "counts of the series of one moment")
    return counts.pop()


def half_written(folder):
    return list(pathlib.Path(folder).glob("*.tmp"))


def killed(agent, folder, in_saving, chance_of):
    """Kills it in the middle of a saving, or at any moment."""
    if in_saving:
        end = time.monotonic() + h.PATIENCE
        while not half_written(folder):
            check(time.monotonic() < end, "nothing was saved")
    else:
        time.sleep(chance_of.uniform(0.05, 0.6))
    agent.kill()


@case
def a_crash_costs_what_came_after_the_last_saving_and_no_more():
    traffic, chances, hits = Traffic(14), random.Random(14), 0
    with Model() as model, tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        settings = config(folder)
        settings["state"]["save_interval"] = "100ms"
        before, kept, shift = None, 0, 0.0
        for turn in range(16):
            with Agent(model.port, settings) as agent:
                if turn == 0:
                    post(agent, traffic.baseline())
                    traffic.send(agent, 64)
                    wait_until(lambda: written(folder) == 64 * BATCH, "the first saving")
                    kept = 64 * BATCH
                equal(told(agent, "stored state refused and kept aside"), [], "files that were refused")
                equal(half_written(folder) if kept != written(folder) else [], [], "leftovers")
                equal(predictions(agent), kept, "predictions that are known again")
                if turn == 12:
                    calm(agent)
                    shift = SHIFT
                    traffic.send(agent, 8, shift)
                    before = drifting(agent)
                    wait_until(lambda: written(folder) == predictions(agent), "a saving of the episode")
                elif before:
                    same_episodes(before, drifting(agent))
                with endless(agent, traffic, shift=shift) as answered:
                    wait_until(lambda answered=answered: len(answered) > 3, "traffic")
                    killed(agent, folder, turn % 4 != 3, chances)
                hits += bool(half_written(folder))
                now = written(folder)
                # one that was under way may have been counted and not answered
                check(kept <= now <= kept + 100_000, f"{now} after {kept} predictions")
                kept = now
        check(hits >= 3, f"only {hits} of the crashes were in the middle of a saving")
        with Agent(model.port, settings) as agent:
            same_episodes(before, drifting(agent))
            traffic.send(agent, 5, shift)
            kept += 5 * BATCH
            equal(consistent(agent)["series"][0]["predictions"], kept, "predictions")
            wait_until(lambda: written(folder) == kept, "the last saving")
            agent.kill()
        with Agent(model.port, settings) as agent:
            equal(predictions(agent), kept, "what was saved is not lost")
            same_episodes(before, drifting(agent))
        equal(list(pathlib.Path(folder).glob("*.damaged*")), [], "files that were damaged")


# -- a reload ------------------------------------------------------------------------------------

def reload(agent, settings, outcome="configuration reloaded"):
    count = len(told(agent, outcome))
    agent.write_config(settings)
    agent.signal(signal.SIGHUP)
    wait_until(lambda: len(told(agent, outcome)) > count, outcome)


@case
def a_reload_in_the_middle_of_traffic_raises_no_alarm_and_windows_go_on():
    traffic = Traffic(15)
    with Model() as model, Agent(model.port, config()) as agent:
        post(agent, traffic.baseline())
        traffic.send(agent, 64)
        calm(agent, count=64 * BATCH)
        with endless(agent, traffic) as answered:
            for change in ({"window": 500}, {"false_alarms_per_million": 1}, {"min_effect": 0.01}, {"window": 2000},
                           {"export_series": 3, "check_interval": "2s"}, {"false_alarms_per_million": 0.01}, {}):
                enough = len(answered) + 20
                wait_until(lambda enough=enough: len(answered) > enough, "traffic")
                reload(agent, config(**change))
            reload(agent, config(window=1), "configuration refused, the one in use stays")
            wait_until(lambda: len(answered) > 200, "traffic")
        calm(agent, count=(64 + len(answered)) * BATCH)


@case
def an_episode_outlives_a_reload_and_ends_when_other_series_are_watched():
    traffic = Traffic(16)
    with Model() as model, Agent(model.port, config()) as agent:
        post(agent, traffic.baseline())
        traffic.send(agent, 64)
        traffic.send(agent, 8, SHIFT)
        before = drifting(agent)
        for change in ({"false_alarms_per_million": 10}, {"window": 300}, {"false_alarms_per_million": 0.1}):
            reload(agent, config(**change))
            same_episodes(before, drifting(agent))
            traffic.send(agent, 4, SHIFT)
            same_episodes(before, drifting(agent))
        known = drifting(agent)
        for name in known:
            equal(len(told(agent, "Drift detected!", series=name)), 1, f"times that {name} was told")
        reload(agent, config(max_series=3))
        cleared_once(agent, known, reason="other series are watched")
        said = consistent(agent)
        equal([one["name"] for one in said["series"]], ["confidence", "class", "0"], "series")
        equal([one["predictions"] for one in said["series"]], [0, 0, 0], "empty windows")
        traffic.send(agent, 80)
        said = consistent(agent)
        equal([one["alarms"] for one in said["series"]], [0, 0, 0], "alarms since")


@case
def capturing_begins_and_ends_with_a_reload():
    traffic = Traffic(17)
    with Model() as model, Agent(model.port, config()) as agent:
        traffic.send(agent, 20)
        equal(drift(agent)["baseline"], None, "without a baseline")
        reload(agent, config(capture=50_000))
        traffic.send(agent, 10)
        # what was gathered counts for the number that is wanted now
        reload(agent, config(capture=CAPTURED))
        traffic.send(agent, 7)
        agent.wait_event(message="Baseline captured")
        equal(told(agent, "Baseline captured")[0]["rows"], 16 * BATCH, "rows of the baseline")
        traffic.send(agent, 80)
        calm(agent, count=80 * BATCH)


# -- a new version -------------------------------------------------------------------------------

@case
def a_new_version_goes_on_with_the_baseline_of_the_one_before_says_so_and_gets_its_own():
    traffic = Traffic(18)
    with Model() as model, Agent(model.port, config()) as agent:
        post(agent, traffic.baseline(), "1")
        traffic.send(agent, 64)
        own = calm(agent, count=64 * BATCH)["baseline"]
        equal({key: own[key] for key in ("model", "model_version", "is_of_another_version", "origin")},
              {"model": "iris", "model_version": "1", "is_of_another_version": False, "origin": "posted"}, "baseline")
        for _ in range(10):
            traffic.send(agent, 8, version="2")
            traffic.send(agent, 2)
        calm(agent, "1", 84 * BATCH)
        borrowed = calm(agent, "2", 80 * BATCH)["baseline"]
        equal(borrowed, {**own, "is_of_another_version": True}, "baseline of the new version")
        said = "no baseline of its own: compared with that of another version"
        equal([(e["model"], e["model_version"], e["baseline_version"]) for e in told(agent, said)], [("iris", "2", "1")],
              "in the log")
        info = agent.metrics().of("ml_drift_baseline_info", model_version="2")
        equal(info[0][0]["baseline_version"], "1", "version of ml_drift_baseline_info")

        # a baseline of a third version is none of the second's business
        post(agent, traffic.baseline(shift=2.0), "3")
        traffic.send(agent, 10, version="2")
        equal(calm(agent, "2", 90 * BATCH)["baseline"], borrowed, "baseline of the second still")

        post(agent, traffic.baseline(), "2")
        equal(predictions(agent, "2"), 0, "windows begin anew")
        traffic.send(agent, 80, version="2")
        traffic.send(agent, 6)
        mine = calm(agent, "2", 80 * BATCH)["baseline"]
        equal((mine["model_version"], mine["is_of_another_version"]), ("2", False), "its own")
        calm(agent, "1", 90 * BATCH)
        equal(len(told(agent, said)), 1, "times that it was told")


@case
def an_episode_against_the_baseline_of_another_version_ends_with_its_own():
    traffic = Traffic(19)
    with Model() as model, Agent(model.port, config()) as agent:
        post(agent, traffic.baseline(), "1")
        traffic.send(agent, 64, version="2")
        traffic.send(agent, 20, SHIFT, version="2")
        before = drifting(agent, "2")
        post(agent, traffic.baseline(shift=SHIFT), "2")
        cleared_once(agent, before, reason="another baseline")
        equal(agent.metrics().sum("ml_drift_detected", model_version="2"), 0, "ml_drift_detected")
        traffic.send(agent, 80, SHIFT, version="2")
        said = consistent(agent, "2")
        equal((said["drift_detected"], [one["alarms"] for one in said["series"]]), (False, [0] * 4), "since")


# -- another baseline ----------------------------------------------------------------------------

@case
def a_baseline_posted_replaced_and_taken_away_in_the_middle_of_traffic_raises_no_alarm():
    traffic = Traffic(20)
    other = Traffic(21)
    with Model() as model, Agent(model.port, config()) as agent:
        with endless(agent, traffic) as answered:
            def more(batches):
                enough = len(answered) + batches
                wait_until(lambda: len(answered) > enough, "traffic")
            for _ in range(3):
                more(30)
                post(agent, other.baseline())
                more(100)
                said = drift(agent)
                equal((said["decision"], said["drift_detected"]), ("scan", False), "with a baseline")
                post(agent, other.baseline())
                equal(drift(agent)["scan"]["status"], "warming", "the scan begins anew")
                more(100)
                delete(agent)
                said = drift(agent)
                equal((said["status"], said["drift_detected"], said["baseline"]), ("no_baseline", False, None), "without")
        equal(told(agent, "Drift detected!"), [], "drifts in the log")
        equal(told(agent, "Drift cleared"), [], "ends in the log")
        wait_until(lambda: not agent.metrics().of("ml_drift_alarms_total"), "the series of no baseline to go")
        equal(agent.metrics().sum("ml_drift_detected"), 0, "ml_drift_detected")


@case
def an_episode_ends_once_with_another_baseline_and_goes_on_with_the_same():
    traffic = Traffic(22)
    with Model() as model, Agent(model.port, config()) as agent:
        baseline = traffic.baseline()
        post(agent, baseline)
        traffic.send(agent, 64)
        traffic.send(agent, 20, SHIFT)
        before = drifting(agent)
        post(agent, baseline)
        same_episodes(before, drifting(agent))
        equal(told(agent, "Drift cleared"), [], "ends with the same baseline")
        post(agent, traffic.baseline(shift=SHIFT))
        cleared_once(agent, before, reason="another baseline")
        equal(agent.metrics().sum("ml_drift_detected"), 0, "ml_drift_detected")
        equal(drift(agent)["scan"]["status"], "warming", "the scan begins anew")
        traffic.send(agent, 96, SHIFT)
        said = consistent(agent)
        equal((said["drift_detected"], [one["alarms"] for one in said["series"]]), (False, [0] * 4), "since")
        traffic.send(agent, 20)
        again = drifting(agent)
        delete(agent)
        for name in again:
            wait_until(lambda name=name: len(told(agent, "Drift cleared", series=name)) == len(
                told(agent, "Drift detected!", series=name)), f"the end of {name}")
        equal(agent.metrics().sum("ml_drift_detected"), 0, "ml_drift_detected without a baseline")


@case
def what_the_two_sample_test_found_ends_once_too():
    traffic = Traffic(23)
    with Model() as model, Agent(model.port, config()) as agent:
        post(agent, traffic.baseline(shift=3.0))
        traffic.send(agent, 10)
        agent.wait_event(message="Drift detected!", decision="ks")
        post(agent, traffic.baseline())
        event = agent.wait_event(message="Drift cleared", decision="ks")
        equal(event["reason"], "another baseline", "reason")
        equal(consistent(agent)["drift_detected"], False, "with the other baseline")
        traffic.send(agent, 80)
        calm_since = consistent(agent)
        equal((calm_since["decision"], calm_since["drift_detected"]), ("scan", False), "since")
        post(agent, traffic.baseline(shift=3.0))
        wait_until(lambda: len(told(agent, "Drift detected!", decision="ks")) == 2, "the second drift")
        delete(agent)
        wait_until(lambda: len(told(agent, "Drift cleared", decision="ks")) == 2, "its end")
        equal(drift(agent)["drift_detected"], False, "without a baseline")


# -- captured baselines --------------------------------------------------------------------------

@case
def captured_baselines_go_through_all_turns():
    traffic = Traffic(24)
    with Model() as model, tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        settings = config(folder, capture=CAPTURED)
        with Agent(model.port, settings) as agent:
            traffic.send(agent, 10)
            agent.settled()
            agent.stop()
        with Agent(model.port, settings) as agent:
            # what was gathered before the restart is gathered anew
            traffic.send(agent, 16)
            event = agent.wait_event(message="Baseline captured")
            equal((event["rows"], event["reviewed"]), (16 * BATCH, False), "captured")
            traffic.send(agent, 60)
            said = calm(agent, count=60 * BATCH)
            equal((said["baseline"]["origin"], said["baseline"]["reviewed"]), ("captured", False), "baseline")
            agent.stop()
        with Agent(model.port, settings) as agent:
            calm(agent, count=60 * BATCH)
            traffic.send(agent, 40)
            calm(agent, count=100 * BATCH)

            # a new version: that of the one before until its own is captured
            traffic.send(agent, 8, version="2")
            agent.settled()
            equal(drift(agent, "2")["baseline"]["is_of_another_version"], True, "of the one before")
            traffic.send(agent, 8, version="2")
            agent.wait_event(message="Baseline captured", model_version="2")
            traffic.send(agent, 80, version="2")
            equal(calm(agent, "2", 80 * BATCH)["baseline"]["is_of_another_version"], False, "its own")
            calm(agent, "1", 100 * BATCH)

            # whoever has looked at it posts it back: windows go on
            file = agent.ask("GET", "/drift/baseline?model=iris&version=1").body
            equal(agent.ask("POST", "/drift/baseline", file).status, 200, "status of a file")
            said = calm(agent, "1", 100 * BATCH)
            equal((said["baseline"]["origin"], said["baseline"]["reviewed"]), ("posted", True), "looked at")
            equal(said["scan"]["baseline_origin"], "posted", "baseline_origin")
            agent.stop()
        with Agent(model.port, settings) as agent:
            said = calm(agent, "1", 100 * BATCH)
            equal(said["baseline"]["origin"], "posted", "after a restart")

            # an episode ends with the baseline, and the next predictions are another
            traffic.send(agent, 8, SHIFT)
            before = drifting(agent)
            delete(agent, "2")
            same_episodes(before, drifting(agent))
            delete(agent, "1")
            cleared_once(agent, before, reason="no baseline")
            traffic.send(agent, 17, SHIFT)
            agent.wait_event(message="Baseline captured", model_version="1")
            traffic.send(agent, 80, SHIFT)
            said = consistent(agent)
            equal((said["drift_detected"], [one["alarms"] for one in said["series"]]), (False, [0] * 4), "since")


if __name__ == "__main__":
    h.main("turns")
