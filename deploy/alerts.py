"""Alerts: what is wrong, how sure it is, and how urgent.

`severity`: critical wakes somebody, warning is for the day, info is a note. `area` is what inhibition goes by:
`slo` and `model` are about the model, and mean nothing of an agent that does not run.
"""

from dataclasses import dataclass, field

from recording import MODEL, SERIES

# how many times faster than allowed the budget is burnt; long and short window; for how long; how urgent
BURNS = ((14.4, "1h", "5m", "2m", "critical"), (6, "6h", "30m", "15m", "critical"),
         (3, "1d", "2h", "1h", "warning"), (1, "3d", "6h", "3h", "warning"))
VERSION = "{{ $labels.model }} {{ $labels.model_version }} of {{ $labels.job }}"
PERCENT = "{{ $value | humanizePercentage }}"
NUMBER = '{{ printf "%.2f" $value }}'


@dataclass
class Alert:
    """One rule. `hold`: for how long it must be so."""

    name: str
    hold: str
    severity: str
    area: str
    expr: str
    summary: str
    more: dict = field(default_factory=dict)

    def labels(self):
        return {"severity": self.severity, "area": self.area, **self.more}


def groups(slo):
    """Names of groups with their alerts."""
    return [("ml-slo-alerts", [*burns(slo), *course_slo(slo)]), ("ml-availability-alerts", availability(slo)),
            ("ml-outlier-alerts", outliers(slo)), ("ml-program-alerts", programs(slo)),
            ("ml-confidence-alerts", confidence(slo)), ("ml-drift-alerts", drift(slo)),
            ("ml-accuracy-alerts", accuracy()), ("ml-data-alerts", data(slo)), ("ml-baseline-alerts", baselines(slo)), ("ml-honesty-alerts", honesty(slo))]


def percent(share):
    """0.01 as people write it."""
    return f"{share * 100:g}%"


def times(slo):
    """How many times less everything takes than is written here (generate.py)."""
    return slo["prometheus"].get("times", 1)


def of_5m(slo):
    """Seconds of 5m: by so much a rate is a count."""
    return f"{300 / times(slo):g}"


def burns(slo):
    floors, every = slo["floors"], slo["prometheus"]["interval"]
    kinds = (("MlErrorBudgetBurn", "errors", "requests_failed", "requests", slo["availability"]["objective"], "failed"),
             ("MlLatencyBudgetBurn", "slow", "requests_slow", "requests_timed", slo["latency"]["objective"],
              f"took over {slo['latency']['seconds']} s"))
    found = []
    for name, what, part, whole, objective, verb in kinds:
        budget = round(1 - objective, 9)
        for factor, long, short, hold, severity in BURNS:
            limit = f"{min(factor * budget, 0.99):g}"
            found.append(Alert(name, hold, severity, "slo", f"""
job:ml_request_{what}:ratio_rate{long} > {limit}
and job:ml_request_{what}:ratio_rate{short} > {limit}
and sum_over_time(job:ml_{whole}:rate5m[{long}]) * {every} >= {floors["requests"]}
and sum_over_time(job:ml_{part}:rate5m[{long}]) * {every} >= {floors["failed"]}""",
                f"{{{{ $labels.job }}}}: {PERCENT} of the model's requests {verb} within {long}, "
                f"{percent(budget)} may.", {"window": long}))
    return found


def course_slo(slo):
    floors, latency, rate, of = slo["floors"], slo["latency"], slo["availability"]["error_rate"], of_5m(slo)
    return [
        Alert("HighErrorRate", "5m", "critical", "slo", f"""
job:ml_request_errors:ratio_rate5m > {rate}
and job:ml_requests:rate5m * {of} >= {floors["requests"]}
and job:ml_requests_failed:rate5m * {of} >= {floors["failed"]}""",
              f"{{{{ $labels.job }}}}: {PERCENT} of the model's requests failed within 5m, more than {percent(rate)}."),
        # of fewer than 100 the hundredth is the slowest
        Alert("HighLatency", "5m", "warning", "slo", f"""
job_endpoint:ml_request_duration_seconds:p99_5m > {latency["seconds"]}
and job_endpoint:ml_requests_timed:rate5m * {of} >= {max(floors["requests"], 100)}""",
              f"{{{{ $labels.endpoint }}}} of {{{{ $labels.job }}}}: one request of a hundred takes {NUMBER} s or "
              f"longer, over {latency['seconds']} s."),
    ]


