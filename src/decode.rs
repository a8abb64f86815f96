//! What an exchange says: the model asked, the features sent, the classes answered.
//!
//! A wire format is one file with a `Decoder` and one line in `DECODERS`. Bodies come from
//! strangers: nothing here panics, recurses with the input, or takes more memory than a small
//! multiple of the bytes; what cannot be read is an error with a reason, never an invention.

mod azure;
mod bentoml;
mod blame;
mod classified;
mod content;
mod csv;
mod embeddings;
mod error;
mod form;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod generate;
mod generation;
mod inference;
mod iris;
mod json;
mod lenient;
mod lot;
mod mapped;
mod meaning;
mod messages;
mod mlflow;
#[cfg(test)]
mod mutated;
mod one;
mod path;
mod predictions;
mod protobuf;
mod ranked;
mod reader;
mod rows;
mod sagemaker;
mod seldon;
mod shown;
mod stated;
mod subject;
mod table;
mod tape;
mod target;
mod tei;
mod text;
mod texts;
mod torchserve;
mod v1;
mod v2;
mod v2_grpc;
mod walk;

use std::cell::OnceCell;

pub use blame::blame;
pub use error::DecodeError;
pub use generation::{Generation, Usage};
pub use inference::{
    Column, Inference, Name, Output, Prediction, Probabilities, Scalar, Source, Values,
};
pub use lot::Lot;
use meaning::{Meaning, Raw, Rules};
use memchr::{
    memchr,
    memmem::{Finder, find},
};
use messages::Named;
pub use seldon::{Told, told};
use serde::de::IgnoredAny;
pub use stated::{identity, named};
pub use subject::subject;
use table::Table;
pub use target::{Target, target};
pub use text::Text;

use crate::{
    capture::{Exchange, grpc, route::Route},
    config::{self, RouteKind},
};

