use super::*;

/// The state that the page is tried on, too.
const SAMPLE: &[u8] = include_bytes!("../../ops/dashboard/sample.json");

fn text(state: &State, before: Option<&State>, model: Option<&str>) -> String {
    let lines = lines(state, &Between::new(before, state), model);
    let texts: Vec<_> = lines.into_iter().map(|line| line.text).collect();
    texts.join("\n")
}

fn sample() -> State {
    State::read(SAMPLE).expect("the sample is a state")
}

#[test]
fn a_state_is_told_from_the_agent_to_what_is_not_known() {
    let text = text(&sample(), None, None);
    for part in [
        "sidelight 0.1.0  up 90 min  ready, ",
        "requests/s  2 499, 37 4xx, 4 5xx of 18654",
        "score 0.",
        "\n/predict ",
        "\niris 1.0.0  18423 predictions, 3.4/s  mean confidence 0.895",
        "  baseline: 1000 rows, posted\n",
        "setosa 34 % (33 %)",
        "  petal width (cm)             DRIFT since 16:58:02: above 1.8 23 % -> 71 %",
        "out of range",
        "not known: baseline of iris: there is no baseline yet",
        "    curl --data-binary @baseline.json",
        "not read: 41 of /embed (unknown format)",
    ] {
        assert!(text.contains(part), "{part}\n\n{text}");
    }
}

#[test]
fn rates_and_percentiles_are_of_the_time_since_the_last_look() {
    let before = sample();
    let mut now = before.clone();
    now.unix += 2.0;
    let endpoint = &mut now.traffic.endpoints[0];
    *endpoint.requests.get_mut("2xx").unwrap() += 20;
    let duration = endpoint.duration.as_mut().unwrap();
    duration.counts[3] += 20;
    duration.count += 20;
    let text = text(&now, Some(&before), None);
    let line = text
        .lines()
        .find(|line| line.starts_with("/predict "))
        .unwrap();
    assert_eq!(line.split_whitespace().nth(1), Some("10.0"), "{line}");
    assert_eq!(line.matches("<10 ms").count(), 3, "{line}");
    assert!(line.ends_with("no errors"), "{line}");
}

#[test]
fn one_model_alone_is_shown_and_that_there_is_no_other() {
    let all = sample();
    let one = text(&all, None, Some("iris"));
    assert!(one.contains("\niris "), "{one}");
    let others = all
        .models
        .as_ref()
        .unwrap()
        .iter()
        .filter(|v| v.model != "iris");
    for other in others {
        assert!(!one.contains(&format!("\n{} ", other.model)), "{one}");
    }
    let none = text(&all, None, Some("nobody"));
    assert!(none.contains("no predictions of nobody"), "{none}");
}

#[test]
fn names_of_the_wire_order_nothing() {
    let mut state = sample();
    let version = &mut state.models.as_mut().unwrap()[0];
    version.model = "a\u{1b}[2J\u{202e}b".to_owned();
    version.series[0].name = "x".repeat(500);
    state.traffic.endpoints[0].endpoint = "/\n\u{9b}31m".to_owned();
    let text = text(&state, None, None);
    let is_order = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    assert!(!text.contains(is_order), "{text:?}");
    assert!(text.contains(&format!("{}...", "x".repeat(NAME - 3))));
    assert!(!text.contains(&"x".repeat(NAME)));
}

#[test]
fn an_agent_that_is_not_well_says_so_first() {
    let mut state = sample();
    state.agent.ready = false;
    state.agent.not_ready = vec!["model_not_loaded".to_owned()];
    state.models = None;
    state.observer = Some("busy".to_owned());
    let lines = lines(&state, &Between::new(None, &state), None);
    assert_eq!(lines[0].tone, Tone::Bad);
    assert!(lines[0].text.contains("NOT READY: model not loaded"));
    assert!(
        lines
            .iter()
            .any(|line| line.text == "models: the observer is busy")
    );
}

#[test]
fn another_shape_is_refused() {
    let other = br#"{"schema":2}"#;
    assert_eq!(
        State::read(other).unwrap_err(),
        "expected schema 1, found 2"
    );
    assert!(State::read(b"ok").is_err());
}

#[test]
fn times_have_the_unit_that_fits() {
    let told = [0.0042, 0.5, 1.0, 61.0, 5400.0, 8e4, 1e6].map(duration);
    assert_eq!(
        told,
        ["4.2 ms", "500 ms", "1 s", "61 s", "90 min", "22 h", "12 d"]
    );
}

fn with_accuracy(accuracy: &str) -> State {
    let mut state = sample();
    let versions = state.models.as_mut().unwrap();
    for version in &mut *versions {
        version.accuracy = None;
        version.drift.drift_detected = false;
    }
    versions[0].accuracy = serde_json::from_str(accuracy).unwrap();
    state
}

#[test]
fn a_version_with_labels_has_a_line_on_how_right_it_is() {
    let state = with_accuracy(
        r#"{"classification":{"labels":500,"accuracy":{"value":0.942,"low":0.918,"high":0.9594},
        "estimate":{"accuracy":0.9512},"drop":{"current":null}},"regression":null}"#,
    );
    let text = text(&state, None, None);
    let expected = "\n  accuracy: 94.2 % right of 500 labels (91.8 % to 95.9 %)  \
                    estimate of the unlabelled 95.1 %\n";
    assert!(text.contains(expected), "{text}");
    assert_eq!(text.matches("accuracy:").count(), 1, "{text}");
    assert!(text.contains("ready, no drift"), "{text}");
    let state = with_accuracy(
        r#"{"regression":{"labels":90,"mae":12.34567,"rmse":20.5,"r2":null,"drop":{"current":null}}}"#,
    );
    let text = super::tests::text(&state, None, None);
    let expected = "  accuracy: 90 labels of numbers  mean error 12.35  root mean square 20.5\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_drop_of_accuracy_is_bad_and_stands_in_the_first_line() {
    let mut state = with_accuracy(
        r#"{"classification":{"labels":500,"accuracy":{"value":0.7,"low":0.66,"high":0.74},
        "drop":{"current":{"at":480,"since":400,"accuracy":0.5}}}}"#,
    );
    let told = |state: &State| lines(state, &Between::new(None, state), None);
    let all = told(&state);
    assert_eq!(all[0].tone, Tone::Bad);
    assert!(
        all[0].text.contains("  ready, ACCURACY DROPPED  "),
        "{}",
        all[0].text
    );
    let own = all.iter().find(|line| line.text.contains("accuracy:"));
    let own = own.unwrap();
    assert_eq!(own.tone, Tone::Bad);
    assert!(
        own.text.starts_with("  accuracy: DROPPED  70.0 % right"),
        "{}",
        own.text
    );
    let versions = state.models.as_mut().unwrap();
    versions[1].drift.drift_detected = true;
    assert!(
        told(&state)[0]
            .text
            .contains("ready, 1 VERSION DRIFTS, ACCURACY DROPPED")
    );
    let versions = state.models.as_mut().unwrap();
    versions[1].accuracy =
        serde_json::from_str(r#"{"regression":{"labels":9,"drop":{"current":{}}}}"#).unwrap();
    assert!(
        told(&state)[0]
            .text
            .contains("1 VERSION DRIFTS, ACCURACY OF 2 VERSIONS DROPPED")
    );
}
