//! Whether a folder could be made and written.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

/// What would keep the agent from writing in `state.dir`. What is made to find out is taken away again:
/// permissions alone do not tell, as under `/proc`.
pub(super) fn problem(dir: &Path) -> Option<String> {
    let (outcome, what, path) = match first_missing(dir) {
        Some(missing) => (make(missing), "made", missing),
        None => (write(dir), "written", dir),
    };
    let error = outcome.err()?;
    Some(format!(
        "state.dir cannot be {what}: {}: {error}",
        path.display()
    ))
}

/// The outermost folder that is not there yet.
fn first_missing(dir: &Path) -> Option<&Path> {
    let folders = dir.ancestors().filter(|path| !path.as_os_str().is_empty());
    folders.take_while(|path| !path.exists()).last()
}

fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)?;
    fs::remove_dir(folder)
}

fn write(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".sidelight-check-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)?;
    fs::remove_file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_could_be_made_and_written_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(problem(&dir.path().join("a/b")), None);
        assert_eq!(problem(dir.path()), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_folder_cannot_be_written_and_nothing_made_below() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = problem(file.path()).unwrap();
        assert!(said.starts_with("state.dir cannot be written: "), "{said}");
        let said = problem(&file.path().join("a/b")).unwrap();
        assert!(
            said.starts_with("state.dir cannot be made: ") && said.contains("/a: "),
            "{said}"
        );
    }
}
