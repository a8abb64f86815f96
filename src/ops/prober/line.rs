//! One question to the upstream, on a connection of its own.

use std::io;

use ::http::StatusCode;
use tokio::{net::TcpStream, time::timeout};

use super::{question::Question, said::said};
use crate::{
    config::Upstream,
    health::ModelState,
    http::{
        self, ClientError,
        client::{grpc, http2},
    },
    ops::Settings,
    tls::{self, Alpn},
};

/// Longest body that is read of an answer.
const BODY_LIMIT: usize = 64 * 1024;

/// Whom to ask, and how.
pub(super) struct Line<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) settings: &'a Settings,
}

/// What came of a question.
pub(super) enum Answer {
    /// It was answered.
    Says(ModelState),
    /// The upstream does not know what it was asked.
    Unknown,
    /// It speaks HTTP/2 and was asked over HTTP/1.
    OnlyHttp2,
    /// None, or none that is understood.
    Nothing,
}

impl Line<'_> {
    pub(super) async fn ask(&self, question: &Question, is_http2: bool) -> Answer {
        let path = question.path();
        let asked = match question {
            Question::Path(_) if !is_http2 => self.get(path).await,
            Question::Path(_) => {
                let asked = self.over_http2(http2::get, path).await;
                asked.map(|reply| self.of_page(&reply))
            }
            Question::Service(_) => self
                .over_http2(grpc::call, path)
                .await
                .map(|r| of_service(&r)),
            Question::Method(_) => self
                .over_http2(grpc::call, path)
                .await
                .map(|r| of_method(&r)),
        };
        match asked {
            Ok(answer) => answer,
            Err(ClientError::OnlyHttp2) => Answer::OnlyHttp2,
            // servers of gRPC refuse what is not gRPC so
            Err(ClientError::Http2(error)) if error.is_reset() => Answer::Unknown,
            Err(error) => {
                tracing::debug!(%error, "upstream probe failed");
                Answer::Nothing
            }
        }
    }

    fn tls(&self) -> Option<&tls::Client> {
        let tls = self.settings.upstream_tls.as_ref();
        tls.filter(|_| self.upstream.tls)
    }

    async fn dial(
        &self,
        tls: &tls::Client,
        alpn: Alpn,
    ) -> io::Result<tls::ClientStream<TcpStream>> {
        let stream = http::connect(&self.upstream.host, self.upstream.port).await?;
        tls.connect(stream, alpn).await
    }

    async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        let patience = self.settings.model.probe_timeout;
        let (host, port) = (self.upstream.host.as_str(), self.upstream.port);
        let asked = match self.tls() {
            Some(tls) => {
                let connecting = self.dial(tls, Alpn::Http1);
                http::get_over(connecting, (host, port), path, patience, BODY_LIMIT).await
            }
            None => http::get(host, port, path, patience, BODY_LIMIT).await,
        };
        match asked {
            Ok((status, _, body)) => Ok(self.of_status(status, &body)),
            Err(_) if self.agrees_on_http2().await => Err(ClientError::OnlyHttp2),
            Err(error) => Err(error),
        }
    }

    /// Whether the upstream agrees over TLS to speak HTTP/2.
    async fn agrees_on_http2(&self) -> bool {
        let patience = self.settings.model.probe_timeout;
        match self.tls() {
            Some(tls) => {
                let dialing = timeout(patience, self.dial(tls, Alpn::Http2));
                matches!(dialing.await, Ok(Ok(_)))
            }
            None => false,
        }
    }

    async fn over_http2(
        &self,
        question: impl Fn(&str, &str) -> Result<::http::Request<bytes::Bytes>, ClientError>,
        path: &str,
    ) -> Result<http2::Reply, ClientError> {
        let patience = self.settings.model.probe_timeout;
        let authority = self.upstream.authority();
        if let Some(tls) = self.tls() {
            let question = question(&format!("https://{authority}"), path)?;
            let connecting = self.dial(tls, Alpn::Http2);
            return http2::ask_over(connecting, question, patience, BODY_LIMIT).await;
        }
        let question = question(&format!("http://{authority}"), path)?;
        let connecting = http::connect(&self.upstream.host, self.upstream.port);
        http2::ask_over(connecting, question, patience, BODY_LIMIT).await
    }

    fn of_status(&self, status: StatusCode, body: &[u8]) -> Answer {
        match status {
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_IMPLEMENTED => Answer::Unknown,
            _ => {
                let is_chosen = self.settings.model.ready_path.is_some();
                Answer::Says(said(status, body, is_chosen))
            }
        }
    }

    /// A server of gRPC has no pages, and says so in many ways: 200 with an outcome among them.
    fn of_page(&self, reply: &http2::Reply) -> Answer {
        if grpc::is_grpc(reply) || reply.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return Answer::Unknown;
        }
        self.of_status(reply.status, &reply.body)
    }
}

fn of_service(reply: &http2::Reply) -> Answer {
    match grpc::outcome(reply) {
        None => Answer::Unknown,
        Some(outcome) => match outcome.code {
            // not found: it has nothing to say of the server as a whole
            grpc::UNIMPLEMENTED | grpc::NOT_FOUND => Answer::Unknown,
            code => is_loaded(code == grpc::OK && grpc::first_field(&outcome.message) == Some(1)),
        },
    }
}

/// A method that needs a request says that the empty one is wrong.
fn of_method(reply: &http2::Reply) -> Answer {
    match grpc::outcome(reply).map(|outcome| outcome.code) {
        None | Some(grpc::UNIMPLEMENTED) => Answer::Unknown,
        Some(code) => is_loaded(matches!(code, grpc::OK | grpc::INVALID_ARGUMENT)),
    }
}

fn is_loaded(loaded: bool) -> Answer {
    Answer::Says(ModelState {
        loaded,
        version: None,
    })
}
