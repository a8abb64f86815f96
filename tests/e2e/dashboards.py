#!/usr/bin/env python3
"""Grafana's dashboards: in the shape of its schema, without the usual mistakes, and every query gives something.

Needs Debian's `prometheus`, `prometheus-node-exporter`, `nodejs` and `npm`, the release binary and the standard library.
"""

import copy
import functools
import math
import re
import shutil
import sys
import time
from urllib.parse import quote

import harness as h
import linting
from expressions import CATALOGUE
from harness import case, check, equal, wait_until
from linting import DASHBOARDS, faults, panels
from stack import SCRAPE_S, Stack

MODEL, AGENT = DASHBOARDS["sidelight-model"], DASHBOARDS["sidelight-agent"]


# -- what they say -------------------------------------------------------------------------------

@case
def dashboards_have_none_of_the_usual_faults():
    for name, dashboard in DASHBOARDS.items():
        equal(list(faults(dashboard)), [], f"faults of {name}")
        equal(dashboard["uid"], name, "uid, which is the name of the file")
    equal(len({dashboard["uid"] for dashboard in DASHBOARDS.values()}), len(DASHBOARDS), "uids")
    check(len(panels(MODEL)) > 30 and len(panels(AGENT)) > 15, "panels are missing")


def spoilt(change):
    """The faults of the model's dashboard, changed."""
    dashboard = copy.deepcopy(MODEL)
    change(dashboard, {panel["title"]: panel for panel in panels(dashboard)})
    return list(faults(dashboard))


def asks(title, expression):
    def change(_, named):
        named[title]["targets"][0]["expr"] = expression
    return change


@case
def every_fault_that_is_looked_for_is_found():
    whole, of = MODEL["title"], "In flight"
    check(whole and any(panel["title"] == of for panel in panels(MODEL)), f"there is no panel {of}")
    for what, change in (
            ("no fixed uid", lambda d, _: d.update(uid=None)),
            ("old schema", lambda d, _: d.update(schemaVersion=27)),
            ("ids of panels", lambda d, _: d["panels"][3].update(id=1)),
            ("over", lambda d, named: named[of]["gridPos"].update(y=named[of]["gridPos"]["y"] - 1)),
            ("beyond the grid", lambda d, named: named[of]["gridPos"].update(w=20)),
            ("not chosen", lambda d, named: named[of].update(datasource={"type": "prometheus", "uid": "P1"})),
            ("$model is not defined", lambda d, _: d["templating"].update(
                list=[one for one in d["templating"]["list"] if one["name"] != "model"])),
            ("$pod is not used", lambda d, _: d["templating"]["list"].append(
                {**d["templating"]["list"][1], "name": "pod"})),
            ("kind graph", lambda d, named: named[of].update(type="graph")),
            ("no sentence", lambda d, named: named[of].update(description="")),
            ("no unit", lambda d, named: named[of]["fieldConfig"]["defaults"].pop("unit")),
            ("no legend", lambda d, named: named[of]["targets"][0].update(legendFormat="")),
            ("neither once", lambda d, named: named[of]["targets"][0].update(range=False)),
            # the page's own queries
            ("as it is counted", asks(of, 'sum by (predicted_class) (ml_model_predictions_total)')),
            ("as it is counted", asks(of, 'ml_model_prediction_confidence_bucket')),
            ("without a sum by le", asks(of, 'sum(histogram_quantile(0.95, '
                                         'rate(ml_api_request_duration_seconds_bucket[5m])))')),
            ("of each instance", asks(of, 'rate(ml_api_requests_total[5m])')),
            ("fewer than two", asks(of, 'sum(rate(ml_api_requests_total[15s]))')),
            ("nobody exports ml_model_accuracy", asks(of, 'sum(ml_model_accuracy)')),
            ("nobody exports path of", asks(of, 'sum(rate(ml_api_requests_total{path="/"}[5m]))')),
            ("nobody exports instance of job:", asks(of, 'job:ml_requests:rate5m{instance=~"$instance"}'))):
        found = spoilt(change)
        check(any(what in fault for fault in found), lambda: f"{what} was not found: {found}")


@case
def everything_that_is_exported_is_on_a_panel():
    families = {re.sub(r"_(bucket|sum|count)$", "", name) if name.endswith(("_bucket", "_sum", "_count")) else name
                for name in CATALOGUE}
    equal(families - linting.shown(DASHBOARDS.values()), set(), "families that no panel shows")


