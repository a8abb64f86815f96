#!/usr/bin/env python3
"""From traffic to the notice: what the shipped rules and configurations make of a model's bad days.

Three replicas of a model, each behind a Sidelight, and an hour that is a minute. Scenarios come one after the other:
windows of an hour empty while the next one goes on, and what still fires from before is known. Nothing fires that is
not said here, what is wanted fires within its time, and all of it resolves.

Needs Debian's `prometheus`, `prometheus-alertmanager` and `prometheus-node-exporter`, and the release binary.
"""

import math

import fleet
import harness as h
import stack
from fleet import Fault
from harness import case, check, equal, wait_until
from stack import DEPLOY
from stage import BUDGET, FEW, HOUR, PATIENCE, REPLICAS, STAGE, USUAL, Scene, generate, names, resolved

# what is said of the same cause from another side
OWN = "each replica finds by itself what is that large"
SAME = "what the model says is otherwise as well"


@case
def a_quiet_hour_fires_nothing():
    with Scene() as scene:
        STAGE.traffic.rate, STAGE.traffic.is_even = FEW * REPLICAS / HOUR, True
        STAGE.warm()
        scene.began_and_fire()
        equal(STAGE.prometheus.query(f'count_over_time(ALERTS{{alertstate="firing"}}[{HOUR:.0f}s])'), [], "fired")
        predictions = STAGE.prometheus.value("sum(model:ml_confidence:increase1h)")
        check(predictions >= 100, f"{predictions} predictions within an hour")
        for job, count in (("ml-api", REPLICAS), ("node", 1), ("prometheus", 1)):
            equal(STAGE.prometheus.value(f'sum(up{{job="{job}"}})'), count, f"targets of {job} that answer")
        check(STAGE.prometheus.value("count(node_cpu_seconds_total)") > 0, "nothing of the machine")


class Replicas:
    """What each replica could prove by itself, with the formulas that the rules have for all of them."""

    def __init__(self):
        alpha = generate.read(DEPLOY / "slo.yaml")["drift"]["alpha"]
        hour = f"{HOUR:.0f}s"
        count = f"sum by (instance) (increase(ml_model_prediction_confidence_count[{hour}]))"
        self.ks = f"""max by (instance) (abs(
            sum by (instance, le) (increase(ml_model_prediction_confidence_bucket[{hour}]))
            / on (instance) group_left () ({count} > 0)
            - on (instance, le) ml_drift_baseline_cdf_ratio))"""
        self.critical = f"""{math.sqrt(-math.log(alpha / 2) / 2):.4f} * sqrt(1 / ({count} > 0)
            + on (instance) 1 / max by (instance) (ml_drift_baseline_samples{{series="confidence"}}))"""

    def largest(self):
        """By instance, KS over its critical value; 1 would be proof."""
        return STAGE.prometheus.by(f"{self.ks} / on (instance) ({self.critical})", "instance")


def less_confident(pool, shift, edge):
    """Moves so large a share of the confidences from above `edge` to below it; classes stay."""
    below = pool.share_to(edge)
    moved = fleet.Share(shift / (1 - below))
    lower = [one for one in pool.confidences if one <= edge]
    places = iter(range(1, 10**9))

    def change(prediction):
        if prediction["confidence"] > edge and moved.hit():
            prediction["confidence"] = lower[int(next(places) * fleet.GOLDEN % 1 * len(lower))]
    return Fault(change=change)


@case
def a_shift_that_only_the_whole_fleet_can_prove_fires_and_resolves():
    STAGE.warm()
    replicas, most = Replicas(), 0.0
    with Scene("MlConfidenceDrift") as scene:
        # an hour of even traffic, so that no replica has a shift by chance as well
        STAGE.traffic.rate, STAGE.traffic.is_even = FEW * REPLICAS / HOUR, True
        STAGE.fleet.set_fault(lambda: less_confident(STAGE.pool, 0.15, 0.95))

        def is_told(began, _):
            nonlocal most
            own = replicas.largest()
            equal(len(own), REPLICAS, "replicas")
            most = max(most, *own.values())
            return scene.must <= began
        scene.until(is_told, "the fleet's drift to fire")
        scene.fires()
        fleets = STAGE.prometheus.value("model:ml_confidence:ks1h / model:ml_confidence:ks_critical1h")
        print(f"       KS over its critical value: {fleets:.2f} of the fleet, at most {most:.2f} of a replica")
        check(most < 1 < fleets, f"a replica proves it alone: {most}, and the fleet {fleets}")
        own = STAGE.prometheus.query(f'max_over_time(ml_drift_detected[{HOUR:.0f}s]) > 0')
        equal(own, [], "what replicas found by themselves")
        scene.resolves()
    STAGE.traffic.is_even = False


