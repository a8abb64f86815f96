#!/usr/bin/env python3
"""The rules, alerts and configurations of deploy/: accepted by the real programs, tested, and made of one file.

Needs Debian's `prometheus` (with promtool) and `prometheus-alertmanager` (with amtool), no build of Sidelight. Asks the
promtool of Prometheus 3 as well where tests/run.sh has unpacked it: the two count differently at the ends of a range.
"""

import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import harness as h
import stack
from expressions import CATALOGUE, OF_PROMETHEUS, RECORDED, SLO, durations, made_alerts, made_recording, unknown
from harness import case, check, equal, request, wait_until
from stack import DEPLOY

PROMETHEUS = DEPLOY / "prometheus"
ALERTS = [alert for _, rules in made_alerts.groups(SLO) for alert in rules]
NAMES = {alert.name for alert in ALERTS}
NO_KUBERNETES = "field kubernetes_sd_configs not found"
PROMTOOL_3 = h.ROOT / ".cache" / "promtool" / "usr" / "bin" / "promtool"
PROMTOOLS = ["promtool", *([PROMTOOL_3] if PROMTOOL_3.exists() else [])]


def run(*command, **options):
    """Exit code and all output of a program."""
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=600, check=False, **options)
    return done.returncode, done.stdout


def passes(*command, **options):
    code, said = run(*command, **options)
    equal(code, 0, f"{' '.join(map(str, command))}: {said}")


def version(promtool):
    """As `2.42.0`."""
    code, said = run(promtool, "--version")
    found = re.match(r"promtool, version (\d+\.\d+\.\d+)", said)
    check(code == 0 and found, f"{promtool} --version: {code}, {said}")
    return found[1]


def each_promtool_passes(*arguments):
    for promtool in PROMTOOLS:
        passes(promtool, *arguments)


@case
def prometheus_accepts_configurations_and_rules():
    print("       promtool " + ", ".join(map(version, PROMTOOLS)))
    each_promtool_passes("check", "config", PROMETHEUS / "prometheus.yml")
    each_promtool_passes("check", "rules", *sorted((PROMETHEUS / "rules").glob("*.yml")))
    for promtool in PROMTOOLS:
        accepts_kubernetes(promtool)


def accepts_kubernetes(promtool):
    kubernetes = PROMETHEUS / "prometheus-kubernetes.yml"
    code, said = run(promtool, "check", "config", kubernetes)
    if code and NO_KUBERNETES in said:
        # Debian builds it without: all else of the file is checked
        with tempfile.TemporaryDirectory() as folder:
            other = pathlib.Path(folder) / "prometheus.yml"
            text = kubernetes.read_text(encoding="utf-8")
            block = "kubernetes_sd_configs:\n      - role: pod\n"
            equal(text.count(block), 1, "discovery of pods")
            other.write_text(text.replace(block, "static_configs: [{targets: [a]}]\n"), encoding="utf-8")
            shutil.copytree(PROMETHEUS / "rules", pathlib.Path(folder) / "rules")
            code, said = run(promtool, "check", "config", other)
    equal(code, 0, f"{promtool}: {said}")


@case
def rules_are_those_of_the_objectives():
    passes(sys.executable, DEPLOY / "generate.py", "--check")
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(DEPLOY, pathlib.Path(folder) / "deploy")
        slo = copy / "slo.yaml"
        for before, after in (("objective: 0.99", "objective: 0.999"), ("unread: 0.05", "unread: 0.06")):
            text = slo.read_text(encoding="utf-8")
            check(before in text, f"{before} is not in slo.yaml")
            slo.write_text(text.replace(before, after), encoding="utf-8")
            code, said = run(sys.executable, copy / "generate.py", "--check")
            check(code == 1 and "stale" in said, f"{after}: {code}, {said}")
            passes(sys.executable, copy / "generate.py")
            passes(sys.executable, copy / "generate.py", "--check")
            each_promtool_passes("check", "rules", *(copy / "prometheus" / "rules").glob("*.yml"))
        slo.write_text("a:\n  - b\n", encoding="utf-8")
        code, said = run(sys.executable, copy / "generate.py")
        check(code == 1 and "slo.yaml:2" in said, f"a list: {code}, {said}")


def times_of(text):
    """All durations of a file of rules, in seconds, and the text without them."""
    found = []

    def aside(match):
        if match["duration"]:
            found.append(durations.seconds(match["duration"]))
        return match[0] if match["duration"] is None else "DURATION"
    text = re.sub(r'"(?:[^"\\]|\\.)*"|(?<=\[)(?P<duration>\w+)(?=\])', aside, text)
    for word in ("offset ", "for: ", "interval: "):
        found += [durations.seconds(duration) for duration in re.findall(rf"\b{word}(\w+)", text)]
        text = re.sub(rf"\b({word})\w+", r"\1DURATION", text)
    return found, text


