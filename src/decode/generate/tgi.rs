//! Text Generation Inference of Hugging Face.
//!
//! | | path `/generate`, `/generate_stream`; by the shape of the answer `/` and `/invocations` |
//! |---|---|
//! | request | `{"inputs": text, "parameters"?, "stream"?}` |
//! | answer | `{"generated_text", "details"?: {"finish_reason", "generated_tokens"}}`, or a list with one |
//! | stream | events with `token.text`; the last has `generated_text` and `details` |
//!
//! Pipelines of Transformers name the text `summary_text` and `translation_text` too. From the `OpenAPI`
//! description of Text Generation Inference, and the documentation of Transformers' pipelines.

use serde::Deserialize;

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair, Usage},
    Piece, Prompt, fields, word,
};

const FORMAT: &str = "tgi";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| match pair.exchange.path.as_str() {
        "/generate" | "/generate_stream" => true,
        // paths of others too
        path => (path == "/" || path.ends_with("/invocations")) && is_text(pair.response),
    },
    is_anywhere: false,
    answer,
    request,
};

/// Whether an answer begins as texts do, or is a stream of tokens.
fn is_text(response: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [
        b"\"generated_text\"",
        b"\"summary_text\"",
        b"\"translation_text\"",
    ];
    let text = response.trim_ascii_start();
    if text.starts_with(b"data:") {
        return memchr::memmem::find(text, b"\"token\"").is_some();
    }
    let text = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
    let name = text.strip_prefix(b"{").unwrap_or_default();
    let name = name.trim_ascii_start();
    NAMES.iter().any(|known| name.starts_with(known))
}

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::text")]
    inputs: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "fields::text")]
    #[serde(alias = "summary_text", alias = "translation_text")]
    generated_text: Option<String>,
    token: Option<Token>,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default, deserialize_with = "fields::text")]
    text: Option<String>,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default, deserialize_with = "fields::text")]
    finish_reason: Option<String>,
    #[serde(default, deserialize_with = "fields::count")]
    generated_tokens: Option<u64>,
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    super::answer(pair, prompt, piece)
}

fn request(pair: &Pair<'_>, _: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    super::request(pair, prompt, FORMAT)
}

fn prompt(body: &[u8]) -> Result<Option<Prompt>, DecodeError> {
    let request: Option<Request> = super::parsed(body)?;
    let inputs = request.and_then(|request| request.inputs);
    Ok(inputs.map(|text| Prompt {
        texts: Some(vec![text]),
        ..Prompt::default()
    }))
}

fn piece(body: &[u8]) -> Result<Option<Piece>, DecodeError> {
    let message = if body.trim_ascii_start().starts_with(b"[") {
        super::parsed::<[Message; 1]>(body)?.map(|[message]| message)
    } else {
        super::parsed(body)?
    };
    Ok(message.and_then(of_message))
}

fn of_message(message: Message) -> Option<Piece> {
    let (whole, token) = (message.generated_text, message.token);
    if whole.is_none() && token.is_none() {
        return None;
    }
    let part = token.and_then(|token| token.text.filter(|_| !token.special));
    let (finish, tokens) = match message.details {
        Some(details) => (word(details.finish_reason), details.generated_tokens),
        None => (None, None),
    };
    Some(Piece {
        text: part,
        whole,
        finish: finish.map(|reason| (0, reason)).into_iter().collect(),
        usage: tokens.map(|tokens| Usage {
            completion_tokens: Some(tokens),
            ..Usage::default()
        }),
        ..Piece::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    const REQUEST: &str = r#"{"inputs":"My name is","parameters":{"details":true}}"#;

    #[test]
    fn a_text_comes_whole_or_token_by_token() {
        let whole = r#"[{"generated_text":" Anna","details":{"finish_reason":"length","generated_tokens":2}}]"#;
        let stream = concat!(
            "data:{\"token\":{\"id\":1,\"text\":\" An\",\"logprob\":-0.1,\"special\":false},\"generated_text\":null}\n\n",
            "data:{\"token\":{\"id\":2,\"text\":\"</s>\",\"special\":true},\"generated_text\":\" Anna\",",
            "\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2}}\n\n"
        );
        for (path, body, is_stream) in [
            ("/generate", whole, false),
            ("/generate_stream", stream, true),
        ] {
            let inference = read(path, REQUEST, body);
            assert_eq!((inference.format, inference.items()), ("tgi", 1));
            let generation = inference.generation.unwrap();
            assert_eq!(generation.output, " Anna");
            assert_eq!(generation.is_stream, is_stream);
            assert_eq!(generation.finish.unwrap(), ["length"]);
            assert_eq!(generation.usage.unwrap().completion_tokens, Some(2));
            assert_eq!(generation.prompts.unwrap(), ["My name is"]);
        }
    }
}
