//! `sidelight gen-certs`: who the webhook is and who says so, made without a cluster.
//!
//! The key that signs is forgotten: a renewal makes both anew.

mod der;

use jiff::{SignedDuration, Timestamp};

use self::der::{Party, Use};
use super::base64::encoded;

const DAY: i64 = 24;
/// Clocks of nodes may be late.
const BEFORE: SignedDuration = SignedDuration::from_hours(DAY);

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The Service of the webhook.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// The Secret that holds the certificate.
    pub secret: String,
    /// How long it holds.
    pub days: u16,
    /// Whether no pod is to start while the webhook is away.
    pub strict: bool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NoCertificate {
    /// The cryptography does not say more.
    #[error("no key could be made: the system gives no random bytes")]
    Key,
    /// The clock of this machine is beyond the calendar.
    #[error("the time of this machine cannot be: {0}")]
    Time(#[from] jiff::Error),
}

/// The Secret and the `MutatingWebhookConfiguration`, in YAML.
///
/// # Errors
/// The system has no random bytes, or no time that can be.
pub fn generate(ask: &Ask) -> Result<String, NoCertificate> {
    let now = Timestamp::now();
    let lasts = SignedDuration::from_hours(DAY * i64::from(ask.days));
    let validity = [now.checked_sub(BEFORE)?, now.checked_add(lasts)?];
    let authority = Party::new("sidelight webhook authority")?;
    let root = authority.sign(&authority, &Use::Authority, validity)?;
    let webhook = Party::new("sidelight webhook")?;
    let host = format!("{}.{}.svc", ask.service, ask.namespace);
    let names = [format!("{host}.cluster.local"), host];
    let leaf = authority.sign(&webhook, &Use::Server(&names), validity)?;
    Ok(manifest(
        ask,
        &pem("CERTIFICATE", &leaf),
        &pem("PRIVATE KEY", &webhook.pkcs8),
        &pem("CERTIFICATE", &root),
    ))
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = encoded(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|&byte| char::from(byte)));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

fn manifest(ask: &Ask, cert: &str, key: &str, authority: &str) -> String {
    let Ask {
        service,
        namespace,
        secret,
        ..
    } = ask;
    let policy = if ask.strict { "Fail" } else { "Ignore" };
    let [cert, key, authority] = [cert, key, authority].map(|pem| encoded(pem.as_bytes()));
    format!(
        r#"apiVersion: v1
kind: Secret
metadata:
  name: {secret}
  namespace: {namespace}
type: kubernetes.io/tls
data:
  tls.crt: {cert}
  tls.key: {key}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: sidelight
webhooks:
  - name: inject.sidelight.dev
    admissionReviewVersions: [v1]
    clientConfig:
      caBundle: {authority}
      service: {{name: {service}, namespace: {namespace}, path: /mutate, port: 443}}
    # Fail would keep pods from starting while the webhook is away
    failurePolicy: {policy}
    reinvocationPolicy: IfNeeded
    sideEffects: None
    timeoutSeconds: 5
    # kubectl label namespace NAME sidelight.dev/inject=enabled
    namespaceSelector:
      matchLabels: {{sidelight.dev/inject: enabled}}
      matchExpressions:
        # nor where the webhook is: its own pods could not start while it is away
        - {{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, kube-node-lease, {namespace}]}}
    rules:
      - {{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_are_a_secret_and_who_believes_it() {
        let mut ask = Ask {
            service: "hook".to_owned(),
            namespace: "mine".to_owned(),
            secret: "hook-tls".to_owned(),
            days: 3,
            strict: false,
        };
        let text = generate(&ask).unwrap();
        for line in [
            "  name: hook-tls",
            "  namespace: mine",
            "      service: {name: hook, namespace: mine, path: /mutate, port: 443}",
            "    failurePolicy: Ignore",
            "        - {key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, kube-node-lease, mine]}",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let marker = encoded(b"-----BEGIN ");
        let is_pem = |key: &str| text.contains(&format!("{key}: {}", &marker[..12]));
        assert!(
            ["tls.crt", "tls.key", "caBundle"].into_iter().all(is_pem),
            "{text}"
        );
        ask.strict = true;
        let again = generate(&ask).unwrap();
        assert!(again.contains("    failurePolicy: Fail\n"));
        assert_ne!(
            text.lines().nth(7),
            again.lines().nth(7),
            "a key is made only once"
        );
    }

    #[test]
    fn lines_of_pem_have_64_digits() {
        let text = pem("X", &[0; 100]);
        let lines: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(lines, [17, 64, 64, 8, 15]);
    }
}
