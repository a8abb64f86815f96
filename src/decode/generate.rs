//! What models of texts write: whole, as server-sent events, or line by line.
//!
//! A format says what a prompt is and what one message of an answer adds; how messages are told
//! apart is the same for all. Texts are held as long as the exchange is read, and never logged.

mod anthropic;
mod fields;
mod media;
mod openai;
mod responses;
mod tgi;
mod tokens;
mod v2;

pub(super) use self::{
    anthropic::DECODER as ANTHROPIC, media::DECODER as MEDIA, openai::DECODER as OPENAI,
    responses::DECODER as RESPONSES, tgi::DECODER as TGI, tokens::DECODER as TOKENS,
    v2::DECODER as V2,
};

use std::marker::PhantomData;

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{
    Answer, Asked, DecodeError, Generation, Output, Pair, Prediction, Usage, content,
    meaning::Raw,
    reader::{Reader, Stop},
    table::Table,
    walk,
};

/// What a request asks to be continued.
#[derive(Default)]
struct Prompt {
    model: Option<String>,
    version: Option<String>,
    /// The texts, where they are nothing else.
    texts: Option<Vec<String>>,
}

/// What one message of an answer adds.
#[derive(Default)]
struct Piece {
    model: Option<String>,
    version: Option<String>,
    /// One more part of the first of several texts.
    text: Option<String>,
    /// All of that text, in place of its parts.
    whole: Option<String>,
    /// Why texts ended, each with its place among several.
    finish: Vec<(usize, String)>,
    usage: Option<Usage>,
}

/// An answer, as far as it has been read.
#[derive(Default)]
struct Written {
    model: Option<String>,
    version: Option<String>,
    finish: Vec<Option<String>>,
    generation: Generation,
    /// Messages that added to the text.
    parts: usize,
    is_any: bool,
    /// A message of a stream was an error in place of a text.
    has_failed: bool,
}

impl Written {
    fn add(&mut self, piece: Piece) {
        self.is_any = true;
        self.model = self.model.take().or(piece.model);
        self.version = self.version.take().or(piece.version);
        if let Some(text) = piece.text.filter(|text| !text.is_empty()) {
            self.parts += 1;
            self.generation.output.push_str(&text);
        }
        if let Some(whole) = piece.whole.filter(|whole| !whole.is_empty()) {
            self.generation.output = whole;
        }
        for (place, reason) in piece.finish {
            if place >= fields::FEW {
                continue;
            }
            if self.finish.len() <= place {
                self.finish.resize(place + 1, None);
            }
            self.finish[place] = Some(reason);
        }
        // of a stream the last one counts, of each number
        self.generation.usage = match (piece.usage, self.generation.usage.take()) {
            (Some(new), Some(old)) => Some(Usage {
                prompt_tokens: new.prompt_tokens.or(old.prompt_tokens),
                completion_tokens: new.completion_tokens.or(old.completion_tokens),
                total_tokens: new.total_tokens.or(old.total_tokens),
            }),
            (new, old) => new.or(old),
        };
    }

    /// One item without a class, or none where all that came is an error. `None`: no message had the
    /// shape of the format.
    fn answer(self, prompt: Option<Prompt>) -> Option<Answer> {
        if !self.is_any && !self.has_failed {
            return None;
        }
        let prompt = prompt.unwrap_or_default();
        let finish: Vec<String> = self.finish.into_iter().flatten().collect();
        Some(Answer {
            model: self.model.or(prompt.model),
            version: self.version.or(prompt.version),
            raw: Raw {
                outputs: vec![Output::from(Prediction::Unknown); usize::from(self.is_any)],
                ..Raw::default()
            },
            generation: Some(Box::new(Generation {
                prompts: prompt.texts,
                finish: (!finish.is_empty()).then_some(finish),
                ..self.generation
            })),
            note: self.has_failed.then_some(FAILED),
            sure: true,
            ..Answer::default()
        })
    }
}

/// The data of an event that ends a stream.
pub(super) const DONE: &[u8] = b"[DONE]";

/// What is said of a stream whose status was sent before it failed.
pub(super) const FAILED: &str = "the stream holds an error of the server";

/// How one message of a format is read; `None`: it has another shape.
type Read = fn(&[u8]) -> Result<Option<Piece>, DecodeError>;

/// How the request of a format is read, likewise.
type Ask = fn(&[u8]) -> Result<Option<Prompt>, DecodeError>;

/// An answer that is one message, or a stream of events that each hold one.
fn answer(pair: &Pair<'_>, ask: Ask, read: Read) -> Result<Option<Answer>, DecodeError> {
    let prompt = ask(pair.request).ok().flatten();
    let written = written(pair.response, read)?;
    Ok(written.answer(prompt))
}

