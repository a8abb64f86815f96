#!/usr/bin/env python3
"""The live page in a real browser: what it shows is what the agent says, soon, for long, and to everybody.

Needs Debian's `chromium` and `nodejs`, the packages of page/package-lock.json in .cache/page, the agent's binary
and Python's standard library. Pages stay open for PAGE_SECONDS (120). `page.py pictures` draws docs/page-*.png.
"""

import http.server
import json
import os
import random
import re
import selectors
import socket
import statistics
import sys
import threading
import time

import harness as h
from browsing import Browser
from flowers import Traffic
from harness import Agent, Client, Failed, ModelServer, case, check, close, equal, wait_until

CAPTURED = 400
SETTINGS = {"drift": {"capture": CAPTURED, "check_interval": "1s"}}
MODEL = {"model": "default", "model_version": "1.0.0"}
SECONDS = float(os.environ.get("PAGE_SECONDS", "120"))
MIB = 1 << 20
# What a change may take until it is on the page. Two are promised; a machine that is busy may be late.
SOON, AT_LAST = 2.0, 10.0
STREAMS = 100


def page_of(agent):
    return f"http://{h.HOST}:{agent.ops}/"


def captured(agent, traffic):
    """The first predictions are the baseline; with the next ones the scan is warm."""
    traffic.send(agent, CAPTURED)
    agent.wait_event(message="Baseline captured")
    wait_until(lambda: agent.ask("GET", "/drift").json()["baseline"], "the baseline in use")
    traffic.send(agent, 40)
    agent.settled()


def drifted(agent, traffic):
    captured(agent, traffic)
    traffic.send(agent, 1000)
    traffic.send(agent, 300, petal_length=1.2)
    return agent.settled()


# -- what it says --------------------------------------------------------------------------------

def number_of(text):
    """The number of a figure's text, in its own unit."""
    match = re.match(r"[<>]? ?(-?[\d,]*\.?\d+(?:e-?\d+)?)", text)
    check(match, f"no number in {text!r}")
    return float(match[1].replace(",", ""))


def says(value, text, what):
    """Whether a text shows a value: as it is, or in per cent, to three digits."""
    if value is None:
        return equal(text, "–", what)
    shown = number_of(text)
    wanted = value * 100 if text.endswith("%") else value
    if text.startswith(("<", ">")):
        return check(abs(wanted - shown) <= 0.1, f"{what}: {text} for {value}")
    return close(shown, wanted, f"{what}: {text} for {value}", relative=0.006, absolute=0.0501 if text.endswith("%") else 1e-9)


def tiles_are_those_of_metrics(page, agent):
    metrics = agent.metrics()
    requests = metrics.by("ml_api_requests_total", "status_code")
    predictions = metrics.sum("ml_model_predictions_total", **MODEL)
    wanted = {
        "ready": int(agent.ask("GET", "/ready").json()["ready"]),
        "drift": max(value for _, value in metrics.of("ml_drift_detected", **MODEL)),
        "requests": sum(requests.values()),
        "errors": sum(count for status, count in requests.items() if status.startswith("5")),
        "predictions": predictions,
        "in_flight": metrics.one("ml_api_active_requests"),
        "shed": metrics.sum("sidelight_shed_total"),
    }
    shown = page.figures("#tiles")
    for name, value in wanted.items():
        equal([one[0] for one in shown.get(name, [])], [value], f"tile {name}")
        if name not in ("ready", "drift"):
            says(value, shown[name][0][1], f"tile {name}")
    equal(set(shown) - set(wanted), {"p95", "error_share"}, "other tiles")


def classes_are_those_of_metrics(page, agent):
    metrics = agent.metrics()
    counts = metrics.by("ml_model_predictions_total", "predicted_class", **MODEL)
    shares = metrics.by("ml_model_class_share", "predicted_class", **MODEL)
    base = metrics.by("ml_drift_baseline_ratio", "bin", **MODEL, series="class")
    names = page.js("() => [...document.querySelectorAll('#classes [data-class]')].map((row) => row.dataset.class)")
    equal(sorted(names), sorted(counts), "classes")
    for name, count in counts.items():
        shown = page.figures(f'#classes [data-class="{name}"]')
        for figure, value in (("class_count", count), ("class_share", shares.get(name, 0)), ("class_baseline", base[name])):
            got, text = shown[figure][0]
            close(got, value, f"{figure} of {name}", relative=1e-6)
            says(value, text, f"{figure} of {name}")
    count = metrics.sum("ml_model_prediction_confidence_count", **MODEL)
    equal(page.figure("confidence_count")[0], count, "confidences")
    mean, text = page.figure("confidence_mean")
    close(mean, metrics.sum("ml_model_prediction_confidence_sum", **MODEL) / count, "mean of the confidences", relative=1e-6)
    says(mean, text, "mean of the confidences")


