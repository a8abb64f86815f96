//! Why there is no TLS to be had from a configuration.

/// The key that is wrong, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct TlsError {
    /// Such as `proxy.tls.key_file`.
    pub key: &'static str,
    /// What was expected and what was found.
    pub why: Why,
}

/// What is wrong with a file or name. No variant carries anything of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The text between two markers is no base64, or an end is missing.
    #[error("expected a PEM file, found damaged text")]
    Pem,
    /// No marker of a certificate.
    #[error("expected a PEM file with certificates, found none")]
    NoCertificate,
    /// A certificate that cannot be read.
    #[error("expected an X.509 certificate of version 3, found something else")]
    Certificate,
    /// No marker of a private key.
    #[error("expected a PEM file with a private key (PKCS#8, PKCS#1 or SEC1), found none")]
    NoKey,
    /// The key needs a password.
    #[error("expected a private key that is not encrypted, found one that is")]
    EncryptedKey,
    /// A key of a kind that is not known.
    #[error("expected a private key of RSA, ECDSA (P-256, P-384) or Ed25519, found another")]
    Key,
    /// Each is right on its own.
    #[error("expected the private key of {0}, found that of another certificate")]
    Mismatch(&'static str),
    /// The system has no roots.
    #[error("expected a file, because this system has no root certificates")]
    NoRoots,
    /// Neither a name nor an address.
    #[error("expected a host name or an IP address")]
    ServerName,
}

impl Why {
    /// A word for labels and logs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::NoCertificate => "no_certificate",
            Self::Certificate => "certificate",
            Self::NoKey => "no_key",
            Self::EncryptedKey => "encrypted_key",
            Self::Key => "key",
            Self::Mismatch(_) => "mismatch",
            Self::NoRoots => "no_roots",
            Self::ServerName => "server_name",
        }
    }

    /// This, of `key`.
    pub(super) fn of(self, key: &'static str) -> TlsError {
        TlsError { key, why: self }
    }
}

impl TlsError {
    /// A word for labels and logs.
    pub fn reason(&self) -> &'static str {
        self.why.reason()
    }
}