def availability(slo):
    jobs, usual = slo["prometheus"]["jobs"], slo["traffic"]["usual"]
    return [
        Alert("MlAgentDown", "1m", "critical", "availability", f'up{{job=~"{jobs}"}} == 0',
              "Sidelight at {{ $labels.instance }} of {{ $labels.job }} cannot be scraped."),
        # none that answers, none where there were some within a day, or none at all: of the last no rule knows the job
        Alert("MlAgentAbsent", "5m", "critical", "availability", f"""
max by (job) (up{{job=~"{jobs}"}}) == 0
or last_over_time(job:up:count[1d]) unless on (job) up{{job=~"{jobs}"}}
or absent(up{{job=~"{jobs}"}}) unless on () last_over_time(job:up:count[1d])""",
              "No Sidelight answers{{ with $labels.job }} of {{ . }}{{ end }}: nothing is known of the model."),
        Alert("ModelNotLoaded", "1m", "critical", "model", "ml_model_loaded == 0",
              f"{VERSION} is not loaded behind {{{{ $labels.instance }}}}."),
        Alert("MlModelNotLoaded", "1m", "critical", "model", "max by (job, model) (ml_model_loaded) == 0",
              "{{ $labels.model }} of {{ $labels.job }} is loaded behind no replica."),
        # of those that paused yesterday at this time, or up to a quarter of an hour from it, it is no news
        Alert("MlTrafficStopped", "10m", "warning", "model", f"""
job:ml_requests:rate5m == 0
and avg_over_time(job:ml_requests:rate5m[6h]) > {usual}
unless min_over_time(job:ml_requests:rate5m[30m] offset 1425m) == 0""",
              "{{ $labels.job }}: no request to the model for 15 minutes."),
    ]


def outliers(slo):
    """Shares of n requests differ by chance: four standard deviations and a margin are asked for."""
    margin, floor, of = slo["replicas"]["margin"], slo["floors"]["requests"], of_5m(slo)
    return [Alert("MlReplicaOutlier", "5m", "warning", "model", f"""
instance:ml_request_{what}:excess_rate5m > {margin}
and instance:ml_{whole}:rate5m * {of} >= {floor}
and instance:ml_request_{what}:excess_rate5m ^ 2 * (instance:ml_{whole}:rate5m * {of})
  > on (job) group_left ()
  16 * job:ml_request_{what}:ratio_rate5m * (1 - job:ml_request_{what}:ratio_rate5m)""",
                  f"{{{{ $labels.instance }}}} of {{{{ $labels.job }}}}: the share of requests that {verb} is {PERCENT} "
                  "above the fleet's.", {"signal": what})
            for what, whole, verb in (("errors", "requests", "failed"), ("slow", "requests_timed", "are slow"))]


