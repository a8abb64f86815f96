//! `proxy.tls` and `proxy.upstream_tls`: which files say who is who.

use std::{borrow::Cow, io, path::Path};

use serde::Deserialize;

use super::{Config, PemFile};

/// `proxy.tls`: TLS towards clients; without files they speak without it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate of the proxy, then those between it and a root.
    pub cert_file: Option<PemFile>,
    /// Its private key.
    pub key_file: Option<PemFile>,
    /// Who signs the certificates that clients must have; `None`: they need none.
    pub client_ca_file: Option<PemFile>,
}

impl Tls {
    /// An identity towards clients that need none, from two files that are read now.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub fn of_files<'a>(cert: &'a Path, key: &'a Path) -> Result<Self, (&'a Path, io::Error)> {
        let read = |path: &'a Path| {
            let mut file = PemFile::from(path);
            file.read().map_err(|error| (path, error))?;
            Ok(Some(file))
        };
        Ok(Self {
            cert_file: read(cert)?,
            key_file: read(key)?,
            client_ca_file: None,
        })
    }
}

/// `proxy.upstream_tls`: TLS towards an upstream that is `https://`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// Who signs the upstream's certificate; `None`: the roots of the system.
    pub ca_file: Option<PemFile>,
    /// The name in the upstream's certificate; `None`: the host of the upstream.
    pub server_name: Option<String>,
    /// Whether the upstream's certificate is looked at.
    pub verify: bool,
    /// The certificate by which the upstream knows the proxy, then those between it and a root.
    pub cert_file: Option<PemFile>,
    /// Its private key.
    pub key_file: Option<PemFile>,
}

impl Config {
    /// The keys that name certificates and keys, each with the file it names, if any.
    pub fn pem_files(&self) -> impl Iterator<Item = (Cow<'static, str>, &PemFile)> {
        let (tls, upstream) = (&self.proxy.tls, &self.proxy.upstream_tls);
        let files = [
            &tls.cert_file,
            &tls.key_file,
            &tls.client_ca_file,
            &upstream.ca_file,
            &upstream.cert_file,
            &upstream.key_file,
        ];
        let named = PEM_KEYS.map(Cow::Borrowed).into_iter().zip(files);
        let receivers = self.drift.notify.iter().enumerate();
        let receivers = receivers.map(|(place, target)| (receiver_ca(place), &target.ca_file));
        let all = named.chain(receivers);
        let all = all.chain([(COLLECTOR_CA.into(), &self.otlp.ca_file)]);
        all.filter_map(|(key, file)| Some((key, file.as_ref()?)))
    }

    /// The same, to be read.
    pub(super) fn pem_files_mut(
        &mut self,
    ) -> impl Iterator<Item = (Cow<'static, str>, &mut PemFile)> {
        let (tls, upstream) = (&mut self.proxy.tls, &mut self.proxy.upstream_tls);
        let files = [
            &mut tls.cert_file,
            &mut tls.key_file,
            &mut tls.client_ca_file,
            &mut upstream.ca_file,
            &mut upstream.cert_file,
            &mut upstream.key_file,
        ];
        let named = PEM_KEYS.map(Cow::Borrowed).into_iter().zip(files);
        let receivers = self.drift.notify.iter_mut().enumerate();
        let receivers = receivers.map(|(place, target)| (receiver_ca(place), &mut target.ca_file));
        let all = named.chain(receivers);
        let all = all.chain([(COLLECTOR_CA.into(), &mut self.otlp.ca_file)]);
        all.filter_map(|(key, file)| Some((key, file.as_mut()?)))
    }
}

const COLLECTOR_CA: &str = "otlp.ca_file";

fn receiver_ca(place: usize) -> Cow<'static, str> {
    format!("drift.notify[{place}].ca_file").into()
}

const PEM_KEYS: [&str; 6] = [
    "proxy.tls.cert_file",
    "proxy.tls.key_file",
    "proxy.tls.client_ca_file",
    "proxy.upstream_tls.ca_file",
    "proxy.upstream_tls.cert_file",
    "proxy.upstream_tls.key_file",
];
