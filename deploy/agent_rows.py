"""What dashboards show of Sidelight itself."""

from panels import REPLICA, bars, heatmap, lines, matched, rate, table


def rows():
    return [("Replicas", replicas()), ("What is seen", seen()), ("What goes wrong", wrong())]


def in_short():
    return [
        lines("Not read, by reason", "Bodies that could not be read. sidelight explain says why of one.", "cps",
              [("{{reason}}", rate("reason", "sidelight_decode_failures_total"))]),
        lines("Not looked at", "Copies that were dropped because the observer was behind, by the bound that was "
              "reached. The requests passed.", "cps", [("{{reason}}", rate("reason", "sidelight_shed_total"))]),
        lines("Counted as other", "Values of labels beyond their bound.", "cps",
              [("{{label}}", rate("label", "sidelight_label_overflows_total"))]),
        *costs(8),
        lines("Reloads", "Of the configuration, by what came of them.", "cps",
              [("{{outcome}}", rate("outcome", "sidelight_config_reloads_total"))]),
    ]


def costs(width):
    return [
        lines("Processor", "Of each Sidelight, in cores.", "short",
              [("{{instance}}", rate("instance", "process_cpu_seconds_total"))], size=(width, 8)),
        lines("Memory", "Resident, of each Sidelight, and the limit of its container where that has one.", "bytes",
              [("{{instance}}", f"max by (instance) (process_resident_memory_bytes{{{REPLICA}}})"),
               ("limit, {{instance}}", f"max by (instance) (sidelight_memory_limit_bytes{{{REPLICA}}})")],
              size=(width, 8)),
    ]


def most(by, metric):
    """The ten largest, in the time shown."""
    return f"topk(10, sum by ({by}) (increase({metric}{{{REPLICA}}}[$__range])))"


def replicas():
    return [
        table("Replicas", "Every Sidelight: version, its pod and node in Kubernetes, whether Prometheus reaches it, "
              "when it started, what it holds, and whether it took its configuration the last time.",
              [("Running", "max by (job, instance, version, pod_namespace, pod_name, node_name) "
                f"(sidelight_build_info{{{REPLICA}}})"),
               ("Up", f"max by (job, instance) (up{{{REPLICA}}})"),
               ("Started", f"1000 * max by (job, instance) (process_start_time_seconds{{{REPLICA}}})"),
               ("Resident", f"max by (job, instance) (process_resident_memory_bytes{{{REPLICA}}})"),
               ("Virtual", f"max by (job, instance) (process_virtual_memory_bytes{{{REPLICA}}})"),
               ("Last reload", f"min by (job, instance) (sidelight_config_last_reload_successful{{{REPLICA}}})")],
              size=(24, 5), overrides=[matched("byName", "Started", unit="dateTimeFromNow"),
                                       matched("byName", "Last reload", mappings=[{"type": "value", "options": {
                                           "0": {"text": "refused", "index": 0}, "1": {"text": "taken", "index": 1}}}]),
                                       matched("byRegexp", "/Resident|Virtual/", unit="bytes")]),
        *costs(6),
        lines("Open files", "And sockets, of each Sidelight.", "short",
              [("{{instance}}", f"max by (instance) (process_open_fds{{{REPLICA}}})")], size=(6, 8)),
        lines("Series", "Samples that a scrape of each Sidelight gives.", "short",
              [("{{instance}}", f"max by (instance) (scrape_samples_scraped{{{REPLICA}}})")], size=(6, 8)),
    ]