def relabelled(prediction):
    """A model that takes one class for another, and is as sure as ever."""
    shares = prediction["probabilities"]
    if prediction["prediction"] == "versicolor":
        prediction["prediction"] = "virginica"
        shares["versicolor"], shares["virginica"] = shares["virginica"], shares["versicolor"]


@case
def another_balance_of_classes_fires():
    with Scene("MlClassBalanceShift", may={"MlDistributionShift": OWN}) as scene:
        STAGE.fleet.set_fault(lambda: Fault(change=relabelled))
        scene.fires()


@case
def failed_requests_fire_and_resolve():
    with Scene("HighErrorRate", "MlErrorBudgetBurn") as scene:
        STAGE.fleet.set_fault(lambda: Fault(fails=0.5))
        scene.fires()
        scene.resolves()


@case
def an_agent_that_is_down_fires_and_resolves():
    with Scene("MlAgentDown") as scene:
        STAGE.fleet.replicas[1].kill_agent()
        scene.fires()
        scene.resolves()


@case
def a_slow_model_fires_and_resolves():
    with Scene("HighLatency", "MlLatencyBudgetBurn") as scene:
        # one request of a hundred needs a hundred of them within five minutes
        STAGE.traffic.rate = 3 * 100 / (HOUR / 12)
        STAGE.fleet.set_fault(lambda: Fault(slow=0.2, seconds=1.3))
        scene.fires()
        scene.resolves()


@case
def bodies_that_cannot_be_read_fire_and_resolve():
    with Scene("MlPredictionsUnread") as scene:
        STAGE.fleet.set_fault(lambda: Fault(unreadable=0.3))
        scene.fires()
        scene.resolves()


@case
def the_balance_of_classes_has_resolved():
    resolved("MlClassBalanceShift", "MlDistributionShift")


def unsure(prediction):
    """A model that hardly knows; the class stays the likeliest."""
    best = prediction["prediction"]
    prediction["probabilities"] = {name: 0.45 if name == best else 0.275 for name in prediction["probabilities"]}
    prediction["confidence"] = 0.45


@case
def low_confidence_fires():
    with Scene("LowPredictionConfidence", "MlLowConfidence",
               may={"MlConfidenceDrift": SAME, "MlDistributionShift": OWN}) as scene:
        STAGE.fleet.set_fault(lambda: Fault(change=unsure))
        scene.fires()


DOWN = {"HighErrorRate": "what was under way when the model ended has failed", "MlErrorBudgetBurn": BUDGET,
        "MlReplicaOutlier": "and it was that replica's"}


@case
def a_model_that_is_down_fires_and_resolves():
    with Scene("ModelNotLoaded", may=DOWN) as scene:
        STAGE.fleet.replicas[0].kill_model()
        scene.fires()
        scene.resolves()


@case
def a_model_that_is_loaded_nowhere_fires_and_resolves():
    may = {**DOWN, "ModelNotLoaded": "the first of them is down before the others"}
    with Scene("MlModelNotLoaded", may=may) as scene:
        for replica in STAGE.fleet.replicas:
            replica.kill_model()
        scene.fires()
        scene.resolves()


@case
def low_confidence_has_resolved():
    resolved("LowPredictionConfidence", "MlLowConfidence")


@case
def inches_for_centimetres_fire():
    with Scene("MlFeatureDrift", may={"MlDistributionShift": OWN, "MlClassBalanceShift": SAME,
                                      "MlConfidenceDrift": SAME}) as scene:
        STAGE.traffic.in_inches = True
        scene.fires()


@case
def inches_for_centimetres_have_resolved():
    # what replicas find by themselves ends after so many predictions, not after so much time
    resolved("MlFeatureDrift", "MlDistributionShift", "MlClassBalanceShift", "MlConfidenceDrift", rate=2 * USUAL)


@case
def nothing_fires_when_all_is_over_and_every_notice_says_what_is_wrong():
    resolved(*names(alert["labels"] for alert in STAGE.receiver.got))
    wait_until(lambda: not STAGE.firing(), "Prometheus to say so as well", PATIENCE)
    for alert in STAGE.receiver.got:
        check(alert["annotations"]["summary"], f"no summary: {alert}")
        page = alert["annotations"]["runbook_url"]
        check((h.ROOT / page).is_file(), f"no page {page}")


if __name__ == "__main__":
    stack.needs("prometheus", "promtool", "prometheus-alertmanager", "prometheus-node-exporter")
    with STAGE:
        h.main("alerting")
