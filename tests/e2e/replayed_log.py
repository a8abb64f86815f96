#!/usr/bin/env python3
"""`sidelight replay`: what a log says afterwards is what the agent said while it ran.

Needs the release binary and Python's standard library.
"""

import collections
import datetime
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import harness as h
from flowers import Traffic
from harness import Agent, case, check, equal, wait_until

CALM = 600
DRIFTING = 400


def run(*arguments, text=""):
    return subprocess.run([h.BINARY, *map(str, arguments)], input=text, capture_output=True, text=True,
                          env=h.clean_environment(), timeout=h.PATIENCE * 5)


def baseline(folder):
    """What passes while all is well, from the log of an agent."""
    with Agent(config={"drift": {"capture": 0}}) as agent:
        Traffic(1).send(agent, 800)
        agent.settled(800)
        wait_until(lambda: len(requests(agent)) == 800, "the lines of all requests")
        log = "\n".join(agent.lines) + "\n"
    file = folder / "baseline.json"
    built = run("baseline", "-", "--output", file, text=log)
    equal(built.returncode, 0, built.stderr)
    return file


def requests(agent):
    return [event for event in agent.events() if event["message"].startswith("Request ")]


def incident(config):
    """An agent whose sepals change, and what it said: its log, its metrics, its drifts."""
    traffic = Traffic(2)
    with Agent(config=config) as agent:
        traffic.send(agent, CALM)
        traffic.send(agent, DRIFTING, sepal_width=0.6)
        traffic.send(agent, CALM)
        equal(agent.send("POST", "/predict", {"sepal_length": "wide"}).status, 422, "a mistake")
        equal(agent.send("GET", "/nothing").status, 404, "no route")
        metrics = agent.settled(2 * CALM + DRIFTING + 2)
        wait_until(lambda: len(requests(agent)) == 2 * CALM + DRIFTING + 2, "the lines of all requests")
        episodes = agent.ask("GET", "/drift/episodes").json()["episodes"]
        agent.stop()
        return "\n".join(agent.lines) + "\n", metrics, episodes, agent.config_file.read_text()


def state(page):
    """What a report shows at its end."""
    found = re.search(r'<script type="application/json" id="state">(.*?)</script>', page, re.DOTALL)
    return json.loads(found.group(1))[-1]


def whose(episode):
    """What tells a drift, but for fractions of a second, which the log has not all of."""
    return (episode["series"], episode["decision"], int(episode["since"] or 0), json.dumps(episode["evidence"], sort_keys=True),
            episode["ended"] is not None, episode["reason"])


def replayed():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-replay-"))
    config = {"drift": {"capture": 0, "baseline_files": [str(baseline(folder))]}}
    log, metrics, episodes, text = incident(config)
    (folder / "agent.log").write_text(log)
    (folder / "sidelight.yaml").write_text(text)
    page = folder / "report.html"
    done = run("replay", folder / "agent.log", "--config", folder / "sidelight.yaml", "--html", page)
    equal((done.returncode, done.stderr), (0, ""), "replay")
    return done.stdout, state(page.read_text()), metrics, [one for one in episodes if one["decision"] == "scan"]


@case
def what_the_agent_counted_and_found_is_in_the_report_of_its_log():
    report, found, metrics, episodes = replayed()
    by_class = collections.Counter()
    for status, count in metrics.by("ml_api_requests_total", "status_code").items():
        by_class[status[0] + "xx"] += count
    answered = {name: count for name, count in found["traffic"]["requests"].items() if count}
    equal(answered, {name: count for name, count in by_class.items() if count}, "answers")
    (version,) = found["models"]
    classes = metrics.by("ml_model_predictions_total", "predicted_class")
    equal({one["class"]: one["count"] for one in version["classes"] if one["count"]},
          {name: count for name, count in classes.items() if count}, "predictions by class")
    equal(version["confidence"]["count"], metrics.sum("ml_model_prediction_confidence_count"), "confidences")
    check(any(one["series"] == "sepal_width" for one in episodes), lambda: episodes)
    mine = [one for one in found["episodes"] if one["decision"] == "scan"]
    equal(sorted(map(whose, mine)), sorted(map(whose, episodes)), "drifts")
    check("sepal_width of default 1.0.0: since " in report, report)
    check("WHAT THE AGENT ITSELF SAID OF DRIFT" in report, report)
    check(all(len(line) <= 100 for line in report.splitlines()), report)


def long_log(file, count):
    """A request every 700 ms, each with an id of its own."""
    source = random.Random(3)
    begin = datetime.datetime(2026, 11, 1)
    with open(file, "w") as out:
        for i in range(count):
            time = begin + datetime.timedelta(milliseconds=700 * i)
            row = {name: round(source.gauss(5, 1), 2) for name in ("sepal_length", "petal_length")}
            out.write(json.dumps({
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "level": "INFO", "logger": "ml-api",
                "message": "Request completed", "request_id": f"r{i}", "method": "POST", "path": "/predict",
                "client_ip": "127.0.0.1", "status_code": 200, "duration_ms": 2.5, "upstream_ms": 2.25,
                "model": "default", "model_version": "1.0.0", "prediction": source.choice(["setosa", "virginica"]),
                "confidence": round(source.uniform(0.8, 1), 4), "items": 1, "features": row}) + "\n")


def peak(log, page):
    """KiB that a replay of `log` takes at most, and what it says."""
    # a small process of its own, so that its children are this one
    script = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=2);"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", script, h.BINARY, "replay", log, "--html", page],
                          capture_output=True, text=True, env=h.clean_environment(), timeout=h.PATIENCE * 10)
    equal(done.returncode, 0, done.stderr)
    return int(done.stdout), done.stderr


@case
def four_times_as_long_a_log_needs_no_more_memory():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-replay-"))
    peaks = []
    for count in (20_000, 80_000):
        log, page = folder / "long.log", folder / "long.html"
        long_log(log, count)
        most, said = peak(log, page)
        check(f"{count:,} read: {count:,} requests" in said, said)
        check(page.stat().st_size < 2_000_000, f"{page.stat().st_size} bytes of page")
        peaks.append(most)
    check(peaks[1] - peaks[0] < 8 * 1024, f"{peaks} KiB")


@case
def a_line_without_an_end_is_given_up_and_costs_little():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-replay-"))
    log = folder / "long.log"
    long_log(log, 100)
    short = peak(log, folder / "a.html")[0]
    with open(log, "r+b") as file:
        # a hole, which reads as zeros and takes no room
        file.seek(1_500_000_000, 2)
        file.write(b"\n")
    long, said = peak(log, folder / "b.html")
    check("101 read: 100 requests" in said and "1 too long" in said, said)
    check(long - short < 48 * 1024, f"{short} and {long} KiB")


@case
def what_is_no_log_is_refused_and_no_page_is_written():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-replay-"))
    page = folder / "report.html"
    page.write_text("before")
    done = run("replay", "-", "--html", page, text="a,b\n1,2\n")
    equal((done.returncode, done.stdout), (1, ""), "exit")
    check("expected lines of Sidelight's log" in done.stderr, done.stderr)
    equal(page.read_text(), "before", "the page")
    equal(run("replay").returncode, 64, "without a file")
    equal(run("replay", folder / "nothing").returncode, 1, "a file that is not there")
    equal(run("replay", "-", "-").returncode, 64, "the standard input twice")
    log = folder / "a.log"
    log.write_text("{}\n")
    done = run("replay", log, "--html", log)
    equal((done.returncode, log.read_text()), (1, "{}\n"), "a page in the place of the log")


if __name__ == "__main__":
    h.main("a log, replayed")
