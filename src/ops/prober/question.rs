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
    let mut questions = Vec::new();
    match chose {
        Some(path) => {
            if is_http2 {
                questions.push(Question::Method(path.to_owned()));
            }
            questions.push(Question::Path(path.to_owned()));
        }
        None => {
            if is_http2 {
                questions.extend(SERVICES.map(|path| Question::Service(path.to_owned())));
            }
            questions.extend(PATHS.map(|path| Question::Path(path.to_owned())));
        }
    }
    questions
}
