#!/usr/bin/env python3
"""Grafana's dashboards: in the shape of its schema, without the usual mistakes, and every query gives something.

Needs Debian's `prometheus`, `prometheus-node-exporter`, `nodejs` and `npm`, the release binary and the standard library.
"""

import copy
import json
import re

import harness as h
import linting
from expressions import CATALOGUE, DEPLOY
from harness import case, check, equal
from linting import faults, panels

FILES = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
MODEL, AGENT = DASHBOARDS["sidelight-model"], DASHBOARDS["sidelight-agent"]


# -- what they say -------------------------------------------------------------------------------

@case
def dashboards_have_none_of_the_usual_faults():
    for name, dashboard in DASHBOARDS.items():
        equal(list(faults(dashboard)), [], f"faults of {name}")
        equal(dashboard["uid"], name, "uid, which is the name of the file")
    equal(len({dashboard["uid"] for dashboard in DASHBOARDS.values()}), len(FILES), "uids")
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


if __name__ == "__main__":
    h.main("dashboards")
