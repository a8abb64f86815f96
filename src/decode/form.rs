//! Forms: what HTML's forms and `curl` send, as fields with a name.
//!
//! From RFC 7578 (`multipart/form-data`), RFC 2046, 5.1 (multipart), and the URL standard
//! (`application/x-www-form-urlencoded`).

use std::borrow::Cow;

use memchr::memmem;

/// Most fields that are read; those beyond are not there.
const MAX_FIELDS: usize = 4096;

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, [u8]>,
    /// It is a file: it has a name of its own.
    pub(super) is_file: bool,
}

impl Field<'_> {
    /// Its value, if it is text.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }
}

/// The fields of a body, as its content type says; `None`: it is no form.
pub(super) fn fields<'a>(content_type: Option<&str>, body: &'a [u8]) -> Option<Vec<Field<'a>>> {
    let content_type = content_type?.trim_start();
    let is = |name: &str| {
        content_type
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    if is("multipart/form-data") {
        return Some(parts(&boundary(content_type)?, body));
    }
    is("application/x-www-form-urlencoded").then(|| pairs(body))
}

/// The fields of a body or a query that is `a=1&b=2`.
pub(super) fn pairs(text: &[u8]) -> Vec<Field<'_>> {
    let pairs = text.split(|byte| *byte == b'&').filter(|p| !p.is_empty());
    let field = |pair| {
        let (name, value) = cut(pair, b'=').unwrap_or((pair, b""));
        let name = match decoded(name) {
            Cow::Borrowed(name) => String::from_utf8_lossy(name),
            Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
        };
        Field {
            name,
            value: decoded(value),
            is_file: false,
        }
    };
    pairs.take(MAX_FIELDS).map(field).collect()
}

/// What stands before and after the first `at`.
fn cut(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(at, bytes)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// Up to here a text is looked at byte by byte.
const SHORT: usize = 8;

/// `+` is a space, `%41` an `A`; what is neither stays.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = match text.len() {
        // most names are short, and to begin a search takes longer than to look at them
        0..=SHORT => !text.iter().any(|byte| matches!(byte, b'%' | b'+')),
        _ => memchr::memchr2(b'%', b'+', text).is_none(),
    };
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high * 16 + low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    Cow::Owned(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The line that parts a multipart body, with its two dashes.
fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let value = parameter(content_type, "boundary")?;
    (1..=70)
        .contains(&value.len())
        .then(|| format!("--{value}").into_bytes())
}

/// The parameter of a field's value: `a; name=value` or `a; name="value"`.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once(';')?;
        let (found, value) = after.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim_end());
        }
        rest = after;
    }
}

/// The parts of a multipart body; one that is cut off is not there.
fn parts<'a>(boundary: &[u8], body: &'a [u8]) -> Vec<Field<'a>> {
    let finder = memmem::Finder::new(boundary);
    let mut fields = Vec::new();
    let mut rest = match finder.find(body) {
        Some(at) => &body[at + boundary.len()..],
        None => return fields,
    };
    while fields.len() < MAX_FIELDS {
        // a boundary in the middle of a line is content
        let mut ends = finder
            .find_iter(rest)
            .filter(|at| rest[..*at].ends_with(b"\n"));
        let Some(end) = ends.next() else {
            break;
        };
        let part = &rest[..end];
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        fields.extend(part_field(part.strip_suffix(b"\r").unwrap_or(part)));
        rest = &rest[end + boundary.len()..];
    }
    fields
}

/// The field of one part: from the end of the boundary's line to before the next.
fn part_field(part: &[u8]) -> Option<Field<'_>> {
    let (_, mut rest) = cut(part, b'\n')?;
    let mut disposition = None;
    loop {
        let (line, after) = cut(rest, b'\n')?;
        rest = after;
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = cut(line, b':')
            && name.eq_ignore_ascii_case(b"content-disposition")
        {
            disposition = std::str::from_utf8(value).ok();
        }
    }
    let disposition = disposition?;
    Some(Field {
        name: Cow::Borrowed(parameter(disposition, "name")?),
        value: Cow::Borrowed(rest),
        is_file: parameter(disposition, "filename").is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, body: &str) -> Vec<(String, String, bool)> {
        let fields = fields(Some(content_type), body.as_bytes()).unwrap();
        let own = |f: Field<'_>| {
            let value = f.text().unwrap().to_owned();
            (f.name.into_owned(), value, f.is_file)
        };
        fields.into_iter().map(own).collect()
    }

    fn field(name: &str, value: &str, is_file: bool) -> (String, String, bool) {
        (name.to_owned(), value.to_owned(), is_file)
    }

    #[test]
    fn a_form_in_a_line_has_its_escapes_undone() {
        assert_eq!(
            read(
                "application/x-www-form-urlencoded",
                "a=1&b%20c=x+y%2B%zz%4&&d"
            ),
            [
                field("a", "1", false),
                field("b c", "x y+%zz%4", false),
                field("d", "", false)
            ]
        );
    }

    const PARTS: &str = "preamble\r\n--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xx\r\n\
        content-type: text/plain\r\nCONTENT-DISPOSITION: form-data; filename=\"f;.txt\"; name=data\r\n\r\n\
        two\r\nlines --xx\r\n\r\n--xx--\r\n";

    #[test]
    fn parts_are_between_boundaries_that_begin_a_line() {
        let expected = [
            field("a", "1", false),
            field("data", "two\r\nlines --xx\r\n", true),
        ];
        for content_type in [
            "multipart/form-data; boundary=xx",
            "Multipart/Form-Data; charset=utf-8; boundary=\"xx\"",
        ] {
            assert_eq!(read(content_type, PARTS), expected);
        }
        assert_eq!(
            read("multipart/form-data;boundary=xx", &PARTS.replace('\r', "")).len(),
            2
        );
    }

    #[test]
    fn what_is_broken_costs_its_field_only() {
        let of = |body: &str| read("multipart/form-data; boundary=xx", body);
        let cut_off = &PARTS[..PARTS.len() - 10];
        assert_eq!(of(cut_off), [field("a", "1", false)]);
        assert_eq!(
            of("--xx\r\n\r\nx\r\n--xx\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xx--"),
            []
        );
        assert_eq!(of(""), []);
        assert_eq!(fields(Some("multipart/form-data"), b"--xx"), None);
        assert_eq!(
            fields(Some("multipart/form-data; boundary="), b"--xx"),
            None
        );
        assert_eq!(fields(Some("application/json"), b"{}"), None);
        assert_eq!(fields(None, b"a=1"), None);
    }
}
