//! Fields that are the same in every line.

/// They stand at the end of a line, written once: `,"pod_name":"iris-0","node_name":"a"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common(Vec<u8>);

impl Common {
    /// These fields, each with its text.
    pub fn new<'a>(fields: impl IntoIterator<Item = (&'static str, &'a str)>) -> Self {
        let mut written = Vec::new();
        for (name, text) in fields {
            for (mark, string) in [(b',', name), (b':', text)] {
                written.push(mark);
                // no string fails, and no vector
                let _ = serde_json::to_writer(&mut written, string);
            }
        }
        Self(written)
    }

    /// As they stand behind another field of an object; nothing where there are none.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_json_behind_others() {
        let common = Common::new([("a", "x\"y"), ("b", "\n")]);
        assert_eq!(common.as_bytes(), br#","a":"x\"y","b":"\n""#);
        assert_eq!(Common::new([]), Common::default());
        assert_eq!(Common::default().as_bytes(), b"");
    }
}
