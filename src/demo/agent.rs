//! The agent as anybody sees it: what it posts, and what it answers on the operator's port.

use std::{net::SocketAddr, time::Duration};

use ::http::StatusCode;
use ::metrics::Counter;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{net::TcpListener, sync::mpsc};

use crate::http::{self, ClientError, Limits, Request, response};

/// Longest wait for an answer of the operator's port.
const PATIENCE: Duration = Duration::from_secs(10);
/// `/drift` has a few hundred bytes for each series.
const LONGEST: usize = 1 << 20;
/// Notices that may wait while a request is under way.
const WAITING: usize = 256;

/// A notice of `drift.notify`, as far as it is told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Notice {
    /// What happened.
    pub event: Event,
    /// To which series.
    pub series: String,
    /// With which prediction of it, from 1; `None`: the two-sample test does not say.
    #[serde(default)]
    pub prediction: Option<u64>,
    /// The region that has changed most.
    #[serde(default)]
    pub region: Option<String>,
    /// Its share of the baseline, in `[0, 1]`.
    #[serde(default)]
    pub baseline_share: Option<f64>,
    /// Its share since, in `[0, 1]`.
    #[serde(default)]
    pub recent_share: Option<f64>,
    /// Why it is over.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a notice is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A drift began.
    DriftDetected,
    /// It is over.
    DriftCleared,
}

/// `GET /drift`, as far as it is told.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Drift {
    pub(super) baseline: Option<Baseline>,
    scan: Option<Scan>,
    #[serde(default)]
    series: Vec<Series>,
}

/// What the traffic is compared with.
#[derive(Debug, Deserialize)]
pub(super) struct Baseline {
    pub(super) origin: String,
    pub(super) rows: u64,
}

#[derive(Debug, Deserialize)]
struct Scan {}

#[derive(Debug, Deserialize)]
struct Series {
    name: String,
    predictions: u64,
    episode: Option<Episode>,
}

#[derive(Debug, Deserialize)]
struct Episode {
    since_prediction: u64,
}

impl Drift {
    /// The baseline, once the traffic is compared with it.
    pub(super) fn in_use(&self) -> Option<&Baseline> {
        self.baseline.as_ref().filter(|_| self.scan.is_some())
    }

    /// Predictions that were compared so far.
    pub(super) fn predictions(&self) -> u64 {
        let counts = self.series.iter().map(|series| series.predictions);
        counts.max().unwrap_or(0)
    }

    /// Behind which prediction the drift of a series that goes on began.
    pub(super) fn since(&self, name: &str) -> Option<u64> {
        let series = self.series.iter().find(|series| series.name == name)?;
        Some(series.episode.as_ref()?.since_prediction)
    }
}

/// The operator's port of the agent.
#[derive(Debug)]
pub(super) struct Agent {
    ops: SocketAddr,
}

impl Agent {
    pub(super) fn new(ops: SocketAddr) -> Self {
        Self { ops }
    }

    /// Where it is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.ops
    }

    /// Whether requests are answered by a model that is loaded.
    pub(super) async fn is_ready(&self) -> bool {
        let answer = self.get("/ready").await;
        answer.is_ok_and(|(status, _)| status.is_success())
    }

    /// What is known of the drift now. An answer that is none of that says nothing.
    pub(super) async fn drift(&self) -> Result<Drift, ClientError> {
        let (_, body) = self.get("/drift").await?;
        Ok(read(&body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, bytes::Bytes), ClientError> {
        let host = self.ops.ip().to_string();
        let answer = http::get(&host, self.ops.port(), path, PATIENCE, LONGEST).await?;
        Ok((answer.0, answer.2))
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Takes what the agent posts to `listener`, for as long as the runtime lives.
pub(super) fn listen(listener: TcpListener) -> mpsc::Receiver<Notice> {
    let (told, notices) = mpsc::channel(WAITING);
    let hear = move |request: Request| {
        let told = told.clone();
        async move {
            let status = match read(&request.body) {
                None => StatusCode::UNPROCESSABLE_ENTITY,
                Some(notice) => match told.send(notice).await {
                    Ok(()) => StatusCode::NO_CONTENT,
                    Err(_) => StatusCode::SERVICE_UNAVAILABLE,
                },
            };
            response::text(status, "")
        }
    };
    let for_ever = std::future::pending();
    let limits = Limits::default();
    tokio::spawn(http::serve(
        listener,
        hear,
        limits,
        Counter::noop(),
        for_ever,
    ));
    notices
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_with_what_is_told_and_without_the_rest() {
        let found = r#"{"version": 1, "id": "a-detected", "event": "drift_detected", "series": "class",
            "decision": "scan", "prediction": 640, "region": "virginica", "baseline_share": 0.3,
            "recent_share": 0.0, "psi": null}"#;
        let notice: Notice = read(found.as_bytes()).unwrap();
        assert_eq!(notice.event, Event::DriftDetected);
        assert_eq!(
            (notice.prediction, notice.recent_share),
            (Some(640), Some(0.0))
        );
        let tested = r#"{"event": "drift_detected", "series": "confidence", "p_value": 0.01}"#;
        assert_eq!(read::<Notice>(tested.as_bytes()).unwrap().prediction, None);
        let over = r#"{"event": "drift_cleared", "series": "class", "prediction": null, "reason": "calm"}"#;
        assert_eq!(
            read::<Notice>(over.as_bytes()).unwrap().reason.unwrap(),
            "calm"
        );
        assert_eq!(read::<Notice>(br#"{"event": "else", "series": "a"}"#), None);
    }

    #[test]
    fn a_baseline_counts_once_the_traffic_is_compared_with_it() {
        let drift = |text: &str| read::<Drift>(text.as_bytes()).unwrap();
        let none =
            drift(r#"{"status": "no_baseline", "baseline": null, "scan": null, "series": []}"#);
        assert!(none.in_use().is_none());
        let set = drift(r#"{"baseline": {"origin": "captured", "rows": 9}, "scan": null}"#);
        assert!(set.in_use().is_none());
        let used = drift(
            r#"{"baseline": {"origin": "captured", "rows": 9}, "scan": {"status": "watching"}, "series": [
            {"name": "a", "predictions": 7, "episode": null},
            {"name": "b", "predictions": 8, "episode": {"since_prediction": 3, "region": "x"}}]}"#,
        );
        assert_eq!(used.in_use().unwrap().rows, 9);
        assert_eq!(used.predictions(), 8);
        assert_eq!(
            (used.since("a"), used.since("b"), used.since("c")),
            (None, Some(3), None)
        );
    }
}
