"""What Grafana's dashboards are made of, in the shape of its schema: what is shown is said elsewhere,
in dashboards.py and agent_rows.py.
"""

import json

COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TOOLTIP = {"mode": "multi", "sort": "desc"}
JOB = 'job=~"$job"'
REPLICA = f'{JOB}, instance=~"$instance"'
VERSION = f'{JOB}, model=~"$model", model_version=~"$model_version"'
MODELS = f"{REPLICA}, {VERSION.removeprefix(JOB + ', ')}"
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def rate(by, metric, selector=REPLICA, window="$__rate_interval"):
    return f"sum by ({by}) (rate({metric}{{{selector}}}[{window}]))"


def quantile(q, by, metric, selector=REPLICA):
    """Nothing rather than NaN while there is no traffic."""
    return f"histogram_quantile({q}, {rate(f'{by}, le', f'{metric}_bucket', selector)}) >= 0"


def dashboard(uid, title, about, variables, annotations, rows):
    """The whole file: bare, for it is a provider that reads it."""
    return json.dumps({
        "annotations": {"list": annotations}, "description": about, "editable": True, "graphTooltip": 1, "id": None,
        "links": [{"asDropdown": False, "icon": "external link", "includeVars": True, "keepTime": True,
                   "tags": ["sidelight"], "targetBlank": False, "title": "Sidelight", "tooltip": "",
                   "type": "dashboards"}],
        "panels": laid_out(rows), "refresh": "30s", "schemaVersion": 39, "tags": ["sidelight"],
        "templating": {"list": [source(), *variables]}, "time": {"from": "now-6h", "to": "now"}, "timepicker": {},
        "timezone": "browser", "title": title, "uid": uid, "version": 1,
    }, indent=1) + "\n"


def laid_out(rows):
    """Panels beside each other while there is room, below a heading for each row; with ids."""
    found, y = [], 0
    for title, panels in rows:
        found.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                      "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}})
        x, y, high = 0, y + 1, 0
        for panel in panels:
            w, h = panel.pop("size")
            if x + w > COLUMNS:
                x, y, high = 0, y + high, 0
            found.append({**panel, "gridPos": {"h": h, "w": w, "x": x, "y": y}})
            x, high = x + w, max(high, h)
        y += high
    return [{"id": place, **panel} for place, panel in enumerate(found, 1)]


def source():
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1,
            "hide": 0, "includeAll": False, "multi": False, "options": [], "regex": ""}


def variable(name, label, values, everything=".*"):
    """`values`: a metric, perhaps with a selector, and the label whose values there are to choose from."""
    query = f"label_values({values})"
    return {"type": "query", "name": name, "label": label, "datasource": SOURCE, "refresh": 2, "sort": 1, "hide": 0,
            "query": {"query": query, "refId": name}, "multi": True, "includeAll": True, "allValue": everything,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "options": [], "regex": ""}


def annotation(name, color, text, expr):
    """A mark where `expr` begins to give something."""
    return {"name": name, "datasource": SOURCE, "enable": True, "hide": False, "iconColor": color,
            "expr": expr, "step": "60s", "titleFormat": name, "textFormat": text, "useValueForTime": False,
            "target": {"refId": "Anno", "expr": expr, "interval": "60s", "legendFormat": text}}


def steps(base, thresholds):
    return {"mode": "absolute", "steps": [{"color": base, "value": None},
                                          *({"color": color, "value": value} for value, color in thresholds)]}


def panel(kind, title, about, queries, unit, size, options, custom=None, *, base="green", thresholds=(), color=None,
          low=None, high=None, decimals=None, mappings=(), overrides=(), instant=False, form="time_series", **more):
    """One panel; `queries`: pairs of a legend and an expression."""
    ask = {"instant": True, "range": False} if instant else {"instant": False, "range": True}
    # 26 queries are enough for anybody to read
    targets = [{"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": " ".join(expr.split()),
                "legendFormat": legend, "format": form, "editorMode": "code", **ask}
               for place, (legend, expr) in enumerate(queries)]
    defaults = {"unit": unit, "min": low, "max": high, "decimals": decimals, "custom": custom,
                "color": {"mode": color} if color else None, "mappings": list(mappings),
                "thresholds": steps(base, thresholds)}
    return {"type": kind, "title": title, "description": about, "datasource": SOURCE, "size": size,
            "targets": targets, "options": options, **more,
            "fieldConfig": {"defaults": {key: value for key, value in defaults.items() if value is not None},
                            "overrides": list(overrides)}}


