//! One table of routes: what `GET /` lists, what the README lists, and what is answered.

use std::{fmt::Write, future::Future, pin::Pin, sync::Arc};

use ::http::{HeaderValue, Method, StatusCode, header};

use super::{Ops, access, admin, baselines, dashboard, drift, feedback, headers, models, probes};
use crate::{
    http::{Handler, Request, Response, content, error_json, text},
    panics::hook,
};

/// What decides between the page and the list.
const ACCEPT: HeaderValue = HeaderValue::from_static("accept");

type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// One route of the operator's port.
pub struct Route {
    /// `GET` also answers `HEAD`; any other changes something.
    pub method: Method,
    /// The path; `{name}` stands for any one part of it.
    pub path: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    handler: for<'a> fn(&'a Arc<Ops>, &'a Request) -> Answering<'a>,
}

/// A baseline holds values and words of bodies, and so do requests.
const BASELINE: &str = "/drift/baseline";
const RECENT: &str = "/recent";

impl Route {
    fn is_of(&self, path: &str) -> bool {
        let parts = || self.path.split('/').zip(path.split('/'));
        self.path.split('/').count() == path.split('/').count()
            && parts().all(|(own, part)| own == part || own.starts_with('{') && !part.is_empty())
    }

    /// Whether not everybody who reaches the port may ask for it.
    fn is_guarded(&self) -> bool {
        self.method != Method::GET || [BASELINE, RECENT].contains(&self.path)
    }
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/",
        help: "The live page, for browsers; for others this list.",
        handler: |_, request| Box::pin(async { front(request) }),
    },
    Route {
        method: Method::GET,
        path: "/state",
        help: "All that the page shows, as JSON: counts that only rise with their edges, models, drift, what is missing.",
        handler: |ops, _| Box::pin(dashboard::state(ops)),
    },
    Route {
        method: Method::GET,
        path: "/events",
        help: "The same once a second, as server-sent events named `state`; for at most 100 at once, beyond 503.",
        handler: |ops, _| Box::pin(async { dashboard::events(ops) }),
    },
    Route {
        method: Method::GET,
        path: RECENT,
        help: "The last `ops.recent` requests as the log shows them, since somebody asks; for who may change something.",
        handler: |ops, _| Box::pin(dashboard::recent(ops)),
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
        help: "What has drifted from the baseline; `?model=` and `?version=` choose, else the last that predicted.",
        handler: |ops, request| Box::pin(drift::get(ops, request)),
    },
    Route {
        method: Method::GET,
        path: "/drift/{model}/{series}",
        help: "Histograms of one series: its baseline, and a recent window.",
        handler: |ops, request| Box::pin(drift::histograms(ops, request)),
    },
    Route {
        method: Method::GET,
        path: "/drift/episodes",
        help: "Drifts that began or ended since the agent started, the last 500, and those that go on.",
        handler: |ops, _| Box::pin(dashboard::episodes(ops)),
    },
    Route {
        method: Method::GET,
        path: "/drift/baselines",
        help: "Every baseline: whose, where it comes from, rows, and its series with kind and missing share.",
        handler: |ops, _| Box::pin(baselines::list(ops)),
    },
    Route {
        method: Method::GET,
        path: BASELINE,
        help: "The baseline of exactly `?model=` and `?version=`, as a file that can be posted again; for who may change it.",
        handler: |ops, request| Box::pin(baselines::get(ops, request)),
    },
    Route {
        method: Method::POST,
        path: BASELINE,
        help: "Sets the baseline: a JSON list of confidences, lists by series, or a file of `sidelight baseline`; `?model=` and `?version=` say whose, else the file, else everyone's.",
        handler: |ops, request| Box::pin(drift::set_baseline(ops, request)),
    },
    Route {
        method: Method::DELETE,
        path: BASELINE,
        help: "Takes the baseline of exactly `?model=` and `?version=` away.",
        handler: |ops, request| Box::pin(drift::remove_baseline(ops, request)),
    },
    Route {
        method: Method::GET,
        path: "/models",
        help: "What was seen of each model: versions, formats, items, features, what is not known, and the line that would tell it.",
        handler: |ops, _| Box::pin(models::get(ops)),
    },
    Route {
        method: Method::GET,
        path: "/feedback",
        help: "What labels say of each model and version: accuracy, classes, confusion, calibration, errors, estimate, drop; `?model=` and `?version=` choose.",
        handler: |ops, request| Box::pin(feedback::get(ops, request)),
    },
    Route {
        method: Method::POST,
        path: "/feedback",
        help: "Takes labels: `{\"request_id\", \"item\", \"label\"}`, a list of them, or one on each line; needs `feedback.enabled`.",
        handler: |ops, request| Box::pin(feedback::post(ops, request)),
    },
    Route {
        method: Method::POST,
        path: "/admin/reload",
        help: "Reads the configuration again, as SIGHUP does, and says what changed.",
        handler: |ops, _| Box::pin(admin::reload(ops)),
    },
    Route {
        method: Method::POST,
        path: "/admin/leave",
        help: "Not ready any more, and each connection of a client is closed behind its next answer; requests are answered on, until a signal ends the agent.",
        handler: |ops, _| Box::pin(async { admin::leave(ops) }),
    },
];