def seen():
    return [
        heatmap("What Sidelight adds to a request", "Waiting for room and connecting to the model server included.",
                "s", rate("le", "sidelight_overhead_seconds_bucket")),
        lines("Exchanges", "By what became of their copy: observed, shed as the observer was behind, or not wanted.",
              "cps", [("{{outcome}}", rate("outcome", "sidelight_exchanges_total"))], size=(12, 8), stacked=True),
        lines("Observed exchanges", "By whether their bodies could be read.", "cps",
              [("{{result}}", rate("result", "sidelight_observed_total"))]),
        lines("Waiting for the observer", "Exchanges, at most capture.queue_exchanges.", "short",
              [("{{instance}}", f"max by (instance) (sidelight_queue_exchanges{{{REPLICA}}})")]),
        lines("Bytes that wait for the observer", "At most capture.queue_bytes.", "bytes",
              [("{{instance}}", f"max by (instance) (sidelight_queue_bytes{{{REPLICA}}})")]),
        lines("Log lines", "Of stdout and of log.file. Dropped are those that it did not take in time; with each "
              "rotation a new file is begun.", "cps",
              [("{{outcome}}", rate("outcome", "sidelight_log_lines_total")),
               ("file: {{outcome}}", rate("outcome", "sidelight_log_file_lines_total")),
               ("rotations, {{job}}", rate("job", "sidelight_log_file_rotations_total"))]),
        lines("Notices of drift", "By outcome; tries beyond the first; and how many wait.", "short",
              [("{{outcome}}", rate("outcome", "sidelight_notifications_total")),
               ("tried again, {{job}}", rate("job", "sidelight_notification_retries_total")),
               ("waiting, {{job}}", f"sum by (job) (sidelight_notifications_waiting{{{REPLICA}}})")]),
        lines("Kept for labels", "Exchanges whose predictions were kept, or not and why; those of an id that was used "
              "again; damaged files.", "cps",
              [("kept, {{job}}", rate("job", "sidelight_feedback_kept_total")),
               ("{{reason}}", rate("reason", "sidelight_feedback_dropped_total")),
               ("replaced, {{job}}", rate("job", "sidelight_feedback_replaced_total")),
               ("damaged, {{job}}", rate("job", "sidelight_feedback_damaged_total"))]),
        lines("Feedback that passed", "Seldon's, through the proxy, by what became of it.", "cps",
              [("{{outcome}}", rate("outcome", "sidelight_feedback_passed_total"))]),
        lines("Files of predictions", "At most feedback.max_bytes.", "bytes",
              [("{{instance}}", f"max by (instance) (sidelight_feedback_bytes{{{REPLICA}}})")]),
        lines("Scrapes", "How long Prometheus takes to read a Sidelight.", "s",
              [("{{instance}}", f"max by (instance) (scrape_duration_seconds{{{REPLICA}}})")]),
    ]


def wrong():
    return [
        bars("Requests without a whole answer", "In the time shown, the ten most frequent reasons, and whose fault.",
             "short", [("{{fault}}: {{reason}}", most("fault, reason", "sidelight_request_failures_total"))]),
        bars("Not read, by format", "In the time shown, the ten most frequent reasons, by the format that the body was "
             "taken for.", "short",
             [("{{format}}: {{reason}}", most("format, reason", "sidelight_decode_failures_total"))]),
        lines("Not read, by route", "What the route says decides how bodies are read.", "cps",
              [("{{endpoint}}: {{result}}", rate("endpoint, result", "sidelight_unread_total"))]),
        lines("Connections", "Bounds that were reached, and clients that came to no agreement on TLS.", "cps",
              [("{{limit}}", rate("limit", "sidelight_connection_limits_total")),
               ("no TLS, {{job}}", rate("job", "sidelight_tls_handshake_failures_total"))]),
        lines("Not forwarded", "Parts of messages that the other side's version of HTTP has no place for.", "cps",
              [("{{part}}", rate("part", "sidelight_not_forwarded_total"))]),
        lines("Panics, and tasks forgotten", "A panic costs the piece of work it happened in. A task is forgotten "
              "before its result was asked for.", "cps",
              [("panic: {{part}}", rate("part", "sidelight_panics_total")),
               ("task forgotten, {{job}}", rate("job", "sidelight_tasks_forgotten_total"))]),
    ]
