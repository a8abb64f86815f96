//! What an upstream can be asked for its model.

/// By GET, where `model.ready_path` names none; the first that the upstream knows is kept.
const PATHS: [&str; 4] = ["/ready", "/v2/health/ready", "/ping", "/health"];
/// Before them over HTTP/2: the health protocol of gRPC, and that of Open Inference. Both say in field
/// 1 whether all is well: `SERVING = 1`, `bool ready = 1`.
const SERVICES: [&str; 2] = [
    "/grpc.health.v1.Health/Check",
    "/inference.GRPCInferenceService/ServerReady",
];

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// A path, by GET.
    Path(String),
    /// A method of gRPC whose answer says in field 1 whether all is well.
    Service(String),
    /// A method of gRPC that somebody chose: it says so by answering.
    Method(String),
}

impl Question {
    pub(super) fn path(&self) -> &str {
        let (Self::Path(path) | Self::Service(path) | Self::Method(path)) = self;
        path
    }
}

/// All that is asked, in order. A path that somebody `chose` may be one of gRPC, over HTTP/2.
pub(super) fn all(chose: Option<&str>, is_http2: bool) -> Vec<Question> {
    let paths = |paths: &[&str], of: fn(String) -> Question| -> Vec<Question> {
        paths.iter().map(|path| of((*path).to_owned())).collect()
    };
    let of_grpc = match chose {
        _ if !is_http2 => Vec::new(),
        Some(path) => paths(&[path], Question::Method),
        None => paths(&SERVICES, Question::Service),
    };
    let by_get = chose.map_or_else(
        || paths(&PATHS, Question::Path),
        |path| paths(&[path], Question::Path),
    );
    [of_grpc, by_get].concat()
}
