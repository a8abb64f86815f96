use serde_json::{Map, Value, json};

use super::*;
use crate::inject::{
    generated::Generator,
    manifest::yaml::{meaning, read},
    pod, status,
};

fn source(text: &str) -> Vec<Source> {
    let name = "a.yaml".to_owned();
    let text = text.to_owned();
    vec![Source { name, text }]
}

fn value(text: &str) -> Value {
    meaning(&read(text).unwrap().unwrap()).unwrap()
}

/// A pod as people write it, or as programs do.
fn written(pod: &Value, is_block: bool) -> String {
    if !is_block {
        return serde_json::to_string_pretty(pod).unwrap();
    }
    let members: &Map<String, Value> = pod.as_object().unwrap();
    let lines = members
        .iter()
        .flat_map(|(key, value)| write::entry(key, value, 0));
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

#[test]
fn a_text_becomes_what_the_patch_of_the_pod_makes_of_it_and_comes_back() {
    let mut counted = [0; 3];
    for seed in 0..1500 {
        let mut generator = Generator::new(seed);
        let (mut pod, options) = (generator.pod(), generator.options());
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        for is_block in [true, false] {
            let text = written(&pod, is_block);
            assert_eq!(value(&text), pod, "{seed}");
            let done = inject(&source(&text), &options);
            match patch::inject(&pod, &[], &options) {
                Outcome::Skipped(skip) => {
                    assert_eq!(done.text, text, "{seed}");
                    assert_eq!(done.report[0].outcome, Done::Skipped(skip), "{seed}");
                    counted[0] += 1;
                    continue;
                }
                Outcome::Patched(patched) => {
                    let mut expected = pod.clone();
                    apply_all(&mut expected, &patched.operations).unwrap();
                    assert_eq!(value(&done.text), expected, "{seed}\n{text}");
                }
            }
            assert_eq!(
                inject(&source(&done.text), &options).text,
                done.text,
                "{seed}"
            );
            let back = uninject(&source(&done.text)).text;
            assert_eq!(value(&back), pod, "{seed}");
            // how nothing was written is the one thing that is not known again
            let is_exact = !text.contains("null");
            assert!(back == text || !is_exact, "{seed}\n{text}\n{back}");
            counted[1 + usize::from(is_exact)] += 1;
        }
    }
    assert!(counted.iter().all(|&count| count > 200), "{counted:?}");
}

#[test]
fn of_every_golden_case_the_agent_takes_every_setting() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inject");
    let mut looked_at = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let file = case.unwrap().path().join("output.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        for object in Stream::of(&source(&text)).objects {
            let template = object.template().cloned().unwrap_or_default();
            let ours = pod::all_containers(&template).find(|c| c["name"] == pod::CONTAINER);
            // one that somebody wrote by hand is not ours
            if let Some(container) = ours.filter(|_| status::is_in(&template)) {
                let found = patch::tests::loaded(container);
                assert!(found.is_ok(), "{}: {found:?}", file.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 30, "{looked_at}");
}

#[test]
fn a_list_costs_as_much_as_its_items_do() {
    let item = |at: usize| {
        format!(
            "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: m{at}}}\n  spec:\n    containers:\n    - name: model\n      ports:\n      - {{containerPort: 8000, name: http}}\n"
        )
    };
    let items: String = (0..500).map(item).collect();
    let text = format!("apiVersion: v1\nkind: List\nitems:\n{items}# end\n");
    let before = super::yaml::READ.get();
    let done = inject(&source(&text), &Options::default());
    let read = super::yaml::READ.get() - before;
    assert!(
        done.report
            .iter()
            .all(|line| line.outcome.word() == "injected")
    );
    // what is read of an item grows with what is put into it; of the list it would be a thousand times
    assert!(
        read < 60 * text.len() + 4 * done.text.len(),
        "{read} of {}",
        text.len()
    );
    assert_eq!(uninject(&source(&done.text)).text, text);
}

#[test]
fn several_files_are_read_together_and_a_service_leads_over_them() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: iris}\nspec: {selector: {app: iris}, ports: [{port: 8000}]}";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: iris, labels: {app: iris}}\nspec: {containers: [{name: model}]}\n";
    let sources = [("a.yaml", service), ("b.yaml", pod)].map(|(name, text)| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let done = inject(&sources, &Options::default());
    let words: Vec<_> = done.report.iter().map(|line| line.outcome.word()).collect();
    assert_eq!(words, ["redirected", "injected"]);
    let (first, second) = done.text.split_once("\n---\n").unwrap();
    assert_eq!(
        value(first)["spec"]["ports"],
        json!([{"port": 8000, "targetPort": 18080}])
    );
    assert_eq!(
        value(second)["spec"]["initContainers"][0]["name"],
        "sidelight"
    );
    let back = uninject(&source(&done.text)).text;
    assert_eq!(back, format!("{service}\n---\n{pod}"));
}
