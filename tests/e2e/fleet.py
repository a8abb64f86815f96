"""Replicas of a model behind Sidelight, faults between the two that can be switched on, and traffic.

Standard library only. What misbehaves stands between Sidelight and a real Iris server: all but the fault is the
server's.
"""

import http.client
import http.server
import json
import random
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

import harness as h
from harness import Agent, Client, Iris, equal

GOLDEN = 0.6180339887498949
INCH = 2.54


class Share:
    """True for a share of the questions, evenly spread: chance plays no part."""

    def __init__(self, share):
        self.share, self.sum, self.lock = share, 0.0, threading.Lock()

    def hit(self):
        with self.lock:
            self.sum += self.share
            if self.sum < 1:
                return False
            self.sum -= 1
            return True


@dataclass
class Fault:
    """What becomes of a share of the predictions; `change` alters each of them."""

    fails: float = 0
    unreadable: float = 0
    slow: float = 0
    seconds: float = 0
    change: object = None

    def __post_init__(self):
        self.failing, self.broken, self.waiting = Share(self.fails), Share(self.unreadable), Share(self.slow)

    def apply(self, answer):
        """Status and body instead of the server's."""
        if self.waiting.hit():
            time.sleep(self.seconds)
        if self.failing.hit():
            return 500, b'{"detail": "Internal Server Error"}'
        body = answer.body
        if answer.status == 200 and self.change:
            said = json.loads(body)
            for prediction in said.get("predictions", [said]):
                self.change(prediction)
            body = json.dumps(said).encode()
        # as a server writes that dies in the middle of what it has announced as the whole
        return answer.status, body[:len(body) // 2] if answer.status == 200 and self.broken.hit() else body


class Forward(http.server.BaseHTTPRequestHandler):
    """One connection of Sidelight's, with one of its own to the Iris server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.iris = Client(self.server.iris_port)

    def finish(self):
        self.iris.close()
        super().finish()

    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            answer = self.ask(body)
        except (OSError, http.client.HTTPException):
            # nobody is there: neither is an answer
            self.close_connection = True
            return
        status, body = answer.status, answer.body
        if self.path.startswith("/predict"):
            status, body = self.server.fault.apply(answer)
        self.send_response(status)
        self.send_header("Content-Type", answer.header("Content-Type") or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self, body):
        headers = {"Content-Type": "application/json"}
        try:
            return self.iris.request(self.command, self.path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError):
            # an idle connection may have ended
            return self.iris.request(self.command, self.path, body, headers)

    do_GET = do_POST = do_HEAD = any

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            pass

    def log_message(self, *_):
        pass


class Switch(http.server.ThreadingHTTPServer):
    """Stands before an Iris server and hands on what it says, but for `fault`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, iris_port):
        self.iris_port, self.fault = iris_port, Fault()
        super().__init__((h.HOST, 0), Forward)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass


class Replica:
    """An Iris server, a switch before it, and Sidelight before that."""

    def __init__(self, config):
        self.config = config
        self.iris = Iris()
        self.switch = Switch(self.iris.port)
        self.agent = Agent(upstream=self.switch.server_port, config=config)
        self.is_ready = True

    def kill_agent(self):
        self.agent.kill()

    def start_agent(self):
        self.agent = Agent(upstream=self.switch.server_port, config=self.config, port=self.agent.port,
                           ops=self.agent.ops)
        self.agent.outlives_its_case = True

    def kill_model(self):
        self.iris.kill()

    def start_model(self):
        self.iris = Iris(self.iris.port)
        self.iris.outlives_its_case = True

    def look(self):
        try:
            self.is_ready = self.agent.ask("GET", "/ready", timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            self.is_ready = False

    def stop(self):
        self.agent.stop()
        self.switch.shutdown()
        self.switch.server_close()
        self.iris.stop()


class Pool:
    """Flowers as they may come, with what the model says of them: the population of traffic and of baselines."""

    def __init__(self, count, seed=7):
        source = random.Random(seed)
        flowers = h.rows()
        self.rows = [{name: round(max(0.1, value + source.gauss(0, 0.1)), 2)
                      for name, value in source.choice(flowers).items()} for _ in range(count)]
        with Iris() as iris, Client(iris.port) as client:
            self.said = [prediction for begin in range(0, count, 100) for prediction in h.predictions(
                client.request("POST", "/predict/batch", self.rows[begin:begin + 100]))]
        self.confidences = sorted(one["confidence"] for one in self.said)
        order = sorted(range(count), key=lambda place: self.said[place]["confidence"])
        self.by_confidence = [self.rows[place] for place in order]

    def share_to(self, confidence):
        """Share of the confidences up to this one."""
        return sum(one <= confidence for one in self.confidences) / len(self.confidences)

    def baseline(self):
        """A baseline file of all of it."""
        names = list(h.FEATURES)
        lines = [",".join([*names, "class", "confidence"])]
        lines += [",".join([*(str(row[name]) for name in names), said["prediction"], repr(said["confidence"])])
                  for row, said in zip(self.rows, self.said)]
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="sidelight-e2e-", delete=False) as file:
            done = subprocess.run([h.BINARY, "baseline", "-", "--ordered"], input="\n".join(lines) + "\n", text=True,
                                  stdout=file, stderr=subprocess.PIPE, timeout=h.PATIENCE, check=False)
        equal(done.returncode, 0, f"sidelight baseline: {done.stderr}")
        return file.name


