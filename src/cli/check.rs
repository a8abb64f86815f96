//! `sidelight check`: what a configuration would do, in words.

use std::fmt::Write as _;

use super::{Report, folder};
use crate::config::{
    self, Config, Features, Findings, Lines, Loaded, Origin, Route, Sources,
    units::{written, written_bytes},
};

/// Says what `sources` would do, or everything that is wrong with them; `examine` looks into the files
/// that they name.
pub fn report(sources: &Sources, examine: impl Fn(&Config, &mut Findings<'_>)) -> Report {
    match sources.load_with(examine) {
        Ok(mut loaded) => {
            let dir = loaded.config.state.dir.as_deref();
            let dir = dir.and_then(|dir| folder::problem("state.dir", dir));
            let file = loaded.config.log.file.path.as_deref();
            let file = file.and_then(|file| folder::problem_of_file("log.file.path", file));
            loaded.warnings.extend(dir.into_iter().chain(file));
            Report::text(text(sources, &loaded))
        }
        Err(errors) => Report::of_errors(&errors),
    }
}

fn text(sources: &Sources, loaded: &Loaded) -> String {
    let subject = match &sources.file {
        Some(file) => file.display().to_string(),
        None => "the built-in configuration".to_owned(),
    };
    let mut text = format!("{subject}: valid\n\n");
    for (name, sentence) in sentences(&loaded.config) {
        let mut lines = sentence.lines();
        row(&mut text, name, lines.next().unwrap_or_default());
        lines.for_each(|line| row(&mut text, "", line));
    }
    list(&mut text, "set", &settings(loaded));
    list(&mut text, "warnings", &loaded.warnings);
    text
}

fn row(text: &mut String, name: &str, sentence: &str) {
    let _ = writeln!(text, "  {name:<9} {sentence}");
}

fn list(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{title}:\n  {}", lines.join("\n  "));
    }
}

/// One line for each key. The file is named above, so its lines are enough.
fn settings(loaded: &Loaded) -> Vec<String> {
    let shown = loaded.settings.iter().map(|setting| {
        let origin = match &setting.origin {
            Origin::File { line, .. } => format!("line {line}"),
            other => other.to_string(),
        };
        format!("{}: {}  ({origin})", setting.key, setting.value)
    });
    shown.collect()
}

/// One subject after the other, as a request meets them.
fn sentences(config: &Config) -> Vec<(&'static str, String)> {
    let mut sentences = vec![
        ("clients", clients(&config.proxy)),
        ("upstream", upstream(&config.proxy)),
        ("ops", ops(&config.ops)),
        ("routes", routes(&config.routes)),
        ("bodies", bodies(&config.capture, &config.decode)),
        ("model", model(&config.model)),
        ("log", log(&config.log)),
        ("drift", drift(&config.drift, config.captured_baseline())),
        ("state", state(&config.state)),
        ("leaving", leaving(&config.drain)),
    ];
    if let Some(endpoint) = &config.otlp.endpoint {
        sentences.push(("otlp", otlp(&config.otlp, endpoint)));
    }
    sentences
}

fn clients(proxy: &config::Proxy) -> String {
    let how = match (&proxy.tls.cert_file, &proxy.tls.client_ca_file) {
        (Some(_), Some(_)) => " over TLS, with a certificate of their own",
        (Some(_), None) => " over TLS",
        (None, _) => "",
    };
    format!("connect to {}{how}", proxy.listen)
}

fn upstream(proxy: &config::Proxy) -> String {
    match &proxy.upstream {
        Some(upstream) => format!("requests go to {}", upstream.url()),
        None => "none: the bundled Iris server is started, requests go to it".to_owned(),
    }
}

fn ops(ops: &config::Ops) -> String {
    let who = match ops.token {
        Some(_) => "from elsewhere with the token",
        None => "not from elsewhere",
    };
    format!("{}; changes are taken over loopback, {who}", ops.listen)
}