def features_are_those_of_drift(page, agent):
    drift, metrics = agent.ask("GET", "/drift").json(), agent.metrics()
    features = {one["name"]: one for one in drift["series"] if one["name"] not in ("confidence", "class")}
    names = page.js("() => [...document.querySelectorAll('#features [data-series]')].map((node) => node.dataset.series)")
    equal(sorted(names), sorted(features), "features")
    for name, one in features.items():
        within = f'#features [data-series="{name}"]'
        shown = page.figures(within)
        close(shown["series_score"][0][0], one["score"], f"score of {name}", relative=1e-6)
        close(shown["series_score"][0][0], metrics.one("ml_drift_score", **MODEL, series=name), f"metric of {name}", relative=1e-6)
        close(shown["series_psi"][0][0], one["psi"], f"psi of {name}", relative=1e-6)
        says(one["score"], shown["series_score"][0][1], f"score of {name}")
        says(one["psi"], shown["series_psi"][0][1], f"psi of {name}")
        equal(page.attribute(within, "data-level") == "bad", one["drift_detected"], f"verdict on {name}")
        histograms = agent.ask("GET", f"/drift/{MODEL['model']}/{name}").json()
        close(shown["series_missing"][0][0], histograms["recent"][-1] / histograms["window"], f"missing of {name}")
    drifting = [one["name"] for one in drift["series"] if one["drift_detected"]]
    check(all(name in page.text("#sentence") for name in drifting[:2] if name in features), lambda: page.text("#sentence"))
    check("drifted" in page.text("#sentence") and page.attribute("#headline", "data-level") == "bad", "the sentence")
    check(page.text("title").startswith("Drift:"), lambda: page.text("title"))
    going_on = page.js("() => [...document.querySelectorAll('[data-episode][data-open=true]')].map((row) => row.dataset.episode)")
    equal(sorted(going_on), sorted(drifting), "episodes that go on")


@case
def every_figure_is_that_of_metrics_and_drift():
    with Agent(config=SETTINGS) as agent, BROWSER.open(page_of(agent)) as page:
        page.live()
        drifted(agent, Traffic(1))
        agent.send("POST", "/predict", {"petal_length": "no"})
        agent.send("GET", "/nowhere")
        agent.settled()
        for compare in (tiles_are_those_of_metrics, classes_are_those_of_metrics, features_are_those_of_drift):
            wait_until(lambda: compare(page, agent) or True, compare.__name__.replace("_", " "), pause=0.3)
        recent = agent.ask("GET", "/recent").json()["requests"]
        shown = lambda: page.js("() => [...document.querySelectorAll('[data-request]')].map((row) => row.dataset.request)")
        wait_until(lambda: equal(shown(), [one["request_id"] for one in recent], "requests") or True, "recent requests")
        first = next(one for one in recent if one.get("prediction"))
        row = page.text(f'[data-request="{first["request_id"]}"]')
        for word in (first["prediction"], *first["features"], str(first["status_code"])):
            check(word in row, lambda: f"{word} is not in {row}")
        page.is_clean()


def quantile(q, edges, counts):
    """As Prometheus has it."""
    rank, below = q * sum(counts), 0
    for place, count in enumerate(counts):
        if below + count >= rank and count:
            if place == len(edges):
                return edges[-1]
            start = edges[place - 1] if place else 0
            return start + (edges[place] - start) * (rank - below) / count
        below += count
    return None


@case
def percentiles_are_those_of_prometheus_and_rates_are_differences():
    chance = random.Random(3)
    with Agent(config=SETTINGS) as agent, BROWSER.open(page_of(agent)) as page:
        page.live()
        edges = agent.ask("GET", "/state").json()["edges"]["seconds"]
        for _ in range(200):
            counts = [chance.choice((0, 0, 1, chance.randint(0, 1000))) for _ in range(len(edges) + 1)]
            q = chance.choice((0.5, 0.95, 0.99, chance.random()))
            wanted, got = quantile(q, edges, counts), page.js("([q, e, c]) => quantile(q, e, c)", [q, edges, counts])
            check(wanted == got or abs(wanted - got) < 1e-12, f"{q} of {counts}: {got} instead of {wanted}")
        equal(page.figure("latency.p50")[0], None, "without a request")
        with Steady(agent):
            wait_until(lambda: page.figure("rate.answered")[0], "a rate")
            p50, p99 = (wait_until(lambda name=name: page.figure(f"latency.{name}")[0], name) for name in ("p50", "p99"))
            check(0 < p50 <= p99 <= edges[-1], f"{p50}, {p99}")
            equal(page.figure("rate.server")[0], 0, "5xx per second")
        page.is_clean()


