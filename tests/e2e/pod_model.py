"""A model server as one finds it in a pod: it takes time until it is ready, and leaves when it is told to.

Variables: PORT (8000); LOADED: `no` waits for `POST /load` before it is ready. Routes:
  POST /predict        a class and a confidence made of the row alone; ?ms=N: after N milliseconds
  GET  /ready          503 until the model is loaded
  POST /load           loads it

On SIGTERM it accepts nobody any more, answers what it has begun, and ends with 0.
"""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import upstream

# every so often the loop looks whether it is to end
POLL_S = 0.05


def answer(body):
    """The bytes that the model gives for those of a request."""
    return json.dumps(upstream.answer_of(json.loads(body))).encode()


class Model(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self):
        self.is_loaded = os.environ.get("LOADED") != "no"
        self.is_leaving = False
        self.lock, self.in_hand = threading.Lock(), 0
        super().__init__(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler)

    def leave(self, *_):
        self.is_leaving = True
        threading.Thread(target=self.shutdown, daemon=True).start()

    def begun(self, by):
        with self.lock:
            self.in_hand += by

    def handle_error(self, *_):
        """Clients may break off what they like."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def parse_request(self):
        # from the first line on it is in hand
        self.server.begun(1)
        self.has_begun = True
        return super().parse_request()

    def handle_one_request(self):
        self.has_begun = False
        try:
            super().handle_one_request()
        finally:
            if self.has_begun:
                self.server.begun(-1)
            if self.server.is_leaving:
                self.close_connection = True

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.is_leaving:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        is_ready = self.path == "/ready" and self.server.is_loaded
        self.send(200 if is_ready else 503, json.dumps({"ready": is_ready}).encode())

    def do_POST(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == "/load":
            self.server.is_loaded = True
            self.send(200, b"{}")
        elif url.path == "/predict":
            time.sleep(int(parse_qs(url.query).get("ms", ["0"])[0]) / 1000)
            self.send(200, answer(body))
        else:
            self.send(404, b"{}")


def main():
    model = Model()
    signal.signal(signal.SIGTERM, model.leave)
    model.serve_forever(POLL_S)
    model.server_close()
    while model.in_hand:
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
