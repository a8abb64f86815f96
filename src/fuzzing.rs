//! What fuzzing has kept, for tests: the targets in `fuzz/` find inputs, these run them again.

use std::{fs, path::Path};

/// Runs `holds` with every input of a target.
pub(crate) fn replay(target: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files = fs::read_dir(folder.join(target)).unwrap();
    let mut inputs = 0;
    for file in files {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        let outcome = std::panic::catch_unwind(|| holds(&input));
        assert!(outcome.is_ok(), "{}", path.display());
        inputs += 1;
    }
    assert!(inputs > 10, "{inputs} inputs of {target}");
}
