"""RFC 9113, section 3: how a connection begins, with HTTP/1.1 on the same port."""

import socket
import time

from .. import frames as f
from .. import hpack
from ..client import HOST
from ..judge import case, need


def raw(t, payload):
    """Sends octets on a new connection; what comes back until the end or a second of silence."""
    with socket.create_connection((HOST, t.port), timeout=30) as sock:
        try:
            sock.sendall(payload)
        except OSError:
            return b"", True
        sock.settimeout(10)
        got = b""
        try:
            while (part := sock.recv(65536)):
                got += part
            return got, True
        except TimeoutError:
            return got, False
        except OSError:
            return got, True


@case("3.4", "the server's preface is a SETTINGS frame, and comes first")
def server_preface(t):
    client = t.connect()
    need(client.counts[f.SETTINGS] >= 1, "no SETTINGS")
    t.still_works(client)


@case("3.4", "the client's SETTINGS are acknowledged")
def client_settings(t):
    client = t.connect({f.MAX_FIELDS: 65536})
    need(client.acks == 1, f"{client.acks} acknowledgements")


@case("3.4", "a request may follow the preface at once")
def at_once(t):
    client = t.connect(ready=False)
    stream = client.stream()
    client.begin(f.headers(1, hpack.block(t.fields())))
    t.answered(client, stream)


@case("3.4", "a preface that comes octet by octet is one")
def slow_preface(t):
    # an acknowledgement must not come between the octets
    client = t.connect(ready=False, auto_ack=False)
    for octet in f.PREFACE:
        client.write(bytes([octet]))
        time.sleep(0.002)
    client.send_settings({})
    client.write(f.settings(flags=f.ACK))
    t.still_works(client)


@case("3.4", "a preface and a request that are cut anywhere are read alike")
def cut_preface(t):
    whole = f.PREFACE + f.settings() + f.headers(1, hpack.block(t.fields()))
    for cut in (1, 3, 14, 16, 18, 23, 24, 25, 33, 34, 42, 45):
        client = t.connect(ready=False, auto_ack=False)
        stream = client.stream()
        client.expect_ack()
        client.write(whole[:cut])
        time.sleep(0.005)
        client.write(whole[cut:])
        t.answered(client, stream)


@case("3.4", "a frame other than SETTINGS after the preface is a connection error")
def no_settings(t):
    client = t.connect(ready=False)
    client.write(f.PREFACE + f.ping())
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("3.4", "an acknowledgement instead of SETTINGS after the preface is a connection error")
def ack_first(t):
    client = t.connect(ready=False)
    client.write(f.PREFACE + f.settings(flags=f.ACK))
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("3.4", "HTTP/1.1 after the preface is a connection error")
def http1_after_preface(t):
    client = t.connect(ready=False)
    client.write(f.PREFACE + f"GET {t.path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    t.connection_error(client, f.PROTOCOL_ERROR, f.FRAME_SIZE_ERROR)
    t.not_passed_on()


for what, payload in (
        ("another word", b"INVALID CONNECTION PREFACE\r\n\r\n"),
        ("another version", b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n"),
        ("another target", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"), ("another end", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
        ("small letters", b"pri * http/2.0\r\n\r\nsm\r\n\r\n"), ("zeros", bytes(64)),
        ("garbage of 64 KiB", bytes(range(256)) * 256), ("a preface without CR", f.PREFACE.replace(b"\r", b""))):
    @case("3.4", f"a preface with {what} is no beginning: the connection ends")
    def bad_preface(t, payload=payload):
        got, ended = raw(t, payload)
        need(ended, f"still open, {got[:80]!r}")
        need(not got or got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4")) or f.frame(f.GOAWAY)[3:4] in got,
             f"{got[:80]!r}")


@case("3.1", "Upgrade: h2c is ignored, the request is answered over HTTP/1.1")
def upgrade(t):
    got, _ = raw(t, (f"GET {t.path} HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings\r\n"
                     "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n").encode())
    need(got.startswith(b"HTTP/1.1 200"), f"{got[:100]!r}")
    record = t.upstream.wait_record(t.token)
    need(record and not record.field(b"http2-settings") and not record.field(b"upgrade"), "h2c was passed on")