/// The door of the operator's port.
pub(super) struct Door(pub(super) Arc<Ops>);

impl Handler for Door {
    fn refuse(&self, request: &Request) -> Option<Response> {
        route(&self.0, request).err().map(|refusal| *refusal)
    }

    async fn answer(&self, request: Request) -> Response {
        hook("ops");
        match route(&self.0, &request) {
            Ok(route) => (route.handler)(&self.0, &request).await,
            // a reload has changed who may since it came
            Err(refusal) => *refusal,
        }
    }

    fn dress(&self, response: &mut Response) {
        headers::put(response.headers_mut());
    }
}

/// The route that is asked for, by who may.
fn route(ops: &Ops, request: &Request) -> Result<&'static Route, Box<Response>> {
    access::has_one_host(request).map_err(access::Refusal::response)?;
    let of_path: Vec<_> = ROUTES.iter().filter(|r| r.is_of(&request.path)).collect();
    if of_path.is_empty() {
        let detail = "no such route; GET / lists them";
        return Err(error_json(StatusCode::NOT_FOUND, "not_found", detail).into());
    }
    let method = if request.is_read() {
        &Method::GET
    } else {
        &request.method
    };
    let Some(&route) = of_path.iter().find(|route| route.method == method) else {
        return Err(not_allowed(&of_path).into());
    };
    if route.is_guarded() {
        let settings = ops.settings.borrow().clone();
        let token = settings.ops.token.as_deref();
        access::may_change(request, token).map_err(access::Refusal::response)?;
    }
    Ok(route)
}

fn not_allowed(routes: &[&Route]) -> Response {
    let methods: Vec<_> = routes
        .iter()
        .map(|route| match route.method.as_str() {
            "GET" => "GET, HEAD",
            method => method,
        })
        .collect();
    let allow = methods.join(", ");
    let detail = format_args!("this route answers {allow}");
    let mut response = error_json(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    if let Ok(allow) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn front(request: &Request) -> Response {
    let page = dashboard::page(request);
    let mut response = page.unwrap_or_else(|| text(StatusCode::OK, help()));
    response.headers_mut().insert(header::VARY, ACCEPT);
    response
}

fn help() -> String {
    let mut text = concat!("sidelight ", env!("CARGO_PKG_VERSION"), "\n\n").to_owned();
    for Route {
        method, path, help, ..
    } in ROUTES
    {
        // writing to a string does not fail
        let method = method.as_str();
        let _ = writeln!(text, "{method:<6} {path:<23} {help}");
    }
    text
}

fn metrics(ops: &Ops) -> Response {
    content(
        "text/plain; version=0.0.4; charset=utf-8",
        ops.scrapes.text(|| ops.metrics.render()),
    )
}
