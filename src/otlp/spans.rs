//! Exchanges as spans of OTLP, with attributes named by the semantic conventions for HTTP.

use std::time::Duration;

use http::Method;

use super::{
    outlet::Span,
    proto::{
        self, ERROR, KeyValue, REMOTE_PARENT, ResourceSpans, SERVER, ScopeSpans, Status,
        TracesRequest, Value,
    },
    settings::Settings,
    ship::Record,
};

/// Methods that are known; any other is `_OTHER`, lest there be as many names as clients can think of.
const METHODS: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

impl Record for Span {
    type Request = TracesRequest;

    fn request(settings: &Settings, batch: Vec<Self>) -> TracesRequest {
        let (resource, scope) = settings.origin();
        let spans = batch
            .into_iter()
            .map(|span| encoded(span, settings.server()));
        let spans = spans.collect();
        TracesRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans: vec![ScopeSpans { scope, spans }],
            }],
        }
    }
}

/// `server`: attributes that all have.
fn encoded(span: Span, server: &[KeyValue]) -> proto::Span {
    let known = span
        .method
        .as_ref()
        .filter(|method| METHODS.contains(method));
    let named = known.map_or("HTTP", Method::as_str);
    let name = match &span.route {
        Some(route) => format!("{named} {route}"),
        None => named.to_owned(),
    };
    let status = span.has_failed.then(|| Status {
        message: span.error.unwrap_or_default().to_owned(),
        code: ERROR,
    });
    let remote = if span.parent.is_some() {
        REMOTE_PARENT
    } else {
        0
    };
    proto::Span {
        trace_id: span.context.trace.to_vec(),
        span_id: span.context.span.to_vec(),
        parent_span_id: span.parent.map(Vec::from).unwrap_or_default(),
        name,
        kind: SERVER,
        start_time_unix_nano: nanoseconds(span.started),
        end_time_unix_nano: nanoseconds(span.started + span.duration),
        flags: u32::from(span.context.flags) | remote,
        status,
        attributes: attributes(span, server),
    }
}

