use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use sha2::Digest;
use tempfile::TempDir;

use super::*;
use crate::drift::MAX_BASELINES;

fn key(model: &str) -> Key {
    Key {
        model: Some(model.to_owned()),
        version: None,
    }
}

fn baseline(values: &[f64]) -> Baseline {
    let set_at = Timestamp::new(1_795_507_200, 123_456_789).unwrap();
    Baseline::of_confidences(values.iter().copied(), 1_000_000, set_at).unwrap()
}

fn two() -> Baselines {
    let mut all = Baselines::new();
    all.set(key("iris"), baseline(&[0.1, f64::NAN, 0.7]))
        .unwrap();
    all.set(key("../../etc/passwd\n"), baseline(&[0.9]))
        .unwrap();
    all
}

fn open(dir: &TempDir) -> (Store, Loaded) {
    Store::open(dir.path()).unwrap()
}

/// A folder in which the agent has saved and ended.
fn saved(baselines: &Baselines) -> TempDir {
    let dir = TempDir::new().unwrap();
    open(&dir).0.save(baselines).unwrap();
    dir
}

fn path(dir: &TempDir, key: &Key) -> PathBuf {
    dir.path().join(files::name(files::BASELINE, key))
}

fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| name(e).unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_folder_is_created_and_holds_nothing() {
    let dir = TempDir::new().unwrap();
    let (_store, loaded) = Store::open(&dir.path().join("a/b")).unwrap();
    assert!(loaded.baselines.is_empty() && loaded.failures.is_empty());
}

#[test]
fn baselines_survive_a_restart() {
    let dir = saved(&two());
    let (_store, loaded) = open(&dir);
    assert_eq!(loaded.failures, []);
    assert_eq!(loaded.baselines, two());
    let iris = loaded.baselines.resolve("iris", "1").unwrap();
    assert_eq!(iris.sample().unwrap().missing(), 1);
    assert_eq!(iris.set_at().subsec_nanosecond(), 123_456_789);
}

#[test]
fn numbers_come_back_to_the_last_bit() {
    let mut numbers = vec![
        0.0,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        -f64::MAX,
        0.1 + 0.2,
    ];
    let mut random = fastrand::Rng::with_seed(7);
    numbers.extend((0..20_000).filter_map(|_| {
        let any = f64::from_bits(random.u64(..));
        any.is_finite().then_some(any)
    }));
    let mut all = Baselines::new();
    all.set(Key::default(), baseline(&numbers)).unwrap();
    let (_store, loaded) = open(&saved(&all));
    let bits = |all: &Baselines| -> Vec<u64> {
        let found = all.resolve("", "").unwrap();
        found
            .sample()
            .unwrap()
            .values()
            .iter()
            .map(|v| v.to_bits())
            .collect()
    };
    assert!(bits(&all).len() > 19_000);
    assert_eq!(bits(&loaded.baselines), bits(&all));
}

