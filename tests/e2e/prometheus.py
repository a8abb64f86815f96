#!/usr/bin/env python3
"""A real Prometheus scrapes the agent and answers the queries that dashboards are made of.

Needs Debian's `prometheus` package (with promtool), the release binary and the standard library.
Rates are estimates: Prometheus stretches what it saw by up to 1.1 scrape intervals at both ends. What the
counters rose by is known exactly, so each answer must lie between that and that stretched.
"""

import json
import math
import subprocess
import time

import harness as h
import stack
from harness import Agent, Client, PythonServer, case, check, close, equal, wait_until

ROWS = h.rows()
SCRAPE_S = 1


def scraping(agent):
    """A Prometheus that scrapes one agent, often."""
    return stack.Prometheus(json.dumps({
        "global": {"scrape_interval": f"{SCRAPE_S}s"},
        "scrape_configs": [{"job_name": "ml-api", "metrics_path": "/metrics",
                            "static_configs": [{"targets": [f"{h.HOST}:{agent.ops}"]}]}],
    }))


class Rise:
    """By how much counters rose within a window, and by how much Prometheus may stretch it."""

    def __init__(self, prometheus, selector, window, at):
        self.series = []
        self.stretch = 1.0
        for metric, samples in prometheus.query(f"{selector}[{window}]", at):
            if len(samples) < 2:
                continue
            times, values = [float(t) for t, _ in samples], [float(v) for _, v in samples]
            check(values == sorted(values), lambda: f"{metric} fell: {values}")
            span = times[-1] - times[0]
            self.stretch = max(self.stretch, 1 + 2 * 1.1 / (len(samples) - 1))
            check(span > 0, f"no time passes in {selector}")
            self.series.append((metric, values[-1] - values[0]))
        check(self.series, f"no samples of {selector}")

    def total(self, **labels):
        return math.fsum(rise for metric, rise in self.series if all(metric.get(k) == v for k, v in labels.items()))

    def by(self, label):
        return {value: self.total(**{label: value}) for value in {metric.get(label) for metric, _ in self.series}}


def between(actual, low, high, what):
    check(low * (1 - 1e-9) - 1e-12 <= actual <= high * (1 + 1e-9) + 1e-12,
          lambda: f"{what}: {actual} is not in [{low}, {high}]")


def quantile_bounds(rise, q):
    """Edges between which the quantile must lie, with ranks 8 % apart for the stretching."""
    cumulative = sorted((float(edge), count) for edge, count in rise.by("le").items())
    total = cumulative[-1][1]
    check(total > 0, "nothing was counted")
    low = next(i for i, (_, count) in enumerate(cumulative) if count >= q * total * 0.92)
    high = next(i for i, (_, count) in enumerate(cumulative) if count >= min(q * total * 1.08, total))
    finite = [edge for edge, _ in cumulative if math.isfinite(edge)]
    return cumulative[low - 1][0] if low else 0.0, min(cumulative[high][0], finite[-1])


class Traffic:
    """What is sent: known numbers of everything, twice over. The first time makes the series."""

    def __init__(self, agent):
        self.agent = agent
        self.tally = h.Tally()
        self.errors = 0
        self.sent = 0

    def send(self, predictions, slow_ms, failures):
        with Client(self.agent.port) as client:
            for row in predictions:
                self.tally.add(client.request("POST", "/predict", row))
            for ms in slow_ms:
                equal(client.request("GET", f"/slow?ms={ms}").status, 200, "status")
            for code in failures:
                equal(client.request("GET", f"/status?code={code}").status, code, "status")
        self.sent += len(predictions) + len(slow_ms) + len(failures)
        self.errors += sum(code >= 500 for code in failures)
        return self.agent.settled(requests=self.sent)


