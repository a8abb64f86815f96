//! Drift is told to receivers over real sockets: what is taken, tried again, given up and dropped.

#[path = "notify/receiver.rs"]
mod receiver;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use receiver::{Receiver, Said};
use sidelight::{
    config::{Given, Target},
    drift::{
        Notice, Outlet,
        notice::{Found, Happened},
    },
    metrics::Metrics,
    notify::{self, Notifier, Settings},
};

/// Far beyond what a slow machine needs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A notifier, and the way in.
struct Running {
    outlet: Outlet,
    settings: notify::Sender,
    notifier: Notifier,
    metrics: Metrics,
}

fn target(url: &str) -> Target {
    Target {
        timeout: Duration::from_millis(500),
        ..Target::from(Given::from(url))
    }
}

fn start(targets: &[Target]) -> Running {
    let metrics = Metrics::new(1000).unwrap();
    let (outlet, notices) = notify::outlet(&metrics);
    let (settings, receivers) = notify::receivers(targets).unwrap();
    let notifier = notify::start(notices, receivers, &metrics);
    Running {
        outlet,
        settings,
        notifier,
        metrics,
    }
}

impl Running {
    fn detected(&self, episode: &str, series: &str) {
        let found = Happened::Found(Found {
            prediction: 640,
            score: 1.5,
            region: "above 1.8".to_owned(),
            baseline_share: 0.25,
            recent_share: 0.5,
            psi: Some(0.3),
            wasserstein_over_iqr: Some(0.2),
            low_confidence: false,
        });
        self.tell(episode, series, found);
    }

    fn cleared(&self, episode: &str, series: &str) {
        let cleared = Happened::Cleared {
            prediction: Some(900),
            reason: "calm",
        };
        self.tell(episode, series, cleared);
    }

    fn tell(&self, episode: &str, series: &str, event: Happened) {
        self.outlet.tell(Notice {
            episode: episode.to_owned(),
            model: "iris".to_owned(),
            model_version: "1".to_owned(),
            series: series.to_owned(),
            decision: "scan",
            since: Some(Timestamp::UNIX_EPOCH),
            event,
        });
    }

    fn count(&self, series: &str) -> u64 {
        let text = self.metrics.render();
        let found = text.lines().find_map(|line| line.strip_prefix(series));
        found.unwrap_or_default().trim().parse().unwrap_or_default()
    }

    fn ended(&self, outcome: &str) -> u64 {
        self.count(&format!(
            "sidelight_notifications_total{{outcome=\"{outcome}\"}}"
        ))
    }

