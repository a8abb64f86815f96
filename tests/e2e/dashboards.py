#!/usr/bin/env python3
"""Grafana's dashboards: in the shape of its schema, without the usual mistakes, and every query gives something.

Needs Debian's `prometheus`, `prometheus-node-exporter` and `nodejs`, the packages of grafana/package-lock.json in
.cache/grafana, the release binary and Python's standard library.
"""

import copy
import functools
import re
import time
from urllib.parse import quote

import harness as h
import linting
import stack
from expressions import CATALOGUE, DEPLOY
from harness import case, check, equal, wait_until
from linting import DASHBOARDS, faults, panels
from scene import Scene
from typed import parsed, refused
from viewing import Shown

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
            ("nobody exports ml_model_correctness", asks(of, 'sum(ml_model_correctness)')),
            ("nobody exports path of", asks(of, 'sum(rate(ml_api_requests_total{path="/"}[5m]))')),
            ("nobody exports instance of job:", asks(of, 'job:ml_requests:rate5m{instance=~"$instance"}'))):
        found = spoilt(change)
        check(any(what in fault for fault in found), lambda: f"{what} was not found: {found}")


@case
def everything_that_is_exported_is_on_a_panel():
    families = {re.sub(r"_(bucket|sum|count)$", "", name) if name.endswith(("_bucket", "_sum", "_count")) else name
                for name in CATALOGUE}
    # only a build with the feature otlp has these, and the webhook of Kubernetes those
    of_others = {name for name in families if name.startswith(("sidelight_otlp_", "sidelight_admission"))}
    equal(families - linting.shown(DASHBOARDS.values()), of_others, "families that no panel shows")


