"""What every end-to-end suite stands on: processes, requests, metrics, log lines, patience.

Only Python's standard library and Linux's /proc are needed. Servers get ports that were free a
moment ago, on loopback; every process that is started is ended by its pid, whatever happens.
"""

import atexit
import collections
import contextlib
import http.client
import http.server
import json
import math
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

E2E = pathlib.Path(__file__).resolve().parent
ROOT = E2E.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = pathlib.Path(os.environ.get("SIDELIGHT_BINARY", TARGET / "release" / "sidelight"))

HOST = "127.0.0.1"
# Generous: two cores may be busy with something else. Nothing sleeps that long when all is well.
PATIENCE = 60.0
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


class Failed(AssertionError):
    """What was expected did not happen."""


class Skipped(Exception):
    """This machine cannot show it; the reason is printed."""


def check(condition, message):
    if not condition:
        raise Failed(message() if callable(message) else message)


def equal(actual, expected, what):
    check(actual == expected, lambda: f"{what}: {actual!r} instead of {expected!r}")


def close(actual, expected, what, relative=1e-9, absolute=1e-9):
    check(math.isclose(actual, expected, rel_tol=relative, abs_tol=absolute),
          lambda: f"{what}: {actual!r} instead of {expected!r}")


def wait_until(condition, what, patience=PATIENCE, pause=0.05):
    """The first true value of `condition`; what it raised or gave last is in the failure."""
    end = time.monotonic() + patience
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, http.client.HTTPException, Failed, KeyError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise Failed(f"waited {patience:.0f} s for {what}; last: {str(last)[:2000]!r}")
        time.sleep(pause)


# Some suites hold a thousand connections, at both ends.
_, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_soft = 65536 if _hard == resource.RLIM_INFINITY else min(_hard, 65536)
resource.setrlimit(resource.RLIMIT_NOFILE, (_soft, _hard))


# -- ports and processes ------------------------------------------------------------------------

_given = set()


