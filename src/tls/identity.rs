//! Who one is: a chain of certificates and the private key of the first.

use std::sync::Arc;

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::ParsedCertificate,
    sign::{CertifiedKey, SigningKey},
};

use super::{TlsError, Why, provider};
use crate::config::PemFile;

/// What names the two files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) cert: &'static str,
    pub(super) key: &'static str,
}

/// Those of the proxy towards clients.
pub(super) const LISTENER: Keys = Keys {
    cert: "proxy.tls.cert_file",
    key: "proxy.tls.key_file",
};

/// Those of the proxy towards the upstream.
pub(super) const UPSTREAM: Keys = Keys {
    cert: "proxy.upstream_tls.cert_file",
    key: "proxy.upstream_tls.key_file",
};

/// The identity in the files; `None` where there are not two.
pub(super) fn identity(
    keys: Keys,
    cert: Option<&PemFile>,
    key: Option<&PemFile>,
) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    let chain = certificates(cert).map_err(|why| why.of(keys.cert))?;
    let key = private_key(key).map_err(|why| why.of(keys.key))?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(Why::Mismatch(keys.cert).of(keys.key))
        }
        // a key that does not tell its public half is tried at the first handshake
        _ => Ok(Some(Arc::new(identity))),
    }
}

/// All certificates of a file, at least one, each of which can be read.
pub(super) fn certificates(file: &PemFile) -> Result<Vec<CertificateDer<'static>>, Why> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(file.content())
        .collect::<Result<_, _>>()
        .map_err(|_| Why::Pem)?;
    if chain.is_empty() {
        return Err(Why::NoCertificate);
    }
    let can_be_read = |der| ParsedCertificate::try_from(der).is_ok();
    if chain.iter().all(can_be_read) {
        Ok(chain)
    } else {
        Err(Why::Certificate)
    }
}

/// The first private key of a file.
pub(super) fn private_key(file: &PemFile) -> Result<Arc<dyn SigningKey>, Why> {
    if is_encrypted(file.content()) {
        return Err(Why::EncryptedKey);
    }
    let der = PrivateKeyDer::from_pem_slice(file.content()).map_err(|error| match error {
        pem::Error::NoItemsFound => Why::NoKey,
        _ => Why::Pem,
    })?;
    let loaded = provider().key_provider.load_private_key(der);
    loaded.map_err(|_| Why::Key)
}

/// The two ways in which a file says that its key needs a password.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}
