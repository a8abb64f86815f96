"""Exchanges recorded from real model servers (`tests/wire/recorded`), and three ways to send them again.

One JSON object a line. `request` and `response` have their fields as [name, value], the body de-chunked but still
compressed, and the chunks of streams; `expect` is what the model says of it, taken from the model's own file and never
from the answer.
"""

import base64
import gzip
import json
import random
import struct

from harness import ROOT

FOLDER = ROOT / "tests" / "wire" / "recorded"
COUNT = 137
# pieces of a body whose borders are drawn, at most
PIECES = 8


class Message:
    """One direction of an exchange: fields in order, the body in the pieces in which it is sent."""

    def __init__(self, fields, pieces, trailers=None):
        self.fields, self.pieces, self.trailers = [tuple(field) for field in fields], pieces, trailers

    @property
    def body(self):
        return b"".join(self.pieces)

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name), None)

    def with_field(self, name, value):
        """Replaces the value in its place, or adds the field at the end."""
        fields = [(key, value if key.lower() == name else old) for key, old in self.fields]
        if self.field(name) is None:
            fields.append((name, value))
        return Message(fields, self.pieces, self.trailers)

    def with_body(self, body):
        changed = Message(self.fields, [body], self.trailers)
        return changed if changed.field("content-length") is None else changed.with_field("content-length",
                                                                                          str(len(body)))


class Pair:
    """One recorded exchange."""

    def __init__(self, line):
        self.id, self.method, self.path = line["id"], line["method"], line["path"]
        self.is_http2 = line["protocol"] == "h2c"
        self.status, self.reason = line["response"]["status"], line["response"].get("reason")
        self.expect = line["expect"]
        self.request, self.response = _message(line["request"]), _message(line["response"])
        self.line = line

    @property
    def kind(self):
        return self.expect["kind"]


def _bytes(part):
    body = part["body"]
    return base64.b64decode(body, validate=True) if part["body_encoding"] == "base64" else body.encode()


def _message(part):
    chunks = part.get("chunks") or [part]
    message = Message(part["headers"], [_bytes(chunk) for chunk in chunks], part.get("trailers"))
    assert message.body == _bytes(part) and len(message.body) == part["body_bytes"], "the recording is damaged"
    return message


def files():
    """Their names, without the ending."""
    return sorted(file.stem for file in FOLDER.glob("*.jsonl"))


def path(name):
    return FOLDER / f"{name}.jsonl"


def pairs(name):
    return [Pair(json.loads(line)) for line in path(name).read_text().splitlines()]


# -- the ways: each a function of a pair that gives what the client and what the server sends ---------

def as_recorded(pair):
    return pair.request, pair.response


def with_other_borders(pair, seed=0):
    """Pieces of one byte up to the whole body, never the same for two pairs, always the same for one."""
    draw = random.Random(f"{seed} {pair.id}")
    return _cut(pair.request, draw), _cut(pair.response, draw)


def compressed(pair):
    """Gzip over what is not compressed yet: a body, or each message of gRPC."""
    compress = _compressed_messages if pair.is_http2 else _compressed_body
    return compress(pair.request), compress(pair.response)


WAYS = (as_recorded, with_other_borders, compressed)


def _cut(message, draw):
    body = message.body
    borders = sorted(draw.randrange(len(body)) for _ in range(draw.randrange(1, PIECES))) if body else []
    pieces = [body[start:end] for start, end in zip([0, *borders], [*borders, len(body)])]
    return Message(message.fields, [piece for piece in pieces if piece], message.trailers)


def _compressed_body(message):
    if not message.body or message.field("content-encoding"):
        return message
    return message.with_body(gzip.compress(message.body, mtime=0)).with_field("content-encoding", "gzip")


def _compressed_messages(message):
    body, out = message.body, b""
    while body:
        flag, length = struct.unpack(">BI", body[:5])
        payload, body = body[5:5 + length], body[5 + length:]
        payload = payload if flag else gzip.compress(payload, mtime=0)
        out += struct.pack(">BI", 1, len(payload)) + payload
    return message.with_body(out).with_field("grpc-encoding", "gzip") if out else message


def line_of(pair, way):
    """The recorded line as it would be, had the exchange gone that way."""
    line = dict(pair.line)
    for part, message in zip(("request", "response"), way(pair)):
        changed = {"headers": message.fields, "body": base64.b64encode(message.body).decode(),
                   "body_encoding": "base64", "body_bytes": len(message.body)}
        line[part] = {key: value for key, value in line[part].items() if key not in ("chunks", "body_decoded")}
        line[part].update(changed)
    return json.dumps(line)
