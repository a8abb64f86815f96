//! A file of certificates or a key, with what was in it when the configuration was read.

use std::{
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

/// Largest file that is read: a bundle of all public roots has 250 KiB.
const MAX: u64 = 1 << 20;

/// A PEM file. Two are equal when path and content are, so a certificate that was renewed in place
/// is a change of the configuration. `Debug` shows the path alone: the content may be a key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub struct PemFile {
    path: PathBuf,
    content: Arc<[u8]>,
}

impl PemFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was in it; empty where it has not been read.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Reads it anew.
    pub(super) fn read(&mut self) -> io::Result<()> {
        let mut content = Vec::new();
        let file = std::fs::File::open(&self.path)?;
        file.take(MAX + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX {
            return Err(io::Error::other(format!("larger than {MAX} bytes")));
        }
        self.content = content.into();
        Ok(())
    }
}

impl<T: Into<PathBuf>> From<T> for PemFile {
    fn from(path: T) -> Self {
        Self {
            path: path.into(),
            content: Arc::default(),
        }
    }
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_content_makes_another_file_of_it_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut file = PemFile::from(&path);
            file.read().unwrap();
            file
        };
        let (first, same, other) = (read("hunter2"), read("hunter2"), read("hunter3"));
        assert_eq!(first, same);
        assert_ne!(first, other);
        assert_eq!(other.content(), b"hunter3");
        assert_eq!(format!("{first:?}"), format!("{path:?}"));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(PemFile::from(dir.path()).read().is_err());
        let path = dir.path().join("large.pem");
        let largest = usize::try_from(MAX).unwrap();
        std::fs::write(&path, vec![b'x'; largest]).unwrap();
        assert!(PemFile::from(&path).read().is_ok());
        std::fs::write(&path, vec![b'x'; largest + 1]).unwrap();
        let error = PemFile::from(&path).read().unwrap_err();
        assert!(error.to_string().contains("larger than"));
    }
}
