//! Everything that is refused, and how it is told.

use std::{fs, path::PathBuf};

use super::{env, error_of, errors, errors_of, file, load};
use crate::config::{FORMATS, Sources};

#[test]
fn all_errors_of_all_sources_are_in_one_report() {
    let (_dir, mut sources) = file(
        "proxy:
  listen: x
  upstraem: http://m
  threads: 0
  max_head: 1 apple
ops:
  body_limit: [1]
routes:
  - path: /a
  - pth: /b
  - path: /{c
    kind: guess
log:
  level: loud
  level: info
drift: yes
window: 5
",
    );
    sources.env = env(&[
        ("SIDELIGHT_DRIFT__THRESHOLD", "2"),
        ("SIDELIGHT_DRIFT__WINDW", "2"),
        ("SIDELIGHT_MODEL__NAME", "\n"),
    ]);
    sources.flags.ops_listen = Some("nowhere".to_owned());
    let address = "expected HOST:PORT such as 0.0.0.0:8080";
    assert_eq!(
        errors(&sources),
        [
            "log.level: written twice, first at own.yaml:14 (own.yaml:15)",
            "drift: expected keys with values, found \"yes\" (own.yaml:16)",
            "SIDELIGHT_DRIFT__WINDW: unknown variable, did you mean SIDELIGHT_DRIFT__WINDOW?",
            &format!("proxy.listen: {address}, found \"x\" (own.yaml:2)"),
            "proxy.max_head: expected a size such as 65536, 64KiB or 8MiB, found \"1 apple\" \
             (own.yaml:5)",
            "proxy.upstraem: unknown key, did you mean proxy.upstream? (own.yaml:3)",
            &format!("ops.listen: {address}, found \"nowhere\" (flag --ops-listen)"),
            "ops.body_limit: expected a size such as 65536, 64KiB or 8MiB, found a list \
             (own.yaml:7)",
            "routes[1].pth: unknown key, did you mean routes[1].path? (own.yaml:10)",
            "routes[2].kind: expected predict, classify, regress, probabilities, generate or ignore, found \"guess\" (own.yaml:12)",
            "log.level: expected error, warn, warning, info or debug, found \"loud\" \
             (own.yaml:14)",
            "drift.threshold: expected a number from 0 to 1, found \"2\" \
             (environment SIDELIGHT_DRIFT__THRESHOLD)",
            "window: unknown key, did you mean drift.window? (own.yaml:17)",
            "proxy.threads: expected 1 to 256, found 0 (own.yaml:4)",
            "routes[2].path: expected {name} to stand for a whole segment, or for all before its colon, found \"/{c\" \
             (own.yaml:11)",
        ]
    );
}

#[test]
fn a_key_that_no_word_is_near_is_told_what_there_is() {
    assert_eq!(
        error_of("state: {colour: red}"),
        "state.colour: unknown key, there are dir, save_interval (own.yaml:1)"
    );
}

#[test]
fn wrong_types_say_what_was_expected() {
    for (text, expected) in [
        (
            "proxy: {listen: null}",
            "proxy.listen: expected HOST:PORT such as 0.0.0.0:8080, found nothing",
        ),
        (
            "proxy: {upstream: model}",
            "proxy.upstream: expected http://HOST or http://HOST:PORT, or the same with https://, found",
        ),
        (
            "proxy: {upstream: [a]}",
            "proxy.upstream: expected http://HOST or http://HOST:PORT, or the same with https://, found a list",
        ),
        (
            "proxy: {max_fields: 1.5}",
            "proxy.max_fields: expected a whole number, found \"1.5\"",
        ),
        (
            "proxy: {max_fields: -1}",
            "proxy.max_fields: expected a whole number, found \"-1\"",
        ),
        (
            "proxy: {connect_timeout: 5}",
            "proxy.connect_timeout: expected a duration such as",
        ),
        (
            "proxy: {connect_timeout: null}",
            "proxy.connect_timeout: expected a duration such as",
        ),
        (
            "proxy: {preserve_header_case: 1}",
            "proxy.preserve_header_case: expected true or false",
        ),
        (
            "proxy: {tls: a.pem}",
            "proxy.tls: expected keys with values, found \"a.pem\"",
        ),
        (
            "proxy: {tls: {cert_file: [a]}}",
            "proxy.tls.cert_file: expected a text, found a list",
        ),
        (
            "proxy: {upstream_tls: {verify: maybe}}",
            "proxy.upstream_tls.verify: expected true or false, found \"maybe\"",
        ),
        (
            "routes: /predict",
            "routes: expected a list, found \"/predict\"",
        ),
        (
            "routes: [/predict]",
            "routes[0]: expected keys with values, found \"/predict\"",
        ),
        ("routes: [{kind: ignore}]", "routes[0].path: missing"),
        (
            "log: {lines: two}",
            "log.lines: expected one, separate or off, found \"two\"",
        ),
        (
            "log: {features: some}",
            "log.features: expected all, none or a list of feature names, found \"some\"",
        ),
        (
            "log: {features: [a, {b: c}]}",
            "log.features[1]: expected a text, found keys with values",
        ),
        (
            "log: {sample: .nan}",
            "log.sample: expected a number from 0 to 1, found \".nan\"",
        ),
        (
            "model: {name: [a]}",
            "model.name: expected a text, found a list",
        ),
        ("[1, 2]", "file: expected keys with values, found a list"),
    ] {
        let found = error_of(text);
        assert!(found.starts_with(expected), "{found}\n{expected}");
        assert!(found.ends_with("(own.yaml:1)"), "{found}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for text in [
        "proxy: {threads: 0}",
        "proxy: {threads: 257}",
        "proxy: {connect_timeout: 0}",
        "proxy: {response_timeout: 0}",
        "proxy: {max_connections: 0}",
        "proxy: {max_head: 100}",
        "proxy: {max_fields: 0}",
        "ops: {body_limit: 0}",
        "capture: {body_limit: 0}",
        "capture: {queue_exchanges: 0}",
        "capture: {queue_bytes: 100KiB}",
        "model: {probe_interval: 0}",
        "model: {probe_timeout: 0}",
        "metrics: {max_series: 1}",
        "metrics: {max_endpoints: 0}",
        "metrics: {max_models: 0}",
        "metrics: {max_versions: 0}",
        "metrics: {max_classes: 0}",
        "drift: {window: 1}",
        "drift: {window: 100001}",
        "drift: {threshold: 0}",
        "drift: {threshold: 1.0}",
        "drift: {check_interval: 0}",
        "drift: {max_baseline: 1}",
        "drain: {delay: 2h}",
    ] {
        let found = error_of(text);
        let (section, rest) = text.split_once(": {").unwrap();
        let key = rest.split_once(':').unwrap().0;
        assert!(
            found.starts_with(&format!("{section}.{key}: expected ")),
            "{found}"
        );
    }
    for text in [
        "proxy: {upstream_idle: 0, upstream_idle_connections: 0, response_timeout: null}",
        "drain: {delay: 0, deadline: 0}",
        "log: {sample: 0}",
        "drift: {window: 2}",
    ] {
        load(text);
    }
}

#[test]
fn addresses_must_not_meet() {
    let same = error_of("proxy: {listen: ':9464'}");
    assert!(
        same.starts_with("ops.listen: expected another address"),
        "{same}"
    );
    for port in [8080, 9464] {
        let own = error_of(&format!("proxy: {{upstream: 'http://localhost:{port}'}}"));
        assert!(
            own.starts_with("proxy.upstream: expected the model server"),
            "{own}"
        );
    }
    // an address that is wrong on its own is told once, not as meeting another's default
    let wrong = errors_of("proxy: {listen: x}\nops: {listen: ':8080'}\n");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
}

#[test]
fn routes_are_well_formed_and_each_is_reached() {
    let text = "routes:\n- path: /a/{x}\n- path: /a/{y}\n- path: no\n- path: /a/b\n  model: ''\n";
    assert_eq!(
        errors_of(text),
        [
            "routes[1].path: expected another path than that of routes[0] (own.yaml:3)",
            "routes[2].path: expected a path that begins with /, found \"no\" (own.yaml:4)",
            "routes[3].model: expected 1 to 128 characters without line ends and the like, \
             found 0 (own.yaml:6)",
        ]
    );
    let warnings = load("routes: [{path: '/a/{x}'}, {path: /a/b}]").warnings;
    assert_eq!(
        warnings,
        ["routes[1].path is never reached: routes[0] matches first"]
    );
}

#[test]
fn texts_that_become_labels_and_paths_are_looked_at() {
    for (text, key) in [
        ("model: {name: ''}", "model.name"),
        ("model: {version: \"a\\nb\"}", "model.version"),
        ("log: {logger: ''}", "log.logger"),
        ("model: {ready_path: ready}", "model.ready_path"),
        ("model: {ready_path: '/ready#a'}", "model.ready_path"),
        ("model: {ready_path: '/ready?a#b'}", "model.ready_path"),
        ("model: {ready_path: '/<ready>'}", "model.ready_path"),
        ("log: {file: {path: ''}}", "log.file.path"),
        ("state: {dir: ''}", "state.dir"),
        (
            "drift: {baseline_files: [a, '']}",
            "drift.baseline_files[1]",
        ),
        ("ops: {token_file: ''}", "ops.token_file"),
        ("log: {redact: ['']}", "log.redact"),
        ("log: {redact_key: ''}", "log.redact_key"),
    ] {
        let found = error_of(text);
        assert!(found.starts_with(&format!("{key}: ")), "{found}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "hunter2 with a space";
    let text = format!("ops: {{token: {secret}}}\nlog: {{redact_key: {secret}}}\n");
    let found = error_of(&text);
    assert!(
        found.starts_with("ops.token: expected 1 to 512 visible ASCII"),
        "{found}"
    );
    assert!(!found.contains("hunter2"), "{found}");
    let password = error_of("proxy: {upstream: 'http://me:hunter2@m'}");
    assert!(!password.contains("hunter2"), "{password}");
    let loaded = load("ops: {token: hunter2}\nlog: {redact_key: hunter2}\n");
    assert!(!format!("{loaded:?}").contains("hunter2"), "{loaded:?}");
    assert_eq!(loaded.config.ops.token.as_deref(), Some("hunter2"));
}

#[test]
fn a_file_that_cannot_be_read_is_one_of_the_errors() {
    let dir = tempfile::tempdir().unwrap();
    let of = |file: PathBuf| {
        let sources = Sources {
            file: Some(file),
            env: env(&[("SIDELIGHT_LISTEN", "x")]),
            ..Sources::default()
        };
        errors(&sources)
    };
    let missing = of(dir.path().join("none.yaml"));
    assert!(
        missing[0].starts_with("none.yaml: cannot be read: No such file"),
        "{missing:?}"
    );
    assert!(missing[1].starts_with("proxy.listen: "), "{missing:?}");
    fs::create_dir(dir.path().join("dir")).unwrap();
    assert!(of(dir.path().join("dir"))[0].starts_with("dir: cannot be read: "));
    fs::write(dir.path().join("bytes"), [0xff, 0xfe, 0x00]).unwrap();
    assert!(of(dir.path().join("bytes"))[0].starts_with("bytes: cannot be read: "));
    fs::write(dir.path().join("large"), "#".repeat(2 << 20)).unwrap();
    assert!(of(dir.path().join("large"))[0].contains("larger than 1048576 bytes"));
}

#[test]
fn a_state_folder_that_is_a_file_is_refused() {
    let taken = tempfile::NamedTempFile::new().unwrap();
    let found = error_of(&format!("state: {{dir: '{}'}}", taken.path().display()));
    assert!(
        found.starts_with("state.dir: expected a folder, found a file"),
        "{found}"
    );
}

#[test]
fn a_log_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path(), std::path::Path::new("/dev/null")] {
        let found = error_of(&format!("log: {{file: {{path: '{}'}}}}", path.display()));
        let expected = "log.file.path: expected a file, found something else at";
        assert!(found.starts_with(expected), "{found}");
    }
    let found = error_of("log: {file: {path: /..}}");
    assert!(
        found.starts_with("log.file.path: expected the path of a file"),
        "{found}"
    );
}

#[test]
fn hostile_files_end_in_a_report() {
    let many: Vec<String> = (0..2000).map(|n| format!("k{n}: 1")).collect();
    let many = many.join("\n");
    for text in [
        &*many,
        "a: &a [*a]",
        "? [a]\n: b",
        "{",
        "\0",
        "*a",
        "!!int x",
        "!x y",
    ] {
        let (_dir, sources) = file(text);
        assert!(sources.load().is_err(), "{}", &text[..text.len().min(20)]);
    }
}

/// Each of these keys of a route is refused with its message, and nothing else is.
fn refused(routes: &[(&str, &str)]) {
    for (route, message) in routes {
        let found = errors_of(&format!("routes:\n- path: /a/{{v}}\n  {route}\n"));
        let (last, others) = FORMATS.split_last().unwrap();
        let known = format!("{} or {last}", others.join(", "));
        let expected = format!("routes[0].{}", message.replace("FORMATS", &known));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&expected), "{}\n{expected}", found[0]);
    }
}