class Traffic:
    """Requests at a rate, to replicas in turn, as a balancer does that asks `/ready`: what is not ready gets none.

    Of ten requests seven are a prediction, one is a batch of three, one a probe and one a mistake, so there are as
    many predictions as requests.
    """

    WORKERS = 24

    def __init__(self, replicas, pool):
        self.replicas, self.pool = replicas, pool
        self.rate = 0.0
        # rows by chance, or evenly over the confidences, so that few are enough to show a small shift
        self.is_even = False
        self.in_inches = False
        self.sent = self.failed = 0
        self.turn, self.due = 0, time.monotonic()
        self.sources = [random.Random(seed) for seed in range(len(replicas))]
        self.places = [place / len(replicas) for place in range(len(replicas))]
        self.lock, self.is_over = threading.Lock(), threading.Event()
        work = [self.watch, *[self.work] * self.WORKERS]
        self.threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)

    def watch(self):
        while not self.is_over.wait(0.1):
            for replica in self.replicas:
                replica.look()

    def row(self, place):
        if self.is_even:
            self.places[place] = (self.places[place] + GOLDEN) % 1
            row = self.pool.by_confidence[int(self.places[place] * len(self.pool.rows))]
        else:
            row = self.sources[place].choice(self.pool.rows)
        return {name: round(value / INCH, 2) for name, value in row.items()} if self.in_inches else row

    def next(self):
        """What is to be sent to whom, once it is time; nothing is made up for when the machine is slow."""
        with self.lock:
            while not self.rate:
                if self.is_over.wait(0.05):
                    return None
                self.due = time.monotonic()
            self.due = max(self.due + 1 / self.rate, time.monotonic() - 1)
            if self.is_over.wait(max(0, self.due - time.monotonic())):
                return None
            place, kind = self.turn % len(self.replicas), self.turn // len(self.replicas) % 10
            self.turn += 1
            wanted = {3: ("GET", "/health", None), 6: ("POST", "/predict", {"sepal_length": "long"})}.get(kind)
            if kind == 8:
                wanted = ("POST", "/predict/batch", [self.row(place) for _ in range(3)])
            ready = [replica for replica in self.replicas if replica.is_ready] or self.replicas
            to = self.replicas[place] if self.replicas[place] in ready else ready[self.turn % len(ready)]
            return to.agent.port, wanted or ("POST", "/predict", self.row(place))

    def work(self):
        clients = {}
        while (what := self.next()) is not None:
            port, (method, path, body) = what
            client = clients.setdefault(port, Client(port))
            try:
                client.request(method, path, body)
                self.sent += 1
            except (OSError, http.client.HTTPException):
                self.failed += 1


class Fleet:
    """Replicas that serve the same model, with the same baseline and traffic."""

    def __init__(self, count, pool, config):
        config = {**config, "drift": {**config.get("drift", {}), "baseline_files": [pool.baseline()]}}
        self.pool = pool
        self.replicas = h.in_parallel([lambda: Replica(config) for _ in range(count)])
        self.traffic = Traffic(self.replicas, pool)

    def set_fault(self, make):
        """To each replica a fault of its own, by this function."""
        for replica in self.replicas:
            replica.switch.fault = make()

    def heal(self):
        self.traffic.in_inches = False
        self.set_fault(Fault)
        for replica in self.replicas:
            if not replica.iris.is_alive():
                replica.start_model()
            if not replica.agent.is_alive():
                replica.start_agent()

    def stop(self):
        self.traffic.stop()
        for replica in self.replicas:
            replica.stop()
