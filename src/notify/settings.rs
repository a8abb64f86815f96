//! Who is told, ready for use.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::letter::Letter;
use crate::{
    config::{NoAddress, Target},
    http::ClientError,
    post::{self, Peer},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The receivers of `drift.notify`.
#[derive(Debug, Default)]
pub struct Settings {
    pub(super) receivers: Vec<Arc<Receiver>>,
}

/// Why a receiver cannot be reached. Carries nothing of its URL.
#[derive(Debug, thiserror::Error)]
#[error("drift.notify[{place}]: {why}")]
pub struct Unusable {
    place: usize,
    why: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Address(#[from] NoAddress),
    #[error(transparent)]
    Peer(#[from] post::Unusable),
}

/// One receiver.
pub(super) struct Receiver {
    /// Such as `drift.notify[0]`.
    pub(super) key: String,
    pub(super) peer: Peer,
    pub(super) give_up_after: Duration,
    pub(super) max_queued: usize,
}

impl Settings {
    /// Those of `targets`. May read the roots of the system: not on a thread that others wait for.
    ///
    /// # Errors
    /// The first that cannot be reached, whatever is there.
    pub fn new(targets: &[Target]) -> Result<Self, Unusable> {
        let targets = targets.iter().enumerate();
        let receivers = targets.map(|(place, target)| {
            let receiver = Receiver::new(place, target);
            receiver
                .map(Arc::new)
                .map_err(|why| Unusable { place, why })
        });
        Ok(Self {
            receivers: receivers.collect::<Result<_, _>>()?,
        })
    }
}

impl Receiver {
    fn new(place: usize, target: &Target) -> Result<Self, Reason> {
        let peer = Peer::new(
            target.address()?,
            "application/json",
            &target.headers,
            target.ca_file.as_ref(),
            target.timeout,
        )?;
        Ok(Self {
            key: format!("drift.notify[{place}]"),
            peer,
            give_up_after: target.give_up_after,
            max_queued: target.max_queued,
        })
    }

    /// One try.
    pub(super) async fn post(
        &self,
        letter: &Letter,
    ) -> Result<(StatusCode, HeaderMap), ClientError> {
        let id = HeaderValue::from_str(&letter.id).expect("it is hexadecimal digits and a word");
        let field = Some((IDEMPOTENCY_KEY, id));
        let (path, body) = (&self.peer.address.path, letter.body.clone());
        let (status, fields, _) = self.peer.post(path, field, body).await?;
        Ok((status, fields))
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.key, self.peer.address.server.url())
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::{
        config::{Given, PemFile, Sources},
        notify::letter::tests::letter,
        tls::{
            Server,
            tests::{authority::Authority, configured, listener},
        },
    };

    /// One try at a server whose certificate `authority` has signed, by whoever believes `believed`.
    async fn tried(authority: &Authority, believed: &Authority) -> Result<u16, ClientError> {
        let files = authority.issue("127.0.0.1");
        let server = Server::new(&configured(&listener(&files)).proxy.tls).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let accepting = async {
            let (stream, _) = socket.accept().await.unwrap();
            let Ok(mut stream) = server.unwrap().accept(stream).await else {
                return;
            };
            let mut heard = Vec::new();
            while !heard.ends_with(b"}") {
                heard.push(stream.read_u8().await.unwrap());
            }
            let said = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(said).await.unwrap();
            stream.flush().await.unwrap();
            let _ = stream.shutdown().await;
        };
        let url = format!(
            "[{{url: 'https://127.0.0.1:{port}/a', ca_file: {}}}]",
            believed.path()
        );
        let sources = Sources {
            env: vec![("SIDELIGHT_DRIFT__NOTIFY".to_owned(), url)],
            ..Sources::default()
        };
        let targets = sources.load().unwrap().config.drift.notify;
        let settings = Settings::new(&targets).unwrap();
        let letter = letter("a");
        let (answer, ()) = tokio::join!(settings.receivers[0].post(&letter), accepting);
        answer.map(|(status, _)| status.as_u16())
    }

    #[tokio::test]
    async fn a_receiver_over_tls_is_believed_by_who_signs_its_certificate_and_by_nobody_else() {
        let (authority, other) = (Authority::new(), Authority::new());
        assert_eq!(tried(&authority, &authority).await.unwrap(), 202);
        let refused = tried(&authority, &other).await.unwrap_err();
        assert_eq!(refused.reason(), "connect");
    }

    #[test]
    fn what_cannot_be_reached_is_told_with_its_key_and_without_its_path() {
        let target = |url: &str| Target::from(Given::from(url));
        let error = Settings::new(&[target("http://a"), target("a/hunter2")]).unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with("drift.notify[1]: expected http://"),
            "{said}"
        );
        let empty = Target {
            ca_file: Some(PemFile::from("/hunter2")),
            ..target("https://a/hunter2")
        };
        let said = Settings::new(&[empty]).unwrap_err().to_string();
        assert!(
            said.starts_with("drift.notify[0]: expected a PEM file"),
            "{said}"
        );
        let receiver = &Settings::new(&[target("http://a/hunter2")])
            .unwrap()
            .receivers[0];
        assert_eq!(format!("{receiver:?}"), "drift.notify[0] http://a:80");
    }
}
