#!/usr/bin/env python3
"""How many series an agent has, and what the rules cost over many of them: docs/scale.md.

Needs the release binary and Debian's `prometheus` (with promtool).
`scale.py measure [REPLICAS] [SECONDS]`: rules over so many replicas (1000), scraped every so many seconds (60), on a
real Prometheus that has an hour of them, and prints what each group of rules takes.
"""

import json
import pathlib
import re
import shutil
import sys
import tempfile
import time
from urllib.parse import quote

import counted
import harness as h
import stack
from harness import Agent, Client, Failed, case, check, equal, wait_until

sys.path.insert(0, str(stack.DEPLOY))
import alerts  # noqa: E402
import generate  # noqa: E402
import recording  # noqa: E402

SLO = generate.read(stack.DEPLOY / "slo.yaml")
EXPRESSIONS = [*(rule[1] for _, group in recording.groups(SLO) for rule in group),
               *(alert.expr for _, group in alerts.groups(SLO) for alert in group)]
DOCUMENT = h.ROOT / "docs" / "scale.md"
SHAPES = ((4, 3), (10, 10), (20, 10), (50, 20), (200, 100))
MOST = 600
BINS = 12
HOUR = 3600


class Model(h.ModelServer):
    """A model of some classes that answers one after the other."""

    def __init__(self, classes):
        self.classes, self.asked = classes, 0

        class Handler(h.Answers):
            def predicted(self, _):
                self.server.asked += 1
                asked = self.server.asked
                return {"prediction": f"class-{asked % self.server.classes}", "confidence": 0.5 + asked % 50 / 100}

        super().__init__(Handler)


def scraped(features, classes):
    """The metrics of an agent whose model has so many, with a baseline of all of them and traffic."""
    rows = 200
    baseline = {"confidence": [0.5 + row % 50 / 100 for row in range(rows)],
                "classes": [f"class-{row % classes}" for row in range(rows)],
                "features": {f"feature_{place}": [float((row * 7 + place) % 100) for row in range(rows)]
                             for place in range(features)}}
    with Model(classes) as model, Agent(model.port, config={"drift": {"check_interval": "1s"}}) as agent:
        answer = agent.ask("POST", "/drift/baseline", baseline)
        equal(answer.status, 200, f"status of a baseline: {answer.body[:300]}")
        with Client(agent.port) as client:
            for row in range(2 * rows):
                body = {f"feature_{place}": float((row * 11 + place) % 100) for place in range(features)}
                equal(client.request("POST", "/predict", body).status, 200, "status")
        agent.settled()
        # the last of what is exported, once all has been checked
        wait_until(lambda: agent.metrics().of("ml_drift_baseline_info"), "the baseline in use")
        check(agent.metrics().of("ml_model_class_share"), "no share of classes")
        return agent.ask("GET", "/metrics").body.decode()


