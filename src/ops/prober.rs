//! What the upstream says of its model, asked every `model.probe_interval`.

use std::{sync::Arc, time::Duration};

use ::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::watch, time::sleep};

use super::{Ops, Settings};
use crate::{config::Upstream, health, http, observe::command, tls::Alpn};

/// Asked in this order where `model.ready_path` names none; the first that the upstream knows is
/// kept, and its status decides: a `/ready` that says 503 is not overruled by a `/health` that
/// says 200.
const KNOWN_PATHS: [&str; 4] = ["/ready", "/v2/health/ready", "/ping", "/health"];
/// Longest version; it is a label.
const MAX_VERSION: usize = 128;
/// Longest body that is read of an answer.
const BODY_LIMIT: usize = 64 * 1024;
/// Time between two questions while the model is not loaded: it should not wait once it is.
const EAGER: Duration = Duration::from_millis(200);

/// Asks the upstream for as long as there is one who says where it is.
pub async fn probe_upstream(ops: Arc<Ops>, mut upstream: watch::Receiver<Option<Upstream>>) {
    let mut live = ops.settings.clone();
    let mut known = Known::default();
    let prober = Prober { ops };
    loop {
        let settings = Arc::clone(&live.borrow_and_update());
        let address = upstream.borrow_and_update().clone();
        let state = match &address {
            Some(address) => known.ask(address, &settings).await,
            None => health::ModelState::default(),
        };
        let pause = if state.loaded {
            settings.model.probe_interval
        } else {
            settings.model.probe_interval.min(EAGER)
        };
        prober.tell(state).await;
        tokio::select! {
            () = sleep(pause) => {}
            Ok(()) = live.changed() => {}
            changed = upstream.changed() => {
                if changed.is_err() {
                    return;
                }
                // another process: whatever it knows, it has not said yet
                prober.tell(health::ModelState::default()).await;
            }
        }
    }
}

/// Tells what was said.
struct Prober {
    ops: Arc<Ops>,
}

/// Which of the known paths the upstream knows.
#[derive(Default)]
struct Known {
    found: Option<&'static str>,
    is_advised: bool,
}

impl Known {
    async fn ask(&mut self, upstream: &Upstream, settings: &Settings) -> health::ModelState {
        match &settings.model.ready_path {
            Some(path) => said(&ask(upstream, path, settings).await),
            None => self.ask_known(upstream, settings).await,
        }
    }

    async fn ask_known(&mut self, upstream: &Upstream, settings: &Settings) -> health::ModelState {
        if let Some(path) = self.found {
            let answer = ask(upstream, path, settings).await;
            if !answer.is_unknown() {
                return said(&answer);
            }
            self.found = None;
        }
        for path in KNOWN_PATHS {
            let answer = ask(upstream, path, settings).await;
            if answer.is_unknown() {
                continue;
            }
            if matches!(answer, Answer::Said(..)) {
                self.found = Some(path);
                self.is_advised = false;
            }
            return said(&answer);
        }
        if !self.is_advised {
            self.is_advised = true;
            tracing::warn!(
                paths = %KNOWN_PATHS.join(" "),
                "upstream answers, but knows none of these paths to say whether its model is loaded; set model.ready_path"
            );
        }
        health::ModelState::default()
    }
}

impl Prober {
    /// Where the upstream does not tell: the version that predicted last.
    async fn version_of_traffic(&self) -> Option<String> {
        let last = self.ops.observer.last_predictor().await.ok()?;
        last.map(|(_, version)| version)
    }

    async fn tell(&self, mut state: health::ModelState) {
        let for_observer = command::ModelState {
            loaded: state.loaded,
            version: state.version.clone(),
        };
        if state.loaded && state.version.is_none() {
            state.version = self.version_of_traffic().await;
        }
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

async fn ask(upstream: &Upstream, path: &str, settings: &Settings) -> Answer {
    let (host, port, patience) = (&upstream.host, upstream.port, settings.model.probe_timeout);
    let client = settings.upstream_tls.as_ref().filter(|_| upstream.tls);
    let asked = match client {
        Some(client) => {
            let connecting = client.dial(upstream, Alpn::Http1);
            http::get_over(connecting, (host, port), path, patience, BODY_LIMIT).await
        }
        None => http::get(host, port, path, patience, BODY_LIMIT).await,
    };
    match asked {
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
        Value::String(text) if !text.is_empty() => {
            Some(text[..text.floor_char_boundary(MAX_VERSION)].to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use crate::{config, tls, tls::tests::authority::Authority};

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

    /// What `ask_known` finds at an upstream that answers these paths, and 404 to the others.
    async fn found(answers: &'static [(&'static str, u16)]) -> (bool, Option<&'static str>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let handler = move |request: http::Request| async move {
            let known = answers.iter().find(|(path, _)| *path == request.path);
            let status = known.map_or(404, |(_, status)| *status);
            http::text(StatusCode::from_u16(status).unwrap(), "")
        };
        let limits = http::Limits::default();
        let serving = tokio::spawn(http::serve(
            listener,
            handler,
            limits,
            std::future::pending(),
        ));
        let upstream = Upstream {
            host: "127.0.0.1".to_owned(),
            port,
            tls: false,
        };
        let mut settings = Settings::new(&config::defaults(), None);
        settings.model.probe_timeout = Duration::from_mins(1);
        let mut known = Known::default();
        let state = known.ask(&upstream, &settings).await;
        serving.abort();
        (state.loaded, known.found)
    }

    #[tokio::test]
    async fn an_upstream_over_tls_is_asked_over_tls_and_only_if_it_is_believed() {
        let (authority, other) = (Authority::new(), Authority::new());
        let files = authority.issue("127.0.0.1");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("https://{}", listener.local_addr().unwrap());
        let listening = tls::tests::server(&tls::tests::listener(&files));
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = listening.accept(stream).await else {
                    continue;
                };
                let mut heard = Vec::new();
                while !heard.ends_with(b"\r\n\r\n") {
                    heard.push(stream.read_u8().await.unwrap());
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        for (believed, loaded) in [(&authority, true), (&other, false)] {
            let config = tls::tests::configured(&[
                ("upstream", &upstream),
                ("upstream_tls.ca_file", believed.path()),
            ]);
            let client = tls::Client::new(&config.proxy).unwrap();
            let mut settings = Settings::new(&config, client);
            settings.model.probe_timeout = Duration::from_mins(1);
            let address = config.proxy.upstream.unwrap();
            let state = Known::default().ask(&address, &settings).await;
            assert_eq!(state.loaded, loaded);
        }
        serving.abort();
    }

    #[tokio::test]
    async fn the_first_path_that_is_known_decides() {
        assert_eq!(found(&[("/health", 200)]).await, (true, Some("/health")));
        let both = &[("/ready", 503), ("/health", 200)];
        assert_eq!(found(both).await, (false, Some("/ready")));
        assert_eq!(found(&[("/ping", 200)]).await, (true, Some("/ping")));
        assert_eq!(found(&[]).await, (false, None));
        let ping = &[("/ready", 405), ("/ping", 200)];
        assert_eq!(found(ping).await, (true, Some("/ping")));
    }
}
