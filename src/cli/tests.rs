//! Command lines and what they mean.

use super::*;

fn parse(line: &str) -> Result<Command, Report> {
    parse_in(line, &[])
}

fn parse_in(line: &str, env: &[(&str, &str)]) -> Result<Command, Report> {
    let words = line.split_whitespace().map(OsString::from);
    let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    parse_from(words, env.collect())
}

fn run(line: &str) -> Sources {
    match parse(line) {
        Ok(Command::Run(sources)) => sources,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn no_command_is_run() {
    for line in ["sidelight", "sidelight run"] {
        let sources = run(line);
        assert_eq!((sources.file, sources.flags), (None, Flags::default()));
    }
}

#[test]
fn flags_of_run_stand_with_or_without_its_name() {
    let flags = "--config a.yaml --listen :1 --upstream http://m --ops-listen :2";
    for command in ["", "run"] {
        let sources = run(&format!("sidelight {command} {flags}"));
        assert_eq!(sources.file, Some(PathBuf::from("a.yaml")));
        let expected = Flags {
            listen: Some(":1".to_owned()),
            upstream: Some("http://m".to_owned()),
            ops_listen: Some(":2".to_owned()),
        };
        assert_eq!(sources.flags, expected);
    }
}

#[test]
fn exchanges_to_explain_are_in_a_file_or_on_the_standard_input() {
    for (line, file, config) in [
        ("sidelight explain", None, None),
        ("sidelight explain -", None, None),
        ("sidelight explain a.jsonl", Some("a.jsonl"), None),
        ("sidelight explain --config a.yaml -", None, Some("a.yaml")),
    ] {
        let Ok(Command::Explain(explain)) = parse(line) else {
            panic!("{line}");
        };
        assert_eq!(explain.file, file.map(PathBuf::from), "{line}");
        assert_eq!(explain.sources.file, config.map(PathBuf::from), "{line}");
    }
    assert_eq!(parse("sidelight explain a b").unwrap_err().code(), USAGE);
}

#[test]
fn a_log_to_replay_is_in_files_of_which_one_may_be_the_standard_input() {
    let line =
        "sidelight replay b - --baseline x --baseline y --html r --model m --version 1 -c a.yaml";
    let Ok(Command::Replay(Replay { sources, logs })) = parse(line) else {
        panic!("{line}");
    };
    let paths = |of: &[&str]| of.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(sources.file, Some(PathBuf::from("a.yaml")));
    assert_eq!(logs.log, paths(&["b", "-"]));
    assert_eq!(logs.baseline, paths(&["x", "y"]));
    assert_eq!(logs.html, Some(PathBuf::from("r")));
    assert_eq!(
        (logs.model.as_deref(), logs.version.as_deref()),
        (Some("m"), Some("1"))
    );
    for line in [
        "sidelight replay",
        "sidelight replay - -",
        "sidelight replay a --model=",
    ] {
        assert_eq!(parse(line).unwrap_err().code(), USAGE, "{line}");
    }
}

#[test]
fn the_file_is_that_of_the_command_line_else_of_the_environment() {
    for (line, value, expected) in [
        ("sidelight", "env.yaml", Some("env.yaml")),
        ("sidelight -c own.yaml", "env.yaml", Some("own.yaml")),
        ("sidelight check own.yaml", "env.yaml", Some("own.yaml")),
        ("sidelight check", "env.yaml", Some("env.yaml")),
        ("sidelight", "", None),
    ] {
        let command = parse_in(line, &[("SIDELIGHT_CONFIG", value)]);
        let Ok(Command::Run(sources) | Command::Check(sources)) = command else {
            panic!("{line}: {command:?}");
        };
        assert_eq!(sources.file, expected.map(PathBuf::from), "{line}");
    }
}

#[test]
fn the_iris_server_listens_on_8000_unless_told() {
    let iris = |line| match parse(line) {
        Ok(Command::Iris(iris)) => (iris.listen.to_string(), iris.child),
        other => panic!("{other:?}"),
    };
    assert_eq!(iris("sidelight iris"), ("127.0.0.1:8000".to_owned(), false));
    let child = iris("sidelight iris --child --listen localhost:0");
    assert_eq!(child, ("127.0.0.1:0".to_owned(), true));
}

#[test]
fn the_demo_tells_its_story_once_as_fast_as_it_is_unless_told() {
    let demo = |line: &str| match parse(line) {
        Ok(Command::Demo(demo)) => demo,
        other => panic!("{line}: {other:?}"),
    };
    let usual = demo("sidelight demo");
    assert_eq!((usual.scenario, usual.seed), (Scenario::Story, 1));
    assert!((usual.speed - 1.0).abs() < f64::EPSILON);
    assert_eq!((usual.listen, usual.ops_listen), (None, None));
    assert!(!usual.once);
    let other =
        demo("sidelight demo --scenario stuck-sensor --seed 7 --speed 20 --once --listen :1");
    assert_eq!((other.scenario, other.seed), (Scenario::StuckSensor, 7));
    assert_eq!(other.listen.unwrap().port(), 1);
    assert!(other.once);
    for line in [
        "--speed 0",
        "--speed=-1",
        "--speed NaN",
        "--speed 101",
        "--scenario bogus",
        "--seed x",
        "--listen x",
    ] {
        let line = format!("sidelight demo {line}");
        assert_eq!(parse(&line).expect_err(&line).code(), USAGE);
    }
    let help = parse("sidelight demo --help")
        .expect_err("help")
        .as_str()
        .to_owned();
    for name in ["story", "inches", "missing-class", "stuck-sensor", "none"] {
        assert!(help.contains(name), "{name}\n{help}");
    }
}

#[test]
fn a_probe_goes_to_the_configured_port_on_this_host() {
    let probe = |line: &str, env: &[(&str, &str)]| match parse_in(line, env) {
        Ok(Command::Probe(probe)) => (probe.target.path(), probe.address.to_string()),
        other => panic!("{line}: {other:?}"),
    };
    let of = |listen| [("SIDELIGHT_OPS_LISTEN", listen)];
    assert_eq!(
        probe("sidelight probe live", &of(":1")),
        ("/live", "127.0.0.1:1".to_owned())
    );
    assert_eq!(
        probe("sidelight probe ready", &of("[::]:2")),
        ("/ready", "[::1]:2".to_owned())
    );
    assert_eq!(
        probe("sidelight probe health --ops-listen 10.0.0.1:3", &of(":1")),
        ("/health", "10.0.0.1:3".to_owned())
    );
}

#[test]
fn a_probe_does_not_fail_for_what_is_wrong_elsewhere() {
    let env = [
        ("SIDELIGHT_OPS__LISTEN", ":1"),
        ("SIDELIGHT_DRIFT__WINDOW", "many"),
    ];
    assert!(matches!(
        parse_in("sidelight probe live", &env),
        Ok(Command::Probe(_))
    ));
    for listen in ["x", ":0"] {
        let line = format!("sidelight probe live --ops-listen {listen}");
        assert_eq!(parse(&line).expect_err(&line).code(), USAGE);
    }
}

#[test]
fn a_rate_of_false_alarms_is_one_that_the_configuration_takes() {
    for (rate, expected) in [("0.001", 0.001), ("1000", 1000.0)] {
        let Ok(Command::Drift(drift)) = parse(&format!("sidelight drift a b --rate {rate}")) else {
            panic!("{rate}");
        };
        assert_eq!(drift.rate, Some(expected));
    }
    for rate in ["0", "0.0009", "1000.1", "1e6", "inf", "NaN", "-1", "x"] {
        let refused = parse(&format!("sidelight drift a b --rate={rate}")).expect_err(rate);
        assert_eq!(refused.code(), USAGE);
        let said = refused.as_str();
        assert!(
            said.contains("expected a number from 0.001 to 1000"),
            "{said}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_64_and_help_with_0() {
    for line in [
        "sidelight bogus",
        "sidelight --bogus",
        "sidelight --listen",
        "sidelight probe",
        "sidelight probe bogus",
        "sidelight iris --listen x",
        "sidelight --listen :1 check",
        "sidelight check a b",
        "sidelight drift - -",
    ] {
        assert_eq!(parse(line).expect_err(line).code(), USAGE, "{line}");
    }
    for line in ["sidelight --help", "sidelight -V", "sidelight probe --help"] {
        assert_eq!(parse(line).expect_err(line).code(), OK, "{line}");
    }
}

#[test]
fn help_names_every_command_and_no_hidden_flag() {
    let help = parse("sidelight --help")
        .expect_err("help")
        .as_str()
        .to_owned();
    for word in [
        "run",
        "iris",
        "demo",
        "check",
        "config",
        "probe",
        "--upstream",
        "Examples:",
    ] {
        assert!(help.contains(word), "{word}\n{help}");
    }
    let iris = parse("sidelight iris --help")
        .expect_err("help")
        .as_str()
        .to_owned();
    assert!(!iris.contains("child"));
}

#[test]
fn the_default_file_is_printed_as_it_is() {
    assert_eq!(documented().as_str(), config::DEFAULT_FILE);
}

#[test]
fn manifests_are_asked_for_with_what_sidecars_are_like() {
    let inject = |words: &[&str]| {
        let words = ["sidelight", "inject"].iter().chain(words);
        parse_from(words.map(OsString::from), Vec::new())
    };
    let Ok(Command::Inject(plain)) = inject(&[]) else {
        panic!("it needs no arguments");
    };
    assert_eq!(plain.file, [PathBuf::from("-")]);
    assert!(plain.sidecar.native_sidecar);
    let words = "-f a -f b --native-sidecar=false --queue-bytes 64MiB --cpu-limit 500m --port 8888";
    let Ok(Command::Inject(asked)) = inject(&words.split(' ').collect::<Vec<_>>()) else {
        panic!("each of them is known");
    };
    assert_eq!(asked.file, ["a", "b"].map(PathBuf::from));
    assert!(!asked.sidecar.native_sidecar);
    assert_eq!(asked.sidecar.queue_bytes, Some(64 << 20));
    assert_eq!(asked.sidecar.cpu_limit.as_deref(), Some("500m"));
    assert_eq!(asked.sidecar.port, Some(8888));
    for wrong in [
        "--queue-bytes=1",
        "--cpu-limit=many",
        "--cpu-limit=0",
        "--port=80",
    ] {
        assert_eq!(inject(&[wrong]).unwrap_err().code(), USAGE, "{wrong}");
    }
    let env = [("SIDELIGHT_OPS_LISTEN", ":1")];
    for (line, seconds) in [("sidelight leave", 0), ("sidelight leave 5s", 5)] {
        let Ok(Command::Leave(leave)) = parse_in(line, &env) else {
            panic!("{line}");
        };
        assert_eq!(leave.address.to_string(), "127.0.0.1:1");
        assert_eq!(leave.time, Duration::from_secs(seconds));
    }
    assert_eq!(parse("sidelight leave 5").unwrap_err().code(), USAGE);
}

#[test]
fn the_state_is_shown_of_the_agent_on_this_host() {
    let env = [("SIDELIGHT_OPS_LISTEN", "0.0.0.0:7")];
    let Ok(Command::Top(top)) = parse_in("sidelight top --once --model iris", &env) else {
        panic!("no view");
    };
    assert_eq!(top.address.to_string(), "127.0.0.1:7");
    assert_eq!((top.every, top.once), (Duration::from_secs(2), true));
    assert_eq!(top.model.as_deref(), Some("iris"));
    for wrong in ["sidelight top --every 0s", "sidelight top --every soon"] {
        assert_eq!(parse(wrong).unwrap_err().code(), USAGE, "{wrong}");
    }
}
