"""What the live page shows, against what the agent says of itself."""

import random
import re

from browsing import open_page
from flowers import Traffic
from harness import Agent, case, check, close, equal, wait_until
from page_stage import MODEL, SETTINGS, Steady, drifted, page_of


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
    with Agent(config=SETTINGS) as agent, open_page(page_of(agent)) as page:
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
    with Agent(config=SETTINGS) as agent, open_page(page_of(agent)) as page:
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
