//! Route templates as label values, learned from what the upstream answers, and their handles.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, HashSet},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use ::metrics::{Counter, Histogram};
use http::Method;

use crate::metrics::{Metrics, catalogue};

/// Children that exist at 0 from a route's first request: a burst that creates its own series is
/// invisible to `increase`.
const FROM_THE_START: [u16; 7] = [200, 400, 422, 500, 502, 503, 504];

/// Where everything beyond a bound is counted.
pub(super) const OTHER: &str = "other";

/// Templates all data threads share: at most `metrics.max_endpoints`.
#[derive(Debug)]
pub(super) struct Learned {
    known: Mutex<HashSet<Arc<str>>>,
    max: usize,
}

/// What one route template counts into. Handles are looked up once per thread and label set.
///
/// An ordered map, as in [`Endpoints`]: to compare with the few there are costs a third of a hash
/// that clients cannot attack.
pub(super) struct Endpoint {
    pub(super) name: Arc<str>,
    duration: OnceCell<Histogram>,
    metrics: Arc<Metrics>,
    statuses: RefCell<BTreeMap<(u16, &'static str), Counter>>,
}

impl Learned {
    /// Room for `max` templates.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: Mutex::default(),
            max,
        }
    }

    /// The shared name of `template`, if it is known or there is room for it.
    ///
    /// `is_named`: the configuration or a format names it. Those fit at the start; as many again
    /// have room for what reloads name.
    fn admit(&self, template: &str, is_named: bool, metrics: &Metrics) -> Option<Arc<str>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known.get(template) {
            return Some(Arc::clone(name));
        }
        let cost = catalogue::REQUEST_DURATION.kind.series() + FROM_THE_START.len();
        let max = if is_named { 2 * self.max } else { self.max };
        if known.len() >= max || !metrics.has_room(cost) {
            return None;
        }
        let name: Arc<str> = Arc::from(template);
        known.insert(Arc::clone(&name));
        Some(name)
    }

    fn contains(&self, template: &str) -> bool {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(template)
    }
}

/// The endpoints one data thread has met.
pub(super) struct Endpoints {
    learned: Arc<Learned>,
    metrics: Arc<Metrics>,
    met: RefCell<BTreeMap<Arc<str>, Rc<Endpoint>>>,
    other: Rc<Endpoint>,
    overflow: Counter,
}

impl Endpoints {
    pub(super) fn new(learned: Arc<Learned>, metrics: Arc<Metrics>) -> Self {
        Self {
            learned,
            met: RefCell::default(),
            other: Rc::new(Endpoint::new(Arc::from(OTHER), Arc::clone(&metrics))),
            overflow: metrics.counter(&catalogue::LABEL_OVERFLOWS, &["endpoint"]),
            metrics,
        }
    }

    /// The endpoint of a template that the configuration or a format names.
    pub(super) fn named(&self, template: &Arc<str>) -> Rc<Endpoint> {
        self.get_or_learn(template, true)
    }

    /// The endpoint of any other path.
    ///
    /// `exists`: whether the upstream's answer shows that there is such a route. A path that it
    /// does not know never makes a series: a scan of random paths stays one series, `other`.
    pub(super) fn of_path(&self, path: &str, exists: bool) -> Rc<Endpoint> {
        let template = template(path);
        if let Some(met) = self.met.borrow().get(template.as_str()) {
            return Rc::clone(met);
        }
        if exists || self.learned.contains(&template) {
            self.get_or_learn(&template, false)
        } else {
            Rc::clone(&self.other)
        }
    }

    /// Where requests whose path could not be read are counted.
    pub(super) fn other(&self) -> Rc<Endpoint> {
        Rc::clone(&self.other)
    }

    fn get_or_learn(&self, template: &str, is_named: bool) -> Rc<Endpoint> {
        if let Some(met) = self.met.borrow().get(template) {
            return Rc::clone(met);
        }
        let Some(name) = self.learned.admit(template, is_named, &self.metrics) else {
            self.overflow.increment(1);
            return Rc::clone(&self.other);
        };
        let endpoint = Rc::new(Endpoint::new(Arc::clone(&name), Arc::clone(&self.metrics)));
        self.met.borrow_mut().insert(name, Rc::clone(&endpoint));
        endpoint
    }
}

impl Endpoint {
    fn new(name: Arc<str>, metrics: Arc<Metrics>) -> Self {
        Self {
            name,
            duration: OnceCell::new(),
            metrics,
            statuses: RefCell::default(),
        }
    }

    /// The counter of answers with `status` to requests with `method`; `None`: it could not be read.
    pub(super) fn requests(&self, method: Option<&Method>, status: u16) -> Counter {
        self.child(method.map_or(OTHER, method_label), status)
    }

    /// The histogram of its durations, whose many series are there from its first request on.
    pub(super) fn duration(&self) -> &Histogram {
        self.duration.get_or_init(|| {
            self.metrics
                .histogram(&catalogue::REQUEST_DURATION, &[&self.name])
        })
    }

    /// Makes the children of `method` that exist from the start.
    pub(super) fn prepare(&self, method: &Method) {
        drop(self.child(method_label(method), FROM_THE_START[0]));
    }

    fn child(&self, method: &'static str, status: u16) -> Counter {
        if let Some(counter) = self.statuses.borrow().get(&(status, method)) {
            return counter.clone();
        }
        let is_whole = self.has_room_for(method);
        let method = if is_whole { method } else { OTHER };
        let mut statuses = self.statuses.borrow_mut();
        if is_whole && self.name.as_ref() != OTHER {
            for usual in FROM_THE_START {
                statuses
                    .entry((usual, method))
                    .or_insert_with(|| self.register(method, usual));
            }
        }
        statuses
            .entry((status, method))
            .or_insert_with(|| self.register(method, status))
            .clone()
    }

