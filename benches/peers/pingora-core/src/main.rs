//! The least reverse proxy that `pingora-core` makes: HTTP/1.1, upstream connections kept, nothing
//! looked at.
//!
//! `peer-pingora-core --listen PORT --upstream PORT --threads N`, both on 127.0.0.1.

use std::{env, sync::Arc, time::Duration};

use async_trait::async_trait;
use pingora_core::{
    Result,
    apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream},
    connectors::{ConnectorOptions, http::v1::Connector},
    protocols::http::{ServerSession, v1::client::HttpSession},
    server::{Server, ShutdownWatch, configuration::ServerConf},
    services::listening::Service,
    upstreams::peer::HttpPeer,
};

/// Connections to the upstream that are kept: as many as the other candidates keep.
const KEPT: usize = 512;
/// How long an idle connection is kept at both ends, in seconds, as with the others.
const IDLE_SECONDS: u64 = 600;

struct Forward {
    connector: Connector,
    peer: HttpPeer,
}

impl Forward {
    /// One exchange: what came goes on, as it comes. Sequential, which is enough for a model server
    /// that reads a request before it answers.
    async fn exchange(&self, client: &mut ServerSession) -> Result<()> {
        let (mut upstream, _) = self.connector.get_http_session(&self.peer).await?;
        send_request(client, &mut upstream).await?;
        send_answer(&mut upstream, client).await?;
        let idle = Some(Duration::from_secs(IDLE_SECONDS));
        self.connector
            .release_http_session(upstream, &self.peer, idle)
            .await;
        Ok(())
    }
}

async fn send_request(client: &mut ServerSession, upstream: &mut HttpSession) -> Result<()> {
    let mut head = Box::new(client.req_header().clone());
    head.remove_header("connection");
    upstream.write_request_header(head).await?;
    while let Some(data) = client.read_request_body().await? {
        upstream.write_body(&data).await?;
    }
    upstream.finish_body().await?;
    Ok(())
}

async fn send_answer(upstream: &mut HttpSession, client: &mut ServerSession) -> Result<()> {
    let mut head = upstream.read_resp_header_parts().await?;
    head.remove_header("connection");
    client.write_response_header(head).await?;
    while let Some(data) = upstream.read_body_bytes().await? {
        client.write_response_body(data, false).await?;
    }
    client.finish_body().await
}

#[async_trait]
impl HttpServerApp for Forward {
    async fn process_new_http(
        self: &Arc<Self>,
        mut client: ServerSession,
        _shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !client.read_request().await.ok()? {
            return None;
        }
        client.set_keepalive(Some(IDLE_SECONDS));
        if self.exchange(&mut client).await.is_err() {
            let _ = client.respond_error(502).await;
            return None;
        }
        let settings = HttpPersistentSettings::for_session(&client);
        let stream = client.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }
}

/// The number after `--name`.
fn number(name: &str) -> Option<usize> {
    let mut rest = env::args().skip_while(|argument| argument != name);
    rest.nth(1)?.parse().ok()
}

fn main() {
    let (Some(listen), Some(upstream)) = (number("--listen"), number("--upstream")) else {
        eprintln!("usage: peer-pingora-core --listen PORT --upstream PORT [--threads N]");
        std::process::exit(64);
    };
    let conf = ServerConf {
        threads: number("--threads").unwrap_or(1),
        upstream_keepalive_pool_size: KEPT,
        // ends at SIGTERM without the grace meant for a fleet
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let options = ConnectorOptions::from_server_conf(&server.configuration);
    let app = Forward {
        connector: Connector::new(Some(options)),
        peer: HttpPeer::new(format!("127.0.0.1:{upstream}"), false, String::new()),
    };
    let mut service = Service::new("forward".to_owned(), app);
    service.add_tcp(&format!("127.0.0.1:{listen}"));
    server.add_service(service);
    server.run_forever();
}