def sample():
    """A state with all that there can be: a version that drifts, one without a baseline, one of values."""
    return json.loads((h.ROOT / "src" / "ops" / "dashboard" / "sample.json").read_text())


def calm():
    """The same when all is well."""
    state = sample()
    version = state["models"][0]
    state.update(models=[version], missing=[], unread=[], episodes=[])
    state["traffic"]["observed"].update(decode_failed=0, too_long=0)
    version["drift"].update(drift_detected=False)
    version["drift"]["scan"].update(drift_detected=False, drifting=[])
    for series in version["series"]:
        series.update(drift_detected=False, episode=None, problems=[])
    return state


def later(state, **more):
    """A minute on, with so many more requests by status."""
    after = json.loads(json.dumps(state))
    after["unix"] += 60
    for status, count in more.items():
        after["traffic"]["requests"][status.strip("_")] = after["traffic"]["requests"].get(status.strip("_"), 0) + count
    return after


SAID = """(states) => { const seen = new StateHistory(); for (const state of states) seen.add(state);
    const last = states[states.length - 1];
    return findings(last, (last.models || [])[0] || null, seen).map((one) => [one.level, one.sentence, one.detail]); }"""


@case
def the_sentence_follows_its_rules():
    def changed(change):
        state = calm()
        change(state)
        return [state]
    drifts, version = sample(), lambda state: state["models"][0]
    two = sample()
    two["models"][0]["series"][1] = {**two["models"][0]["series"][0], "name": "confidence"}
    test = lambda s: version(s)["drift"].update(drift_detected=True, decision="ks")
    rules = [
        ([calm()], "ok", "The model is well"),
        ([drifts], "bad", "petal width (cm) has drifted since "),
        ([two], "bad", "petal width (cm) and the confidence have drifted since "),
        (changed(test), "bad", "The confidence has drifted"),
        (changed(lambda s: s["agent"].update(ready=False, not_ready=["model_not_loaded"])), "bad", "Not ready for requests"),
        ([calm(), later(calm(), _2xx=97, _5xx=3)], "bad", "3.0 % of requests fail"),
        ([calm(), later(calm(), _2xx=97, _5xx=2)], "ok", "The model is well"),
        ([calm(), later(calm(), _2xx=997, _5xx=3)], "ok", "The model is well"),
        (changed(lambda s: s["traffic"].update(requests={})), "none", "No request yet"),
        (changed(lambda s: s.update(models=None, observer="busy")), "warn", "Predictions cannot be seen now"),
        (changed(lambda s: s.update(models=[])), "none", "No prediction seen yet"),
        (changed(lambda s: version(s).update(baseline=None, series=[])), "warn", "Drift is not looked for"),
        (changed(lambda s: version(s)["drift"]["scan"].update(status="warming")), "none", "The confidence is as before; features"),
        (changed(lambda s: version(s)["drift"].update(status="insufficient_data", scan={"status": "warming"})), "none", "Too few predictions"),
        (changed(lambda s: version(s)["series"][4].update(problems=["missing"])), "warn", "site is missing more often"),
        (changed(lambda s: s["traffic"]["observed"].update(decode_failed=5000)), "warn", "21.2 % of bodies cannot be read"),
    ]
    right = calm()
    right["models"][0]["accuracy"] = {"regression": None, "classification": {
        "labels": 500, "accuracy": {"value": 0.81, "low": 0.773, "high": 0.842}, "macro_f1": 0.8, "log_loss": {"value": None},
        "brier": {"value": 0.21}, "calibration_error": {"value": 0.04}, "drop": {"score": 0.2, "current": None}}}
    wrong = json.loads(json.dumps(right))
    wrong["models"][0]["accuracy"]["classification"]["drop"]["current"] = {"since": 1}
    rules += [([right], "ok", "The model is well"), ([wrong], "bad", "The model is less often right than it was")]
    shed = later(calm(), _2xx=10)
    shed["traffic"]["shed"]["bytes"] += 7
    rules.append(([calm(), shed], "warn", "Not everything is seen"))
    with Agent(config=SETTINGS) as agent, BROWSER.open(page_of(agent)) as page:
        for states, level, sentence in rules:
            found = page.js(SAID, states)
            check(found[0][0] == level and found[0][1].startswith(sentence), lambda: f"{found} instead of {level}, {sentence}")
            check(all(one[1] and one[2] and "undefined" not in " ".join(one) and "NaN" not in " ".join(one) for one in found), lambda: found)
        page.js("(version) => showAccuracy(version)", version(right))
        tiles = page.figures("#accuracy")
        equal({name: shown[0] for name, shown in tiles.items()}, {
            "accuracy": (0.81, "81.0 %"), "labels": (500, "500"), "macro_f1": (0.8, "0.8"),
            "calibration_error": (0.04, "0.04"), "brier": (0.21, "0.21")}, "accuracy")