    async fn until_ended(&self, outcome: &str, count: u64) {
        let begun = Instant::now();
        while self.ended(outcome) != count {
            assert!(begun.elapsed() < PATIENCE, "{}", self.metrics.render());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn retries(&self) -> u64 {
        self.count("sidelight_notification_retries_total")
    }

    fn waiting(&self) -> u64 {
        self.count("sidelight_notifications_waiting")
    }
}

#[tokio::test]
async fn a_drift_is_told_once_when_it_begins_and_once_when_it_ends_with_one_episode() {
    let receiver = Receiver::start(&[]).await;
    let secret = Given::from("Bearer hunter2");
    let target = Target {
        headers: vec![("Authorization".to_owned(), secret)],
        ..target(&receiver.url("/drift?team=a"))
    };
    let running = start(&[target]);
    running.detected("e1", "petal_width");
    running.cleared("e1", "petal_width");
    running.until_ended("delivered", 2).await;
    let asked = receiver.asked();
    assert_eq!(asked.len(), 2);
    let begun = &asked[0];
    assert_eq!(begun.line, "POST /drift?team=a HTTP/1.1");
    let agent = concat!("sidelight/", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", agent),
        ("authorization", "Bearer hunter2"),
        ("idempotency-key", "e1-detected"),
        ("host", &receiver.address.to_string()),
    ] {
        assert_eq!(begun.field(name), value, "{name}");
    }
    let ids = asked.each_of("id");
    assert_eq!(ids, ["e1-detected", "e1-cleared"]);
    assert_eq!(asked.each_of("episode"), ["e1", "e1"]);
    assert_eq!(asked.each_of("event"), ["drift_detected", "drift_cleared"]);
    assert_eq!(begun.body["region"], "above 1.8");
    assert_eq!((running.retries(), running.waiting()), (0, 0));
}

trait EachOf {
    fn each_of(&self, field: &str) -> Vec<String>;
}

impl EachOf for Vec<receiver::Asked> {
    fn each_of(&self, field: &str) -> Vec<String> {
        let text = |asked: &receiver::Asked| asked.body[field].as_str().unwrap().to_owned();
        self.iter().map(text).collect()
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_the_same_id_and_those_behind_it_wait() {
    let receiver = Receiver::start(&[Said::Status(503), Said::Silence, Said::Nothing]).await;
    let running = start(&[target(&receiver.url("/"))]);
    running.detected("e1", "a");
    running.detected("e2", "b");
    running.until_ended("delivered", 2).await;
    let ids = receiver.asked().each_of("id");
    let first = "e1-detected";
    assert_eq!(ids, [first, first, first, first, "e2-detected"]);
    assert_eq!(running.retries(), 3);
}

#[tokio::test]
async fn a_receiver_says_itself_how_long_it_wants_to_be_left_alone() {
    let receiver = Receiver::start(&[Said::RetryAfter(429, "2")]).await;
    let running = start(&[target(&receiver.url("/"))]);
    running.detected("e1", "a");
    running.until_ended("delivered", 1).await;
    let asked = receiver.asked();
    let between = asked[1].at - asked[0].at;
    assert!(between >= Duration::from_millis(1990), "{between:?}");
}

#[tokio::test]
async fn what_will_never_be_taken_is_given_up_at_once_and_the_next_follows() {
    let said = [Said::Status(400), Said::Status(401), Said::Moved];
    let receiver = Receiver::start(&said).await;
    let running = start(&[target(&receiver.url("/"))]);
    for episode in ["e1", "e2", "e3", "e4"] {
        running.detected(episode, "a");
    }
    running.until_ended("delivered", 1).await;
    assert_eq!((running.ended("refused"), running.retries()), (3, 0));
    assert_eq!(receiver.asked().len(), 4, "and no redirect is followed");
}

#[tokio::test]
async fn who_is_not_there_gets_it_when_he_comes_back_and_others_do_not_wait_for_him() {
    let other = Receiver::start(&[]).await;
    let address = Receiver::nobody().await;
    let url = format!("http://{address}/");
    let running = start(&[target(&url), target(&other.url("/"))]);
    running.detected("e1", "a");
    running.until_ended("delivered", 1).await;
    assert_eq!((other.asked().len(), running.waiting()), (1, 1));
    let receiver = Receiver::at(address, &[]).await;
    running.until_ended("delivered", 2).await;
    assert_eq!(receiver.asked().each_of("id"), ["e1-detected"]);
    assert!(running.retries() >= 1);
}

#[tokio::test]
async fn after_a_while_it_is_given_up() {
    let receiver = Receiver::start(&[Said::Status(503); 50]).await;
    let target = Target {
        give_up_after: Duration::from_secs(2),
        ..target(&receiver.url("/"))
    };
    let running = start(&[target]);
    running.detected("e1", "a");
    running.until_ended("given_up", 1).await;
    let tries = receiver.asked().len();
    assert!((2..=4).contains(&tries), "{tries}");
    assert_eq!(running.waiting(), 0);
}

#[tokio::test]
async fn of_too_many_the_oldest_are_dropped_and_counted() {
    let receiver = Receiver::start(&[Said::Silence]).await;
    let target = Target {
        max_queued: 3,
        ..target(&receiver.url("/"))
    };
    let running = start(&[target]);
    running.detected("e0", "first");
    receiver.until_asked(1).await;
    for i in 1..=200 {
        running.detected(&format!("e{i}"), "a");
    }
    running.until_ended("delivered", 4).await;
    assert_eq!(running.ended("dropped"), 197);
    let ids = receiver.asked().each_of("id");
    // the one that is on its way stays
    let expected = ["e0", "e0", "e198", "e199", "e200"].map(|e| format!("{e}-detected"));
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_flood_of_series_arrives_whole_and_in_order() {
    let receiver = Receiver::start(&[]).await;
    let running = start(&[target(&receiver.url("/"))]);
    let expected: Vec<String> = (0..200).map(|i| format!("e{i}")).collect();
    for episode in &expected {
        running.detected(episode, episode);
    }
    running.until_ended("delivered", 200).await;
    assert_eq!(receiver.asked().each_of("episode"), expected);
}

#[tokio::test]
async fn other_settings_lead_elsewhere_and_take_along_what_waits() {
    let address = Receiver::nobody().await;
    let wrong = format!("http://{address}/");
    let running = start(&[target(&wrong)]);
    running.detected("e1", "a");
    while running.waiting() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let right = Receiver::start(&[]).await;
    let another = Receiver::start(&[]).await;
    let to = |receivers: &[&Receiver]| {
        let targets: Vec<_> = receivers.iter().map(|r| target(&r.url("/"))).collect();
        let settings = Settings::new(&targets).unwrap();
        running.settings.send_replace(Arc::new(settings));
    };
    to(&[&right]);
    running.until_ended("delivered", 1).await;
    assert_eq!(right.asked().each_of("id"), ["e1-detected"]);
    to(&[&another, &right]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.cleared("e1", "a");
    running.until_ended("delivered", 3).await;
    assert_eq!((right.asked().len(), another.asked().len()), (2, 1));
    to(&[]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.detected("e2", "a");
    running.detected("e3", "a");
    assert_eq!(running.waiting(), 0, "nobody is told");
}

#[tokio::test]
async fn what_waits_gets_a_last_try_at_the_end_and_no_more_than_that() {
    let receiver = Receiver::start(&[Said::RetryAfter(503, "60")]).await;
    let gone = Receiver::nobody().await;
    let silent = Receiver::start(&[Said::Silence; 50]).await;
    let long = Target {
        timeout: Duration::from_mins(1),
        ..target(&silent.url("/"))
    };
    let targets = [
        target(&receiver.url("/")),
        target(&format!("http://{gone}/")),
        long,
    ];
    let running = start(&targets);
    for episode in ["e1", "e2", "e3"] {
        running.detected(episode, "a");
    }
    receiver.until_asked(1).await;
    silent.until_asked(1).await;
    // until the answer has come and the long pause has begun
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    let Running {
        notifier, metrics, ..
    } = running;
    notifier.finish().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let ids = receiver.asked().each_of("episode");
    assert_eq!(ids, ["e1", "e1", "e2", "e3"]);
    let text = metrics.render();
    for line in [
        "sidelight_notifications_total{outcome=\"delivered\"} 3\n",
        "sidelight_notifications_total{outcome=\"given_up\"} 3\n",
        "sidelight_notifications_total{outcome=\"dropped\"} 3\n",
        "sidelight_notifications_waiting 0\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_taken_by_its_status() {
    let receiver = Receiver::start(&[Said::Endless]).await;
    let running = start(&[target(&receiver.url("/"))]);
    running.detected("e1", "a");
    running.until_ended("delivered", 1).await;
    assert_eq!(receiver.asked().len(), 1);
}
