"""Continuous traffic of which every answer is checked, before, while and after something goes wrong.

Each request has an id and a body of its own; the model server (`ledger.py`) repeats both and writes down every
id that it gets, before it answers. At the end these must hold, whatever the fault was:

- A request that does not overlap a fault is answered 200, with its own id and body.
- One that overlaps it has one of the outcomes that the fault allows; when it was answered, then with its own.
- Who is told that nobody could be reached was not seen by the model server: it could not be answered there.
- No POST reaches the model server twice; a GET does where the fault allows it.
- The agent counted each request once, its books balance, and its memory is back to within a bound.
"""

import collections
import contextlib
import http.client
import itertools
import json
import pathlib
import tempfile
import threading
import time

import harness as h
from harness import PythonServer, check, equal, wait_until

LEDGER = h.E2E / "ledger.py"
MIB = 1 << 20
# what a fault may leave behind in an allocator that gives little back
SLACK = 16 * MIB

# no whole head came back: the connection was closed, or could not be made
CLOSED, REFUSED = "closed", "refused"
# the head of an answer came, its body did not
BROKEN = "broken"
# the model server cannot have seen such a request
UNREACHED = ("502 upstream_refused", "502 upstream_unreachable", "502 upstream_not_started",
             "504 upstream_connect_timeout", "503 no_resources", REFUSED)

Sent = collections.namedtuple("Sent", "id method fault began ended outcome")


