//! Every metric the agent exports: name, labels, help, edges. The README's table is made from it,
//! and rules and dashboards may name nothing else.

/// What a family measures, and how.
#[derive(Debug)]
pub struct Family {
    /// Name as Prometheus sees it; units last.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Label names in the order in which values are given.
    pub labels: &'static [&'static str],
    /// One sentence for people.
    pub help: &'static str,
}

/// The kind of a family.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by upper edge, ascending; `+Inf` is implied.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Series that one label set of this kind makes.
    pub const fn series(self) -> usize {
        match self {
            Self::Counter | Self::Gauge => 1,
            // the edges, +Inf, _sum and _count
            Self::Histogram(edges) => edges.len() + 3,
        }
    }

    /// The name Prometheus has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// All of the course page's edges and more: at the objectives people set (0.2 s) and up to 60 s.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0,
];
const CONFIDENCES: &[f64] = &[
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99, 1.0,
];
/// What `metrics.value_edges` has: of numbers of which nothing is known, their order of magnitude.
const VALUES: &[f64] = &[
    -1e3, -1e2, -1e1, -1.0, -0.1, 0.0, 0.1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6,
];
/// From 10 us: what a proxy adds is far below what a model takes.
const OVERHEAD: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.1, 0.5, 1.0,
];

macro_rules! catalogue {
    ($($ident:ident $name:literal $kind:expr, [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = concat!("`", $name, "`")] pub static $ident: Family = Family {
            name: $name, kind: $kind, labels: &[$($label),*], help: $help,
        };)*
        /// Every family, in the order of the README.
        pub static ALL: &[&Family] = &[$(&$ident),*];
    };
}

