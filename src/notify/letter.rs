//! What is sent.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::drift::{Notice, notice::Happened};

/// Changes when a receiver could no longer read what it knows; fields may come without.
const VERSION: u32 = 1;
const AGENT: &str = concat!("sidelight/", env!("CARGO_PKG_VERSION"));

/// A notice as it is sent to every receiver, at every try.
#[derive(Debug)]
pub(super) struct Letter {
    /// The same at every try, and of nothing else: receivers know duplicates by it.
    pub(super) id: String,
    pub(super) body: Bytes,
    pub(super) notice: Notice,
    /// When it was handed over; how long it is tried counts from then.
    pub(super) since: Instant,
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    id: &'a str,
    #[serde(flatten)]
    notice: &'a Notice,
    text: &'a str,
    at: &'a str,
    instance: &'a str,
    agent: &'a str,
}

impl Letter {
    /// `instance`: which agent this is.
    pub(super) fn new(notice: Notice, instance: &str) -> Self {
        let id = format!("{}-{}", notice.episode, notice.event.word());
        let body = Body {
            version: VERSION,
            id: &id,
            text: &text(&notice),
            at: &Timestamp::now().to_string(),
            instance,
            agent: AGENT,
            notice: &notice,
        };
        // texts and numbers are JSON; those that are not finite are null
        let body = serde_json::to_vec(&body).unwrap_or_default().into();
        Self {
            id,
            body,
            notice,
            since: Instant::now(),
        }
    }
}

/// One sentence for people; receivers that show a field `text`, such as chats, show it.
fn text(notice: &Notice) -> String {
    let Notice {
        model,
        model_version,
        series,
        ..
    } = notice;
    let whose = format!("{series} of {model} {model_version}");
    let since = match notice.since {
        Some(since) => format!(", since {since}"),
        None => String::new(),
    };
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    match &notice.event {
        Happened::Found(found) => format!(
            "Drift detected: {whose}: {} is {} of the values instead of {}{since}",
            found.region,
            percent(found.recent_share),
            percent(found.baseline_share),
        ),
        Happened::Tested(tested) => format!(
            "Drift detected: {whose}: mean {:.4} instead of {:.4}, p-value {:.2e}",
            tested.recent_mean, tested.baseline_mean, tested.p_value,
        ),
        Happened::Cleared { reason, .. } => format!("Drift cleared: {whose}: {reason}{since}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::drift::notice::Found;

    fn notice(series: &str, event: Happened) -> Notice {
        Notice {
            episode: "0123".to_owned(),
            model: "iris".to_owned(),
            model_version: "1".to_owned(),
            series: series.to_owned(),
            decision: "scan",
            since: Some(Timestamp::UNIX_EPOCH),
            event,
        }
    }

    pub(crate) fn letter(series: &str) -> Arc<Letter> {
        let cleared = Happened::Cleared {
            prediction: Some(9),
            reason: "calm",
        };
        Arc::new(Letter::new(notice(series, cleared), "here"))
    }

    fn read(letter: &Letter) -> serde_json::Value {
        serde_json::from_slice(&letter.body).unwrap()
    }

    #[test]
    fn the_beginning_of_a_drift_is_told_with_what_the_log_has() {
        let found = Happened::Found(Found {
            prediction: 640,
            score: 1.5,
            region: "above 1.8".to_owned(),
            baseline_share: 0.25,
            recent_share: 0.5,
            psi: Some(0.3),
            wasserstein_over_iqr: None,
            low_confidence: false,
        });
        let letter = Letter::new(notice("petal_width", found), "here");
        let mut body = read(&letter);
        assert!(body["at"].take().is_string());
        let expected = serde_json::json!({
            "version": 1, "id": "0123-detected", "event": "drift_detected", "episode": "0123",
            "model": "iris", "model_version": "1", "series": "petal_width", "decision": "scan",
            "since": "1970-01-01T00:00:00Z", "prediction": 640, "score": 1.5, "region": "above 1.8",
            "baseline_share": 0.25, "recent_share": 0.5, "psi": 0.3, "wasserstein_over_iqr": null,
            "low_confidence": false, "at": null, "instance": "here",
            "agent": concat!("sidelight/", env!("CARGO_PKG_VERSION")),
            "text": "Drift detected: petal_width of iris 1: above 1.8 is 50.0% of the values \
                     instead of 25.0%, since 1970-01-01T00:00:00Z",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn its_end_has_the_same_episode_and_another_id() {
        let body = read(&letter("petal_width"));
        assert_eq!(
            (&body["id"], &body["episode"]),
            (&"0123-cleared".into(), &"0123".into())
        );
        assert_eq!(body["event"], "drift_cleared");
        assert_eq!(
            (&body["prediction"], &body["reason"]),
            (&9.into(), &"calm".into())
        );
    }
}
