//! One table of routes: what `GET /` lists, what the README lists, and what is answered.

use std::{fmt::Write, future::Future, pin::Pin};

use ::http::{HeaderValue, Method, StatusCode, header};

use super::{Ops, access, admin, drift, probes};
use crate::{
    http::{Request, Response, content, error_json, text},
    panics::hook,
};

type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// One route of the operator's port.
pub struct Route {
    /// `GET` also answers `HEAD`; any other changes something, and who may is checked.
    pub method: Method,
    /// The exact path.
    pub path: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    handler: for<'a> fn(&'a Ops, &'a Request) -> Answering<'a>,
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/",
        help: "This list.",
        handler: |_, _| Box::pin(async { text(StatusCode::OK, help()) }),
    },
    Route {
        method: Method::GET,
        path: "/metrics",
        help: "Everything that is counted, for Prometheus.",
        handler: |ops, _| Box::pin(async { metrics(ops) }),
    },
    Route {
        method: Method::GET,
        path: "/health",
        help: "Whether the agent runs: status, timestamp, version, checks.",
        handler: |_, _| Box::pin(async { probes::health() }),
    },
    Route {
        method: Method::GET,
        path: "/ready",
        help: "Whether requests can be answered; 503 while the model is not loaded, a data thread is stuck or the agent leaves.",
        handler: |ops, _| Box::pin(probes::ready(ops)),
    },
    Route {
        method: Method::GET,
        path: "/live",
        help: "Whether the process answers at all.",
        handler: |_, _| Box::pin(async { probes::live() }),
    },
    Route {
        method: Method::GET,
        path: "/drift",
        help: "Recent confidences against the baseline; `?model=` and `?version=` choose, else the last that predicted.",
        handler: |ops, request| Box::pin(drift::get(ops, request)),
    },
    Route {
        method: Method::POST,
        path: "/drift/baseline",
        help: "Sets the baseline: a JSON list of confidences; `?model=` and `?version=` say whose, else everyone's.",
        handler: |ops, request| Box::pin(drift::set_baseline(ops, request)),
    },
    Route {
        method: Method::DELETE,
        path: "/drift/baseline",
        help: "Takes the baseline of exactly `?model=` and `?version=` away.",
        handler: |ops, request| Box::pin(drift::remove_baseline(ops, request)),
    },
    Route {
        method: Method::POST,
        path: "/admin/reload",
        help: "Reads the configuration again, as SIGHUP does, and says what changed.",
        handler: |ops, _| Box::pin(admin::reload(ops)),
    },
];

/// Answers one request to the operator's port.
pub(super) async fn answer(ops: &Ops, request: Request) -> Response {
    hook("ops");
    let of_path: Vec<_> = ROUTES.iter().filter(|r| r.path == request.path).collect();
    if of_path.is_empty() {
        let detail = "no such route; GET / lists them";
        return error_json(StatusCode::NOT_FOUND, "not_found", detail);
    }
    let method = if request.is_read() {
        &Method::GET
    } else {
        &request.method
    };
    let Some(route) = of_path.iter().find(|route| route.method == method) else {
        return not_allowed(&of_path);
    };
    if route.method != Method::GET {
        let settings = ops.settings.borrow().clone();
        if let Err(refusal) = access::may_change(&request, settings.ops.token.as_deref()) {
            return refusal.response();
        }
    }
    (route.handler)(ops, &request).await
}

fn not_allowed(routes: &[&Route]) -> Response {
    let methods: Vec<_> = routes.iter().map(|route| route.method.as_str()).collect();
    let allow = methods.join(", ");
    let detail = format_args!("this route answers {allow}");
    let mut response = error_json(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn help() -> String {
    let mut text = concat!("sidelight ", env!("CARGO_PKG_VERSION"), "\n\n").to_owned();
    for Route {
        method, path, help, ..
    } in ROUTES
    {
        // writing to a string does not fail
        let _ = writeln!(text, "{method:<6} {path:<15} {help}");
    }
    text
}

fn metrics(ops: &Ops) -> Response {
    content(
        "text/plain; version=0.0.4; charset=utf-8",
        ops.metrics.render(),
    )
}
