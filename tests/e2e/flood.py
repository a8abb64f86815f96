"""Requests without number, many to a write: as fast as Python can, every answer looked at."""

import collections
import socket
import threading

import harness as h
from harness import check, in_parallel

AT_ONCE = 50
CLIENTS = 4


def message(method, path, body=b"", fields=b""):
    return (b"%b %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n%b" % (method, path, fields, len(body), body))


def flood(port, count, request_of):
    """Sends `request_of(number)` for each number below `count`: how often each status came."""
    statuses, lock = collections.Counter(), threading.Lock()

    def run(first):
        with socket.create_connection((h.HOST, port), timeout=h.PATIENCE) as client:
            file = client.makefile("rb", 1 << 16)
            numbers = range(first, count, CLIENTS)
            for at in range(0, len(numbers), AT_ONCE):
                part = numbers[at:at + AT_ONCE]
                client.sendall(b"".join(map(request_of, part)))
                came = [_status(file) for _ in part]
                with lock:
                    statuses.update(came)
    in_parallel([lambda first=first: run(first) for first in range(CLIENTS)])
    return dict(statuses)


def _status(file):
    line = file.readline()
    check(line.startswith(b"HTTP/1.1 "), lambda: f"no answer: {line!r}")
    length = None
    while (field := file.readline()) not in (b"\r\n", b""):
        if field[:15].lower() == b"content-length:":
            length = int(field[15:])
    check(length is not None, "an answer without a length")
    check(len(file.read(length)) == length, "an answer that broke off")
    return int(line[9:12])
