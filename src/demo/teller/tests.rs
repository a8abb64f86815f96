//! What is told of what was sent and heard.

use super::*;

fn teller() -> Teller {
    Teller::new(["a", "b", "c", "d"], ["x", "y", "z"])
}

fn mark(seconds: u64, prediction: u64) -> Mark {
    let at = Duration::from_secs(seconds);
    Mark { at, prediction }
}

fn detected(series: &str, prediction: u64) -> Notice {
    Notice {
        event: Event::DriftDetected,
        series: series.to_owned(),
        prediction: Some(prediction),
        region: Some("at most 4.099999999999999".to_owned()),
        baseline_share: Some(0.256),
        recent_share: Some(1.0),
        reason: None,
    }
}

fn cleared(series: &str, prediction: u64) -> Notice {
    Notice {
        event: Event::DriftCleared,
        region: None,
        baseline_share: None,
        recent_share: None,
        reason: Some("calm".to_owned()),
        ..detected(series, prediction)
    }
}

fn told(lines: &[Line]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

fn hear(teller: &mut Teller, seconds: u64, notice: &Notice, since: u64) -> Option<String> {
    let line = teller.heard(Duration::from_secs(seconds), notice, Some(since));
    line.map(|line| line.to_string())
}

#[test]
fn what_happens_and_what_is_heard_of_it_is_told_with_its_time_and_counted_from_the_change() {
    let mut teller = teller();
    let began = teller.began(mark(20, 180), Fault::Inches).to_string();
    assert_eq!(began, "00:20 the client starts to send a and c in inches");
    assert_eq!(
        hear(&mut teller, 21, &detected("c", 218), 186).unwrap(),
        "00:21 Sidelight: c drifted, 38 predictions after the change: 100% are at most 4.1, of the baseline 26%"
    );
    assert!(
        hear(&mut teller, 22, &detected("a", 1180), 1000)
            .unwrap()
            .contains(" 1,000 predictions")
    );
    let ended = teller.ended(mark(85, 1200)).unwrap().to_string();
    assert_eq!(ended, "01:25 the client sends centimetres again");
    assert_eq!(
        hear(&mut teller, 90, &cleared("a", 1500), 0),
        None,
        "c drifts still"
    );
    assert_eq!(
        hear(&mut teller, 95, &cleared("c", 1800), 0).unwrap(),
        "01:35 Sidelight: all is calm again, 600 predictions after the traffic was"
    );
    assert_eq!(teller.calm_again(), Some(1800));
    assert_eq!(
        told(&teller.summary(2000)),
        [
            "",
            "What happened, and when Sidelight noticed it:",
            "  lengths in inches  noticed after 38 predictions, 1.0 s",
            "                     c, a; calm again 600 predictions, 10.0 s after its end",
            "False alarms: none in 2,000 predictions",
        ]
    );
}

#[test]
fn before_there_is_a_baseline_nothing_was_judged_and_no_alarm_was_right() {
    assert_eq!(
        told(&teller().summary(0)),
        [
            "",
            "Nothing was judged yet: no prediction was compared with a baseline",
        ]
    );
}

#[test]
fn what_was_not_noticed_is_told_as_that() {
    let mut teller = teller();
    teller.began(mark(20, 180), Fault::MissingClass);
    teller.ended(mark(24, 420));
    teller.began(mark(50, 2000), Fault::StuckSensor);
    hear(&mut teller, 51, &detected("b", 2032), 2000);
    assert_eq!(
        told(&teller.summary(2400))[2..],
        [
            "  a missing class    not noticed",
            "",
            "  a stuck sensor     noticed after 32 predictions, 1.0 s",
            "                     b; not yet calm again",
            "False alarms: none in 2,400 predictions",
        ]
    );
}

#[test]
fn an_alarm_belongs_to_a_fault_that_its_window_has_seen_and_else_it_is_a_false_one() {
    let mut teller = teller();
    let is_false = |teller: &mut Teller, prediction, since| {
        let text = hear(teller, 1, &detected("b", prediction), since).unwrap();
        text.ends_with("(a false alarm: nothing has changed)")
    };
    assert!(is_false(&mut teller, 100, 68), "nothing happened yet");
    teller.began(mark(20, 180), Fault::Inches);
    assert!(is_false(&mut teller, 180, 148), "it ends before");
    assert!(!is_false(&mut teller, 188, 156));
    teller.ended(mark(24, 420));
    assert!(
        !is_false(&mut teller, 440, 408),
        "its window has a part of it"
    );
    assert!(is_false(&mut teller, 460, 428));
    let summary = told(&teller.summary(1234));
    assert_eq!(
        summary.last().unwrap(),
        "False alarms: 3 in 1,234 predictions (b, b, b)"
    );
    // a drift that is over before it is asked for has no window any more
    let unknown = teller
        .heard(Duration::ZERO, &detected("b", 500), None)
        .unwrap();
    assert!(unknown.text.contains("a false alarm"));
}

#[test]
fn a_verdict_of_the_two_sample_test_has_no_prediction_to_count_from() {
    let mut teller = teller();
    let tested = Notice {
        prediction: None,
        region: None,
        ..detected("confidence", 0)
    };
    let said = |teller: &mut Teller| teller.heard(Duration::ZERO, &tested, None).unwrap().text;
    assert!(said(&mut teller).contains("a false alarm"));
    teller.began(mark(1, 10), Fault::Inches);
    assert!(!said(&mut teller).contains("a false alarm"));
    let taken_over = Notice {
        reason: Some("the scan has found it too".to_owned()),
        ..cleared("confidence", 0)
    };
    assert_eq!(teller.heard(Duration::ZERO, &taken_over, None), None);
    let other = Notice {
        reason: Some("another baseline".to_owned()),
        ..taken_over
    };
    let line = teller.heard(Duration::ZERO, &other, None).unwrap();
    assert_eq!(line.text, "confidence drifts no more: another baseline");
}

#[test]
fn every_fault_is_told_by_the_names_that_the_traffic_has() {
    for (fault, began, ended) in [
        (Fault::Inches, "a and c", "centimetres"),
        (Fault::MissingClass, "z", "z comes again"),
        (Fault::StuckSensor, "b", "works again"),
    ] {
        let mut teller = teller();
        assert!(teller.began(mark(0, 0), fault).text.contains(began));
        assert!(teller.ended(mark(0, 0)).unwrap().text.contains(ended));
    }
}

#[test]
fn the_page_is_named_as_a_browser_takes_it_and_a_port_that_is_taken_is_told() {
    let [clients, ops] = [8080, 40_000].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let lines = told(&welcome(clients, ops, &[(9464, 40_000)]));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("http://localhost:40000/"))
    );
    assert!(lines.iter().any(|line| line.contains("port 9464 is taken")));
    let elsewhere = SocketAddr::from(([10, 0, 0, 1], 1));
    assert!(
        told(&farewell(elsewhere))
            .iter()
            .any(|line| line.contains("10.0.0.1:1/drift"))
    );
}

#[test]
fn numbers_are_easy_to_read() {
    let read = [0, 999, 1000, 12_345, 1_234_567].map(grouped);
    assert_eq!(read, ["0", "999", "1,000", "12,345", "1,234,567"]);
    assert_eq!(predictions(1), "1 prediction");
    for (region, expected) in [
        ("at most 0.999694984725326", "at most 0.9997"),
        ("at most 0.000012345678", "at most 0.00001235"),
        ("at most 5", "at most 5"),
        ("virginica", "virginica"),
        ("at most", "at most"),
    ] {
        assert_eq!(short(region), expected);
    }
}
