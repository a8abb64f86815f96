//! Which keys of `proxy.tls` and `proxy.upstream_tls` go together. What is in the files is looked at
//! by who uses them.

use super::Findings;
use crate::config::{Config, PemFile, Tls, UpstreamTls};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    listener(&config.proxy.tls, findings);
    upstream(&config.proxy.upstream_tls, findings);
    let is_https = config.proxy.upstream.as_ref().is_some_and(|u| u.tls);
    if !is_https && says_something(&config.proxy.upstream_tls) {
        findings.warn(
            "proxy.upstream_tls",
            "is not used: proxy.upstream is not https://",
        );
    }
}

fn listener(tls: &Tls, findings: &mut Findings<'_>) {
    both(
        findings,
        "proxy.tls",
        tls.cert_file.as_ref(),
        tls.key_file.as_ref(),
    );
    if tls.client_ca_file.is_some() && tls.cert_file.is_none() && tls.key_file.is_none() {
        findings.refuse_pair(
            "proxy.tls.client_ca_file",
            "proxy.tls.cert_file",
            "expected only together with proxy.tls.cert_file: without TLS no client has a \
             certificate",
        );
    }
}

fn upstream(tls: &UpstreamTls, findings: &mut Findings<'_>) {
    both(
        findings,
        "proxy.upstream_tls",
        tls.cert_file.as_ref(),
        tls.key_file.as_ref(),
    );
    if tls.verify {
        return;
    }
    findings.warn(
        "proxy.upstream_tls.verify",
        "is false: whoever answers is taken for the model server",
    );
    if tls.ca_file.is_some() {
        findings.warn(
            "proxy.upstream_tls.ca_file",
            "is not used: proxy.upstream_tls.verify is false",
        );
    }
}

/// A certificate and its key are named together or not at all.
fn both(findings: &mut Findings<'_>, section: &str, cert: Option<&PemFile>, key: Option<&PemFile>) {
    let (missing, given) = match (cert, key) {
        (Some(_), None) => ("key_file", "cert_file"),
        (None, Some(_)) => ("cert_file", "key_file"),
        _ => return,
    };
    findings.refuse_pair(
        &format!("{section}.{missing}"),
        &format!("{section}.{given}"),
        format_args!("expected a file, because {section}.{given} names one"),
    );
}

fn says_something(tls: &UpstreamTls) -> bool {
    let UpstreamTls {
        ca_file,
        server_name,
        verify,
        cert_file,
        key_file,
    } = tls;
    let files = [ca_file, cert_file, key_file];
    files.iter().any(|file| file.is_some()) || server_name.is_some() || !verify
}
