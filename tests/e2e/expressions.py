"""What expressions of Prometheus ask for, beside what is exported and recorded. No case: suites use it."""

import re
import sys

import harness as h
from stack import DEPLOY

sys.path.insert(0, str(DEPLOY))
import alerts as made_alerts  # noqa: E402
import durations  # noqa: E402,F401 - for suites
import generate  # noqa: E402
import recording as made_recording  # noqa: E402

SLO = generate.read(DEPLOY / "slo.yaml")
RECORDED = dict(rule for _, rules in made_recording.groups(SLO) for rule in rules)
# what Prometheus says of its targets and of itself, and Alertmanager of itself
OF_PROMETHEUS = {"up": (), "prometheus_notifications_alertmanagers_discovered": (),
                 "prometheus_notifications_dropped_total": (),
                 "alertmanager_notifications_failed_total": ("integration",),
                 "alertmanager_notifications_total": ("integration",),
                 "prometheus_config_last_reload_successful": (), "scrape_duration_seconds": (),
                 "scrape_samples_scraped": (), "ALERTS": ("alertname", "alertstate", "area", "severity", "model")}
# labels of what is recorded, by the first part of its name
LEVELS = {"instance": (), "job": (), "job_endpoint": ("endpoint",), "model": ("model", "model_version"),
          "model_series": ("model", "model_version", "series"),
          "model_series_bin": ("model", "model_version", "series", "bin")}
WORDS = {"and", "or", "unless", "bool"}


def catalogue():
    """Of every family its kind, labels and edges, as the source has them."""
    text = (h.ROOT / "src" / "metrics" / "catalogue.rs").read_text(encoding="utf-8")
    edges = {name: [float(edge.replace("_", "")) for edge in values.split(",") if edge.strip()]
             for name, values in re.findall(r"const (\w+): &\[f64\] = &\[([^]]*)\]", text)}
    found = {}
    for name, kind, which, labels in re.findall(r'"(\w+)" Kind::(\w+)(?:\((\w+)\))?, \[([^]]*)\]', text):
        names = re.findall(r'"(\w+)"', labels)
        if kind == "Histogram":
            found[f"{name}_bucket"] = ([*names, "le"], edges[which])
            found[f"{name}_sum"] = found[f"{name}_count"] = (names, ())
        else:
            found[name] = (names, ())
    return found


CATALOGUE = catalogue()


def bare(expression):
    """An expression without its clauses of labels and offsets, its texts put aside, and these texts."""
    # values of labels may hold anything
    values = []

    def aside(match):
        values.append(match.group(0)[1:-1])
        return f'"{len(values) - 1}"'

    text = re.sub(r'"(?:[^"\\]|\\.)*"', aside, expression)
    text = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    return re.sub(r"\boffset\s+\w+", "", text), values


def selectors(expression):
    """Every metric of an expression, with the names and values of the labels that are asked for."""
    text, values = bare(expression)
    text = re.sub(r"\[[^]]*\]", "", text)
    for name, is_call, labels in re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\s*(\(?)(?:\{([^}]*)\})?", text):
        if not is_call and name not in WORDS:
            asked = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"(\d+)"', labels)
            yield name, [(label, values[int(place)]) for label, place in asked]


def uses(expression):
    """Every metric of an expression, with the functions that it is in, the innermost last, and its window."""
    text, _ = bare(expression)
    calls, called = [], ""
    for match in re.finditer(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?(?:\[([^]]*)\])?|\(|\)", text):
        name, window = match.groups()
        if name and text[match.end():].lstrip().startswith("("):
            called = name
        elif name and name not in WORDS:
            yield name, list(calls), window
        elif match.group() == "(":
            calls.append(called)
            called = ""
        elif match.group() == ")":
            calls.pop()


def unknown(expression):
    """What an expression asks for that nobody exports."""
    for name, asked in selectors(expression):
        if name in RECORDED:
            known, edges = LEVELS[name.partition(":")[0]], ()
        elif name in OF_PROMETHEUS or name.startswith("node_"):
            known, edges = OF_PROMETHEUS.get(name), ()
        elif name in CATALOGUE:
            known, edges = CATALOGUE[name]
        else:
            yield name
            continue
        for label, value in asked:
            is_of_all = name in RECORDED and not name.startswith("instance:")
            if known is not None and label not in (*known, "job", *(() if is_of_all else ("instance",))):
                yield f"{label} of {name}"
            if label == "le" and edges and float(value.replace("([.]0)?", "")) not in edges:
                yield f"edge {value} of {name}"
