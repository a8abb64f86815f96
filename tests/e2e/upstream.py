"""A model server that does on demand what real ones do on bad days. Standard library only.

Arguments: the port. Routes:
  POST /predict           a class and a confidence made of the row alone; a list gives a list
  POST /predict?canned=N  the same N predictions each time, made once, whatever was sent
  *    /echo              what arrived: method, path, fields in order, body
  GET  /slow?ms=N         the answer after N milliseconds
  GET  /large?bytes=N     N bytes
  GET  /broken            half of the announced body, then the connection closes
  GET  /status?code=N     that status
  GET  /ready, /health    200
"""

import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CLASSES = ("setosa", "versicolor", "virginica")
BLOCK = bytes(65536)
canned = {}


def answer_of(row):
    """Any deterministic rule will do: nothing here is about the model's quality."""
    length = float(row["petal_length"])
    best = 0 if length < 2.5 else 1 if length < 4.9 else 2
    confidence = 0.5 + (length * 7919 % 1) / 2.5
    shares = [(1 - confidence) / 2] * 3
    shares[best] = confidence
    return {"prediction": CLASSES[best], "confidence": confidence, "probabilities": dict(zip(CLASSES, shares)),
            "model_version": "2.1.0"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # a head and its body are two writes
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def reply(self, value, status=200):
        self.send(json.dumps(value).encode(), status)

    def send(self, data, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def canned(self, count):
        """Cheap to give, dear to read: what an observer falls behind on."""
        if count not in canned:
            rows = [answer_of({"petal_length": 1 + i % 60 / 10}) for i in range(count)]
            canned[count] = json.dumps(rows).encode()
        self.send(canned[count])

    def large(self, size):
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size > 0:
            self.wfile.write(BLOCK[:size])
            size -= len(BLOCK)

    def broken(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 500)
        self.wfile.flush()
        self.close_connection = True

    def predict(self, body):
        try:
            sent = json.loads(body)
            self.reply([answer_of(row) for row in sent] if isinstance(sent, list) else answer_of(sent))
        except (ValueError, KeyError, TypeError) as error:
            self.reply({"detail": str(error)}, 422)

    def handle_any(self):
        url = urlsplit(self.path)
        query = {key: int(values[0]) for key, values in parse_qs(url.query).items()}
        body = self.body()
        if url.path == "/predict" and "canned" in query:
            self.canned(query["canned"])
        elif url.path == "/predict" and self.command == "POST":
            self.predict(body)
        elif url.path == "/echo":
            self.reply({"method": self.command, "path": self.path, "fields": self.headers.items(),
                        "body": body.decode("latin-1")})
        elif url.path == "/slow":
            time.sleep(query["ms"] / 1000)
            self.reply({"slept_ms": query["ms"]})
        elif url.path == "/large":
            self.large(query["bytes"])
        elif url.path == "/broken":
            self.broken()
        elif url.path == "/status":
            self.reply({"status": query["code"]}, query["code"])
        elif url.path in ("/ready", "/health"):
            self.reply({"ready": True, "status": "healthy", "checks": {"model_loaded": True}})
        else:
            self.reply({"detail": "Not Found"}, 404)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        super().server_bind()


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