def programs(slo):
    jobs = slo["prometheus"]["jobs"]
    return [
        Alert("MlAgentRestarting", "", "warning", "availability", f"""
changes(process_start_time_seconds{{job=~"{jobs}"}}[1h]) >= {slo["replicas"]["restarts"]}""",
              "Sidelight at {{ $labels.instance }} of {{ $labels.job }} keeps starting again."),
        Alert("MlAlertmanagerMissing", "5m", "critical", "availability",
              "prometheus_notifications_alertmanagers_discovered < 1",
              "Prometheus at {{ $labels.instance }} knows no Alertmanager: no alert reaches anybody."),
        # an address that is written down is known whether anybody answers there or not
        Alert("MlAlertmanagerMissing", "5m", "critical", "availability", """
sum by (job, instance) (increase(prometheus_notifications_dropped_total[15m])) > 0""",
              'No Alertmanager took {{ printf "%.0f" $value }} alerts of Prometheus at {{ $labels.instance }} within '
              "15m.",
              {"part": "handover"}),
        Alert("MlAlertmanagerMissing", "5m", "critical", "availability", """
sum by (job, instance, integration) (increase(alertmanager_notifications_failed_total[15m])) > 0""",
              "Alertmanager at {{ $labels.instance }} could not deliver notices to {{ $labels.integration }} within "
              "15m.",
              {"part": "delivery"}),
        Alert("MlConfigReloadFailed", "", "warning", "availability",
              "sidelight_config_last_reload_successful == 0",
              "Sidelight at {{ $labels.instance }} of {{ $labels.job }} refused its new configuration and goes on with "
              "the old one.", {"program": "sidelight"}),
        Alert("MlConfigReloadFailed", "5m", "warning", "availability", "prometheus_config_last_reload_successful == 0",
              "Prometheus at {{ $labels.instance }} could not read its configuration and goes on with the old one.",
              {"program": "prometheus"}),
    ]


def confidence(slo):
    told, floor = slo["confidence"], slo["floors"]["predictions"]
    enough = f"and model:ml_confidence:increase15m >= {floor}"
    return [
        Alert("LowPredictionConfidence", "10m", "warning", "model", f"""
model:ml_confidence:mean15m < {told["mean"]}
{enough}""", f"{VERSION}: the mean confidence is {NUMBER}, below {told['mean']}."),
        Alert("MlLowConfidence", "10m", "warning", "model", f"""
model:ml_confidence_doubtful:ratio15m > {told["doubtful_share"]}
{enough}""", f"{VERSION}: {PERCENT} of the predictions have a confidence of at most {told['doubtful']}."),
    ]


def drift(slo):
    told, floor = slo["drift"], slo["floors"]["predictions"]

    def psi(series):
        return f"""
model_series:ml_drift_psi:sum1h{{{series}}} > {told["min_psi"]}
and model_series:ml_drift_psi:sum1h > model_series:ml_drift_psi:critical1h
and model_series:ml_drift_observations:increase1h >= {floor}"""

    return [
        Alert("MlConfidenceDrift", "10m", "warning", "model", f"""
model:ml_confidence:ks1h > {told["min_ks"]}
and model:ml_confidence:ks1h > model:ml_confidence:ks_critical1h
and model:ml_confidence:increase1h >= {floor}""",
              f"{VERSION}: the confidences of the whole fleet differ from the baseline, by up to {PERCENT} of them."),
        # of a wide model replicas export what drifts and not all of what does not: they are counted by their baselines
        Alert("MlDistributionShift", "10m", "warning", "model", f"""
sum by ({SERIES}) (ml_drift_detected)
/ on ({MODEL}) group_left () count by ({MODEL}) (count by ({MODEL}, instance) (ml_drift_baseline_info))
> {told["rate"]}""",
              f"{VERSION}: {PERCENT} of the replicas find that {{{{ $labels.series }}}} has drifted."),
        Alert("MlFeatureDrift", "10m", "warning", "model", psi('series!~"confidence|class|value"'),
              f"{VERSION}: {{{{ $labels.series }}}} is distributed otherwise than in the baseline, PSI {NUMBER}."),
        Alert("MlClassBalanceShift", "10m", "warning", "model", psi('series=~"class|value"'),
              f"{VERSION}: the predictions ({{{{ $labels.series }}}}) are distributed otherwise than in the baseline, "
              f"PSI {NUMBER}."),
    ]


def accuracy():
    """Of labels, which come to the replica that predicted: each has decided by itself, however few it has."""
    return [Alert("MlAccuracyDrop", "5m", "warning", "model",
                  f"max by ({MODEL}) (ml_model_accuracy_dropped) == 1",
                  f"{VERSION}: by the labels that came, fewer predictions are right than were.")]


