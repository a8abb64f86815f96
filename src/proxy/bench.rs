//! What `benches/exchange.rs` measures of the proxy, and nobody else should name: the rules are
//! private, and a bench is a crate of its own. Only with the feature `bench`.

use http::{HeaderValue, request, response};

use super::sanitize::{self, Bounds};

/// Puts a request's head, with a body behind it, through the rules; `false`: it was refused.
pub fn request(head: &mut request::Parts) -> bool {
    let authority = || HeaderValue::from_static("model:8000");
    sanitize::request(head, true, Bounds::NONE, authority).is_ok()
}

/// Puts an answer's head through the rules; `false`: it was refused.
pub fn response(head: &mut response::Parts) -> bool {
    sanitize::response(head).is_ok()
}