@case
def rules_in_less_time_are_the_same_rules():
    with tempfile.TemporaryDirectory() as folder:
        as_shipped, quick = pathlib.Path(folder) / "1", pathlib.Path(folder) / "60"
        passes(sys.executable, DEPLOY / "generate.py", "--into", as_shipped)
        passes(sys.executable, DEPLOY / "generate.py", "--into", quick, "--times", "60")
        passes(sys.executable, DEPLOY / "generate.py", "--into", quick, "--times", "60", "--check")
        each_promtool_passes("check", "rules", *quick.glob("*.yml"))
        for name in ("recording.yml", "alerts.yml"):
            text = (as_shipped / name).read_text(encoding="utf-8")
            equal(text, (PROMETHEUS / "rules" / name).read_text(encoding="utf-8"), f"{name} as it is shipped")
            usual, rest = times_of(text)
            short, quick_rest = times_of((quick / name).read_text(encoding="utf-8"))
            check(len(usual) > 40, f"{name} has {len(usual)} durations")
            equal(short, [seconds / 60 for seconds in usual], f"durations of {name}")
            # by the seconds of five minutes, and by those between two samples, rates are counts
            for before, after in (("* 300 ", "* 5 "), ("* 300)", "* 5)"), ("* 30 ", "* 0.5 ")):
                rest = rest.replace(before, after)
            equal(quick_rest, rest, f"what else {name} says")
        code, said = run(sys.executable, DEPLOY / "generate.py", "--times", "60")
        check(code == 2 and "--into" in said, f"what is shipped, in less time: {code}, {said}")


