//! Environment variables: which belong to Sidelight, which only look like it.

use super::{
    closest::closest,
    documented,
    error::{Origin, Problem},
    tree::{Node, Value, steps},
    yaml,
};

const PREFIX: &str = "SIDELIGHT_";

/// Names the configuration file.
pub const CONFIG: &str = "SIDELIGHT_CONFIG";

/// Short names of the three addresses.
const SHORT: [(&str, &str); 3] = [
    ("SIDELIGHT_LISTEN", "proxy.listen"),
    ("SIDELIGHT_UPSTREAM", "proxy.upstream"),
    ("SIDELIGHT_OPS_LISTEN", "ops.listen"),
];

/// Takes a list where its default is a word.
const MAY_BE_LIST: &str = "log.features";

/// Say in which pod the agent is. They are no keys: one pod is not to be configured as another.
pub const POD: [&str; 3] = ["POD_NAME", "POD_NAMESPACE", "NODE_NAME"];

/// The variables that matter. Text that is not UTF-8 is replaced by `U+FFFD`.
pub fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (lossy(&name), lossy(&value)))
        .filter(|(name, _)| is_ours(name))
        .collect()
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || name == KUBERNETES || POD.contains(&name)
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

/// Whether the variables are those of a container in Kubernetes.
pub(super) fn in_kubernetes(variables: &[(String, String)]) -> bool {
    variables
        .iter()
        .any(|(name, value)| name == KUBERNETES && !value.is_empty())
}

/// The variable that sets `key`: `SIDELIGHT_PROXY__LISTEN`.
pub(super) fn name_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Lays what the variables say over `tree`, and reports those that say nothing.
pub(super) fn apply(tree: &mut Node, variables: &[(String, String)], problems: &mut Vec<Problem>) {
    let named: Vec<(String, String)> = documented::keys()
        .into_iter()
        .map(|key| (name_of(&key), key))
        .chain(SHORT.map(|(name, key)| (name.to_owned(), key.to_owned())))
        .collect();
    let mut taken: Vec<(&str, &str, &str)> = Vec::new();
    for (name, value) in variables {
        if !name.starts_with(PREFIX) || name == CONFIG || is_service(name) {
            continue;
        }
        let Some((_, key)) = named.iter().find(|(known, _)| known == name) else {
            problems.push(unknown(name, named.iter().map(|(known, _)| known.as_str())));
            continue;
        };
        if value.trim().is_empty() {
            continue;
        }
        if let Some((_, other, _)) = taken.iter().find(|(k, _, v)| k == key && v != value) {
            problems.push(problem(
                name,
                format!("sets {key} as {other} does, to another value"),
            ));
            continue;
        }
        taken.push((key, name, value));
        let node = node(key, value, Origin::Env(name.clone()));
        tree.merge(Node::nested(&steps(key), node), problems);
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let message = match closest(name, known) {
        Some(meant) => format!("unknown variable, did you mean {meant}?"),
        None => "unknown variable: a key is SIDELIGHT_SECTION__KEY".to_owned(),
    };
    problem(name, message)
}

fn problem(name: &str, message: String) -> Problem {
    Problem {
        key: name.to_owned(),
        message,
        origin: Origin::Env(name.to_owned()),
    }
}

/// A variable holds text; where the key takes a list, `[a, b]` and `a,b` are lists.
fn node(key: &str, text: &str, origin: Origin) -> Node {
    let default = documented::TREE.get(&steps(key)).map(|node| &node.value);
    let takes_list = matches!(default, Some(Value::List(_)));
    let looks_like_list = text.trim_start().starts_with('[') || text.contains(',');
    if takes_list || (key == MAY_BE_LIST && looks_like_list) {
        list(text, &origin).unwrap_or_else(|| Node::text(text, origin))
    } else {
        Node::text(text, origin)
    }
}

fn list(text: &str, origin: &Origin) -> Option<Node> {
    let items = if text.trim_start().starts_with('[') {
        let Ok(Value::List(items)) = yaml::read(text, "", &mut Vec::new()).map(|node| node.value)
        else {
            return None;
        };
        items
    } else {
        text.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| Node::text(name, origin.clone()))
            .collect()
    };
    let mut node = Node {
        value: Value::List(items),
        origin: origin.clone(),
    };
    node.all_from(origin);
    Some(node)
}

/// Whether Kubernetes or a container link made it for a service called `sidelight` or
/// `sidelight-*`: `SIDELIGHT_SERVICE_HOST`, `SIDELIGHT_OPS_PORT_9464_TCP_ADDR`.
fn is_service(name: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let ends = |tail: &[&str]| words.len() > tail.len() && words.ends_with(tail);
    if ends(&["SERVICE", "HOST"]) || ends(&["SERVICE", "PORT"]) || ends(&["PORT"]) {
        return true;
    }
    let after = |mark: &[&str]| {
        let place = words.windows(mark.len()).position(|at| at == mark);
        place.map(|place| &words[place + mark.len()..])
    };
    after(&["SERVICE", "PORT"]).is_some_and(|port_name| !port_name.is_empty())
        || after(&["PORT"]).is_some_and(is_port)
}