#[test]
fn what_a_route_says_of_its_bodies_goes_together() {
    refused(&[
        (
            "format: v3",
            "format: expected FORMATS, found \"v3\", did you mean v1?",
        ),
        (
            "format: tabular",
            "format: expected FORMATS, found \"tabular\"",
        ),
        (
            "kind: clasify",
            "kind: expected predict, classify, regress, probabilities, generate or ignore, found \"clasify\"",
        ),
        (
            "classes: [a, '']",
            "classes[1]: expected 1 to 128 characters without line ends and the like, found 0",
        ),
        (
            "classes: [a, a]",
            "classes[1]: expected each name once, found \"a\" again",
        ),
        (
            "features: [a, b, a]",
            "features[2]: expected each name once, found \"a\" again",
        ),
        (
            "classes: [a, b]\n  positive_class: c",
            "positive_class: expected one of classes, found \"c\"",
        ),
        (
            "kind: probabilities\n  threshold: 1.5",
            "threshold: expected 0 to 1, found 1.5",
        ),
        (
            "threshold: 0.5",
            "threshold: expected kind: probabilities or positive_class beside it, or it has no meaning",
        ),
        (
            "model: {header: 'X Y'}",
            "model.header: expected the name of a header, found \"X Y\"",
        ),
        (
            "model: {segment: w}",
            "model.segment: expected the name of a segment of path, {w} is not in \"/a/{v}\"",
        ),
        (
            "model: {haeder: X}",
            "model.haeder: unknown key, did you mean routes[0].model.header?",
        ),
        (
            "model: {}",
            "model: expected a name, or one of header, segment, request and response with its value, found keys with values",
        ),
        (
            "model: {header: X, segment: v}",
            "model: expected a name, or one of header, segment, request and response with its value, found keys with values",
        ),
        (
            "model: [a]",
            "model: expected a name, or one of header, segment, request and response with its value, found a list",
        ),
        (
            "version: {request: '$.a['}",
            "version.request: expected a JSONPath of RFC 9535 (invalid selector - empty, at byte 3), found \"$.a[\"",
        ),
        (
            "value_edges: [2, 1]",
            "value_edges: expected 1 to 50 numbers, each above the one before, found 2",
        ),
        (
            "value_edges: [1, 1e999]",
            "value_edges[1]: expected a number, found \"1e999\"",
        ),
        (
            "value_edges: [.nan]",
            "value_edges[0]: expected a number, found \".nan\"",
        ),
        (
            "value_edges: [x]",
            "value_edges[0]: expected a number, found \"x\"",
        ),
    ]);
}

