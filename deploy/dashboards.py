"""Grafana's dashboards: of the model, and of Sidelight itself. What is recorded is not computed again.

`instance` narrows what each replica counts for itself; shares of the objectives, and drift of the fleet, are recorded
of all replicas together.
"""

import agent_rows
import alerts
from panels import (JOB, MODELS, REPLICA, VERSION, annotation, bars, dashboard, heatmap, lines, matched, quantile,
                    rate, stat, table, variable)
from recording import MODEL, SERIES

NODE = 'instance=~"$node"'
OF_VERSION = "{{model}} {{model_version}}"
INFERENCE = "ml_model_inference_seconds"


def files(slo):
    """Names of files and what is in them."""
    # Prometheus and machines have processes and scrapes too: all jobs are those of Sidelight
    common = [variable("job", "Job", "sidelight_build_info, job", slo["prometheus"]["jobs"]),
              variable("instance", "Replica", f"sidelight_build_info{{{JOB}}}, instance")]
    models = [
        variable("model", "Model", f"{INFERENCE}_count{{{JOB}}}, model"),
        variable("model_version", "Version", f'{INFERENCE}_count{{{JOB}, model=~"$model"}}, model_version'),
        variable("node", "Machine", "node_uname_info, instance"),
    ]
    model_rows = [("At a glance", glance(slo)), ("Application: requests", application(slo)),
                  ("Model: predictions", model(slo)), ("Data: drift and quality", data(slo)),
                  ("Labels: accuracy", labelled()),
                  ("Sidelight", agent_rows.in_short()), ("Infrastructure", infrastructure())]
    return {
        "sidelight-model.json": dashboard(
            "sidelight-model", "Sidelight: a model in production",
            "Requests, predictions and drift of the models behind Sidelight, and the machines they run on. Replica "
            "narrows what each counts for itself; objectives and drift of the fleet are of all together.",
            common + models, changes(), model_rows),
        "sidelight-agent.json": dashboard(
            "sidelight-agent", "Sidelight: the agent", "What Sidelight itself does, loses and costs.", common,
            [started()], agent_rows.rows()),
    }


def timed(slo):
    return f'{REPLICA}, endpoint!~"{slo["routes"]["not_model"]}"'


def changes():
    """Versions and baselines that are there and were not, from 20 to 5 minutes ago: restarts and pauses are none."""
    def new(by, metric):
        return f"count by ({by}) ({metric}{{{MODELS}}}) " \
               f"unless count by ({by}) (last_over_time({metric}{{{MODELS}}}[15m] offset 5m))"
    return [
        annotation("Model version", "blue", f"{OF_VERSION} answers", new(MODEL, f"{INFERENCE}_count")),
        annotation("Baseline", "purple", f"{OF_VERSION}: baseline {{{{baseline}}}}, {{{{origin}}}}",
                   new(f"{MODEL}, baseline, origin", "ml_drift_baseline_info")),
    ]


def started():
    return annotation("Start", "blue", "{{instance}} of {{job}} started",
                      f"max by (job, instance) (process_start_time_seconds{{{REPLICA}}}) > time() - 60")