/// One wire format, as functions without state.
struct Decoder {
    /// Value of the label `format`, and of `format` of a route.
    format: &'static str,
    /// Whether path and fields of an exchange say that it is of this format.
    claims: fn(&Pair<'_>) -> bool,
    /// Whether bodies of another path may be of this format.
    is_anywhere: bool,
    /// What the answer says; `None`: it has another shape.
    answer: fn(&Pair<'_>) -> Result<Option<Answer>, DecodeError>,
    /// What the request asked, given the items of the answer where there was one; `None`: it has
    /// another shape.
    request: fn(&Pair<'_>, Option<usize>) -> Result<Option<Asked>, DecodeError>,
}

impl Decoder {
    /// Whether the route or the exchange's path and fields name this format, not its bodies alone.
    fn is_named(&self, pair: &Pair<'_>) -> bool {
        let route = pair.exchange.route.as_deref();
        match route.and_then(|route| route.format.as_deref()) {
            Some(named) => named == self.format,
            None => (self.claims)(pair),
        }
    }
}

/// The wire formats. Those that claim an exchange come first; then the first that knows an answer's
/// shape reads it.
const DECODERS: &[Decoder] = &[
    v1::DECODER,
    v2::BINARY,
    v2_grpc::DECODER,
    generate::OPENAI,
    generate::RESPONSES,
    generate::MEDIA,
    generate::ANTHROPIC,
    generate::V2,
    v2::STREAM,
    generate::TGI,
    embeddings::DECODER,
    ranked::DECODER,
    classified::DECODER,
    mlflow::DECODER,
    sagemaker::DECODER,
    azure::DECODER,
    torchserve::DECODER,
    tei::DECODER,
    bentoml::DECODER,
    iris::DECODER,
    seldon::DECODER,
    v2::DECODER,
    json::DECODER,
    generate::TOKENS,
    mapped::DECODER,
];

/// An exchange with both bodies as the applications wrote them, without content coding.
struct Pair<'a> {
    /// Its path, its fields, its status.
    exchange: &'a Exchange,
    request: &'a [u8],
    response: &'a [u8],
    /// What parts of them may inflate to; `None`: no body is looked at.
    bounds: Option<&'a config::Capture>,
    /// What the request looks like, once a format has asked.
    shape: OnceCell<Result<json::Shape, DecodeError>>,
}

impl<'a> Pair<'a> {
    fn of(exchange: &'a Exchange, request: &'a [u8], response: &'a [u8]) -> Self {
        Self {
            exchange,
            request,
            response,
            bounds: None,
            shape: OnceCell::new(),
        }
    }

    fn within(mut self, bounds: &'a config::Capture) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// What the request looks like as JSON of any service.
    fn shape(&self) -> Result<json::Shape, DecodeError> {
        *self.shape.get_or_init(|| json::Shape::of(self.request))
    }

    /// Bytes of both bodies.
    fn bytes(&self) -> usize {
        self.request.len() + self.response.len()
    }

    /// Whether the answer is an object, from its first byte.
    fn answers_object(&self) -> bool {
        begins_object(self.response)
    }

    /// Whether the answer is an object that may have a field of that name, which takes less to see than
    /// to read it. `name`: to make a search ready takes longer than to search a short answer.
    fn answers_with(&self, name: &Finder<'_>) -> bool {
        // a letter is escaped by its number alone
        let may_escape =
            || memchr(b'\\', self.response).is_some() && find(self.response, b"\\u").is_some();
        self.answers_object() && (name.find(self.response).is_some() || may_escape())
    }

    /// Whether the request is one, likewise.
    fn asks_object(&self) -> bool {
        begins_object(self.request)
    }

    /// Whether its route says that it is of this format.
    fn is_of_route(&self, format: &str) -> bool {
        let route = self.exchange.route.as_deref();
        route.is_some_and(|route| route.format.as_deref() == Some(format))
    }
}

fn begins_object(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    text.trim_ascii_start().starts_with(b"{")
}

/// What an answer says.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    model: Option<String>,
    version: Option<String>,
    /// The name of the prediction, by which feedback tells of it.
    puid: Option<Box<str>>,
    raw: Raw,
    /// The task that will have the answer, or that it is of.
    task: Option<String>,
    /// What a model of texts wrote.
    generation: Option<Box<Generation>>,
    /// Why something of it is not known.
    note: Option<&'static str>,
    /// The shape alone tells a prediction from any other list of words or numbers.
    sure: bool,
}

/// What a request asks.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    model: Option<String>,
    version: Option<String>,
    table: Table,
    /// Why something of it is not known.
    note: Option<&'static str>,
}

impl From<Table> for Asked {
    fn from(table: Table) -> Self {
        Self {
            table,
            ..Self::default()
        }
    }
}

/// Every way in which reading can fail.
#[cfg(any(test, fuzzing))]
fn failures() -> impl Iterator<Item = DecodeError> {
    let formats = DECODERS.iter().map(|decoder| decoder.format);
    let of_formats = formats.flat_map(DecodeError::of_format);
    DecodeError::WITHOUT_FORMAT.into_iter().chain(of_formats)
}

/// Reads an exchange whose bodies were wanted and are whole; `bounds`: what they may inflate to.
///
/// An answer outside 2xx, or a call of gRPC that is not OK, holds no prediction: what can be read of its request is returned, and a
/// request that cannot be read is no failure, for the model refused it too. Under 2xx the answer
/// decides; a request that cannot be read costs its features only (`rows` is 0).
///
/// Measured: 0.7 us for one Iris exchange, 0.5 us a row in batches; up to 34 ns a byte for what
/// was made to be slow, and up to 16 times its bytes of memory at the peak (100 kB more for rows that
/// share no field).
///
/// # Errors
/// When the answer is not whole, broken, not JSON or of no known shape; when a bound is reached;
/// when request and answer disagree on the number of rows.
pub fn decode(exchange: &Exchange, bounds: &config::Capture) -> Result<Inference, DecodeError> {
    let request = content::body(&exchange.request, bounds).unwrap_or_default();
    let mut pair = Pair::of(exchange, &request, &[]).within(bounds);
    if has_failed(exchange) {
        return Ok(refused(&pair));
    }
    let response = content::body(&exchange.response, bounds)?;
    pair.response = &response;
    let mut failure = None;
    for decoder in candidates(&pair) {
        match (decoder.answer)(&pair) {
            Ok(Some(answer)) if answer.sure || is_prediction_route(exchange) => {
                return join(decoder, &pair, answer);
            }
            Ok(_) => {}
            // what is no JSON for one is none for the others
            Err(error @ (DecodeError::Syntax | DecodeError::NotUtf8)) => {
                return Err(failure.unwrap_or(error));
            }
            // nor do others read more than it may hold
            Err(error @ DecodeError::TooLarge { .. }) if decoder.is_named(&pair) => {
                return Err(failure.unwrap_or(error));
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let failure = failure.unwrap_or(DecodeError::UnknownShape);
    Err(match failure {
        // a word or a number alone is JSON too
        DecodeError::NotJson if is_json(&response) => DecodeError::UnknownShape,
        failure => failure,
    })
}

fn is_json(body: &[u8]) -> bool {
    reader::parsed::<IgnoredAny>(body).is_ok()
}

/// Whether its status, or that of its call of gRPC, says that there is no prediction.
fn has_failed(exchange: &Exchange) -> bool {
    let is_call_bad = exchange
        .grpc_status
        .is_some_and(|status| status != grpc::OK);
    is_call_bad || !(200..300).contains(&exchange.status)
}

/// Who may read it: the format of its route, else those that claim it and then those that read
/// bodies of any path.
fn candidates<'a>(pair: &'a Pair<'_>) -> impl Iterator<Item = &'static Decoder> + 'a {
    let named = pair
        .exchange
        .route
        .as_deref()
        .and_then(|r| r.format.as_deref());
    let claims = DECODERS
        .iter()
        .enumerate()
        .fold(0_u32, |claims, (place, decoder)| {
            let is_first = match named {
                Some(named) => decoder.format == named,
                None => (decoder.claims)(pair),
            };
            claims | u32::from(is_first) << place
        });
    let has_claimed = move |place: usize| claims >> place & 1 == 1;
    let all = || DECODERS.iter().enumerate();
    let first = all().filter(move |(place, _)| has_claimed(*place));
    let others = all().filter(move |(place, decoder)| {
        named.is_none() && decoder.is_anywhere && !has_claimed(*place)
    });
    first.chain(others).map(|(_, decoder)| decoder)
}

/// The request of an exchange that got no prediction. Where path or fields name formats, no other
/// reads it: what the model refused has the shape of anything. Features are what they say only on a
/// path that is known, and where none of them may be the mistake.
fn refused(pair: &Pair<'_>) -> Inference {
    let named = candidates(pair).find(|decoder| decoder.is_named(pair));
    let mut readers = candidates(pair).filter(|d| named.is_none() || d.is_named(pair));
    let read = readers.find_map(|decoder| {
        let asked = (decoder.request)(pair, None).ok()??;
        Some((decoder.format, asked))
    });
    let (format, asked) = read.unwrap_or_else(|| {
        let format = named.map_or(DecodeError::UNKNOWN, |decoder| decoder.format);
        (format, Asked::default())
    });
    let mut inference = inference(format, pair, asked, Answer::default());
    if named.is_none() && pair.exchange.route.is_none() || are_mixed(&inference.features) {
        inference.features = Vec::new();
    }
    inference
}

/// Whether there are texts where other features are numbers: in a request that was refused, one of
/// them may be the mistake.
fn are_mixed(features: &[Column]) -> bool {
    let is_numbers = |column: &Column| matches!(column.values, Values::Numbers(_));
    let has_texts = |column: &Column| match &column.values {
        Values::Mixed(values) => values.iter().any(|v| matches!(v, Scalar::Text(_))),
        Values::Numbers(_) => false,
    };
    features.iter().any(is_numbers) && features.iter().any(has_texts)
}

/// Puts request and answer together, if they can belong together.
fn join(decoder: &Decoder, pair: &Pair<'_>, mut answer: Answer) -> Result<Inference, DecodeError> {
    answer.raw = one::settle(decoder, pair, answer.raw);
    let outputs = answer.raw.items();
    let is_submitted = answer.task.is_some() && outputs == 0;
    let asked = match (decoder.request)(pair, (!is_submitted).then_some(outputs)) {
        Err(error @ DecodeError::TooLarge { .. }) => return Err(error),
        read => read.ok().flatten().unwrap_or_default(),
    };
    let inference = inference(decoder.format, pair, asked, answer);
    let rows = inference.rows;
    if rows != outputs && rows > 0 && outputs > 0 {
        return Err(DecodeError::RowMismatch {
            format: decoder.format,
            inputs: rows,
            outputs,
        });
    }
    Ok(inference)
}

/// What both sides say, with what the route says of them.
fn inference(format: &'static str, pair: &Pair<'_>, mut asked: Asked, answer: Answer) -> Inference {
    let route = pair.exchange.route.as_deref();
    let is_of_texts = route.is_some_and(|route| route.kind == RouteKind::Generate);
    if is_of_texts || answer.generation.is_some() {
        // what a model of texts was asked is no feature
        asked.table = Table::of_rows(asked.table.rows());
    }
    let (rows, mut features) = asked.table.finish();
    if let Some(route) = route {
        name_features(&mut features, &route.features);
    }
    let meaning = meaning::settle(answer.raw, route.map(rules).unwrap_or_default());
    let Meaning {
        outputs,
        source,
        probabilities,
    } = meaning;
    let named = target(&pair.exchange.path);
    let mut inference = Inference {
        format,
        model: stated::in_body(pair, route.and_then(|route| route.model.as_ref()))
            .or(answer.model)
            .or(asked.model)
            .or_else(|| shown::segment(named.model?)),
        version: stated::in_body(pair, route.and_then(|route| route.version.as_ref()))
            .or(answer.version)
            .or(asked.version)
            .or_else(|| shown::segment(named.version?)),
        puid: answer.puid,
        rows,
        features,
        outputs,
        source,
        probabilities,
        task: answer.task,
        generation: answer.generation,
        note: answer.note.or(asked.note),
    };
    shown::show(&mut inference);
    inference
}

/// Gives features that the wire has by position the names of the route.
fn name_features(features: &mut [Column], names: &[String]) {
    for column in features {
        if let Name::Position(place) = column.name
            && let Some(name) = names.get(place)
        {
            column.name = Name::Word(walk::cut(name).into());
        }
    }
}

fn rules(route: &Route) -> Rules<'_> {
    Rules {
        kind: route.kind,
        classes: &route.classes,
        positive: route.positive_class.as_deref(),
        threshold: route.threshold,
    }
}

fn is_prediction_route(exchange: &Exchange) -> bool {
    let route = exchange.route.as_ref();
    route.is_some_and(|route| route.kind != RouteKind::Ignore)
}

/// What stands nowhere of what the exchange's route says a place of, by its keys: for people who
/// write them.
///
/// # Errors
/// When a body cannot be read.
pub fn not_found(
    exchange: &Exchange,
    bounds: &config::Capture,
) -> Result<Vec<&'static str>, DecodeError> {
    let request = content::body(&exchange.request, bounds).unwrap_or_default();
    let response = content::body(&exchange.response, bounds)?;
    let pair = Pair::of(exchange, &request, &response).within(bounds);
    let mut keys = stated::not_found(&pair);
    keys.extend(mapped::not_found(&pair)?);
    Ok(keys)
}

/// The format that the route, the path or the fields of an exchange name; `None`: its bodies tell.
pub fn named_format(exchange: &Exchange) -> Option<&'static str> {
    let pair = Pair::of(exchange, &[], &[]);
    let named = DECODERS.iter().find(|decoder| decoder.is_named(&pair));
    named.map(|decoder| decoder.format)
}

