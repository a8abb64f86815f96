//! A request as a handler sees it: whole.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method};

/// One request, its body read.
#[derive(Debug, Clone)]
pub struct Request {
    /// As sent.
    pub method: Method,
    /// As sent, escapes and all; without the query.
    pub path: String,
    /// What stood after `?`, as sent.
    pub query: Option<String>,
    /// As sent.
    pub headers: HeaderMap,
    /// Whole, at most [`Limits::body`](super::Limits::body) bytes.
    pub body: Bytes,
    /// Where the connection comes from.
    pub peer: SocketAddr,
}

impl Request {
    /// Whether it only asks: GET, or HEAD, which is a GET whose answer leaves the body out.
    pub fn is_read(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// The first value of `name` in the query, decoded as a form: `+` is a blank, `%41` is `A`.
    /// A name without `=` has the empty value; escapes that are none stay as they are.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query.as_deref()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key, b' ') == name).then(|| decoded(value, b' '))
        })
    }

    /// The parts of the path, decoded; escapes that are none stay as they are.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split('/')
            .map(|segment| decoded(segment, b'+'))
            .collect()
    }
}

/// `plus`: what `+` stands for.
fn decoded(text: &str, plus: u8) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match (first, escape(after)) {
            (b'%', Some(byte)) => {
                rest = &after[2..];
                byte
            }
            (b'+', _) => plus,
            _ => first,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escape(digits: &[u8]) -> Option<u8> {
    let digit = |i: usize| (*digits.get(i)? as char).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(method: Method, query: &str) -> Request {
        Request {
            method,
            path: "/".to_owned(),
            query: Some(query.to_owned()),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: ([127, 0, 0, 1], 1).into(),
        }
    }

    #[test]
    fn query_values_are_decoded_as_forms_are() {
        let value = |query: &str, name: &str| asking(Method::GET, query).query_value(name);
        assert_eq!(value("a=1&b=2", "b").as_deref(), Some("2"));
        assert_eq!(value("a=x%20y+z", "a").as_deref(), Some("x y z"));
        assert_eq!(value("%61=caf%C3%A9", "a").as_deref(), Some("café"));
        assert_eq!(value("a=1&a=2", "a").as_deref(), Some("1"));
        assert_eq!(value("a&b=", "a").as_deref(), Some(""));
        assert_eq!(value("a=1", "b"), None);
        assert_eq!(value("", "b"), None);
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        let value = |query: &str| asking(Method::GET, query).query_value("a").unwrap();
        assert_eq!(value("a=%"), "%");
        assert_eq!(value("a=%4"), "%4");
        assert_eq!(value("a=%zz1"), "%zz1");
        assert_eq!(value("a=%+1"), "% 1");
        assert_eq!(value("a=%ff"), "\u{fffd}");
        assert_eq!(value("a=b=c"), "b=c");
    }

    #[test]
    fn segments_are_decoded_behind_the_slashes() {
        let mut request = asking(Method::GET, "");
        request.path = "/drift/a%2Fb+c/%zz".to_owned();
        assert_eq!(request.segments(), ["drift", "a/b+c", "%zz"]);
    }

    #[test]
    fn only_get_and_head_are_reads() {
        assert!(asking(Method::GET, "").is_read());
        assert!(asking(Method::HEAD, "").is_read());
        assert!(!asking(Method::POST, "").is_read());
    }
}