def glance(slo):
    def share(part, whole):
        return f"sum_over_time(job:ml_{part}:rate5m{{{JOB}}}[$__range]) " \
               f"/ (sum_over_time(job:ml_{whole}:rate5m{{{JOB}}}[$__range]) > 0)"

    def left(objective, part, whole):
        return f"1 - {share(part, whole)} / {round(1 - objective, 9)}"

    answered, quick = slo["availability"]["objective"], slo["latency"]["objective"]
    failed, slow = ("requests_failed", "requests"), ("requests_slow", "requests_timed")
    unread, seconds = slo["honesty"]["unread"], slo["latency"]["seconds"]
    budget = {"base": "red", "thresholds": [(0, "orange"), (0.25, "green")]}
    results = f'sidelight_observed_total{{{REPLICA}, result'
    return [
        stat("Availability", f"Share of the model's requests that were answered, in the time shown. Objective: "
             f"{alerts.percent(answered)}.", "percentunit", "{{job}}", f"1 - {share(*failed)}", base="red",
             thresholds=[(answered, "green")], decimals=3),
        stat("Error budget left", "How much of the failures that the objective allows in the time shown is not used. "
             "Below 0 it is broken.", "percentunit", "{{job}}", left(answered, *failed), decimals=1, **budget),
        stat("Latency budget left", f"The same of requests over {seconds} s, of which {alerts.percent(1 - quick)} may "
             "be.", "percentunit", "{{job}}", left(quick, *slow), decimals=1, **budget),
        stat("Latency, p95", "Of 20 requests to the model 19 are answered within this time.", "s", "{{job}}",
             quantile(0.95, "job", "ml_api_request_duration_seconds", timed(slo)), graph=True,
             thresholds=[(seconds, "red")]),
        stat("Requests", "Requests to the model a second.", "reqps", "{{job}}", f"job:ml_requests:rate5m{{{JOB}}}",
             graph=True),
        stat("Series that drift", "Series of the model, of its confidence, classes and features, in which a replica "
             "finds drift.", "short", OF_VERSION,
             f"sum by ({MODEL}) (max by ({SERIES}) (ml_drift_detected{{{MODELS}}}))", thresholds=[(1, "red")],
             mappings=[{"type": "value", "options": {"0": {"text": "none", "color": "green", "index": 0}}}]),
        stat("Not read", "Share of the exchanges whose bodies could not be read: what is said of the model leaves them "
             f"out. Over {alerts.percent(unread)} there is an alert.", "percentunit", "{{job}}",
             f'sum by (job) (increase({results}=~"decode_failed|too_long"}}[15m])) '
             f'/ (sum by (job) (increase({results}!="aborted"}}[15m])) > 0)', thresholds=[(unread, "red")], decimals=2),
        stat("Alerts", "Alerts of Sidelight's that fire now.", "short", "firing",
             'count(ALERTS{alertstate="firing", area=~"slo|model|availability|honesty"}) or vector(0)',
             thresholds=[(1, "red")]),
    ]


def application(slo):
    seconds, timing = slo["latency"]["seconds"], "ml_api_request_duration_seconds"
    budgets = (("failed", "errors", slo["availability"]["objective"]), ("slow", "slow", slo["latency"]["objective"]))
    allowed = round(1 - slo["latency"]["objective"], 9)
    return [
        lines("Requests by status", "All requests that went through Sidelight, by the class of their status.", "reqps",
              [("{{class}}xx", "sum by (class) (label_replace("
                f"rate(ml_api_requests_total{{{REPLICA}}}[$__rate_interval]), "
                '"class", "$1", "status_code", "(.).*"))')],
              stacked=True),
        lines("Requests by route", "By route template; paths that no route has are other.", "reqps",
              [("{{endpoint}}", rate("endpoint", "ml_api_requests_total"))], stacked=True),
        lines("Not answered well, by fault", "Whose fault it was. client_5xx are mistakes of clients that came back as "
              "5xx: they cost no budget.", "reqps", [("{{fault}}", rate("fault", "sidelight_faults_total"))]),
        heatmap("Latency", "How long requests to the model took, from head to last byte.", "s",
                rate("le", f"{timing}_bucket", timed(slo))),
        lines("Latency, quantiles", f"Over routes of the model. The objective is {seconds} s.", "s",
              [(f"p{q * 100:.0f} {{{{job}}}}", quantile(q, "job", timing, timed(slo))) for q in (0.5, 0.95, 0.99)],
              size=(12, 8), thresholds=[(seconds, "red")]),
        lines("How fast the budgets burn", "Times faster than the objectives allow: at 1 the budget is just used up. "
              "14.4 within an hour, or 6 within six, wakes somebody.", "short",
              [(f"{verb}, {window} {{{{job}}}}",
                f"job:ml_request_{what}:ratio_rate{window}{{{JOB}}} / {round(1 - objective, 9)}")
               for verb, what, objective in budgets for window in ("1h", "6h")],
              thresholds=[(1, "orange"), (alerts.BURNS[0][0], "red")]),
        lines(f"Share slower than {seconds} s", f"Of each replica and of all. {alerts.percent(allowed)} may be.",
              "percentunit", [("{{instance}}", f"instance:ml_request_slow:ratio_rate5m{{{REPLICA}}}"),
                              ("all of {{job}}", f"job:ml_request_slow:ratio_rate5m{{{JOB}}}")],
              dashed="all", thresholds=[(allowed, "red")]),
        lines("In flight", "Requests that wait for their answer. Those to the operator's port never count.", "short",
              [("{{instance}}", f"sum by (instance) (ml_api_active_requests{{{REPLICA}}})")], stacked=True),
    ]