/// What was asked.
fn request(pair: &Pair<'_>, ask: Ask, format: &'static str) -> Result<Option<Asked>, DecodeError> {
    ask(pair.request)?
        .map(|prompt| asked(prompt, format))
        .transpose()
}

fn written(body: &[u8], read: Read) -> Result<Written, DecodeError> {
    let mut written = Written::default();
    if !are_events(body) {
        if let Some(piece) = read(body)? {
            written.add(piece);
        }
        return Ok(written);
    }
    let mut is_done = false;
    for data in events(body) {
        if data == DONE {
            is_done = true;
        } else if let Some(piece) = read(data)? {
            written.add(piece);
        } else if is_error(data) {
            written.has_failed = true;
        }
    }
    written.generation.is_stream = true;
    written.generation.content_chunks = Some(written.parts);
    written.generation.done_marker = Some(is_done);
    Ok(written)
}

/// Whether a body is a stream of server-sent events, whatever its content type says.
pub(super) fn are_events(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = body.trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"]
        .iter()
        .any(|start| body.starts_with(start))
}

/// The data of each event that has some. Servers of models write each on a line of its own.
pub(super) fn events(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = body.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data = lines.filter_map(|line| Some(line.strip_prefix(b"data:")?.trim_ascii()));
    data.filter(|data| !data.is_empty())
}

/// Whether an event is an error, as servers of all formats send it: an object with `error`, or one of
/// that `type`.
pub(super) fn is_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Failure {
        error: Option<IgnoredAny>,
        #[serde(default, rename = "type", deserialize_with = "fields::text")]
        kind: Option<String>,
    }
    let failure: Option<Failure> = parsed(data).ok().flatten();
    failure
        .is_some_and(|failure| failure.error.is_some() || failure.kind.as_deref() == Some("error"))
}

/// A request of one item, which has no features.
fn asked(prompt: Prompt, format: &'static str) -> Result<Asked, DecodeError> {
    let mut table = Table::within(0);
    table
        .end_row()
        .map_err(|_| DecodeError::TooLarge { format })?;
    Ok(Asked {
        model: prompt.model,
        version: prompt.version,
        table,
        note: None,
    })
}

/// Reads a message; `None`: it has another shape.
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<Option<T>, DecodeError> {
    let mut reader = Reader::new(content::json(body)?);
    match reader.only(PhantomData) {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Refused) => Ok(None),
        Err(Stop::Syntax) if !reader.is_text() => Err(DecodeError::NotUtf8),
        Err(Stop::Syntax) => Err(DecodeError::Syntax),
    }
}

/// A name on the wire, cut to what is kept of names.
fn word(name: Option<String>) -> Option<String> {
    walk::word(&name?)
}

#[cfg(test)]
mod tests {
    use super::super::{Inference, decoded};
    use crate::capture::Exchange;

    pub(super) fn read(path: &str, request: &str, response: &str) -> Inference {
        decoded(&Exchange::example(path, request, response)).unwrap()
    }

    #[test]
    fn a_stream_of_nothing_but_an_error_has_no_items() {
        let body =
            "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\ndata: [DONE]\n\n";
        let request = r#"{"model":"m","prompt":"a"}"#;
        let failed = read("/v1/completions", request, body);
        assert_eq!((failed.outputs.len(), failed.rows), (0, 1));
        assert!(failed.note.unwrap().contains("error"));
        let part = format!("data: {{\"choices\":[{{\"text\":\"b\"}}]}}\n\n{body}");
        let broken = read("/v1/completions", request, &part);
        assert_eq!((broken.outputs.len(), broken.note.is_some()), (1, true));
        assert_eq!(broken.generation.unwrap().output, "b");
    }

    #[test]
    fn events_are_told_by_the_body_and_lines_end_in_any_way() {
        let request = r#"{"model":"m","prompt":"a"}"#;
        let chunk = |text: &str| format!(r#"data:{{"choices":[{{"text":"{text}"}}]}}"#);
        let body = format!(
            ": hello\r\n\r\ndata:\r\n\r\nevent: x\r\n{}\r\n\r\nid: 1\n{}\n\ndata: [DONE]\n\n",
            chunk("b"),
            chunk("c")
        );
        let generation = read("/v1/completions", request, &body).generation.unwrap();
        assert_eq!(generation.output, "bc");
        assert_eq!(generation.content_chunks, Some(2));
        assert_eq!(generation.done_marker, Some(true));
        let without_end = body.replace("data: [DONE]", "");
        let generation = read("/v1/completions", request, &without_end).generation;
        assert_eq!(generation.unwrap().done_marker, Some(false));
    }
}
