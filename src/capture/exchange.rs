//! One request with its answer, as the observer gets it.

use std::{
    mem,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, HeaderName, Method, header};

use super::{
    grpc, name,
    policy::{self, Interest},
    route::{self, Route},
    tee::{Captured, End},
};
use crate::config::Identity;

/// Whose fault it was that a request got no good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client sent something wrong or left.
    Client,
    /// The client sent something wrong, and the model server answered 5xx as if it had failed.
    ClientAs5xx,
    /// The model server failed, broke off or was not there.
    Upstream,
    /// The agent itself.
    Sidelight,
}

impl Fault {
    /// Whose fault an answer with this status is, as far as the status alone tells.
    pub const fn of_status(status: u16) -> Option<Self> {
        match status {
            400..500 => Some(Self::Client),
            500.. => Some(Self::Upstream),
            _ => None,
        }
    }

    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Client,
        Self::ClientAs5xx,
        Self::Upstream,
        Self::Sidelight,
    ];

    /// The label value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ClientAs5xx => "client_5xx",
            Self::Upstream => "upstream",
            Self::Sidelight => "sidelight",
        }
    }
}

/// One request with its answer. Everything is copied: nothing holds a connection's buffers.
///
/// The default is one of which nothing is known yet.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The client's id or the one made for it.
    pub request_id: String,
    /// From `traceparent`, 32 hexadecimal digits.
    pub trace_id: Option<String>,
    /// All of a `traceparent` that is valid.
    #[cfg(feature = "otlp")]
    pub parent: Option<super::trace::Parent>,
    /// `None`: the request line could not be read.
    pub method: Option<Method>,
    /// Path without query, at most [`Exchange::MAX_PATH`] bytes; empty when it could not be read.
    pub path: String,
    /// Its query, where that may ask for a prediction or name a task.
    pub query: Option<String>,
    /// Route template, the value of the label `endpoint`.
    pub endpoint: Arc<str>,
    /// The route of the configuration that matched, or a known one.
    pub route: Option<Arc<Route>>,
    /// What fields that the route names say of the model; `None`: nothing, as for most routes.
    pub named: Option<Box<Named>>,
    /// `Seldon-Puid`, where labels may name the prediction by it; [`Exchange::puid_of`] says what it may be.
    pub puid: Option<Box<str>>,
    /// Address of the client's end of the connection.
    pub client_ip: IpAddr,
    /// When the request's head was there, since 1970.
    pub started: Duration,
    /// Status sent to the client; 499 when it left before there was one.
    pub status: u16,
    /// From the request's head to the answer's last byte.
    pub duration: Duration,
    /// From the forwarded request to the head of the upstream's answer.
    pub upstream: Option<Duration>,
    /// From `started` to the moment the request was handed to the upstream.
    pub forwarded_after: Option<Duration>,
    /// Whose fault a missing or bad answer was.
    pub fault: Option<Fault>,
    /// Why there was no whole answer, as a constant word.
    pub error: Option<&'static str>,
    /// Outcome of a call of gRPC, [`grpc::UNKNOWN`] until it is told; `None`: it is no such call.
    pub grpc_status: Option<u32>,
    /// The start of its `grpc-message`, still encoded, where the model server failed.
    pub grpc_message: Option<Box<[u8]>>,
    /// Whether bodies were wanted.
    pub interest: Interest,
    /// What the client sent.
    pub request: Message,
    /// What it got.
    pub response: Message,
}

/// What fields of heads say of the model, or escaped segments of the path, each cut to [`Named::MAX`] bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub model: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

impl Named {
    /// Longest value that is kept.
    pub const MAX: usize = 128;

    fn value(fields: &HeaderMap, field: Option<&HeaderName>) -> Option<String> {
        let value = fields.get(field?)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| Self::cut(&name::shown(value)))
    }

    fn cut(value: &str) -> String {
        value[..value.floor_char_boundary(Self::MAX)].to_owned()
    }

    fn held_bytes(&self) -> usize {
        let held = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        size_of::<Self>() + held(&self.model) + held(&self.version)
    }
}

