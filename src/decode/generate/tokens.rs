//! Tokens line by line, as `LitServe` streams what a model of one's own yields.
//!
//! | | any path |
//! |---|---|
//! | request | `{"prompt": text}` |
//! | answer | lines of `{"token": text}` |
//!
//! From `LitServe`'s guide to streaming.

use serde::Deserialize;

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair, reader},
    Piece, Prompt, Written, fields,
};

const FORMAT: &str = "token_lines";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    // lines are no document of JSON, which would end the search for another format
    claims: |pair| pair.response.trim_ascii_start().starts_with(b"{\"token\""),
    is_anywhere: false,
    answer,
    request,
};

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::texts")]
    prompt: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    token: String,
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let mut written = Written::default();
    let mut lines = 0;
    for line in pair.response.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let token = match reader::parsed(line) {
            Ok(Line { token }) => token,
            Err(_) if lines == 0 => return Ok(None),
            Err(_) => return Err(DecodeError::Syntax),
        };
        lines += 1;
        written.add(Piece {
            text: Some(token),
            ..Piece::default()
        });
    }
    written.generation.is_stream = true;
    written.generation.lines = Some(lines);
    Ok(written.answer(prompt(pair.request)))
}

/// Only of an answer that has the shape: a request alone could be for anything.
fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let prompt = items.and_then(|_| prompt(pair.request));
    prompt
        .map(|prompt| super::asked(prompt, FORMAT))
        .transpose()
}

fn prompt(body: &[u8]) -> Option<Prompt> {
    let request: Request = super::parsed(body).ok()??;
    Some(Prompt {
        texts: Some(request.prompt?),
        ..Prompt::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::{super::decoded, tests::read};
    use crate::capture::Exchange;

    #[test]
    fn lines_of_tokens_are_one_text() {
        let body = "{\"token\": \"a\"}\n{\"token\": \"\"}\r\n{\"token\": \"b\"}";
        let inference = read("/stream", r#"{"prompt":"hi"}"#, body);
        assert_eq!((inference.format, inference.items()), ("token_lines", 1));
        let generation = inference.generation.unwrap();
        assert_eq!(
            (generation.output.as_str(), generation.lines),
            ("ab", Some(3))
        );
        assert_eq!(generation.prompts.unwrap(), ["hi"]);
        assert_eq!(
            (generation.content_chunks, generation.done_marker),
            (None, None)
        );
    }

    #[test]
    fn lines_of_anything_else_are_not() {
        for body in [
            "{\"token\":1}\n",
            "{\"token\":\"a\",\"id\":1}\n",
            "{\"a\":\"b\"}\n",
        ] {
            assert!(
                decoded(&Exchange::example("/login", "{}", body)).is_err(),
                "{body}"
            );
        }
    }
}