@case
def a_saved_page_is_a_report_without_a_server():
    with Agent(config=SETTINGS) as agent:
        drifted(agent, Traffic(2))
        state = agent.ask("GET", "/state")
        html = agent.ask("GET", "/", headers={"Accept": "text/html"}).body.decode()
        agent.stop()
        embedded = state.body.decode().replace("<", "\\u003c")
        report = agent.folder / "report.html"
        place = html.rindex("<script>")
        report.write_text(html[:place] + f'<script type="application/json" id="state">{embedded}</script>' + html[place:])
        said = state.json()
        with BROWSER.open(report.as_uri()) as page:
            check("report of" in page.text("#link-text"), lambda: page.text("#link-text"))
            equal(page.figure("requests", "#tiles")[0], sum(said["traffic"]["requests"].values()), "requests")
            check("drifted" in page.text("#sentence"), lambda: page.text("#sentence"))
            durations = [sum(counts) for counts in zip(*(one["duration"]["counts"] for one in said["traffic"]["endpoints"] if one["duration"]))]
            close(page.figure("p95", "#tiles")[0], quantile(0.95, said["edges"]["seconds"], durations), "p95")
            page.is_clean()


# -- how soon, and after what -----------------------------------------------------------------------

class Steady:
    """A request every `pause` seconds, until it is stopped; all must be answered with 200."""

    def __init__(self, agent, pause=0.05, traffic=None):
        self.agent, self.pause = agent, pause
        self.traffic = traffic or Traffic(7)
        self.count, self.wrong = 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        with Client(self.agent.port) as client:
            while not self.stopping.wait(self.pause):
                try:
                    status = client.request("POST", "/predict", self.traffic.row()).status
                except OSError as error:
                    status = repr(error)
                self.count += 1
                if status != 200:
                    self.wrong.append(status)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join(h.PATIENCE)
        if kind is None:
            equal(self.wrong, [], "answers that are not 200")
            check(self.count > 0, "no request was sent")


@case
def a_change_is_shown_soon():
    took = []
    with Agent(config={"drift": {"capture": 0}}) as agent, BROWSER.open(page_of(agent)) as page:
        page.live()
        for number in range(1, 11):
            equal(agent.send("POST", "/predict", h.rows()[0]).status, 200, "status")
            began = time.monotonic()
            page.shows("requests", number, "#tiles", patience=AT_LAST)
            page.shows("predictions", number, "#tiles", patience=AT_LAST)
            took.append(time.monotonic() - began)
        page.is_clean()
    print(f"    {statistics.median(took):.1f} s, {max(took):.1f} s at most; {sum(t > SOON for t in took)} of {len(took)} beyond {SOON:.0f} s")


