#!/usr/bin/env python3
"""Draws docs/monitoring/*.svg: the dashboards' panels with what a real Prometheus answers, after minutes of traffic.

It is no Grafana, and draws no more than shows what is to be seen where. Needs what `dashboards.py` needs.
`--again` draws the answers of the last time once more.
"""

import json
import re
import sys
import time

import drawing
import harness as h
from linting import DASHBOARDS
from scene import Scene
from viewing import Shown

ANSWERS = h.ROOT / ".cache" / "grafana" / "answers.json"
FOLDER = h.ROOT / "docs" / "monitoring"
STEP_S = 10
# seconds, and what changes then: failures and slow ones for a while, a new version, then drift and holes
TURNS = ((240, {"is_stuck": False, "holes": 0.002, "odd": 0.005, "failing": 0.002}),
         (90, {"failing": 0.4, "slow_s": 0.4}), (150, {"failing": 0.002, "slow_s": 0.0}), (150, {"version": "2"}),
         (270, {"shift": 1.5, "holes": 0.08}))


def gather():
    """Answers to every query, by dashboard, panel and query."""
    with Scene() as scene:
        for seconds, change in TURNS:
            vars(scene).update(change)
            scene.waits(seconds)
        view = Shown(scene, STEP_S)
        found = {name: {str(panel["id"]): {target["refId"]: view.answer(dashboard, target, {})
                                           for target in panel.get("targets", ())} for panel in dashboard["panels"]}
                 for name, dashboard in DASHBOARDS.items()}
        marks = {one["name"]: view.prometheus.over(view.filled(one["target"]["expr"]), scene.began, time.time(), 2)
                 for one in DASHBOARDS["sidelight-model"]["annotations"]["list"]}
    ANSWERS.parent.mkdir(parents=True, exist_ok=True)
    ANSWERS.write_text(json.dumps({"panels": found, "marks": marks}), encoding="utf-8")


def span(answers):
    """First and last second of what was answered over time."""
    times = [t for panel in answers.values() for found in panel.values() for _, samples in found for t, _ in samples
             if len(samples) > 1]
    return min(times), max(times)


def draw():
    """One picture for each row of a dashboard."""
    told = json.loads(ANSWERS.read_text(encoding="utf-8"))
    FOLDER.mkdir(exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        answers = told["panels"][name]
        # what is there when the traffic begins is no change
        first = span(answers)[0] + 30
        marks = sorted({(samples[0][0], one["iconColor"]) for one in dashboard["annotations"]["list"]
                        for _, samples in told["marks"].get(one["name"], ()) if samples[0][0] > first})
        rows, panels = [], []
        for panel in dashboard["panels"]:
            if panel["type"] == "row":
                panels = []
                rows.append((panel["title"], panels))
            else:
                panels.append(panel)
        for title, panels in rows:
            file = f"{name.removeprefix('sidelight-')}-{re.sub('[^a-z]+', '-', title.lower())}.svg"
            picture = drawing.row(title, panels, answers, span(answers), marks)
            (FOLDER / file).write_text(picture, encoding="utf-8")
            print(f"{len(picture.encode()):7,} bytes  {file}")


if __name__ == "__main__":
    if "--again" not in sys.argv:
        gather()
    draw()
