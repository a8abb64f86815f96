//! What models of texts write: whole, as server-sent events, or line by line.
//!
//! A format says what a prompt is and what one message of an answer adds; how messages are told
//! apart is the same for all. Texts are held as long as the exchange is read, and never logged.

mod fields;
mod openai;
mod tgi;
mod tokens;
mod v2;

pub(super) use self::{
    openai::DECODER as OPENAI, tgi::DECODER as TGI, tokens::DECODER as TOKENS, v2::DECODER as V2,
};

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

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
        // of a stream the last one counts
        self.generation.usage = piece.usage.or(self.generation.usage.take());
    }

    /// One item without a class. `None`: no message had the shape of the format.
    fn answer(self, prompt: Option<Prompt>) -> Option<Answer> {
        if !self.is_any {
            return None;
        }
        let prompt = prompt.unwrap_or_default();
        let finish: Vec<String> = self.finish.into_iter().flatten().collect();
        Some(Answer {
            model: self.model.or(prompt.model),
            version: self.version.or(prompt.version),
            raw: Raw {
                outputs: vec![Output::from(Prediction::Unknown)],
                ..Raw::default()
            },
            generation: Some(Box::new(Generation {
                prompts: prompt.texts,
                finish: (!finish.is_empty()).then_some(finish),
                ..self.generation
            })),
            task: None,
            sure: true,
        })
    }
}

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
        if data == b"[DONE]" {
            is_done = true;
        } else if let Some(piece) = read(data)? {
            written.add(piece);
        }
    }
    written.generation.is_stream = true;
    written.generation.content_chunks = Some(written.parts);
    written.generation.done_marker = Some(is_done);
    Ok(written)
}

/// Whether a body is a stream of server-sent events, whatever its content type says.
fn are_events(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = body.trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"]
        .iter()
        .any(|start| body.starts_with(start))
}

/// The data of each event that has some. Servers of models write each on a line of its own.
fn events(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = body.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data = lines.filter_map(|line| Some(line.strip_prefix(b"data:")?.trim_ascii()));
    data.filter(|data| !data.is_empty())
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
