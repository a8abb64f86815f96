"""Clients of a Service that go on whatever happens to its pods, and note each request that got no right answer.

As other clients do, they send again what went into a kept connection that was closed without a byte of an answer, on
a new connection, once.
"""

import http.client
import itertools
import json
import threading
import time

import harness as h
import pod_model
from harness import PATIENCE, check, wait_until

PAUSE_S = 0.01
_numbers = itertools.count()


def row():
    """A body that no other request has."""
    return json.dumps({**dict.fromkeys(h.FEATURES, 2.5), "petal_length": 1 + next(_numbers) / 1000}).encode()


class Closed(Exception):
    """No byte of an answer came."""


class Nobody(Exception):
    """The Service leads to no pod: the request is still to be sent, whenever there is one."""


class Caller:
    """One client, in its own thread. `keeps`: its connection, as long as it lives."""

    def __init__(self, service, keeps):
        self.service, self.keeps = service, keeps
        self.connection, self.turn = None, next(_numbers)

    def reachable(self):
        """Any pod that the Service leads to."""
        found = self.service.endpoints()
        if not found:
            raise Nobody
        self.turn += 1
        return found[self.turn % len(found)]

    def call(self, body, path="/predict"):
        """(status, body) of the answer, and whether it was sent twice."""
        if self.connection is not None:
            try:
                return *self._exchange(body, path), False
            except Closed:
                self.drop()
                self._connect()
                return *self._exchange(body, path), True
        self._connect()
        return *self._exchange(body, path), False

    def _connect(self):
        self.connection = http.client.HTTPConnection(*self.reachable(), timeout=PATIENCE)

    def _exchange(self, body, path):
        connection = self.connection
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected) as error:
            raise Closed(repr(error)) from None
        content = answer.read()
        if not self.keeps or answer.will_close:
            self.drop()
        return answer.status, content

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Callers:
    """Threads of them, in a network of their own; half of them keep their connections."""

    def __init__(self, space, service, threads=6):
        self.space, self.service = space, service
        self.right, self.again, self.lost = 0, 0, []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i % 2 == 0,), daemon=True) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, keeps):
        with self.space.entered():
            caller = Caller(self.service, keeps)
            while not self.stopping.wait(PAUSE_S):
                self.one(caller)
            caller.drop()

    def one(self, caller, path="/predict"):
        body, began = row(), time.monotonic()
        was_kept = caller.connection is not None
        again = False
        try:
            status, content, again = caller.call(body, path)
            fault = None if (status, content) == (200, pod_model.answer(body)) else f"{status} {content[:200]!r}"
        except Nobody:
            return
        except (Closed, OSError, http.client.HTTPException) as error:
            caller.drop()
            fault = repr(error)
        with self.lock:
            self.again += again
            if fault:
                kind = "a kept" if was_kept else "a new"
                self.lost.append((began, time.monotonic(), f"{fault} over {kind} connection"))
            else:
                self.right += 1

    def go_on(self, count, what):
        """Waits for so many right answers more."""
        target = self.right + count
        wait_until(lambda: self.right >= target, what, patience=3 * PATIENCE)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE)
            check(not thread.is_alive(), "a client does not end")
        print(f"    {self.right} requests answered, {self.again} of them sent twice, {len(self.lost)} lost")

    def lost_none(self):
        self.stop()
        check(not self.lost, lambda: f"{len(self.lost)} requests were lost: {self.lost[:5]}")
