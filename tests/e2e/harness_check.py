#!/usr/bin/env python3
"""The harness itself: it must see what is wrong, or no suite can fail."""

import json
import signal
import socket
import sys
import time

import harness as h
import traffic as t
from harness import Failed, Metrics, Process, Tally, case, check, equal

SCRAPE = r'''# HELP ml_api_requests_total Requests.
# TYPE ml_api_requests_total counter
ml_api_requests_total{method="POST",endpoint="/a\"b\\n\n{}, x=",status_code="200"} 3
ml_api_requests_total{method="GET",endpoint="/",status_code="404"} 2
sidelight_exchanges_total{outcome="observed"} 3
sidelight_exchanges_total{outcome="not_wanted"} 1
sidelight_exchanges_total{outcome="shed"} 1
sidelight_observed_total{result="decoded"} 3
ml_api_active_requests 0
ml_model_prediction_confidence_bucket{le="+Inf"} 1e2
'''


def fails(action, *arguments):
    try:
        action(*arguments)
    except Failed:
        return True
    return False


@case
def a_scrape_is_read_with_its_labels():
    metrics = Metrics(SCRAPE)
    equal(metrics.of("ml_api_requests_total", status_code="200"),
          [({"method": "POST", "endpoint": '/a"b\\n\n{}, x=', "status_code": "200"}, 3.0)], "sample")
    equal(metrics.sum("ml_api_requests_total"), 5.0, "sum")
    equal(metrics.by("ml_api_requests_total", "method"), {"POST": 3.0, "GET": 2.0}, "by method")
    equal(metrics.one("ml_model_prediction_confidence_bucket", le="+Inf"), 100.0, "bucket")
    check(fails(metrics.one, "ml_api_requests_total"), "two series passed for one")
    check(fails(metrics.one, "absent"), "no series passed for one")
    check(fails(Metrics, "not a sample at all"), "any text passed for a scrape")


@case
def books_that_do_not_balance_are_seen():
    equal(h.unbalanced(Metrics(SCRAPE).books()), [], "faults of sound books")
    for old, new in (('"shed"} 1', '"shed"} 2'), ('"decoded"} 3', '"decoded"} 2'), ('"not_wanted"} 1', '"lost"} 1')):
        check(h.unbalanced(Metrics(SCRAPE.replace(old, new)).books()), f"{new} passed")


@case
def a_tally_that_differs_is_seen():
    def scrape(setosa, total):
        return Metrics(f'''ml_model_predictions_total{{predicted_class="setosa"}} {setosa}
ml_model_prediction_confidence_bucket{{le="0.5"}} 1
ml_model_prediction_confidence_bucket{{le="+Inf"}} 2
ml_model_prediction_confidence_sum {total}
ml_model_prediction_confidence_count 2
ml_model_inference_seconds_count 1
''')
    tally = Tally()
    answer = [{"prediction": "setosa", "confidence": confidence} for confidence in (0.5, 0.75)]
    tally.add(h.Answer(200, [], json.dumps(answer).encode()))
    tally.compare(scrape(2, 1.25))
    check(fails(tally.compare, scrape(3, 1.25)), "a wrong count passed")
    check(fails(tally.compare, scrape(2, 1.2500001)), "a wrong sum passed")
    check(fails(tally.add, h.Answer(502, [], b"")), "a failed answer passed for a prediction")


@case
def traffic_that_was_lost_repeated_or_mixed_up_is_seen():
    class Nobody:
        def __init__(self, *seen):
            self.seen = lambda: t.collections.Counter(seen)

    def verified(ledger, *sent, allowed=None, faults=None, twice=(), wrong=()):
        traffic = t.Traffic(None, Nobody(*ledger), threads=0)
        traffic.sent = [t.Sent(*one) for one in sent]
        traffic.wrong = list(wrong)
        if allowed:
            with traffic.window(*allowed) as window:
                window.began = 5.0
            window.ended = 10.0
        return not fails(traffic.verify, faults, twice)

    def post(outcome="200", began=1.0, ended=2.0, fault=None, method="POST"):
        return ("a", method, fault, began, ended, outcome)

    refused, reset = "502 upstream_refused", "502 upstream_reset"
    check(verified(["a"], post()), "a sound answer")
    check(not verified(["a"], post(), wrong=["a got b's"]), "another's answer passed")
    check(not verified([], post()), "an answer nobody gave passed")
    check(not verified(["a", "a"], post()), "a POST that came twice passed")
    check(not verified(["a"], post(reset)), "a lost request passed")
    # a fault excuses those that overlap it, with the outcomes it names, and no others
    check(verified(["a"], post(reset, 4.0, 6.0), allowed=[reset]), "an outcome that is allowed")
    check(not verified(["a"], post(reset, 3.0, 4.0), allowed=[reset]), "a loss before the fault passed")
    check(not verified(["a"], post(reset, 11.0, 12.0), allowed=[reset]), "a loss after the fault passed")
    check(not verified(["a"], post(reset, 6.0, 7.0), allowed=[refused]), "a loss of another kind passed")
    check(verified([], post(refused, 6.0, 7.0), allowed=[refused]), "nobody there")
    check(not verified(["a"], post(refused, 6.0, 7.0), allowed=[refused]), "nobody there, and yet it came, passed")
    check(not verified(["a", "a"], post("200", 6.0, 7.0), allowed=[reset], twice=["window"]), "a POST repeated passed")
    get = post("200", 6.0, 7.0, method="GET")
    check(verified(["a", "a"], get, allowed=[reset], twice=["window"]), "a GET may be repeated")
    check(not verified(["a", "a"], get, allowed=[reset]), "a GET repeated without leave passed")
    check(not verified(["a", "a", "a"], get, allowed=[reset], twice=["window"]), "a GET that came thrice passed")
    check(not verified(["a"], post("200", fault="reset"), faults={"reset": {reset}}), "an answer to a reset passed")


@case
def processes_are_started_read_and_ended():
    port = h.free_port()
    code = (f"import socket,time; s=socket.socket(); s.bind(('{h.HOST}',{port})); s.listen(); "
            "print('there', flush=True); time.sleep(600)")
    with Process([sys.executable, "-c", code], "sleeper") as process:
        h.wait_until(lambda: process.lines == ["there"], "its line")
        equal(h.listening_ports(process.pid), [port], "its ports")
        check(h.resident_bytes(process.pid) > 1 << 20 and h.open_files(process.pid) >= 4, "its memory and files")
        socket.create_connection((h.HOST, port), timeout=5).close()
        check(process.pid in h.children(h.os.getpid()), "it is no child of ours")
    check(not h.runs(process.pid), "it still runs")
    equal(process.child.returncode, -signal.SIGTERM, "how it ended")


@case
def waiting_ends_with_the_last_reason():
    began = time.monotonic()
    try:
        h.wait_until(lambda: check(False, "because"), "nothing", patience=0.2)
    except Failed as failure:
        check("because" in str(failure), f"reason missing in {failure}")
    else:
        check(False, "it did not give up")
    check(time.monotonic() - began < 5, "it waited too long")


@case
def the_rows_are_fishers():
    rows = h.rows()
    equal(rows[0], {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}, "first row")
    # two rows are misprinted in many copies
    equal(rows[34]["petal_width"], 0.2, "row 35")
    equal((rows[37]["sepal_width"], rows[37]["petal_length"]), (3.6, 1.4), "row 38")
    sums = [round(sum(row[name] for row in rows), 1) for name in h.FEATURES]
    equal(sums, [876.5, 458.6, 563.7, 179.9], "column sums")


if __name__ == "__main__":
    h.main("harness")
