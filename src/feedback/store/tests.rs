use super::*;
use crate::feedback::record::Draft;

const DAY: f64 = 86_400.0;

fn bounds(max_bytes: u64) -> Bounds {
    Bounds {
        retention: Duration::from_hours(7 * 24),
        max_bytes,
    }
}

fn open(dir: Option<&Path>, max_bytes: u64, now: f64) -> (Store, Vec<Refused>) {
    Store::open(dir, bounds(max_bytes), Counter::noop(), now).unwrap()
}

fn record(class: i64, at: f64) -> Vec<u8> {
    let mut draft = Draft::new("m", "1", at, 0);
    draft.index(class, Some(0.75), &[]);
    draft.finish().unwrap()
}

fn keep(store: &mut Store, ids: std::ops::Range<usize>, at: f64) -> u64 {
    let record = |id: usize| (format!("id-{id}"), record(i64::try_from(id).unwrap(), at));
    store
        .keep(&ids.map(record).collect::<Vec<_>>(), at)
        .unwrap()
}

/// Some 400 kB.
fn large(store: &mut Store, id: usize) {
    let mut draft = Draft::new("m", "1", 1.0, 0);
    (0..24_000).for_each(|class| draft.index(class, None, &[]));
    let record = draft.finish().unwrap();
    store.keep(&[(format!("id-{id}"), record)], 1.0).unwrap();
}

fn is_there(store: &mut Store, id: usize) -> bool {
    let id = format!("id-{id}");
    !store.find(&[(id.as_str(), 0)]).unwrap().is_empty()
}

fn label(store: &mut Store, id: usize, class: &str) -> Option<Outcome> {
    let id = format!("id-{id}");
    let found = store.find(&[(id.as_str(), 0)]).unwrap().remove(&0)?;
    store.order += 1;
    let joining = Joining {
        key: super::super::generation::key(&id, 0),
        label: super::super::generation::label(class.as_bytes()),
        joined: class.as_bytes().to_vec(),
        number: store.order - 1,
    };
    Some(store.join(found.file, &[joining], 0.0).unwrap()?[0])
}

#[test]
fn predictions_and_labels_outlive_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(Some(dir.path()), 64 << 20, 0.0);
    keep(&mut store, 0..100, 1.0);
    assert_eq!(label(&mut store, 7, "a"), Some(Outcome::Joined));
    assert_eq!(label(&mut store, 8, "b"), Some(Outcome::Joined));
    drop(store);
    let (mut store, refused) = open(Some(dir.path()), 64 << 20, 2.0);
    assert!(refused.is_empty());
    assert_eq!(label(&mut store, 7, "a"), Some(Outcome::Duplicate));
    assert_eq!(label(&mut store, 7, "b"), Some(Outcome::Contradicting));
    assert_eq!(label(&mut store, 9, "c"), Some(Outcome::Joined));
    assert_eq!(label(&mut store, 100, "a"), None);
    let all = store.joined(0, 10).unwrap();
    assert_eq!(all, [b"a", b"b", b"c"]);
    assert_eq!(store.joined(1, 1).unwrap(), [b"c"]);
    store.forget_joined(2).unwrap();
    assert_eq!(store.joined(0, 10).unwrap(), [b"c"]);
    assert_eq!(label(&mut store, 7, "b"), Some(Outcome::Contradicting));
}

#[test]
fn a_later_prediction_of_the_same_id_takes_the_place_and_may_be_labelled_again() {
    let (mut store, _) = open(None, 64 << 20, 0.0);
    assert_eq!(keep(&mut store, 0..10, 1.0), 0);
    assert_eq!(label(&mut store, 5, "a"), Some(Outcome::Joined));
    assert_eq!(label(&mut store, 6, "a"), Some(Outcome::Joined));
    assert_eq!(keep(&mut store, 5..6, 2.0), 1);
    assert_eq!(label(&mut store, 5, "b"), Some(Outcome::Joined));
    assert_eq!(label(&mut store, 6, "b"), Some(Outcome::Contradicting));
}

