"""RFC 9113, sections 8.2, 8.3 and 8.5: the fields of a request, and what may not reach an upstream.

What is malformed here would, written out as HTTP/1.1, often be another request, or two.
"""

from .. import frames as f
from ..judge import case, need

SMUGGLED = "a\r\nHost: evil\r\n\r\nGET /echo/smuggled HTTP/1.1\r\nx: y"


def without(t, name):
    return [pair for pair in t.fields() if pair[0] != name]


def instead(t, name, value):
    return [(name, value) if pair[0] == name else pair for pair in t.fields()]


def plus(*pairs):
    return lambda t: [*t.fields(), *pairs]


def prefixed(text):
    """A path that still has the token of the case, and `text` in front of, within or behind it."""
    return lambda t: instead(t, ":path", text.replace("@", t.path))


NAMES = [(f"a name with {what}", plus((name, "v"))) for what, name in (
    ("capital letters", "X-Upper"), ("one capital letter", "x-uppeR"), ("a space", "x a"),
    ("a space at its end", "x-a "),
    ("a colon", "x-a:b"), ("no letter", ""), ("NUL", "x\0a"), ("LF", "x\na"), ("CRLF", "x\r\na: b"), ("TAB", "x\ta"),
    ("DEL", "x\x7fa"), ("0x80", "x\x80a"), ("0xff", "x\xff"))]

VALUES = [(f"a value with {what}", plus(("x-a", value))) for what, value in (
    ("NUL", "a\0b"), ("CR", "a\rb"), ("LF", "a\nb"), ("CRLF", "a\r\nx-b: c"), ("a request in it", SMUGGLED),
    ("a space before it", " a"), ("a space behind it", "a "), ("a TAB before it", "\ta"), ("a TAB behind it", "a\t"))]

CONNECTION = [(f"{name}: {value}", plus((name, value))) for name, value in (
    ("connection", "close"), ("connection", "keep-alive"), ("connection", "x-a"), ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"), ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"),
    ("upgrade", "h2c"), ("upgrade", "websocket"), ("te", "gzip"), ("te", "trailers, gzip"), ("te", "chunked;q=1"))]

PSEUDO = [
    *[(f"no {name}", lambda t, name=name: without(t, name)) for name in (":method", ":scheme", ":path")],
    *[(f"{name} twice", lambda t, name=name: [pair for p in t.fields() for pair in ([p, p] if p[0] == name else [p])])
      for name in (":method", ":scheme", ":path", ":authority")],
    *[(f"an empty {name}", lambda t, name=name: instead(t, name, "")) for name in (":method", ":path", ":scheme")],
    ("an unknown pseudo-field", lambda t: [(":test", "ok"), *t.fields()]),
    ("a pseudo-field in capitals", lambda t: [(":Method", "GET"), *without(t, ":method")]),
    ("a pseudo-field without a name", lambda t: [(":", "x"), *t.fields()]),
    (":status", lambda t: [*t.fields(), (":status", "200")]),
    *[(f"{name} behind a regular field", lambda t, name=name: [*without(t, name), ("x-a", "1"),
                                                                *[p for p in t.fields() if p[0] == name]])
      for name in (":method", ":scheme", ":path", ":authority")]]

