//! What sources say together, and everything that is refused.

use std::{fs, path::PathBuf, time::Duration};

mod refusals;

use super::*;
use crate::config::{
    DEFAULT_FILE, FeaturePaths, Features, Identity, JsonPath, Level, Lines, RouteKind, defaults,
    reload,
};

/// A file with this text, alive as long as the folder.
fn file(text: &str) -> (tempfile::TempDir, Sources) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.yaml");
    fs::write(&path, text).unwrap();
    let sources = Sources {
        file: Some(path),
        ..Sources::default()
    };
    (dir, sources)
}

fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

fn load(text: &str) -> Loaded {
    let (_dir, sources) = file(text);
    sources.load().unwrap_or_else(|errors| panic!("{errors}"))
}

/// Each problem as shown, with the folder cut away.
fn errors(sources: &Sources) -> Vec<String> {
    let problems = sources.load().expect_err("it is wrong").0;
    let dir = sources.file.as_ref().and_then(|file| file.parent());
    let dir = dir.map_or(String::new(), |dir| format!("{}/", dir.display()));
    problems
        .iter()
        .map(|problem| problem.to_string().replace(&dir, ""))
        .collect()
}

fn errors_of(text: &str) -> Vec<String> {
    let (_dir, sources) = file(text);
    errors(&sources)
}

/// The one problem of `text`.
fn error_of(text: &str) -> String {
    match errors_of(text).as_slice() {
        [only] => only.clone(),
        several => panic!("{text}: {several:#?}"),
    }
}

#[test]
fn nothing_but_the_default_file_is_needed() {
    let loaded = Sources::default().load().unwrap();
    let mut expected = defaults();
    expected.drain.delay = Some(Duration::ZERO);
    assert_eq!(loaded.config, expected);
    assert_eq!((loaded.warnings, loaded.settings), (vec![], vec![]));
}

#[test]
fn the_default_file_can_be_loaded_as_a_file_of_the_user() {
    assert_eq!(load(DEFAULT_FILE).config, load("").config);
}

#[test]
fn a_file_needs_only_what_differs() {
    let config = load("drift:\n  window: 50\nlog: {lines: off, level: warn}\n").config;
    let mut expected = load("").config;
    expected.drift.window = 50;
    expected.log.lines = Lines::Off;
    expected.log.level = Level::Warning;
    assert_eq!(config, expected);
}

#[test]
fn a_section_whose_keys_are_commented_out_says_nothing() {
    let text = "proxy:\n  # listen: x\nroutes:\nlog:\n  redact:\n";
    assert_eq!(load(text).config, load("").config);
}

#[test]
fn later_sources_win() {
    let (_dir, mut sources) = file("proxy: {listen: ':1'}\nops: {listen: ':11'}\n");
    let ports = |sources: &Sources| {
        let config = sources.load().unwrap().config;
        (config.proxy.listen.port(), config.ops.listen.port())
    };
    assert_eq!(ports(&sources), (1, 11));
    sources.env = env(&[("SIDELIGHT_LISTEN", ":2"), ("SIDELIGHT_OPS__LISTEN", ":12")]);
    assert_eq!(ports(&sources), (2, 12));
    sources.flags.listen = Some(":3".to_owned());
    assert_eq!(ports(&sources), (3, 12));
    sources.flags.ops_listen = Some(":13".to_owned());
    sources.flags.upstream = Some("http://m".to_owned());
    assert_eq!(ports(&sources), (3, 13));
    let settings = sources.load().unwrap().settings;
    let shown: Vec<String> = settings
        .iter()
        .map(|s| format!("{}={} {}", s.key, s.value, s.origin))
        .collect();
    assert_eq!(
        shown,
        [
            "proxy.listen=:3 flag --listen",
            "proxy.upstream=http://m flag --upstream",
            "ops.listen=:13 flag --ops-listen"
        ]
    );
}

#[test]
fn a_variable_can_take_a_value_away() {
    let (_dir, mut sources) = file("proxy: {upstream: http://m, response_timeout: 1s}\n");
    sources.env = env(&[
        ("SIDELIGHT_UPSTREAM", "null"),
        ("SIDELIGHT_PROXY__RESPONSE_TIMEOUT", "null"),
    ]);
    let proxy = sources.load().unwrap().config.proxy;
    assert_eq!((proxy.upstream, proxy.response_timeout), (None, None));
}