/// `8080`, `TCP` and perhaps what of it.
fn is_port(words: &[&str]) -> bool {
    let (number, rest) = words
        .split_first()
        .map_or(("", words), |(n, rest)| (*n, rest));
    let numeric = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let protocol = rest
        .first()
        .is_some_and(|p| ["TCP", "UDP", "SCTP"].contains(p));
    let what = rest
        .get(1)
        .is_none_or(|what| ["PROTO", "PORT", "ADDR"].contains(what));
    numeric && protocol && what && rest.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::Step;

    fn applied(variables: &[(&str, &str)]) -> (Node, Vec<String>) {
        let owned: Vec<_> = variables
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let mut tree = documented::TREE.clone();
        let mut problems = Vec::new();
        apply(&mut tree, &owned, &mut problems);
        (tree, problems.iter().map(ToString::to_string).collect())
    }

    fn value(tree: &Node, key: &str) -> Value {
        tree.get(&steps(key)).unwrap().value.clone()
    }

    #[test]
    fn variables_of_a_kubernetes_service_are_not_ours() {
        for name in [
            "SIDELIGHT_SERVICE_HOST",
            "SIDELIGHT_SERVICE_PORT",
            "SIDELIGHT_SERVICE_PORT_HTTP",
            "SIDELIGHT_SERVICE_PORT_OPS_METRICS",
            "SIDELIGHT_PORT",
            "SIDELIGHT_PORT_8080_TCP",
            "SIDELIGHT_PORT_8080_TCP_PROTO",
            "SIDELIGHT_PORT_8080_TCP_PORT",
            "SIDELIGHT_PORT_8080_TCP_ADDR",
            "SIDELIGHT_OPS_SERVICE_HOST",
            "SIDELIGHT_OPS_PORT_9464_TCP_ADDR",
            "SIDELIGHT_WEBHOOK_PORT_443_UDP",
        ] {
            assert!(is_service(name), "{name}");
        }
        for name in [
            "SIDELIGHT_LISTEN",
            "SIDELIGHT_PORT_NUMBER",
            "SIDELIGHT_PORT_8080",
            "SIDELIGHT_PORT_8080_HTTP",
            "SIDELIGHT_SERVICE_NAME",
        ] {
            assert!(!is_service(name), "{name}");
        }
        let (_, problems) = applied(&[("SIDELIGHT_PORT", "tcp://10.0.0.1:8080"), ("PATH", "x")]);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn no_key_looks_like_a_service() {
        let names = documented::keys().into_iter().map(|key| name_of(&key));
        for name in names.chain(SHORT.map(|(name, _)| name.to_owned())) {
            assert!(!is_service(&name), "{name}");
        }
    }

    #[test]
    fn an_unknown_variable_is_reported_with_the_one_that_was_meant() {
        let (_, problems) = applied(&[
            ("SIDELIGHT_PROXY__LISTN", ":1"),
            ("SIDELIGHT_LOG_LEVEL", "info"),
            ("SIDELIGHT_QUITE_DIFFERENT", ""),
        ]);
        assert_eq!(
            problems,
            [
                "SIDELIGHT_PROXY__LISTN: unknown variable, did you mean SIDELIGHT_PROXY__LISTEN?",
                "SIDELIGHT_LOG_LEVEL: unknown variable, did you mean SIDELIGHT_LOG__LEVEL?",
                "SIDELIGHT_QUITE_DIFFERENT: unknown variable: a key is SIDELIGHT_SECTION__KEY",
            ]
        );
    }

    #[test]
    fn lists_are_written_in_brackets_or_with_commas() {
        let text = |word: &str| Node::text(word, Origin::BuiltIn);
        let both = Value::List(vec![text("age"), text("income")]);
        for written in ["[age, income]", "age,income", " age , income ,"] {
            for key in ["LOG__REDACT", "LOG__FEATURES"] {
                let name = format!("SIDELIGHT_{key}");
                let (tree, problems) = applied(&[(&name, written)]);
                assert_eq!(problems, [""; 0]);
                let key = key.to_lowercase().replace("__", ".");
                assert_eq!(value(&tree, &key), both, "{written}");
            }
        }
        let (tree, _) = applied(&[("SIDELIGHT_LOG__FEATURES", "none")]);
        assert_eq!(value(&tree, "log.features"), Value::Text("none".to_owned()));
        let (tree, _) = applied(&[("SIDELIGHT_ROUTES", "[{path: /a}]")]);
        assert!(
            tree.get(&[Step::Key("routes".to_owned()), Step::Index(0)])
                .is_some()
        );
        let (tree, _) = applied(&[("SIDELIGHT_OPS__TOKEN", "[a,b: #c")]);
        assert_eq!(
            value(&tree, "ops.token"),
            Value::Text("[a,b: #c".to_owned())
        );
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let (tree, problems) = applied(&[("SIDELIGHT_LISTEN", ""), ("SIDELIGHT_UPSTREAM", " ")]);
        assert_eq!(tree, *documented::TREE);
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn a_key_that_is_set_by_two_names_to_two_values_is_reported() {
        let same = [
            ("SIDELIGHT_LISTEN", ":1"),
            ("SIDELIGHT_PROXY__LISTEN", ":1"),
        ];
        assert_eq!(applied(&same).1, [""; 0]);
        let different = [
            ("SIDELIGHT_LISTEN", ":1"),
            ("SIDELIGHT_PROXY__LISTEN", ":2"),
        ];
        assert_eq!(
            applied(&different).1,
            [
                "SIDELIGHT_PROXY__LISTEN: sets proxy.listen as SIDELIGHT_LISTEN does, to another value"
            ]
        );
    }
}
