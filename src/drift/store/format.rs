//! A baseline as text: two lines of JSON, the first says what the second must be.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::drift::{Baseline, Key, baseline::hexadecimal};

/// Largest file that is read or written: ten million values.
pub(super) const LARGEST: u64 = 256 << 20;
/// Changes when an older agent could no longer read the file.
const VERSION: u64 = 1;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DamageReason {
    /// It could not be read.
    #[error("it cannot be read: {kind}")]
    Unreadable {
        /// What the file system said.
        kind: io::ErrorKind,
    },
    /// It is larger than a baseline may be.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes it may have.
        limit: u64,
    },
    /// The first line is not that of a baseline.
    #[error("it does not begin as a baseline")]
    Header,
    /// A newer agent wrote it.
    #[error("its format is {found}, not {VERSION}")]
    Format {
        /// The version it names.
        found: u64,
    },
    /// The second line is not what was written.
    #[error("its checksum is wrong")]
    Checksum,
    /// The second line is what was written, but no baseline.
    #[error("what it holds is no baseline")]
    Contents,
    /// It belongs to another model than its name says.
    #[error("its name is that of another baseline")]
    Misplaced,
    /// There are as many baselines as are kept.
    #[error("there are {limit} baselines already")]
    NoRoom {
        /// The most there may be.
        limit: usize,
    },
}

impl DamageReason {
    /// The label value.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::TooLarge { .. } => "too_large",
            Self::Header => "header",
            Self::Format { .. } => "format",
            Self::Checksum => "checksum",
            Self::Contents => "contents",
            Self::Misplaced => "misplaced",
            Self::NoRoom { .. } => "no_room",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    sidelight_baseline: u64,
    /// Of everything after the first line.
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents<'a> {
    model: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    /// RFC 3339, to the nanosecond.
    set_at: Cow<'a, str>,
    missing: usize,
    /// In the fewest digits that name the same number, to the last bit.
    values: Cow<'a, [f64]>,
}

/// The name of the baseline of `key`: a model's name may hold what a file's must not.
pub(super) fn name(key: &Key) -> String {
    let mut sha = Sha256::new();
    for part in [&key.model, &key.version] {
        // The length keeps apart what would read the same, and a name that is empty from none.
        let length = part.as_ref().map_or(u64::MAX, |text| text.len() as u64);
        sha.update(length.to_le_bytes());
        sha.update(part.as_deref().unwrap_or_default());
    }
    format!(
        "{PREFIX}{}{SUFFIX}",
        hexadecimal(&sha.finalize()[..DIGITS / 2])
    )
}

const PREFIX: &str = "baseline-";
const SUFFIX: &str = ".json";
const DIGITS: usize = 24;

/// Whether a file of this name is taken for a baseline.
pub(super) fn is_name(name: &str) -> bool {
    let digits = name
        .strip_prefix(PREFIX)
        .and_then(|n| n.strip_suffix(SUFFIX));
    digits.is_some_and(|d| d.len() == DIGITS && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The whole file.
pub(super) fn render(key: &Key, baseline: &Baseline) -> Vec<u8> {
    let contents = json(&Contents {
        model: key.model.as_deref().map(Cow::Borrowed),
        version: key.version.as_deref().map(Cow::Borrowed),
        set_at: baseline.set_at().to_string().into(),
        missing: baseline.missing(),
        values: baseline.values().into(),
    });
    let mut file = json(&Header {
        sidelight_baseline: VERSION,
        sha256: checksum(&contents),
    });
    file.extend_from_slice(&contents);
    file
}

/// One line.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("strings and finite numbers are JSON");
    line.push(b'\n');
    line
}

fn checksum(contents: &[u8]) -> String {
    hexadecimal(&Sha256::digest(contents))
}

/// Reads a file whole; one that is not exactly as written is refused.
pub(super) fn load(path: &Path) -> Result<(Key, Baseline), DamageReason> {
    let bytes = read(path).map_err(|error| DamageReason::Unreadable { kind: error.kind() })?;
    if bytes.len() as u64 > LARGEST {
        return Err(DamageReason::TooLarge { limit: LARGEST });
    }
    parse(&bytes)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A pipe would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn parse(bytes: &[u8]) -> Result<(Key, Baseline), DamageReason> {
    let end = bytes.iter().position(|b| *b == b'\n');
    let (first, contents) = bytes.split_at(end.ok_or(DamageReason::Header)?);
    let contents = &contents[1..];
    let header: Header = serde_json::from_slice(first).map_err(|_| DamageReason::Header)?;
    if header.sidelight_baseline != VERSION {
        let found = header.sidelight_baseline;
        return Err(DamageReason::Format { found });
    }
    if header.sha256 != checksum(contents) {
        return Err(DamageReason::Checksum);
    }
    baseline(contents).ok_or(DamageReason::Contents)
}

fn baseline(contents: &[u8]) -> Option<(Key, Baseline)> {
    let contents: Contents = serde_json::from_slice(contents).ok()?;
    let set_at: Timestamp = contents.set_at.parse().ok()?;
    let values = contents.values.into_owned();
    let baseline = Baseline::restored(values, contents.missing, set_at).ok()?;
    let key = Key {
        model: contents.model.map(Cow::into_owned),
        version: contents.version.map(Cow::into_owned),
    };
    Some((key, baseline))
}