# -- what they show ------------------------------------------------------------------------------

STEP_S = 2
# section 5.3 of the course page
COURSE = (
    'sum(rate(ml_api_requests_total[1m]))',
    'sum by (endpoint) (rate(ml_api_requests_total[1m]))',
    'histogram_quantile(0.50, rate(ml_api_request_duration_seconds_bucket[5m]))',
    'histogram_quantile(0.95, rate(ml_api_request_duration_seconds_bucket[5m]))',
    'histogram_quantile(0.99, rate(ml_api_request_duration_seconds_bucket[5m]))',
    'sum(rate(ml_api_requests_total{status_code=~"5.."}[5m])) / sum(rate(ml_api_requests_total[5m])) * 100',
    'sum by (predicted_class) (increase(ml_model_predictions_total[24h]))',
    'sum(rate(ml_model_prediction_confidence_sum[5m])) / sum(rate(ml_model_prediction_confidence_count[5m]))',
    'histogram_quantile(0.95, rate(ml_model_inference_seconds_bucket[5m]))',
)


STACK = None


class Shown:
    """Dashboards on a stack that has been running for a while; asked as Grafana would."""

    def __init__(self, stack):
        self.stack, self.prometheus = stack, stack.prometheus

    def answer(self, dashboard, target, chosen):
        """Labels and samples of a query over the time that there is."""
        now, span_s = time.time(), math.ceil(time.time() - self.stack.began)
        text = linting.filled(target["expr"], dashboard, chosen, span_s, STEP_S, SCRAPE_S)
        check(not linting.VARIABLE.search(text), f"not replaced in {text}")
        if target.get("instant"):
            return self.prometheus.once(text, now)
        return self.prometheus.over(text, now - span_s, now, STEP_S)

    def waited(self, dashboard, panel, target, chosen):
        """The same with something in it: rules and windows need a few samples first."""
        def some():
            found = self.answer(dashboard, target, chosen)
            return any(value != "NaN" for _, samples in found for _, value in samples) and found
        return wait_until(some, f"{panel['title']} {target['refId']}: {target['expr']}", pause=1)

    def value(self, title, **labels):
        """The last value of a panel's one query, of one series."""
        panel = next(panel for panel in panels(MODEL) if panel["title"] == title)
        found = [float(samples[-1][1]) for metric, samples in self.answer(MODEL, panel["targets"][0], {})
                 if all(metric.get(name) == value for name, value in labels.items())]
        equal(len(found), 1, f"series of {title} with {labels}")
        return found[0]


@functools.cache
def shown():
    """Traffic of some time, the last part of it of a new version and shifted: all cases look at it."""
    STACK.waits(30)
    STACK.changed = time.time()
    STACK.version, STACK.shift = "2", 2.0
    STACK.waits(30)
    return Shown(STACK)


def every_target():
    return [(dashboard, panel, target) for dashboard in DASHBOARDS.values() for panel in panels(dashboard)
            for target in panel["targets"]]


@case
def every_query_of_every_panel_gives_something_with_the_labels_of_its_legend():
    view = shown()
    for dashboard, panel, target in every_target():
        found = view.waited(dashboard, panel, target, {})
        for label in set(re.findall(r"{{(\w+)}}", target["legendFormat"])):
            check(all(label in metric for metric, _ in found), lambda: f"{panel['title']}: {label} is not in {found[0][0]}")
        check(target["format"] != "heatmap" or len(found) > 5, f"{panel['title']}: few edges")
    print(f"    {len(every_target())} queries of {sum(len(panels(one)) for one in DASHBOARDS.values())} panels")


