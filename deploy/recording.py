"""Recording rules, `level:metric:operation`: what alerts and dashboards ask for, computed once.

A share of nothing is no data, never NaN and never 0: `/ (total > 0)`. A share of something in which there was
no failure yet is 0: `or 0 * total`.
"""

import math

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
MODEL = "job, model, model_version"
SERIES = f"{MODEL}, series"


def edge(value):
    """A selector of the label `le`: Prometheus 3 writes whole numbers as 1.0, before it they are 1."""
    return f'le=~"{int(value)}([.]0)?"' if value == int(value) else f'le="{value}"'


def groups(slo):
    """Names of groups with their rules, each a name and an expression."""
    return [("ml-requests", requests(slo)), ("ml-ratios", ratios()), ("ml-confidence", confidence(slo)),
            ("ml-drift", drift(slo))]


def requests(slo):
    routes = slo["routes"]
    path = f'endpoint!~"{routes["not_model"]}"'
    model = f'method="{routes["method"]}", {path}'
    slow = edge(slo["latency"]["seconds"])
    by = "sum by (job, instance)"
    # probes and pages: whoever asks for one sends nothing that could be wrong
    page = f'method!="{routes["method"]}", endpoint=~"{routes["not_model"]}", endpoint!="other"'
    none = f"0 * {by} (rate(sidelight_faults_total[5m]))"
    rules = [
        # how many agents a job has, to know of it when it is gone
        ("job:up:count", f'count by (job) (up{{job=~"{slo["prometheus"]["jobs"]}"}})'),
        ("instance:ml_requests:rate5m", f"{by} (rate(ml_api_requests_total{{{model}}}[5m]))"),
        # failures of other routes: a page of documentation that fails is not the model's failure
        ("instance:ml_requests_page_5xx:rate5m",
         f"{by} (rate(ml_api_requests_total{{{page}, status_code=~\"5..\"}}[5m]))"),
        ("instance:ml_requests_other_5xx:rate5m", f"""
{by} (rate(ml_api_requests_total{{status_code=~"5.."}}[5m]))
- (
  {by} (rate(ml_api_requests_total{{{model}, status_code=~"5.."}}[5m]))
  or 0 * {by} (rate(ml_api_requests_total[5m]))
)
- (instance:ml_requests_page_5xx:rate5m or 0 * {by} (rate(ml_api_requests_total[5m])))"""),
        # by whose fault it was: what a client did wrong does not count, whatever the status; calls of gRPC and
        # answers that broke off have no 5xx and count. Faults have no route, so of the other routes' 5xx as many may
        # be mistakes of clients as there are in all: these are in no fault of the server's, and are not taken from it
        ("instance:ml_requests_failed:rate5m", f"""
clamp_min(
  {by} (rate(sidelight_faults_total{{fault=~"upstream|sidelight"}}[5m]))
  - (instance:ml_requests_page_5xx:rate5m or {none})
  - (
    clamp_min(
      instance:ml_requests_other_5xx:rate5m
      - ({by} (rate(sidelight_faults_total{{fault="client_5xx"}}[5m])) or {none}),
      0
    )
    or {none}
  ),
  0
)
or 0 * instance:ml_requests:rate5m"""),
        ("instance:ml_requests_timed:rate5m", f"{by} (rate(ml_api_request_duration_seconds_count{{{path}}}[5m]))"),
        ("instance:ml_requests_slow:rate5m", f"""
clamp_min(
  instance:ml_requests_timed:rate5m
  - {by} (rate(ml_api_request_duration_seconds_bucket{{{path}, {slow}}}[5m])),
  0
)"""),
    ]
    rules += [(f"job:ml_{what}:rate5m", f"sum by (job) (instance:ml_{what}:rate5m)")
              for what in ("requests", "requests_failed", "requests_timed", "requests_slow")]
    return rules + [
        ("job_endpoint:ml_requests_timed:rate5m",
         f"sum by (job, endpoint) (rate(ml_api_request_duration_seconds_count{{{path}}}[5m]))"),
        ("job_endpoint:ml_request_duration_seconds:p99_5m", f"""
histogram_quantile(
  0.99,
  sum by (job, endpoint, le) (rate(ml_api_request_duration_seconds_bucket{{{path}}}[5m]))
) >= 0"""),
    ]


def ratios():
    """Long windows are averages of what is recorded: `rate(..[3d])` of a thousand replicas is millions of samples."""
    rules = []
    for what, part, whole in (("errors", "requests_failed", "requests"), ("slow", "requests_slow", "requests_timed")):
        for level in ("instance", "job"):
            rules.append((f"{level}:ml_request_{what}:ratio_rate5m", f"""
clamp_max({level}:ml_{part}:rate5m / ({level}:ml_{whole}:rate5m > 0), 1)"""))
        rules.append((f"instance:ml_request_{what}:excess_rate5m", f"""
instance:ml_request_{what}:ratio_rate5m
- on (job) group_left () job:ml_request_{what}:ratio_rate5m"""))
        rules += [(f"job:ml_request_{what}:ratio_rate{window}", f"""
clamp_max(
  avg_over_time(job:ml_{part}:rate5m[{window}])
  / (avg_over_time(job:ml_{whole}:rate5m[{window}]) > 0),
  1
)""") for window in WINDOWS[1:]]
    return rules


