use std::path::Path;

use super::*;
use crate::feedback::{Draft, posted, record::MAX_WORD};

fn settings(dir: Option<&Path>) -> Settings {
    let mut settings = Settings::new(&crate::config::defaults());
    settings.dir = dir.map(Path::to_owned);
    settings
}

fn begin(dir: Option<&Path>) -> Feedback {
    start(settings(dir), Counter::noop()).unwrap()
}

/// Predicts the class `c` with a confidence of 0.75 in `items` items.
fn predict(feedback: &Feedback, id: &str, items: usize) {
    let mut draft = Draft::new("m", "1", now(), 0);
    (0..items).for_each(|_| draft.named("c", Some(0.75), &[]));
    feedback.offer.offer(id, None, draft);
}

fn labels(id: &str, classes: &[&str]) -> Posted {
    let line = |(item, class): (usize, &&str)| {
        format!(r#"{{"request_id":"{id}","item":{item},"label":"{class}"}}"#)
    };
    let lines: Vec<_> = classes.iter().enumerate().map(line).collect();
    posted(lines.join("\n").as_bytes()).unwrap()
}

async fn accuracy(feedback: &Feedback) -> (usize, f64) {
    let stated = feedback.desk.stated().await.unwrap();
    let report = stated[0].report.classification.clone().unwrap();
    (report.labels, report.accuracy.unwrap().value)
}

#[tokio::test]
async fn what_was_offered_before_has_its_label_and_both_outlive_the_thread() {
    let dir = tempfile::tempdir().unwrap();
    let feedback = begin(Some(dir.path()));
    predict(&feedback, "a", 4);
    let taken = feedback.desk.join(labels("a", &["c", "c", "d"])).await;
    assert_eq!(taken.unwrap().joined, 3);
    let before = accuracy(&feedback).await;
    assert_eq!(before, (3, 2.0 / 3.0));
    predict(&feedback, "b", 1);
    feedback.finish();
    for windows in ["kept", "lost"] {
        if windows == "lost" {
            // as if it had been killed before it wrote them down
            std::fs::remove_file(dir.path().join("feedback-windows.json")).unwrap();
        }
        let feedback = begin(Some(dir.path()));
        let taken = feedback
            .desk
            .join(labels("a", &["c", "d", "d"]))
            .await
            .unwrap();
        assert_eq!((taken.duplicate, taken.contradicting), (2, 1));
        let taken = feedback.desk.join(labels("b", &["c"])).await.unwrap();
        let is_first = windows == "kept";
        assert_eq!(
            (taken.joined, taken.duplicate),
            if is_first { (1, 0) } else { (0, 1) }
        );
        if is_first {
            assert_eq!(accuracy(&feedback).await, (4, 3.0 / 4.0));
        }
        feedback.finish();
    }
}

#[tokio::test]
async fn a_prediction_is_found_by_its_other_id_and_labelled_once_by_both() {
    let dir = tempfile::tempdir().unwrap();
    let feedback = begin(Some(dir.path()));
    for (id, alias) in [("a", "puid-a"), ("b", "b")] {
        let mut draft = Draft::new("m", "1", now(), 0);
        (0..3).for_each(|_| draft.named("c", Some(0.75), &[]));
        feedback.offer.offer(id, Some(alias), draft);
    }
    feedback.offer.labels(labels("puid-a", &["c", "d"]));
    // at once: what passed before is joined before anybody is told
    let taken = feedback
        .desk
        .join(labels("a", &["c", "d", "c"]))
        .await
        .unwrap();
    assert_eq!((taken.joined, taken.duplicate), (1, 2));
    assert_eq!(accuracy(&feedback).await, (3, 2.0 / 3.0));
    feedback.finish();
    let feedback = begin(Some(dir.path()));
    feedback.offer.labels(labels("puid-a", &["d"]));
    feedback.offer.labels(labels("b", &["c", "c", "c", "c"]));
    feedback.offer.labels(labels("nobody", &["c"]));
    assert_eq!(accuracy(&feedback).await, (6, 5.0 / 6.0));
    let stated = feedback.desk.stated().await.unwrap();
    assert_eq!(
        (stated[0].labels.joined, stated[0].labels.contradicting),
        (3, 1)
    );
    let counts = &feedback.shown.counts;
    let passed = &counts.passed[crate::feedback::Passed::Taken as usize];
    assert_eq!(passed.load(Ordering::Relaxed), 3);
    assert_eq!(counts.replaced.load(Ordering::Relaxed), 0);
    feedback.finish();
}

#[tokio::test]
async fn labels_that_passed_are_joined_though_nobody_asks() {
    let feedback = begin(None);
    predict(&feedback, "a", 2);
    feedback.offer.labels(labels("a", &["c", "d"]));
    let shown = Arc::clone(&feedback.shown);
    let deadline = Instant::now() + Duration::from_secs(30);
    while shown.known().models.is_empty() {
        assert!(Instant::now() < deadline, "nothing was joined");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(shown.known().models[0].labels.joined, 2);
    assert_eq!(shown.counts.kept.load(Ordering::Relaxed), 1);
    feedback.finish();
}

#[tokio::test]
async fn an_id_that_is_used_again_is_labelled_anew() {
    let feedback = begin(None);
    predict(&feedback, "a", 1);
    assert_eq!(
        feedback
            .desk
            .join(labels("a", &["c"]))
            .await
            .unwrap()
            .joined,
        1
    );
    predict(&feedback, "a", 1);
    assert_eq!(
        feedback
            .desk
            .join(labels("a", &["d"]))
            .await
            .unwrap()
            .joined,
        1
    );
    assert_eq!(feedback.shown.counts.replaced.load(Ordering::Relaxed), 1);
    assert_eq!(accuracy(&feedback).await, (2, 0.5));
    feedback.finish();
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_costs_predictions_and_is_told_to_who_posts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let feedback = begin(Some(&file));
    predict(&feedback, "a", 1);
    let taken = feedback.desk.join(labels("a", &["c"])).await;
    assert_eq!(taken, Err(NoAnswer::NotSaved));
    assert_eq!(feedback.shown.counts.not_saved.load(Ordering::Relaxed), 1);
    feedback.finish();
}

#[test]
fn what_was_joined_is_read_back() {
    let mut draft = Draft::new("m", "1", 1.0, 2);
    draft.named(&"c".repeat(MAX_WORD), Some(0.75), &[0.25, 0.75]);
    let item = record::item(&draft.finish().unwrap(), 0).unwrap();
    for truth in [Settled::Class("d".repeat(MAX_WORD)), Settled::Value(1.5)] {
        let bytes = joined_bytes(&item, &truth);
        assert_eq!(joined_of(&bytes), Some((item.clone(), truth)));
        (0..bytes.len()).for_each(|length| drop(joined_of(&bytes[..length])));
    }
}

#[test]
fn what_is_known_moves_while_many_labels_are_joined() {
    let shown = Arc::new(Shown::default());
    let mut worker = Worker::new(settings(None), Arc::clone(&shown), Counter::noop());
    assert!(!shown.known().is_whole, "nothing was read yet");
    worker.contained(Worker::begin);
    worker.publish_now();
    assert!(shown.known().is_whole && shown.known().models.is_empty());
    let (offer, take) = offer::queue(&shown.counts);
    let mut draft = Draft::new("m", "1", now(), 0);
    (0..3 * CHUNK).for_each(|_| draft.named("c", Some(0.75), &[]));
    offer.offer("a", None, draft);
    worker.take_waiting(&take);
    // as if a second had passed
    worker.published = Instant::now().checked_sub(PUBLISH).unwrap();
    let taken = worker.join(labels("a", &vec!["c"; 3 * CHUNK]), &take);
    assert_eq!(taken.unwrap().joined, 3 * CHUNK as u64);
    let known = shown.known();
    assert!(known.models[0].labels.joined >= CHUNK as u64);
}
