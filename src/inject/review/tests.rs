use serde_json::json;

use super::*;
use crate::inject::operation::{Operation, apply_all};

const REVIEW: &str = include_str!("../../../tests/kube/review-inj-a.json");

/// The recorded review, changed.
fn review(change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut review: Value = serde_json::from_str(REVIEW).unwrap();
    change(&mut review);
    serde_json::to_vec(&review).unwrap()
}

/// By the table of the RFC, digit by digit.
fn decoded(text: &str) -> Vec<u8> {
    let table = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').chars();
    let bits: Vec<u8> = digits
        .flat_map(|digit| {
            let value = table.find(digit).unwrap();
            (0..6).rev().map(move |bit| u8::from(value >> bit & 1 == 1))
        })
        .collect();
    let bytes = bits.chunks_exact(8);
    bytes
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit))
        .collect()
}

fn answered(body: &[u8], options: &Options) -> (Value, Reviewed) {
    let reviewed = reviewed(body, options).unwrap();
    (serde_json::from_slice(&reviewed.body).unwrap(), reviewed)
}

#[test]
fn a_recorded_pod_gets_the_patch_that_the_command_would_make() {
    let body = review(|review| {
        review["request"]["object"]["spec"]["containers"][0]["ports"][0]["name"] = "http".into();
    });
    let (answer, reviewed) = answered(&body, &Options::default());
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["uid"], "56dba034-82fb-49db-bd3b-df142dbfadf7");
    assert_eq!(response["allowed"], true);
    assert_eq!(response["patchType"], "JSONPatch");
    assert!(response.get("warnings").is_none());
    let patch = decoded(response["patch"].as_str().unwrap());
    let patch: Vec<Operation> = serde_json::from_slice(&patch).unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let mut pod = asked["request"]["object"].clone();
    let before = pod.clone();
    apply_all(&mut pod, &patch).unwrap();
    assert_eq!(pod["spec"]["initContainers"][0]["name"], "sidelight");
    let undo = crate::inject::uninject(&pod).unwrap();
    apply_all(&mut pod, &undo).unwrap();
    assert_eq!(pod, before);
    assert_eq!(reviewed.labels(), ["patched", ""]);
    assert_eq!(
        (reviewed.namespace.as_str(), reviewed.pod.as_str()),
        ("inj", "a")
    );
}

#[test]
fn a_pod_that_stays_as_it_is_has_its_reason_as_a_warning() {
    let (answer, reviewed) = answered(REVIEW.as_bytes(), &Options::default());
    let response = &answer["response"];
    assert_eq!(response["allowed"], true);
    assert!(response.get("patch").is_none() && response.get("patchType").is_none());
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("sidelight: not injected (numeric_target_port): "),
        "{warning}"
    );
    assert!(warning.chars().count() <= LONGEST_WARNING);
    assert_eq!(reviewed.labels(), ["skipped", "numeric_target_port"]);
}

#[test]
fn what_was_asked_for_is_not_warned_of_and_unknown_keys_are() {
    let body = review(|review| {
        review["request"]["object"]["metadata"]["annotations"] =
            json!({"sidelight.dev/inject": "disabled", "sidelight.dev/prot": "1"});
    });
    let (answer, reviewed) = answered(&body, &Options::default());
    let expected = json!(["sidelight: the annotation sidelight.dev/prot means nothing"]);
    assert_eq!(answer["response"]["warnings"], expected);
    assert_eq!(reviewed.labels(), ["skipped", "disabled"]);
}

#[test]
fn what_is_no_new_pod_is_allowed_and_left_alone() {
    let changes: [fn(&mut Value); 5] = [
        |review| review["request"]["operation"] = "UPDATE".into(),
        |review| review["request"]["subResource"] = "ephemeralcontainers".into(),
        |review| review["request"]["kind"]["kind"] = "Service".into(),
        |review| review["request"]["object"] = Value::Null,
        |review| review["request"]["namespace"] = "kube-system".into(),
    ];
    for change in changes {
        let (answer, reviewed) = answered(&review(change), &Options::default());
        assert_eq!(answer["response"]["allowed"], true);
        assert!(answer["response"].get("patch").is_none());
        assert!(reviewed.skipped.is_some());
    }
}

#[test]
fn what_is_no_review_is_told() {
    let no = |body: &[u8]| reviewed(body, &Options::default()).unwrap_err();
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
    ] {
        assert_eq!(no(body.as_bytes()), NoReview::Unreadable, "{body}");
    }
    let old = review(|review| review["apiVersion"] = "admission.k8s.io/v1beta1".into());
    assert_eq!(no(&old), NoReview::Version);
}

#[test]
fn every_recorded_review_is_answered() {
    for body in [
        include_str!("../../../tests/kube/review-strict-a.json"),
        include_str!("../../../tests/kube/review-strict-bad.json"),
    ] {
        let options = Options {
            app_port_env: Some("PORT".to_owned()),
            ..Options::default()
        };
        let (answer, reviewed) = answered(body.as_bytes(), &options);
        assert_eq!(answer["response"]["patchType"], "JSONPatch");
        assert_eq!(reviewed.labels(), ["patched", ""]);
    }
}