def model(slo):
    told = slo["confidence"]
    share = f'{{{VERSION}, series="class"}}'
    value, confidence = "ml_model_prediction_value", "ml_model_prediction_confidence"
    return [
        stat("Model loaded", "Share of the replicas behind which the model server says that its model is loaded.",
             "percentunit", OF_VERSION, f"avg by ({MODEL}) (ml_model_loaded{{{MODELS}}})", base="red",
             thresholds=[(1, "green")], size=(4, 8)),
        lines("Predictions by class", "Predicted items a second.", "cps",
              [("{{model}} {{predicted_class}}", rate("model, predicted_class", "ml_model_predictions_total", MODELS))],
              stacked=True, size=(10, 8)),
        bars("Predictions in the time shown", "How many of each class.", "short",
             [("{{model}} {{predicted_class}}",
               f"sum by (model, predicted_class) (increase(ml_model_predictions_total{{{MODELS}}}[$__range]))")],
             size=(10, 8)),
        table("Shares of the classes", "Within the last hour, beside the baseline's. Rare ones are in other.",
              [("Now", f"model_series_bin:ml_drift_observations:share1h{share}"),
               ("Baseline", f"model_series_bin:ml_drift_baseline:share{share}")],
              size=(8, 8), unit="percentunit", decimals=1),
        lines("Shares of the classes, over time", "In the recent windows of replicas, averaged. unseen are classes "
              "that the baseline does not know.", "percentunit",
              [("{{model}} {{predicted_class}}",
                f"avg by (model, predicted_class) (ml_model_class_share{{{MODELS}}})")], high=1),
        heatmap("Confidence", "Probability of the predicted class.", "percentunit",
                rate("le", f"{confidence}_bucket", MODELS), size=(8, 8)),
        lines("Mean confidence", f"And the share of predictions at or below {told['doubtful']}. Alerts: a mean below "
              f"{told['mean']}, more than {alerts.percent(told['doubtful_share'])} of doubtful ones.", "percentunit",
              [(f"mean, {OF_VERSION}", f"model:ml_confidence:mean15m{{{VERSION}}}"),
               (f"doubtful, {OF_VERSION}", f"model:ml_confidence_doubtful:ratio15m{{{VERSION}}}")],
              high=1, base="red", thresholds=[(told["mean"], "green")]),
        heatmap("Predicted values", "Of regressions; value_edges sets the edges.", "short",
                rate("le", f"{value}_bucket", MODELS), size=(8, 8)),
        lines("Inference time, and what Sidelight adds", "From the forwarded request to the head of the answer, beside "
              "the time that Sidelight itself took.", "s",
              [*((f"p{q * 100:.0f} {OF_VERSION}", quantile(q, "model, model_version", INFERENCE, MODELS))
                 for q in (0.5, 0.95)),
               ("Sidelight, p95", quantile(0.95, "job", "sidelight_overhead_seconds"))], dashed="Sidelight", log=True),
    ]


