#!/usr/bin/env python3
"""Mixed traffic for SOAK_MINUTES (10): memory and open files stay where they were, and the books balance."""

import collections
import http.client
import json
import os
import random
import socket
import statistics
import threading
import time

import harness as h
from harness import Agent, Client, PythonServer, case, check, equal, request

ROWS = h.rows()
MIB = 1 << 20
MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
SAMPLE_S = 5


class Users:
    """Threads, each with a habit; together they do what clients do."""

    def __init__(self, agent):
        self.agent = agent
        self.stopping = threading.Event()
        self.done = collections.Counter()
        self.odd = collections.Counter()
        habits = [self.singles, self.singles, self.batches, self.new_connections, self.scanner, self.mistakes,
                  self.leavers, self.downloads, self.operator]
        self.threads = [threading.Thread(target=self.run, args=(habit,), daemon=True) for habit in habits]
        for thread in self.threads:
            thread.start()

    def run(self, habit):
        chance = random.Random(habit.__name__)
        with Client(self.agent.port) as client:
            while not self.stopping.wait(0.005):
                try:
                    habit(client, chance)
                    self.done[habit.__name__] += 1
                except (OSError, http.client.HTTPException) as error:
                    # while the model server restarts an answer may break off; never a connection of its own accord
                    self.odd[f"{habit.__name__}: {type(error).__name__}"] += 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)

    def singles(self, client, chance):
        client.request("POST", "/predict", chance.choice(ROWS))

    def batches(self, client, chance):
        client.request("POST", "/predict", chance.sample(ROWS, chance.randint(1, 150)))

    def new_connections(self, _, chance):
        request(self.agent.port, "POST", "/predict", chance.choice(ROWS), {"X-Request-ID": f"{chance.random()}"})

    def scanner(self, client, chance):
        client.request(chance.choice(["GET", "POST"]), f"/{chance.random()}/{chance.randint(0, 9)}", "{}")

    def mistakes(self, client, chance):
        client.request("POST", "/predict", chance.choice(["{", "[]", "null", '{"petal_length":"x"}', "\x00", ""]))
        client.request("GET", f"/status?code={chance.choice([400, 500, 503])}")

    def leavers(self, _, chance):
        with socket.create_connection((h.HOST, self.agent.port), timeout=h.PATIENCE) as client:
            client.sendall(chance.choice([
                b"GET /slow?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
                b"GET /large?bytes=5000000 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"nonsense\r\n\r\n",
                b"",
            ]))
            time.sleep(chance.random() / 20)

    def downloads(self, client, chance):
        client.request("GET", f"/large?bytes={chance.randint(1, 3 * MIB)}")

    def operator(self, _, chance):
        self.agent.ask("GET", chance.choice(["/metrics", "/drift", "/health", "/ready", "/nothing"]))
        if chance.random() < 0.02:
            self.agent.ask("POST", "/drift/baseline", json.dumps([chance.random() for _ in range(500)]))
        if chance.random() < 0.02:
            self.agent.write_config({"drift": {"check_interval": "1s"}, "log": {"logger": f"{chance.random()}"}})
        time.sleep(0.05)


@case
def memory_and_files_stay_bounded_and_the_books_balance():
    upstream = PythonServer(h.E2E / "upstream.py")
    with Agent(upstream=upstream.port, config={"drift": {"check_interval": "1s"}}) as agent:
        users, samples = Users(agent), []
        began = time.monotonic()
        restart = began + 60
        while time.monotonic() < began + MINUTES * 60:
            time.sleep(SAMPLE_S)
            check(agent.is_alive(), "the agent has ended")
            samples.append((h.resident_bytes(agent.pid), h.open_files(agent.pid)))
            # a long run's own memory of log lines must not grow without end
            del agent.lines[:-1000]
            if time.monotonic() > restart:
                restart += 120
                upstream.kill()
                time.sleep(1)
                upstream = PythonServer(h.E2E / "upstream.py", port=upstream.port)
        users.stop()
        metrics = agent.settled()
        quarter = max(1, len(samples) // 4)
        for what, index, slack in (("resident bytes", 0, 16 * MIB), ("open files", 1, 30)):
            early = statistics.median(sample[index] for sample in samples[quarter:2 * quarter])
            late = statistics.median(sample[index] for sample in samples[-quarter:])
            print(f"    {what}: median {early:.0f} in the second quarter, {late:.0f} in the last, "
                  f"highest {max(s[index] for s in samples)}")
            check(late <= early + slack, f"{what} grew from {early:.0f} to {late:.0f}")
        check(max(size for size, _ in samples) < 256 * MIB, "more than 256 MiB resident")
        print(f"    {dict(users.done)}, odd: {dict(users.odd)}, books: {metrics.books()}")
        check(all(count > 10 for count in users.done.values()), f"someone got nowhere: {users.done}")
        equal(metrics.sum("sidelight_panics_total"), 0, "panics")
        check(len(metrics.samples["ml_api_requests_total"]) < 200, "random paths became series")
        equal(metrics.sum("sidelight_request_failures_total", fault="sidelight"), 0, "failures of the agent's own")
    upstream.stop()


if __name__ == "__main__":
    h.main("soak")