fn attributes(span: Span, server: &[KeyValue]) -> Vec<KeyValue> {
    let mut attributes = server.to_vec();
    let mut add = |key: &str, value: Option<Value>| {
        attributes.extend(value.map(|value| KeyValue::new(key, value)));
    };
    let is_known = |method: &&Method| METHODS.contains(method);
    let (known, original) = match &span.method {
        Some(method) if is_known(&method) => (method.as_str(), None),
        method => ("_OTHER", method.as_ref().map(|m| text(m.as_str()))),
    };
    add("http.request.method", Some(text(known)));
    add("http.request.method_original", original);
    add("http.route", span.route.as_deref().map(text));
    add("http.response.status_code", Some(int(span.status)));
    add("url.path", span.path.map(Value::Text));
    add("client.address", span.client.map(Value::Text));
    add("rpc.grpc.status_code", span.grpc_status.map(int));
    let kind = span
        .error
        .map_or_else(|| span.status.to_string(), str::to_owned);
    add("error.type", span.has_failed.then_some(Value::Text(kind)));
    add("sidelight.request_id", span.request_id.map(Value::Text));
    add("sidelight.fault", span.fault.map(text));
    let upstream = span.upstream.map(|took| took.as_secs_f64() * 1000.0);
    add("sidelight.upstream_ms", upstream.map(Value::Double));
    if let Some(seen) = span.seen {
        let count = |count| Some(int(i64::try_from(count).unwrap_or(i64::MAX)));
        add("sidelight.model", Some(Value::Text(seen.model)));
        add("sidelight.model_version", Some(Value::Text(seen.version)));
        add("sidelight.items", count(seen.items));
        add("sidelight.predicted_classes", count(seen.classes));
    }
    attributes
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn int(number: impl Into<i64>) -> Value {
    Value::Int(number.into())
}

fn nanoseconds(since_1970: Duration) -> u64 {
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::outlet::{Context, Seen},
        *,
    };

    fn span() -> Span {
        Span {
            context: Context {
                trace: [1; 16],
                span: [2; 8],
                flags: 1,
            },
            parent: Some([3; 8]),
            started: Duration::from_secs(10),
            duration: Duration::from_nanos(5),
            method: Some(Method::POST),
            route: Some(Arc::from("/models/{model}")),
            path: Some("/models/a".to_owned()),
            client: Some("10.0.0.1".to_owned()),
            request_id: Some("r1".to_owned()),
            status: 200,
            grpc_status: None,
            fault: None,
            error: None,
            has_failed: false,
            upstream: Some(Duration::from_micros(1500)),
            seen: Some(Seen {
                model: "a".to_owned(),
                version: "1".to_owned(),
                items: 3,
                classes: 2,
            }),
        }
    }

    fn shown(span: &proto::Span) -> Vec<String> {
        let value = |a: &KeyValue| a.value.clone().unwrap().value.unwrap();
        let attributes = span.attributes.iter();
        attributes
            .map(|a| format!("{}={:?}", a.key, value(a)))
            .collect()
    }

    #[test]
    fn an_exchange_is_a_span_of_a_server_below_that_of_the_client() {
        let encoded = encoded(span(), &[KeyValue::text("url.scheme", "http")]);
        assert_eq!(encoded.name, "POST /models/{model}");
        assert_eq!(encoded.kind, SERVER);
        assert_eq!(encoded.trace_id, [1; 16]);
        assert_eq!(encoded.span_id, [2; 8]);
        assert_eq!(encoded.parent_span_id, [3; 8]);
        assert_eq!(encoded.start_time_unix_nano, 10_000_000_000);
        assert_eq!(encoded.end_time_unix_nano, 10_000_000_005);
        assert_eq!(encoded.flags, 0x301);
        assert_eq!(encoded.status, None);
        assert_eq!(
            shown(&encoded),
            [
                r#"url.scheme=Text("http")"#,
                r#"http.request.method=Text("POST")"#,
                r#"http.route=Text("/models/{model}")"#,
                "http.response.status_code=Int(200)",
                r#"url.path=Text("/models/a")"#,
                r#"client.address=Text("10.0.0.1")"#,
                r#"sidelight.request_id=Text("r1")"#,
                "sidelight.upstream_ms=Double(1.5)",
                r#"sidelight.model=Text("a")"#,
                r#"sidelight.model_version=Text("1")"#,
                "sidelight.items=Int(3)",
                "sidelight.predicted_classes=Int(2)",
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_left_out_and_a_method_nobody_knows_is_no_name() {
        let bare = Span {
            parent: None,
            method: Some(Method::from_bytes(b"BREW").unwrap()),
            route: None,
            path: None,
            client: None,
            request_id: None,
            upstream: None,
            seen: None,
            ..span()
        };
        let encoded = encoded(bare, &[]);
        assert_eq!(encoded.name, "HTTP");
        assert!(encoded.parent_span_id.is_empty());
        assert_eq!(encoded.flags, 1);
        assert_eq!(
            shown(&encoded),
            [
                r#"http.request.method=Text("_OTHER")"#,
                r#"http.request.method_original=Text("BREW")"#,
                "http.response.status_code=Int(200)",
            ]
        );
    }

    #[test]
    fn a_failure_is_an_error_with_its_kind() {
        let failed = |error, status| Span {
            status,
            error,
            has_failed: true,
            fault: Some("upstream"),
            grpc_status: Some(13),
            ..span()
        };
        let broken = encoded(failed(Some("upstream_body"), 200), &[]);
        let status = broken.status.as_ref().unwrap();
        assert_eq!(
            (status.code, status.message.as_str()),
            (ERROR, "upstream_body")
        );
        let said = shown(&broken);
        for attribute in [
            r#"error.type=Text("upstream_body")"#,
            r#"sidelight.fault=Text("upstream")"#,
            "rpc.grpc.status_code=Int(13)",
        ] {
            assert!(said.contains(&attribute.to_owned()), "{said:?}");
        }
        let said = shown(&encoded(failed(None, 503), &[]));
        assert!(said.contains(&r#"error.type=Text("503")"#.to_owned()));
    }
}