/// One direction of an exchange: the copy of the body and the fields that say how to read it.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// `Content-Type`, at most 256 bytes.
    pub content_type: Option<String>,
    /// Every `Content-Encoding` as one list, at most 256 bytes; [`Message::UNREADABLE`] where it is
    /// longer or not ASCII.
    pub content_encoding: Option<String>,
    /// `Inference-Header-Content-Length`: so many bytes of JSON stand before binary tensors; 0: the
    /// body is one tensor alone. Only looked for where such bodies are sent.
    pub json_bytes: Option<usize>,
    /// `grpc-encoding`, at most 256 bytes: how messages of gRPC are compressed that say they are.
    pub message_encoding: Option<String>,
    /// The body, or as much of it as the limit allows; `None`: no body was seen to its end.
    pub body: Option<Captured>,
    /// Empty: what an earlier message was kept in.
    room: Room,
}

#[derive(Debug, Clone, Default)]
struct Room {
    content_type: String,
    body: Vec<u8>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            request_id: String::new(),
            trace_id: None,
            #[cfg(feature = "otlp")]
            parent: None,
            method: None,
            path: String::new(),
            query: None,
            endpoint: Arc::default(),
            route: None,
            named: None,
            puid: None,
            client_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            started: Duration::ZERO,
            status: 0,
            duration: Duration::ZERO,
            upstream: None,
            forwarded_after: None,
            fault: None,
            error: None,
            grpc_status: None,
            grpc_message: None,
            interest: Interest::Head,
            request: Message::default(),
            response: Message::default(),
        }
    }
}

impl Exchange {
    /// Longest path that is kept.
    pub const MAX_PATH: usize = 2048;
    /// Most bytes of one buffer that are kept for another exchange.
    const MAX_ROOM: usize = 2048;

    /// The same as a new one, but for the room in its buffers.
    pub(super) fn clear(&mut self) {
        *self = Self {
            request_id: emptied(&mut self.request_id),
            path: emptied(&mut self.path),
            request: self.request.cleared(),
            response: self.response.cleared(),
            ..Self::default()
        };
    }

    /// Notes what a head says of the model, where the route says in which fields. A later head, that
    /// of the answer, has the last word.
    pub fn note_names(&mut self, fields: &HeaderMap) {
        let Some(wanted) = self.route.as_ref().and_then(|route| route.fields.as_ref()) else {
            return;
        };
        let named = self.named.get_or_insert_default();
        if let Some(model) = Named::value(fields, wanted.model.as_ref()) {
            named.model = Some(model);
        }
        if let Some(version) = Named::value(fields, wanted.version.as_ref()) {
            named.version = Some(version);
        }
    }