@case
def the_page_about_it_names_rows_pictures_and_tests_that_there_are():
    text = (h.ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = {panel["title"] for one in DASHBOARDS.values() for panel in one["panels"] if panel["type"] == "row"}
    table = text[text.index("## The four pillars"):text.index("## What is seen")]
    named = set(re.findall(r'"([^"]+)"', table))
    equal(named - rows, set(), "rows that there are not")
    check(len(named) >= 6, f"rows of the pillars: {named}")
    pictures = set(re.findall(r"[(]monitoring/([a-z-]+[.]svg)[)]", text))
    equal(pictures, {file.name for file in (h.ROOT / "docs" / "monitoring").glob("*")}, "pictures")
    numbers = re.findall(r"^[|] (\d+) [|].* [|] ((?:`[^`]+` ?)+)[|]$", text, re.M)
    equal([int(number) for number, _ in numbers], list(range(1, 18)), "what goes wrong, each with a test")
    folders = {"py": h.E2E, "yml": DEPLOY / "prometheus" / "tests", "rs": h.ROOT / "src"}
    for file, name in re.findall(r"`([\w/]+[.](?:py|yml|rs)): ([^`]+)`", text):
        kind = file.rpartition(".")[2]
        source = (folders[kind] / file).read_text(encoding="utf-8")
        wanted = {"py": f"\n@case\ndef {name}():", "yml": f"\n  - name: {name}\n", "rs": f"fn {name}()"}[kind]
        check(wanted in source, f"{file} has no test {name}")


# -- in Grafana's types --------------------------------------------------------------------------

@case
def dashboards_are_what_grafana_takes_and_others_are_refused():
    def changed(change):
        dashboard = copy.deepcopy(MODEL)
        named = {panel["title"]: panel for panel in panels(dashboard)}
        change(dashboard, named)
        return dashboard

    def of(title, **change):
        return changed(lambda _, named: named[title].update(change))

    def option(title, **change):
        return changed(lambda _, named: named[title]["options"].update(change))

    wrong = {
        # as the course page has it
        "wrapped": {"dashboard": MODEL},
        "graph": of("In flight", type="graph"),
        "untitled": changed(lambda d, _: d.pop("title")),
        "no_uid": changed(lambda d, _: d.pop("uid")),
        "old_rows": changed(lambda d, _: d.update(rows=[])),
        "number_in_quotes": changed(lambda d, _: d.update(schemaVersion="39")),
        "no_such_option": option("In flight", legend={"displayMode": "tabel", "placement": "bottom",
                                                      "showLegend": True, "calcs": []}),
        "option_of_another_kind": option("Availability", tooltip={"mode": "multi", "sort": "desc"}),
        "no_options": of("Latency", options={}),
        "a_field_in_quotes": changed(lambda _, named: named["In flight"]["fieldConfig"]["defaults"].update(min="0")),
        "no_such_style": changed(
            lambda _, named: named["In flight"]["fieldConfig"]["defaults"]["custom"].update(drawStyle="lines")),
        "no_such_thresholds": changed(
            lambda _, named: named["Latency, quantiles"]["fieldConfig"]["defaults"]["thresholds"].update(mode="fixed")),
        "query_misspelt": changed(lambda _, named: named["In flight"]["targets"][0].update(exprs="up")),
        "no_query": changed(lambda _, named: named["In flight"]["targets"][0].pop("expr")),
        "place_in_quotes": of("In flight", gridPos={"h": 8, "w": "8", "x": 0, "y": 0}),
        "no_such_variable": changed(lambda d, _: d["templating"]["list"][1].update(type="label_values")),
        "mark_of_nothing": changed(lambda d, _: d["annotations"]["list"][0].pop("target")),
    }
    found = refused({**DASHBOARDS, **wrong})
    for name in DASHBOARDS:
        equal(found[name], [], f"what the compiler says of {name}")
    equal([name for name in wrong if not found[name]], [], "what is wrong and was taken")


@case
def a_provider_reads_the_dashboards_and_the_data_source_is_scraped_as_prometheus_is_told():
    provisioning = DEPLOY / "grafana" / "provisioning"
    sources = parsed(provisioning / "datasources" / "prometheus.yaml")
    equal((sources["apiVersion"], len(sources["datasources"])), (1, 1), "data sources")
    source = sources["datasources"][0]
    equal((source["type"], source["access"], source["isDefault"]), ("prometheus", "proxy", True), "data source")
    check(source["uid"] and source["name"], "a data source without a fixed uid")
    scraped = parsed(DEPLOY / "prometheus" / "prometheus.yml")["global"]["scrape_interval"]
    equal((source["jsonData"]["timeInterval"], scraped), (scraped, f"{linting.SCRAPE_S}s"), "scrape interval")
    providers = parsed(provisioning / "dashboards" / "sidelight.yaml")
    equal((providers["apiVersion"], len(providers["providers"])), (1, 1), "providers")
    provider = providers["providers"][0]
    equal((provider["type"], provider["allowUiUpdates"]), ("file", False), "provider")
    check(provider["options"]["path"].startswith("/"), "a path that depends on where Grafana was started")


@case
def prometheus_scrapes_the_machine_and_knows_an_alertmanager():
    for name in ("prometheus.yml", "prometheus-kubernetes.yml"):
        told = parsed(DEPLOY / "prometheus" / name)
        known = [target for one in told["alerting"]["alertmanagers"] for group in one["static_configs"]
                 for target in group["targets"] or ()]
        check(known, f"{name} names no Alertmanager")
        scraped = {one["job_name"]: [target for group in one.get("static_configs", ()) for target in group["targets"]]
                   for one in told["scrape_configs"]}
        check(scraped["node"] and scraped["prometheus"], lambda: f"{name} leaves out what a row is about: {scraped}")


# -- what they show ------------------------------------------------------------------------------

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


SCENE = None


@functools.cache
def shown():
    """Traffic of some time, the last part of it of a new version and shifted: all cases look at it."""
    SCENE.waits(30)
    SCENE.changed = time.time()
    SCENE.version, SCENE.shift = "2", 2.0
    SCENE.waits(30)
    return Shown(SCENE)


@functools.cache
def is_limited():
    """Whether the scene runs in a cgroup with a limit of memory, which agents export then."""
    return "sidelight_memory_limit_bytes " in h.request(SCENE.jobs["ml-api"][0], "GET", "/metrics").body.decode()


def every_target():
    return [(dashboard, panel, target) for dashboard in DASHBOARDS.values() for panel in panels(dashboard)
            for target in panel["targets"] if is_limited() or "sidelight_memory_limit_bytes" not in target["expr"]]


@case
def every_query_of_every_panel_gives_something_with_the_labels_of_its_legend():
    view = shown()
    for dashboard, panel, target in every_target():
        found = view.waited(dashboard, panel, target, {})
        for label in set(re.findall(r"{{(\w+)}}", target["legendFormat"])):
            check(all(label in metric for metric, _ in found), lambda: f"{panel['title']}: {label} of {found[0][0]}")
        check(target["format"] != "heatmap" or len(found) > 5, f"{panel['title']}: few edges")
    print(f"    {len(every_target())} queries of {sum(len(panels(one)) for one in DASHBOARDS.values())} panels")


@case
def what_is_chosen_is_what_is_shown():
    view = shown()
    iris, scores = view.scene.jobs["ml-api"][0], view.scene.jobs["ml-api/scores"][0]
    node = [f"{h.HOST}:{view.scene.jobs['node'][0]}"]
    choices = ({"job": ["ml-api"], "instance": [f"{h.HOST}:{iris}"], "model": ["default"],
                "model_version": ["1.0.0"], "node": node},
               {"job": ["ml-api/scores", "ml-api/more"], "instance": [f"{h.HOST}:{scores}"],
                "model": ["scores", "prices"], "model_version": ["1", "2"], "node": node})
    for dashboard, panel, target in every_target():
        def some():
            found = [view.answer(dashboard, target, chosen) for chosen in choices]
            return any(found) and found

        answers = wait_until(some, f"{panel['title']} {target['refId']} to be of what was chosen", pause=1)
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


@case
def variables_offer_what_there_is():
    view = shown()
    offered = {}
    for name, one in linting.variables(MODEL).items():
        if one["type"] == "query":
            metric, _, label = one["query"]["query"][len("label_values("):-1].rpartition(", ")
            text = view.filled(metric)
            offered[name] = view.prometheus.ask(f"/api/v1/label/{label}/values?match[]={quote(text)}")
    equal(offered["job"], ["ml-api", "ml-api/scores"], "jobs")
    equal(offered["instance"], sorted(f"{h.HOST}:{port}" for job in offered["job"] for port in view.scene.jobs[job]),
          "replicas")
    equal(offered["model"], ["default", "prices", "scores"], "models")
    equal(offered["model_version"], ["1", "1.0.0", "2"], "versions")
    equal(offered["node"], [f"{h.HOST}:{view.scene.jobs['node'][0]}"], "machines")


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
    now, began = time.time(), view.scene.began
    for one in MODEL["annotations"]["list"]:
        text = view.filled(one["target"]["expr"])
        marks = {metric["model_version"]: float(samples[0][0]) for metric, samples in
                 view.prometheus.over(text, began - 10, now, 1) if metric["model"] == "scores"}
        equal(set(marks), {"1", "2"}, f"versions that {one['name']} marks")
        check(marks["1"] < view.scene.changed, f"{one['name']} of the first version at {marks['1'] - began:.0f} s")
        check(view.scene.changed - 1 <= marks["2"] < now, f"{one['name']} of the second at {marks['2'] - began:.0f} s")
    # and the start of each Sidelight, on the dashboard of these
    one, = AGENT["annotations"]["list"]
    marks = {metric["instance"] for metric, _ in
             view.prometheus.over(view.filled(one["target"]["expr"], AGENT), began - 10, now, 1)}
    equal(marks, {f"{h.HOST}:{port}" for name, ports in view.scene.jobs.items() for port in ports
                  if name.startswith("ml-api")}, "starts that are marked")
    for dashboard in DASHBOARDS.values():
        for one in dashboard["annotations"]["list"]:
            for label in re.findall(r"{{(\w+)}}", one["textFormat"]):
                check(re.search(rf"by [(][^)]*\b{label}\b", one["target"]["expr"]), f"{label} of {one['name']}")


if __name__ == "__main__":
    stack.needs("prometheus", "prometheus-node-exporter", "node")
    # before the cases, for each ends what it has started
    with Scene() as SCENE:
        h.main("dashboards")
