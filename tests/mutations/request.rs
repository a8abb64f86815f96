//! A request as a reader understood it.

/// Name and value, without the blanks around them.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

/// What was understood; the body may have broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) fields: Vec<Field>,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
    /// Whether nothing may be read after it.
    pub(crate) closes: bool,
    pub(crate) is_complete: bool,
}

impl Request {
    pub(crate) fn values<'r, 'n>(
        &'r self,
        name: &'n str,
    ) -> impl Iterator<Item = &'r [u8]> + use<'r, 'n> {
        values(&self.fields, name.as_bytes())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The members of all comma-separated values, in lower case, without the empty ones.
    pub(crate) fn members(&self, name: &str) -> Vec<Vec<u8>> {
        self.values(name)
            .flat_map(|value| value.split(|b| *b == b','))
            .map(|member| trim(member).to_ascii_lowercase())
            .filter(|member| !member.is_empty())
            .collect()
    }

    /// The fields, as they came.
    pub(crate) fn head(&self) -> String {
        let line =
            |(name, value): &Field| format!("{}: {}; ", name.escape_ascii(), value.escape_ascii());
        self.fields.iter().chain(&self.trailers).map(line).collect()
    }

    /// In a few words, for who reads that a test failed.
    pub(crate) fn brief(&self) -> String {
        let end = if self.is_complete { "" } else { "..." };
        format!(
            "{} {} [{} bytes{end}]",
            self.method.escape_ascii(),
            self.target.escape_ascii(),
            self.body.len()
        )
    }
}

/// The values of the fields of this name, in their order.
pub(crate) fn values<'f, 'n>(
    fields: &'f [Field],
    name: &'n [u8],
) -> impl Iterator<Item = &'f [u8]> + use<'f, 'n> {
    fields
        .iter()
        .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
}

/// Without the blanks around it (RFC 9110, section 5.6.3).
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let is_text = |b: &u8| !matches!(b, b' ' | b'\t');
    let Some(start) = text.iter().position(is_text) else {
        return &[];
    };
    let end = text.iter().rposition(is_text).map_or(start, |at| at + 1);
    &text[start..end]
}