@case
def the_page_outlives_the_agent_and_says_when_figures_are_old():
    port, ops = h.free_port(), h.free_port()
    agent = Agent(config=SETTINGS, port=port, ops=ops)
    with BROWSER.open(page_of(agent)) as page:
        page.live()
        Traffic(4).send(agent, 3)
        page.shows("requests", 3, "#tiles")
        page.js("() => { window.isTheSamePage = true; }")
        agent.stop()
        wait_until(lambda: page.attribute("#link", "data-link") == "lost", "the page to say that there is no news")
        check("no news for" in page.text("#link-text") and page.is_shown("#stale"), lambda: page.text("#link-text"))
        check("figures below are old" in page.text("#stale") and page.text("title").startswith("No news"), lambda: page.text("#stale"))
        equal(page.figure("requests", "#tiles")[0], 3, "what is shown meanwhile")
        with Agent(config=SETTINGS, port=port, ops=ops) as again:
            page.live()
            page.shows("requests", 0, "#tiles")
            check(not page.is_shown("#stale"), "the warning is still there")
            Traffic(5).send(again, 2)
            page.shows("requests", 2, "#tiles")
            rates = page.js("() => page.history.points.map((point) => point.rates && point.rates.all)")
            check(all(rate is None or rate >= 0 for rate in rates), lambda: f"a restart is no negative rate: {rates}")
        check(page.js("() => window.isTheSamePage"), "the page was loaded again")
        page.is_clean(is_gone=True)


@case
def a_tab_that_nobody_looks_at_lets_its_stream_go_and_still_tells_of_drift():
    hide = """(isHidden) => { Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
        document.dispatchEvent(new Event("visibilitychange")); }"""
    with Agent(config=SETTINGS) as agent, BROWSER.open(page_of(agent)) as page:
        page.live()
        page.js(hide, True)
        check(page.js("() => page.feed.source !== null"), "the stream is gone at once")
        # as if that were long ago
        page.js("() => { page.feed.hiddenSince -= 60000; }")
        wait_until(lambda: page.js("() => page.feed.source === null"), "the stream to be let go")
        drifted(agent, Traffic(15))
        wait_until(lambda: page.text("title").startswith("Drift:"), "the title")
        check(page.js("() => page.feed.source === null"), "the stream is open all the same")
        page.js(hide, False)
        wait_until(lambda: page.js("() => page.feed.source !== null"), "the stream")
        page.live()
        page.is_clean()


# -- for everybody ------------------------------------------------------------------------------------

