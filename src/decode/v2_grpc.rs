//! Open Inference over gRPC: `ModelInfer`, and `ModelStreamInfer` with several messages each way.
//!
//! Each message of a stream is an inference of its own; the items of all are those of the exchange, in
//! the order of the requests where messages have ids, else in their own. A request that was
//! answered with an error has no items, unless all were. A decoupled model answers a request several
//! times or never: with ids, its rows stand beside each answer; without, or where that would take too
//! much room, the answers are read alone. Texts in parts are one text.
//!
//! From `grpc_service.proto` of the Open Inference Protocol and the specification "gRPC over HTTP2".

mod frames;
mod message;
mod stream;

pub(super) use self::frames::Frames;

use self::{
    message::{ANSWER, Message, REQUEST},
    stream::{Order, Replies},
};
use super::{
    Answer, Asked, DecodeError, Decoder, Generation, Named, Output, Pair, Prediction, content,
    meaning::Raw, protobuf::Malformed, table::Table, v2,
};

const FORMAT: &str = "v2_grpc";
const TOO_LARGE: DecodeError = DecodeError::TooLarge { format: FORMAT };

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| Method::of(pair).is_some(),
    is_anywhere: false,
    answer,
    request,
};

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Infer,
    Stream,
}

impl Method {
    fn of(pair: &Pair<'_>) -> Option<Self> {
        let path = pair.exchange.path.as_str();
        match path.strip_prefix("/inference.GRPCInferenceService/")? {
            "ModelInfer" => Some(Self::Infer),
            "ModelStreamInfer" => Some(Self::Stream),
            _ => None,
        }
    }
}

impl From<Malformed> for DecodeError {
    fn from(_: Malformed) -> Self {
        Self::Syntax
    }
}

fn requests<'a>(pair: &'a Pair<'_>) -> Frames<'a> {
    let codings = content::Messages::of(&pair.exchange.request, pair.request, pair.bounds);
    Frames::of(pair.request, codings)
}

fn answers<'a>(pair: &'a Pair<'_>) -> Frames<'a> {
    let codings = content::Messages::of(&pair.exchange.response, pair.response, pair.bounds);
    Frames::of(pair.response, codings)
}

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    if pair.response.is_empty() {
        return Err(DecodeError::Empty);
    }
    let is_stream = Method::of(pair) == Some(Method::Stream);
    let mut answer = Answer {
        sure: true,
        ..Answer::default()
    };
    let mut named = Named::default();
    let (mut order, mut parts) = (Order::default(), v2::Parts::default());
    let mut bytes = pair.bytes();
    for frame in answers(pair) {
        let frame = frame?;
        // what a message inflates to came with it
        bytes = bytes.max(pair.request.len() + frame.len());
        let body = if is_stream {
            let response = stream::response(&frame)?;
            answer.note = answer.note.or(response.is_error().then_some(FAILED));
            response.message
        } else {
            Some(&*frame)
        };
        let Some(body) = body else {
            continue;
        };
        let message = Message::read(body, &ANSWER, frame.len())?;
        named.add(message.document.model, message.document.version);
        let mut tensors = message.document.tensors.unwrap_or_default();
        if is_stream {
            parts.add(stream::number(message.id), &tensors);
        } else {
            v2::unbatch(&mut tensors, |items| asks_one_row(pair, items));
        }
        let raw = v2::raw(tensors, bytes).map_err(|_| TOO_LARGE)?;
        order.push(message.id, raw.items());
        answer.raw.append(raw);
    }
    if is_stream && let Some((texts, generation)) = parts.finish(requests(pair).count()) {
        answer.generation = Some(Box::new(Generation {
            prompts: prompts(pair),
            ..generation
        }));
        answer.raw = Raw {
            outputs: vec![Output::from(Prediction::Unknown); texts],
            ..Raw::default()
        };
    } else if is_stream && order.has_several() {
        let ids = requests(pair).map_while(|frame| Some(stream::id(&frame.ok()?)));
        if let Some(places) = order.by(ids) {
            answer.raw = answer.raw.reordered(&places);
        }
    }
    (answer.model, answer.version) = named.of_all();
    Ok(Some(answer))
}

