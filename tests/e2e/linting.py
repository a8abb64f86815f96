"""What may not be wrong with a dashboard of Grafana's, and how Grafana puts values into its queries. No case."""

import json
import re

from expressions import CATALOGUE, DEPLOY, RECORDED, unknown, uses

DASHBOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8"))
              for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))}
COLUMNS = 24
SCRAPE_S = 15
KINDS = {"timeseries", "stat", "bargauge", "heatmap", "table"}
UNITS = {"percentunit", "s", "reqps", "cps", "short", "bytes", "Bps"}
RATES = {"rate", "increase", "changes"}
# of counters these say nothing of their height
EXISTENCE = {"count", "absent"}
AGGREGATIONS = {"sum", "max", "min", "avg", "count", "topk"}
OF_GRAFANA = {"__range", "__rate_interval"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
VARIABLE = re.compile(r"\$\{?([a-zA-Z_]\w*)\}?")


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def variables(dashboard):
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def asked(dashboard):
    """Every expression with what it is of: panels, annotations, variables."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for one in dashboard["annotations"]["list"]:
        yield one["name"], one["target"]["expr"]
    for one in variables(dashboard).values():
        if one["type"] == "query":
            yield f"${one['name']}", one["query"]["query"].removeprefix("label_values(").rpartition(",")[0]


def faults(dashboard):
    """All that is wrong with it, in words."""
    yield from of_the_whole(dashboard)
    for panel in panels(dashboard):
        yield from (f"{panel['title']}: {what}" for what in of_panel(panel))
    for name, expression in asked(dashboard):
        yield from (f"{name}: {what}" for what in of_expression(expression, name.startswith("$")))


def of_the_whole(dashboard):
    if not re.fullmatch(r"[a-z][a-z0-9-]{4,39}", dashboard.get("uid") or ""):
        yield "no fixed uid"
    if dashboard.get("schemaVersion", 0) < 39 or dashboard.get("id") is not None:
        yield "an old schema, or the id of one Grafana"
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        yield "ids of panels are there twice"
    taken = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > COLUMNS or min(at.values()) < 0 or not at["w"] * at["h"]:
            yield f"{panel['title']}: beyond the grid"
        for place in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if place in taken:
                yield f"{panel['title']}: over {taken[place]}"
                break
            taken[place] = panel["title"]
    known = variables(dashboard)
    named = {name for _, text in asked(dashboard) for name in VARIABLE.findall(text)} - OF_GRAFANA
    sources = {source["uid"] for source in sources_of(dashboard)}
    if sources != {"${datasource}"} or known.get("datasource", {}).get("type") != "datasource":
        yield f"a data source that is not chosen: {sources}"
    for name in named ^ (set(known) - {"datasource"}):
        yield f"${name} is not {'defined' if name in named else 'used'}"


def sources_of(part):
    """Every data source that is named anywhere."""
    if isinstance(part, dict):
        if isinstance(part.get("datasource"), dict):
            yield part["datasource"]
        for value in part.values():
            yield from sources_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from sources_of(value)


def of_panel(panel):
    if panel["type"] not in KINDS:
        yield f"a panel of kind {panel['type']}"
    if not panel.get("title") or not re.fullmatch(r"[A-Z].{10,}[.]", panel.get("description") or ""):
        yield "no title, or no sentence of description"
    if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
        yield "no unit"
    names = [target["refId"] for target in panel["targets"]]
    if not names or len(names) != len(set(names)):
        yield "no query, or two of one name"
    for target in panel["targets"]:
        if not target.get("legendFormat"):
            yield f"{target['refId']} has no legend"
        if target["instant"] == target["range"]:
            yield f"{target['refId']} asks neither once nor over time"


def window_s(window):
    """Seconds of a window; what Grafana chooses is long enough."""
    if window.removeprefix("$") in OF_GRAFANA:
        return float("inf")
    number, unit = re.fullmatch(r"(\d+)([smhd])", window).groups()
    return int(number) * SECONDS[unit]


def of_expression(expression, is_of_variable):
    for what in unknown(expression):
        yield f"nobody exports {what}"
    for name, calls, window in () if is_of_variable else uses(expression):
        is_counter = name.endswith(("_total", "_bucket", "_count", "_sum"))
        if is_counter and not RATES & set(calls) and not EXISTENCE & set(calls):
            yield f"{name} as it is counted"
        if "rate" in calls or "increase" in calls:
            if not window or window_s(window) < 2 * SCRAPE_S:
                yield f"{name} over {window}: fewer than two scrapes"
        if name not in RECORDED and name != "ALERTS" and not AGGREGATIONS & set(calls):
            yield f"{name} of each instance by itself"
        if "histogram_quantile" in calls and not re.search(r"sum by \([^)]*\ble\)", expression):
            yield f"{name}: a quantile without a sum by le"


def shown(dashboards):
    """Families of the catalogue that a query of a panel is about."""
    names = {name for one in dashboards for panel in panels(one) for target in panel["targets"]
             for name, *_ in uses(with_rules(target["expr"]))}
    return {re.sub(r"_(bucket|sum|count)$", "", name) if name in CATALOGUE else name for name in names}


def with_rules(expression):
    """An expression and those of all that it asks the rules for."""
    found, todo = [], [expression]
    while todo:
        found.append(todo.pop())
        todo += [RECORDED[name] for name, *_ in uses(found[-1]) if name in RECORDED]
    return " or ".join(found)


# -- as Grafana does it --------------------------------------------------------------------------

def escaped(value):
    """A value of a variable within a text of PromQL that is a regular expression."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", lambda match: "\\\\" + match.group(), value.replace("\\", "\\\\\\\\"))


def filled(expression, dashboard, chosen, span_s, step_s, scrape_s):
    """An expression with its variables replaced; `chosen`: lists of values, and nothing of those that are All."""
    known = variables(dashboard)

    def value(match):
        name = match.group(1)
        if name == "__range":
            return f"{span_s}s"
        if name == "__rate_interval":
            return f"{max(step_s + scrape_s, 4 * scrape_s)}s"
        values = [escaped(one) for one in chosen.get(name) or ()]
        if not values:
            return known[name]["allValue"] if name in known else match.group()
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"
    return VARIABLE.sub(value, expression)
