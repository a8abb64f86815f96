//! Why a request got no whole answer from the upstream: whose fault, which status, which label.

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::capture::Fault;

/// Says on an answer that the agent made itself why it did.
pub(super) const REASON_FIELD: &str = "x-sidelight-reason";

/// Everything that can go wrong on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// hyper could not read the request's head.
    BadRequest,
    /// The request line is longer than hyper takes.
    UriTooLong,
    /// The head is larger, or has more fields, than `proxy.max_head` and `proxy.max_fields` say.
    HeadTooLarge,
    /// The head was not complete within `proxy.head_timeout`.
    HeadTimeout,
    /// `Host` is missing, is there twice, or cannot be read.
    BadHost,
    /// The request line asks for no path of the upstream.
    BadTarget,
    /// `Transfer-Encoding` is not `chunked` alone.
    BadCoding,
    /// The body is coded in a way that nobody here can read.
    UnknownCoding,
    /// The client wants a tunnel to another address.
    Connect,
    /// A `TRACE` or `OPTIONS` that must go no further.
    MaxForwards,
    /// The request's body broke off or was malformed.
    RequestBody,
    /// The client left before its answer was complete.
    ClientLeft,
    /// There is no upstream: the bundled server is not up.
    NoUpstream,
    /// The upstream's name could not be resolved, or no route leads to it.
    Unreachable,
    /// The upstream refused the connection.
    Refused,
    /// The upstream did not accept within `proxy.connect_timeout`.
    ConnectTimeout,
    /// The upstream's answer did not start within `proxy.response_timeout`.
    ResponseTimeout,
    /// The upstream closed or reset the connection before its answer.
    Reset,
    /// What the upstream sent is not HTTP.
    BadAnswer,
    /// The upstream broke off in the middle of its answer.
    ResponseBody,
    /// The agent left, and `drain.deadline` was over before the answer was.
    CutOff,
    /// The agent has no file descriptor or port left for a connection to the upstream.
    NoResources,
}

impl Failure {
    /// Every failure there is.
    pub(super) const ALL: [Self; 15] = [
        Self::BadRequest,
        Self::UriTooLong,
        Self::HeadTooLarge,
        Self::RequestBody,
        Self::ClientLeft,
        Self::NoUpstream,
        Self::Unreachable,
        Self::Refused,
        Self::ConnectTimeout,
        Self::ResponseTimeout,
        Self::Reset,
        Self::BadAnswer,
        Self::ResponseBody,
        Self::CutOff,
        Self::NoResources,
    ];

    /// Whose fault it is.
    pub(super) const fn fault(self) -> Fault {
        match self {
            Self::BadRequest
            | Self::UriTooLong
            | Self::HeadTooLarge
            | Self::HeadTimeout
            | Self::BadHost
            | Self::BadTarget
            | Self::BadCoding
            | Self::UnknownCoding
            | Self::Connect
            | Self::MaxForwards
            | Self::RequestBody
            | Self::ClientLeft => Fault::Client,
            Self::NoUpstream
            | Self::Unreachable
            | Self::Refused
            | Self::ConnectTimeout
            | Self::ResponseTimeout
            | Self::Reset
            | Self::BadAnswer
            | Self::ResponseBody => Fault::Upstream,
            Self::CutOff | Self::NoResources => Fault::Sidelight,
        }
    }