@case
def what_is_chosen_is_what_is_shown():
    view = shown()
    iris, scores = view.stack.jobs["ml-api"][0], view.stack.jobs["ml-api/scores"][0]
    node = [f"{h.HOST}:{view.stack.jobs['node'][0]}"]
    choices = ({"job": ["ml-api"], "instance": [f"{h.HOST}:{iris}"], "model": ["default"],
                "model_version": ["1.0.0"], "node": node},
               {"job": ["ml-api/scores", "ml-api/more"], "instance": [f"{h.HOST}:{scores}"],
                "model": ["scores", "prices"], "model_version": ["1", "2"], "node": node})
    for dashboard, panel, target in every_target():
        answers = [view.answer(dashboard, target, chosen) for chosen in choices]
        check(any(answers), lambda: f"{panel['title']} {target['refId']}: nothing of what was chosen")
        for chosen, found in zip(choices, answers):
            for metric, _ in found:
                if panel["title"] in OF_MACHINES:
                    equal(metric.get("instance"), node[0], f"machine of {panel['title']}")
                    continue
                for label in ("job", "instance", "model", "model_version"):
                    check(metric.get(label) in (None, *chosen[label]), lambda: f"{panel['title']}: {metric}")
        # of another job nothing, whatever else is asked for
        nothing = {"job": ["ml.api"], "node": ["nowhere"]}
        found = view.answer(dashboard, target, nothing)
        check(not found or panel["title"] == "Alerts", lambda: f"{panel['title']} of no job: {found}")


OF_MACHINES = {"Processor of the machine", "Memory of the machine", "Disk space", "Disk", "Network"}


@case
def the_courses_queries_give_something():
    view = shown()
    for text in COURSE:
        wait_until(lambda text=text: view.prometheus.once(text, time.time()), text, pause=1)
    # and on the dashboard of the model is each of its panels, of what is asked there
    families = [set(re.findall(r"\bml_\w+?(?=_bucket|_sum|_count|[{\[])", text)) for text in COURSE]
    for wanted in families:
        check(any(wanted <= set(re.findall(r"\bml_\w+?(?=_bucket|_sum|_count|[{\[])", linting.with_rules(target["expr"])))
                  for panel in panels(MODEL) for target in panel["targets"]), f"no panel of {wanted}")


@case
def variables_offer_what_there_is():
    view = shown()
    offered = {}
    for name, one in linting.variables(MODEL).items():
        if one["type"] == "query":
            metric, _, label = one["query"]["query"][len("label_values("):-1].rpartition(", ")
            text = linting.filled(metric, MODEL, {}, 60, STEP_S, SCRAPE_S)
            offered[name] = view.prometheus.get(f"label/{label}/values?match[]={quote(text)}")
    equal(offered["job"], ["ml-api", "ml-api/scores"], "jobs")
    equal(offered["instance"], sorted(f"{h.HOST}:{port}" for job in offered["job"] for port in view.stack.jobs[job]),
          "replicas")
    equal((offered["model"], offered["model_version"]), (["default", "prices", "scores"], ["1", "1.0.0", "2"]), "models")
    equal(offered["node"], [f"{h.HOST}:{view.stack.jobs['node'][0]}"], "machines")


@case
def failures_cost_the_budget_of_whose_they_are_and_mistakes_of_clients_none():
    view = shown()
    equal(view.value("Availability", job="ml-api"), 1, "availability of who had mistakes of clients only")
    failing = view.value("Availability", job="ml-api/scores")
    check(0.85 < failing < 0.99, f"availability with 5 % of failures: {failing}")
    left = view.value("Error budget left", job="ml-api/scores")
    # both were asked for, one after the other
    check(abs(left - (1 - (1 - failing) / 0.01)) < 1, f"budget left of {failing}: {left}")
    wait_until(lambda: view.value("Series that drift", model="scores", model_version="2") >= 1, "drift to be shown")


@case
def a_new_version_and_its_baseline_are_marked_where_they_begin():
    view = shown()
    now, began = time.time(), view.stack.began
    for one in MODEL["annotations"]["list"]:
        text = linting.filled(one["target"]["expr"], MODEL, {}, 60, STEP_S, SCRAPE_S)
        marks = {metric["model_version"]: float(samples[0][0]) for metric, samples in
                 view.prometheus.over(text, began - 10, now, 1) if metric["model"] == "scores"}
        equal(set(marks), {"1", "2"}, f"versions that {one['name']} marks")
        check(marks["1"] < view.stack.changed, f"{one['name']} of the first version at {marks['1'] - began:.0f} s")
        check(view.stack.changed - 1 <= marks["2"] < now, f"{one['name']} of the second at {marks['2'] - began:.0f} s")
        for label in re.findall(r"{{(\w+)}}", one["textFormat"]):
            check(f"{label}" in text, f"{label} of {one['name']}")


if __name__ == "__main__":
    missing = [name for name in ("prometheus", "prometheus-node-exporter") if not shutil.which(name)]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)} (Debian's packages of that name)")
    # before the cases, for each ends what it has started
    with Stack() as STACK:
        h.main("dashboards")
