//! The generate extension of Open Inference.
//!
//! | | path `/v2/models/{model}[/versions/{version}]/generate[_stream]` |
//! |---|---|
//! | request | `{"text_input": text, "parameters"?}` |
//! | answer | `{"model_name", "model_version"?, "text_output"}` |
//! | stream | events, each with a part in `text_output` |
//!
//! Outputs of other names are stepped over: there was one item, of which nothing is known. From Triton's
//! description of its generate extension.

use serde::{Deserialize, de::IgnoredAny};

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair},
    Piece, Prompt, fields, word,
};

const FORMAT: &str = "v2_generate";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| {
        let path = &pair.exchange.path;
        path.starts_with("/v2/models/")
            && (path.ends_with("/generate") || path.ends_with("/generate_stream"))
    },
    is_anywhere: false,
    answer,
    request,
};

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::texts")]
    text_input: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "fields::text")]
    model_name: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    model_version: Option<String>,
    #[serde(default, deserialize_with = "fields::texts")]
    text_output: Option<Vec<String>>,
    /// It is one of another kind, and no answer that has outputs of other names.
    outputs: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    super::answer(pair, prompt, piece)
}

fn request(pair: &Pair<'_>, _: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    super::request(pair, prompt, FORMAT)
}

fn prompt(body: &[u8]) -> Result<Option<Prompt>, DecodeError> {
    let request: Option<Request> = super::parsed(body)?;
    let texts = request.and_then(|request| request.text_input);
    Ok(texts.map(|texts| Prompt {
        texts: Some(texts),
        ..Prompt::default()
    }))
}

fn piece(body: &[u8]) -> Result<Option<Piece>, DecodeError> {
    let message: Option<Message> = super::parsed(body)?;
    Ok(message.and_then(|message| {
        let is_other = message.outputs.is_some() || message.error.is_some();
        if message.text_output.is_none() && (is_other || message.model_name.is_none()) {
            return None;
        }
        let text = message.text_output.unwrap_or_default().into_iter().next();
        Some(Piece {
            model: word(message.model_name),
            version: word(message.model_version),
            text,
            ..Piece::default()
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    #[test]
    fn parts_of_a_stream_are_one_text_of_the_model_that_they_name() {
        let request = r#"{"text_input":"hi","parameters":{"stream":true}}"#;
        let body = concat!(
            "data: {\"model_name\":\"llm\",\"model_version\":\"1\",\"text_output\":\"a \"}\n\n",
            "data: {\"model_name\":\"llm\",\"model_version\":\"1\",\"text_output\":\"b\"}\n\n"
        );
        let inference = read("/v2/models/llm/generate_stream", request, body);
        assert_eq!(inference.format, "v2_generate");
        let named = (inference.model.as_deref(), inference.version.as_deref());
        assert_eq!(named, (Some("llm"), Some("1")));
        let generation = inference.generation.unwrap();
        assert_eq!(generation.output, "a b");
        assert_eq!(generation.prompts.unwrap(), ["hi"]);
        assert_eq!(generation.content_chunks, Some(2));
        assert_eq!(generation.done_marker, Some(false));
    }
}
