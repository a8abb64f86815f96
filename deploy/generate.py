#!/usr/bin/env python3
"""Writes Prometheus's rules and Grafana's dashboards from slo.yaml; with `--check` it only says which are stale.

Python's standard library is all it needs. What they say is in recording.py, alerts.py and dashboards.py.
"""

import json
import pathlib
import re
import sys

import alerts
import dashboards
import recording

DEPLOY = pathlib.Path(__file__).resolve().parent
RULES = DEPLOY / "prometheus" / "rules"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
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


def recording_file(slo):
    lines = [HEAD, "groups:"]
    for group, rules in recording.groups(slo):
        lines += [f"  - name: {group}", f"    interval: {slo['prometheus']['interval']}s", "    rules:"]
        for name, expression in rules:
            lines += [f"      - record: {name}", f"        expr: {literal(expression, 10)}"]
    return "\n".join(lines) + "\n"


def alerts_file(slo):
    lines = [HEAD, "groups:"]
    for group, rules in alerts.groups(slo):
        lines += [f"  - name: {group}", f"    interval: {slo['prometheus']['interval']}s", "    rules:"]
        for alert in rules:
            lines += [f"      - alert: {alert.name}", f"        expr: {literal(alert.expr, 10)}"]
            lines += [f"        for: {alert.hold}"] if alert.hold else []
            lines.append("        labels:")
            lines += [f"          {name}: {value}" for name, value in alert.labels().items()]
            lines += ["        annotations:", f"          summary: {json.dumps(alert.summary)}",
                      f"          runbook_url: {slo['prometheus']['runbooks']}/{alert.name}.md"]
    return "\n".join(lines) + "\n"


def files(slo):
    """What is to be in which file."""
    return {RULES / "recording.yml": recording_file(slo), RULES / "alerts.yml": alerts_file(slo),
            **{DASHBOARDS / name: text for name, text in dashboards.files(slo).items()}}


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: deploy/generate.py [--check]")
    wanted = files(read(DEPLOY / "slo.yaml"))
    stale = [path for path, text in wanted.items()
             if not path.exists() or path.read_text(encoding="utf-8") != text]
    if sys.argv[1:]:
        sys.exit("".join(f"{path} is stale: python3 deploy/generate.py\n" for path in stale) or 0)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")


if __name__ == "__main__":
    main()