def lines_of(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@case
def an_agent_has_as_many_series_as_the_document_says():
    found = []
    for features, classes in SHAPES:
        text = scraped(features, classes)
        lines = lines_of(text)
        bins = {}
        for series in re.findall(r'^ml_drift_observations_total\{.*?series="([^"]+)"', text, re.MULTILINE):
            bins[series] = bins.get(series, 0) + 1
        check(max(bins.values()) <= BINS, lambda: f"bins: {bins}")
        drift = sum(line.startswith("ml_drift_") for line in lines)
        found.append(f"| {features} | {classes} | {len(lines)} | {drift} | {len(bins)} |")
        if (features, classes) == (10, 10):
            check(len(lines) <= MOST, lambda: f"{len(lines)} series, more than {MOST}")
    table = "\n".join(found)
    check(table in DOCUMENT.read_text(encoding="utf-8"), lambda: f"{DOCUMENT.name} should say:\n{table}")


def used_series(text):
    """Of a scrape what the rules ask for, with the values at its end."""
    names = set(re.findall(r"\w+", " ".join(EXPRESSIONS)))
    for line in lines_of(text):
        name = re.match(r"\w+", line)[0]
        if name in names:
            series, value = line.rsplit(" ", 1)
            is_counter = re.search(r"_(total|bucket|count|sum)$", name)
            yield series if "{" in series else series + "{}", float(value), bool(is_counter)


def write_history(file, text, replicas, every, end):
    """An hour of so many replicas up to `end`, in OpenMetrics. Counters rise all the time."""
    times = range(end - HOUR - 2 * every, end + 1, every)
    samples = 0
    used = [*used_series(text), ("up{}", 1.0, False)]
    for series, value, is_counter in used:
        name, labels = series[:-1].split("{", 1)
        for replica in range(replicas):
            # no two replicas have quite the same
            factor = 1 + replica % 17 / 10
            begin = f'{name}{{{labels}{"," if labels else ""}job="ml-api",instance="replica-{replica}"}} '
            if is_counter:
                rows = [f"{begin}{value * factor * (place + 1):.3f} {at}\n" for place, at in enumerate(times)]
            else:
                rows = [f"{begin}{value!r} {at}\n" for at in times]
            file.writelines(rows)
            samples += len(rows)
    file.write("# EOF\n")
    return len(used) * replicas, samples


class History:
    """A Prometheus with the shipped rules that has such an hour."""

    def __init__(self, text, replicas, every):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
        with open(self.folder / "history.txt", "w", encoding="utf-8") as file:
            # what rules record must be newer than all there is: it ends when it has been read
            end = int(time.time()) + replicas * 6 // 10 + 10
            self.series, self.samples = write_history(file, text, replicas, every, end)
        time.sleep(max(0, end - time.time()))
        config = {"global": {"evaluation_interval": "30s"}, "rule_files": ["rules/*.yml"]}
        self.prometheus = stack.Prometheus(json.dumps(config), rules=stack.DEPLOY / "prometheus" / "rules",
                                           history=self.folder / "history.txt")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.prometheus.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def groups(self):
        """The groups of rules, once each has been evaluated and none has failed."""
        def evaluated():
            groups = self.prometheus.ask("/api/v1/rules")["groups"]
            bad = [(rule["name"], rule["lastError"]) for group in groups for rule in group["rules"] if rule.get("lastError")]
            equal(bad, [], "rules that failed")
            return groups if all(group["lastEvaluation"] > "0002" for group in groups) else None
        # an evaluation of all takes its time, and begins at a time of its own within the interval
        return wait_until(evaluated, "all groups to be evaluated", patience=200, pause=2)

    def looked_at(self):
        """Samples that one evaluation of every rule takes into account."""
        total = 0
        for expression in EXPRESSIONS:
            found = self.prometheus.ask(f"/api/v1/query?stats=all&query={quote(expression)}")
            total += found["stats"]["samples"]["totalQueryableSamples"]
        return total


@case
def the_rules_look_at_no_more_samples_of_a_replica_than_they_did():
    """What a Prometheus has to do for a fleet, whatever machine it runs on."""
    replicas, every = 20, 60
    with History(scraped(10, 10), replicas, every) as history:
        history.groups()
        share = history.looked_at() / replicas
        accepted, tolerance = counted.TABLE["rules"]["samples_of_a_replica"], counted.TABLE["rules"]["tolerance"]
        print(f"    {share:.0f} samples of a replica with 10 features and 10 classes; accepted {accepted}")
        if share > accepted * (1 + tolerance):
            raise Failed(f"{share:.0f} samples of a replica instead of {accepted}")
        drift = history.prometheus.query("model_series:ml_drift_psi:sum1h")
        equal(len(drift), 12, "series whose drift is known over all replicas")


def measure(replicas=1000, every=60):
    """Prints what the rules cost over so many replicas."""
    text = scraped(10, 10)
    began = time.monotonic()
    with History(text, replicas, every) as history:
        print(f"{replicas} replicas, a scrape every {every} s: {history.series:,} series that rules ask for, "
              f"{history.samples:,} samples; written and read in {time.monotonic() - began:.0f} s")
        history.groups()
        # the second evaluation finds in memory what the first has read
        time.sleep(60)
        for group in history.groups():
            print(f"  {group['name']}: {len(group['rules'])} rules, {group['evaluationTime']:.3f} s")
        total = sum(group["evaluationTime"] for group in history.groups())
        print(f"  all: {total:.2f} s every 30 s, {h.resident_bytes(history.prometheus.pid) >> 20} MiB resident, "
              f"{history.looked_at():,} samples looked at")


if __name__ == "__main__":
    stack.needs("prometheus", "promtool")
    if sys.argv[1:2] == ["measure"]:
        measure(*map(int, sys.argv[2:]))
    else:
        h.main("scale")
