//! Messages as Anthropic has them, which servers such as vLLM and llama.cpp speak too.
//!
//! | | path that ends with `/v1/messages` |
//! |---|---|
//! | request | `{"model", "messages", "max_tokens", "stream"?}` |
//! | answer | `{"type": "message", "model", "content": [{"type": "text", "text"}], "stop_reason", "usage"}` |
//! | stream | events with a `type`: `message_start`, `content_block_delta`, `message_delta` |
//!
//! From the reference of Anthropic's API (messages, streaming messages).

use serde::{Deserialize, de::IgnoredAny};

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair, Usage},
    Piece, Prompt, fields, word,
};

const FORMAT: &str = "anthropic";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| pair.exchange.path.ends_with("/v1/messages"),
    is_anywhere: false,
    answer,
    request,
};

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::few")]
    messages: Option<Vec<IgnoredAny>>,
}

/// An answer, or an event of a stream.
#[derive(Deserialize)]
struct Message {
    #[serde(default, rename = "type", deserialize_with = "fields::text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::few")]
    content: Option<Vec<Part>>,
    #[serde(default, deserialize_with = "fields::text")]
    stop_reason: Option<String>,
    usage: Option<Tokens>,
    #[serde(rename = "message")]
    start: Option<Start>,
    delta: Option<Part>,
}

/// What a stream begins with.
#[derive(Deserialize)]
struct Start {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default, deserialize_with = "fields::text")]
    text: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default, rename = "input_tokens", deserialize_with = "fields::count")]
    input: Option<u64>,
    #[serde(default, rename = "output_tokens", deserialize_with = "fields::count")]
    output: Option<u64>,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Self {
            prompt_tokens: tokens.input,
            completion_tokens: tokens.output,
            total_tokens: None,
        }
    }
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    super::answer(pair, prompt, piece)
}

fn request(pair: &Pair<'_>, _: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    super::request(pair, prompt, FORMAT)
}

fn prompt(body: &[u8]) -> Result<Option<Prompt>, DecodeError> {
    let request: Option<Request> = super::parsed(body)?;
    let request = request.filter(|request| request.messages.is_some());
    Ok(request.map(|request| Prompt {
        model: word(request.model),
        ..Prompt::default()
    }))
}

fn piece(body: &[u8]) -> Result<Option<Piece>, DecodeError> {
    let message: Option<Message> = super::parsed(body)?;
    Ok(message.and_then(|message| match message.kind.as_deref()? {
        "message" => {
            let parts = message.content.unwrap_or_default();
            Some(Piece {
                model: word(message.model),
                whole: Some(parts.into_iter().filter_map(|part| part.text).collect()),
                finish: ended(message.stop_reason),
                usage: message.usage.map(Usage::from),
                ..Piece::default()
            })
        }
        "message_start" => message.start.map(|start| Piece {
            model: word(start.model),
            usage: start.usage.map(Usage::from),
            ..Piece::default()
        }),
        "content_block_delta" | "message_delta" => message.delta.map(|delta| Piece {
            text: delta.text,
            finish: ended(delta.stop_reason),
            usage: message.usage.map(Usage::from),
            ..Piece::default()
        }),
        "content_block_start" | "content_block_stop" | "message_stop" | "ping" => {
            Some(Piece::default())
        }
        _ => None,
    }))
}

fn ended(reason: Option<String>) -> Vec<(usize, String)> {
    word(reason).map(|reason| (0, reason)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    #[test]
    fn a_message_comes_whole_or_event_by_event() {
        let request = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#;
        let whole = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[
            {"type":"text","text":"Hi you"},{"type":"tool_use","name":"f","input":{}}],
            "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;
        let stream = concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m-1\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" you\"}}\n\n",
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n",
            "data: {\"type\":\"message_stop\"}\n\n"
        );
        for (body, chunks) in [(whole, None), (stream, Some(2))] {
            let inference = read("/v1/messages", request, body);
            assert_eq!((inference.format, inference.items()), ("anthropic", 1));
            assert_eq!(inference.model.as_deref(), Some("m-1"));
            let generation = inference.generation.unwrap();
            assert_eq!(
                (generation.output.as_str(), generation.content_chunks),
                ("Hi you", chunks)
            );
            assert_eq!(generation.finish.unwrap(), ["end_turn"]);
            let usage = generation.usage.unwrap();
            assert_eq!(
                (usage.prompt_tokens, usage.completion_tokens),
                (Some(3), Some(2))
            );
        }
    }
}
