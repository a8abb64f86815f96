//! The log in a file: every line of stdout, whole, in files of a bounded size.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use sidelight::telemetry::{FileLog, FileSettings, Sink};

use super::path::{self, Client, ROW};

const REQUESTS: usize = 200;
const MAX_SIZE: u64 = 8 << 10;
const LONG: Duration = Duration::from_mins(1);

/// The file and the older ones.
fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap();
    files.map(|entry| entry.unwrap().path()).collect()
}

fn id(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["request_id"].as_str().unwrap().to_owned()
}

#[test]
fn every_request_has_its_line_in_one_of_the_files_none_of_which_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::new(1 << 20);
    let settings = FileSettings {
        path: dir.path().join("log"),
        max_size: MAX_SIZE,
        keep: 1000,
    };
    log.apply(Some(settings), LONG).unwrap();
    let (sink, writer) = Sink::start(std::io::sink(), 1 << 20).unwrap();

    let config = path::config(1000);
    let path = path::Path::start(&config, path::model_server());
    let mut client = Client::connect(path.proxy.address);
    let ask = |_| {
        let (head, _) = client.post("/predict", ROW);
        let (_, rest) = head.split_once("x-request-id: ").unwrap();
        rest.split_once('\r').unwrap().0.to_owned()
    };
    let asked: BTreeSet<String> = (0..REQUESTS).map(ask).collect();
    drop(client);
    path.finish_to(&config, sink.with_file(log.clone()));
    writer.finish(LONG);
    log.finish(LONG);

    let files = files(dir.path());
    assert!(files.len() > 3, "{files:?}");
    assert_eq!(log.rotations(), files.len() as u64 - 1);
    let texts: Vec<String> = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    for text in &texts {
        assert!(text.ends_with('\n') && text.len() as u64 <= MAX_SIZE);
    }
    let logged: Vec<String> = texts.iter().flat_map(|text| text.lines()).map(id).collect();
    assert_eq!(logged.len(), REQUESTS);
    assert_eq!(logged.into_iter().collect::<BTreeSet<_>>(), asked);
    let counts = (log.written(), log.dropped(), log.failed());
    assert_eq!(counts, (REQUESTS as u64, 0, 0));
}