class Named(http.server.BaseHTTPRequestHandler):
    """A model server whose names are what a wire can hold."""

    protocol_version = "HTTP/1.1"
    MARKUP = "<img src=x onerror=alert(1)>"
    RIGHT_TO_LEFT = "\u202eevitisop\u202c \u05e9\u05dc\u05d5\u05dd"
    LONG = "petal_" + "w" * 90
    CLASSES = (MARKUP, RIGHT_TO_LEFT, LONG, "</script><script>alert(2)</script>", "plain")

    def do_POST(self):
        rows = len(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"])
        of = [self.CLASSES[place % len(self.CLASSES)] for place in range(rows)]
        self.answer(json.dumps({"predictions": of}).encode())

    def do_GET(self):
        self.answer(b"{}")

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def hostile(agent):
    """Names that are markup, run the other way or never end, as features, classes and ids."""
    names = [Named.MARKUP, Named.RIGHT_TO_LEFT, Named.LONG, "__proto__"]
    chance = random.Random(5)
    with Client(agent.port) as client:
        for number in range(140):
            rows = [{name: chance.random() for name in names} for _ in range(5)]
            headers = {"X-Request-ID": f"<b>{number}</b>"}
            equal(client.request("POST", "/v1/models/%3Cb%3E:predict", {"instances": rows}, headers).status, 200, "status")
    agent.settled()


@case
def hostile_names_are_text():
    with ModelServer(Named) as server, Agent(server.port, config=SETTINGS) as agent:
        with BROWSER.open(page_of(agent), width=390) as page:
            page.live()
            hostile(agent)
            agent.wait_event(message="Baseline captured")
            wait_until(lambda: page.text("#classes") and Named.MARKUP in page.text("#classes"), "the class")
            wait_until(lambda: Named.MARKUP in page.text("#features"), "the feature")
            check(Named.LONG in page.text("#features"), "the long name")
            check("\u202e" not in page.text("main"), "a character that turns a name is shown as what it is not")
            equal(page.js("() => document.querySelectorAll('main img, main b:not([data-figure]), main script').length"), 0, "elements of names")
            equal(page.overflow(), [0, []], "wider than 390 pixels")
            page.accessible()
            page.is_clean()


@case
def the_page_is_for_everybody_in_both_themes_and_on_a_phone():
    with Agent(config=SETTINGS) as agent:
        drifted(agent, Traffic(6))
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                with BROWSER.open(page_of(agent), width=width, scheme=scheme, reduced=True) as page:
                    page.live()
                    wait_until(lambda: page.is_shown("#features .feature"), "features")
                    page.js("() => document.querySelectorAll('details').forEach((node) => { node.open = true; })")
                    equal(page.overflow(), [0, []], f"{scheme}: wider than {width} pixels")
                    page.accessible()
                    equal(page.js("() => getComputedStyle(document.body).colorScheme || getComputedStyle(document.documentElement).colorScheme"),
                          "light dark", "schemes")
                    light = page.js("() => getComputedStyle(document.body).backgroundColor")
                    equal(min(int(part) for part in re.findall(r"\d+", light)) > 128, scheme == "light", f"{light} in {scheme}")
                    for chart in page.js("() => [...document.querySelectorAll('[role=img]')].map((node) => node.getAttribute('aria-label'))"):
                        check(chart and re.search(r"\d|not known|No window", chart), lambda: f"a chart says nothing: {chart!r}")
                    page.is_clean()


@case
def everything_can_be_done_with_the_keyboard():
    with Agent(config=SETTINGS) as agent:
        agent.send("POST", "/predict", h.rows()[0])
        agent.settled()
        with BROWSER.open(page_of(agent)) as page:
            page.live()
            page.press("Tab")
            equal(page.js("() => document.activeElement.className"), "skip", "the first stop")
            page.press("Enter")
            equal(page.js("() => document.activeElement.id"), "main", "where the link leads")
        with BROWSER.open(page_of(agent)) as page:
            page.live()
            page.press("Tab")
            page.press("Tab")
            name, ring = page.focused()
            equal(name, "theme", "the second stop")
            check(ring >= 2, f"the ring is {ring} pixels wide")
            page.press("Enter")
            equal(page.attribute("html", "data-theme"), "dark", "theme")
            page.call("reload")
            page.live()
            equal(page.attribute("html", "data-theme"), "dark", "theme of the page that is loaded again")
            stops = []
            for _ in range(40):
                page.press("Tab")
                stop = page.js("() => { const e = document.activeElement; return [e.tagName, e.id, e.textContent.trim().slice(0, 40)]; }")
                if stop[0] == "BODY":
                    break
                stops.append(stop)
            words = [stop[2] for stop in stops]
            for word in ("metrics", "Last figures as a table"):
                check(any(word in one for one in words), lambda: f"{word} is no stop: {stops}")
            page.is_clean()


@case
def a_model_is_chosen_with_the_keyboard_and_stays_chosen():
    with ModelServer(Named) as server, Agent(server.port, config={"drift": {"capture": 0}}) as agent:
        for model, rows in (("alpha", 2), ("beta", 3)):
            agent.send("POST", f"/v1/models/{model}:predict", {"instances": [[1.5, 2.5]] * rows})
        agent.settled()
        with BROWSER.open(page_of(agent)) as page:
            page.live()
            buttons = wait_until(lambda: len(found := page.js("() => [...document.querySelectorAll('#models button')].map((b) => b.dataset.model)")) == 2 and found,
                                 "two models")
            equal(buttons, ["alpha", "beta"], "models")
            for model, rows in (("alpha", 2), ("beta", 3), ("alpha", 2)):
                page.js("(m) => document.querySelector(`#models [data-model=${m}]`).focus()", model)
                page.press("Enter")
                page.shows("predictions", rows, "#tiles")
                equal(page.attribute("#models [aria-current=true]", "data-model"), model, "the current one")
            agent.send("POST", "/v1/models/beta:predict", {"instances": [[1.5, 2.5]]})
            page.shows("requests", 3, "#tiles")
            page.shows("predictions", 2, "#tiles")
            page.call("reload")
            page.live()
            page.shows("predictions", 2, "#tiles")
            page.is_clean()


@case
def what_is_missing_comes_with_what_would_tell_it():
    with ModelServer(Named) as server, Agent(server.port, config={"drift": {"capture": 0}}) as agent:
        agent.send("POST", "/v1/models/m:predict", {"instances": [[1.5, 2.5]] * 3})
        agent.settled()
        with BROWSER.open(page_of(agent), origin=page_of(agent).rstrip("/")) as page:
            page.live()
            said = agent.ask("GET", "/state").json()["missing"]
            wait_until(lambda: page.is_shown("#missing-panel"), "what is missing")
            lines = {gap["command"] or gap["configure"] for gap in said if gap["command"] or gap["configure"]}
            shown = lambda: set(page.js("() => [...document.querySelectorAll('#missing code')].map((c) => c.textContent).filter(Boolean)"))
            wait_until(lambda: equal(shown(), lines, "lines") or True, "the lines")
            check({"baseline", "confidence"} <= {gap["what"] for gap in said}, lambda: said)
            check("Drift is not looked for" in page.text("#headline"), lambda: page.text("#headline"))
            check("No confidence on the wire" in page.text("#missing"), lambda: page.text("#missing"))
            page.call("click", selector="#missing .block button")
            copied = page.js("() => navigator.clipboard.readText()")
            check(copied in lines, lambda: f"{copied!r} was copied, of {lines}")
            page.is_clean()


# -- what it may --------------------------------------------------------------------------------------

@case
def the_policy_allows_the_page_and_nothing_else():
    with Agent() as agent:
        html = {"Accept": "text/html,*/*;q=0.8"}
        answer = agent.ask("GET", "/", headers=html)
        policy = dict(part.strip().partition(" ")[::2] for part in answer.header("content-security-policy").split(";"))
        equal(policy["default-src"], "'none'", "what is not named")
        check("frame-ancestors" in policy and "unsafe" not in answer.header("content-security-policy"), lambda: policy)
        check("sha256-" in policy["script-src"] and "sha256-" in policy["style-src"], lambda: policy)
        equal(policy["connect-src"], "'self'", "whom it may ask")
        markup = answer.body.decode().partition("<script>")[0].partition("<body>")[2]
        equal(re.findall(r'(?:src|href|action)="(?!#|/?[a-z]+")[^"]*"', markup), [], "what it loads, or leads to elsewhere")
        equal(re.findall(r"<[^>]*\s(?:on\w+|style)=", markup), [], "handlers and styles in markup")
        with BROWSER.open(page_of(agent)) as page:
            page.live()
            # an attacker's script, were it to get in, would not run
            page.js("""() => { const s = document.createElement("script"); s.textContent = "window.ran = true";
                document.body.append(s); }""")
            equal(page.js("() => window.ran === true"), False, "a foreign script")
            asked = page.js("() => fetch('http://example.invalid/').then(() => 'answered', () => 'refused')")
            equal(asked, "refused", "a request elsewhere")
            violations = wait_until(lambda: len(found := page.call("seen")["violations"]) >= 2 and found, "violations")
            equal(sorted(text.split(" ")[0] for text in violations), ["connect-src", "script-src-elem"], "violations")
            # what the other cases look for is found where it is
            check({"violations of the policy", "console"} <= set(page.complaints()), page.complaints)


@case
def no_script_of_ours_makes_markup_of_text():
    scripts = sorted((h.ROOT / "src" / "ops" / "dashboard").glob("*.js"))
    check(len(scripts) > 10, f"only {scripts}")
    for script in scripts:
        found = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function", script.read_text())
        equal(found, [], script.name)


@case
def a_page_from_elsewhere_asks_for_the_token():
    settings = {**SETTINGS, "ops": {"token": "sesame-1"}}
    with Agent(config=settings) as agent:
        Traffic(8).send(agent, 3)
        agent.settled()
        # as behind a proxy, which says for whom it asks
        with BROWSER.open(page_of(agent), headers={"X-Forwarded-For": "10.1.2.3"}) as page:
            page.live()
            wait_until(lambda: page.is_shown("#token-form"), "the question for the token")
            page.shows("requests", 3, "#tiles")
            for token, is_it in (("wrong", False), ("sesame-1", True)):
                page.js("() => document.querySelector('#token').focus()")
                page.call("type", text=token)
                page.press("Enter")
                wait_until(lambda: page.is_shown("#token-form") != is_it and (is_it or "not the token" in page.text("#token-note")),
                           f"an answer to {token}")
            # nothing is kept while nobody looks
            Traffic(8).send(agent, 2)
            wait_until(lambda: page.js("() => document.querySelectorAll('[data-request]').length") == 2, "requests")
            stored = page.js("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
            check("sesame" not in stored, "the token is kept")


# -- for long, and for many ------------------------------------------------------------------------------

def slope(samples):
    """What a straight line through `(time, bytes)` rises by over all of the time."""
    times, values = zip(*samples)
    return statistics.linear_regression(times, values).slope * (times[-1] - times[0])


@case
def an_open_page_needs_no_more_memory_with_time_and_neither_does_the_agent():
    # a remembered point is added each second until there are 300
    warm = min(330.0, max(30.0, SECONDS / 4))
    heap, agents, nodes = [], [], []
    with Agent(config=SETTINGS) as agent:
        captured(agent, Traffic(9))
        with Steady(agent, traffic=Traffic(10)) as steady, BROWSER.open(page_of(agent)) as page:
            page.live()
            time.sleep(warm)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                used = page.heap()
                now = time.monotonic()
                heap.append((now, used["used"]))
                nodes.append(used["nodes"])
                agents.append((now, h.resident_bytes(agent.pid)))
                time.sleep(max(2.0, SECONDS / 100))
            equal(page.attribute("#link", "data-link"), "live", "the page")
            points = page.js("() => page.history.points.length")
            check(points <= 300, f"{points} points are remembered")
            page.is_clean()
        print(f"    {SECONDS:.0f} s, {steady.count} requests: heap {heap[-1][1] / MIB:.1f} MiB, slope {slope(heap) / MIB:+.2f}; "
              f"agent {agents[-1][1] / MIB:.1f} MiB, slope {slope(agents) / MIB:+.2f}; nodes {nodes[0]:.0f} to {nodes[-1]:.0f}")
    check(slope(heap) < MIB, f"the page grows: {slope(heap) / MIB:.2f} MiB")
    check(slope(agents) < MIB, f"the agent grows: {slope(agents) / MIB:.2f} MiB")


class Streams:
    """Connections that listen to events, and how many each has had."""

    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.events = [0] * count
        self.heads = [b""] * count
        for number in range(count):
            client = socket.create_connection((h.HOST, port), h.PATIENCE)
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ, number)

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                data = key.fileobj.recv(1 << 18)
                check(data, f"stream {key.data} was closed after {self.events[key.data]} events")
                self.heads[key.data] = self.heads[key.data] or data[:40]
                self.events[key.data] += data.count(b"event: state")

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


@case
def a_hundred_open_pages_cost_no_request():
    with Agent(config=SETTINGS) as agent:
        captured(agent, Traffic(11))
        before = agent.settled()
        pages = [BROWSER.open(page_of(agent)) for _ in range(3)]
        streams = Streams(agent.ops, STREAMS - len(pages))
        try:
            with Steady(agent, pause=0.01) as steady:
                streams.read(10)
                equal(agent.ask("GET", "/metrics").status, 200, "status of a scrape")
                wait_until(lambda: streams.read(1) or min(streams.events) >= 3, "events on every stream")
                for page in pages:
                    equal(page.live().attribute("#link", "data-link"), "live", "page")
                # there is no room for one more stream: that page asks instead
                pages.append(BROWSER.open(page_of(agent)))
                pages[-1].live()
                first = pages[-1].figure("requests", "#tiles")[0]
                wait_until(lambda: pages[-1].figure("requests", "#tiles")[0] > first, "a later state")
                check(any("503" in one["text"] for one in pages[-1].call("seen")["console"]), "a stream was refused")
            after = agent.settled()
        finally:
            streams.close()
            for page in pages:
                page.close()
        check(all(head.startswith(b"HTTP/1.1 200") for head in streams.heads), lambda: set(streams.heads))
        difference = lambda name: after.sum(name) - before.sum(name)
        equal(difference("ml_api_requests_total"), steady.count, "requests")
        for name in ("sidelight_shed_total", "sidelight_request_failures_total", "sidelight_panics_total"):
            equal(difference(name), 0, name)
        print(f"    {STREAMS} streams: {steady.count} requests answered, {min(streams.events)} to {max(streams.events)} events each")


# -- pictures ----------------------------------------------------------------------------------------------

def pictures():
    """docs/page-light.png and docs/page-dark.png: the top of the page, a minute after a drift began."""
    with Agent(config=SETTINGS) as agent:
        captured(agent, Traffic(12))
        with BROWSER.open(page_of(agent)) as light, BROWSER.open(page_of(agent), scheme="dark") as dark:
            with Steady(agent, pause=0.02, traffic=Traffic(13)):
                time.sleep(45)
            traffic = Traffic(14)
            traffic.row = lambda row=traffic.row: row(petal_length=0.9)
            with Steady(agent, pause=0.02, traffic=traffic):
                time.sleep(15)
            for scheme, page in (("light", light), ("dark", dark)):
                path = h.ROOT / "docs" / f"page-{scheme}.png"
                page.call("shot", path=str(path), clip={"x": 0, "y": 0, "width": 1280, "height": 1270})
                print(f"{path.relative_to(h.ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    with Browser() as BROWSER:
        if sys.argv[1:] == ["pictures"]:
            pictures()
        else:
            h.main("page")
