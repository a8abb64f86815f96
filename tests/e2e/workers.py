#!/usr/bin/env python3
"""A model server of two processes behind one port, each with counters of its own, as under gunicorn.

Usage: workers.py [not-ready] PORT. `/count` says what the process that answers has counted; `not-ready` answers
200 to `/ready`, with `ready: false`.
"""

import http.server
import json
import os
import signal
import socket
import sys

WORKERS = 2
IS_READY = "not-ready" not in sys.argv


class Worker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    counted = 0

    def do_GET(self):
        self.answer({"ready": IS_READY} if self.path == "/ready" else {"count": Worker.counted})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Worker.counted += 1
        self.answer({"prediction": "setosa", "confidence": 0.9, "model_version": "1"})

    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        # the next request goes to whichever is free
        self.send_header("Connection", "close")
        self.send_header("X-Worker", str(os.getpid()))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def main():
    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Worker)
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    children = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            server.serve_forever()
        children.append(pid)

    def end(*_):
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.pause()


if __name__ == "__main__":
    main()