#[test]
fn a_key_of_nothing_differs_from_one_of_an_empty_name() {
    let mut all = Baselines::new();
    let empty = Some(String::new());
    for (i, key) in [
        (None, None),
        (empty.clone(), None),
        (None, empty.clone()),
        (empty.clone(), empty),
    ]
    .into_iter()
    .map(|(model, version)| Key { model, version })
    .enumerate()
    {
        all.set(key, baseline(&[f64::from(u32::try_from(i).unwrap())]))
            .unwrap();
    }
    assert_eq!(open(&saved(&all)).1.baselines, all);
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = file::render(&key("iris"), &baseline(&[0.25, 0.5, 0.125]));
    assert!(file::parse(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(file::parse(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = file::render(&key("iris"), &baseline(&[0.25, 0.5, 0.125]));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(file::parse(&flipped).is_err(), "byte {at} bit {bit}");
        }
    }
}

/// A file of this version that holds what its checksum says.
fn header(version: u64, contents: &str) -> String {
    let sha = super::super::baseline::hexadecimal(&sha2::Sha256::digest(contents));
    format!("{{\"sidelight_baseline\":{version},\"sha256\":\"{sha}\"}}\n{contents}")
}

#[test]
fn a_file_of_the_first_format_is_one_of_confidences() {
    let contents = r#"{"model":"a","version":null,"set_at":"2026-11-24T08:00:00Z","missing":1,"values":[0.5,0.7]}"#;
    let (found, baseline) = file::parse(header(1, contents).as_bytes()).unwrap();
    let sample = baseline.sample().unwrap();
    assert_eq!((found, sample.values()), (key("a"), &[0.5, 0.7][..]));
    assert_eq!((sample.missing(), baseline.rows()), (1, 3));
    assert_eq!(baseline.profiles().len(), 1);
}

#[test]
fn each_damage_has_its_reason() {
    let whole = String::from_utf8(file::render(&key("a"), &baseline(&[0.5]))).unwrap();
    for (text, reason) in [
        (String::new(), "header"),
        ("hello\nworld\n".to_owned(), "header"),
        ("[0.5, 0.6]".to_owned(), "header"),
        (header(3, "{}"), "format"),
        (whole.replace("0.5", "0.6"), "checksum"),
        (format!("{whole} "), "checksum"),
        (header(1, "{}"), "contents"),
        (header(2, "{}"), "contents"),
        (
            header(2, &whole.lines().nth(1).unwrap().replace("[0.5]", "[]")),
            "contents",
        ),
    ] {
        assert_eq!(
            file::parse(text.as_bytes()).unwrap_err().reason(),
            reason,
            "{text}"
        );
    }
}

#[test]
fn a_damaged_file_is_reported_and_kept_and_the_others_are_loaded() {
    let dir = saved(&two());
    let iris = path(&dir, &key("iris"));
    fs::write(&iris, b"{\"half a fi").unwrap();
    let (store, loaded) = open(&dir);
    assert_eq!(loaded.baselines.len(), 1);
    let [damage] = &loaded.failures[..] else {
        panic!("{:?}", loaded.failures);
    };
    assert_eq!((&damage.file, damage.reason.reason()), (&iris, "header"));
    // Neither saving, nor saving another baseline in its place, nor removing that one destroys it.
    store.save(&loaded.baselines).unwrap();
    store.save(&two()).unwrap();
    store.save(&Baselines::new()).unwrap();
    assert_eq!(fs::read(&damage.kept).unwrap(), b"{\"half a fi");
}

#[test]
fn damage_upon_damage_is_all_kept() {
    let dir = saved(&two());
    let iris = path(&dir, &key("iris"));
    for content in ["one", "two", "three"] {
        fs::write(&iris, content).unwrap();
        assert_eq!(open(&dir).1.failures.len(), 1);
    }
    for (n, content) in (1..).zip(["one", "two", "three"]) {
        let kept = format!("{}.damaged-{n}", iris.display());
        assert_eq!(fs::read_to_string(kept).unwrap(), content);
    }
}

#[test]
fn a_file_under_the_name_of_another_baseline_is_refused() {
    let dir = saved(&two());
    fs::copy(path(&dir, &key("iris")), path(&dir, &key("other"))).unwrap();
    let (_store, loaded) = open(&dir);
    assert_eq!(loaded.failures[0].reason, DamageReason::Misplaced);
    assert_eq!(loaded.baselines, two());
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let dir = saved(&two());
    let iris = path(&dir, &key("iris"));
    fs::remove_file(&iris).unwrap();
    fs::create_dir(&iris).unwrap();
    let failures = open(&dir).1.failures;
    assert_eq!(failures[0].reason.reason(), "unreadable");
    symlink("/dev/zero", &iris).unwrap();
    assert_eq!(open(&dir).1.failures[0].reason.reason(), "unreadable");
}

#[test]
fn more_baselines_than_are_kept_are_moved_aside() {
    let dir = TempDir::new().unwrap();
    for i in 0..=MAX_BASELINES {
        let key = key(&i.to_string());
        fs::write(path(&dir, &key), file::render(&key, &baseline(&[0.5]))).unwrap();
    }
    let loaded = open(&dir).1;
    assert_eq!(loaded.baselines.len(), MAX_BASELINES);
    assert_eq!(loaded.failures[0].reason.reason(), "no_room");
    assert!(loaded.failures[0].kept.exists());
}

#[test]
fn leftovers_of_a_killed_agent_are_removed_and_other_files_are_not() {
    let dir = saved(&two());
    let unfinished = format!("{}.tmp", files::name(files::BASELINE, &key("iris")));
    fs::write(dir.path().join(&unfinished), "half").unwrap();
    fs::write(dir.path().join("notes.tmp"), "mine").unwrap();
    let (_store, loaded) = open(&dir);
    assert_eq!(loaded.baselines, two());
    let left = names(dir.path());
    assert!(!left.contains(&unfinished) && left.contains(&"notes.tmp".to_owned()));
}

#[test]
fn a_second_agent_on_the_folder_is_told_so_until_the_first_has_left() {
    let dir = TempDir::new().unwrap();
    let (first, _) = open(&dir);
    let error = Store::open(dir.path()).unwrap_err();
    assert_eq!(error.reason(), "in_use");
    assert!(
        error
            .to_string()
            .contains(&dir.path().display().to_string())
    );
    drop(first);
    open(&dir);
}

#[test]
fn a_full_disk_is_an_error_with_the_path_and_the_old_file_stays() {
    let dir = saved(&two());
    let iris = path(&dir, &key("iris"));
    let before = fs::read(&iris).unwrap();
    let (store, loaded) = open(&dir);
    // What is written to it meets ENOSPC.
    let temporary = PathBuf::from(format!("{}.tmp", iris.display()));
    symlink("/dev/full", &temporary).unwrap();
    let mut changed = loaded.baselines;
    changed.set(key("iris"), baseline(&[0.3])).unwrap();
    changed.set(key("new"), baseline(&[0.4])).unwrap();
    let error = store.save(&changed).unwrap_err();
    assert_eq!(error.reason(), "disk_full");
    assert!(
        error.to_string().contains(&iris.display().to_string()),
        "{error}"
    );
    assert_eq!(fs::read(&iris).unwrap(), before);
    assert!(path(&dir, &key("new")).exists(), "the others are saved");
    assert!(
        temporary.symlink_metadata().is_err(),
        "nothing is left behind"
    );
    store.save(&changed).unwrap();
    drop(store);
    assert_eq!(open(&dir).1.baselines, changed);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_with_the_path() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state")).unwrap_err();
    assert!(error.to_string().contains("file/state"), "{error}");
    let state = dir.path().join("state");
    let (store, _) = Store::open(&state).unwrap();
    fs::remove_dir_all(&state).unwrap();
    let error = store.save(&two()).unwrap_err();
    assert!(error.to_string().contains("state/baseline-"), "{error}");
}

#[test]
fn what_has_not_changed_is_not_written_again() {
    let dir = saved(&two());
    let (store, mut loaded) = open(&dir);
    let iris = path(&dir, &key("iris"));
    let written = || fs::metadata(&iris).unwrap().modified().unwrap();
    let before = written();
    loaded.baselines.set(key("new"), baseline(&[0.4])).unwrap();
    store.save(&loaded.baselines).unwrap();
    assert_eq!(written(), before);
    fs::remove_file(&iris).unwrap();
    store.save(&loaded.baselines).unwrap();
    assert!(iris.exists(), "one that is gone is");
}

#[test]
fn a_baseline_taken_away_is_gone_after_a_restart() {
    let dir = saved(&two());
    let (store, mut loaded) = open(&dir);
    loaded.baselines.remove(&key("iris"));
    store.save(&loaded.baselines).unwrap();
    drop(store);
    let again = open(&dir).1.baselines;
    assert_eq!(again, loaded.baselines);
    assert_eq!(names(dir.path()).len(), 2, "the other and the lock");
}

#[test]
fn a_file_put_there_meanwhile_is_moved_aside_not_overwritten() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    let iris = path(&dir, &key("iris"));
    fs::write(&iris, "theirs").unwrap();
    store.save(&two()).unwrap();
    let kept = format!("{}.damaged-1", iris.display());
    assert_eq!(fs::read_to_string(kept).unwrap(), "theirs");
}

#[test]
fn series_of_numbers_and_of_classes_come_back() {
    let body = br#"{"confidence":[0.9,null,0.5],"classes":["a","b","a"],"features":{"x":[1,2.5,null],"y":["u","v","u"]}}"#;
    let set_at = Timestamp::new(1_795_507_200, 1).unwrap();
    let (_, baseline) = crate::drift::posted(body, 10, set_at).unwrap();
    let mut all = Baselines::new();
    all.set(key("iris"), baseline.clone()).unwrap();
    let dir = saved(&all);
    let found = open(&dir).1.baselines.resolve("iris", "1").unwrap();
    assert_eq!(*found, baseline);
}

fn windows(model: &str) -> Snapshot {
    Snapshot {
        model: model.to_owned(),
        version: "1".to_owned(),
        baseline: "af".to_owned(),
        last: 7.5,
        quiet: 3,
        recent: vec![0.1, 0.7],
        lacking: crate::drift::Lacking::default(),
        unmatched: crate::drift::Unmatched::default(),
        series: Vec::new(),
    }
}

#[test]
fn windows_survive_a_restart_and_those_that_are_gone_leave() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    store.save_windows(&[windows("a"), windows("b")]).unwrap();
    store.save_windows(&[windows("b")]).unwrap();
    drop(store);
    let (store, loaded) = open(&dir);
    assert_eq!(loaded.windows, [windows("b")]);
    store.save_windows(&[]).unwrap();
    drop(store);
    assert_eq!(names(dir.path()), ["sidelight.lock"]);
}

#[test]
fn damaged_windows_are_refused_and_kept() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    store.save_windows(&[windows("a")]).unwrap();
    drop(store);
    let name = names(dir.path())
        .into_iter()
        .find(|n| n.starts_with("windows-"));
    let path = dir.path().join(name.unwrap());
    let mut text = fs::read(&path).unwrap();
    let last = text.len() - 3;
    text[last] ^= 1;
    fs::write(&path, &text).unwrap();
    // what a crash in the middle of writing leaves
    let half = dir.path().join("windows-0123456789abcdef01234567.json.tmp");
    fs::write(&half, &text[..20]).unwrap();
    let (_, loaded) = open(&dir);
    assert_eq!((loaded.windows.len(), loaded.failures.len()), (0, 1));
    assert_eq!(loaded.failures[0].reason.reason(), "checksum");
    assert_eq!(fs::read(&loaded.failures[0].kept).unwrap(), text);
    assert!(!half.exists());
}
