//! What would keep a configuration from being used, and what its users should know.

use jiff::Timestamp;

use super::{
    TlsError, client,
    identity::{self, Keys, LISTENER, UPSTREAM},
    server,
    validity::{Validity, validity},
};
use crate::config::{Config, Findings, PemFile};

/// Looks into the files of `config`: reports all that is wrong with them, each under its key, and
/// warns of certificates that do not hold today.
pub fn examine(config: &Config, findings: &mut Findings<'_>) {
    for TlsError { key, why } in errors(config) {
        findings.refuse(key, why);
    }
    receivers(config, findings);
    let now = Timestamp::now();
    for (key, file) in config
        .pem_files()
        .filter(|(key, _)| !key.ends_with(".key_file"))
    {
        let is_own = key.ends_with(".cert_file");
        if let Some(outside) = outside(file, now, is_own) {
            findings.warn(&key, outside);
        }
    }
}

fn errors(config: &Config) -> Vec<TlsError> {
    let (tls, upstream_tls) = (&config.proxy.tls, &config.proxy.upstream_tls);
    let mut errors = Vec::new();
    own(
        LISTENER,
        tls.cert_file.as_ref(),
        tls.key_file.as_ref(),
        &mut errors,
    );
    errors.extend(server::clients(tls).err());
    if let Some(upstream) = config.proxy.upstream.as_ref().filter(|u| u.tls) {
        errors.extend(client::server_name(upstream_tls, upstream).err());
        errors.extend(client::verifier(upstream_tls).err());
        own(
            UPSTREAM,
            upstream_tls.cert_file.as_ref(),
            upstream_tls.key_file.as_ref(),
            &mut errors,
        );
    }
    errors
}

/// Those of `drift.notify` that are reached over TLS.
fn receivers(config: &Config, findings: &mut Findings<'_>) {
    for (place, target) in config.drift.notify.iter().enumerate() {
        let Ok(address) = target.address() else {
            continue;
        };
        if !address.server.tls {
            continue;
        }
        if let Err(why) = client::name_of(&address.server.host) {
            findings.refuse(&format!("drift.notify[{place}].url"), why);
        }
        if let Err(why) = client::believing(target.ca_file.as_ref()) {
            findings.refuse(&format!("drift.notify[{place}].ca_file"), why);
        }
    }
}

/// Each file on its own, and both together where each is right.
fn own(keys: Keys, cert: Option<&PemFile>, key: Option<&PemFile>, errors: &mut Vec<TlsError>) {
    let cert_why = cert.and_then(|cert| identity::certificates(cert).err());
    let key_why = key.and_then(|key| identity::private_key(key).err());
    if cert_why.is_none() && key_why.is_none() {
        errors.extend(identity::identity(keys, cert, key).err());
    }
    errors.extend(cert_why.map(|why| why.of(keys.cert)));
    errors.extend(key_why.map(|why| why.of(keys.key)));
}

/// What to say of a file whose certificates do not hold at `now`: one of one's own chain, or all of
/// those that are believed (bundles of roots hold some that have ended).
fn outside(file: &PemFile, now: Timestamp, is_own: bool) -> Option<String> {
    let certificates = identity::certificates(file).ok()?;
    let outside: Vec<String> = certificates
        .iter()
        .filter_map(|certificate| not_now(validity(certificate)?, now))
        .collect();
    let is_worth_saying = is_own || outside.len() == certificates.len();
    outside.into_iter().next().filter(|_| is_worth_saying)
}

fn not_now(Validity { from, to }: Validity, now: Timestamp) -> Option<String> {
    if now > to {
        Some(format!("holds a certificate that expired at {to}"))
    } else if now < from {
        Some(format!(
            "holds a certificate that is not valid before {from}"
        ))
    } else {
        None
    }
}
