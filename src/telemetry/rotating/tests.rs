use std::sync::Mutex;

use tempfile::TempDir;

use super::*;

/// A file in a folder of its own, and what writes it.
struct Log {
    dir: TempDir,
    file: Rotating,
}

impl Log {
    fn new(max_size: u64, keep: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = Rotating::new(Arc::default());
        let mut log = Self { dir, file };
        log.change(max_size, keep);
        log
    }

    fn change(&mut self, max_size: u64, keep: usize) {
        let path = self.path("log");
        self.file.change(Some(FileSettings {
            path,
            max_size,
            keep,
        }));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Writes lines; how many were written and failed.
    fn write(&mut self, lines: &str) -> (u64, u64) {
        let fate = self.file.write(lines.as_bytes(), count(lines.as_bytes()));
        (fate.written, fate.failed)
    }
}

#[test]
fn a_file_is_never_larger_than_it_may_be_and_the_newest_of_the_older_ones_stay() {
    let mut log = Log::new(10, 2);
    let lines = "000\n111\n222\n333\n444\n555\n666\n777\n888\n999\n";
    assert_eq!(log.write(lines), (10, 0));
    assert_eq!(log.names(), ["log", "log.1", "log.2"]);
    assert_eq!(log.text("log"), "888\n999\n");
    assert_eq!(log.text("log.1"), "666\n777\n");
    assert_eq!(log.text("log.2"), "444\n555\n");
    assert_eq!(log.file.rotations.load(Ordering::Relaxed), 4);
}

#[test]
fn what_is_there_at_the_start_counts_and_is_added_to() {
    let mut log = Log::new(10, 2);
    log.file.end();
    fs::write(log.path("log"), "old\nold\n").unwrap();
    assert_eq!(log.write("a\n"), (1, 0));
    assert_eq!(log.text("log"), "old\nold\na\n");
    assert_eq!(log.write("b\n"), (1, 0));
    assert_eq!(
        (log.text("log.1"), log.text("log")),
        ("old\nold\na\n".into(), "b\n".into())
    );
}

#[test]
fn a_line_that_is_longer_than_a_file_has_one_of_its_own() {
    let mut log = Log::new(5, 3);
    assert_eq!(log.write("a\n0123456789\nb\n"), (3, 0));
    let texts = ["log.2", "log.1", "log"].map(|name| log.text(name));
    assert_eq!(texts, ["a\n", "0123456789\n", "b\n"]);
}

#[test]
fn fewer_are_kept_from_the_next_one_on() {
    let mut log = Log::new(2, 4);
    assert_eq!(log.write("a\nb\nc\nd\ne\nf\n"), (6, 0));
    assert_eq!(log.names(), ["log", "log.1", "log.2", "log.3", "log.4"]);
    log.change(2, 1);
    assert_eq!(log.write("g\n"), (1, 0));
    assert_eq!(log.names(), ["log", "log.1"]);
    assert_eq!(
        (log.text("log.1"), log.text("log")),
        ("f\n".into(), "g\n".into())
    );
}

#[test]
fn a_file_that_was_moved_or_deleted_is_begun_anew() {
    let mut log = Log::new(100, 1);
    log.write("a\n");
    fs::rename(log.path("log"), log.path("log-of-yesterday")).unwrap();
    assert_eq!(log.write("b\n"), (1, 0));
    assert_eq!(log.text("log-of-yesterday"), "a\n");
    assert_eq!(log.text("log"), "b\n");
    fs::remove_file(log.path("log")).unwrap();
    assert_eq!(log.write("c\n"), (1, 0));
    assert_eq!(log.text("log"), "c\n");
    fs::write(log.path("log"), "").unwrap();
    assert_eq!(log.write("d\n"), (1, 0));
    assert_eq!(log.text("log"), "d\n", "and one that was emptied goes on");
}

#[test]
fn half_a_line_of_an_agent_that_was_killed_has_nothing_glued_to_it() {
    let mut log = Log::new(100, 1);
    log.file.end();
    fs::write(log.path("log"), "a\n{\"half").unwrap();
    assert_eq!(log.write("b\n"), (1, 0));
    assert_eq!(
        (log.text("log.1"), log.text("log")),
        ("a\n{\"half".into(), "b\n".into())
    );
}

#[test]
fn without_its_folder_lines_fail_until_it_is_there_again() {
    let mut log = Log::new(100, 1);
    log.write("a\n");
    let aside = log.dir.path().with_extension("aside");
    fs::rename(log.dir.path(), &aside).unwrap();
    assert_eq!(log.write("b\nc\n"), (0, 2));
    assert!(log.file.trouble.is_told);
    fs::rename(&aside, log.dir.path()).unwrap();
    assert_eq!(log.write("d\n"), (1, 0));
    assert!(!log.file.trouble.is_told);
    assert_eq!(log.text("log"), "a\nd\n");
}

#[test]
fn what_is_no_file_is_left_alone() {
    let mut log = Log::new(100, 1);
    log.file.end();
    fs::remove_file(log.path("log")).unwrap();
    fs::create_dir(log.path("log")).unwrap();
    assert_eq!(log.write("a\n"), (0, 1));
    fs::remove_dir(log.path("log")).unwrap();
    std::os::unix::fs::symlink("/dev/null", log.path("log")).unwrap();
    assert_eq!(log.write("a\n"), (0, 1));
    assert_eq!(log.names(), ["log"]);
}

#[test]
fn a_full_file_that_cannot_be_renamed_grows_no_further() {
    let mut log = Log::new(4, 2);
    log.write("a\n");
    fs::create_dir_all(log.path("log.2/x")).unwrap();
    fs::write(log.path("log.1"), "older\n").unwrap();
    assert_eq!(log.write("b\nc\nd\n"), (1, 2));
    // the next is begun, and stays when it is full
    for _ in 0..5 {
        log.write("e\nf\ng\n");
    }
    let texts = |names: [&str; 3]| names.map(|name| log.text(name));
    assert_eq!(
        texts(["log.1", "log.0", "log"]),
        ["older\n", "a\nb\n", "e\nf\n"]
    );
    fs::remove_dir_all(log.path("log.2")).unwrap();
    assert_eq!(log.write("h\n"), (1, 0));
    let texts = ["log.2", "log.1", "log"].map(|name| log.text(name));
    assert_eq!(texts, ["a\nb\n", "e\nf\n", "h\n"]);
    assert!(!log.path("log.0").exists());
}

#[test]
fn a_rotation_that_was_cut_off_is_ended_by_the_next() {
    let mut log = Log::new(4, 3);
    fs::write(log.path("log.0"), "a\n").unwrap();
    fs::write(log.path("log.1"), "older\n").unwrap();
    assert_eq!(log.write("b\nc\nd\n"), (3, 0));
    let texts = ["log.3", "log.2", "log.1", "log"].map(|name| log.text(name));
    assert_eq!(texts, ["older\n", "a\n", "b\nc\n", "d\n"]);
}

/// A disk with room for so many bytes.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (room, held) = &mut *self.0.lock().unwrap();
        let fits = bytes.len().min(*room);
        if fits == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        *room -= fits;
        held.extend(&bytes[..fits]);
        Ok(fits)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_a_full_disk_cut_is_ended_before_another_begins() {
    let disk = Disk::default();
    let room = |bytes| disk.0.lock().unwrap().0 = bytes;
    let mut open = Open {
        file: disk.clone(),
        id: (0, 0),
        rest: Vec::new(),
    };
    let mut fate = Fate::default();
    room(6);
    assert!(open.add(b"123\n567\n9\n", &mut fate).is_err());
    assert_eq!((fate.written, open.rest.as_slice()), (1, b"7\n".as_slice()));
    room(1);
    assert!(open.end(&mut fate).is_err());
    assert_eq!((fate.written, open.rest.as_slice()), (1, b"\n".as_slice()));
    room(100);
    open.end(&mut fate).unwrap();
    open.add(b"next\n", &mut fate).unwrap();
    assert_eq!(fate.written, 3);
    assert_eq!(disk.0.lock().unwrap().1, b"123\n567\nnext\n");
}

#[test]
fn a_line_that_nobody_will_end_is_taken_back() {
    let mut log = Log::new(100_000, 1);
    let wide = "x".repeat(5000);
    for whole in ["", "a\n", &format!("a\n{wide}\n")] {
        fs::write(log.path("log"), format!("{whole}{wide}")).unwrap();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(log.path("log"))
            .unwrap();
        let open = Open {
            file,
            id: (0, 0),
            rest: Vec::new(),
        };
        open.take_back();
        assert_eq!(log.text("log"), whole);
    }
    log.file.end();
}