catalogue! {
    REQUESTS "ml_api_requests_total" Kind::Counter, ["method", "endpoint", "status_code"],
        "Requests answered, by method, route template and status; 499 is a client that left first.";
    REQUEST_DURATION "ml_api_request_duration_seconds" Kind::Histogram(SECONDS), ["endpoint"],
        "Time from the head of a request to the last byte of its answer.";
    ACTIVE_REQUESTS "ml_api_active_requests" Kind::Gauge, [],
        "Requests in flight; traffic of the operator's port never counts.";
    PREDICTIONS "ml_model_predictions_total" Kind::Counter, ["model", "model_version", "predicted_class"],
        "Predictions by class, one per item of a batch.";
    CONFIDENCE "ml_model_prediction_confidence" Kind::Histogram(CONFIDENCES), ["model", "model_version"],
        "Probability of the predicted class, one per item that carried one.";
    PREDICTION_VALUE "ml_model_prediction_value" Kind::Histogram(VALUES), ["model", "model_version"],
        "Predicted number, one per item of a regression; metrics.value_edges and value_edges of a route set its edges.";
    INFERENCE "ml_model_inference_seconds" Kind::Histogram(SECONDS), ["model", "model_version"],
        "Time the model server took from the forwarded request to the head of its answer, per prediction request.";
    MODEL_LOADED "ml_model_loaded" Kind::Gauge, ["model", "model_version"],
        "Whether the upstream says that its model is loaded (1) or not (0).";
    DRIFT_STATISTIC "ml_drift_ks_statistic" Kind::Gauge, ["model", "model_version"],
        "Two-sample Kolmogorov-Smirnov statistic of the recent confidences against the baseline.";
    DRIFT_P_VALUE "ml_drift_p_value" Kind::Gauge, ["model", "model_version"],
        "Two-sided p-value of that statistic.";
    DRIFT_DETECTED "ml_drift_detected" Kind::Gauge, ["model", "model_version", "series"],
        "Whether a series has drifted from the baseline (1) or not (0): by the scan, before it is warm by the two-sample test.";
    DRIFT_SCORE "ml_drift_score" Kind::Gauge, ["model", "model_version", "series"],
        "Largest evidence of drift of any window over its threshold; above 1 is an alarm.";
    DRIFT_PSI "ml_drift_psi" Kind::Gauge, ["model", "model_version", "series"],
        "Population stability index of a recent window against the baseline.";
    DRIFT_SINCE "ml_drift_since_timestamp_seconds" Kind::Gauge, ["model", "model_version", "series"],
        "When the window began in which the drift that goes on was found; there while a series drifts.";
    DRIFT_ALARMS "ml_drift_alarms_total" Kind::Counter, ["model", "model_version", "series"],
        "Times a series began to drift since its baseline is in use.";
    DRIFT_LOW_CONFIDENCE "ml_drift_low_confidence" Kind::Gauge, ["model", "model_version", "series"],
        "Whether the baseline is small for so dependent a series (1) or not (0).";
    DRIFT_OBSERVATIONS "ml_drift_observations_total" Kind::Counter, ["model", "model_version", "series", "bin"],
        "Values of a series by bin: tenths of the baseline or its most frequent classes, out of its range or other, missing.";
    DRIFT_BASELINE_RATIO "ml_drift_baseline_ratio" Kind::Gauge, ["model", "model_version", "series", "bin"],
        "Share of the baseline in each of these bins.";
    DRIFT_BASELINE_SAMPLES "ml_drift_baseline_samples" Kind::Gauge, ["model", "model_version", "series"],
        "Values of the baseline of a series.";
    DRIFT_BASELINE_CDF "ml_drift_baseline_cdf_ratio" Kind::Gauge, ["model", "model_version", "le"],
        "Share of the baseline's confidences at or below each edge of ml_model_prediction_confidence.";
    FEATURE_MISSING "ml_model_feature_missing_total" Kind::Counter, ["model", "model_version", "feature"],
        "Values of a feature of the baseline that were missing, null or no number.";
    FEATURE_OUT_OF_RANGE "ml_model_feature_out_of_range_total" Kind::Counter, ["model", "model_version", "feature"],
        "Numbers below the least or above the largest of the baseline.";
    FEATURE_UNSEEN "ml_model_feature_unseen_total" Kind::Counter, ["model", "model_version", "feature"],
        "Classes that the baseline does not know.";
    FEATURE_TYPE_CHANGED "ml_model_feature_type_changed_total" Kind::Counter, ["model", "model_version", "feature"],
        "Words among numbers; there from the first one on.";
    FEATURE_CONSTANT "ml_model_feature_constant_total" Kind::Counter, ["model", "model_version", "feature"],
        "Values that were the same for longer than the baseline ever was; there from the first one on.";
    CLASS_SHARE "ml_model_class_share" Kind::Gauge, ["model", "model_version", "predicted_class"],
        "Share of a class in a recent window, of the classes that the baseline knows; the others are unseen.";
    DRIFT_BASELINE "ml_drift_baseline_info" Kind::Gauge, ["model", "model_version", "baseline", "origin", "baseline_version"],
        "Always 1: the baseline in use, by the start of its SHA-256, where it comes from, and the version it belongs to (empty: every one).";
    LABELS "ml_model_labels_total" Kind::Counter, ["model", "model_version", "outcome"],
        "Labels of predictions by what became of them: joined, duplicate, contradicting (another was there, which stays) or late; there from the first one on, as all that follows from labels.";
    LABELS_IN_WINDOW "ml_model_labels_in_window" Kind::Gauge, ["model", "model_version"],
        "Labels that accuracy and the figures beside it are of: the last feedback.window.";
    ACCURACY "ml_model_accuracy" Kind::Gauge, ["model", "model_version"],
        "Share of right predictions among those with a label in the window.";
    ACCURACY_LOWER "ml_model_accuracy_lower" Kind::Gauge, ["model", "model_version"],
        "Lower end of the 95 % interval of the accuracy.";
    ACCURACY_UPPER "ml_model_accuracy_upper" Kind::Gauge, ["model", "model_version"],
        "Upper end of the 95 % interval of the accuracy.";
    ACCURACY_BASELINE "ml_model_accuracy_baseline" Kind::Gauge, ["model", "model_version"],
        "Accuracy that a drop is from, learnt or configured; of a regression the share of errors within the tolerance.";
    ACCURACY_DROPPED "ml_model_accuracy_dropped" Kind::Gauge, ["model", "model_version"],
        "Whether fewer predictions are right than were (1) or not (0); there once it is known how many were.";
    ACCURACY_ESTIMATED "ml_model_accuracy_estimated" Kind::Gauge, ["model", "model_version"],
        "Estimated share of right predictions among the last ones, labelled or not, from their confidences.";
    ACCURACY_ESTIMATE_ERROR "ml_model_accuracy_estimate_error" Kind::Gauge, ["model", "model_version"],
        "How much larger such estimates were than the accuracy of those that got a label.";
    CLASS_PRECISION "ml_model_class_precision" Kind::Gauge, ["model", "model_version", "class"],
        "Share of the predictions of a class that were right; of the 20 classes with most labels.";
    CLASS_RECALL "ml_model_class_recall" Kind::Gauge, ["model", "model_version", "class"],
        "Share of the labels of a class that were predicted; of the 20 classes with most labels.";
    CONFUSION "ml_model_confusion_labels" Kind::Gauge, ["model", "model_version", "true_class", "predicted_class"],
        "Labels in the window by their class and the predicted one; of the 10 classes with most labels.";
    LOG_LOSS "ml_model_log_loss" Kind::Gauge, ["model", "model_version"],
        "Mean negative logarithm of the probability of the true class, in nats; where probabilities are known.";
    BRIER_SCORE "ml_model_brier_score" Kind::Gauge, ["model", "model_version"],
        "Mean squared distance of the probabilities from the truth.";
    CALIBRATION_ERROR "ml_model_calibration_error" Kind::Gauge, ["model", "model_version"],
        "Mean distance of confidence and accuracy, by bins of the confidence.";
    MAE "ml_model_mean_absolute_error" Kind::Gauge, ["model", "model_version"],
        "Mean distance of predicted numbers from the truth.";
    RMSE "ml_model_root_mean_squared_error" Kind::Gauge, ["model", "model_version"],
        "Root of the mean squared distance of predicted numbers from the truth.";
    R_SQUARED "ml_model_r_squared" Kind::Gauge, ["model", "model_version"],
        "Share of the truth's variance that was predicted: 1 at best, below 0 where its mean would do better.";
    OVERHEAD_SECONDS "sidelight_overhead_seconds" Kind::Histogram(OVERHEAD), [],
        "Time the agent added to a request, waiting for room and connecting to the upstream included.";
    FAILURES "sidelight_request_failures_total" Kind::Counter, ["fault", "reason"],
        "Requests without a whole answer from the upstream, by whose fault it was and why.";
    TLS_FAILURES "sidelight_tls_handshake_failures_total" Kind::Counter, [],
        "Connections of clients that came to no agreement on TLS, or not in time.";
    CONNECTION_LIMITS "sidelight_connection_limits_total" Kind::Counter, ["limit"],
        "Bounds of client connections that were reached: max_connections and descriptors made one wait, client_idle ended one.";
    NOT_FORWARDED "sidelight_not_forwarded_total" Kind::Counter, ["part"],
        "Parts of messages that the other side's version of HTTP has no place for: interim_answer (1xx) and trailer_field.";
    EXCHANGES "sidelight_exchanges_total" Kind::Counter, ["outcome"],
        "Exchanges by what became of their copy: observed, shed or not_wanted.";
    OBSERVED "sidelight_observed_total" Kind::Counter, ["result"],
        "Observed exchanges by result: decoded, decode_failed, too_long or aborted.";
    FAULTS "sidelight_faults_total" Kind::Counter, ["fault"],
        "Observed exchanges without a good answer (4xx, 5xx, calls of gRPC that are not OK, what broke off), by whose fault: client, client_5xx (its mistake came back as 5xx), upstream or sidelight.";
    DECODE_FAILURES "sidelight_decode_failures_total" Kind::Counter, ["format", "reason"],
        "Bodies that could not be read, by format and reason.";
    NO_CONFIDENCE "sidelight_no_confidence_total" Kind::Counter, ["endpoint"],
        "Predicted items that carried no confidence on the wire; a predicted number needs none.";
    CLASS_UNKNOWN "sidelight_class_unknown_total" Kind::Counter, ["endpoint"],
        "Predicted items of which neither a class nor a number is known.";
    UNREAD "sidelight_unread_total" Kind::Counter, ["endpoint", "result"],
        "Exchanges whose bodies were not read, by route: decode_failed or too_long, as in sidelight_observed_total.";
    SHED "sidelight_shed_total" Kind::Counter, ["reason"],
        "Copies dropped because the observer was behind, by the bound that was reached.";
    QUEUE_EXCHANGES "sidelight_queue_exchanges" Kind::Gauge, [],
        "Exchanges that wait for the observer.";
    QUEUE_BYTES "sidelight_queue_bytes" Kind::Gauge, [],
        "Bytes of the exchanges that wait for the observer.";
    LOG_LINES "sidelight_log_lines_total" Kind::Counter, ["outcome"],
        "Log lines by outcome: written, or dropped because stdout did not take them.";
    LOG_FILE_LINES "sidelight_log_file_lines_total" Kind::Counter, ["outcome"],
        "Log lines for log.file by outcome: written, dropped because too many waited for the disk, or failed because the file could not be written.";
    LOG_FILE_ROTATIONS "sidelight_log_file_rotations_total" Kind::Counter, [],
        "Times the log file was full and a new one was begun.";
    LABEL_OVERFLOWS "sidelight_label_overflows_total" Kind::Counter, ["label"],
        "Label values beyond their bound, counted as other.";
    TASKS_FORGOTTEN "sidelight_tasks_forgotten_total" Kind::Counter, [],
        "Asynchronous tasks that were forgotten before their result was asked for, because too many or too large ones waited.";
    NOTIFICATIONS "sidelight_notifications_total" Kind::Counter, ["outcome"],
        "Notices of drift to receivers of drift.notify by outcome: delivered, refused (3xx or 4xx), given_up after give_up_after, dropped because the queue was full or the receiver or the agent left.";
    NOTIFICATION_RETRIES "sidelight_notification_retries_total" Kind::Counter, [],
        "Tries to deliver a notice beyond its first.";
    NOTIFICATIONS_WAITING "sidelight_notifications_waiting" Kind::Gauge, [],
        "Notices that wait for their receiver or are on their way to it.";
    LABELS_UNMATCHED "sidelight_labels_unmatched_total" Kind::Counter, ["reason"],
        "Labels without a prediction: unknown (none of that id and item is kept), invalid, or not_saved: the disk refused when feedback through the proxy was joined.";
    FEEDBACK_KEPT "sidelight_feedback_kept_total" Kind::Counter, [],
        "Exchanges whose predictions were kept for labels; only with feedback.enabled, as the others of this name.";
    FEEDBACK_DROPPED "sidelight_feedback_dropped_total" Kind::Counter, ["reason"],
        "Exchanges whose predictions were not kept: queue_full, too_large or not_saved (the disk refused).";
    FEEDBACK_REPLACED "sidelight_feedback_replaced_total" Kind::Counter, [],
        "Predictions that took the place of a recent one under the same request id.";
    FEEDBACK_DAMAGED "sidelight_feedback_damaged_total" Kind::Counter, [],
        "Files of predictions or labels that were damaged and kept aside.";
    FEEDBACK_PASSED "sidelight_feedback_passed_total" Kind::Counter, ["outcome"],
        "Seldon's feedback that passed through the proxy: taken (its labels are looked for), no_truth (a reward alone is no label), no_puid, refused (no 2xx), unread or queue_full.";
    FEEDBACK_BYTES "sidelight_feedback_bytes" Kind::Gauge, [],
        "Bytes of the files with predictions and labels.";
    OTLP_EXPORTED "sidelight_otlp_exported_total" Kind::Counter, ["signal", "outcome"],
        "Points of metrics, lines and spans for the collector of otlp by outcome: exported, rejected by it, given_up after give_up_after (metrics: once the next are due), dropped because the queue was full or the agent left. Only in a build with the feature otlp.";
    OTLP_RETRIES "sidelight_otlp_retries_total" Kind::Counter, ["signal"],
        "Tries to export beyond the first of each request.";
    OTLP_QUEUE_RECORDS "sidelight_otlp_queue_records" Kind::Gauge, ["signal"],
        "Lines and spans that wait for the collector.";
    OTLP_QUEUE_BYTES "sidelight_otlp_queue_bytes" Kind::Gauge, ["signal"],
        "Bytes of the lines and spans that wait for the collector.";
    ADMISSIONS "sidelight_admissions_total" Kind::Counter, ["outcome", "reason"],
        "Reviews of sidelight webhook by outcome: patched, skipped with the reason, or refused because they were none.";
    ADMISSION_DURATION "sidelight_admission_duration_seconds" Kind::Histogram(OVERHEAD), [],
        "Time sidelight webhook took for a review, without its way over the network.";
    CONFIG_RELOADS "sidelight_config_reloads_total" Kind::Counter, ["outcome"],
        "Reloads of the configuration, of sidelight webhook its certificate, by outcome: applied, unchanged or refused.";
    CONFIG_LAST_RELOAD "sidelight_config_last_reload_successful" Kind::Gauge, [],
        "Whether the last reload of the configuration was taken, or found nothing new (1), or was refused (0); 1 before the first.";
    PANICS "sidelight_panics_total" Kind::Counter, ["part"],
        "Panics caught, by the part they happened in; each cost that piece of work and no other.";
    BUILD_INFO "sidelight_build_info" Kind::Gauge, ["version", "pod_name", "pod_namespace", "node_name"],
        "Always 1: the version of the agent, and where it runs, as far as POD_NAME, POD_NAMESPACE and NODE_NAME say so.";
    MEMORY_LIMIT "sidelight_memory_limit_bytes" Kind::Gauge, [],
        "Most memory that the cgroups of the agent allow, which are those of its container; there where they have a limit.";
    PROCESS_CPU "process_cpu_seconds_total" Kind::Counter, [],
        "User and system CPU time of the agent.";
    PROCESS_RESIDENT "process_resident_memory_bytes" Kind::Gauge, [],
        "Resident memory of the agent.";
    PROCESS_VIRTUAL "process_virtual_memory_bytes" Kind::Gauge, [],
        "Virtual memory of the agent.";
    PROCESS_OPEN_FDS "process_open_fds" Kind::Gauge, [],
        "Files and sockets the agent has open.";
    PROCESS_START "process_start_time_seconds" Kind::Gauge, [],
        "Start of the agent in seconds since 1970.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_counters_end_in_total() {
        for (i, family) in ALL.iter().enumerate() {
            assert!(
                ALL[..i].iter().all(|f| f.name != family.name),
                "{}",
                family.name
            );
            let is_total = family.name.ends_with("_total");
            assert_eq!(
                is_total,
                matches!(family.kind, Kind::Counter),
                "{}",
                family.name
            );
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }

    #[test]
    fn edges_rise() {
        for family in ALL {
            if let Kind::Histogram(edges) = family.kind {
                assert!(edges.is_sorted_by(|a, b| a < b), "{}", family.name);
            }
        }
    }
}
