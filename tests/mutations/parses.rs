//! All that may be read on one connection.

use super::{
    reader::{End, Read, Reading, read},
    request::Request,
};

/// All that the RFCs let a recipient read in `bytes`: one list of requests for each way.
///
/// A recipient may always stop earlier. The last request of a list may have broken off.
pub(crate) fn parses(bytes: &[u8]) -> Vec<Parse> {
    let mut all = Vec::new();
    extend(bytes, Vec::new(), &mut all);
    all
}

/// One way to read a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parse {
    pub(crate) requests: Vec<Request>,
    pub(crate) end: ParseEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParseEnd {
    /// The last request closes: what follows it is not read.
    Closed,
    /// More was to come.
    Waiting,
    Malformed(&'static str),
}

fn extend(bytes: &[u8], before: Vec<Request>, all: &mut Vec<Parse>) {
    let tolerant = read(bytes, Reading::Tolerant);
    let blanking = read(bytes, Reading::Blanking);
    if blanking != tolerant {
        follow(bytes, blanking, before.clone(), all);
    }
    follow(bytes, tolerant, before, all);
}

fn follow(bytes: &[u8], read: Read, mut requests: Vec<Request>, all: &mut Vec<Parse>) {
    let closes = read.request.as_ref().is_some_and(|r| r.closes);
    requests.extend(read.request);
    let end = match read.end {
        End::Complete(_) if closes => ParseEnd::Closed,
        End::Complete(length) => return extend(&bytes[length..], requests, all),
        End::Incomplete => ParseEnd::Waiting,
        End::Malformed(why) => ParseEnd::Malformed(why),
    };
    all.push(Parse { requests, end });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each parse: the targets, those of what broke off in brackets, and how it ends.
    fn told(text: &str) -> Vec<String> {
        let brief = |request: &Request| {
            let target = String::from_utf8(request.target.clone()).unwrap();
            let body = String::from_utf8(request.body.clone()).unwrap();
            match (request.is_complete, body.as_str()) {
                (true, "") => target,
                (true, body) => format!("{target}={body}"),
                (false, body) => format!("({target}={body})"),
            }
        };
        parses(text.as_bytes())
            .iter()
            .map(|parse| {
                let requests: Vec<_> = parse.requests.iter().map(brief).collect();
                let end = match parse.end {
                    ParseEnd::Closed => "closed",
                    ParseEnd::Waiting => "waiting",
                    ParseEnd::Malformed(_) => "malformed",
                };
                format!("{} {end}", requests.join(" "))
            })
            .collect()
    }

    const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn what_is_right_is_read_in_one_way() {
        for (text, expected) in [
            ("", " waiting"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/ /next waiting"),
            (
                "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "/ /next waiting",
            ),
            ("GET / HTTP/1.0\r\n\r\n", "/ closed"),
            (
                "GET / HTTP/1.0\r\nConnection: a, Keep-Alive\r\n\r\n",
                "/ /next waiting",
            ),
            (
                "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n",
                "/x /next waiting",
            ),
            (
                "GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n",
                "/?x /next waiting",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 02\r\n\r\nhi",
                "/=hi /next waiting",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2 ;a=b\r\nhi\r\n0\r\nA: b\r\n\r\n",
                "/=hi /next waiting",
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: ,Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
                "/=hi closed",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
                "/ /next waiting",
            ),
        ] {
            let next = if text.is_empty() { "" } else { NEXT };
            assert_eq!(told(&format!("{text}{next}")), [expected], "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_ends_what_is_read() {
        for head in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nhi",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
            "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(
                told(&format!("{NEXT}{head}{NEXT}")),
                ["/next malformed"],
                "{head:?}"
            );
        }
        let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi";
        for chunks in [
            "\n0\r\n\r\n",
            "\r\n0 \r\n\r\n",
            "\r\n0x0\r\n\r\n",
            "\r\n0;\0\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert_eq!(
                told(&format!("{post}{chunks}")),
                ["(/=hi) malformed"],
                "{chunks:?}"
            );
        }
        assert_eq!(told(post), ["(/=hi) waiting"]);
    }

    #[test]
    fn a_bare_line_feed_is_read_in_two_ways() {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(told(text), ["/ waiting", "/=hi waiting"]);
    }
}