def data(slo):
    told, floor = slo["data"], slo["floors"]["predictions"]
    counted = "model_series:ml_drift_observations:increase1h"
    baseline = 'model_series_bin:ml_drift_baseline:ratio{bin="missing"}'
    return [
        Alert("MlUnseenClass", "10m", "warning", "model", f"""
avg by ({MODEL}) (ml_model_class_share{{predicted_class="unseen"}}) > {told["unseen"]}
and on ({MODEL}) {counted}{{series="class"}} >= {floor}""",
              f"{VERSION}: {PERCENT} of the predicted classes are none of the baseline's.", {"series": "class"}),
        Alert("MlUnseenClass", "10m", "warning", "model", f"""
sum by ({SERIES}) (
  label_replace(increase(ml_model_feature_unseen_total[1h]), "series", "$1", "feature", "(.+)")
)
/ ({counted} >= {floor}) > {told["unseen"]}""",
              f"{VERSION}: {PERCENT} of the values of {{{{ $labels.series }}}} are none of the baseline's."),
        # by chance a share of n differs; four standard deviations are asked for
        Alert("MlMissingValues", "10m", "warning", "model", f"""
sum by ({SERIES}) (model_series_bin:ml_drift_observations:increase1h{{bin="missing"}})
/ ({counted} >= {floor})
- sum by ({SERIES}) ({baseline})
> {told["missing"]}
+ 4 * sqrt(
  sum by ({SERIES}) ({baseline} * (1 - {baseline})) / ({counted} > 0)
)""",
              f"{VERSION}: {{{{ $labels.series }}}} is missing in {PERCENT} more of the requests than in the baseline."),
    ]


def baselines(slo):
    floor = slo["floors"]["predictions"]
    named = 'model!="other", model_version!="other"'
    return [
        Alert("MlDriftBaselineMissing", "1h", "info", "model", f"""
sum by ({MODEL}) (increase(ml_model_inference_seconds_count{{{named}}}[1h])) >= {floor}
unless max by ({MODEL}) (ml_drift_baseline_info)""",
              f"{VERSION} predicts and has no baseline: drift is not looked for."),
        Alert("MlDriftBaselineSkew", "15m", "info", "model", f"""
count by ({MODEL}) (count by ({MODEL}, baseline) (ml_drift_baseline_info)) > 1""",
              f"{VERSION}: replicas compare with {{{{ printf \"%.0f\" $value }}}} different baselines."),
        Alert("MlModelVersionSkew", "1h", "info", "model", f"""
count by (job, model) (
  sum by ({MODEL}) (increase(ml_model_inference_seconds_count{{{named}}}[15m])) > 0
) > 1""",
              "{{ $labels.model }} of {{ $labels.job }}: {{ printf \"%.0f\" $value }} versions have answered side by "
              "side for an hour."),
    ]


def honesty(slo):
    told, floor = slo["honesty"], slo["floors"]["requests"]
    return [
        Alert("MlPredictionsUnread", "10m", "warning", "honesty", f"""
sum by (job) (increase(sidelight_observed_total{{result=~"decode_failed|too_long"}}[15m]))
/ (sum by (job) (increase(sidelight_observed_total{{result!="aborted"}}[15m])) >= {floor})
> {told["unread"]}""",
              f"{{{{ $labels.job }}}}: {PERCENT} of the exchanges could not be read, so metrics of the model leave them "
              "out."),
        Alert("MlObservationsShed", "10m", "warning", "honesty", f"""
sum by (job) (increase(sidelight_exchanges_total{{outcome="shed"}}[15m]))
/ (sum by (job) (increase(sidelight_exchanges_total[15m])) >= {floor})
> {told["shed"]}""",
              f"{{{{ $labels.job }}}}: {PERCENT} of the exchanges were not looked at, for the observer was behind."),
        Alert("MlLabelOverflow", "5m", "info", "honesty",
              "sum by (job, label) (increase(sidelight_label_overflows_total[1h])) > 0",
              "{{ $labels.job }}: more values of {{ $labels.label }} than there is room for; the others are counted as "
              "other."),
    ]