    /// A name that `Seldon` has for a prediction, if it may be the key of one, as request ids may.
    pub fn puid_of(text: &str) -> Option<&str> {
        let is_id =
            (1..=Named::MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        is_id.then_some(text)
    }

    /// Notes the name that a head of `Seldon` has for a prediction. A later head, that of the answer, has
    /// the last word. Only where labels are wanted.
    pub fn note_puid(&mut self, fields: &HeaderMap) {
        if self.interest == Interest::Labels || policy::is_seldon(&self.path) {
            let value = fields.get("seldon-puid").and_then(|v| v.to_str().ok());
            if let Some(puid) = value.and_then(Self::puid_of) {
                self.puid = Some(puid.into());
            }
        }
    }

    /// Notes a query that may ask for a prediction, which is then one without a body; a longer one
    /// than `limit` is not kept. Method, path and route are known by then.
    pub fn note_query(&mut self, query: Option<&str>, fields: &HeaderMap, limit: usize) {
        if self.method != Some(Method::GET) {
            return;
        }
        if let Some(query) = query
            && query.len() <= limit
            && policy::asks_by_query(&self.path, query, fields, self.route.as_deref())
        {
            self.query = Some(query.to_owned());
            self.interest = Interest::Bodies;
        }
    }

    /// Notes the fields of the request's head that say how to read its body; its path and its route
    /// are known by then.
    pub fn note_request(&mut self, fields: &HeaderMap) {
        self.request.note(fields);
        let has_tensors = self.may_have_tensors();
        self.request.note_parts(fields, has_tensors);
        self.note_names(fields);
        self.note_segments();
    }

    /// Notes what segments of the path say of the model, where the route says in which and they are
    /// written with escapes or hold what is not seen: any other is found where it stands.
    fn note_segments(&mut self) {
        let Some(route) = self.route.as_deref() else {
            return;
        };
        let written = |identity: &Option<Identity>| match identity {
            Some(Identity::Segment(name)) => {
                let segment = route::segment(&route.endpoint, name, &self.path)?;
                let plain = name::unescaped(segment);
                let shown = name::shown(&plain);
                (shown != segment).then(|| Named::cut(&shown))
            }
            _ => None,
        };
        let (model, version) = (written(&route.model), written(&route.version));
        if model.is_some() || version.is_some() {
            let named = self.named.get_or_insert_default();
            named.model = model.or(named.model.take());
            named.version = version.or(named.version.take());
        }
    }

    /// The same of the answer's head.
    pub fn note_response(&mut self, fields: &HeaderMap) {
        self.response.note(fields);
        let has_tensors = self.may_have_tensors();
        self.response.note_parts(fields, has_tensors);
        self.note_names(fields);
    }

    /// Whether bodies may have binary tensors behind their JSON: told from the path, so that no
    /// other exchange pays for looking.
    fn may_have_tensors(&self) -> bool {
        let format = self.route.as_deref().and_then(|r| r.format.as_deref());
        self.path.ends_with("/infer") || format.is_some_and(|format| format.starts_with("v2"))
    }

    /// Notes the outcome of a call of gRPC that stands in the head of the answer, if it is one.
    pub fn begin_call(&mut self, fields: &HeaderMap) {
        let is_call = match &self.response.content_type {
            // looked up already, where bodies are wanted
            Some(kind) => grpc::is_type(kind.as_bytes()),
            None => grpc::is_call(fields),
        };
        if is_call {
            let outcome = grpc::outcome(fields).unwrap_or(grpc::UNKNOWN.into());
            (self.grpc_status, self.grpc_message) = (Some(outcome.status), outcome.message);
        }
    }

    /// Notes that of its trailers, and whose fault it is.
    pub fn end_call(&mut self, outcome: Option<grpc::Outcome>) {
        let Some(known) = &mut self.grpc_status else {
            return;
        };
        if let Some(outcome) = outcome {
            *known = outcome.status;
            self.grpc_message = outcome.message;
        }
        if self.error.is_none() && (200..300).contains(&self.status) {
            self.fault = grpc::fault(*known);
        }
    }

    /// Whether one of its bodies was longer than is kept, so that neither is read.
    pub fn is_too_long(&self) -> bool {
        let bodies = [&self.request.body, &self.response.body];
        let mut kept = bodies.into_iter().flatten();
        kept.any(|body| body.end == End::TooLong)
    }

    /// Bytes it holds while it waits: what the queue's bound counts.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.named.as_ref().map_or(0, |named| named.held_bytes())
            + self.puid.as_ref().map_or(0, |puid| puid.len())
            + self.request_id.capacity()
            + self.path.capacity()
            + self.query.as_ref().map_or(0, String::capacity)
            + self
                .grpc_message
                .as_ref()
                .map_or(0, |message| message.len())
            + self.request.held_bytes()
            + self.response.held_bytes()
    }
}

impl Message {
    /// Stands for a list that was not kept: no coding has this name.
    pub const UNREADABLE: &str = "unreadable";

    /// Notes the fields that say how to read a body; the body comes later.
    pub fn note(&mut self, fields: &HeaderMap) {
        let room = mem::take(&mut self.room.content_type);
        self.content_type = text(fields, &header::CONTENT_TYPE, room);
        self.content_encoding = list(fields, &header::CONTENT_ENCODING);
    }

