//! Handshakes in memory, with certificates made for each test.

pub(crate) mod authority;
mod examined;

use std::io;

use rustls::{pki_types::CertificateDer, version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use self::authority::{Authority, Files};
use super::*;
use crate::config::{Config, Sources};

/// The configuration of `settings`, written as in the environment.
pub(crate) fn configured(settings: &[(&str, &str)]) -> Config {
    let env = settings.iter().map(|(name, value)| {
        let name = format!(
            "SIDELIGHT_PROXY__{}",
            name.replace('.', "__").to_uppercase()
        );
        (name, (*value).to_owned())
    });
    let sources = Sources {
        env: env.collect(),
        ..Sources::default()
    };
    let loaded = sources.load_with(examine);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config
}

pub(crate) fn server(settings: &[(&str, &str)]) -> Server {
    Server::new(&configured(settings).proxy.tls)
        .unwrap()
        .unwrap()
}

/// A client of `https://model` that believes `ca`.
fn client(ca: &str, settings: &[(&str, &str)]) -> Client {
    let mut all = vec![("upstream", "https://model"), ("upstream_tls.ca_file", ca)];
    all.retain(|(name, _)| !settings.iter().any(|(other, _)| name == other));
    all.extend(settings);
    Client::new(&configured(&all).proxy).unwrap().unwrap()
}

type Connected = (ServerStream<DuplexStream>, ClientStream<DuplexStream>);

/// Both ends after a handshake and a byte each way, or why there is none: in TLS 1.3 a client learns
/// only with the first byte that its certificate was refused.
async fn connected(server: &Server, client: &Client, alpn: Alpn) -> io::Result<Connected> {
    let (near, far) = duplex(1 << 14);
    let accepting = async {
        let mut stream = server.accept(near).await?;
        stream.write_all(b"!").await?;
        stream.flush().await?;
        assert_eq!(stream.read_u8().await?, b'?');
        Ok::<_, io::Error>(stream)
    };
    let connecting = async {
        let mut stream = client.connect(far, alpn).await?;
        stream.write_all(b"?").await?;
        stream.flush().await?;
        assert_eq!(stream.read_u8().await?, b'!');
        Ok(stream)
    };
    tokio::try_join!(accepting, connecting)
}

/// Why there is no connection.
async fn refused(server: &Server, client: &Client) -> String {
    let error = connected(server, client, Alpn::Http1).await.err();
    error.map_or_else(String::new, |error| error.to_string())
}

fn shown(stream: &ClientStream<DuplexStream>) -> CertificateDer<'static> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

pub(crate) fn listener(files: &Files) -> [(&'static str, &str); 2] {
    [
        ("tls.cert_file", files.cert()),
        ("tls.key_file", files.key()),
    ]
}

#[tokio::test]
async fn both_ends_agree_on_a_protocol_by_what_the_client_offers() {
    let authority = Authority::new();
    let server = server(&listener(&authority.issue("model")));
    let client = client(authority.path(), &[]);
    for (alpn, http2) in [
        (Alpn::Http1, false),
        (Alpn::Http2, true),
        (Alpn::Either, true),
    ] {
        let (near, far) = connected(&server, &client, alpn).await.unwrap();
        assert_eq!(speaks_http2(near.get_ref().1), http2, "{alpn:?}");
        assert_eq!(speaks_http2(far.get_ref().1), http2, "{alpn:?}");
        let expected: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
        assert_eq!(near.get_ref().1.alpn_protocol(), Some(expected));
    }
}

#[tokio::test]
async fn an_upstream_that_chooses_no_protocol_speaks_http1() {
    let authority = Authority::new();
    let mut server = server(&listener(&authority.issue("model")));
    Arc::make_mut(&mut server.0).alpn_protocols.clear();
    let client = client(authority.path(), &[]);
    for alpn in [Alpn::Http1, Alpn::Either] {
        let (_, far) = connected(&server, &client, alpn).await.unwrap();
        assert!(!speaks_http2(far.get_ref().1));
    }
    let error = connected(&server, &client, Alpn::Http2).await.unwrap_err();
    assert!(error.to_string().contains("HTTP/2"), "{error}");
}

#[tokio::test]
async fn old_and_new_versions_are_spoken_with_every_kind_of_key() {
    let authority = Authority::new();
    for files in [
        authority.issue("model"),
        authority.issue("model").with_sec1_key(),
        authority.issue_for(&rcgen::PKCS_ED25519, "model"),
        authority.issue_for(&rcgen::PKCS_ECDSA_P384_SHA384, "model"),
    ] {
        let server = server(&listener(&files));
        for version in [&version::TLS12, &version::TLS13] {
            let mut client = client(authority.path(), &[]);
            client.only(version);
            let (near, _) = connected(&server, &client, Alpn::Http1).await.unwrap();
            assert_eq!(near.get_ref().1.protocol_version(), Some(version.version));
        }
    }
}

#[tokio::test]
async fn an_upstream_is_believed_only_with_its_name_from_who_is_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = server(&listener(&authority.issue("model")));
    let believing = client(authority.path(), &[]);
    assert_eq!(refused(&server, &believing).await, "");
    let stranger = client(other.path(), &[]);
    let why = refused(&server, &stranger).await;
    assert!(why.contains("invalid peer certificate"), "{why}");
    let elsewhere = client(authority.path(), &[("upstream", "https://elsewhere")]);
    let why = refused(&server, &elsewhere).await;
    assert!(why.contains("not valid for name"), "{why}");
    let named = client(
        authority.path(),
        &[
            ("upstream", "https://elsewhere"),
            ("upstream_tls.server_name", "model"),
        ],
    );
    assert_eq!(refused(&server, &named).await, "");
    let unverified = client(other.path(), &[("upstream_tls.verify", "false")]);
    assert_eq!(refused(&server, &unverified).await, "");
}

#[tokio::test]
async fn a_certificate_that_is_named_itself_is_believed_for_its_name_and_time() {
    let own = Authority::of_its_own("model", 4000);
    let server_of_own = server(&listener(&own));
    let believing = client(own.cert(), &[]);
    assert_eq!(refused(&server_of_own, &believing).await, "");
    let elsewhere = client(own.cert(), &[("upstream", "https://elsewhere")]);
    let why = refused(&server_of_own, &elsewhere).await;
    assert!(why.contains("not valid for name"), "{why}");
    let twin = server(&listener(&Authority::of_its_own("model", 4000)));
    assert_ne!(refused(&twin, &believing).await, "");
    let over = Authority::of_its_own("model", 2021);
    let believing = client(over.cert(), &[]);
    assert_ne!(refused(&server(&listener(&over)), &believing).await, "");
}

#[tokio::test]
async fn an_upstream_may_be_an_address() {
    let authority = Authority::new();
    for (address, url) in [("127.0.0.1", "https://127.0.0.1"), ("::1", "https://[::1]")] {
        let server = server(&listener(&authority.issue(address)));
        let client = client(authority.path(), &[("upstream", url)]);
        assert_eq!(refused(&server, &client).await, "", "{url}");
    }
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_not_believed() {
    let authority = Authority::new();
    let server = server(&listener(&authority.issue_expired("model")));
    let client = client(authority.path(), &[]);
    let why = refused(&server, &client).await;
    assert!(why.contains("expired"), "{why}");
}

#[tokio::test]
async fn clients_need_a_certificate_where_one_signs_theirs() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = authority.issue("model");
    let [cert, key] = listener(&files);
    let server = server(&[cert, key, ("tls.client_ca_file", authority.path())]);
    let with = |files: &Files| {
        client(
            authority.path(),
            &[
                ("upstream_tls.cert_file", files.cert()),
                ("upstream_tls.key_file", files.key()),
            ],
        )
    };
    let own = with(&authority.issue("proxy"));
    assert_eq!(refused(&server, &own).await, "");
    let none = client(authority.path(), &[]);
    let why = refused(&server, &none).await;
    assert!(why.contains("no certificates"), "{why}");
    let (near, far) = duplex(1 << 14);
    let asking = async { none.connect(far, Alpn::Http1).await?.read_u8().await };
    let (accepted, heard) = tokio::join!(server.accept(near), asking);
    assert!(accepted.is_err());
    assert!(broke(&heard.unwrap_err()), "it is TLS that refuses");
    let strange = with(&other.issue("proxy"));
    assert_ne!(refused(&server, &strange).await, "");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_open_ones_stay() {
    let authority = Authority::new();
    let files = authority.issue("model");
    let client = client(authority.path(), &[]);
    let before = configured(&listener(&files));
    let old = Server::new(&before.proxy.tls).unwrap().unwrap();
    let (mut near, mut far) = connected(&old, &client, Alpn::Http1).await.unwrap();

    files.renew(&authority, "model");
    let after = configured(&listener(&files));
    assert_eq!(
        crate::config::reload::diff(&before, &after),
        ["proxy.tls.cert_file", "proxy.tls.key_file"]
    );
    let new = Server::new(&after.proxy.tls).unwrap().unwrap();
    drop(old);
    let (_, fresh) = connected(&new, &client, Alpn::Http1).await.unwrap();
    assert_ne!(shown(&fresh), shown(&far));
    far.write_all(b"x").await.unwrap();
    far.flush().await.unwrap();
    assert_eq!(near.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn who_speaks_no_tls_is_refused() {
    let authority = Authority::new();
    let server = server(&listener(&authority.issue("model")));
    let (near, mut far) = duplex(1 << 14);
    far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(server.accept(near).await.is_err());
}

#[test]
fn without_files_there_is_no_tls() {
    let config = configured(&[]);
    assert!(Server::new(&config.proxy.tls).unwrap().is_none());
    assert!(Client::new(&config.proxy).unwrap().is_none());
    let plain = configured(&[("upstream", "http://model")]);
    assert!(Client::new(&plain.proxy).unwrap().is_none());
}