fn routes(routes: &[Route]) -> String {
    if routes.is_empty() {
        return "none configured: prediction paths are learned from the traffic".to_owned();
    }
    let width = routes.iter().map(|route| route.path.len()).max();
    let line = |route: &Route| {
        let kind = route.kind.as_str();
        let mut line = format!("{:<width$}  {kind}", route.path, width = width.unwrap_or(0));
        line.push_str(&told(route));
        line
    };
    routes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a route says of its bodies, after its kind.
fn told(route: &Route) -> String {
    let mut text = String::new();
    let names = |names: &[String]| match names {
        [] => None,
        names => Some(names.join(", ")),
    };
    let identity = |identity: &Option<config::Identity>| identity.as_ref().map(ToString::to_string);
    let numbers = |edges: &Vec<f64>| {
        let edges: Vec<_> = edges.iter().map(f64::to_string).collect();
        edges.join(", ")
    };
    for (what, value) in [
        ("format", route.format.clone()),
        ("classes", names(&route.classes)),
        ("features", names(&route.features)),
        ("positive class", route.positive_class.clone()),
        ("threshold", route.threshold.map(|share| share.to_string())),
        ("model", identity(&route.model)),
        ("version", identity(&route.version)),
        ("value edges", route.value_edges.as_ref().map(numbers)),
    ] {
        if let Some(value) = value {
            let _ = write!(text, "  {what} {value}");
        }
    }
    if let Some(paths) = &route.paths {
        mapped(paths, &mut text);
    }
    text
}

/// Where things are, a line each.
fn mapped(paths: &config::Paths, text: &mut String) {
    let mut line = |what: &str, path: &config::JsonPath| {
        let _ = write!(text, "\n  {what}: {}", path.as_str());
    };
    match &paths.features {
        Some(config::FeaturePaths::Rows(path)) => line("features", path),
        Some(config::FeaturePaths::Named(named)) => {
            for (name, path) in named {
                line(&format!("feature {name}"), path);
            }
        }
        None => {}
    }
    for (what, path) in [
        ("items", &paths.items),
        ("class", &paths.class),
        ("confidence", &paths.confidence),
        ("probabilities", &paths.probabilities),
        ("model", &paths.model),
        ("version", &paths.version),
    ] {
        if let Some(path) = path {
            line(what, path);
        }
    }
}

fn bodies(capture: &config::Capture, decode: &config::Decode) -> String {
    format!(
        "copied up to {} each way, inflated up to {}; at most {} exchanges and {} wait to be read\n\
         features kept of up to {} rows, classes and values of all",
        written_bytes(capture.body_limit),
        written_bytes(capture.inflate_limit),
        capture.queue_exchanges,
        written_bytes(capture.queue_bytes),
        decode.max_items
    )
}

fn model(model: &config::Model) -> String {
    let path = model.ready_path.as_deref().unwrap_or("a well-known path");
    let every = written(model.probe_interval);
    format!(
        "{}, version {}, where nothing else is said\nloaded when {path} says so, asked every {every}",
        model.name, model.version
    )
}

fn log(log: &config::Log) -> String {
    let lines = match log.lines {
        Lines::One => "one line for each request",
        Lines::Separate => "up to four lines for each request",
        Lines::Off => return format!("no lines for requests{}", log_file(&log.file)),
    };
    let features = match &log.features {
        Features::All => "all features".to_owned(),
        Features::None => "no features".to_owned(),
        Features::Named(names) => names.join(", "),
    };
    let mut text = format!("{lines}, with {features}");
    if !log.redact.is_empty() {
        let _ = write!(text, "; hashed: {}", log.redact.join(", "));
    }
    if log.sample < 1.0 {
        let _ = write!(text, "; a share of {} and all failures", log.sample);
    }
    text.push_str(&log_file(&log.file));
    text
}

fn log_file(file: &config::LogFile) -> String {
    let Some(path) = &file.path else {
        return String::new();
    };
    format!(
        "\nall lines go to {} as well, of at most {}, and the {} before it are kept",
        path.display(),
        written_bytes(file.max_size),
        file.keep
    )
}

fn otlp(otlp: &config::Otlp, endpoint: &config::Address) -> String {
    let signals: Vec<_> = otlp.signals.iter().map(|signal| signal.word()).collect();
    let (signals, to) = (signals.join(", "), endpoint.server.url());
    format!(
        "{signals} are exported to {to}, metrics every {}\nat most {} lines and as many spans wait, each of up to {} together",
        written(otlp.interval),
        otlp.queue_records,
        written_bytes(otlp.queue_bytes)
    )
}

fn drift(drift: &config::Drift, captured: Option<usize>) -> String {
    let mut text = format!(
        "every series is scanned against the baseline; before the scan is warm, every {} the last {}\n\
         confidences are tested, and p below {} is drift",
        written(drift.check_interval),
        drift.window,
        drift.threshold
    );
    if let Some(count) = captured {
        let _ = write!(
            text,
            "\nof a version without a baseline the first {count} predictions become one, not reviewed"
        );
    }
    for file in &drift.baseline_files {
        let _ = write!(text, "\na baseline is read from {}", file.display());
    }
    for target in &drift.notify {
        if let Ok(address) = target.address() {
            let to = address.server.url();
            let _ = write!(text, "\nwhat begins or ends to drift is posted to {to}");
        }
    }
    text
}

fn state(state: &config::State) -> String {
    match &state.dir {
        Some(dir) => format!("baselines and windows are kept in {}", dir.display()),
        None => "in memory only: a restart forgets baselines and windows".to_owned(),
    }
}

fn leaving(drain: &config::Drain) -> String {
    let finish = written(drain.deadline);
    match drain.delay {
        Some(delay) if !delay.is_zero() => {
            let delay = written(delay);
            format!("serves on for {delay}, then finishes what is in flight for up to {finish}")
        }
        _ => format!("finishes what is in flight for up to {finish}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{OK, USAGE},
        tls::{self, tests::authority::Authority},
    };

    fn of(text: &str, env: &[(&str, &str)]) -> Report {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("own.yaml");
        std::fs::write(&file, text).unwrap();
        let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let sources = Sources {
            file: Some(file),
            env: env.collect(),
            ..Sources::default()
        };
        report(&sources, tls::examine)
    }

    #[test]
    fn a_valid_configuration_is_told_in_words_with_what_was_set() {
        let text = "proxy: {upstream: 'http://m'}
routes:
- {path: /score/{id}, model: churn}
- {path: /rate, kind: regress, format: mapped, version: {header: X-V}, paths: {features: {age: $.age}, class: $.y}}
- {path: /admin, kind: ignore}
log: {features: [age], redact: [age], sample: 0.5}
ops: {token: hunter2}
drift: {notify: [{url: 'https://hook/hunter2', headers: {Authorization: hunter2}}]}
";
        let text = text.replace("/score/{id}", "'/score/{id}'");
        let report = of(&text, &[("SIDELIGHT_DRIFT__WINDOW", "50")]);
        assert_eq!(report.code(), OK);
        for line in [
            "  clients   connect to 0.0.0.0:8080\n",
            "  upstream  requests go to http://m:80\n",
            "  routes    /score/{id}  predict  model churn\n",
            "            /rate        regress  format mapped  version {header: X-V}\n",
            "              feature age: $.age\n              class: $.y\n",
            "            /admin       ignore\n",
            "  log       one line for each request, with age; hashed: age; a share of 0.5",
            "  drift     every series is scanned against the baseline; before the scan is warm, every 15s the last 50\n",
            "            confidences are tested, and p below 0.05 is drift\n",
            "            what begins or ends to drift is posted to https://hook:443\n",
            "  drift.notify: 1 entry  (line 8)\n",
            "\nset:\n  proxy.upstream: http://m  (line 1)\n",
            "  ops.token: ***  (line 7)\n",
            "  drift.window: 50  (environment SIDELIGHT_DRIFT__WINDOW)\n",
            "\nwarnings:\n  ops.token is short",
        ] {
            assert!(
                report.as_str().contains(line),
                "{line}\n{}",
                report.as_str()
            );
        }
        assert!(!report.as_str().contains("hunter2"));
    }

    #[test]
    fn a_log_file_is_told_and_one_that_cannot_be_written_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().display();
        let said = of(&format!("log: {{file: {{path: {folder}/log}}}}"), &[]);
        let line = format!(
            "all lines go to {folder}/log as well, of at most 100MiB, and the 5 before it are kept\n"
        );
        assert!(said.as_str().contains(&line), "{}", said.as_str());
        assert!(!said.as_str().contains("warnings:"), "{}", said.as_str());
        let said = of(
            &format!("log: {{lines: off, file: {{path: {folder}/none/log}}}}"),
            &[],
        );
        assert_eq!(said.code(), OK);
        assert!(said.as_str().contains("no lines for requests\n"));
        let line = format!("\nwarnings:\n  log.file.path cannot be written: {folder}/none/log: ");
        assert!(said.as_str().contains(&line), "{}", said.as_str());
    }

    #[test]
    fn what_is_captured_is_told() {
        let line =
            "of a version without a baseline the first 1000 predictions become one, not reviewed";
        assert!(of("{}", &[]).as_str().contains(line));
        assert!(!of("drift: {capture: 0}", &[]).as_str().contains(line));
        let named = "proxy: {upstream: http://m}";
        assert!(!of(named, &[]).as_str().contains("not reviewed"));
    }

    #[test]
    fn a_state_folder_that_cannot_be_made_is_told() {
        let report = of("state: {dir: /proc/nope}", &[]);
        let said = report.as_str();
        assert!(
            said.contains("\nwarnings:\n  state.dir cannot be made: /proc/nope: "),
            "{said}"
        );
        assert!(
            said.contains("baselines and windows are kept in /proc/nope\n"),
            "{said}"
        );
        let said = of("{}", &[]);
        assert!(!said.as_str().contains("warnings:"), "{}", said.as_str());
    }

    #[test]
    fn certificates_are_looked_into() {
        let files = Authority::new().issue("model");
        let env = [
            ("SIDELIGHT_PROXY__TLS__CERT_FILE", files.cert()),
            ("SIDELIGHT_PROXY__TLS__KEY_FILE", files.key()),
            ("SIDELIGHT_UPSTREAM", "http://model"),
        ];
        let report = of("{}", &env);
        let said = report.as_str();
        assert!(
            said.contains("connect to 0.0.0.0:8080 over TLS\n"),
            "{said}"
        );
        std::fs::write(files.key(), "hunter2").unwrap();
        let report = of("{}", &env);
        assert_eq!(report.code(), USAGE);
        let said = report.as_str();
        assert!(
            said.contains("  proxy.tls.key_file: expected a PEM file"),
            "{said}"
        );
        assert!(!said.contains("hunter2"));
    }

    #[test]
    fn a_wrong_configuration_exits_with_64_and_every_error() {
        let report = of("drift: {window: 0}\nlog: {level: loud}\n", &[]);
        assert_eq!(report.code(), USAGE);
        assert!(
            report
                .as_str()
                .starts_with("2 errors in the configuration\n")
        );
        assert!(
            report.as_str().contains("drift.window: ") && report.as_str().contains("log.level: ")
        );
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn what_is_exported_is_told_with_where_to() {
        let text =
            "otlp: {endpoint: 'http://c:4318', signals: [metrics, logs], headers: {A: hunter2}}";
        let report = of(text, &[]);
        assert_eq!(report.code(), OK);
        for line in [
            "metrics, logs are exported to http://c:4318, metrics every 10s\n",
            "at most 10000 lines and as many spans wait, each of up to 8MiB together\n",
            "otlp.headers.A: ***",
        ] {
            assert!(
                report.as_str().contains(line),
                "{line}\n{}",
                report.as_str()
            );
        }
        assert!(!report.as_str().contains("hunter2"));
    }
}