    /// The status the client gets, or would have got had it stayed.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::BadRequest
            | Self::BadHost
            | Self::BadTarget
            | Self::BadCoding
            | Self::RequestBody => 400,
            Self::HeadTimeout => 408,
            Self::UriTooLong => 414,
            Self::HeadTooLarge => 431,
            // nginx's number for it; nobody receives it
            Self::ClientLeft => 499,
            Self::UnknownCoding | Self::Connect | Self::MaxForwards => 501,
            Self::ConnectTimeout | Self::ResponseTimeout => 504,
            Self::CutOff | Self::NoResources => 503,
            Self::NoUpstream
            | Self::Unreachable
            | Self::Refused
            | Self::Reset
            | Self::BadAnswer
            | Self::ResponseBody => 502,
        }
    }

    /// The label value, the log's `error` and the value of `x-sidelight-reason`.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UriTooLong => "uri_too_long",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTimeout => "head_timeout",
            Self::BadHost => "bad_host",
            Self::BadTarget => "bad_target",
            Self::BadCoding => "bad_transfer_encoding",
            Self::UnknownCoding => "unknown_transfer_encoding",
            Self::Connect => "connect_refused",
            Self::MaxForwards => "max_forwards",
            Self::RequestBody => "request_body_broken",
            Self::ClientLeft => "client_left",
            Self::NoUpstream => "upstream_not_started",
            Self::Unreachable => "upstream_unreachable",
            Self::Refused => "upstream_refused",
            Self::ConnectTimeout => "upstream_connect_timeout",
            Self::ResponseTimeout => "upstream_response_timeout",
            Self::Reset => "upstream_reset",
            Self::BadAnswer => "upstream_bad_answer",
            Self::ResponseBody => "upstream_body_broken",
            Self::CutOff => "drain_cut_off",
            Self::NoResources => "no_resources",
        }
    }

    /// The failure behind a status that hyper answers with on its own.
    pub(super) const fn of_own_status(status: u16) -> Self {
        match status {
            414 => Self::UriTooLong,
            431 => Self::HeadTooLarge,
            _ => Self::BadRequest,
        }
    }

    /// The answer the client gets: a JSON body that says what happened.
    pub(super) fn response(self) -> Response<Bytes> {
        let body = format!("{{\"error\":\"{}\"}}\n", self.reason());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        let fields = response.headers_mut();
        fields.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        fields.insert(REASON_FIELD, HeaderValue::from_static(self.reason()));
        if self.fault() == Fault::Client {
            // a client that breaks rules may mean something else by what follows
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<&io::Error> for Failure {
    /// A connection to the upstream that could not be made.
    fn from(error: &io::Error) -> Self {
        // EMFILE, ENFILE, EADDRNOTAVAIL: ours, not the upstream's
        let is_ours = matches!(error.raw_os_error(), Some(24 | 23 | 99));
        match error.kind() {
            _ if is_ours => Self::NoResources,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            _ => Self::Unreachable,
        }
    }
}

impl From<&hyper::Error> for Failure {
    /// A failed exchange with the upstream.
    fn from(error: &hyper::Error) -> Self {
        if error.is_parse() {
            Self::BadAnswer
        } else if error.is_user() {
            // the request's body gave an error: it came from the client
            Self::RequestBody
        } else {
            Self::Reset
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_answer_says_why_in_field_and_body() {
        let response = Failure::Refused.response();
        assert_eq!(response.status(), 502);
        assert_eq!(response.headers()[REASON_FIELD], "upstream_refused");
        assert_eq!(response.body(), "{\"error\":\"upstream_refused\"}\n");
    }

    #[test]
    fn the_upstream_is_never_blamed_with_a_4xx_nor_the_client_with_a_5xx_but_501() {
        for failure in [
            Failure::BadRequest,
            Failure::UriTooLong,
            Failure::HeadTooLarge,
            Failure::HeadTimeout,
            Failure::BadHost,
            Failure::BadTarget,
            Failure::BadCoding,
            Failure::UnknownCoding,
            Failure::Connect,
            Failure::MaxForwards,
            Failure::RequestBody,
            Failure::ClientLeft,
            Failure::NoUpstream,
            Failure::Unreachable,
            Failure::Refused,
            Failure::ConnectTimeout,
            Failure::ResponseTimeout,
            Failure::Reset,
            Failure::BadAnswer,
            Failure::ResponseBody,
        ] {
            let expected = if failure.status() < 500 || failure.status() == 501 {
                Fault::Client
            } else {
                Fault::Upstream
            };
            assert_eq!(failure.fault(), expected, "{failure:?}");
        }
    }
}
