//! What the upstream says of its model, asked every `model.probe_interval`.
//!
//! It is asked over HTTP/1.1. One that answers that with frames of HTTP/2, or agrees on nothing else
//! over TLS, is asked over HTTP/2 from then on: first for the services of gRPC that say whether a
//! model is loaded, because their answers cannot be taken for anything else, then for the paths.

mod line;
mod question;
mod said;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use self::{
    line::{Answer, Line},
    question::Question,
};
use super::{Ops, Settings};
use crate::{
    config::{Upstream, UpstreamProtocol},
    health::ModelState,
    observe::command,
    panics::hook,
};

/// Time between two questions while the model is not loaded: it should not wait once it is.
const EAGER: Duration = Duration::from_millis(200);

/// Asks the upstream for as long as there is one who says where it is. `on_only_http2` is told while
/// it speaks nothing else, and once when that is over.
pub async fn probe_upstream(
    ops: Arc<Ops>,
    mut upstream: watch::Receiver<Option<Upstream>>,
    on_only_http2: impl Fn(bool),
) {
    let mut live = ops.settings.clone();
    let mut known = Known::default();
    let prober = Prober { ops };
    loop {
        hook("probe");
        let settings = Arc::clone(&live.borrow_and_update());
        let address = upstream.borrow_and_update().clone();
        let was_only_http2 = known.only_http2;
        let state = match &address {
            Some(address) => known.ask(address, &settings).await,
            None => ModelState::default(),
        };
        if known.only_http2 || was_only_http2 {
            on_only_http2(known.only_http2);
        }
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
                prober.tell(ModelState::default()).await;
            }
        }
    }
}

/// Tells what was said.
struct Prober {
    ops: Arc<Ops>,
}

/// What is known of the upstream.
#[derive(Default)]
struct Known {
    /// It answers HTTP/1 as one does that speaks HTTP/2 alone, and answers over HTTP/2.
    only_http2: bool,
    /// What it answers of what can be asked. Its answer decides from then on: a `/ready` that says 503
    /// is not overruled by a `/health` that says 200.
    found: Option<Question>,
    is_advised: bool,
}

impl Known {
    async fn ask(&mut self, upstream: &Upstream, settings: &Settings) -> ModelState {
        let line = Line { upstream, settings };
        let answer = match settings.upstream_protocol {
            UpstreamProtocol::Http1 => self.ask_over(&line, false).await,
            UpstreamProtocol::Http2 => self.ask_over(&line, true).await,
            UpstreamProtocol::Auto => self.ask_over_either(&line).await,
        };
        match answer {
            Answer::Says(state) => state,
            Answer::Unknown | Answer::OnlyHttp2 | Answer::Nothing => ModelState::default(),
        }
    }

    async fn ask_over_either(&mut self, line: &Line<'_>) -> Answer {
        if !self.only_http2 {
            let answer = self.ask_over(line, false).await;
            if !matches!(answer, Answer::OnlyHttp2) {
                return answer;
            }
        }
        let answer = self.ask_over(line, true).await;
        // where nothing came, another one may come up
        self.only_http2 = !matches!(answer, Answer::Nothing);
        answer
    }

    /// The answer to the first question that the upstream knows.
    async fn ask_over(&mut self, line: &Line<'_>, is_http2: bool) -> Answer {
        let mut questions = question::all(line.settings.model.ready_path.as_deref(), is_http2);
        if let Some(found) = &self.found
            && let Some(at) = questions.iter().position(|question| question == found)
        {
            questions[..=at].rotate_right(1);
        }
        for question in &questions {
            let answer = line.ask(question, is_http2).await;
            if let Answer::Says(_) = answer {
                self.found = Some(question.clone());
                self.is_advised = false;
            }
            if !matches!(answer, Answer::Unknown) {
                return answer;
            }
        }
        if line.settings.model.ready_path.is_none() {
            self.advise(&questions);
        }
        Answer::Unknown
    }

    fn advise(&mut self, asked: &[Question]) {
        if !self.is_advised {
            self.is_advised = true;
            let paths: Vec<&str> = asked.iter().map(Question::path).collect();
            tracing::warn!(
                paths = %paths.join(" "),
                "upstream answers, but knows none of these paths to say whether its model is loaded; set model.ready_path"
            );
        }
    }
}

impl Prober {
    /// Where the upstream does not tell: the version that predicted last.
    async fn version_of_traffic(&self) -> Option<String> {
        let last = self.ops.observer.last_predictor().await.ok()?;
        last.map(|(_, version)| version)
    }

    async fn tell(&self, mut state: ModelState) {
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

#[cfg(test)]
mod tests;
