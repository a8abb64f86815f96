//! The file that documents every key and holds every default.

use std::sync::LazyLock;

use super::{Config, error::Origin, fill::fill, tree::Node, yaml};

/// `config/sidelight.yaml` as it was at compile time.
pub const DEFAULT_FILE: &str = include_str!("../../config/sidelight.yaml");

/// The default file as a tree.
pub(super) static TREE: LazyLock<Node> = LazyLock::new(|| {
    let mut node = yaml::read(DEFAULT_FILE, "sidelight.yaml", &mut Vec::new())
        .expect("the file is compiled in, and a test reads it");
    // nobody can change it, so no report points into it
    node.all_from(&Origin::BuiltIn);
    node
});

/// Every key in the order of the file: `proxy.listen`, `routes`.
pub(super) fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    TREE.leaves(&mut |key, _| keys.push(key));
    keys
}

/// The configuration of the default file alone. `drain.delay` is still open: it depends on where
/// the agent runs.
///
/// # Panics
/// Never: the file is compiled in, and a test reads it.
pub fn defaults() -> Config {
    fill(&TREE).expect("the file is compiled in, and a test reads it")
}

/// The comment that stands directly above `key` in the file.
#[cfg(test)]
pub(super) fn comment(key: &str) -> String {
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    let mut at = 0;
    for (depth, name) in key.split('.').enumerate() {
        let field = format!("{:1$}{name}:", "", 2 * depth);
        let below = lines[at..].iter().position(|l| l.starts_with(&field));
        at += below.unwrap();
    }
    let comment = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.trim_start().starts_with('#'));
    let mut comment: Vec<&str> = comment.copied().collect();
    comment.reverse();
    comment.join("\n")
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Deserializer, de::Visitor, forward_to_deserialize_any};

    use super::*;
    use crate::config::{self, tree::Value};

    /// Asks a struct for the names of its fields, by failing with them.
    struct Names;

    impl<'de> Deserializer<'de> for Names {
        type Error = serde::de::value::Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom(fields.join(" ")))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("no struct"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    fn fields<'de, T: Deserialize<'de>>() -> Vec<String> {
        let names = T::deserialize(Names).err().map(|names| names.to_string());
        names
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned)
            .collect()
    }

    fn names(node: &Node) -> Vec<String> {
        match &node.value {
            Value::Map(entries) => entries.iter().map(|(name, _)| name.clone()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_field_stands_in_the_file_and_every_key_of_the_file_is_a_field() {
        assert_eq!(names(&TREE), fields::<Config>());
        let sections = [
            ("proxy", fields::<config::Proxy>()),
            ("ops", fields::<config::Ops>()),
            ("capture", fields::<config::Capture>()),
            ("decode", fields::<config::Decode>()),
            ("model", fields::<config::Model>()),
            ("metrics", fields::<config::Metrics>()),
            ("log", fields::<config::Log>()),
            ("otlp", fields::<config::Otlp>()),
            ("drift", fields::<config::Drift>()),
            ("feedback", fields::<config::Feedback>()),
            ("state", fields::<config::State>()),
            ("drain", fields::<config::Drain>()),
            ("proxy.tls", fields::<config::Tls>()),
            ("proxy.upstream_tls", fields::<config::UpstreamTls>()),
        ];
        for (section, fields) in &sections {
            let node = TREE.get(&super::super::tree::steps(section)).unwrap();
            assert_eq!(&names(node), fields, "{section}");
        }
        let top = sections.iter().filter(|(name, _)| !name.contains('.'));
        // all but the list of routes are sections
        assert_eq!(top.count() + 1, fields::<Config>().len());
    }

    #[test]
    fn the_fields_of_a_route_are_explained() {
        let comment = comment("routes");
        for field in fields::<config::Route>() {
            assert!(comment.contains(&format!("{field}: ")), "{field}");
        }
    }

    #[test]
    fn every_default_is_written_as_a_value_and_every_key_is_explained() {
        for key in keys() {
            let comment = comment(&key);
            let lines = comment.lines().count();
            assert!(
                lines >= 2,
                "{key} needs a meaning, and a line with range and reload: {comment}"
            );
        }
    }

    #[test]
    fn lines_of_the_file_fit_a_terminal() {
        for line in DEFAULT_FILE.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