#[test]
fn all_files_together_stay_within_the_bound_and_the_oldest_leave() {
    let dir = tempfile::tempdir().unwrap();
    let max = 16 << 20;
    let (mut store, _) = open(Some(dir.path()), max, 0.0);
    let mut largest = 0;
    for part in 0..150 {
        keep(&mut store, part * 1000..(part + 1) * 1000, 1.0);
        // labels of what is there, in every file
        let first = if part > 20 { (part - 20) * 1000 } else { 0 };
        for id in (first..(part + 1) * 1000).step_by(10_000) {
            label(&mut store, id, "a");
        }
        let on_disk: u64 = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(on_disk <= max, "{on_disk} after {part}");
        assert_eq!(on_disk, store.len());
        largest = largest.max(on_disk);
    }
    assert!(largest > max / 4, "{largest}: most of the room is not used");
    assert!(!is_there(&mut store, 0));
    assert!(is_there(&mut store, 149_999) && is_there(&mut store, 130_000));
}

#[test]
fn what_is_older_than_is_kept_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(Some(dir.path()), 64 << 20, 0.0);
    for day in 0..20 {
        #[expect(clippy::cast_precision_loss, reason = "a few days")]
        let at = day as f64 * DAY + 1.0;
        keep(&mut store, day..day + 1, at);
    }
    assert!(!is_there(&mut store, 10));
    assert!(is_there(&mut store, 13) && is_there(&mut store, 19));
    assert!(store.files.len() <= 9, "{}", store.files.len());
    drop(store);
    let (mut store, _) = open(Some(dir.path()), 64 << 20, 40.0 * DAY);
    assert!(!is_there(&mut store, 15));
}

#[test]
fn a_damaged_file_is_kept_aside_and_another_begun() {
    for damage in [&b"not a database"[..], &[0; 9000], b""] {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = open(Some(dir.path()), 64 << 20, 0.0);
        keep(&mut store, 0..10, 1.0);
        let path = store.path(0);
        drop(store);
        let before = fs::read(&path).unwrap();
        fs::write(&path, damage).unwrap();
        let (mut store, refused) = open(Some(dir.path()), 64 << 20, 2.0);
        // an empty file is a new one
        assert_eq!(
            refused.len(),
            usize::from(!damage.is_empty()),
            "{refused:?}"
        );
        if let Some(file) = refused.first() {
            assert_eq!(fs::read(&file.kept).unwrap(), damage);
        }
        assert!(!is_there(&mut store, 1));
        keep(&mut store, 0..10, 3.0);
        assert!(is_there(&mut store, 1));
        drop((store, before));
    }
}

#[test]
fn a_file_with_bytes_changed_anywhere_is_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(Some(dir.path()), 64 << 20, 0.0);
    keep(&mut store, 0..300, 1.0);
    let path = store.path(0);
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut refusals = 0;
    for place in (0..whole.len()).step_by(whole.len() / 31) {
        let mut changed = whole.clone();
        changed[place] ^= 0xff;
        fs::write(&path, &changed).unwrap();
        let (mut store, refused) = open(Some(dir.path()), 64 << 20, 2.0);
        refusals += refused.len();
        if refused.is_empty() {
            // what is there is what was written
            assert!((0..300).all(|id| is_there(&mut store, id)), "{place}");
        }
        drop(store);
        for entry in fs::read_dir(dir.path()).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    assert!(refusals > 0);
}

#[test]
fn without_a_folder_it_is_in_memory_and_bounded() {
    let (mut store, _) = open(None, 1 << 30, 0.0);
    for part in 0..60 {
        // each item of its own class, so that records are large
        large(&mut store, part);
        assert!(store.len() <= MAX_MEMORY, "{}", store.len());
    }
    assert!(is_there(&mut store, 59) && !is_there(&mut store, 0));
}
