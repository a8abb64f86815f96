//! Upstreams of both versions of HTTP, on sockets.

use std::convert::Infallible;

use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use super::*;
use crate::{config, http, tls, tls::tests::authority::Authority};

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const SERVER_READY: &str = "/inference.GRPCInferenceService/ServerReady";
const ONE: &[u8] = b"\x08\x01";
const TWO: &[u8] = b"\x08\x02";

fn at(port: u16) -> Upstream {
    Upstream {
        host: "127.0.0.1".to_owned(),
        port,
        tls: false,
    }
}

fn patient() -> Settings {
    let mut settings = Settings::new(&config::defaults(), None);
    settings.model.probe_timeout = Duration::from_mins(1);
    settings
}

async fn listen() -> (u16, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

/// An upstream of HTTP/1 that answers these paths, and 404 to the others.
async fn pages(answers: &'static [(&'static str, u16)]) -> (u16, JoinHandle<()>) {
    let (port, listener) = listen().await;
    let handler = move |request: http::Request| async move {
        let known = answers.iter().find(|(path, _)| *path == request.path);
        let status = known.map_or(404, |(_, status)| *status);
        http::text(StatusCode::from_u16(status).unwrap(), "")
    };
    let limits = http::Limits::default();
    let serving = http::serve(
        listener,
        handler,
        limits,
        ::metrics::Counter::noop(),
        std::future::pending(),
    );
    (port, tokio::spawn(serving))
}

/// An answer over HTTP/2.
#[derive(Clone, Copy)]
enum Given {
    /// To a GET; 415 to anything else.
    Page(u16),
    /// Of gRPC: code and message.
    Outcome(u32, &'static [u8]),
}

type Answers = &'static [(&'static str, Given)];
type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

fn given(given: Given, is_get: bool) -> Response<Body> {
    let empty = || Full::new(Bytes::new()).boxed_unsync();
    let (code, message) = match given {
        Given::Page(status) => {
            let status = if is_get { status } else { 415 };
            return Response::builder().status(status).body(empty()).unwrap();
        }
        Given::Outcome(code, message) => (HeaderValue::from(code), message),
    };
    let response = Response::builder().header("content-type", "application/grpc");
    if message.is_empty() {
        let response = response.header("grpc-status", code);
        return response.body(empty()).unwrap();
    }
    let length = u8::try_from(message.len()).unwrap();
    let framed = [&[0, 0, 0, 0, length], message].concat();
    let trailers = async {
        Some(Ok(HeaderMap::from_iter([(
            "grpc-status".parse().unwrap(),
            code,
        )])))
    };
    let body = Full::from(framed).with_trailers(trailers).boxed_unsync();
    response.body(body).unwrap()
}

/// An upstream of HTTP/2 alone that answers these paths, and `otherwise` to the others.
async fn http2_alone(answers: Answers, otherwise: Given) -> (u16, JoinHandle<()>) {
    let (port, listener) = listen().await;
    let serving = async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<Incoming>| async move {
                let known = answers
                    .iter()
                    .find(|(path, _)| *path == request.uri().path());
                let answer = known.map_or(otherwise, |(_, answer)| *answer);
                Ok::<_, Infallible>(given(answer, request.method() == "GET"))
            });
            let builder = http2::Builder::new(TokioExecutor::new());
            connections.spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    };
    (port, tokio::spawn(serving))
}

const GRPC: Given = Given::Outcome(12, b"");

/// Whether an upstream of gRPC that knows `answers` counts as loaded, and what decided.
async fn loaded_by(answers: Answers, otherwise: Given, settings: &Settings) -> (bool, String) {
    let (port, serving) = http2_alone(answers, otherwise).await;
    let mut known = Known::default();
    let state = known.ask(&at(port), settings).await;
    // what is known now leads to the same
    assert_eq!(known.ask(&at(port), settings).await, state);
    serving.abort();
    let found = known.found.as_ref().map(Question::path);
    (state.loaded, found.unwrap_or_default().to_owned())
}

fn decided(loaded: bool, by: &str) -> (bool, String) {
    (loaded, by.to_owned())
}

#[tokio::test]
async fn an_upstream_of_grpc_is_asked_by_its_health_protocol() {
    for (outcome, loaded) in [
        (Given::Outcome(0, ONE), true),
        (Given::Outcome(0, TWO), false),
        (Given::Outcome(0, b""), false),
        (Given::Outcome(14, b""), false),
    ] {
        let answers = Box::leak(Box::new([
            (HEALTH, outcome),
            (SERVER_READY, Given::Outcome(0, ONE)),
        ]));
        let found = loaded_by(answers, GRPC, &patient()).await;
        assert_eq!(found, decided(loaded, HEALTH));
    }
}

