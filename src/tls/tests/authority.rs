//! Who signs the certificates of a test, and the files they are in.

use std::{fmt::Write as _, fs, net::IpAddr, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use tempfile::TempDir;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
    path: String,
}

/// A certificate and its key.
pub(crate) struct Files {
    dir: TempDir,
    cert: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path().join("ca.pem"), &pem("CERTIFICATE", issuer.der()));
        Self { issuer, dir, path }
    }

    /// The file of its certificate.
    pub(crate) fn path(&self) -> &str {
        assert!(self.dir.path().exists());
        &self.path
    }

    /// For a host name or address.
    pub(crate) fn issue(&self, name: &str) -> Files {
        self.issue_for(&rcgen::PKCS_ECDSA_P256_SHA256, name)
    }

    pub(crate) fn issue_for(&self, kind: &'static SignatureAlgorithm, name: &str) -> Files {
        Files::new(self.signed(kind, &params(name)))
    }

    /// One that nobody else has signed and that may sign others, as `openssl req -x509` makes it.
    pub(crate) fn of_its_own(name: &str, until: i32) -> Files {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let key = pem("PRIVATE KEY", &key.serialize_der());
        Files::new((pem("CERTIFICATE", cert.der()), key))
    }

    /// One that was valid in 2020 only.
    pub(crate) fn issue_expired(&self, name: &str) -> Files {
        let mut params = params(name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        Files::new(self.signed(&rcgen::PKCS_ECDSA_P256_SHA256, &params))
    }

    fn signed(
        &self,
        kind: &'static SignatureAlgorithm,
        params: &CertificateParams,
    ) -> (String, String) {
        let key = KeyPair::generate_for(kind).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let key = pem("PRIVATE KEY", &key.serialize_der());
        (pem("CERTIFICATE", cert.der()), key)
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    });
    params
}

impl Files {
    fn new((cert, key): (String, String)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cert = write(dir.path().join("cert.pem"), &cert);
        let key = write(dir.path().join("key.pem"), &key);
        Self { dir, cert, key }
    }

    pub(crate) fn cert(&self) -> &str {
        assert!(self.dir.path().exists());
        &self.cert
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Another certificate and key in the same places.
    pub(crate) fn renew(&self, authority: &Authority, name: &str) {
        let (cert, key) = authority.signed(&rcgen::PKCS_ECDSA_P256_SHA256, &params(name));
        fs::write(&self.cert, cert).unwrap();
        fs::write(&self.key, key).unwrap();
    }

    /// The same, with the key as `openssl ecparam -genkey` writes it.
    pub(crate) fn with_sec1_key(self) -> Self {
        let key = PrivatePkcs8KeyDer::from_pem_file(&self.key).unwrap();
        let der = key.secret_pkcs8_der();
        // the last field of a PKCS#8 key of P-256 is an octet string of 109 bytes: the SEC1 key,
        // which leaves the curve to the field before
        let at = der.windows(4).position(|w| w == [4, 0x6d, 0x30, 0x6b]);
        let inner = &der[at.unwrap() + 2..][..0x6d];
        fs::write(&self.key, pem("EC PRIVATE KEY", inner)).unwrap();
        self
    }
}

fn write(path: PathBuf, text: &str) -> String {
    fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// RFC 7468.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes are a line of 64 digits
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for digit in 0..4 {
                let index = (bits >> (18 - 6 * digit) & 63) as usize;
                let is_used = digit <= three.len();
                text.push(if is_used { DIGITS[index].into() } else { '=' });
            }
        }
        text.push('\n');
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}