def data(slo):
    own = f"model_series:ml_drift_observations:increase1h{{{VERSION}}}"
    missing = f'{{{VERSION}, bin="missing"}}'
    drifting = f"{{{MODELS}}}"
    events = ("missing", "out_of_range", "unseen", "type_changed", "constant")
    return [
        lines("Kolmogorov-Smirnov of the confidence", "Of the whole fleet within an hour, at the histogram's edges; "
              f"what chance exceeds in {alerts.percent(slo['drift']['alpha'])} of cases; the largest of a replica.",
              "short",
              [(f"fleet, {OF_VERSION}", f"model:ml_confidence:ks1h{{{VERSION}}}"),
               (f"critical, {OF_VERSION}", f"model:ml_confidence:ks_critical1h{{{VERSION}}}"),
               (f"a replica, {OF_VERSION}", f"max by ({MODEL}) (ml_drift_ks_statistic{drifting})")],
              size=(12, 8), dashed="critical", high=1),
        lines("Stability index over noise", "PSI of the fleet within an hour, over the most that noise alone gives. "
              f"Above 1 a series is not as it was; below a PSI of {slo['drift']['min_psi']} nobody is told.", "short",
              [("{{model}} {{model_version}} {{series}}", f"topk(10, model_series:ml_drift_psi:sum1h{{{VERSION}}} "
                f"/ (model_series:ml_drift_psi:critical1h{{{VERSION}}} > 0))")],
              size=(12, 8), thresholds=[(1, "red")]),
        table("Series", "Of the fleet within an hour: PSI, what noise gives on average and at most. Of replicas: how "
              "sure the surest is (above 1 it alarms), how many find drift, since when.",
              [("PSI", f"model_series:ml_drift_psi:sum1h{{{VERSION}}}"),
               ("Noise", f"model_series:ml_drift_psi:noise1h{{{VERSION}}}"),
               ("Critical", f"model_series:ml_drift_psi:critical1h{{{VERSION}}}"),
               ("Values", own),
               ("Baseline", f"model_series:ml_drift_baseline:samples{{{VERSION}}}"),
               ("Too small", f"max by ({SERIES}) (ml_drift_low_confidence{drifting})"),
               ("Score", f"max by ({SERIES}) (ml_drift_score{drifting})"),
               ("PSI of a replica", f"max by ({SERIES}) (ml_drift_psi{drifting})"),
               ("Drifting", f"sum by ({SERIES}) (ml_drift_detected{drifting})"),
               ("Began", f"sum by ({SERIES}) (increase(ml_drift_alarms_total{drifting}[$__range]))"),
               ("Since", f"1000 * max by ({SERIES}) (ml_drift_since_timestamp_seconds{drifting})")],
              overrides=[matched("byName", "Since", unit="dateTimeFromNow"),
                         matched("byRegexp", "/Values|Baseline|Drifting|Began/", decimals=0),
                         matched("byName", "Too small", mappings=[{"type": "value", "options": {
                             "0": {"text": "no", "index": 0}, "1": {"text": "yes", "index": 1}}}])],
              decimals=3, first="PSI"),
        lines("Missing values", "Share of the values of a series that were missing within the last hour, of those with "
              "most, and in the baseline.", "percentunit",
              [("{{model}} {{model_version}} {{series}}",
                f"topk(5, model_series_bin:ml_drift_observations:increase1h{missing} "
                f"/ on ({SERIES}) group_left () ({own} > 0))"),
               ("baseline, {{model}} {{model_version}} {{series}}",
                f"topk(5, model_series_bin:ml_drift_baseline:ratio{missing})")],
              dashed="baseline"),
        lines("Values that are not as they were", "Of features of the baseline: missing, out of its range, of no class "
              "that it knows, words among numbers, the same for longer than it ever was. Of each the most.", "cps",
              [(f"{{{{model}}}} {{{{feature}}}}: {what.replace('_', ' ')}",
                f"topk(3, {rate('model, feature', f'ml_model_feature_{what}_total', MODELS)})") for what in events]),
        lines("Not decided from the wire", "Predicted items without a confidence, and without class or number: series "
              "leave them out.", "cps",
              [("no confidence, {{endpoint}}", rate("endpoint", "sidelight_no_confidence_total")),
               ("no class, {{endpoint}}", rate("endpoint", "sidelight_class_unknown_total"))]),
        table("Baselines", "In use: where from, of which version (none: of every one), in how many replicas. "
              "Different ones for one version cannot be compared.",
              [("Replicas", f"count by ({MODEL}, baseline, origin, baseline_version) "
                f"(ml_drift_baseline_info{drifting})")], size=(10, 8)),
        lines("p of the two-sample test", "Of the recent confidences of a replica, the least of all.", "short",
              [(OF_VERSION, f"min by ({MODEL}) (ml_drift_p_value{drifting})")], high=1, size=(7, 8)),
        bars("Confidence of the baseline", "Share of its values at or below each edge, for the fleet's test.",
             "percentunit", [("{{model}} {{model_version}} {{le}}",
                              f"sort(avg by ({MODEL}, le) (ml_drift_baseline_cdf_ratio{drifting}) > 0)")], high=1,
             size=(7, 8)),
    ]


