//! An exchange from an input of the fuzzer: bytes that choose, then both bodies.

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use memchr::memmem;
use serde::de::IgnoredAny;

use crate::{
    capture::{
        Exchange, Fault,
        exchange::Message,
        route::{Route, Routes},
        tee::End,
    },
    config,
};

/// Paths that an input chooses from: most formats are known by theirs. New ones go to the end.
pub(super) const PATHS: &[&str] = &[
    "/predict",
    "/v2/models/iris/infer",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelStreamInfer",
    "/classify",
    "/v1/models/iris:predict",
    "/v1/models/flowers/versions/3:classify",
    "/v1/models/flowers:regress",
    "/invocations",
    "/models/flowers/invoke",
    "/score",
    "/predictions/m",
    "/predictions/m/2.0",
    "/api/v1.0/predictions",
    "/seldon/ns/iris/api/v1.0/predictions",
    "/classify/submit",
    "/classify/get",
    "/v1/completions",
    "/v1/chat/completions",
    "/v2/models/llm/generate",
    "/v2/models/llm/generate_stream",
    "/generate",
    "/generate_stream",
    "/predict/batch",
    "/predict_proba",
    "/stream",
    "/",
    "/v2/models/iris/versions/7/infer",
    "/ready",
    "/inference.GRPCInferenceService/ModelMetadata",
    "",
    "/predictions/%C3%A9/",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1/images/generations",
    "/embed",
    "/rerank",
    "/similarity",
    "/v2/models/iris/infer_stream",
    "/wfpredict/cats",
];

/// Content types of a request and of an answer.
pub(super) const KINDS: &[Option<&str>] = &[
    Some("application/json"),
    None,
    Some("text/csv"),
    Some("TEXT/CSV; header=present; charset=utf-8"),
    Some("application/jsonlines"),
    Some("application/octet-stream"),
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=q"),
    Some("text/plain"),
    Some("application/grpc"),
    Some("application/grpc+proto"),
    Some("text/event-stream"),
    Some("application/json; charset=utf-8"),
    Some("application/x-npy"),
    Some("multipart/form-data; boundary=\"\""),
    Some(";"),
];

/// Routes beside one for each format, as a configuration has them.
const ROUTES: &[&str] = &[
    // paths of every kind, to places that the other formats have as well
    r#"{"path":"/predict","format":"mapped","model":{"request":"$..model"},
        "version":{"response":"$.*[-1]"},"paths":{
        "features":{"a":"$..a","b":"$.instances[*].b","c":"$[1:9:2]","d":"$[?@.a == $[0].a]"},
        "items":"$.predictions","class":"$.predictions[*].prediction",
        "confidence":"$..confidence","probabilities":"$..probabilities"}}"#,
    r#"{"path":"/a","kind":"classify","classes":["no","yes"],"features":["a","b"]}"#,
    r#"{"path":"/a","kind":"regress","value_edges":[0,1]}"#,
    r#"{"path":"/a","kind":"probabilities","classes":["no","yes"],"positive_class":"yes","threshold":0.3}"#,
    r#"{"path":"/a","kind":"probabilities"}"#,
    r#"{"path":"/a","kind":"generate"}"#,
    r#"{"path":"/a","kind":"ignore"}"#,
    r#"{"path":"/a","positive_class":"yes"}"#,
    r#"{"path":"/a","classes":["a","b","c"],"features":["w","x","y","z"]}"#,
    r#"{"path":"/a","kind":"classify","classes":["b","a"],"positive_class":"a","threshold":0}"#,
    r#"{"path":"/a","model":"churn","version":{"header":"x-version"}}"#,
    r#"{"path":"/predictions/{m}/{v}","model":{"segment":"m"},"version":{"segment":"v"}}"#,
    r#"{"path":"/a","model":{"header":"x-model"},"version":{"request":"$.id"}}"#,
    r#"{"path":"/a","model":{"request":"$..*"},"version":{"response":"$[-1]"}}"#,
    r#"{"path":"/a","format":"mapped","paths":{"features":"$.rows","items":"$.results"}}"#,
    r#"{"path":"/a","format":"mapped","features":["a","b"],"paths":{"features":"$.rows[*]","class":"$.y","probabilities":"$.p"}}"#,
    r#"{"path":"/a","format":"mapped","kind":"regress","paths":{"features":"$","class":"$[*]"}}"#,
    r#"{"path":"/a","format":"mapped","kind":"probabilities","positive_class":"yes","paths":{
        "features":{"a":"$.a","b":"$.b"},"items":"$.results[*]","confidence":"$.p","model":"$.m","version":"$.v"}}"#,
    r#"{"path":"/a","format":"mapped","kind":"classify","classes":["a","b"],"paths":{
        "items":"$.results[?@.ok == true]","probabilities":"$.results[?@.ok == true].p"}}"#,
    r#"{"path":"/a","format":"mapped","paths":{"features":"$.rows[1:-1]","class":"$.y[::-2]","confidence":"$..p","version":"$['v','w']"}}"#,
    r#"{"path":"/a","format":"mapped","classes":["a"],"paths":{"confidence":"$"}}"#,
];

