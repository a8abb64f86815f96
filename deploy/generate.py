#!/usr/bin/env python3
"""Writes Prometheus's rules, also for its operator, and Grafana's dashboards from slo.yaml; with `--check` it only says
which are stale.

`--into FOLDER` has the rules elsewhere. With `--times N` all that takes time takes N times less of it, to see in
minutes what fires when: windows, offsets, for how long it must be so, and how often it is asked.

Python's standard library is all it needs. What they say is in recording.py, alerts.py and dashboards.py.
"""

import argparse
import json
import pathlib
import re
import sys

import alerts
import dashboards
import recording
from durations import shorten, shorter, text_of

DEPLOY = pathlib.Path(__file__).resolve().parent
RULES = DEPLOY / "prometheus" / "rules"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
# for the operator of Prometheus: an object of Kubernetes, and what the chart makes one of
OBJECT = DEPLOY / "kubernetes" / "overlays" / "monitoring" / "rules.yaml"
OF_CHART = DEPLOY / "helm" / "sidelight" / "files" / "rules.yaml"
HEAD = "# Made from deploy/slo.yaml by deploy/generate.py. Changes belong there: they are lost here.\n"


def read(path):
    """Sections of plain values: all the YAML that slo.yaml is written in. Anything else is an error."""
    found, section = {}, None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not text:
            continue
        name, colon, value = text.strip().partition(":")
        if not colon or not name.isidentifier() or text.startswith("  ") == (not value.strip()):
            sys.exit(f"{path}:{number}: a section, or two spaces, a name and a value are expected: {line!r}")
        if not text.startswith(" "):
            section = found.setdefault(name, {})
        elif section is None or name in section:
            sys.exit(f"{path}:{number}: {name} has no section, or is there twice")
        else:
            section[name] = value_of(value.strip())
    return found


def value_of(text):
    """A number where it looks like one."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def literal(text, indent):
    """A block of text, kept as it is."""
    return "|-\n" + "\n".join(" " * indent + line for line in text.strip().splitlines())


def hurried(slo, times):
    """Objectives of which all that takes time is to take so many times less."""
    if times == 1:
        return slo
    told = slo["prometheus"]
    return {**slo, "prometheus": {**told, "interval": told["interval"] / times, "times": times}}


def head_of(group, slo):
    return [f"  - name: {group}", f"    interval: {text_of(slo['prometheus']['interval'])}", "    rules:"]


def expression_of(text, slo):
    return f"        expr: {literal(shorten(text, alerts.times(slo)), 10)}"


def recording_file(slo):
    lines = [HEAD, "groups:"]
    for group, rules in recording.groups(slo):
        lines += head_of(group, slo)
        for name, expression in rules:
            lines += [f"      - record: {name}", expression_of(expression, slo)]
    return "\n".join(lines) + "\n"


def alerts_file(slo):
    lines = [HEAD, "groups:"]
    for group, rules in alerts.groups(slo):
        lines += head_of(group, slo)
        for alert in rules:
            lines += [f"      - alert: {alert.name}", expression_of(alert.expr, slo)]
            lines += [f"        for: {shorter(alert.hold, alerts.times(slo))}"] if alert.hold else []
            lines.append("        labels:")
            lines += [f"          {name}: {value}" for name, value in alert.labels().items()]
            lines += ["        annotations:", f"          summary: {json.dumps(alert.summary)}",
                      f"          runbook_url: {slo['prometheus']['runbooks']}/{alert.name}.md"]
    return "\n".join(lines) + "\n"


def operator_files(*texts):
    """The rules of these files, in those of Prometheus's operator."""
    groups = "".join(text.partition("groups:\n")[2] for text in texts)
    indented = re.sub(r"^(?=.)", "  ", groups, flags=re.M)
    head = [HEAD + "apiVersion: monitoring.coreos.com/v1", "kind: PrometheusRule", "metadata:", "  name: sidelight",
            "  labels:", "    app.kubernetes.io/name: sidelight", "    app.kubernetes.io/part-of: sidelight", "spec:"]
    return {OBJECT: "\n".join(head) + f"\n  groups:\n{indented}", OF_CHART: f"{HEAD}groups:\n{groups}"}


def files(slo, rules=RULES):
    """What is to be in which file."""
    found = {rules / "recording.yml": recording_file(slo), rules / "alerts.yml": alerts_file(slo)}
    if rules == RULES:
        found |= operator_files(*found.values())
        found |= {DASHBOARDS / name: text for name, text in dashboards.files(slo).items()}
    return found


def asked():
    parser = argparse.ArgumentParser(prog="deploy/generate.py",
                                     description="Prometheus's rules and Grafana's dashboards from slo.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing, say whether they are stale")
    parser.add_argument("--into", metavar="FOLDER", type=pathlib.Path, help="where rules are, and nothing else")
    parser.add_argument("--times", metavar="N", type=float, default=1, help="how many times less everything takes")
    args = parser.parse_args()
    if args.times < 1 or (args.times != 1 and args.into is None):
        parser.error("--times is 1 or more, and goes with --into: what is shipped keeps its time")
    return args


def main():
    args = asked()
    slo = hurried(read(DEPLOY / "slo.yaml"), args.times)
    wanted = files(slo, args.into) if args.into else files(slo)
    stale = [path for path, text in wanted.items()
             if not path.exists() or path.read_text(encoding="utf-8") != text]
    if args.check:
        sys.exit("".join(f"{path} is stale: python3 deploy/generate.py\n" for path in stale) or 0)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")


if __name__ == "__main__":
    main()