def free_port():
    """A port nobody listens on, below those the kernel gives to outgoing connections."""
    for _ in range(1000):
        port = random.randint(10_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise Failed("no free port")


_started = []


class Process:
    """A child with its output read by threads, line by line."""

    # a case ends what it has started, unless cases after it need it
    outlives_its_case = False

    def __init__(self, command, name, env=None, stdout="read", stdin=subprocess.DEVNULL, cwd=None):
        """`stdout`: `read`; `closed`: its reader is gone; `blocked`: its reader reads nothing; or a file."""
        self.name = name
        self.lines = []
        self.errors = []
        self._read_end = None
        reader = subprocess.PIPE
        if not isinstance(stdout, str):
            reader = stdout
        elif stdout != "read":
            self._read_end, reader = os.pipe()
        self.child = subprocess.Popen(
            [str(part) for part in command], env=env, cwd=cwd, stdin=stdin, stdout=reader, stderr=subprocess.PIPE,
        )
        _started.append(self)
        self.pid = self.child.pid
        if stdout in ("closed", "blocked"):
            os.close(reader)
        if stdout == "closed":
            os.close(self._read_end)
            self._read_end = None
        self._readers = [self._follow(self.child.stderr, self.errors)]
        if stdout == "read":
            self._readers.append(self._follow(self.child.stdout, self.lines))

    @staticmethod
    def _follow(stream, into):
        def follow():
            with stream:
                for line in stream:
                    into.append(line.decode("utf-8", "replace").rstrip("\n"))
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        return thread

    def is_alive(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.is_alive():
            os.kill(self.pid, number)

    def wait(self, patience=PATIENCE):
        """The exit status, once it has ended and its output is read."""
        try:
            status = self.child.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end in {patience:.0f} s") from None
        for reader in self._readers:
            reader.join(5)
        return status

    def stop(self, patience=20.0):
        """Ends it: politely first."""
        if self.is_alive():
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.close()

    def kill(self):
        if self.is_alive():
            self.child.kill()
            self.child.wait()
        self.close()

    def close(self):
        if self._read_end is not None:
            os.close(self._read_end)
            self._read_end = None

    def tail(self, count=15):
        said = [f"  {self.name} out| {line[:400]}" for line in self.lines[-count:]]
        return "\n".join(said + [f"  {self.name} err| {line[:400]}" for line in self.errors[-count:]])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def end_all():
    for process in _started:
        with contextlib.suppress(OSError, ValueError):
            process.kill()


atexit.register(end_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def alone(*spaces):
    """Runs this suite in Linux namespaces of its own (`--mount`, `--net`), where root can give them.

    What is mounted or routed there nobody else sees, and it is gone with the last process. Whether it could be.
    """
    mark = "SIDELIGHT_E2E_ALONE"
    if os.environ.get(mark):
        return True
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    if subprocess.run(["unshare", *spaces, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        return False
    os.environ[mark] = "1"
    os.execvp("unshare", ["unshare", *spaces, sys.executable, *sys.argv])


def children(pid):
    """Processes that `pid` started and that still run."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                state, parent = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == pid and state != "Z":
                    found.append(int(entry))
    return found


def runs(pid):
    """Whether there is such a process, a zombie not counted."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def listening_ports(pid):
    """TCP ports on which `pid` listens."""
    sockets = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(entry))
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            field = line.split()
            if field[3] == "0A" and f"socket:[{field[9]}]" in sockets:
                ports.add(int(field[1].rpartition(":")[2], 16))
    return sorted(ports)


def resident_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# -- requests -----------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[0] if values else None

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"status {self.status}, not JSON: {self.body[:500]!r}") from None


class Client:
    """One connection, kept open and opened anew when the other side has closed it."""

    def __init__(self, port, host=HOST, timeout=PATIENCE):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        except BaseException:
            self.connection.close()
            raise

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(port, method, path, body=None, headers=None, host=HOST, timeout=PATIENCE):
    with Client(port, host, timeout) as client:
        return client.request(method, path, body, headers)


def in_parallel(jobs):
    """Runs functions at once, each in a thread; gives their results in order."""
    results, errors = [None] * len(jobs), []

    def run(i, job):
        try:
            results[i] = job()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# -- what Prometheus would read -----------------------------------------------------------------

_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Metrics:
    """One scrape: samples by name, each with its labels."""

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.samples = collections.defaultdict(list)
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = _LINE.match(line)
            check(match, f"not a sample: {line!r}")
            name, labels, value = match.groups()
            pairs = {key: re.sub(r"\\.", lambda m: _ESCAPES[m.group()], text)
                     for key, text in _LABEL.findall(labels or "")}
            self.samples[name].append((pairs, float(value)))

    def of(self, name, **labels):
        """The samples of `name` that have these label values."""
        return [(pairs, value) for pairs, value in self.samples.get(name, [])
                if all(pairs.get(key) == wanted for key, wanted in labels.items())]

    def sum(self, name, **labels):
        return math.fsum(value for _, value in self.of(name, **labels))

    def one(self, name, **labels):
        found = self.of(name, **labels)
        check(len(found) == 1, lambda: f"{len(found)} series {name}{labels}: {found}")
        return found[0][1]

    def by(self, name, label, **labels):
        """Sums by the values of `label`, zeros left out."""
        sums = collections.Counter()
        for pairs, value in self.of(name, **labels):
            sums[pairs.get(label)] += value
        return {key: value for key, value in sums.items() if value}

    def books(self):
        """What both equations of the books are made of."""
        exchanges = self.by("sidelight_exchanges_total", "outcome")
        results = self.by("sidelight_observed_total", "result")
        return {"requests": self.sum("ml_api_requests_total"), **exchanges, **results}


def unbalanced(books):
    """What does not add up; empty when both equations hold."""
    def total(*names):
        return sum(books.get(name, 0) for name in names)
    faults = []
    if books["requests"] != total("observed", "shed", "not_wanted"):
        faults.append("requests != observed + shed + not_wanted")
    if books.get("observed", 0) != total("decoded", "decode_failed", "too_long", "aborted"):
        faults.append("observed != decoded + decode_failed + too_long + aborted")
    unknown = set(books) - {"requests", "observed", "shed", "not_wanted", "decoded", "decode_failed", "too_long",
                            "aborted"}
    return faults + sorted(f"unknown outcome {name}" for name in unknown)


# -- the agent ----------------------------------------------------------------------------------

def clean_environment(**extra):
    """The machine's, without what would configure the agent."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("SIDELIGHT_", "KUBERNETES_", "POD_", "NODE_NAME"))}
    env.update(extra)
    return env


class Agent(Process):
    """`sidelight run` on free ports, with a configuration file of its own."""

    def __init__(self, upstream=None, config=None, env=None, stdout="read", name="sidelight", ready=True,
                 host=HOST, config_file=None, port=None, ops=None, prefix=()):
        """`upstream`: a port, `HOST:PORT`, or `None` for the bundled server. `config`: nested, as in the file.

        `prefix`: a command that becomes the agent, such as `unshare`.
        """
        self.host = HOST if host == "0.0.0.0" else host
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.config_file = config_file or self.folder / "sidelight.yaml"
        if config_file is None:
            self.write_config(config or {})
        self.port, self.ops = port or free_port(), ops or free_port()
        command = [*prefix, BINARY, "run", "--config", self.config_file,
                   "--listen", f"{host}:{self.port}", "--ops-listen", f"{host}:{self.ops}"]
        if upstream is not None:
            authority = f"{HOST}:{upstream}" if isinstance(upstream, int) else upstream
            command += ["--upstream", f"http://{authority}"]
        super().__init__(command, name, env=clean_environment(**(env or {})), stdout=stdout)
        if ready:
            self.wait_ready()

    def write_config(self, config):
        """Replaces the file whole. JSON is YAML."""
        self.write_config_text(json.dumps(config, indent=2) + "\n")

    def write_config_text(self, text):
        new = self.config_file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config_file)

    def wait_ready(self, patience=PATIENCE):
        def ready():
            check(self.is_alive(), lambda: f"it has ended: {self.child.poll()}\n{self.tail()}")
            return self.ask("GET", "/ready").status == 200
        wait_until(ready, f"{self.name} to be ready", patience)

    def send(self, method, path, body=None, headers=None, timeout=PATIENCE):
        """A request through the proxy."""
        return request(self.port, method, path, body, headers, self.host, timeout)

    def ask(self, method, path, body=None, headers=None, timeout=PATIENCE):
        """A request to the operator's port."""
        return request(self.ops, method, path, body, headers, self.host, timeout)

    def metrics(self):
        answer = self.ask("GET", "/metrics")
        equal(answer.status, 200, "status of /metrics")
        return Metrics(answer.body.decode())

    def settled(self, requests=None, patience=PATIENCE):
        """A scrape in which nothing is under way and the books balance.

        `requests`: how many there must be by then.
        """
        def balanced():
            metrics = self.metrics()
            books = metrics.books()
            faults = unbalanced(books)
            if requests is not None and books["requests"] != requests:
                faults.append(f"{books['requests']:.0f} requests instead of {requests}")
            if metrics.one("ml_api_active_requests") != 0:
                faults.append("requests in flight")
            check(not faults, lambda: f"{faults}: {books}")
            return metrics
        # a scrape is no single moment: an exchange may be in the books and not yet in a series written before them
        wait_until(balanced, "the books to balance", patience)
        return wait_until(balanced, "the books to balance", patience)

    def events(self):
        """Every line of stdout so far, which must all be JSON objects."""
        found = []
        for line in list(self.lines):
            try:
                event = json.loads(line)
            except ValueError:
                raise Failed(f"a log line that is not JSON: {line[:500]!r}") from None
            check(isinstance(event, dict), lambda: f"not an object: {line[:500]!r}")
            found.append(event)
        return found

    def wait_event(self, patience=PATIENCE, **fields):
        """The first log line with these field values."""
        def found():
            return next((e for e in self.events() if all(e.get(k) == v for k, v in fields.items())), None)
        return wait_until(found, f"the log line {fields}", patience)

    def iris_child(self):
        """Pid and port of the bundled server."""
        def found():
            for pid in children(self.pid):
                ports = listening_ports(pid)
                if len(ports) == 1:
                    return pid, ports[0]
            return None
        return wait_until(found, "the bundled server's port")


class Iris(Process):
    """`sidelight iris` alone, a model server that knows nothing of the agent."""

    def __init__(self, port=None):
        self.port = port or free_port()
        # an open stdin: as a child of the agent it ends when stdin closes
        super().__init__([BINARY, "iris", "--listen", f"{HOST}:{self.port}"], "iris", env=clean_environment(),
                         stdin=subprocess.PIPE)
        wait_until(lambda: request(self.port, "GET", "/ready", timeout=5).status == 200, "the Iris server")


class PythonServer(Process):
    """A server written in Python that takes its port as the last argument."""

    def __init__(self, script, *arguments, port=None, python=sys.executable, path="/health", host=HOST, prefix=()):
        self.port = port or free_port()
        super().__init__([*prefix, python, script, *arguments, self.port], pathlib.Path(script).stem,
                         env=clean_environment())

        def answers():
            check(self.is_alive(), lambda: f"{self.name} has ended\n{self.tail()}")
            return request(self.port, "GET", path, host=host, timeout=5).status < 500
        wait_until(answers, f"{self.name} to answer", patience=120)


# -- what is sent, and what the answers say ------------------------------------------------------

class Answers(http.server.BaseHTTPRequestHandler):
    """What a model server in the suite answers in JSON: `{}` to a GET, and `predicted` to a POST."""

    protocol_version = "HTTP/1.1"
    # a head and its body are one write
    wbufsize = -1

    def predicted(self, asked):
        raise NotImplementedError

    def do_POST(self):  # noqa: N802 - the name is the library's
        self.answer(self.predicted(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def do_GET(self):  # noqa: N802 - the name is the library's
        self.answer({})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ModelServer(http.server.ThreadingHTTPServer):
    """A model server in the suite itself, which so can change what it does."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__((HOST, 0), answers)
        self.port = self.server_address[1]

    def handle_error(self, *_):
        """Who leaves, or is killed, breaks its connections off: no error of the model's."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def rows():
    """Fisher's 150 rows: feature dictionaries."""
    lines = (E2E / "iris.csv").read_text().splitlines()
    names = lines[0].split(",")[:4]
    found = [dict(zip(names, map(float, line.split(",")[:4]))) for line in lines[1:]]
    check(len(found) == 150 and tuple(names) == FEATURES, "tests/e2e/iris.csv is not whole")
    return found


def scaled(row, factor):
    return {name: round(value * factor, 6) for name, value in row.items()}


def predictions(answer):
    """The predictions in one answer: an object, a list, or a list under `predictions`."""
    equal(answer.status, 200, f"status, body {answer.body[:300]!r}")
    body = answer.json()
    if isinstance(body, dict) and "predictions" in body:
        body = body["predictions"]
    return body if isinstance(body, list) else [body]


def batch_path(port):
    """Where the model server takes lists."""
    status = request(port, "POST", "/predict/batch", rows()[:2]).status
    return "/predict/batch" if status == 200 else "/predict"


class Tally:
    """What answers said, to compare metrics with."""

    def __init__(self):
        self.classes = collections.Counter()
        self.confidences = []
        self.requests = 0

    def add(self, answer):
        self.requests += 1
        for prediction in predictions(answer):
            self.classes[prediction["prediction"]] += 1
            self.confidences.append(prediction["confidence"])
        return answer

    def compare(self, metrics):
        """Class counts and item count exactly, the sum of confidences but for rounding."""
        equal(metrics.by("ml_model_predictions_total", "predicted_class"), dict(self.classes), "predictions by class")
        items = len(self.confidences)
        equal(metrics.sum("ml_model_predictions_total"), items, "predicted items")
        equal(metrics.sum("ml_model_prediction_confidence_count"), items, "counted confidences")
        close(metrics.sum("ml_model_prediction_confidence_sum"), math.fsum(self.confidences), "sum of confidences")
        equal(metrics.sum("ml_model_inference_seconds_count"), self.requests, "timed prediction requests")
        self._compare_buckets(metrics)

    def _compare_buckets(self, metrics):
        buckets = collections.Counter()
        for labels, value in metrics.of("ml_model_prediction_confidence_bucket"):
            buckets[float(labels["le"])] += value
        check(buckets, "no buckets of confidences")
        for edge, count in buckets.items():
            equal(count, sum(c <= edge for c in self.confidences), f"confidences up to {edge}")


SEVEN = {
    "ml_api_requests_total": "counter",
    "ml_api_request_duration_seconds": "histogram",
    "ml_api_active_requests": "gauge",
    "ml_model_predictions_total": "counter",
    "ml_model_prediction_confidence": "histogram",
    "ml_model_inference_seconds": "histogram",
    "ml_model_loaded": "gauge",
}


def has_the_seven(metrics):
    """All metrics of a monitored service, with their kinds and labels."""
    for name, kind in SEVEN.items():
        equal(metrics.types.get(name), kind, f"type of {name}")
        sample = name + "_count" if kind == "histogram" else name
        check(metrics.of(sample), f"no series of {name}")
    labels = set(metrics.of("ml_api_requests_total")[0][0])
    equal(labels, {"method", "endpoint", "status_code"}, "labels of ml_api_requests_total")
    labels = set(metrics.of("ml_model_predictions_total")[0][0])
    equal(labels, {"model", "model_version", "predicted_class"}, "labels of ml_model_predictions_total")


# -- running a suite ----------------------------------------------------------------------------

_cases = []


def case(function):
    """Marks a function as a case; its docstring, or its name, is the sentence it shows."""
    _cases.append(function)
    return function


def main(title, needs_binary=True):
    """Runs the cases in order; arguments pick those whose name contains one of them."""
    if needs_binary and not BINARY.exists():
        sys.exit(f"{BINARY} is not built: cargo build --release")
    wanted = sys.argv[1:]
    chosen = [c for c in _cases if not wanted or any(word in c.__name__ for word in wanted)]
    passed, failed, skipped = 0, [], 0
    began = time.monotonic()
    for function in chosen:
        name = function.__name__.replace("_", " ")
        start, before = time.monotonic(), len(_started)
        try:
            function()
        except Skipped as reason:
            skipped += 1
            print(f"  skip {name}: {reason}", flush=True)
        except Exception:  # noqa: BLE001 - every failure of a case is reported, the next still runs
            failed.append(name)
            print(f"  FAIL {name} ({time.monotonic() - start:.1f} s)", flush=True)
            print("".join(f"  {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print("\n".join(process.tail() for process in _started[before:]), flush=True)
        else:
            passed += 1
            print(f"  ok   {name} ({time.monotonic() - start:.1f} s)", flush=True)
        for process in _started[before:]:
            if not process.outlives_its_case:
                with contextlib.suppress(OSError):
                    process.kill()
    print(f"{title}: {time.monotonic() - began:.1f} s")
    print(f"{passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    if passed + len(failed) + skipped == 0:
        sys.exit("no case of that name")
    sys.exit(1 if failed else 0)