/// Statuses of an answer.
const STATUSES: [u16; 8] = [200, 201, 204, 302, 400, 422, 500, 503];

/// Outcomes of a call of gRPC.
const OUTCOMES: [Option<u32>; 4] = [None, Some(0), Some(3), Some(13)];

/// Codings of messages of gRPC.
const CODINGS: [Option<&str>; 4] = [None, Some("gzip"), Some("deflate"), Some("gzip, br")];

/// Stands between the request and the answer. Neither this nor the next is in any text.
pub(super) const ANSWER: &[u8] = b"\xff\xfe";

/// Stands between two messages of gRPC in a body whose frames are made.
const MESSAGE: &[u8] = b"\xff\xfd";

/// All routes that an input chooses from.
pub(in super::super) fn routes() -> &'static [Arc<Route>] {
    static ALL: LazyLock<Vec<Arc<Route>>> = LazyLock::new(|| {
        let of_format = |format: &&str| format!(r#"{{"path":"/a","format":"{format}"}}"#);
        let formats = config::FORMATS
            .iter()
            .filter(|format| **format != config::MAPPED);
        // words as long as a configuration may have them, in bytes longer than those of a wire
        let long = "\u{e9}".repeat(128);
        let long = format!(
            r#"{{"path":"/a","kind":"probabilities","classes":["{long}"],"positive_class":"{long}",
                "features":["{long}"],"model":"{long}","version":"{long}"}}"#
        );
        let all = ROUTES.iter().map(|text| (*text).to_owned()).chain([long]);
        let all = all.chain(formats.map(of_format));
        all.map(|text| {
            let route: config::Route = serde_json::from_str(&text).expect("tests read all");
            Arc::new(Route::configured(&route))
        })
        .collect()
    });
    &ALL
}

/// That of `table` which `byte` chooses; an addition changes what no input had chosen.
fn chosen<T: Copy>(table: &[T], byte: u8) -> T {
    let place = usize::from(byte) % table.len().next_power_of_two();
    table.get(place).copied().unwrap_or(table[0])
}

/// What an input chooses, byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Choice {
    /// Of [`PATHS`].
    pub(super) path: u8,
    /// 0: what is known of the path without a configuration; else one more than the place in
    /// [`routes`].
    pub(super) route: u8,
    /// Of [`KINDS`]: 4 bits for the request, 4 for the answer.
    pub(super) kinds: u8,
    /// 3 bits for the status, 2 for the outcome of a call of gRPC, 1 for a failure on the way, and 2
    /// for how is asked: in a body; for a task; with the request as query; without a body.
    pub(super) outcome: u8,
    /// For each of both bodies 2 bits: how much of it is JSON before binary tensors; then for each
    /// 2 bits of [`CODINGS`].
    pub(super) parts: u8,
    /// Whether frames of gRPC are made around messages of the request, and of the answer; whether the
    /// answer broke off.
    pub(super) bodies: u8,
}

impl Choice {
    pub(super) const LEN: usize = 6;
    pub(super) const GET_TASK: u8 = 1 << 6;
    pub(super) const GET_QUERY: u8 = 2 << 6;
    pub(super) const NO_BODY: u8 = 3 << 6;