/// What is said of a stream that holds an error beside its answers, or nothing else.
const FAILED: &str = "requests of the stream were answered with an error";

/// What was to be continued, of the first request.
fn prompts(pair: &Pair<'_>) -> Option<Vec<String>> {
    let frame = requests(pair).next()?.ok()?;
    let message = Message::read(&frame, &REQUEST, frame.len()).ok()?;
    v2::prompts(&message.document.tensors?)
}

/// Whether lists of other lengths than that of the answer were asked.
fn asks_one_row(pair: &Pair<'_>, items: usize) -> bool {
    requests(pair).next().is_some_and(|frame| {
        let frame = frame.unwrap_or_default();
        let message = Message::read(&frame, &REQUEST, frame.len());
        let tensors = message.ok().and_then(|message| message.document.tensors);
        v2::are_one_row(&tensors.unwrap_or_default(), items)
    })
}

/// What cannot be read of a request costs its features.
fn request(pair: &Pair<'_>, items: Option<usize>) -> Result<Option<Asked>, DecodeError> {
    let is_stream = Method::of(pair) == Some(Method::Stream);
    let replies = match items {
        Some(1..) if is_stream => Replies::of(requests(pair), answers(pair)),
        _ => Replies::default(),
    };
    let mut asked = Asked::default();
    let (mut named, mut once) = (Named::default(), 0);
    // with several messages, items are not those of one
    let of_one = items.filter(|_| !is_stream);
    for (place, frame) in requests(pair).enumerate() {
        let read = frame.as_ref().map_err(|error| *error);
        let read = read.and_then(|frame| Message::read(frame, &REQUEST, frame.len()));
        let Ok(message) = read else {
            asked.table = Table::default();
            break;
        };
        named.add(
            message.document.model.clone(),
            message.document.version.clone(),
        );
        let times = replies.to(place, message.id);
        if times == 0 {
            continue;
        }
        let bytes = frame.as_ref().map_or(0, |frame| frame.len());
        let table = v2::table(message.document, of_one, bytes).map_err(|_| TOO_LARGE)?;
        let table = table.unwrap_or_default();
        once += table.rows();
        let is_small = times == 1 || table.held_bytes().saturating_mul(times) <= pair.bytes();
        if is_small {
            (1..times).for_each(|_| asked.table.append(table.clone()));
            asked.table.append(table);
        } else {
            asked.table.append(Table::of_rows(table.rows() * times));
        }
    }
    (asked.model, asked.version) = named.of_all();
    if let Some(items) = items.filter(|items| is_stream && *items > 0) {
        join(&mut asked, once, items);
    }
    Ok(Some(asked))
}

/// Drops rows that cannot be those of so many items; `once`: rows where no request counts twice, as of
/// texts that come in parts.
fn join(asked: &mut Asked, once: usize, items: usize) {
    if asked.table.rows() == items || asked.table.rows() == 0 {
        return;
    }
    let is_text = once == items;
    asked.note = (!is_text).then_some(v2::UNJOINED);
    asked.table = Table::of_rows(if is_text { once } else { 0 });
}

impl Raw {
    /// The items at `places`, each of them once.
    fn reordered(mut self, places: &[usize]) -> Self {
        if !self.outputs.is_empty() {
            let take = |place: &usize| {
                let unknown = super::Prediction::Unknown.into();
                self.outputs
                    .get_mut(*place)
                    .map(|o| std::mem::replace(o, unknown))
            };
            self.outputs = places.iter().filter_map(take).collect();
        }
        if let Some(vectors) = &mut self.vectors {
            let width = vectors.width;
            let row = |place: &usize| vectors.numbers.chunks_exact(width.max(1)).nth(*place);
            let rows = places.iter().filter_map(row).flatten();
            vectors.numbers = rows.copied().collect();
        }
        self
    }
}

#[cfg(test)]
mod tests;