    /// Notes what says how a body is put together; looks only where it may be.
    fn note_parts(&mut self, fields: &HeaderMap, has_tensors: bool) {
        if has_tensors {
            let length = fields.get("inference-header-content-length");
            self.json_bytes = length.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        }
        let is_call = |kind: &String| grpc::is_type(kind.as_bytes());
        if self.content_type.as_ref().is_some_and(is_call) {
            let name = header::HeaderName::from_static("grpc-encoding");
            self.message_encoding = text(fields, &name, String::new());
        }
    }

    /// Where the body can be kept.
    pub fn take_room(&mut self) -> Vec<u8> {
        mem::take(&mut self.room.body)
    }

    fn cleared(&mut self) -> Self {
        let room = &mut self.room;
        if let Some(text) = &mut self.content_type {
            room.content_type = emptied(text);
        }
        if let Some(body) = &mut self.body
            && (1..=Exchange::MAX_ROOM).contains(&body.bytes.capacity())
        {
            body.bytes.clear();
            room.body = mem::take(&mut body.bytes);
        }
        Self {
            room: mem::take(room),
            ..Self::default()
        }
    }

    fn held_bytes(&self) -> usize {
        self.body.as_ref().map_or(0, |b| b.bytes.capacity())
            + self.room.body.capacity()
            + self.content_type.as_ref().map_or(0, String::capacity)
            + self.content_encoding.as_ref().map_or(0, String::len)
            + self.message_encoding.as_ref().map_or(0, String::len)
    }
}

/// What is left of `text` is its room, if that is worth keeping.
fn emptied(text: &mut String) -> String {
    let mut text = mem::take(text);
    if text.capacity() > Exchange::MAX_ROOM {
        return String::new();
    }
    text.clear();
    text
}

fn text(fields: &HeaderMap, name: &header::HeaderName, room: String) -> Option<String> {
    let value = fields.get(name)?.to_str().ok()?;
    (value.len() <= 256).then(|| room + value)
}

/// All fields of a name as one list (RFC 9110, 5.3).
fn list(fields: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let values = fields.get_all(name);
    values.iter().next()?;
    let mut list = String::new();
    for value in values {
        match value.to_str() {
            Ok(value) if list.len() + value.len() < 256 => {
                let comma = if list.is_empty() { "" } else { "," };
                list.extend([comma, value]);
            }
            _ => return Some(Message::UNREADABLE.to_owned()),
        }
    }
    Some(list)
}

