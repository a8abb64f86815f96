//! Responses as `OpenAI` has them beside chat completions.
//!
//! | | path that ends with `/responses` |
//! |---|---|
//! | request | `{"model", "input": text or messages, "stream"?}` |
//! | answer | `{"object": "response", "model", "status", "output": [{"content": [{"text"}]}], "usage"?}` |
//! | stream | events with a `type`: parts in `delta`, at last the whole answer as `response` |
//!
//! A text ended as the status says, or for the reason that it is incomplete. From the reference of
//! `OpenAI`'s API (responses, streaming events).

use serde::Deserialize;

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair, Usage},
    Piece, Prompt, fields, word,
};

const FORMAT: &str = "openai_responses";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| pair.exchange.path.ends_with("/responses"),
    is_anywhere: false,
    answer,
    request,
};

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::texts")]
    input: Option<Vec<String>>,
}

/// An event of a stream, or what makes an answer one.
#[derive(Deserialize)]
struct Message {
    #[serde(default, rename = "type", deserialize_with = "fields::text")]
    event: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    object: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    delta: Option<String>,
    response: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    status: Option<String>,
    incomplete_details: Option<Incomplete>,
    #[serde(default, deserialize_with = "fields::few")]
    output: Option<Vec<Output>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Incomplete {
    #[serde(default, deserialize_with = "fields::text")]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default, rename = "type", deserialize_with = "fields::text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "fields::few")]
    content: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default, deserialize_with = "fields::text")]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default, deserialize_with = "fields::count")]
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(default, deserialize_with = "fields::count")]
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
    #[serde(default, deserialize_with = "fields::count")]
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    super::answer(pair, prompt, piece)
}

fn request(pair: &Pair<'_>, _: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    super::request(pair, prompt, FORMAT)
}

/// The model may be that of a stored prompt, and the input that of an earlier response.
fn prompt(body: &[u8]) -> Result<Option<Prompt>, DecodeError> {
    let request: Option<Request> = super::parsed(body)?;
    Ok(request.map(|request| Prompt {
        model: word(request.model),
        texts: request.input,
        ..Prompt::default()
    }))
}

fn piece(body: &[u8]) -> Result<Option<Piece>, DecodeError> {
    let Some(message) = super::parsed::<Message>(body)? else {
        return Ok(None);
    };
    match message.event.as_deref() {
        Some("response.output_text.delta") => Ok(Some(Piece {
            text: message.delta,
            ..Piece::default()
        })),
        Some(event) if event.starts_with("response.") => {
            Ok(Some(message.response.map(of_response).unwrap_or_default()))
        }
        None if message.object.as_deref() == Some("response") => {
            Ok(super::parsed(body)?.map(of_response))
        }
        _ => Ok(None),
    }
}

fn of_response(response: Response) -> Piece {
    let status = response.status.filter(|status| is_final(status));
    let reason = response.incomplete_details.and_then(|why| why.reason);
    let output = response.output.unwrap_or_default();
    let messages = output.into_iter().filter(is_message);
    let parts = messages.filter_map(|message| message.content).flatten();
    let whole: String = parts.filter_map(|part| part.text).collect();
    Piece {
        model: word(response.model),
        whole: Some(whole),
        finish: word(reason.or(status))
            .map(|finish| (0, finish))
            .into_iter()
            .collect(),
        usage: response.usage.map(|tokens| Usage {
            prompt_tokens: tokens.input,
            completion_tokens: tokens.output,
            total_tokens: tokens.total,
        }),
        ..Piece::default()
    }
}

/// Reasoning has texts too, and a call of a tool has none.
fn is_message(output: &Output) -> bool {
    output.kind.as_deref().is_none_or(|kind| kind == "message")
}

/// Whether nothing more is written.
fn is_final(status: &str) -> bool {
    !matches!(status, "queued" | "in_progress")
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    const PATH: &str = "/v1/responses";

    #[test]
    fn a_response_comes_whole_or_event_by_event() {
        let whole = r#"{"object":"response","model":"m-1","status":"completed","output":[
            {"type":"reasoning","summary":[],"content":[{"text":"hm"}]},
            {"type":"message","content":[{"type":"output_text","text":"Hi "},{"type":"output_text","text":"you"}]}],
            "usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}"#;
        let stream = format!(
            "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"model\":\"m-1\",\"status\":\"in_progress\",\"output\":[]}}}}\n\n\
             data: {{\"type\":\"response.output_text.delta\",\"delta\":\"Hi \"}}\n\n\
             data: {{\"type\":\"response.output_text.delta\",\"delta\":\"you\"}}\n\n\
             data: {{\"type\":\"response.completed\",\"response\":{}}}\n\n",
            whole.replace('\n', "")
        );
        for (body, is_stream) in [(whole, false), (&stream, true)] {
            let inference = read(PATH, r#"{"model":"m","input":"Hello"}"#, body);
            assert_eq!(
                (inference.format, inference.items()),
                ("openai_responses", 1)
            );
            assert_eq!(inference.model.as_deref(), Some("m-1"));
            let generation = inference.generation.unwrap();
            assert_eq!(
                (generation.output.as_str(), generation.is_stream),
                ("Hi you", is_stream)
            );
            assert_eq!(generation.prompts.unwrap(), ["Hello"]);
            assert_eq!(generation.finish.unwrap(), ["completed"]);
            assert_eq!(generation.usage.unwrap().total_tokens, Some(5));
            assert_eq!(generation.content_chunks, is_stream.then_some(2));
        }
    }

    #[test]
    fn what_breaks_off_says_why_and_what_waits_says_nothing() {
        let body = r#"{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},
            "output":[{"type":"message","content":[{"text":"a"}]},{"type":"function_call","name":"f"}],"usage":null}"#;
        let messages = r#"{"model":"m","input":[{"role":"user","content":"Hello"}]}"#;
        let generation = read(PATH, messages, body).generation.unwrap();
        assert_eq!(generation.finish.unwrap(), ["max_output_tokens"]);
        assert_eq!(generation.prompts, None);
        let queued = r#"{"object":"response","status":"queued","output":[]}"#;
        let generation = read(PATH, messages, queued).generation.unwrap();
        assert_eq!((generation.output.as_str(), generation.finish), ("", None));
    }
}