    /// Whether the usual children of `method` are there or have room; counts it where not.
    fn has_room_for(&self, method: &'static str) -> bool {
        let usual = (FROM_THE_START[0], method);
        let is_there = self.name.as_ref() == OTHER || self.statuses.borrow().contains_key(&usual);
        let has_room = is_there || self.metrics.has_room(FROM_THE_START.len());
        if !has_room {
            self.metrics
                .counter(&catalogue::LABEL_OVERFLOWS, &["method"])
                .increment(1);
        }
        has_room
    }

    fn register(&self, method: &'static str, status: u16) -> Counter {
        let mut status = status;
        if !FROM_THE_START.contains(&status) && !self.metrics.has_room(1) {
            // the class survives, so error rates stay right
            status = status / 100 * 100;
            self.metrics
                .counter(&catalogue::LABEL_OVERFLOWS, &["status_code"])
                .increment(1);
        }
        let counter = self.metrics.counter(
            &catalogue::REQUESTS,
            &[method, &self.name, &status.to_string()],
        );
        counter.increment(0);
        counter
    }
}

/// The methods people use; a client can invent others without end.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or(OTHER)
}

/// A path with its variable parts replaced: numbers, UUIDs, long hexadecimal or very long
/// segments become `{id}`; beyond 8 segments the rest is `...`.
fn template(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (i, segment) in path.split('/').enumerate() {
        if i > 0 {
            out.push('/');
        }
        if i > 8 {
            out.push_str("...");
            break;
        }
        out.push_str(if is_variable(segment) {
            "{id}"
        } else {
            segment
        });
    }
    out
}

fn is_variable(segment: &str) -> bool {
    let is_number = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    let is_hex = segment.len() >= 16
        && segment.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
        && segment.bytes().any(|b| b.is_ascii_digit());
    is_number || is_hex || segment.len() > 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(max: usize, max_series: usize) -> (Endpoints, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new(max_series).unwrap());
        (
            Endpoints::new(Arc::new(Learned::new(max)), Arc::clone(&metrics)),
            metrics,
        )
    }

    #[test]
    fn variable_segments_share_a_template() {
        assert_eq!(template("/users/17/items/9"), "/users/{id}/items/{id}");
        assert_eq!(
            template("/jobs/0192f5d4-0000-7000-8000-000000000001"),
            "/jobs/{id}"
        );
        assert_eq!(
            template("/v1/models/iris:predict"),
            "/v1/models/iris:predict"
        );
        assert_eq!(template("/deadbeef"), "/deadbeef");
        assert_eq!(template("/"), "/");
    }

    #[test]
    fn a_path_the_upstream_does_not_know_makes_no_series() {
        let (endpoints, metrics) = endpoints(50, 5000);
        for i in 0..200 {
            let endpoint = endpoints.of_path(&format!("/x{i}y"), false);
            endpoint.requests(Some(&Method::GET), 404).increment(1);
        }
        let text = metrics.render();
        let series = text
            .lines()
            .filter(|l| l.starts_with("ml_api_requests_total{"))
            .count();
        assert_eq!(series, 1, "{text}");
    }

    #[test]
    fn beyond_the_bound_templates_are_other_and_counted() {
        let (endpoints, metrics) = endpoints(3, 5000);
        let names: Vec<_> = (0..9)
            .map(|i| endpoints.of_path(&format!("/p{i}x"), true).name.to_string())
            .collect();
        assert_eq!(names[..3], ["/p0x", "/p1x", "/p2x"]);
        assert!(names[3..].iter().all(|n| n == OTHER));
        let line = "sidelight_label_overflows_total{label=\"endpoint\"} 6";
        assert!(metrics.render().contains(line));
        assert_eq!(
            endpoints.of_path("/p1x", false).name.as_ref(),
            "/p1x",
            "once learned, known"
        );
    }

    #[test]
    fn the_usual_children_exist_at_0_from_the_first_request() {
        let (endpoints, metrics) = endpoints(50, 5000);
        endpoints
            .of_path("/predict", true)
            .requests(Some(&Method::POST), 201)
            .increment(1);
        let text = metrics.render();
        for status in FROM_THE_START {
            let line = format!(
                "ml_api_requests_total{{method=\"POST\",endpoint=\"/predict\",status_code=\"{status}\"}} 0"
            );
            assert!(text.contains(&line), "{line}\n{text}");
        }
    }

    #[test]
    fn statuses_without_room_are_counted_in_their_class() {
        let (endpoints, metrics) = endpoints(50, 60);
        let endpoint = endpoints.of_path("/predict", true);
        for status in 500..600 {
            endpoint.requests(Some(&Method::POST), status).increment(1);
        }
        let text = metrics.render();
        let sum: u64 = text
            .lines()
            .filter(|l| l.starts_with("ml_api_requests_total{") && l.contains("status_code=\"5"))
            .map(|l| l.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(sum, 100);
        assert!(text.lines().filter(|l| !l.starts_with('#')).count() < 90);
    }

    #[test]
    fn invented_methods_are_one_series() {
        let (endpoints, metrics) = endpoints(50, 5000);
        for name in ["A", "BREW", "XYZZY"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            endpoints.other().requests(Some(&method), 405).increment(1);
        }
        let line = r#"ml_api_requests_total{method="other",endpoint="other",status_code="405"} 3"#;
        assert!(metrics.render().contains(line));
    }
}