def confidence(slo):
    """Pooled over replicas: one of them has too few predictions to say anything."""
    doubtful = edge(slo["confidence"]["doubtful"])
    name = "ml_model_prediction_confidence"
    return [
        ("model:ml_confidence:increase15m", f"sum by ({MODEL}) (increase({name}_count[15m]))"),
        ("model:ml_confidence:mean15m", f"""
sum by ({MODEL}) (increase({name}_sum[15m]))
/ (model:ml_confidence:increase15m > 0)"""),
        ("model:ml_confidence_doubtful:ratio15m", f"""
sum by ({MODEL}) (increase({name}_bucket{{{doubtful}}}[15m]))
/ (model:ml_confidence:increase15m > 0)"""),
    ]


def drift(slo):
    """A shift that no replica can prove alone, from the sums over all of them."""
    factor = math.sqrt(-math.log(slo["drift"]["alpha"] / 2) / 2)
    sigmas = slo["drift"]["psi_sigmas"]
    own = "model_series:ml_drift_observations:increase1h"
    return [
        ("model:ml_confidence:increase1h",
         f"sum by ({MODEL}) (increase(ml_model_prediction_confidence_count[1h]))"),
        # at the edges of the histogram: at most the exact one. The average is of replicas that have each captured
        # a baseline of its own; of one for all it is that one. Whole edges differ in their spelling between the
        # two families on Prometheus 3; only 1 is one, where both are 1.
        ("model:ml_confidence:ks1h", f"""
max by ({MODEL}) (abs(
  sum by ({MODEL}, le) (increase(ml_model_prediction_confidence_bucket[1h]))
  / on ({MODEL}) group_left () (model:ml_confidence:increase1h > 0)
  - on ({MODEL}, le) avg by ({MODEL}, le) (ml_drift_baseline_cdf_ratio)
))"""),
        # the edges' shares are those of at most 10,000 values of the baseline
        ("model:ml_confidence:ks_critical1h", f"""
{factor:.4f} * sqrt(
  1 / (model:ml_confidence:increase1h > 0)
  + 1 / (clamp_max(min by ({MODEL}) (ml_drift_baseline_samples{{series="confidence"}}), 10000) > 0)
)"""),
        ("model_series_bin:ml_drift_observations:increase1h",
         f"sum by ({SERIES}, bin) (increase(ml_drift_observations_total[1h]))"),
        (own, f"sum by ({SERIES}) (model_series_bin:ml_drift_observations:increase1h)"),
        ("model_series_bin:ml_drift_baseline:ratio", f"avg by ({SERIES}, bin) (ml_drift_baseline_ratio)"),
        ("model_series:ml_drift_baseline:bins", f"count by ({SERIES}) (model_series_bin:ml_drift_baseline:ratio)"),
        ("model_series:ml_drift_baseline:samples", f"min by ({SERIES}) (ml_drift_baseline_samples)"),
        # half a value in every bin more, or one that was empty makes it infinite
        ("model_series_bin:ml_drift_observations:share1h", f"""
(model_series_bin:ml_drift_observations:increase1h + 0.5)
/ on ({SERIES}) group_left () (({own} > 0) + 0.5 * model_series:ml_drift_baseline:bins)"""),
        ("model_series_bin:ml_drift_baseline:share", f"""
(
  model_series_bin:ml_drift_baseline:ratio
  * on ({SERIES}) group_left () (model_series:ml_drift_baseline:samples > 0) + 0.5
)
/ on ({SERIES}) group_left () (model_series:ml_drift_baseline:samples + 0.5 * model_series:ml_drift_baseline:bins)"""),
        ("model_series:ml_drift_psi:sum1h", f"""
sum by ({SERIES}) (
  (model_series_bin:ml_drift_observations:share1h - model_series_bin:ml_drift_baseline:share)
  * ln(model_series_bin:ml_drift_observations:share1h / model_series_bin:ml_drift_baseline:share)
)"""),
        # the index over the noise of one degree of freedom is a chi-squared: its mean, and its mean and deviations
        ("model_series:ml_drift_psi:noise1h", f"""
(model_series:ml_drift_baseline:bins - 1)
* (1 / ({own} > 0) + 1 / (model_series:ml_drift_baseline:samples > 0))"""),
        ("model_series:ml_drift_psi:critical1h", f"""
model_series:ml_drift_psi:noise1h
* (1 + {sigmas} * sqrt(2 / (model_series:ml_drift_baseline:bins - 1)))"""),
    ]