class Ledger:
    """What reached the model servers that write to one file."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sidelight-e2e-")
        self.file = pathlib.Path(self.folder.name) / "ledger"
        self.file.touch()

    def server(self, port=None, host=h.HOST, prefix=()):
        return PythonServer(LEDGER, self.file, host, port=port, host=host, prefix=prefix)

    def seen(self):
        """How often each id came."""
        return collections.Counter(line.split(" ")[0] for line in self.file.read_text().splitlines())

    def servers(self):
        """Which server each id came to last."""
        return {line.split(" ")[0]: line.split(" ")[2] for line in self.file.read_text().splitlines()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


class Window:
    """A time in which requests may have other outcomes."""

    def __init__(self, allowed):
        self.allowed = set(allowed)
        self.began, self.ended = time.monotonic(), None

    def end(self):
        self.ended = time.monotonic()

    def overlaps(self, sent):
        return sent.ended >= self.began and (self.ended is None or sent.began <= self.ended)


_names = (f"t{number}" for number in itertools.count())


class Traffic:
    """Threads that send until they are told to stop, each on a connection that it keeps."""

    def __init__(self, agent, ledger, threads=6, faults=(), every=3, pause=0.003, size=200, timeout=h.PATIENCE):
        """`faults`: sent in turn, with every `every`th request. `size`: bytes of a body, about."""
        self.agent, self.ledger = agent, ledger
        self.faults, self.every, self.pause, self.size, self.timeout = faults, every, pause, size, timeout
        self.sent, self.wrong, self.windows = [], [], []
        self.name = next(_names)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.held, self.in_flight = threading.Lock(), 0
        self.threads, self.seen = [], None
        self.more(threads)

    def more(self, threads):
        for _ in range(threads):
            thread = threading.Thread(target=self._run, args=(len(self.threads),), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, name):
        with h.Client(self.agent.port, self.agent.host, self.timeout) as client:
            number = 0
            while not self.stopping.wait(self.pause):
                number += 1
                method = "GET" if number % 4 == 0 else "POST"
                fault = None
                if self.faults and number % self.every == 0:
                    fault = self.faults[(number // self.every + name) % len(self.faults)]
                self.one(client, f"{self.name}-{name}-{number}", method, fault)

    def one(self, client, identity, method, fault=None):
        """Sends one request, and notes what became of it."""
        body = None
        if method == "POST":
            features = dict(zip(h.FEATURES, (len(identity), 2.5, 3.5, 4.5)))
            body = json.dumps({**features, "note": identity.ljust(self.size, "-")})
        fields = {"X-Request-ID": identity, **({"X-Fault": fault} if fault else {})}
        with self.held, self.lock:
            self.in_flight += 1
        began = time.monotonic()
        try:
            answer = client.request(method, "/predict", body, fields)
            outcome = self._outcome(identity, body, answer)
        except http.client.IncompleteRead:
            outcome = BROKEN
        except ConnectionRefusedError:
            outcome = REFUSED
        except TimeoutError:
            outcome = "timeout"
        except (OSError, http.client.HTTPException) as error:
            outcome = CLOSED if isinstance(error, (ConnectionError, http.client.RemoteDisconnected)) else repr(error)
        with self.lock:
            self.in_flight -= 1
            self.sent.append(Sent(identity, method, fault, began, time.monotonic(), outcome))
        return outcome

    def _outcome(self, identity, body, answer):
        own = [answer.header("x-request-id")]
        if answer.status == 200:
            content = answer.json()
            own += [content["id"], answer.header("x-seen-id")]
            if content["sent"] != (body or ""):
                self.wrong.append(f"{identity} got another body: {content['sent'][:80]!r}")
        if set(own) != {identity}:
            self.wrong.append(f"{identity} got what belongs to {own}")
        reason = answer.header("x-sidelight-reason")
        return f"{answer.status} {reason}" if reason else str(answer.status)

    def outcomes(self, since=0.0):
        with self.lock:
            return collections.Counter(sent.outcome for sent in self.sent if sent.began >= since)

    def goes_on(self, count=100, what="answers", outcome="200"):
        """Waits for `count` outcomes of one kind among requests that begin from now on."""
        since = time.monotonic()
        wait_until(lambda: self.outcomes(since)[outcome] >= count, what)

    @contextlib.contextmanager
    def window(self, *allowed):
        """Something goes wrong inside; when it is left, all must be well again."""
        window = Window(allowed)
        self.windows.append(window)
        try:
            yield window
        finally:
            window.end()

    @contextlib.contextmanager
    def silent(self):
        """Nobody sends inside, and nothing is in flight."""
        self.held.acquire()
        wait_until(lambda: self.in_flight == 0, "the requests in flight")
        try:
            yield
        finally:
            self.held.release()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.timeout + 10)
            check(not thread.is_alive(), "a request was never answered")
        return len(self.sent)

    def verify(self, faults=None, twice=()):
        """The rules on what came back and what was seen.

        `faults`: outcomes allowed by the request's own fault. `twice`: faults with which a GET may be seen twice,
        or `window` for those that overlap one.
        """
        check(not self.wrong, lambda: f"{len(self.wrong)} wrong answers: {self.wrong[:5]}")
        lost, repeated, unsound = [], [], []
        seen = self.seen = self.ledger.seen()
        for sent in self.sent:
            windows = [window for window in self.windows if window.overlaps(sent)]
            allowed = {"200"}.union(*(window.allowed for window in windows))
            if sent.fault:
                allowed = (faults or {})[sent.fault] | (allowed - {"200"})
            if sent.outcome not in allowed:
                lost.append(sent)
            # the second time it came may have found nobody
            may_repeat = sent.method == "GET" and (sent.fault in twice or (bool(windows) and "window" in twice))
            if seen[sent.id] > (2 if may_repeat else 1):
                repeated.append((seen[sent.id], sent))
            unread = sent.outcome == "200" and not seen[sent.id]
            if unread or (sent.outcome in UNREACHED and seen[sent.id] > may_repeat):
                unsound.append((seen[sent.id], sent))
        check(not lost, lambda: f"{len(lost)} of {len(self.sent)} requests lost: {lost[:5]}\n{self.outcomes()}")
        check(not repeated, lambda: f"{len(repeated)} requests came too often: {repeated[:5]}")
        check(not unsound, lambda: f"{len(unsound)} answers that cannot be: {unsound[:5]}")

    def end(self, faults=None, twice=(), uncounted=(), memory=None, slack=SLACK):
        """Stops and checks everything; gives the last scrape.

        `uncounted`: outcomes of requests of which the agent may have read nothing. `memory`: resident bytes before.
        """
        self.stop()
        self.verify(faults, twice)
        outcomes = self.outcomes()
        unread = sum(outcomes[outcome] for outcome in uncounted)
        metrics = self.agent.settled(requests=None if unread else len(self.sent))
        counted = metrics.books()["requests"]
        check(len(self.sent) - unread <= counted <= len(self.sent), f"{counted} requests counted, sent {outcomes}")
        equal(metrics.sum("sidelight_panics_total"), 0, "panics")
        if memory is not None:
            self.memory_is_back(memory, slack)
        return metrics

    def memory_is_back(self, before, slack=SLACK):
        def back():
            grown = h.resident_bytes(self.agent.pid) - before
            check(grown <= slack, lambda: f"{grown / MIB:.1f} MiB more than before")
            return True
        wait_until(back, "the memory to be back", patience=20)


def warm(traffic, count=300):
    """Resident bytes once traffic has gone on for a while: what is made on first use is there."""
    traffic.goes_on(count, "traffic before the fault")
    return h.resident_bytes(traffic.agent.pid)
