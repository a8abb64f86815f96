//! What the exporter gets of an exchange: its lines as they were written, and a span.

use super::{access_log::Seen, redact::Redact};
use crate::{
    capture::{Exchange, Fault, trace::Parent},
    otlp::{self, Context, Line, Outlet, Span},
};

/// The route of what has none.
const OTHER: &str = super::cardinality::OTHER;

/// Hands over what is wanted.
pub(super) struct Export {
    outlet: Outlet,
    random: fastrand::Rng,
}

impl Default for Export {
    fn default() -> Self {
        Self::new(Outlet::default())
    }
}

impl Export {
    pub(super) fn new(outlet: Outlet) -> Self {
        Self {
            outlet,
            random: fastrand::Rng::new(),
        }
    }

    /// `lines`: what the log has of it, which may be nothing.
    pub(super) fn exchange(
        &mut self,
        exchange: &Exchange,
        seen: Option<Seen<'_>>,
        redact: &Redact,
        lines: &[u8],
    ) {
        let mut context = exchange.parent.map(of_client);
        if self.outlet.wants_spans() && exchange.parent.is_none_or(|p| p.is_sampled()) {
            let own = self.below(exchange.parent);
            self.outlet.span(span(exchange, seen, redact, own));
            context = Some(own);
        }
        if !self.outlet.wants_lines() {
            return;
        }
        let context = context.filter(|_| !redact.covers("trace_id"));
        for line in lines.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                let text = line.into();
                self.outlet.line(Line { text, context });
            }
        }
    }

    /// A new span: of the client's trace, or the first of a new one, which is sampled.
    fn below(&mut self, parent: Option<Parent>) -> Context {
        // all 0 is none
        let (trace, flags) = match parent {
            Some(parent) => (parent.trace, parent.flags),
            None => (self.random.u128(1..).to_ne_bytes(), 1),
        };
        Context {
            trace,
            span: self.random.u64(1..).to_ne_bytes(),
            flags,
        }
    }
}

/// That of the client's span: what is said in it is said there.
fn of_client(parent: Parent) -> Context {
    let Parent { trace, span, flags } = parent;
    Context { trace, span, flags }
}

/// What the log may not show is left out, or hashed where it tells equal from different.
fn span(e: &Exchange, seen: Option<Seen<'_>>, redact: &Redact, context: Context) -> Span {
    let text = |name: &str, value: &str| redact.shown(name, value).into_owned();
    let route = Some(&e.endpoint).filter(|endpoint| ***endpoint != *OTHER);
    Span {
        context,
        parent: e.parent.map(|parent| parent.span),
        started: e.started,
        duration: e.duration,
        method: e.method.clone(),
        route: route.cloned(),
        path: Some(text("path", &e.path)).filter(|path| !path.is_empty()),
        client: Some(text("client_ip", &e.client_ip.to_string())),
        request_id: Some(text("request_id", &e.request_id)),
        status: e.status,
        grpc_status: e.grpc_status,
        fault: e.fault.map(Fault::label),
        error: e.error,
        has_failed: matches!(e.fault, Some(Fault::Upstream | Fault::Sidelight)),
        upstream: e.upstream,
        seen: seen.map(|seen| otlp::Seen {
            model: text("model", seen.model),
            version: text("model_version", seen.version),
            items: seen.inference.items(),
            classes: seen
                .inference
                .outputs
                .iter()
                .filter(|output| output.class().is_some())
                .count(),
        }),
    }
}