@case
def every_unit_test_of_the_rules_passes():
    files = sorted((PROMETHEUS / "tests").glob("*.yml"))
    check(files, "there are no unit tests")
    # one group asks for what another has recorded: in any other order they are late by one evaluation each
    for file in files:
        text = file.read_text(encoding="utf-8")
        made = [made_recording, *([made_alerts] if "/alerts.yml" in text else [])]
        groups = [name for module in made for name, _ in module.groups(SLO)]
        listed = re.search(r"^group_eval_order:\s+\[([^]]*)\]", text, re.M)
        equal(listed and re.split(r",\s+", listed[1]), groups, f"group_eval_order of {file.name}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [(promtool, "test", "rules", file) for promtool in PROMTOOLS for file in files]
        for command, (code, said) in zip(runs, pool.map(lambda command: run(*command), runs)):
            equal(code, 0, f"{' '.join(map(str, command))}: {said}")


def expectations():
    """Of every unit test: alert, minute, and whether it is expected to fire."""
    for file in sorted((PROMETHEUS / "tests").glob("*.yml")):
        for place, test in enumerate(file.read_text(encoding="utf-8").split("\n  - name: ")[1:]):
            for minute, name, rest in re.findall(r"eval_time: (\d+)m,?\s+alertname: (\w+),?\s+exp_alerts:(.*)", test):
                yield name, (file.name, place), int(minute), rest.strip(" }") != "[]"


@case
def every_alert_is_seen_to_fire_to_stay_silent_and_to_resolve():
    found = list(expectations())
    equal({name for name, *_ in found}, NAMES, "alerts with a unit test")
    for name in sorted(NAMES):
        fires = [(test, minute) for n, test, minute, is_firing in found if n == name and is_firing]
        silent = [(test, minute) for n, test, minute, is_firing in found if n == name and not is_firing]
        check(fires, f"{name} never fires")
        check(any(test == t and minute > m for test, minute in silent for t, m in fires), f"{name} never resolves")
        check(len(silent) > 1 or all(test == t for test, _ in silent for t, _ in fires), f"{name} has no healthy case")


@case
def rules_ask_for_what_is_exported_and_recorded_under_names_that_say_it():
    for name, expression in [*RECORDED.items(), *((alert.name, alert.expr) for alert in ALERTS)]:
        equal(list(unknown(expression)), [], f"what {name} asks for and nobody exports")
    for name in RECORDED:
        check(re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", name), f"{name} is not level:metric:operation")
    # and what is wrong would be seen
    for wrong, said in (("ml_nothing > 0", "ml_nothing"),
                        ('up == 0 and rate(ml_model_loaded{x="1"}[5m])', "x of ml_model_loaded"),
                        ('job:ml_requests:rate5m{instance="a"}', "instance of job:ml_requests:rate5m"),
                        ('sum by (job) (ml_api_request_duration_seconds_bucket{le="0.21"})',
                         "edge 0.21 of ml_api_request_duration_seconds_bucket")):
        equal(list(unknown(wrong)), [said], wrong)


@case
def what_prometheus_and_alertmanager_are_asked_of_themselves_they_export():
    with stack.Alertmanager() as alertmanager, stack.Prometheus("global: {}\n") as prometheus:
        pages = [request(program.port, "GET", "/metrics").body.decode() for program in (alertmanager, prometheus)]
    lines = "\n".join(pages)
    for name, labels in OF_PROMETHEUS.items():
        if name.startswith(("prometheus_", "alertmanager_")):
            found = re.findall(rf"^{name}(?:\{{(.*)\}})? ", lines, re.M)
            check(found, f"{name} is not exported")
            for label in labels:
                check(f'{label}="' in found[0], f"{name} has no label {label}: {found[0]}")


def keys(path):
    """`section.key` of a file of sections, and below them `section.part.key`."""
    found, above = set(), []
    for indent, key in re.findall(r"^( *)([a-z_]+):", path.read_text(encoding="utf-8"), re.M):
        above = [*above[:len(indent) // 2], key]
        found.add(".".join(above))
    return found


@case
def every_alert_has_a_page_that_says_what_it_means_what_to_ask_and_what_to_do():
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (DEPLOY / "runbooks").glob("*.md")}
    equal(set(pages), NAMES, "pages")
    known = keys(DEPLOY / "slo.yaml") | keys(h.ROOT / "config" / "sidelight.yaml") | keys(PROMETHEUS / "prometheus.yml")
    queries = []
    for name, text in sorted(pages.items()):
        equal(re.findall(r"^#+ (.+)", text, re.M), [name, "What it means", "First three queries", "What to do"], name)
        asked = re.findall(r"^    (.+)", text, re.M)
        equal(len(asked), 3, f"queries of {name}")
        for query in asked:
            equal(list(unknown(query)), [], f"what {name} asks for and nobody exports")
        queries += asked
        for page in re.findall(r"\]\((\w+)\.md\)", text):
            check(page in pages, f"{name} points to {page}")
        for key in re.findall(r"`([a-z_]+\.[a-z_.]+)(?:: [^`]*)?`", text):
            check(key in known or key.endswith(".yaml"), f"{name}: {key} is no key of any configuration")
        for metric in re.findall(r"`((?:ml|sidelight)_\w+)`", text):
            check(metric in CATALOGUE, f"{name}: {metric} is not exported")
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        rules = [{"record": f"a:b:c{place}", "expr": query} for place, query in enumerate(queries)]
        json.dump({"groups": [{"name": "queries", "rules": rules}]}, file)
        file.flush()
        each_promtool_passes("check", "rules", file.name)


@case
def summaries_say_numbers_as_people_do():
    for alert in ALERTS:
        check("humanize }}" not in alert.summary, f"{alert.name}: humanize says 150m for 0.15")
        check(alert.severity in ("critical", "warning", "info"), f"severity of {alert.name}")
        check(alert.area in ("slo", "model", "availability", "honesty"), f"area of {alert.name}")


def posted(alertmanager, *firing):
    """Alerts that fire, by their labels; gives what says which of them are inhibited."""
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
    body = json.dumps([{"labels": labels, "endsAt": ends} for labels in firing])
    answer = request(alertmanager.port, "POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
    equal(answer.status, 200, "status of posted alerts")

    def inhibited():
        found = request(alertmanager.port, "GET", "/api/v2/alerts").json()
        equal(len(found), len(firing), "alerts")
        return [alert["labels"] for alert in found if alert["status"]["state"] == "suppressed"]
    # what is inhibited is only known when its group has been looked at
    time.sleep(2)
    return inhibited


def labels_of(name, **more):
    """The labels that an alert has of itself, and these."""
    return {"alertname": name, **next(alert for alert in ALERTS if alert.name == name).labels(), **more}


@case
def alertmanager_silences_what_follows_from_an_agent_or_a_model_that_is_down():
    passes("amtool", "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")
    down = labels_of("MlAgentDown", job="ml-api", instance="a")
    of_a = labels_of("ModelNotLoaded", job="ml-api", instance="a", model="iris", model_version="1")
    of_b = {**of_a, "instance": "b", "model": "churn"}
    of_the_job = labels_of("MlConfidenceDrift", job="ml-api", model="iris", model_version="1")
    absent = labels_of("MlAgentAbsent", job="ml-api/gone")
    of_the_gone = {**of_the_job, "job": "ml-api/gone"}
    nowhere = labels_of("MlModelNotLoaded", job="ml-api", model="mnist")
    of_mnist = {**of_b, "instance": "c", "model": "mnist"}
    fast = labels_of("MlErrorBudgetBurn", job="ml-api")
    slow = {**fast, "severity": "warning", "window": "3d"}
    latency = {**labels_of("MlLatencyBudgetBurn", job="ml-api"), "severity": "warning", "window": "3d"}
    silenced = [of_a, of_the_gone, of_mnist, slow]
    with stack.Alertmanager() as alertmanager:
        inhibited = posted(alertmanager, down, absent, nowhere, fast, of_b, of_the_job, latency, *silenced)
        wait_until(lambda: len(inhibited()) >= len(silenced), "alerts to be inhibited")
        equal(sorted(inhibited(), key=str), sorted(silenced, key=str), "inhibited alerts")


if __name__ == "__main__":
    stack.needs("prometheus", "promtool", "amtool", "prometheus-alertmanager")
    h.main("rules", needs_binary=False)