/// Reads an exchange within the default bounds.
#[cfg(test)]
fn decoded(exchange: &Exchange) -> Result<Inference, DecodeError> {
    use std::sync::LazyLock;

    static BOUNDS: LazyLock<config::Capture> = LazyLock::new(|| config::defaults().capture);
    decode(exchange, &BOUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{route::Routes, tee::End};

    const REQUEST: &str = r#"{"a":1,"b":"x"}"#;
    const ANSWER: &str = r#"{"prediction":"setosa","model_version":"2"}"#;

    fn with(change: impl FnOnce(&mut Exchange)) -> Result<Inference, DecodeError> {
        let mut exchange = Exchange::example("/predict", REQUEST, ANSWER);
        change(&mut exchange);
        decoded(&exchange)
    }

    #[test]
    fn a_route_can_name_every_format_and_no_other() {
        let mut read: Vec<_> = DECODERS.iter().map(|decoder| decoder.format).collect();
        let mut named = config::FORMATS.to_vec();
        read.sort_unstable();
        named.sort_unstable();
        assert_eq!(read, named);
    }

    #[test]
    fn an_answer_outside_2xx_holds_no_prediction_whatever_it_says() {
        for status in [302, 400, 422, 499, 500, 503] {
            let read = with(|e| e.status = status).unwrap();
            assert_eq!((read.format, read.rows, read.items()), ("iris", 1, 1));
            assert_eq!((read.outputs.len(), read.version), (0, None));
        }
        assert_eq!(with(|e| e.status = 201).unwrap().outputs.len(), 1);
    }

    #[test]
    fn features_of_what_was_refused_are_kept_where_none_may_be_the_mistake() {
        let refused = |path: &str, request: &str| {
            let mut exchange = Exchange::example(path, request, "");
            exchange.status = 422;
            exchange.route = Routes::new(&[]).find(path).cloned();
            let read = decoded(&exchange).unwrap();
            assert_eq!(read.rows, 1);
            read.features.len()
        };
        assert_eq!(refused("/predict", r#"{"a":1,"b":2}"#), 2);
        assert_eq!(refused("/predict", r#"{"a":"x","b":"y"}"#), 2);
        assert_eq!(refused("/predict", REQUEST), 0);
        assert_eq!(refused("/nowhere/known", r#"{"a":1,"b":2}"#), 0);
    }

    #[test]
    fn what_the_model_refused_need_not_be_readable() {
        for request in ["", "{\"a\":", "[[1]]", "\u{1f}\u{8b}"] {
            let mut exchange = Exchange::example("/predict", request, ANSWER);
            exchange.status = 422;
            exchange.response.body = None;
            let read = decoded(&exchange).unwrap();
            assert_eq!((read.format, read.rows, read.items()), ("unknown", 0, 0));
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_says_why() {
        let coding = |name: &str| Some(name.to_owned());
        let cases = [
            (with(|e| e.response.body = None), "incomplete"),
            (
                with(|e| e.response.body.as_mut().unwrap().end = End::Broken),
                "incomplete",
            ),
            (
                with(|e| e.response.content_encoding = coding("compress")),
                "content_encoding",
            ),
            (
                with(|e| e.response.content_encoding = coding("gzip")),
                "inflate_broken",
            ),
            (with(|e| body(e, "")), "empty"),
            (with(|e| body(e, "<html>")), "not_json"),
            (with(|e| body(e, "{\"prediction\":")), "syntax"),
            (with(|e| body(e, "{\"ok\":true}")), "unknown_shape"),
        ];
        for (read, reason) in cases {
            let error = read.unwrap_err();
            assert_eq!((error.format(), error.reason()), ("unknown", reason));
        }
    }

    fn body(exchange: &mut Exchange, text: &str) {
        exchange.response.body.as_mut().unwrap().bytes = text.as_bytes().to_vec();
    }

    #[test]
    fn words_of_a_route_are_no_longer_than_those_of_the_wire() {
        // 128 characters, as many as a configuration may have, of two bytes each
        let long = "\u{e9}".repeat(128);
        let route = Route {
            kind: RouteKind::Probabilities,
            features: vec![long.clone()],
            positive_class: Some(long.clone()),
            model: Some(config::Identity::Constant(long)),
            ..Route::new("/predict")
        };
        let mut exchange = Exchange::example("/predict", "[[1],[2]]", "[0.9,0.1]");
        exchange.route = Some(std::sync::Arc::new(route));
        let read = decoded(&exchange).unwrap();
        let (model, _) = named(Some(&read), &exchange);
        assert_eq!(model.map(str::len), Some(Inference::MAX_WORD));
        assert_eq!(read.features[0].name.text().len(), Inference::MAX_WORD);
        let last = read.outputs[1].class().unwrap();
        assert!(last.starts_with("not ") && last.len() == Inference::MAX_WORD);
        fuzzing::check(&read, 20);
    }

    #[test]
    fn a_request_that_cannot_be_read_costs_its_features_only() {
        let read = with(|e| e.request.content_encoding = Some("gzip".to_owned())).unwrap();
        assert_eq!((read.rows, read.items()), (0, 1));
        assert!(read.features.is_empty());
        assert_eq!(with(|e| e.request.body = None).unwrap().items(), 1);
    }

    #[test]
    fn the_configuration_knows_the_formats_that_are_read() {
        let mut known: Vec<_> = config::FORMATS.to_vec();
        let mut read: Vec<_> = DECODERS.iter().map(|decoder| decoder.format).collect();
        known.sort_unstable();
        read.sort_unstable();
        assert_eq!(known, read, "add it to FORMATS of src/config/route.rs");
    }
}
