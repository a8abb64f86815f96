//! What `examine` says of files that cannot be used.

use std::fs;

use super::{
    authority::{Authority, Files, pem},
    *,
};
use crate::config::Loaded;

/// The problems, one a line as `key: what was expected`, or the warnings.
fn examined(settings: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
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
    let problems = |p: &crate::config::Problem| format!("{}: {}", p.key, p.message);
    sources
        .load_with(examine)
        .map_err(|errors| errors.0.iter().map(problems).collect())
}

/// Checks that there is one problem, and that it begins like this.
fn one_problem(settings: &[(&str, &str)], expected: &str) {
    let problems = examined(settings).expect_err(expected);
    let is_it = problems.len() == 1 && problems[0].starts_with(expected);
    assert!(is_it, "{expected}\n{problems:?}");
}

fn sections() -> [(&'static str, Vec<(&'static str, &'static str)>); 2] {
    let upstream = vec![
        ("upstream", "https://model"),
        ("upstream_tls.verify", "false"),
    ];
    [("tls", Vec::new()), ("upstream_tls", upstream)]
}

/// Sets both files of `section`, and looks for one problem with `key`.
fn refuses(files: &Files, key: &str, expected: &str) {
    for (section, mut settings) in sections() {
        let (cert, private) = (
            format!("{section}.cert_file"),
            format!("{section}.key_file"),
        );
        settings.push((&cert, files.cert()));
        settings.push((&private, files.key()));
        one_problem(&settings, &format!("proxy.{section}.{key}: {expected}"));
    }
}

#[test]
fn a_certificate_and_its_key_go_together() {
    let files = Authority::new().issue("model");
    for (section, settings) in sections() {
        for (given, path, missing) in [
            ("cert_file", files.cert(), "key_file"),
            ("key_file", files.key(), "cert_file"),
        ] {
            let name = format!("{section}.{given}");
            let mut settings = settings.clone();
            settings.push((&name, path));
            let expected = format!(
                "proxy.{section}.{missing}: expected a file, because proxy.{section}.{given} names"
            );
            one_problem(&settings, &expected);
        }
    }
    one_problem(
        &[("tls.client_ca_file", files.cert())],
        "proxy.tls.client_ca_file: expected only together with proxy.tls.cert_file",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for key in [
        "tls.cert_file",
        "tls.key_file",
        "tls.client_ca_file",
        "upstream_tls.ca_file",
        "upstream_tls.cert_file",
        "upstream_tls.key_file",
    ] {
        let problems = examined(&[(key, "/nowhere/x.pem")]).unwrap_err();
        let expected = format!("proxy.{key}: cannot be read: No such file");
        let is_named = |problem: &String| problem.starts_with(&expected);
        assert!(problems.iter().any(is_named), "{problems:?}");
    }
}

#[test]
fn each_damaged_file_is_refused_under_its_key() {
    let authority = Authority::new();
    let bad_cert = |text: &str| {
        let files = authority.issue("model");
        fs::write(files.cert(), text).unwrap();
        files
    };
    let bad_key = |text: &str| {
        let files = authority.issue("model");
        fs::write(files.key(), text).unwrap();
        files
    };
    let none = "expected a PEM file with certificates, found none";
    refuses(&bad_cert(""), "cert_file", none);
    refuses(&bad_cert("hunter2"), "cert_file", none);
    let damaged = "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n";
    refuses(
        &bad_cert(damaged),
        "cert_file",
        "expected a PEM file, found damaged text",
    );
    let other = pem("CERTIFICATE", b"hunter2");
    refuses(
        &bad_cert(&other),
        "cert_file",
        "expected an X.509 certificate",
    );

    refuses(
        &bad_key(""),
        "key_file",
        "expected a PEM file with a private key",
    );
    let cut = fs::read_to_string(authority.issue("model").key()).unwrap();
    let cut = &cut[..cut.len() - 40];
    refuses(
        &bad_key(cut),
        "key_file",
        "expected a PEM file, found damaged text",
    );
    let encrypted = pem("ENCRYPTED PRIVATE KEY", b"hunter2");
    refuses(
        &bad_key(&encrypted),
        "key_file",
        "expected a private key that is not encrypted",
    );
    let unknown = pem("PRIVATE KEY", b"hunter2");
    refuses(
        &bad_key(&unknown),
        "key_file",
        "expected a private key of RSA",
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let (files, other) = (authority.issue("model"), authority.issue("model"));
    fs::copy(other.key(), files.key()).unwrap();
    for (section, mut settings) in sections() {
        let (cert, key) = (
            format!("{section}.cert_file"),
            format!("{section}.key_file"),
        );
        settings.push((&cert, files.cert()));
        settings.push((&key, files.key()));
        let expected = format!(
            "proxy.{section}.key_file: expected the private key of proxy.{section}.cert_file"
        );
        one_problem(&settings, &expected);
    }
}

#[test]
fn both_files_are_reported_when_both_are_damaged_and_nothing_of_them_is_shown() {
    let files = Authority::new().issue("model");
    for path in [files.cert(), files.key()] {
        fs::write(path, "hunter2").unwrap();
    }
    let problems = examined(&listener(&files)).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(!problems.concat().contains("hunter2"));
}

#[test]
fn who_is_believed_must_have_certificates() {
    let files = Authority::new().issue("model");
    let [cert, key] = listener(&files);
    let none = "expected a PEM file with certificates, found none";
    one_problem(
        &[cert, key, ("tls.client_ca_file", files.key())],
        &format!("proxy.tls.client_ca_file: {none}"),
    );
    one_problem(
        &[
            ("upstream", "https://model"),
            ("upstream_tls.ca_file", files.key()),
        ],
        &format!("proxy.upstream_tls.ca_file: {none}"),
    );
}

#[test]
fn a_name_that_no_certificate_can_have_is_refused() {
    let authority = Authority::new();
    one_problem(
        &[
            ("upstream", "https://model"),
            ("upstream_tls.ca_file", authority.path()),
            ("upstream_tls.server_name", "a b"),
        ],
        "proxy.upstream_tls.server_name: expected a host name or an IP address",
    );
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_warned_of() {
    let authority = Authority::new();
    let warned = |settings: &[(&str, &str)]| examined(settings).unwrap().warnings.join("\n");
    let expired = authority.issue_expired("model");
    assert_eq!(
        warned(&listener(&expired)),
        "proxy.tls.cert_file holds a certificate that expired at 2021-01-01T00:00:00Z"
    );
    assert_eq!(warned(&listener(&authority.issue("model"))), "");
    let believed = [
        ("upstream", "https://model"),
        ("upstream_tls.ca_file", expired.cert()),
    ];
    assert!(warned(&believed).starts_with("proxy.upstream_tls.ca_file holds"));
    let both = format!(
        "{}{}",
        fs::read_to_string(expired.cert()).unwrap(),
        fs::read_to_string(authority.path()).unwrap()
    );
    fs::write(expired.cert(), both).unwrap();
    assert_eq!(warned(&believed), "");
    let unverified = warned(&[
        ("upstream", "https://model"),
        ("upstream_tls.verify", "false"),
        ("upstream_tls.ca_file", authority.path()),
    ]);
    assert!(unverified.contains("proxy.upstream_tls.verify is false"));
    assert!(unverified.contains("proxy.upstream_tls.ca_file is not used"));
    let unused = warned(&[("upstream_tls.server_name", "model")]);
    assert!(unused.starts_with("proxy.upstream_tls is not used"));
}
