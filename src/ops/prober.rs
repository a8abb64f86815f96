//! What the upstream says of its model, asked every `model.probe_interval`.

use std::{sync::Arc, time::Duration};

use ::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::watch, time::sleep};

use super::Ops;
use crate::{
    config::{self, Upstream},
    health, http,
    observe::command::{self, Which},
};

/// Asked in this order where `model.ready_path` names none; the first that answers 2xx is kept.
const KNOWN_PATHS: [&str; 4] = ["/ready", "/v2/health/ready", "/ping", "/health"];
/// Longest body that is read of an answer.
const BODY_LIMIT: usize = 64 * 1024;
/// Time between two questions while the model is not loaded: it should not wait once it is.
const EAGER: Duration = Duration::from_millis(200);

/// Asks the upstream for as long as there is one who says where it is.
pub async fn probe_upstream(ops: Arc<Ops>, mut upstream: watch::Receiver<Option<Upstream>>) {
    let mut live = ops.settings.clone();
    let mut prober = Prober {
        ops,
        found: None,
        is_advised: false,
    };
    loop {
        let settings = live.borrow_and_update().model.clone();
        let address = upstream.borrow_and_update().clone();
        let state = match &address {
            Some(address) => prober.ask(address, &settings).await,
            None => health::ModelState::default(),
        };
        let pause = if state.loaded {
            settings.probe_interval
        } else {
            settings.probe_interval.min(EAGER)
        };
        prober.tell(state);
        tokio::select! {
            () = sleep(pause) => {}
            Ok(()) = live.changed() => {}
            changed = upstream.changed() => {
                if changed.is_err() {
                    return;
                }
                // another process: whatever it knows, it has not said yet
                prober.tell(health::ModelState::default());
            }
        }
    }
}

struct Prober {
    ops: Arc<Ops>,
    found: Option<&'static str>,
    is_advised: bool,
}

impl Prober {
    async fn ask(&mut self, upstream: &Upstream, settings: &config::Model) -> health::ModelState {
        let mut state = match &settings.ready_path {
            Some(path) => said(&ask(upstream, path, settings).await),
            None => self.ask_known(upstream, settings).await,
        };
        if state.loaded && state.version.is_none() {
            state.version = self.version_of_traffic().await;
        }
        state
    }

    async fn ask_known(
        &mut self,
        upstream: &Upstream,
        settings: &config::Model,
    ) -> health::ModelState {
        if let Some(path) = self.found {
            let answer = ask(upstream, path, settings).await;
            if !answer.is_unknown() {
                return said(&answer);
            }
            self.found = None;
        }
        let mut are_all_unknown = true;
        for path in KNOWN_PATHS {
            let answer = ask(upstream, path, settings).await;
            are_all_unknown &= answer.is_unknown();
            match &answer {
                Answer::Said(status, _) if status.is_success() => {
                    self.found = Some(path);
                    self.is_advised = false;
                    return said(&answer);
                }
                Answer::Said(..) => {}
                Answer::Nothing => return health::ModelState::default(),
            }
        }
        if are_all_unknown && !self.is_advised {
            self.is_advised = true;
            tracing::warn!(
                paths = %KNOWN_PATHS.join(" "),
                "upstream answers, but none of these paths says whether its model is loaded; set model.ready_path"
            );
        }
        health::ModelState::default()
    }

    /// Where the upstream does not tell: the version that predicted last.
    async fn version_of_traffic(&self) -> Option<String> {
        let copies = self.ops.observer.copy(Which::Latest).await.ok()?;
        let latest = copies.into_iter().find(|copy| !copy.recent.is_empty())?;
        Some(latest.version)
    }

    fn tell(&self, state: health::ModelState) {
        let for_observer = command::ModelState {
            loaded: state.loaded,
            version: state.version.clone(),
        };
        let (loaded, version) = (state.loaded, state.version.clone());
        if self.ops.health.set_model(state) {
            tracing::info!(
                loaded,
                model_version = version.as_deref(),
                "model state changed"
            );
        }
        // told again with the next answer, should the observer be busy now
        let _ = self.ops.observer.model(for_observer);
    }
}

enum Answer {
    Said(StatusCode, bytes::Bytes),
    Nothing,
}

impl Answer {
    /// The upstream does not know the path.
    fn is_unknown(&self) -> bool {
        let unknown = [
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::NOT_IMPLEMENTED,
        ];
        matches!(self, Self::Said(status, _) if unknown.contains(status))
    }
}

async fn ask(upstream: &Upstream, path: &str, settings: &config::Model) -> Answer {
    let Upstream { host, port } = upstream;
    match http::get(host, *port, path, settings.probe_timeout, BODY_LIMIT).await {
        Ok((status, _, body)) => Answer::Said(status, body),
        Err(error) => {
            tracing::debug!(%error, "upstream probe failed");
            Answer::Nothing
        }
    }
}

/// What an answer says of the model: a 2xx that its body does not take back.
fn said(answer: &Answer) -> health::ModelState {
    let Answer::Said(status, body) = answer else {
        return health::ModelState::default();
    };
    let body = Body::read(body);
    let checks = body.checks.unwrap_or_default();
    let is_denied = is_false(&body.ready) || is_false(&checks.model_loaded);
    let version = checks.model_version.or(body.model_version);
    health::ModelState {
        loaded: status.is_success() && !is_denied,
        version: version.and_then(|version| as_text(&version)),
    }
}

/// The course page's fields; anything else in a body says nothing.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    ready: Value,
    model_version: Option<Value>,
    checks: Option<Checks>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Checks {
    model_loaded: Value,
    model_version: Option<Value>,
}

impl Body {
    fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

fn is_false(value: &Value) -> bool {
    *value == Value::Bool(false)
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(status: u16, body: &str) -> (bool, Option<String>) {
        let status = StatusCode::from_u16(status).unwrap();
        let state = said(&Answer::Said(status, body.to_owned().into()));
        (state.loaded, state.version)
    }

    #[test]
    fn a_2xx_means_loaded_unless_its_body_says_otherwise() {
        assert_eq!(said_of(200, ""), (true, None));
        assert_eq!(said_of(200, "OK"), (true, None));
        assert_eq!(said_of(200, "[1]"), (true, None));
        assert_eq!(said_of(503, ""), (false, None));
        assert_eq!(said_of(200, r#"{"ready":false}"#), (false, None));
        assert_eq!(
            said_of(200, r#"{"ready":true,"checks":{"model_loaded":false}}"#),
            (false, None)
        );
        assert_eq!(
            said_of(200, r#"{"ready":null,"checks":null}"#),
            (true, None)
        );
    }

    #[test]
    fn the_version_comes_from_the_body() {
        let page = r#"{"ready":true,"checks":{"model_loaded":true,"model_version":"1.2.0"}}"#;
        assert_eq!(said_of(200, page), (true, Some("1.2.0".to_owned())));
        assert_eq!(
            said_of(200, r#"{"model_version":3}"#),
            (true, Some("3".to_owned()))
        );
        assert_eq!(
            said_of(200, r#"{"checks":{"model_version":null}}"#),
            (true, None)
        );
    }
}