#[test]
fn paths_of_a_route_are_looked_at() {
    refused(&[
        (
            "format: mapped",
            "format: expected paths beside it, found \"mapped\" without any",
        ),
        (
            "paths: {class: $.a}",
            "paths: expected format: mapped beside it, which alone goes by paths",
        ),
        (
            "format: mapped\n  paths: {model: $.a}",
            "paths: expected at least one of items, class, confidence and probabilities, or nothing of an answer is read",
        ),
        (
            "format: mapped\n  paths: {class: a.b}",
            "paths.class: expected a JSONPath of RFC 9535 (query not starting with the root identifier '$', at byte 0), found \"a.b\"",
        ),
        (
            "format: mapped\n  paths: {class: $.a, features: {}}",
            "paths.features: expected 1 to 256 names with their paths, found 0",
        ),
        (
            "format: mapped\n  paths: {class: $.a, features: {a: '$['}}",
            "paths.features.a: expected a JSONPath of RFC 9535 (invalid selector - empty, at byte 1), found \"$[\"",
        ),
        (
            "format: mapped\n  paths: {class: $.a, features: [a]}",
            "paths.features: expected a JSONPath, or one for each name, found a list",
        ),
        (
            "format: mapped\n  paths: {clas: $.a}",
            "paths.clas: unknown key, did you mean routes[0].paths.class?",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_a_receiver_is_told_with_its_key_and_without_its_secrets() {
    for (entry, error) in [
        (
            "http://me:hunter2@hook/",
            "[0].url: expected http:// or https://",
        ),
        ("hook/hunter2", "[0].url: expected http:// or https://"),
        (
            "{url: [hunter2]}",
            "[0].url: expected a text, or file with a path, found a list",
        ),
        ("{url: {fil: /a}}", "[0].url.fil: unknown key"),
        ("{headers: {}}", "[0].url: missing"),
        (
            "{url: 'http://h', token: hunter2}",
            "[0].token: unknown key",
        ),
        (
            "{url: 'http://h', headers: Bearer hunter2}",
            "[0].headers: expected names of fields",
        ),
        (
            "{url: 'http://h', headers: [hunter2]}",
            "[0].headers: expected names of fields",
        ),
        (
            "{url: 'http://h', headers: {X: \"hunter2\\n\"}}",
            "[0].headers.X: expected 1 to 4096",
        ),
        (
            "{url: 'http://h', headers: {'X Y': hunter2}}",
            "[0].headers.X Y: expected the name",
        ),
        (
            "{url: 'http://h', headers: {Host: hunter2}}",
            "[0].headers.Host: expected a field",
        ),
        (
            "{url: 'http://h', headers: {A: b, a: c}}",
            "[0].headers.a: expected each field once",
        ),
        (
            "{url: 'http://h', timeout: 0}",
            "[0].timeout: expected 10ms to 1m, found 0s",
        ),
        (
            "{url: 'http://h', timeout: soon}",
            "[0].timeout: expected a duration",
        ),
        (
            "{url: 'http://h', give_up_after: 2d}",
            "[0].give_up_after: expected 0 to 1d, found 2d",
        ),
        (
            "{url: 'http://h', max_queued: 0}",
            "[0].max_queued: expected 1 to 10000, found 0",
        ),
    ] {
        let said = error_of(&format!("drift: {{notify: [{entry}]}}"));
        assert!(
            said.starts_with(&format!("drift.notify{error}")),
            "{entry}: {said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
    let said = error_of("drift: {notify: 'http://hook/hunter2'}");
    assert_eq!(
        said,
        "drift.notify: expected a list of targets, found a text (own.yaml:1)"
    );
    let many = vec!["http://h"; 17].join(", ");
    let said = error_of(&format!("drift: {{notify: [{many}]}}"));
    assert!(
        said.starts_with("drift.notify: expected at most 16 targets, found 17"),
        "{said}"
    );
}
