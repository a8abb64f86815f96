//! Text that tells whether it is whole: a line that says what follows, with its checksum, and what follows.

use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use super::{DamageReason, baseline::hexadecimal};

/// How such a text of `kind` begins.
fn start(kind: &str) -> String {
    format!("{{\"{kind}\":")
}

/// `contents` below the line that says what it is.
pub(super) fn seal(kind: &str, version: u64, contents: &[u8]) -> Vec<u8> {
    let mut text = header(kind, version, contents).into_bytes();
    text.extend_from_slice(contents);
    text
}

fn header(kind: &str, version: u64, contents: &[u8]) -> String {
    let sum = hexadecimal(&Sha256::digest(contents));
    format!("{}{version},\"sha256\":\"{sum}\"}}\n", start(kind))
}

/// The version, one of those that are `read`, and the contents.
///
/// # Errors
/// When it is not exactly as [`seal`] wrote it.
pub(super) fn open<'a>(
    kind: &str,
    read: RangeInclusive<u64>,
    text: &'a [u8],
) -> Result<(u64, &'a [u8]), DamageReason> {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (first, contents) = text.split_at(end.ok_or(DamageReason::Header)? + 1);
    let version = std::str::from_utf8(first)
        .ok()
        .and_then(|first| first.strip_prefix(&start(kind))?.split_once(','))
        .and_then(|(version, _)| version.parse().ok())
        .ok_or(DamageReason::Header)?;
    if !read.contains(&version) {
        return Err(DamageReason::Format { found: version });
    }
    if first != header(kind, version, contents).as_bytes() {
        return Err(DamageReason::Checksum);
    }
    Ok((version, contents))
}
