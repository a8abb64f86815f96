//! Whether a folder could be made and written.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

/// What would keep the agent from writing in `dir`, which `key` names. What is made to find out is taken away again:
/// permissions alone do not tell, as under `/proc`.
pub(super) fn problem(key: &str, dir: &Path) -> Option<String> {
    let (outcome, what, path) = match first_missing(dir) {
        Some(missing) => (make(missing), "made", missing),
        None => (write(dir), "written", dir),
    };
    let error = outcome.err()?;
    Some(format!(
        "{key} cannot be {what}: {}: {error}",
        path.display()
    ))
}

/// What would keep the agent from writing `file`, which `key` names, and from renaming it: its folder,
/// which is not made, or the file itself.
pub(super) fn problem_of_file(key: &str, file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let opened = match write(folder) {
        Ok(()) if file.exists() => OpenOptions::new().append(true).open(file).map(drop),
        outcome => outcome,
    };
    let error = opened.err()?;
    Some(format!(
        "{key} cannot be written: {}: {error}",
        file.display()
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
        assert_eq!(problem("state.dir", &dir.path().join("a/b")), None);
        assert_eq!(problem("state.dir", dir.path()), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_folder_cannot_be_written_and_nothing_made_below() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = problem("state.dir", file.path()).unwrap();
        assert!(said.starts_with("state.dir cannot be written: "), "{said}");
        let said = problem("state.dir", &file.path().join("a/b")).unwrap();
        assert!(
            said.starts_with("state.dir cannot be made: ") && said.contains("/a: "),
            "{said}"
        );
    }

    #[test]
    fn a_file_needs_a_folder_that_can_be_written_and_is_not_made_to_find_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        assert_eq!(problem_of_file("k", &file), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(&file, "a\n").unwrap();
        assert_eq!(problem_of_file("k", &file), None);
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\n");
        for path in ["none/log", "log/log"] {
            let said = problem_of_file("k", &dir.path().join(path)).unwrap();
            assert!(said.starts_with("k cannot be written: "), "{said}");
        }
    }
}
