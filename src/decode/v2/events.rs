//! Streams of Open Inference over REST, and what `MLServer` calls generating.
//!
//! | | path `/v2/models/{model}[/versions/{version}]/infer_stream`, `/generate`, `/generate_stream` |
//! |---|---|
//! | request | as of `/infer` |
//! | answer | events, each with an answer as of `/infer`; of `/generate`, one alone |
//!
//! Texts that come in parts are one text. Other answers are items, joined with the rows of the request
//! where there are as many. From `MLServer`'s guide to streaming.

use super::{
    super::{
        Answer, Asked, DecodeError, Decoder, Named, Output, Pair, Prediction, generate,
        meaning::Raw, table::Table, walk,
    },
    Parts, document, parts,
};

const FORMAT: &str = "v2_stream";

pub(in super::super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| {
        let path = &pair.exchange.path;
        let mut ends = ["/infer_stream", "/generate", "/generate_stream"].iter();
        path.contains("/v2/models/") && ends.any(|end| path.ends_with(end))
    },
    is_anywhere: false,
    answer,
    request,
};

/// What is said of requests whose answers are as many as none of them has rows.
pub(in super::super) const UNJOINED: &str =
    "answers of the stream are not as many as its requests have rows: they were not joined";

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let is_stream = generate::are_events(pair.response);
    let mut answer = Answer::default();
    let (mut named, mut parts) = (Named::default(), Parts::default());
    for data in messages(pair.response, is_stream) {
        let place = document::Message {
            list: "outputs",
            bytes: data.len(),
        };
        let document = walk::read(FORMAT, data, place)?;
        let Some(tensors) = document.tensors else {
            if is_stream && generate::is_error(data) {
                answer.note = Some(generate::FAILED);
                answer.sure = true;
            }
            continue;
        };
        answer.sure = true;
        named.add(document.model, document.version);
        parts.add(None, &tensors);
        let too_large = |_| DecodeError::TooLarge { format: FORMAT };
        answer
            .raw
            .append(super::raw(tensors, pair.bytes()).map_err(too_large)?);
    }
    if !answer.sure {
        return Ok(None);
    }
    (answer.model, answer.version) = named.of_all();
    // of a path that generates, a word is a text however it came
    let requests = usize::from(pair.exchange.path.ends_with("/infer_stream"));
    if let Some((texts, mut generation)) = parts.finish(requests) {
        generation.prompts = prompts(pair);
        generation.is_stream = is_stream;
        generation.content_chunks = generation.content_chunks.filter(|_| is_stream);
        generation.done_marker = is_stream.then(|| is_done(pair.response));
        answer.generation = Some(Box::new(generation));
        answer.raw = Raw {
            outputs: vec![Output::from(Prediction::Unknown); texts],
            ..Raw::default()
        };
    }
    Ok(Some(answer))
}

fn messages(body: &[u8], is_stream: bool) -> impl Iterator<Item = &[u8]> {
    let events = is_stream.then(|| generate::events(body));
    let alone = (!is_stream).then_some(body);
    let events = events.into_iter().flatten().chain(alone);
    events.filter(|data| *data != generate::DONE)
}

fn is_done(body: &[u8]) -> bool {
    generate::events(body).any(|data| data == generate::DONE)
}

fn prompts(pair: &Pair<'_>) -> Option<Vec<String>> {
    let place = document::Message {
        list: "inputs",
        bytes: pair.request.len(),
    };
    let document = walk::read(FORMAT, pair.request, place).ok()?;
    parts::prompts(&document.tensors?)
}

fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let place = document::Message {
        list: "inputs",
        bytes: pair.request.len(),
    };
    let document = match walk::read(FORMAT, pair.request, place) {
        Err(error @ DecodeError::TooLarge { .. }) => return Err(error),
        read => read.unwrap_or_default(),
    };
    let items = items.filter(|items| *items > 0);
    let table = super::table(document, items, pair.request.len())
        .map_err(|_| DecodeError::TooLarge { format: FORMAT })?
        .unwrap_or_else(Table::default);
    let is_joined = items.is_none_or(|items| items == table.rows() || table.rows() == 0);
    Ok(Some(Asked {
        table: if is_joined { table } else { Table::default() },
        note: (!is_joined).then_some(UNJOINED),
        ..Asked::default()
    }))
}