def matched(matcher, what, **properties):
    """An override. `.` in the name of a property is written `_`."""
    return {"matcher": {"id": matcher, "options": what},
            "properties": [{"id": key.replace("_", ".", 1), "value": value} for key, value in properties.items()]}


def lines(title, about, unit, queries, *, size=(8, 8), stacked=False, dashed=None, log=False, thresholds=(), **more):
    """Values over time. `dashed`: the beginning of the legends of what the others are compared with."""
    overrides = [matched("byRegexp", f"/^{dashed}/", custom_lineStyle={"fill": "dash", "dash": [8, 6]},
                         custom_fillOpacity=0)] if dashed else []
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stacked else 8, "showPoints": "never",
              "spanNulls": False, "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
              "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
              "thresholdsStyle": {"mode": "dashed" if thresholds else "off"}}
    options = {"legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom",
                          "showLegend": True}, "tooltip": TOOLTIP}
    return panel("timeseries", title, about, queries, unit, size, options, custom, color="palette-classic",
                 thresholds=thresholds, overrides=overrides, **{"low": None if log else 0, **more})


def stat(title, about, unit, legend, expr, *, size=(3, 5), instant=True, graph=False, **more):
    options = {"colorMode": "value", "graphMode": "area" if graph else "none", "justifyMode": "center",
               "orientation": "auto", "percentChangeColorMode": "standard", "reduceOptions": LAST,
               "showPercentChange": False, "textMode": "auto", "wideLayout": True}
    return panel("stat", title, about, [(legend, expr)], unit, size, options, color="thresholds",
                 instant=instant and not graph, **more)


def bars(title, about, unit, queries, *, size=(8, 8), **more):
    options = {"displayMode": "gradient", "legend": {"calcs": [], "displayMode": "list", "placement": "bottom",
                                                     "showLegend": False},
               "maxVizHeight": 60, "minVizHeight": 12, "minVizWidth": 8, "namePlacement": "auto",
               "orientation": "horizontal", "reduceOptions": LAST, "showUnfilled": True, "sizing": "auto",
               "valueMode": "color"}
    return panel("bargauge", title, about, queries, unit, size, options, color="palette-classic", instant=True, low=0,
                 **more)


def heatmap(title, about, unit, buckets, *, size=(12, 8), **more):
    """`buckets`: cumulative ones by `le`; Grafana takes each from the next."""
    options = {"calculate": False, "cellGap": 1, "cellValues": {"unit": "short"},
               "color": {"exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": False,
                         "scale": "exponential", "scheme": "Oranges", "steps": 64},
               "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9}, "legend": {"show": True},
               "rowsFrame": {"layout": "auto"}, "showValue": "never",
               "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
               "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit}}
    custom = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"}}
    return panel("heatmap", title, about, [("{{le}}", buckets)], unit, size, options, custom, form="heatmap", **more)


def table(title, about, columns, *, size=(24, 9), unit="short", overrides=(), first=None, **more):
    """`columns`: names and expressions; rows are the sets of labels that these have in common.

    `first`: the column whose largest values come first.
    """
    names = {f"Value #{chr(ord('A') + place)}" if len(columns) > 1 else "Value": name
             for place, (name, _) in enumerate(columns)}
    changed = [{"id": "merge", "options": {}},
               {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {},
                                              "renameByName": names}}]
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    options = {"cellHeight": "sm", "frameIndex": 0, "showHeader": True,
               "sortBy": [{"displayName": first, "desc": True}] if first else []}
    return panel("table", title, about, columns, unit, size, options, custom, form="table", instant=True,
                 transformations=changed, overrides=overrides, **more)
