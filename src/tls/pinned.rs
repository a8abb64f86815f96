//! A certificate that is believed because it stands in `proxy.upstream_tls.ca_file` itself.
//!
//! `openssl req -x509` makes one that says of itself that it signs others, which webpki refuses from
//! a server; OpenSSL and curl take it where the operator named that very certificate, and so does
//! this. Its name and its time are verified as ever.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::validity::validity;

#[derive(Debug)]
pub(super) struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    others: Arc<WebPkiServerVerifier>,
}

impl Pinned {
    /// Believes `certificates` and what `others` believes.
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        others: Arc<WebPkiServerVerifier>,
    ) -> Self {
        Self {
            certificates,
            others,
        }
    }
}

/// Whether `certificate` is known to hold at `now`.
fn holds(certificate: &[u8], now: UnixTime) -> bool {
    let Ok(since) = Duration::from_secs(now.as_secs()).try_into() else {
        return false;
    };
    let now = Timestamp::UNIX_EPOCH.checked_add::<jiff::SignedDuration>(since);
    let Some((now, validity)) = now.ok().zip(validity(certificate)) else {
        return false;
    };
    validity.from <= now && now <= validity.to
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.certificates.contains(shown) || !holds(shown, now) {
            let others = &self.others;
            return others.verify_server_cert(shown, chain, name, ocsp, now);
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}
