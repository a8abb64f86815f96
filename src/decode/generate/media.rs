//! Speech and images as `OpenAI` has them: what was said is a text, and other things are counted alone.
//!
//! | path that ends with | request | answer |
//! |---|---|---|
//! | `/audio/transcriptions`, `/audio/translations` | parts of a form with a `file` | `{"text"}`, text alone, or events with a `type` |
//! | `/audio/speech` | `{"model", "input", "voice"}` | bytes |
//! | `/images/generations`, `/images/edits` | `{"model", "prompt"}`, or parts of a form | `{"data": [..]}` |
//!
//! From the reference of `OpenAI`'s API (audio, images).

use serde::Deserialize;

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair},
    Piece, Prompt, Written, fields, word,
};

const FORMAT: &str = "openai_media";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| is_heard(pair) || is_made(pair),
    is_anywhere: false,
    answer,
    request,
};

fn is_heard(pair: &Pair<'_>) -> bool {
    let path = &pair.exchange.path;
    path.ends_with("/audio/transcriptions") || path.ends_with("/audio/translations")
}

fn is_made(pair: &Pair<'_>) -> bool {
    let path = &pair.exchange.path;
    let mut ends = ["/audio/speech", "/images/generations", "/images/edits"].iter();
    ends.any(|end| path.ends_with(end))
}

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::texts")]
    #[serde(alias = "prompt")]
    input: Option<Vec<String>>,
}

/// An answer, or an event of a stream.
#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "fields::text")]
    text: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    delta: Option<String>,
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if is_heard(pair) {
        return match super::answer(pair, prompt, piece) {
            // a text alone, or subtitles
            Err(DecodeError::NotJson) => Ok(alone(pair, Some(pair.response))),
            read => read,
        };
    }
    Ok(alone(pair, None))
}

/// One item, with its text where it is one.
fn alone(pair: &Pair<'_>, text: Option<&[u8]>) -> Option<Answer> {
    let mut written = Written::default();
    written.add(Piece {
        whole: text.map(|text| String::from_utf8_lossy(text.trim_ascii()).into_owned()),
        ..Piece::default()
    });
    written.answer(prompt(pair.request).ok().flatten())
}

fn request(pair: &Pair<'_>, _: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    // a form is not looked into: it holds what was said, and costs no more than it must
    let prompt = prompt(pair.request).ok().flatten().unwrap_or_default();
    super::asked(prompt, FORMAT).map(Some)
}

fn prompt(body: &[u8]) -> Result<Option<Prompt>, DecodeError> {
    let request: Option<Request> = super::parsed(body)?;
    Ok(request.map(|request| Prompt {
        model: word(request.model),
        texts: request.input,
        ..Prompt::default()
    }))
}

fn piece(body: &[u8]) -> Result<Option<Piece>, DecodeError> {
    let message: Option<Message> = super::parsed(body)?;
    Ok(message.and_then(|message| {
        let is_any = message.text.is_some() || message.delta.is_some();
        is_any.then_some(Piece {
            text: message.delta,
            whole: message.text,
            ..Piece::default()
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    #[test]
    fn what_was_said_is_a_text_in_any_form() {
        let stream = concat!(
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hi\"}\n\n",
            "data: {\"type\":\"transcript.text.delta\",\"delta\":\" you\"}\n\n",
            "data: {\"type\":\"transcript.text.done\",\"text\":\"Hi you\"}\n\n"
        );
        for body in [r#"{"text":"Hi you"}"#, "Hi you\n", stream] {
            let inference = read("/v1/audio/transcriptions", "--x\r\n", body);
            assert_eq!((inference.format, inference.items()), ("openai_media", 1));
            assert_eq!(inference.generation.unwrap().output, "Hi you");
        }
    }

    #[test]
    fn what_is_made_is_an_item_of_which_nothing_is_known() {
        let request = r#"{"model":"m","prompt":"a cat"}"#;
        for (path, body) in [
            (
                "/v1/images/generations",
                r#"{"created":1,"data":[{"b64_json":"AA=="}]}"#,
            ),
            ("/v1/audio/speech", "ID3\u{4}\0\0"),
        ] {
            let inference = read(path, request, body);
            assert_eq!((inference.outputs.len(), inference.rows), (1, 1));
            assert_eq!(inference.model.as_deref(), Some("m"));
            let generation = inference.generation.unwrap();
            assert_eq!(
                (generation.output.as_str(), generation.prompts.unwrap()),
                ("", vec!["a cat".to_owned()])
            );
        }
    }
}