    fn of([path, route, kinds, outcome, parts, bodies]: [u8; Self::LEN]) -> Self {
        Self {
            path,
            route,
            kinds,
            outcome,
            parts,
            bodies,
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(self) -> [u8; Self::LEN] {
        [
            self.path,
            self.route,
            self.kinds,
            self.outcome,
            self.parts,
            self.bodies,
        ]
    }

    fn route(self) -> Option<Arc<Route>> {
        match self.route.checked_sub(1) {
            Some(place) => {
                let all: Vec<&Arc<Route>> = routes().iter().collect();
                Some(Arc::clone(chosen(&all, place)))
            }
            None => KNOWN.find(chosen(PATHS, self.path)).cloned(),
        }
    }

    /// How much of `body` is JSON; `shift`: where the bits are.
    fn json_bytes(self, body: &[u8], shift: u8) -> Option<usize> {
        match self.parts >> shift & 3 {
            0 => None,
            1 => Some(0),
            2 => Some(end_of_json(body)),
            _ => Some(body.len() / 2),
        }
    }
}

static KNOWN: LazyLock<Routes> = LazyLock::new(|| Routes::new(&[]));

/// Where the first JSON value of `body` ends.
fn end_of_json(body: &[u8]) -> usize {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
    let _ = values.next();
    values.byte_offset()
}

/// An input, taken apart.
pub(super) struct Input<'a> {
    pub(super) choice: Choice,
    pub(super) request: &'a [u8],
    pub(super) response: &'a [u8],
}

impl<'a> Input<'a> {
    /// `None`: it is too short to choose.
    pub(super) fn of(input: &'a [u8]) -> Option<Self> {
        let (head, bodies) = input.split_first_chunk()?;
        let border = memmem::find(bodies, ANSWER);
        let (request, response) = match border {
            Some(at) => (&bodies[..at], &bodies[at + ANSWER.len()..]),
            None => (bodies, &[][..]),
        };
        Some(Self {
            choice: Choice::of(*head),
            request,
            response,
        })
    }

    /// Bytes of both bodies.
    pub(super) fn bytes(&self) -> usize {
        self.request.len() + self.response.len()
    }

    /// Whether messages may hold more than the bytes of their body.
    pub(super) fn is_coded(&self) -> bool {
        self.choice.parts >> 4 != 0
    }

    /// As the agent would have captured it.
    pub(super) fn exchange(&self) -> Exchange {
        let choice = self.choice;
        let mut exchange = Exchange::example(chosen(PATHS, choice.path), "", "");
        exchange.route = choice.route();
        exchange.status = chosen(&STATUSES, choice.outcome & 7);
        exchange.fault = Fault::of_status(exchange.status);
        exchange.error = (choice.outcome & 32 != 0).then_some("upstream_reset");
        exchange.grpc_status = chosen(&OUTCOMES, choice.outcome >> 3 & 3);
        exchange.end_call(None);
        exchange.note_names(&fields());
        let asked = self.ask(&mut exchange);
        let sides = [
            (&mut exchange.request, asked, 0),
            (&mut exchange.response, self.response, 1),
        ];
        for (message, body, side) in sides {
            let body = framed(body, choice.bodies >> side & 1 != 0);
            message.content_type =
                chosen(KINDS, choice.kinds >> (4 * side) & 15).map(str::to_owned);
            message.json_bytes = choice.json_bytes(&body, 2 * side);
            let coding = chosen(&CODINGS, choice.parts >> (4 + 2 * side) & 3);
            message.message_encoding = coding.map(str::to_owned);
            fill(message, body);
        }
        if let (Some(body), true) = (&mut exchange.response.body, choice.bodies & 4 != 0) {
            body.end = End::Broken;
        }
        exchange
    }

    /// Puts the question where it belongs; what is left is the request's body.
    fn ask(&self, exchange: &mut Exchange) -> &'a [u8] {
        let way = self.choice.outcome & Choice::NO_BODY;
        if way == 0 {
            return self.request;
        }
        exchange.method = Some(Method::GET);
        exchange.query = match way {
            Choice::GET_TASK => Some("a=b&task_id=7f%61".to_owned()),
            Choice::GET_QUERY => Some(String::from_utf8_lossy(self.request).into_owned()),
            _ => None,
        };
        &[]
    }
}

/// What heads say of the model, for routes that look there.
fn fields() -> HeaderMap {
    let fields = [("x-model", "from a field"), ("x-version", "7")];
    let fields = fields.map(|(name, value)| {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        (name, value)
    });
    fields.into_iter().collect()
}

fn fill(message: &mut Message, bytes: Vec<u8>) {
    if let Some(body) = &mut message.body {
        body.passed = bytes.len() as u64;
        body.bytes = bytes;
    }
}

/// With a frame of gRPC around each message, so that its length is right whatever it holds.
fn framed(body: &[u8], is_framed: bool) -> Vec<u8> {
    if !is_framed {
        return body.to_vec();
    }
    let (mut frames, mut rest) = (Vec::new(), Some(body));
    while let Some(messages) = rest {
        let end = memmem::find(messages, MESSAGE);
        rest = end.map(|at| &messages[at + MESSAGE.len()..]);
        let message = &messages[..end.unwrap_or(messages.len())];
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        frames.push(0);
        frames.extend(length.to_be_bytes());
        frames.extend(message);
    }
    frames
}