#[test]
fn lists_replace_and_are_not_joined() {
    let (_dir, mut sources) = file("log: {redact: [a, b], features: [a, b, c]}\n");
    sources.env = env(&[("SIDELIGHT_LOG__REDACT", "c")]);
    let log = sources.load().unwrap().config.log;
    assert_eq!(log.redact, ["c"]);
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(log.features, Features::Named(names.to_vec()));
}

#[test]
fn a_version_is_the_text_that_was_written() {
    let routes = "routes: [{path: /a, version: 2.0, model: 007, kind: ignore}]\n";
    let config = load(&format!("model: {{version: 1.10}}\n{routes}")).config;
    assert_eq!(config.model.version, "1.10");
    assert_eq!(config.routes[0].version, Some(Identity::from("2.0")));
    assert_eq!(config.routes[0].model, Some(Identity::from("007")));
    assert_eq!(config.routes[0].kind, RouteKind::Ignore);
}

#[test]
fn the_token_file_is_read_at_each_load_without_its_line_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    fs::write(&path, "first-token-of-many\n").unwrap();
    let sources = Sources {
        env: env(&[("SIDELIGHT_OPS__TOKEN_FILE", &path.display().to_string())]),
        ..Sources::default()
    };
    let first = sources.load().unwrap();
    assert_eq!(
        first.config.ops.token.as_deref(),
        Some("first-token-of-many")
    );
    assert_eq!(first.warnings, [""; 0]);
    fs::write(&path, "second-token-of-many\r\n").unwrap();
    let second = sources.load().unwrap();
    assert_eq!(
        second.config.ops.token.as_deref(),
        Some("second-token-of-many")
    );
    assert_eq!(reload::diff(&first.config, &second.config), ["ops.token"]);
    fs::write(&path, "\n").unwrap();
    assert!(errors(&sources)[0].starts_with("ops.token_file: expected 1 to 512"));
    fs::remove_file(&path).unwrap();
    assert!(errors(&sources)[0].starts_with("ops.token_file: cannot be read: No such file"));
}

#[test]
fn receivers_are_urls_or_entries_whose_secrets_may_stand_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hook");
    fs::write(&path, "hunter2\n").unwrap();
    let text = format!(
        "drift:
  notify:
    - http://plain/a
    - url: https://hook/b?key=c
      headers: {{Authorization: {{file: {0}, prefix: 'Bearer '}}, X-Team: fraud}}
      timeout: 2s
      give_up_after: 0
      max_queued: 7
    - {{url: {{file: {0}, prefix: 'http://hook/'}}, headers: null}}
",
        path.display()
    );
    let (_dir, sources) = file(&text);
    let first = sources.load().unwrap();
    let targets = &first.config.drift.notify;
    assert_eq!(
        targets[0].address().unwrap().server.url(),
        "http://plain:80"
    );
    assert_eq!(targets[0].max_queued, 1000);
    let (name, value) = &targets[1].headers[0];
    assert_eq!(
        (name.as_str(), value.as_str()),
        ("Authorization", "Bearer hunter2")
    );
    assert_eq!(
        (targets[1].timeout.as_secs(), targets[1].max_queued),
        (2, 7)
    );
    assert_eq!(&*targets[2].address().unwrap().path, "/hunter2");
    assert_eq!(targets[2].files().count(), 1);
    assert!(!format!("{:?}", first.config).contains("hunter2"));
    assert_eq!(first.settings[0].value, "3 entries");
    fs::write(&path, "hunter3\n").unwrap();
    let second = sources.load().unwrap();
    assert_eq!(
        reload::diff(&first.config, &second.config),
        ["drift.notify"]
    );
    fs::remove_file(&path).unwrap();
    let said = errors(&sources);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("drift.notify[1].headers.Authorization: cannot be read: No such"));
    assert!(said[1].starts_with("drift.notify[2].url: cannot be read: No such"));

    let of_env = Sources {
        env: env(&[("SIDELIGHT_DRIFT__NOTIFY", "http://a/b, https://c/d")]),
        ..Sources::default()
    };
    assert_eq!(of_env.load().unwrap().config.drift.notify.len(), 2);
    assert_eq!(load("drift: {notify: null}").config.drift.notify, []);
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_a_warning() {
    for (text, warning) in [
        (
            "ops: {token: short}",
            "ops.token is short enough to be guessed",
        ),
        (
            "log: {features: [a], redact: [b]}",
            "log.redact names b, which is never logged",
        ),
        (
            "log: {features: none, redact: [b]}",
            "log.redact names b, which is never logged",
        ),
        ("drift: {window: 10001}", "drift.window is above 10000"),
    ] {
        let warnings = load(text).warnings;
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(warning),
            "{warnings:?}"
        );
    }
    let fine = "log: {features: [a], redact: [a, client_ip]}";
    assert_eq!(load(fine).warnings, [""; 0]);
}