#[cfg(any(test, fuzzing, feature = "bench"))]
impl Exchange {
    /// A finished prediction for tests of whoever gets exchanges.
    pub(crate) fn example(path: &str, request: &str, response: &str) -> Self {
        let message = |body: &str| Message {
            content_type: Some("application/json".to_owned()),
            body: Some(Captured {
                bytes: body.as_bytes().to_vec(),
                end: End::Complete,
                passed: body.len() as u64,
                trailers: false,
                outcome: None,
            }),
            ..Message::default()
        };
        Self {
            request_id: "0192f5d4-0000-7000-8000-000000000001".to_owned(),
            method: Some(Method::POST),
            path: path.to_owned(),
            endpoint: Arc::from(path),
            client_ip: IpAddr::from([127, 0, 0, 1]),
            started: Duration::from_hours(498_752),
            status: 200,
            duration: Duration::from_micros(12_345),
            upstream: Some(Duration::from_millis(12)),
            forwarded_after: Some(Duration::from_micros(100)),
            interest: Interest::Bodies,
            request: message(request),
            response: message(response),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The codings of a message with these fields.
    fn codings(values: &[&[u8]]) -> Option<String> {
        let mut fields = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            fields.append(header::CONTENT_ENCODING, value);
        }
        let mut message = Message::default();
        message.note(&fields);
        message.content_encoding
    }

    #[test]
    fn a_cleared_exchange_is_as_new_and_keeps_room_that_is_not_large() {
        let mut used = Exchange::example("/predict", "{}", &"x".repeat(5000));
        let id = used.request_id.as_ptr();
        used.clear();
        assert_eq!(format!("{used:?}"), format!("{:?}", Exchange::default()));
        used.request_id.push('a');
        assert_eq!(used.request_id.as_ptr(), id);
        assert_eq!(used.request.take_room().capacity(), 2);
        assert_eq!(used.response.take_room().capacity(), 0);
    }

    #[test]
    fn fields_that_a_route_names_are_noted_and_the_answer_has_the_last_word() {
        use crate::capture::route::Fields;

        let mut route = Route::new("/a");
        route.fields = Some(Fields {
            model: Some(HeaderName::from_static("x-model")),
            version: Some(HeaderName::from_static("x-version")),
        });
        let mut exchange = Exchange {
            route: Some(Arc::new(route)),
            ..Exchange::default()
        };
        let heads: [&[(&str, &str)]; 3] = [
            &[("x-model", " churn "), ("x-version", "1")],
            &[("x-version", "2"), ("x-model", "")],
            &[("x-other", "a")],
        ];
        for head in heads {
            let fields = head.iter().map(|(name, value)| {
                let name = HeaderName::try_from(*name).unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            });
            exchange.note_names(&fields.collect());
        }
        let named = exchange.named.clone().unwrap();
        assert_eq!(named.model.as_deref(), Some("churn"));
        assert_eq!(named.version.as_deref(), Some("2"));
        let long = HeaderValue::from_str(&"x".repeat(500)).unwrap();
        let fields = [(HeaderName::from_static("x-model"), long)];
        exchange.note_names(&fields.into_iter().collect());
        assert_eq!(exchange.named.unwrap().model.unwrap().len(), Named::MAX);
    }

    #[test]
    fn the_length_of_json_before_tensors_is_noted_where_such_bodies_are_sent() {
        let mut fields = HeaderMap::new();
        let length = HeaderValue::from_static("115");
        fields.insert("inference-header-content-length", length);
        for (path, expected) in [("/v2/models/iris/infer", Some(115)), ("/predict", None)] {
            let mut exchange = Exchange::example(path, "", "");
            exchange.note_request(&fields);
            exchange.note_response(&fields);
            assert_eq!(exchange.request.json_bytes, expected);
            assert_eq!(exchange.response.json_bytes, expected);
        }
    }

    #[test]
    fn the_outcome_of_a_call_says_whose_fault_it_was() {
        let mut fields = HeaderMap::new();
        let kind = HeaderValue::from_static("application/grpc");
        fields.insert(header::CONTENT_TYPE, kind);
        fields.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        let mut exchange = Exchange::example("/a.B/C", "", "");
        exchange.note_response(&fields);
        exchange.begin_call(&fields);
        assert_eq!(exchange.response.message_encoding.as_deref(), Some("gzip"));
        for (trailers, fault) in [
            (None, Some(Fault::Upstream)),
            (Some(5), Some(Fault::Client)),
            (Some(13), Some(Fault::Upstream)),
            (Some(0), None),
        ] {
            exchange.end_call(trailers.map(grpc::Outcome::from));
            assert_eq!(exchange.fault, fault, "{trailers:?}");
        }
        exchange.error = Some("broken");
        exchange.fault = Some(Fault::Upstream);
        exchange.end_call(Some(3.into()));
        assert_eq!(exchange.fault, Some(Fault::Upstream));
    }

    #[test]
    fn what_is_no_call_has_no_outcome() {
        let mut exchange = Exchange::example("/predict", "", "");
        exchange.begin_call(&HeaderMap::new());
        exchange.end_call(Some(5.into()));
        assert_eq!((exchange.grpc_status, exchange.fault), (None, None));
    }

    #[test]
    fn every_content_encoding_is_kept_in_its_order_or_none_is() {
        assert_eq!(codings(&[]), None);
        assert_eq!(codings(&[b""]).as_deref(), Some(""));
        assert_eq!(codings(&[b"gzip"]).as_deref(), Some("gzip"));
        assert_eq!(codings(&[b"gzip", b"br, x"]).as_deref(), Some("gzip,br, x"));
        let unreadable = Some(Message::UNREADABLE.to_owned());
        assert_eq!(codings(&[b"gzip\xff"]), unreadable);
        assert_eq!(codings(&[b"gzip", &[b','; 252]]), unreadable);
        assert_eq!(codings(&[b"gzip", &[b','; 251]]).unwrap().len(), 256);
    }
}
