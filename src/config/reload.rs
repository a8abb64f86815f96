//! What a changed configuration can change while requests pass.

use super::Config;

/// A key, and whether a change of it takes effect without a restart.
#[derive(Debug)]
pub struct Key {
    /// Such as `proxy.listen`.
    pub path: &'static str,
    /// Whether it changes live.
    pub live: bool,
    differs: fn(&Config, &Config) -> bool,
    take: fn(&mut Config, &Config),
}

/// One line for each key: `live` or `restart`, and the field.
macro_rules! keys {
    ($($when:ident $first:ident $(. $rest:ident)*;)*) => {
        &[$(Key {
            path: concat!(stringify!($first) $(, ".", stringify!($rest))*),
            live: keys!(@ $when),
            differs: |old, new| PartialEq::ne(&old.$first $(.$rest)*, &new.$first $(.$rest)*),
            take: |config, new| config.$first $(.$rest)* = new.$first $(.$rest)*.clone(),
        }),*]
    };
    (@ live) => { true };
    (@ restart) => { false };
}

/// Every key, in the order of the default file.
pub const KEYS: &[Key] = keys! {
    restart proxy.listen;
    live proxy.tls.cert_file;
    live proxy.tls.key_file;
    live proxy.tls.client_ca_file;
    restart proxy.upstream;
    live proxy.upstream_tls.ca_file;
    live proxy.upstream_tls.server_name;
    live proxy.upstream_tls.verify;
    live proxy.upstream_tls.cert_file;
    live proxy.upstream_tls.key_file;
    live proxy.upstream_protocol;
    restart proxy.threads;
    live proxy.connect_timeout;
    live proxy.response_timeout;
    live proxy.upstream_idle;
    restart proxy.upstream_idle_connections;
    live proxy.head_timeout;
    live proxy.client_idle;
    restart proxy.max_connections;
    restart proxy.max_requests;
    live proxy.max_queued;
    live proxy.queue_timeout;
    restart proxy.max_streams;
    restart proxy.max_head;
    restart proxy.max_fields;
    restart proxy.preserve_header_case;
    restart ops.listen;
    live ops.token;
    live ops.token_file;
    restart ops.body_limit;
    live ops.recent;
    live capture.body_limit;
    live capture.inflate_limit;
    live capture.inflate_ratio;
    restart capture.queue_exchanges;
    restart capture.queue_bytes;
    live decode.max_items;
    live routes;
    live model.name;
    live model.version;
    live model.ready_path;
    live model.probe_interval;
    live model.probe_timeout;
    restart metrics.max_series;
    restart metrics.max_endpoints;
    live metrics.max_models;
    live metrics.max_versions;
    live metrics.max_classes;
    live metrics.value_edges;
    live log.lines;
    live log.level;
    live log.logger;
    live log.features;
    live log.redact;
    live log.redact_key;
    live log.sample;
    live log.file.path;
    live log.file.max_size;
    live log.file.keep;
    live otlp.endpoint;
    live otlp.signals;
    live otlp.interval;
    live otlp.headers;
    live otlp.ca_file;
    live otlp.compression;
    live otlp.timeout;
    live otlp.give_up_after;
    live otlp.queue_records;
    live otlp.queue_bytes;
    live otlp.resource;
    live drift.window;
    live drift.threshold;
    live drift.check_interval;
    live drift.max_baseline;
    live drift.false_alarms_per_million;
    live drift.min_effect;
    live drift.max_series;
    live drift.export_series;
    live drift.capture;
    live drift.baseline_files;
    live drift.notify;
    restart feedback.enabled;
    live feedback.retention;
    live feedback.max_bytes;
    live feedback.window;
    live feedback.calibration_labels;
    live feedback.baseline_accuracy;
    live feedback.baseline_labels;
    live feedback.min_drop;
    live feedback.false_alarms_per_million;
    live feedback.recovery_labels;
    live feedback.tolerance;
    restart state.dir;
    live state.save_interval;
    live drain.delay;
    live drain.deadline;
};

/// The paths of the keys that are not the same, in the order of the default file.
pub fn diff(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = KEYS.iter().filter(|key| (key.differs)(old, new));
    changed.map(|key| key.path).collect()
}

/// `old` with everything of `new` that changes live, and the keys that wait for a restart.
pub fn merge_live(old: &Config, new: &Config) -> (Config, Vec<&'static str>) {
    let mut merged = old.clone();
    for key in KEYS.iter().filter(|key| key.live) {
        (key.take)(&mut merged, new);
    }
    let waiting = diff(&merged, new);
    (merged, waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Secret, defaults, documented, env, fit};

    /// The defaults but for `key`, which has the first of some values that fits and differs.
    fn changed(key: &str) -> Config {
        let values = [
            "7", "7s", "7KiB", "true", "false", "none", "off", "error", "0.5", "a,b", "http2",
            "logs", "a=b",
        ];
        let more = [
            "[{path: /a}]",
            "[{url: 'http://hook'}]",
            "10.0.0.1:1",
            "http://model",
        ];
        let fits = |value: &str| {
            let mut tree = documented::TREE.clone();
            let mut problems = Vec::new();
            env::apply(
                &mut tree,
                &[(env::name_of(key), value.to_owned())],
                &mut problems,
            );
            let config = fit::fit(&mut tree, &mut problems);
            config.filter(|config| problems.is_empty() && *config != defaults())
        };
        values.into_iter().chain(more).find_map(fits).expect(key)
    }

    #[test]
    fn every_key_of_the_default_file_is_listed_in_its_order() {
        let listed: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(documented::keys(), listed);
    }

    #[test]
    fn the_default_file_says_of_each_key_whether_it_changes_live() {
        for key in KEYS {
            let comment = documented::comment(key.path);
            let live = comment.matches("Changes live.").count();
            let restart = comment.matches("Needs a restart.").count();
            let expected = if key.live { (1, 0) } else { (0, 1) };
            assert_eq!((live, restart), expected, "{}", key.path);
        }
    }

    #[test]
    fn the_keys_that_changed_are_named() {
        let old = defaults();
        assert_eq!(diff(&old, &old), [""; 0]);
        let mut new = old.clone();
        new.drift.window = 10;
        new.proxy.listen.set_port(1);
        new.ops.token = Some(Secret::from("x"));
        assert_eq!(
            diff(&old, &new),
            ["proxy.listen", "ops.token", "drift.window"]
        );
    }

    #[test]
    fn what_changes_live_is_taken_and_what_does_not_is_named() {
        let old = defaults();
        let mut new = old.clone();
        new.drift.window = 10;
        new.log.logger = "other".to_owned();
        new.proxy.listen.set_port(1);
        new.state.dir = Some("/elsewhere".into());
        let (merged, waiting) = merge_live(&old, &new);
        assert_eq!(waiting, ["proxy.listen", "state.dir"]);
        assert_eq!(diff(&old, &merged), ["log.logger", "drift.window"]);
        assert_eq!(merged.drift.window, 10);
        assert_eq!(merged.proxy.listen, old.proxy.listen);
    }

    #[test]
    fn every_key_compares_and_takes_its_own_field() {
        for key in KEYS {
            let old = defaults();
            let mut new = old.clone();
            (key.take)(&mut new, &changed(key.path));
            assert_eq!(diff(&old, &new), [key.path]);
        }
    }
}
