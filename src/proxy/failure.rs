//! Why a request got no whole answer from the upstream: whose fault, which status, which label.

use std::{error::Error, io};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, response};

use crate::{capture::Fault, tls};

/// Says on an answer that the agent made itself why it did.
pub(super) const REASON_FIELD: &str = "x-sidelight-reason";

macro_rules! failures {
    ($($(#[$doc:meta])+ $name:ident $fault:ident $status:literal $reason:literal,)+) => {
        /// Everything that can go wrong on the path.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Failure {
            $($(#[$doc])+ $name,)+
        }

        impl Failure {
            /// Every failure there is, in the order of its number.
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];

            /// Whose fault it is.
            pub(super) const fn fault(self) -> Fault {
                match self {
                    $(Self::$name => Fault::$fault,)+
                }
            }

            /// The status the client gets, or would have got had it stayed.
            pub(super) const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                }
            }

            /// The label value, the log's `error` and the value of `x-sidelight-reason`.
            pub(super) const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)+
                }
            }
        }
    };
}

// whose fault, which status, which reason
failures! {
    /// The request's head, or a list in it, cannot be read.
    BadRequest Client 400 "bad_request",
    /// The request line is longer than hyper takes.
    UriTooLong Client 414 "uri_too_long",
    /// The head is larger, or has more fields, than `proxy.max_head` and `proxy.max_fields` say.
    HeadTooLarge Client 431 "head_too_large",
    /// The head was not complete within `proxy.head_timeout`.
    HeadTimeout Client 408 "head_timeout",
    /// `Host` is missing, is there twice, or cannot be read.
    BadHost Client 400 "bad_host",
    /// The request line asks for no path of the upstream.
    BadTarget Client 400 "bad_target",
    /// `Transfer-Encoding` is not `chunked` alone.
    BadCoding Client 400 "bad_transfer_encoding",
    /// The body is coded in a way that nobody here can read.
    UnknownCoding Client 501 "unknown_transfer_encoding",
    /// The client wants a tunnel to another address.
    Connect Client 501 "connect_refused",
    /// A `TRACE` or `OPTIONS` that must go no further.
    MaxForwards Client 501 "max_forwards",
    /// The request's body broke off or was malformed.
    RequestBody Client 400 "request_body_broken",
    /// The client left before its answer was complete: nginx's number, nobody receives it.
    ClientLeft Client 499 "client_left",
    /// There is no upstream: the bundled server is not up.
    NoUpstream Upstream 502 "upstream_not_started",
    /// The upstream's name could not be resolved, or no route leads to it.
    Unreachable Upstream 502 "upstream_unreachable",
    /// The upstream refused the connection.
    Refused Upstream 502 "upstream_refused",
    /// The upstream did not accept within `proxy.connect_timeout`.
    ConnectTimeout Upstream 504 "upstream_connect_timeout",
    /// There is no TLS with the upstream: no certificate that is believed, or no version in common.
    Tls Upstream 502 "upstream_tls",
    /// The upstream's answer did not start within `proxy.response_timeout`.
    ResponseTimeout Upstream 504 "upstream_response_timeout",
    /// The upstream closed or reset the connection before its answer.
    Reset Upstream 502 "upstream_reset",
    /// What the upstream sent is not HTTP.
    BadAnswer Upstream 502 "upstream_bad_answer",
    /// The upstream broke off in the middle of its answer.
    ResponseBody Upstream 502 "upstream_body_broken",
    /// The agent left, and `drain.deadline` was over before the answer was.
    CutOff Sidelight 503 "drain_cut_off",
    /// `proxy.max_requests` are under way, and no room came in time.
    TooManyRequests Sidelight 503 "too_many_requests",
    /// The agent has no file descriptor or port left for a connection to the upstream.
    NoResources Sidelight 503 "no_resources",
    /// A bug: what carried the request panicked.
    Panic Sidelight 500 "panic",
}

impl Failure {
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
        if self == Self::TooManyRequests {
            fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.fault() == Fault::Client {
            // a client that breaks rules may mean something else by what follows
            fields.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The same for a caller of gRPC, which reads fields and no body, and takes the status of HTTP for
    /// granted.
    pub(super) fn grpc_answer(self) -> response::Parts {
        // the table of gRPC for answers that are none of its own
        let status = match self.status() {
            400 | 408 | 431 => 13,
            502..=504 => 14,
            _ => 2,
        };
        let mut response = Response::new(());
        let fields = response.headers_mut();
        fields.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        fields.insert("grpc-status", HeaderValue::from(status));
        fields.insert("grpc-message", HeaderValue::from_static(self.reason()));
        fields.insert(REASON_FIELD, HeaderValue::from_static(self.reason()));
        response.into_parts().0
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
        } else if socket_error(error).is_some_and(tls::broke) {
            Self::Tls
        } else {
            Self::Reset
        }
    }
}

/// What the socket said, where that is why.
fn socket_error(error: &hyper::Error) -> Option<&io::Error> {
    let cause = error.source()?;
    let over_http2 = cause
        .downcast_ref::<h2::Error>()
        .and_then(h2::Error::get_io);
    cause.downcast_ref().or(over_http2)
}

/// Why there is no answer, and how the upstream said so.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) failure: Failure,
    /// The upstream ended this request's stream and goes on with others: a client of HTTP/2 can be
    /// told the same.
    pub(super) reset: Option<hyper::Error>,
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            reset: None,
        }
    }
}

impl From<hyper::Error> for NoAnswer {
    fn from(error: hyper::Error) -> Self {
        Self {
            failure: Failure::from(&error),
            reset: is_reset(&error).then_some(error),
        }
    }
}

fn cause(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}

/// Whether the upstream ended this one stream.
pub(super) fn is_reset(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|cause| cause.is_reset() && cause.is_remote())
}

/// Whether nothing can have come of a request of which no head of an answer is there: the upstream
/// says so, or the connection is lost (RFC 9113, section 8.7).
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|cause| {
        let is_refused = cause.reason() == Some(h2::Reason::REFUSED_STREAM);
        let is_left_out = cause.is_go_away() && cause.reason() == Some(h2::Reason::NO_ERROR);
        cause.is_io() || cause.is_remote() && (is_refused || is_left_out)
    })
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