#[test]
fn the_bundled_model_has_a_captured_baseline_unless_something_else_is_said() {
    let captured = |text: &str| load(text).config.captured_baseline();
    assert_eq!(captured("{}"), Some(1000));
    assert!(documented::comment("drift.capture").contains("null: 1000 of the bundled Iris server"));
    assert_eq!(captured("drift: {capture: 0}"), None);
    assert_eq!(captured("drift: {capture: 200}"), Some(200));
    let named = "proxy: {upstream: http://model}";
    assert_eq!(captured(named), None);
    assert_eq!(captured(&format!("{named}\ndrift: {{capture: 0}}")), None);
    assert_eq!(
        captured(&format!("{named}\ndrift: {{capture: 200}}")),
        Some(200)
    );
}

#[test]
fn in_kubernetes_it_serves_on_until_load_balancers_know() {
    let delay = |variables: &[(&str, &str)]| {
        let sources = Sources {
            env: env(variables),
            ..Sources::default()
        };
        sources.load().unwrap().config.drain.delay
    };
    let kubernetes = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    assert_eq!(delay(&[]), Some(Duration::ZERO));
    assert_eq!(delay(&[kubernetes]), Some(Duration::from_secs(5)));
    let own = ("SIDELIGHT_DRAIN__DELAY", "1s");
    assert_eq!(delay(&[kubernetes, own]), Some(Duration::from_secs(1)));
}

#[test]
fn a_probe_learns_the_address_from_a_file_that_is_wrong_elsewhere() {
    let (_dir, mut sources) = file("ops: {listen: ':1'}\ndrift: {window: many}\n");
    assert_eq!(sources.ops_listen().unwrap().port(), 1);
    sources.flags.ops_listen = Some("x".to_owned());
    assert!(sources.ops_listen().is_err());
}

#[test]
fn every_example_is_valid_and_warns_of_nothing() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // a mounted secret exists only where it is mounted
        let (_dir, mut sources) = file(&text);
        let token = sources.file.as_ref().unwrap().with_file_name("token");
        fs::write(&token, "0123456789abcdef").unwrap();
        if text.contains("token_file:") {
            let token = token.display().to_string();
            sources.env = env(&[("SIDELIGHT_OPS__TOKEN_FILE", &token)]);
        }
        let loaded = sources.load().unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.warnings, [""; 0], "{}", path.display());
        assert!(loaded.config.proxy.upstream.is_some(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 15, "one for each server, and for Kubernetes");
}

#[test]
fn what_a_route_says_of_its_bodies_is_read() {
    let text = "routes:
- path: /v/{version}/score
  format: mapped
  kind: probabilities
  classes: ['no', 'yes']
  positive_class: 'yes'
  threshold: 0.3
  model: {response: $.meta.model}
  version: {segment: version}
  value_edges: [1, 2]
  paths:
    features: {age: '$.rows[*].age'}
    class: '$.results[*].label'
- path: /b
  model: {header: X-Model}
  version: {request: '$.v'}
  format: mapped
  paths: {features: $.rows, items: $.results}
";
    let routes = load(text).config.routes;
    let path = |text: &str| JsonPath::new(text).unwrap();
    let [first, second] = &routes[..] else {
        panic!("{routes:?}");
    };
    assert_eq!(first.model, Some(Identity::Response(path("$.meta.model"))));
    assert_eq!(first.version, Some(Identity::Segment("version".to_owned())));
    let paths = first.paths.as_ref().unwrap();
    let age = ("age".to_owned(), path("$.rows[*].age"));
    assert_eq!(paths.features, Some(FeaturePaths::Named(vec![age])));
    assert_eq!(paths.class, Some(path("$.results[*].label")));
    assert_eq!(second.model, Some(Identity::Header("X-Model".to_owned())));
    assert_eq!(second.version, Some(Identity::Request(path("$.v"))));
    let rows = second.paths.as_ref().unwrap().features.clone();
    assert_eq!(rows, Some(FeaturePaths::Rows(path("$.rows"))));
}
