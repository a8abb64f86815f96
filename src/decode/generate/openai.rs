//! Chat and text completions as `OpenAI` has them, which most servers of language models speak.
//!
//! | | path that ends with `/chat/completions` or `/completions`, or a chat on `/invocations` |
//! |---|---|
//! | request | `{"model", "messages" or "prompt", "stream"?}` |
//! | answer | `{"model", "choices": [{"message": {"content"} or "text", "finish_reason"}], "usage"?}` |
//! | stream | events with `choices[].delta.content` or `choices[].text`, then `[DONE]` |
//!
//! From the reference of `OpenAI`'s API (chat completions, completions, streaming).

use serde::Deserialize;

use super::{
    super::{Answer, Asked, DecodeError, Decoder, Pair, Usage},
    Piece, Prompt, fields, word,
};

const FORMAT: &str = "openai";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| pair.exchange.path.ends_with("/completions") || is_chat_of_a_container(pair),
    is_anywhere: false,
    answer,
    request,
};

/// Containers of `MLflow` and `SageMaker` answer all questions on one path, chats too.
fn is_chat_of_a_container(pair: &Pair<'_>) -> bool {
    let has = |body: &[u8], field: &[u8]| memchr::memmem::find(body, field).is_some();
    pair.exchange.path.ends_with("/invocations")
        && has(pair.response, b"\"choices\"")
        && (has(pair.request, b"\"messages\"") || has(pair.request, b"\"prompt\""))
}

#[derive(Deserialize)]
struct Request {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::texts")]
    prompt: Option<Vec<String>>,
    #[serde(default, deserialize_with = "fields::few")]
    messages: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "fields::text")]
    model: Option<String>,
    #[serde(default, deserialize_with = "fields::few")]
    choices: Option<Vec<Choice>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    #[serde(default, deserialize_with = "fields::text")]
    finish_reason: Option<String>,
    #[serde(default, deserialize_with = "fields::text")]
    text: Option<String>,
    message: Option<Content>,
    delta: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default, deserialize_with = "fields::text")]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default, deserialize_with = "fields::count")]
    #[serde(rename = "prompt_tokens")]
    prompt: Option<u64>,
    #[serde(default, deserialize_with = "fields::count")]
    #[serde(rename = "completion_tokens")]
    completion: Option<u64>,
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

fn prompt(body: &[u8]) -> Result<Option<Prompt>, DecodeError> {
    let request: Option<Request> = super::parsed(body)?;
    let request = request.filter(|r| r.prompt.is_some() || r.messages.is_some());
    Ok(request.map(|request| Prompt {
        model: word(request.model),
        texts: request.prompt,
        ..Prompt::default()
    }))
}

fn piece(body: &[u8]) -> Result<Option<Piece>, DecodeError> {
    let message: Option<Message> = super::parsed(body)?;
    Ok(message.and_then(|message| {
        let mut choices = message.choices?;
        let finish = choices.iter_mut().filter_map(|choice| {
            let reason = choice.finish_reason.take()?;
            Some((choice.index, super::word(Some(reason))?))
        });
        let finish = finish.collect();
        let first = choices.into_iter().find(|choice| choice.index == 0);
        let text = first.and_then(|choice| {
            let content = choice.delta.or(choice.message);
            choice.text.or_else(|| content?.content)
        });
        Some(Piece {
            model: word(message.model),
            text,
            finish,
            usage: message.usage.map(|tokens| Usage {
                prompt_tokens: tokens.prompt,
                completion_tokens: tokens.completion,
                total_tokens: tokens.total,
            }),
            ..Piece::default()
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;

    const PATH: &str = "/openai/v1/chat/completions";
    const REQUEST: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"n":2}"#;

    #[test]
    fn a_chat_is_one_item_with_the_text_of_its_first_choice() {
        let response = r#"{"model":"m-1","choices":[
            {"index":1,"message":{"content":"b"},"finish_reason":"length"},
            {"index":0,"message":{"content":"a"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"details":{}}}"#;
        let inference = read(PATH, REQUEST, response);
        assert_eq!((inference.format, inference.items()), ("openai", 1));
        assert_eq!(inference.model.as_deref(), Some("m-1"));
        let generation = inference.generation.unwrap();
        assert_eq!(generation.output, "a");
        assert_eq!(generation.finish.unwrap(), ["stop", "length"]);
        assert_eq!(generation.usage.unwrap().total_tokens, Some(5));
        assert_eq!(
            (generation.content_chunks, generation.prompts),
            (None, None)
        );
        assert!(!generation.is_stream);
    }

    #[test]
    fn a_call_of_a_tool_has_no_text_and_a_stream_may_end_with_usage_alone() {
        let body = concat!(
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"tool_calls\":[{}]}}],\"usage\":null}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n"
        );
        let inference = read(PATH, REQUEST, body);
        assert_eq!(inference.model.as_deref(), Some("m"));
        let generation = inference.generation.unwrap();
        assert_eq!(
            (generation.output.as_str(), generation.content_chunks),
            ("", Some(0))
        );
        assert_eq!(generation.finish.unwrap(), ["tool_calls"]);
        let usage = generation.usage.unwrap();
        assert_eq!(
            (usage.completion_tokens, usage.total_tokens),
            (Some(2), None)
        );
    }
}