@case
def every_query_of_the_course_gives_what_was_sent():
    with PythonServer(h.E2E / "upstream.py") as upstream, Agent(upstream=upstream.port) as agent, \
            scraping(agent) as prometheus:
        traffic = Traffic(agent)

        def seen():
            """Whether Prometheus has scraped everything that was sent."""
            return prometheus.value("sum(ml_api_requests_total)", time.time()) == traffic.sent

        traffic.send(ROWS[::25], [1, 1], [200, 500])
        wait_until(seen, "the first traffic to be scraped")
        time.sleep(8 * SCRAPE_S)
        for part in range(4):
            traffic.send(ROWS[part::4], [30] * 5 + [120], [200, 404, 500, 503])
            time.sleep(2 * SCRAPE_S)
        wait_until(seen, "the rest to be scraped")
        time.sleep(2 * SCRAPE_S)
        at = time.time()

        # what it holds is what was sent, exactly
        up = prometheus.value("up", at)
        equal(up, 1, "up")
        classes = prometheus.by("sum by (predicted_class) (ml_model_predictions_total)", "predicted_class", at)
        equal({k: v for k, v in classes.items() if v}, dict(traffic.tally.classes), "predictions by class")
        close(prometheus.value("sum(ml_model_prediction_confidence_sum)", at), math.fsum(traffic.tally.confidences),
              "sum of confidences")
        equal(prometheus.value('sum(ml_api_requests_total{status_code=~"5.."})', at), traffic.errors, "errors")
        equal(prometheus.value("sum(ml_model_loaded)", at), 1, "ml_model_loaded")

        # requests per second, altogether and by endpoint
        rise = Rise(prometheus, "ml_api_requests_total", "1m", at)
        between(prometheus.value("sum(rate(ml_api_requests_total[1m]))", at), rise.total() / 60,
                rise.total() * rise.stretch / 60, "requests per second")
        rates = prometheus.by("sum by (endpoint) (rate(ml_api_requests_total[1m]))", "endpoint", at)
        for endpoint, rose in rise.by("endpoint").items():
            between(rates[endpoint], rose / 60, rose * rise.stretch / 60, f"requests per second of {endpoint}")
        check({"/predict", "/slow", "/status"} <= set(rates), f"endpoints {sorted(rates)}")

        # latency quantiles by endpoint
        for q in ("0.50", "0.95", "0.99"):
            text = f"histogram_quantile({q}, rate(ml_api_request_duration_seconds_bucket[5m]))"
            quantiles = prometheus.by(text, "endpoint", at)
            for endpoint in ("/predict", "/slow", "/status"):
                selector = f'ml_api_request_duration_seconds_bucket{{endpoint="{endpoint}"}}'
                low, high = quantile_bounds(Rise(prometheus, selector, "5m", at), float(q))
                between(quantiles[endpoint], low, high, f"quantile {q} of {endpoint}")
            if q == "0.50":
                between(quantiles["/slow"], 0.025, 60, "median of requests that sleep 30 ms")
            else:
                between(quantiles["/slow"], 0.1, 60, f"quantile {q} of requests of which a sixth sleeps 120 ms")

        # error rate in percent
        rise = Rise(prometheus, "ml_api_requests_total", "5m", at)
        bad = Rise(prometheus, 'ml_api_requests_total{status_code=~"5.."}', "5m", at)
        expected = bad.total() / rise.total() * 100
        actual = prometheus.value('sum(rate(ml_api_requests_total{status_code=~"5.."}[5m])) '
                                  "/ sum(rate(ml_api_requests_total[5m])) * 100", at)
        between(actual, expected / rise.stretch, expected * bad.stretch, "error rate")

        # predictions by class
        rise = Rise(prometheus, "ml_model_predictions_total", "24h", at)
        text = "sum by (predicted_class) (increase(ml_model_predictions_total[24h]))"
        increases = prometheus.by(text, "predicted_class", at)
        for name, rose in rise.by("predicted_class").items():
            between(increases[name], rose, rose * rise.stretch, f"increase of {name}")
            check(rose > 0, f"no rise of {name} was seen")

        # mean confidence
        total = Rise(prometheus, "ml_model_prediction_confidence_sum", "5m", at)
        count = Rise(prometheus, "ml_model_prediction_confidence_count", "5m", at)
        expected = total.total() / count.total()
        actual = prometheus.value("sum(rate(ml_model_prediction_confidence_sum[5m])) "
                                  "/ sum(rate(ml_model_prediction_confidence_count[5m]))", at)
        between(actual, expected / count.stretch, expected * total.stretch, "mean confidence")
        between(expected, 0.5, 0.9 + 1e-9, "mean of confidences that are made between 0.5 and 0.9")

        # inference time
        low, high = quantile_bounds(Rise(prometheus, "ml_model_inference_seconds_bucket", "5m", at), 0.95)
        between(prometheus.value("histogram_quantile(0.95, rate(ml_model_inference_seconds_bucket[5m]))", at), low,
                high, "inference time")


@case
def a_first_burst_of_errors_is_seen_by_increase():
    """The symptom: errors that create their own series are invisible to `increase`."""
    with PythonServer(h.E2E / "upstream.py") as upstream, Agent(upstream=upstream.port) as agent, \
            scraping(agent) as prometheus:
        selector = 'ml_api_requests_total{endpoint="/predict",status_code="502"}'
        wait_until(lambda: len(prometheus.query(f"{selector}[1m]", time.time())[0][1]) >= 3
                   if prometheus.query(selector, time.time()) else False, "the series to exist at 0")
        upstream.kill()
        for _ in range(50):
            equal(agent.send("POST", "/predict", ROWS[0]).status, 502, "status without a model server")
        wait_until(lambda: prometheus.value(selector, time.time()) == 50, "the burst to be scraped")
        time.sleep(2 * SCRAPE_S)
        at = time.time()
        rise = Rise(prometheus, selector, "5m", at)
        equal(rise.total(), 50, "rise of the counter")
        between(prometheus.value(f"increase({selector}[5m])", at), 50, 50 * rise.stretch, "increase")
        wait_until(lambda: prometheus.value("sum(ml_model_loaded)", time.time()) == 0, "ml_model_loaded to be 0")


# the baseline's shares stand beside the buckets of the histogram, so that one subtraction by `le` compares them
MEANT = {'ml_drift_baseline_cdf_ratio non-histogram metrics should not have "le" label'}


@case
def promtool_finds_nothing_to_say():
    with Agent(config={"drift": {"window": 20, "check_interval": "1s"}}) as agent:
        idle = agent.metrics().text
        agent.ask("POST", "/drift/baseline", [0.9, 0.8, 0.7] * 10)
        for row in ROWS[:20]:
            agent.send("POST", "/predict", row)
        agent.send("POST", "/predict", "{")
        agent.settled(requests=21)
        wait_until(lambda: agent.metrics().of("ml_drift_detected"), "ml_drift_detected")
        for what, text in (("idle", idle), ("after traffic", agent.metrics().text)):
            result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=h.PATIENCE, check=False)
            said = {line for line in result.stdout.splitlines() if line.strip()}
            equal(said - MEANT, set(), f"promtool, {what}")


if __name__ == "__main__":
    stack.needs("prometheus", "promtool")
    h.main("prometheus")
