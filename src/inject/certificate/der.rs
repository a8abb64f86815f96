//! Certificates in DER: the fields of RFC 5280 that one of a server needs, and no others.

use jiff::{Timestamp, tz::TimeZone};
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};

use super::NoCertificate;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// 1.2.840.10045.2.1, 1.2.840.10045.3.1.7 and 1.2.840.10045.4.3.2 (RFC 5480, RFC 5758).
const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.3.6.1.5.5.7.3.1
const SERVER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// The last arcs of 2.5.29, extensions of RFC 5280, 4.2.1.
const SUBJECT_KEY: u8 = 14;
const KEY_USAGE: u8 = 15;
const SUBJECT_NAMES: u8 = 17;
const CONSTRAINTS: u8 = 19;
const AUTHORITY_KEY: u8 = 35;
const EXTENDED_USAGE: u8 = 37;

/// Seven unused bits, `digitalSignature`.
const SIGNS: &[u8] = &[7, 0x80];
/// One unused bit, `keyCertSign` and `cRLSign`.
const SIGNS_CERTIFICATES: &[u8] = &[1, 0x06];

/// A key of P-256 with the name that it signs by.
pub(super) struct Party {
    name: &'static str,
    key: EcdsaKeyPair,
    /// The private key as PKCS#8.
    pub(super) pkcs8: Vec<u8>,
}

/// What a certificate is for.
pub(super) enum Use<'a> {
    /// It signs others, which sign none.
    Authority,
    /// A server with these names in DNS.
    Server(&'a [String]),
}

impl Party {
    pub(super) fn new(name: &'static str) -> Result<Self, NoCertificate> {
        let rng = SystemRandom::new();
        let none = |_| NoCertificate::Key;
        let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &rng).map_err(none)?;
        let key = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &rng);
        Ok(Self {
            name,
            key: key.map_err(|_| NoCertificate::Key)?,
            pkcs8: pkcs8.as_ref().to_vec(),
        })
    }

    /// The certificate of `subject`, signed by this.
    pub(super) fn sign(
        &self,
        subject: &Self,
        usage: &Use,
        [from, to]: [Timestamp; 2],
    ) -> Result<Vec<u8>, NoCertificate> {
        let rng = SystemRandom::new();
        let algorithm = sequence(&[field(OID, ECDSA_SHA256)]);
        let content = sequence(&[
            // version 3
            field(0xa0, &field(INTEGER, &[2])),
            field(INTEGER, &serial(&rng)?),
            algorithm.clone(),
            named(self.name),
            sequence(&[time(from), time(to)]),
            named(subject.name),
            sequence(&[
                sequence(&[field(OID, EC_KEY), field(OID, P256)]),
                bits(subject.public()),
            ]),
            field(0xa3, &self.extensions(subject, usage)),
        ]);
        let signature = self
            .key
            .sign(&rng, &content)
            .map_err(|_| NoCertificate::Key)?;
        Ok(sequence(&[content, algorithm, bits(signature.as_ref())]))
    }

    fn extensions(&self, subject: &Self, usage: &Use) -> Vec<u8> {
        let own = field(OCTET_STRING, &subject.identifier());
        let signer = sequence(&[field(0x80, &self.identifier())]);
        let mut all = vec![
            extension(SUBJECT_KEY, false, &own),
            extension(AUTHORITY_KEY, false, &signer),
        ];
        match usage {
            Use::Authority => {
                let constraints = sequence(&[field(BOOLEAN, &[0xff]), field(INTEGER, &[0])]);
                all.push(extension(CONSTRAINTS, true, &constraints));
                let signs = field(BIT_STRING, SIGNS_CERTIFICATES);
                all.push(extension(KEY_USAGE, true, &signs));
            }
            Use::Server(names) => {
                all.push(extension(CONSTRAINTS, true, &sequence(&[])));
                all.push(extension(KEY_USAGE, true, &field(BIT_STRING, SIGNS)));
                let server = sequence(&[field(OID, SERVER)]);
                all.push(extension(EXTENDED_USAGE, false, &server));
                let names: Vec<_> = names
                    .iter()
                    .map(|name| field(0x82, name.as_bytes()))
                    .collect();
                all.push(extension(SUBJECT_NAMES, false, &sequence(&names)));
            }
        }
        sequence(&all)
    }

    fn public(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// RFC 7093, method 1.
    fn identifier(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.public()).as_ref()[..20].to_vec()
    }
}

/// 16 random bytes: a positive number that does not begin with 0.
fn serial(rng: &SystemRandom) -> Result<[u8; 16], NoCertificate> {
    let mut serial = [0; 16];
    rng.fill(&mut serial).map_err(|_| NoCertificate::Key)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

fn named(name: &str) -> Vec<u8> {
    let name = sequence(&[field(OID, COMMON_NAME), field(UTF8, name.as_bytes())]);
    sequence(&[field(SET, &name)])
}

/// Two digits of the year up to 2049, four from then on.
fn time(at: Timestamp) -> Vec<u8> {
    let at = TimeZone::UTC.to_datetime(at);
    let text = at.strftime("%Y%m%d%H%M%SZ").to_string();
    match text.strip_prefix("20") {
        Some(short) if short < "50" => field(UTC_TIME, short.as_bytes()),
        _ => field(GENERALIZED_TIME, text.as_bytes()),
    }
}

fn extension(arc: u8, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![field(OID, &[0x55, 0x1d, arc])];
    if is_critical {
        parts.push(field(BOOLEAN, &[0xff]));
    }
    parts.push(field(OCTET_STRING, value));
    sequence(&parts)
}

/// Whole bytes.
fn bits(bytes: &[u8]) -> Vec<u8> {
    field(BIT_STRING, &[&[0], bytes].concat())
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    field(SEQUENCE, &parts.concat())
}

/// Tag, length, content.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length
        .iter()
        .position(|&byte| byte != 0)
        .unwrap_or(length.len() - 1);
    let length = &length[significant..];
    let mut field = vec![tag];
    if length.len() > 1 || length[0] > 0x7f {
        // lengths have at most eight bytes
        field.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
    }
    field.extend_from_slice(length);
    field.extend_from_slice(content);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        assert_eq!(field(4, &[]), [4, 0]);
        assert_eq!(field(4, &[7; 127])[..3], [4, 127, 7]);
        assert_eq!(field(4, &[7; 128])[..4], [4, 0x81, 128, 7]);
        assert_eq!(field(4, &[7; 256])[..5], [4, 0x82, 1, 0, 7]);
    }

    #[test]
    fn times_are_short_until_2049() {
        let at = |text: &str| time(text.parse().unwrap());
        assert_eq!(
            at("2026-11-26T01:02:03Z"),
            field(UTC_TIME, b"261126010203Z")
        );
        assert_eq!(
            at("2049-12-31T23:59:59Z"),
            field(UTC_TIME, b"491231235959Z")
        );
        assert_eq!(
            at("2050-01-01T00:00:00Z"),
            field(GENERALIZED_TIME, b"20500101000000Z")
        );
    }
}