def labelled():
    """There once labels have come. Replicas have labels of their own predictions: averages of them are shown."""
    def mean(metric, by=MODEL):
        return f"avg by ({by}) ({metric}{{{MODELS}}})"

    return [
        lines("Accuracy", "Share of right predictions by the last labels, its interval of 95 %, what a drop is from, and "
              "what confidences say of those without a label.", "percentunit",
              [(f"accuracy, {OF_VERSION}", mean("ml_model_accuracy")),
               (f"at least, {OF_VERSION}", mean("ml_model_accuracy_lower")),
               (f"at most, {OF_VERSION}", mean("ml_model_accuracy_upper")),
               (f"usual, {OF_VERSION}", mean("ml_model_accuracy_baseline")),
               (f"estimated, {OF_VERSION}", mean("ml_model_accuracy_estimated"))],
              size=(12, 8), dashed="(at|usual)", high=1),
        lines("Labels", "By what became of them; without a prediction are those of unknown ids and those that say "
              "nothing.", "cps",
              [("{{outcome}}", rate("outcome", "ml_model_labels_total", MODELS)),
               ("without: {{reason}}", rate("reason", "sidelight_labels_unmatched_total"))], size=(6, 8)),
        lines("Dropped", "Versions of which a replica finds that fewer predictions are right than were (1).", "short",
              [(OF_VERSION, f"max by ({MODEL}) (ml_model_accuracy_dropped{{{MODELS}}})")], high=1, size=(6, 8)),
        lines("Precision and recall", "Share of what was said to be of a class that is, and of what is that was said to "
              "be.", "percentunit",
              [("precision, {{model}} {{class}}", mean("ml_model_class_precision", "model, class")),
               ("recall, {{model}} {{class}}", mean("ml_model_class_recall", "model, class"))], high=1),
        table("What was taken for what", "Labels in the windows, by their class and the predicted one.",
              [("Labels", f"sum by ({MODEL}, true_class, predicted_class) (ml_model_confusion_labels{{{MODELS}}})")],
              size=(8, 8), decimals=0),
        lines("Labels in the window", "How many the figures are of.", "short",
              [(OF_VERSION, f"sum by ({MODEL}) (ml_model_labels_in_window{{{MODELS}}})")]),
        lines("Probabilities", "Mean log-loss and Brier score, and how far confidence and accuracy are apart; how far "
              "off the estimated accuracy was.", "short",
              [(f"log-loss, {OF_VERSION}", mean("ml_model_log_loss")),
               (f"Brier score, {OF_VERSION}", mean("ml_model_brier_score")),
               (f"calibration error, {OF_VERSION}", mean("ml_model_calibration_error")),
               (f"error of the estimate, {OF_VERSION}", mean("ml_model_accuracy_estimate_error"))], low=None,
              size=(12, 8)),
        lines("Errors of numbers", "Mean absolute error and root mean squared error, in the unit of the numbers.", "short",
              [(f"mean, {OF_VERSION}", mean("ml_model_mean_absolute_error")),
               (f"squared, {OF_VERSION}", mean("ml_model_root_mean_squared_error"))], size=(6, 8)),
        lines("R squared", "Share of the numbers' variance that was predicted.", "short",
              [(OF_VERSION, mean("ml_model_r_squared"))], low=None, high=1, size=(6, 8)),
    ]


def infrastructure():
    disk, network = f'{{{NODE}, device!~"loop.*|ram.*|zram.*"}}', f'{{{NODE}, device!~"lo|veth.*"}}'

    def moved(what, metric, selector):
        return (f"{{{{instance}}}} {what}", f"sum by (instance) (rate({metric}{selector}[$__rate_interval]))")
    return [
        lines("Processor of the machine", "Share of all cores that is used.", "percentunit",
              [("{{instance}}", f'1 - avg by (instance) (rate(node_cpu_seconds_total{{{NODE}, mode="idle"}}'
                "[$__rate_interval]))")], high=1),
        lines("Memory of the machine", "Share that is not available to programs.", "percentunit",
              [("{{instance}}", f"1 - max by (instance) (node_memory_MemAvailable_bytes{{{NODE}}}) "
                f"/ max by (instance) (node_memory_MemTotal_bytes{{{NODE}}})")], high=1),
        lines("Disk space", "Share of each file system that is used.", "percentunit",
              [("{{instance}} {{mountpoint}}",
                f'1 - max by (instance, mountpoint) (node_filesystem_avail_bytes{{{NODE}, fstype!~"tmpfs|ramfs"}}) '
                f'/ max by (instance, mountpoint) (node_filesystem_size_bytes{{{NODE}, fstype!~"tmpfs|ramfs"}})')],
              high=1),
        lines("Disk", "Read and written.", "Bps", [moved("read", "node_disk_read_bytes_total", disk),
                                                   moved("written", "node_disk_written_bytes_total", disk)]),
        lines("Network", "Received and sent, without the machine's own loop.", "Bps",
              [moved("received", "node_network_receive_bytes_total", network),
               moved("sent", "node_network_transmit_bytes_total", network)]),
        lines("Processes", "Sidelights that answer Prometheus, and how often they started within an hour.", "short",
              [("up, {{job}}", f"sum by (job) (up{{{REPLICA}}})"),
               ("starts, {{job}}", f"sum by (job) (changes(process_start_time_seconds{{{REPLICA}}}[1h]))")]),
    ]
