//! What is asked for: a path on the upstream, in one form.

use http::{
    HeaderValue, Method, Uri, header, request,
    uri::{PathAndQuery, Scheme},
};

use super::{super::failure::Failure, host};

/// Nobody is connected to an address of the client's choice (RFC 9110, section 9.3.6).
pub(super) fn refuse_connect(method: &Method) -> Result<(), Failure> {
    match *method {
        Method::CONNECT => Err(Failure::Connect),
        _ => Ok(()),
    }
}

/// A target is a path, an `http` URI with a host and no user, or `*` of `OPTIONS`
/// (RFC 9112, section 3.2; RFC 9110, sections 4.2.1 and 4.2.4).
pub(super) fn refuse_invalid(method: &Method, uri: &Uri) -> Result<(), Failure> {
    let is_valid = match (uri.scheme(), uri.authority()) {
        (None, None) => uri.path().starts_with('/') || is_whole_server(method, uri),
        (Some(scheme), Some(authority)) => {
            let authority = authority.as_str();
            (*scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)
                && !authority.is_empty()
                && !authority.starts_with(':')
                && host::is_valid(authority.as_bytes())
        }
        // an authority alone is for CONNECT
        _ => false,
    };
    is_valid.then_some(()).ok_or(Failure::BadTarget)
}

fn is_whole_server(method: &Method, uri: &Uri) -> bool {
    *method == Method::OPTIONS && uri.path() == "*" && uri.query().is_none()
}

/// An origin server is asked in origin-form; the authority of an absolute-form target replaces
/// `Host` (RFC 9112, sections 3.2.1 and 3.2.2).
pub(super) fn use_origin_form(head: &mut request::Parts) {
    let Some(authority) = head.uri.authority() else {
        return;
    };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        head.headers.insert(header::HOST, host);
    }
    // a path that is empty says that it is `/`, but is written as nothing
    let target = head.uri.path_and_query().filter(|path| *path != "/");
    let target = target.cloned();
    head.uri = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    if head.uri.path().is_empty() {
        // of `http://host#x`: the fragment is gone, and an empty target is none
        head.uri = Uri::from_static("/");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_an_http_uri_and_the_star_of_options_pass() {
        for target in [
            "/",
            "/a?b",
            "//a",
            "http://a.test",
            "HTTPS://a.test:1/x",
            "http://[::1]/",
        ] {
            let uri: Uri = target.parse().unwrap();
            assert_eq!(refuse_invalid(&Method::GET, &uri), Ok(()), "{target}");
        }
        let star = Uri::from_static("*");
        assert_eq!(refuse_invalid(&Method::OPTIONS, &star), Ok(()));
        assert_eq!(refuse_invalid(&Method::GET, &star), Err(Failure::BadTarget));
    }

    #[test]
    fn an_absolute_target_without_a_path_is_the_root() {
        for (target, expected) in [
            ("http://a.test", "/"),
            ("http://a.test#b", "/"),
            ("http://a.test?b", "/?b"),
            ("http://a.test/b#c", "/b"),
        ] {
            let mut head = http::Request::get(target).body(()).unwrap().into_parts().0;
            use_origin_form(&mut head);
            assert_eq!(head.uri.to_string(), expected, "{target}");
        }
    }

    #[test]
    fn other_targets_are_refused() {
        for target in [
            "foo",
            "a.test:80",
            "ftp://a.test/",
            "http://u:p@a.test/",
            "http://:80/",
        ] {
            let Ok(uri) = target.parse::<Uri>() else {
                continue;
            };
            assert_eq!(
                refuse_invalid(&Method::GET, &uri),
                Err(Failure::BadTarget),
                "{target}"
            );
        }
        assert_eq!(refuse_connect(&Method::CONNECT), Err(Failure::Connect));
    }
}