TARGETS = [
    *[(f"a path with {what}", prefixed(path)) for what, path in (
        ("a space", "@ b"), ("a space behind it", "@ "), ("a space before it", " @"), ("CRLF", "@\r\nx: y"),
        ("LF", "@\n"), ("NUL", "@\0"), ("TAB", "@\tb"), ("DEL", "@\x7f"),
        ("a request in it", "@ HTTP/1.1\r\nHost: a\r\n\r\nGET @"),
        ("no slash before it", "x@"))],
    ("a method with a space", lambda t: instead(t, ":method", "GET /echo/x")),
    ("a method with CRLF", lambda t: instead(t, ":method", "GET\r\nx: y")),
    ("a method with a colon", lambda t: instead(t, ":method", "GE:T")),
    ("a method with NUL", lambda t: instead(t, ":method", "GET\0")),
    ("a scheme with CRLF", lambda t: instead(t, ":scheme", "http\r\nx: y")),
    ("a scheme with a space", lambda t: instead(t, ":scheme", "ht tp")),
    ("a scheme that is a URI", lambda t: instead(t, ":scheme", "http://evil/a?")),
    ("an authority with CRLF", lambda t: instead(t, ":authority", "a\r\nx: y")),
    ("an authority with a space", lambda t: instead(t, ":authority", "a b")),
    ("an authority with a path", lambda t: instead(t, ":authority", "a/b")),
    ("an authority with a user", lambda t: instead(t, ":authority", "user@a")),
    ("an authority with a user and password", lambda t: instead(t, ":authority", "user:word@a")),
    ("an authority with NUL", lambda t: instead(t, ":authority", "a\0")),
    ("no authority and no host", lambda t: without(t, ":authority")),
    ("an empty authority and no host", lambda t: instead(t, ":authority", "")),
    ("an empty host and no authority", lambda t: [*without(t, ":authority"), ("host", "")]),
    ("two hosts", lambda t: [*without(t, ":authority"), ("host", "a"), ("host", "b")]),
    ("a host with CRLF", lambda t: [*without(t, ":authority"), ("host", "a\r\nx: y")]),
    ("CONNECT with a path", lambda t: instead(t, ":method", "CONNECT"))]

LENGTHS = [(f"content-length: {', '.join(values)}", plus(*(("content-length", value) for value in values)))
           for values in (["abc"], ["-1"], ["+0"], ["0x0"], ["1"], ["0", "1"], ["99999999999999999999999"], ["0 0"])]

for section, table in (("8.2.1", NAMES), ("8.2.1", VALUES), ("8.2.2", CONNECTION), ("8.3", PSEUDO), ("8.3.1", TARGETS),
                       ("8.1.1", LENGTHS)):
    for what, make in table:
        @case(section, f"a request with {what} is malformed and goes nowhere")
        def malformed(t, make=make):
            client = t.connect()
            stream = client.request(make(t))
            t.malformed(client, stream)
            need(not t.upstream.records.of("smuggled"), "a request was smuggled")


@case("8.3.1", "a host that is not the authority is refused, or only the authority is passed on")
def two_names(t):
    client = t.connect()
    stream = client.request([*t.fields(), ("host", "other.example")])
    client.wait(lambda: stream.is_over() or client.goaway)
    if stream.status == 200:
        hosts = t.upstream.wait_record(t.token).field(b"host")
        need(hosts == [authority(t)], f"host {hosts}")
    else:
        t.malformed(client, stream)


def authority(t):
    return dict(t.fields())[":authority"].encode()


@case("8.3.1", "a host may stand in for the authority")
def only_host(t):
    client = t.connect()
    t.answered(client, client.request([*without(t, ":authority"), ("host", "model.example:81")]))
    need(t.upstream.wait_record(t.token).field(b"host") == [b"model.example:81"], "the host was changed")


@case("8.3.1", "authority and an equal host reach the upstream as one")
def equal_host(t):
    client = t.connect()
    t.answered(client, client.request([*t.fields(), ("host", authority(t).decode())]))
    need(t.upstream.wait_record(t.token).field(b"host") == [authority(t)], "not one host")


