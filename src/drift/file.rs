//! A baseline as text: two lines of JSON, the first says what the second must be.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Baseline, Key, Origin, Profile, Sample, SeriesName,
    bins::{Classes, Edges},
    profile::Bins,
    sealed,
};

/// Largest file that is read or written: ten million values.
pub const LARGEST: u64 = 256 << 20;
/// What such a file says that it is.
const KIND: &str = "sidelight_baseline";
/// Changes when an older agent could no longer read the file.
const VERSION: u64 = 2;
/// Has confidences alone.
const OLDEST: u64 = 1;

/// Ends the name of a file that is not finished.
pub(super) const TEMPORARY: &str = ".tmp";

/// How every such file begins.
const START: &[u8] = b"{\"sidelight_baseline\":";

/// Whether what begins so is meant to be one.
pub fn is_baseline(bytes: &[u8]) -> bool {
    bytes.starts_with(START)
}

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
    #[error("its format is {found}, which this version does not read")]
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
struct Contents<'a> {
    model: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    /// RFC 3339, to the nanosecond.
    set_at: Cow<'a, str>,
    origin: Cow<'a, str>,
    sample: Option<Values<'a>>,
    series: Vec<Series<'a>>,
}

/// What the first format had for all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confidences<'a> {
    model: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    set_at: Cow<'a, str>,
    missing: usize,
    values: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values<'a> {
    missing: usize,
    /// In the fewest digits that name the same number, to the last bit.
    values: Cow<'a, [f64]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series<'a> {
    name: Cow<'a, str>,
    /// Of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    edges: Option<Cow<'a, [f64]>>,
    /// Of classes, with how many unseen ones are expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Cow<'a, [String]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<u32>,
    /// Counts, those of missing values last.
    bins: Cow<'a, [u32]>,
    tau: Option<f64>,
    longest_run: Option<u32>,
}

impl<'a> Series<'a> {
    fn new(name: &'a SeriesName, profile: &'a Profile) -> Self {
        let (edges, classes) = match &profile.bins {
            Bins::Numbers(edges) => (Some(edges.edges().into()), None),
            Bins::Classes(classes) => (None, Some(classes.names())),
        };
        Self {
            name: name.label(),
            edges,
            unseen: classes.map(|names| profile.reference.count(names.len())),
            classes: classes.map(Cow::Borrowed),
            bins: profile.reference.bins().into(),
            tau: profile.tau,
            longest_run: profile.longest_run,
        }
    }

    /// `None`: it is none.
    fn profile(self) -> Option<(SeriesName, Profile)> {
        let bins = self.bins.into_owned();
        let (bins, reference) = match (self.edges, self.classes, self.unseen) {
            (Some(edges), None, None) => {
                let (edges, reference) = Edges::restored(edges.into_owned(), bins)?;
                (Bins::Numbers(edges), reference)
            }
            (None, Some(names), Some(unseen)) => {
                let (classes, reference) = Classes::restored(names.into_owned(), bins, unseen)?;
                (Bins::Classes(classes), reference)
            }
            _ => return None,
        };
        let profile = Profile {
            bins,
            reference,
            tau: self.tau,
            longest_run: self.longest_run,
        };
        let is_sound = self.tau.is_none_or(|tau| tau >= 1.0 && tau.is_finite());
        is_sound.then(|| (SeriesName::of(&self.name), profile))
    }
}

/// The whole file.
pub fn render(key: &Key, baseline: &Baseline) -> Vec<u8> {
    let sample = baseline.sample().map(|sample| Values {
        missing: sample.missing(),
        values: sample.values().into(),
    });
    let series = baseline.profiles().iter();
    let contents = json(&Contents {
        model: key.model.as_deref().map(Cow::Borrowed),
        version: key.version.as_deref().map(Cow::Borrowed),
        set_at: baseline.set_at().to_string().into(),
        origin: baseline.origin().name().into(),
        sample,
        series: series
            .map(|(name, profile)| Series::new(name, profile))
            .collect(),
    });
    sealed::seal(KIND, VERSION, &contents)
}

/// One line.
fn json(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("strings and finite numbers are JSON");
    line.push(b'\n');
    line
}

/// Reads a file whole.
///
/// # Errors
/// When it is not exactly as written.
pub fn load(path: &Path) -> Result<(Key, Baseline), DamageReason> {
    parse(&read_whole(path)?)
}

/// The bytes of a file that is not larger than one may be.
pub(super) fn read_whole(path: &Path) -> Result<Vec<u8>, DamageReason> {
    let bytes = read(path).map_err(|error| DamageReason::Unreadable { kind: error.kind() })?;
    if bytes.len() as u64 > LARGEST {
        return Err(DamageReason::TooLarge { limit: LARGEST });
    }
    Ok(bytes)
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

/// Puts `bytes` in the place of a file, all of them or none: a crash or a full disk leaves the old file.
/// What is no file, such as a pipe, is written to.
///
/// # Errors
/// When the file system refuses.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // a link stays one
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return File::options().write(true).open(&path)?.write_all(bytes);
    }
    let mut temporary = path.clone().into_os_string();
    temporary.push(TEMPORARY);
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    write(Path::new(&temporary), bytes)
        .and_then(|()| fs::rename(&temporary, &path))
        // it lasts once the folder is on the disk
        .and_then(|()| File::open(dir)?.sync_all())
        .inspect_err(|_| {
            // on a full disk the part that was written would keep it full
            let _ = fs::remove_file(&temporary);
        })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// What [`render`] wrote.
///
/// # Errors
/// When it is not exactly as written.
pub fn parse(bytes: &[u8]) -> Result<(Key, Baseline), DamageReason> {
    match sealed::open(KIND, OLDEST..=VERSION, bytes)? {
        (OLDEST, contents) => confidences(contents),
        (_, contents) => baseline(contents),
    }
    .ok_or(DamageReason::Contents)
}

fn baseline(contents: &[u8]) -> Option<(Key, Baseline)> {
    let contents: Contents<'_> = serde_json::from_slice(contents).ok()?;
    let sample = match contents.sample {
        Some(sample) => Some(Sample::restored(sample.values.into_owned(), sample.missing).ok()?),
        None => None,
    };
    let mut profiles: Vec<(SeriesName, Profile)> = Vec::new();
    for series in contents.series {
        let (name, profile) = series.profile()?;
        if profiles.iter().any(|(known, _)| *known == name) {
            return None;
        }
        profiles.push((name, profile));
    }
    let (set_at, origin) = (
        contents.set_at.parse().ok()?,
        Origin::of_name(&contents.origin)?,
    );
    let baseline = Baseline::new(sample, profiles, origin, set_at).ok()?;
    Some((key(contents.model, contents.version), baseline))
}

fn confidences(contents: &[u8]) -> Option<(Key, Baseline)> {
    let contents: Confidences<'_> = serde_json::from_slice(contents).ok()?;
    let set_at: Timestamp = contents.set_at.parse().ok()?;
    let missing = std::iter::repeat_n(f64::NAN, contents.missing);
    let count = contents.values.len() + contents.missing;
    let values = contents.values.into_iter().chain(missing);
    let baseline = Baseline::of_confidences(values, count, set_at).ok()?;
    Some((key(contents.model, contents.version), baseline))
}

fn key(model: Option<Cow<'_, str>>, version: Option<Cow<'_, str>>) -> Key {
    Key {
        model: model.map(Cow::into_owned),
        version: version.map(Cow::into_owned),
    }
}