#[tokio::test]
async fn an_upstream_of_grpc_without_it_is_asked_by_open_inference() {
    let ready = &[(SERVER_READY, Given::Outcome(0, ONE))];
    let found = loaded_by(ready, GRPC, &patient()).await;
    assert_eq!(found, decided(true, SERVER_READY));
    let unready = &[
        (HEALTH, Given::Outcome(5, b"")),
        (SERVER_READY, Given::Outcome(0, TWO)),
    ];
    let found = loaded_by(unready, GRPC, &patient()).await;
    assert_eq!(found, decided(false, SERVER_READY));
}

#[tokio::test]
async fn an_upstream_of_grpc_that_knows_neither_is_not_taken_for_loaded() {
    let found = loaded_by(&[], GRPC, &patient()).await;
    assert_eq!(found, decided(false, ""));
}

#[tokio::test]
async fn a_method_that_somebody_chose_is_called() {
    const METHOD: &str = "/model.Service/Status";
    let mut settings = patient();
    settings.model.ready_path = Some(METHOD.to_owned());
    for (code, loaded) in [(0, true), (3, true), (14, false), (2, false)] {
        let answers = Box::leak(Box::new([(METHOD, Given::Outcome(code, b""))]));
        let found = loaded_by(answers, GRPC, &settings).await;
        assert_eq!(found, decided(loaded, METHOD), "{code}");
    }
    assert_eq!(loaded_by(&[], GRPC, &settings).await, decided(false, ""));
}

#[tokio::test]
async fn an_upstream_of_http2_alone_is_asked_for_paths() {
    let missing = Given::Page(404);
    let ping: Answers = &[("/ping", Given::Page(200))];
    let found = loaded_by(ping, missing, &patient()).await;
    assert_eq!(found, decided(true, "/ping"));
    let mut settings = patient();
    settings.model.ready_path = Some("/model".to_owned());
    let model: Answers = &[("/model", Given::Page(200))];
    assert_eq!(
        loaded_by(model, missing, &settings).await,
        decided(true, "/model")
    );
    assert_eq!(
        loaded_by(ping, missing, &settings).await,
        decided(false, "")
    );
}

#[tokio::test]
async fn what_was_found_of_http2_holds_while_it_answers() {
    let (port, serving) = http2_alone(&[(HEALTH, Given::Outcome(0, ONE))], GRPC).await;
    let mut known = Known::default();
    assert!(known.ask(&at(port), &patient()).await.loaded);
    assert!(known.only_http2);
    serving.abort();
    assert!(serving.await.is_err());
    assert!(!known.ask(&at(port), &patient()).await.loaded);
    assert!(!known.only_http2);
    let (port, serving) = pages(&[("/ping", 200)]).await;
    assert!(known.ask(&at(port), &patient()).await.loaded);
    assert!(!known.only_http2);
    serving.abort();
}

#[tokio::test]
async fn a_version_that_is_configured_is_the_only_one() {
    let mut settings = patient();
    let (port, serving) = http2_alone(&[(HEALTH, Given::Outcome(0, ONE))], GRPC).await;
    for (protocol, loaded) in [
        (UpstreamProtocol::Http1, false),
        (UpstreamProtocol::Http2, true),
    ] {
        settings.upstream_protocol = protocol;
        let mut known = Known::default();
        assert_eq!(known.ask(&at(port), &settings).await.loaded, loaded);
        assert!(!known.only_http2, "nothing had to be found out");
    }
    serving.abort();
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
    let found = async |answers| {
        let (port, serving) = pages(answers).await;
        let mut known = Known::default();
        let state = known.ask(&at(port), &patient()).await;
        serving.abort();
        let found = known.found.as_ref().map(Question::path);
        (state.loaded, found.unwrap_or_default().to_owned())
    };
    let expected = |loaded, path: &str| (loaded, path.to_owned());
    assert_eq!(found(&[("/health", 200)]).await, expected(true, "/health"));
    let both = &[("/ready", 503), ("/health", 200)];
    assert_eq!(found(both).await, expected(false, "/ready"));
    assert_eq!(found(&[("/ping", 200)]).await, expected(true, "/ping"));
    assert_eq!(found(&[]).await, expected(false, ""));
    let ping = &[("/ready", 405), ("/ping", 200)];
    assert_eq!(found(ping).await, expected(true, "/ping"));
}