@case("8.3.1", "an asterisk is the path of OPTIONS")
def asterisk(t):
    client = t.connect()
    stream = client.request([(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"),
                             (":authority", authority(t).decode())])
    need(stream.wait(lambda: stream.ended) and stream.status == 200, f"{stream.status}, reset {stream.reset}")
    need([record.path for record in t.upstream.records.all if record.method == "OPTIONS"] == ["*"], "another path")


@case("8.5", "CONNECT is refused")
def connect(t):
    tunnel(t, (":authority", "a.example:80"))


@case("8.5", "CONNECT without an authority is refused")
def connect_nowhere(t):
    tunnel(t)


def tunnel(t, *authority):
    client = t.connect()
    stream = client.request([(":method", "CONNECT"), *authority], end=False)
    client.wait(lambda: stream.is_over() or client.goaway or stream.status)
    need(stream.status in (None, 400, 403, 405, 501), f"{stream.status}")
    need(stream.status or stream.is_over() or client.goaway, "no reaction")
    need(not [record for record in t.upstream.records.all if record.method == "CONNECT"], "it was passed on")


@case("8.5", "CONNECT with a protocol that nobody allowed is refused")
def extended_connect(t):
    client = t.connect()
    if client.peer.get(8):
        return
    stream = client.request([*instead(t, ":method", "CONNECT"), (":protocol", "websocket")])
    t.stream_error(client, stream, f.PROTOCOL_ERROR, answers=range(400, 600))
    t.not_passed_on()


# -- what must pass, unchanged

GOOD = [
    ("te: trailers", [("te", "trailers")]), ("an empty value", [("x-empty", "")]),
    ("octets above 0x7f in a value", [("x-high", "caf\xe9\xff")]),
    ("tabs and spaces within a value", [("x-tab", "a\t b")]),
    ("the same name three times", [("x-a", "1"), ("x-a", "2"), ("x-a", "3")]),
    ("a value of 8,000 octets", [("x-long", "v" * 8000)]), ("100 fields", [(f"x-{i}", str(i)) for i in range(100)]),
    ("all characters of a name", [("x!#$%&'*+-.^_`|~09az", "v")]), ("a name of 200 octets", [("x" * 200, "v")]),
    ("a length of 0", [("content-length", "0")]),
    ("a name of HTTP/1.1's own in a value", [("x-a", "transfer-encoding: chunked")])]

for what, more in GOOD:
    @case("8.2", f"a request with {what} passes unchanged")
    def passes(t, more=more):
        client = t.connect()
        t.answered(client, client.request([*t.fields(), *more]))
        record = t.upstream.wait_record(t.token)
        for name in {name for name, _ in more} - {"te", "content-length"}:
            expected = [value.encode("latin-1") for key, value in more if key == name]
            seen = record.field(name.encode())
            need(seen == expected, f"{name}: {seen!r:.200} instead of {expected!r:.200}")


for method in ("GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "M-SEARCH", "get", "X"):
    @case("8.3.1", f"the method {method} passes unchanged")
    def methods(t, method=method):
        client = t.connect()
        stream = client.request(t.fields(method))
        t.answered(client, stream, method=method)
        need(t.upstream.wait_record(t.token).method == method, "another method")


for what, tail in (("a query", "?a=1&b=%20"), ("dots", "/../x/./y"), ("percent signs", "%2F%00%zz"),
                   ("two slashes", "//x//"), ("odd characters", "/:@!$&'()*+,;=~"), ("3,000 octets", "/" + "p" * 3000),
                   ("an empty query", "?")):
    @case("8.3.1", f"a path with {what} passes unchanged")
    def paths(t, tail=tail):
        t.path += tail
        client = t.connect()
        t.answered(client, client.request(t.fields()))
        need(t.upstream.wait_record(t.token).path == t.path, "another path")


@case("8.2.3", "the crumbs of a cookie reach an upstream of HTTP/1.1 as one, and no other field is joined")
def crumbs(t):
    client = t.connect()
    cookies = [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("cookie", "c=3")]
    t.answered(client, client.request([*t.fields(), *cookies]))
    record = t.upstream.wait_record(t.token)
    seen = record.field(b"cookie")
    need(b"; ".join(seen) == b"a=1; b=2; c=3", f"{seen}")
    need(record.version == 2 or len(seen) == 1, f"{len(seen)} cookie fields over HTTP/1.1")
