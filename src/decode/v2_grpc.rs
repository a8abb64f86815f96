//! Open Inference over gRPC: `ModelInfer`, and `ModelStreamInfer` with several messages each way.
//!
//! Each message of a stream is an inference of its own; the items of all are those of the exchange, in
//! the order of the requests where messages have ids, else in their own. A request that was
//! answered with an error has no items, unless all were.
//!
//! From `grpc_service.proto` of the Open Inference Protocol and the specification "gRPC over HTTP2".

mod frames;
mod message;
mod stream;

pub(super) use self::frames::Frames;

use self::{
    message::{ANSWER, Message, REQUEST},
    stream::Order,
};
use super::{
    Answer, Asked, DecodeError, Decoder, Pair, content,
    meaning::{Field, Raw},
    protobuf::Malformed,
    table::Table,
    v2,
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
    let mut order = Order::default();
    let mut bytes = pair.bytes();
    for frame in answers(pair) {
        let frame = frame?;
        // what a message inflates to came with it
        bytes = bytes.max(pair.request.len() + frame.len());
        let body = if is_stream {
            stream::response(&frame)?.message
        } else {
            Some(&*frame)
        };
        let Some(body) = body else {
            continue;
        };
        let message = Message::read(body, &ANSWER, frame.len())?;
        named.add(message.document.model, message.document.version);
        let mut tensors = message.document.tensors.unwrap_or_default();
        if !is_stream {
            v2::unbatch(&mut tensors, |items| asks_one_row(pair, items));
        }
        let raw = v2::raw(tensors, bytes).map_err(|_| TOO_LARGE)?;
        order.push(message.id, raw.items());
        answer.raw.append(raw);
    }
    if is_stream && order.has_several() {
        let ids = requests(pair).map_while(|frame| Some(stream::id(&frame.ok()?)));
        if let Some(places) = order.by(ids) {
            answer.raw = answer.raw.reordered(&places);
        }
    }
    (answer.model, answer.version) = named.of_all();
    Ok(Some(answer))
}

/// Model and version of the messages of a stream.
#[derive(Default)]
struct Named {
    model: Option<String>,
    version: Option<String>,
    /// Messages name others: items of one must not count for another.
    are_several: bool,
}

impl Named {
    fn add(&mut self, model: Option<String>, version: Option<String>) {
        let is_other = |known: &Option<String>, named: &Option<String>| {
            known.is_some() && named.is_some() && known != named
        };
        self.are_several |= is_other(&self.model, &model) || is_other(&self.version, &version);
        self.model = self.model.take().or(model);
        self.version = self.version.take().or(version);
    }

    fn of_all(self) -> (Option<String>, Option<String>) {
        if self.are_several {
            return (None, None);
        }
        (self.model, self.version)
    }
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
    let failed = if is_stream && items.is_some() {
        stream::failed(answers(pair))
    } else {
        stream::Failed::default()
    };
    let mut asked = Asked::default();
    let mut named = Named::default();
    // with several messages, items are not those of one
    let items = items.filter(|_| !is_stream);
    for (place, frame) in requests(pair).enumerate() {
        let Ok(frame) = frame else {
            asked.table = Table::default();
            break;
        };
        let Ok(message) = Message::read(&frame, &REQUEST, frame.len()) else {
            asked.table = Table::default();
            break;
        };
        named.add(
            message.document.model.clone(),
            message.document.version.clone(),
        );
        if failed.has(place, message.id) {
            continue;
        }
        let table = v2::table(message.document, items, frame.len()).map_err(|_| TOO_LARGE)?;
        asked.table.append(table.unwrap_or_default());
    }
    (asked.model, asked.version) = named.of_all();
    Ok(Some(asked))
}

impl Raw {
    /// Adds the items of another message. Vectors stay where both have the same.
    fn append(&mut self, mut other: Self) {
        if self.items() == 0 {
            *self = other;
            return;
        }
        if other.items() == 0 {
            return;
        }
        let are_alike = self.outputs.is_empty() == other.outputs.is_empty()
            && match (&self.vectors, &other.vectors) {
                (Some(own), Some(others)) => {
                    own.width == others.width && own.labels == others.labels
                }
                (None, None) => true,
                _ => false,
            };
        if are_alike {
            if let (Some(own), Some(others)) = (&mut self.vectors, other.vectors) {
                own.numbers.extend(others.numbers);
            }
            self.outputs.extend(other.outputs);
        } else {
            self.be_outputs();
            other.be_outputs();
            self.outputs.extend(other.outputs);
        }
        self.is_ranking &= other.is_ranking;
        self.is_argmax &= other.is_argmax;
        if self.field != other.field {
            self.field = Field::Open;
        }
    }

    /// Vectors alone become items of which nothing is known.
    fn be_outputs(&mut self) {
        let items = self.items();
        self.vectors = None;
        self.outputs
            .resize_with(items, || super::Prediction::Unknown.into());
    }

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
