"""A dashboard as somebody sees it who opens it in Grafana. No case."""

import math
import time

from harness import check, equal, wait_until
from linting import DASHBOARDS, VARIABLE, filled, panels
from scene import SCRAPE_S


class Shown:
    """Dashboards on a scene that has been running for a while; asked as Grafana would."""

    model = DASHBOARDS["sidelight-model"]

    def __init__(self, scene, step_s=2):
        self.scene, self.prometheus, self.step_s = scene, scene.prometheus, step_s

    def filled(self, expression, dashboard=model, chosen=None, span_s=60):
        text = filled(expression, dashboard, chosen or {}, span_s, self.step_s, SCRAPE_S)
        check(not VARIABLE.search(text), f"not replaced in {text}")
        return text

    def answer(self, dashboard, target, chosen):
        """Labels and samples of a query over the time that there is."""
        now, span_s = time.time(), math.ceil(time.time() - self.scene.began)
        text = self.filled(target["expr"], dashboard, chosen, span_s)
        if target.get("instant"):
            return self.prometheus.once(text, now)
        return self.prometheus.over(text, now - span_s, now, self.step_s)

    def waited(self, dashboard, panel, target, chosen):
        """The same with something in it: rules and windows need a few samples first."""
        def some():
            found = self.answer(dashboard, target, chosen)
            return any(value != "NaN" for _, samples in found for _, value in samples) and found
        return wait_until(some, f"{panel['title']} {target['refId']}: {target['expr']}", pause=1)

    def value(self, title, **labels):
        """The last value of a panel's one query, of one series."""
        panel = next(panel for panel in panels(self.model) if panel["title"] == title)
        found = [float(samples[-1][1]) for metric, samples in self.answer(self.model, panel["targets"][0], {})
                 if all(metric.get(name) == value for name, value in labels.items())]
        equal(len(found), 1, f"series of {title} with {labels}")
        return found[0]
