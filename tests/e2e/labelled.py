#!/usr/bin/env python3
"""Labels find their predictions: whatever the order, over restarts and kills, and the figures are exact.

Every figure is computed here from what the model server answered and what was posted, and must be the same.
Needs the binary and the standard library.
"""

import collections
import http.server
import json
import math
import os
import pathlib
import random
import shutil
import signal
import statistics
import tempfile
import threading
import time

import harness as h
from harness import Agent, Answers, Client, ModelServer, PythonServer, case, check, close, equal, wait_until

CLASSES = ("setosa", "versicolor", "virginica")
BATCH = 100
MIB = 1 << 20


def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-labels-"))
    h.atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def settings(state=None, **feedback):
    config = {"feedback": {"enabled": True, **feedback}, "log": {"lines": "off"}}
    if state is not None:
        config["state"] = {"dir": str(state)}
    return config


def upstream():
    return PythonServer(h.E2E / "upstream.py")


class Sent:
    """What was predicted: class and probabilities by request id and item."""

    def __init__(self):
        self.items = {}

    def batch(self, client, name, rows):
        answer = client.request("POST", "/predict", rows, {"X-Request-ID": name})
        for item, said in enumerate(h.predictions(answer)):
            self.items[name, item] = said["prediction"], said["probabilities"]

    def batches(self, agent, count, prefix="r"):
        """`count` requests of `BATCH` items, by four clients."""
        def some(first):
            rng = random.Random(first)
            with Client(agent.port) as client:
                for number in range(first, count, 4):
                    rows = [{"petal_length": rng.uniform(1, 7)} for _ in range(BATCH)]
                    self.batch(client, f"{prefix}-{number}", rows)
        h.in_parallel([lambda first=first: some(first) for first in range(4)])


class Labels:
    """What was posted and joined, in its order, and what follows from it."""

    def __init__(self, sent):
        self.sent = sent
        self.truths = {}

    def choose(self, keys, wrong=0.1, seed=7):
        """A label for each; so many of them another class than was predicted."""
        rng = random.Random(seed)
        chosen = []
        for key in keys:
            predicted = self.sent.items[key][0]
            truth = predicted
            if rng.random() < wrong:
                truth = rng.choice([name for name in CLASSES if name != predicted])
            chosen.append((key, truth))
        return chosen

    def joined(self, labels):
        self.truths.update(labels)

    def right(self):
        return sum(self.sent.items[key][0] == truth for key, truth in self.truths.items())

    def confusion(self):
        return collections.Counter((truth, self.sent.items[key][0]) for key, truth in self.truths.items())

    def compare(self, report):
        """All figures of one version, in a window that holds every label."""
        count, found = len(self.truths), report["classification"]
        equal(found["labels"], count, "labels in the window")
        equal(found["accuracy"]["value"], self.right() / count, "accuracy")
        names, counts = found["confusion"]["classes"], found["confusion"]["counts"]
        shown = {(truth, predicted): number for truth, row in zip(names, counts)
                 for predicted, number in zip(names, row) if number}
        equal(shown, dict(self.confusion()), "confusion")
        for figures in found["classes"]:
            name = figures["class"]
            hits = self.confusion()[name, name]
            of = sum(n for (truth, _), n in self.confusion().items() if truth == name)
            said = sum(n for (_, predicted), n in self.confusion().items() if predicted == name)
            close(figures["precision"], hits / said, f"precision of {name}")
            close(figures["recall"], hits / of, f"recall of {name}")
        losses = [-math.log(self.sent.items[key][1][truth]) for key, truth in self.truths.items()]
        # probabilities are kept with seven digits
        close(found["log_loss"]["value"], math.fsum(losses) / count, "log-loss", relative=1e-5)
        squares = [math.fsum((share - (name == truth)) ** 2 for name, share in self.sent.items[key][1].items())
                   for key, truth in self.truths.items()]
        close(found["brier"]["value"], math.fsum(squares) / count, "Brier score", relative=1e-5)


def lines(labels):
    return "\n".join(json.dumps(entry(key, truth)) for key, truth in labels)


def entry(key, truth):
    return {"request_id": key[0], "item": key[1], "label": truth}


def post(agent, body, status=200):
    answer = agent.ask("POST", "/feedback", body)
    equal(answer.status, status, f"status of labels: {answer.body[:500]!r}")
    return answer.json()


def counts(answer):
    return {key: value for key, value in answer.items() if key != "errors" and value}


def reports(agent, query=""):
    answer = agent.ask("GET", "/feedback" + query)
    equal(answer.status, 200, "status of the report")
    return answer.json()["models"]


def report(agent):
    found = reports(agent)
    equal(len(found), 1, "versions with labels")
    return found[0]


def stored_bytes(state):
    return sum(path.stat().st_size for path in state.glob("feedback-*.redb"))


def again(agent, server, config, number):
    """Ends the agent by a signal and starts another on the same state."""
    agent.signal(number)
    agent.wait()
    return Agent(upstream=server.port, config=config)


def kept(agent, requests):
    """Waits until all of them are written down."""
    def all_of_them():
        found = agent.metrics().one("sidelight_feedback_kept_total")
        check(found == requests, lambda: f"{found} of {requests} are kept")
        return True
    wait_until(all_of_them, "predictions to be kept")


@case
def of_100000_predictions_the_accuracy_is_exact_over_a_restart_and_a_kill():
    state, sent = folder(), Sent()
    config = settings(state, window=100_000, max_bytes="64MiB")
    with upstream() as server:
        agent = Agent(upstream=server.port, config=config)
        sent.batches(agent, 10)
        agent.settled()
        before = h.resident_bytes(agent.pid)
        sent.batches(agent, 990, "s")
        equal(len(sent.items), 100_000, "items predicted")
        kept(agent, 1000)
        growth = h.resident_bytes(agent.pid) - before
        print(f"    {stored_bytes(state) / 100_000:.0f} bytes of file a prediction, memory grew by {growth / MIB:.0f} MiB")
        check(growth < 64 * MIB, lambda: f"memory grew by {growth} bytes over the predictions")

        labels = Labels(sent)
        keys = list(sent.items)
        random.Random(1).shuffle(keys)
        chosen = labels.choose(keys)
        parts = [chosen[:40_000], chosen[40_000:70_000], chosen[70_000:]]
        ends = [signal.SIGTERM, signal.SIGKILL, None]
        for part, end in zip(parts, ends):
            for first in range(0, len(part), 5000):
                some = part[first:first + 5000]
                body = lines(some) if first % 10_000 else [entry(*label) for label in some]
                equal(counts(post(agent, body)), {"joined": len(some)}, "what became of labels")
                labels.joined(some)
            if end is not None:
                agent = again(agent, server, config, end)
            labels.compare(report(agent))
            growth = h.resident_bytes(agent.pid) - before
            check(growth < 96 * MIB, lambda: f"memory grew by {growth} bytes")
            check(stored_bytes(state) <= 64 * MIB, lambda: f"{stored_bytes(state)} bytes of files")

        # what is told twice, otherwise, or of nobody changes nothing
        equal(counts(post(agent, lines(chosen[:1000]))), {"duplicate": 1000}, "labels told twice")
        other = [(key, "none of them") for key, _ in chosen[:500]]
        equal(counts(post(agent, lines(other))), {"contradicting": 500}, "contradicting labels")
        unknown = [((f"nobody-{n}", 0), "setosa") for n in range(300)] + [(("r-1", BATCH), "setosa")]
        equal(counts(post(agent, lines(unknown))), {"unknown": 301}, "labels of nobody")
        labels.compare(report(agent))
        print(f"    accuracy {labels.right()}/{len(labels.truths)}, {stored_bytes(state) / MIB:.1f} MiB of files")

        def shown():
            metrics = agent.metrics()
            equal(metrics.one("ml_model_accuracy"), labels.right() / len(labels.truths), "the metric")
            equal(metrics.one("ml_model_labels_in_window"), len(labels.truths), "labels in the window")
            equal(metrics.by("ml_model_labels_total", "outcome"),
                  {"joined": len(parts[2]), "duplicate": 1000, "contradicting": 500}, "labels since the kill")
            equal(metrics.by("sidelight_labels_unmatched_total", "reason"), {"unknown": 301}, "unmatched")
            confusion = {(of["true_class"], of["predicted_class"]): value
                         for of, value in metrics.of("ml_model_confusion_labels") if value}
            equal(confusion, dict(labels.confusion()), "confusion")
            check(metrics.one("ml_model_accuracy_lower") < metrics.one("ml_model_accuracy")
                  < metrics.one("ml_model_accuracy_upper"), "the interval is around the accuracy")
            equal(metrics.sum("sidelight_feedback_dropped_total"), 0, "predictions dropped")
            return True
        wait_until(shown, "the metrics to say the same")
        agent.stop()


def cpu_seconds(pid, name):
    """What the threads of that name have used."""
    ticks = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            # behind the name, which may have spaces: the fields from the third on
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Beside:
    """Clients that predict, and how long each answer took."""

    def __init__(self, agent):
        self.agent, self.took, self.failed = agent, [], []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.traffic, args=(n,), daemon=True) for n in range(3)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def traffic(self, number):
        with Client(self.agent.port) as client:
            while not self.stop.is_set():
                began = time.monotonic()
                answer = client.request("POST", "/predict", {"petal_length": 1.5 + number})
                if answer.status == 200:
                    self.took.append(time.monotonic() - began)
                else:
                    self.failed.append(answer.status)

    def median(self, meanwhile):
        """Of the answers that came while `meanwhile` ran."""
        before = len(self.took)
        meanwhile()
        some = self.took[before:]
        check(len(some) >= 20, lambda: f"only {len(some)} requests passed")
        return statistics.median(some)


@case
def labels_are_taken_while_requests_pass_and_none_of_these_fails_is_shed_or_waits():
    state, sent = folder(), Sent()
    with upstream() as server, Agent(upstream=server.port, config=settings(state, window=100_000)) as agent:
        sent.batches(agent, 300)
        agent.settled()
        chosen = Labels(sent).choose(list(sent.items))
        # made before, so that the clients are not kept from the processor by that
        bodies = [lines(chosen[first:first + 1000]) for first in range(0, len(chosen), 1000)]
        joined, rounds, used = 0, [], 0.0

        def labels(some):
            nonlocal joined, used
            before = cpu_seconds(agent.pid, "feedback")
            for body in some:
                joined += post(agent, body)["joined"]
            used += cpu_seconds(agent.pid, "feedback") - before

        with Beside(agent) as beside:
            time.sleep(0.5)
            # other work of the machine slows both, and can spoil one
            for turn in range(3):
                some = bodies[turn::3]
                alone = beside.median(lambda: time.sleep(1))
                rounds.append((beside.median(lambda: labels(some)), alone))
        equal(joined, len(chosen), "labels joined")
        equal(beside.failed, [], "requests that failed")
        metrics = agent.settled(requests=300 + len(beside.took))
        equal(metrics.sum("sidelight_exchanges_total", outcome="shed"), 0, "shed")
        equal(metrics.sum("sidelight_feedback_dropped_total"), 0, "predictions not kept")
        told = [f"{labelled / alone:.2f}" for labelled, alone in rounds]
        print(f"    requests take {', '.join(told)} times as long beside labels; {used / joined * 1e6:.0f} us of "
              "processor for a label")
        # the client itself sends labels and requests in turn
        check(any(labelled <= 1.5 * alone + 0.001 for labelled, alone in rounds),
              lambda: f"medians with and without labels, in seconds: {rounds}")
        if "debug" in h.BINARY.resolve().parts:
            print("    a debug build: not compared with 5,000 labels/s")
            return
        # 5,000 a second take at most half of one processor
        check(used / joined <= 0.5 / 5000, lambda: f"{used} s of processor for {joined} labels")


@case
def a_label_is_one_object_a_list_or_a_line_and_what_is_wrong_is_told_by_its_place():
    sent = Sent()
    with upstream() as server, Agent(upstream=server.port, config=settings()) as agent:
        with Client(agent.port) as client:
            sent.batch(client, "a", [{"petal_length": 1.0}] * 8)
        # at once: what was answered is known by then
        equal(counts(post(agent, {"request_id": "a", "label": "setosa"})), {"joined": 1}, "one, without item")
        found = post(agent, [entry(("a", 1), "setosa"), entry(("a", 2), "Setosa"), {"request_id": "a"}])
        equal(counts(found), {"joined": 2, "invalid": 1}, "a list")
        check(found["errors"][0].startswith("[2].label: expected"), lambda: found)
        body = lines([(("a", 3), "setosa")]) + '\n{"request_id": "a", "item": "4", "label": 1}\nno\n'
        found = post(agent, body)
        equal(counts(found), {"joined": 1, "invalid": 2}, "lines")
        check(found["errors"][0].startswith("line 2: item: expected"), lambda: found)
        check(found["errors"][1].startswith("line 3: expected one JSON"), lambda: found)
        dated = dict(entry(("a", 4), "setosa"), timestamp="2026-05-01T12:00:00Z")
        equal(counts(post(agent, dated)), {"joined": 1}, "with a timestamp")
        # the names of probabilities are the classes by their numbers
        equal(counts(post(agent, entry(("a", 5), 0))), {"joined": 1}, "a class by its number")
        equal(report(agent)["classification"]["accuracy"]["value"], 5 / 6, "accuracy")
        equal(post(agent, "no", 422)["error"], "not_json", "no JSON")
        equal(post(agent, [], 422)["error"], "empty", "no label")
        equal(counts(post(agent, [7], 422)), {"invalid": 1}, "nothing valid")
        equal(reports(agent, "?model=another"), [], "another model")
        equal(len(reports(agent, "?version=2.1.0")), 1, "this version")
        refused = agent.ask("POST", "/feedback", [entry(("a", 6), "setosa")], {"Origin": "http://evil.example"})
        equal(refused.status, 403, "a page of another site")


class Numbers(Answers):
    """Twice the number that it is asked about; or whether that is above 0.5, as a truth value."""

    def predicted(self, asked):
        answers = [row[0] > 0.5 if self.path == "/flags" else 2 * row[0] for row in asked["instances"]]
        return {"predictions": [int(answer) for answer in answers] if self.path == "/digits" else answers}


@case
def numbers_truth_values_and_classes_by_number_are_compared_as_what_they_are():
    routes = [{"path": "/numbers", "kind": "regress", "model": "numbers"},
              {"path": "/flags", "kind": "classify", "model": "flags"},
              {"path": "/digits", "kind": "classify", "model": "digits"}]
    with ModelServer(Numbers) as server, \
            Agent(upstream=server.port, config=dict(settings(), routes=routes), ready=False) as agent:
        wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
        rng = random.Random(3)
        values = [[rng.uniform(0, 10) + 0.25] for _ in range(100)]
        for path in ("/numbers", "/flags", "/digits"):
            asked = values if path == "/numbers" else [[0.25], [0.75], [1.5], [2.0]]
            answer = agent.send("POST", path, {"instances": asked}, {"X-Request-ID": path[1:]})
            equal(answer.status, 200, "status")
        truths = [2 * value[0] + rng.gauss(0, 1) for value in values]
        body = [entry(("numbers", item), truth if item % 2 else str(truth)) for item, truth in enumerate(truths)]
        found = post(agent, body + [entry(("numbers", 100), 1), entry(("numbers", 0), "many")])
        equal(counts(found), {"joined": 100, "unknown": 1, "invalid": 1}, "numbers")
        flags = [entry(("flags", 0), 0), entry(("flags", 1), "True"), entry(("flags", 2), True), entry(("flags", 3), 0)]
        digits = [entry(("digits", 0), "0"), entry(("digits", 1), 1.0), entry(("digits", 2), "3"), entry(("digits", 3), "4")]
        equal(counts(post(agent, flags + digits)), {"joined": 8}, "classes")
        by_model = {found["model"]: found for found in reports(agent)}
        equal(by_model["flags"]["classification"]["accuracy"]["value"], 3 / 4, "flags")
        equal(by_model["digits"]["classification"]["accuracy"]["value"], 1.0, "digits")
        errors = [2 * value[0] - truth for value, truth in zip(values, truths)]
        found = by_model["numbers"]["regression"]
        close(found["mae"], math.fsum(map(abs, errors)) / 100, "mean absolute error")
        squares = math.fsum(error ** 2 for error in errors)
        close(found["rmse"], math.sqrt(squares / 100), "root mean squared error")
        mean = math.fsum(truths) / 100
        close(found["r2"], 1 - squares / math.fsum((truth - mean) ** 2 for truth in truths), "R squared")


class Seldon(http.server.BaseHTTPRequestHandler):
    """Answers as Seldon does, and takes feedback; the number in a row says how sure it is of the class yes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802 - the name is the library's
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        puid, status, answer = self.headers["Seldon-Puid"], 200, {"data": {}}
        if self.path.endswith("/predictions"):
            shares = [[1 - row[0], row[0]] for row in body["data"]["ndarray"]]
            answer = {"meta": {"puid": puid}, "data": {"names": ["no", "yes"], "ndarray": shares}}
            if puid.startswith("head"):
                answer["meta"] = {}
        elif body.get("reward") == -1:
            status = 500
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Seldon-Puid", puid or "none")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def seldon(client, puids, prefix):
    """Ten items a request; what was predicted by puid and item."""
    predicted = {}
    for puid in puids:
        rows = [[(item + 0.5) / 10] for item in range(10)]
        answer = client.request("POST", prefix + "/api/v1.0/predictions", {"data": {"ndarray": rows}},
                                {"Seldon-Puid": puid})
        equal(answer.status, 200, "status")
        for item, (row,) in enumerate(rows):
            predicted[puid, item] = "yes" if row > 0.5 else "no"
    return predicted


@case
def truth_in_the_feedback_of_seldon_is_a_label_of_the_prediction_of_its_puid():
    def told(client, path, puid, **body):
        body = {"request": {}, "response": {"meta": {"puid": puid}}, "reward": 1.0, **body}
        return client.request("POST", path, body, {"Seldon-Puid": "of-the-feedback"}).status

    with ModelServer(Seldon) as server, Agent(upstream=server.port, config=settings(), ready=False) as agent, \
            Client(agent.port) as client:
        wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
        gateway = "/seldon/ns/iris"
        predicted = seldon(client, [f"p-{n}" for n in range(20)] + [f"head-{n}" for n in range(20)], gateway)
        rng, right = random.Random(11), 0
        puids = sorted({puid for puid, _ in predicted})
        rng.shuffle(puids)
        for number, puid in enumerate(puids):
            truths = [rng.choice(["yes", "no"]) for _ in range(10)]
            right += sum(predicted[puid, item] == truth for item, truth in enumerate(truths))
            hot = [[int(truth == name) for name in ("no", "yes")] for truth in truths]
            data = [{"names": ["class"], "ndarray": [[truth] for truth in truths]},
                    {"names": ["no", "yes"], "ndarray": hot},
                    {"names": ["no", "yes"], "tensor": {"shape": [10, 2], "values": sum(hot, [])}},
                    {"ndarray": [[int(truth == "yes")] for truth in truths]}][number % 4]
            path = ["/api/v1.0/feedback", "/api/v0.1/feedback", gateway + "/api/v1.0/feedback"][number % 3]
            equal(told(client, path, puid, truth={"data": data}), 200, "status of feedback")
        # none of these is a label
        equal(told(client, "/api/v1.0/feedback", puids[0]), 200, "a reward alone")
        equal(told(client, "/api/v1.0/feedback", puids[0], reward=-1, truth={"strData": "no"}), 500, "what fails")
        equal(told(client, "/api/v1.0/feedback", "nobody", truth={"strData": "no"}), 200, "of nobody")

        def counted():
            metrics = agent.metrics()
            outcomes = {of: value for of, value in metrics.by("sidelight_feedback_passed_total", "outcome").items() if value}
            equal(outcomes, {"taken": 41, "no_truth": 1, "refused": 1}, "feedback by outcome")
            found = metrics.by("ml_model_labels_total", "outcome")
            equal(found.get("joined"), 400, f"labels joined: {found}")
            equal(metrics.by("sidelight_labels_unmatched_total", "reason").get("unknown"), 1, "unmatched")
            equal(metrics.one("ml_model_accuracy"), right / 400, "the metric")
            return True
        wait_until(counted, "labels that passed to be joined")
        equal(report(agent)["classification"]["accuracy"]["value"], right / 400, "accuracy")
        metrics = agent.metrics()
        equal(metrics.sum("ml_model_predictions_total"), 400, "predictions")
        equal(metrics.by("sidelight_exchanges_total", "outcome").get("observed"), 40, "exchanges that were read")
        equal(metrics.sum("sidelight_decode_failures_total"), 0, "decode failures")
        equal(metrics.one("sidelight_feedback_kept_total"), 40, "predictions kept")
        # the same by hand, with the puid for its id
        puid, item = puids[0], 3
        found = counts(post(agent, [entry((puid, item), predicted[puid, item])]))
        check(found in ({"duplicate": 1}, {"contradicting": 1}), lambda: f"labelled anew: {found}")


@case
def a_label_that_comes_too_late_is_told_so():
    state, sent = folder(), Sent()
    with upstream() as server, Agent(upstream=server.port, config=settings(state, retention="2s")) as agent:
        sent.batches(agent, 10)
        kept(agent, 10)
        time.sleep(3)
        late = lines([(key, "setosa") for key in sent.items])
        found = counts(post(agent, late))
        # late while it is there, unknown when its file has gone
        equal(found.get("late", 0) + found.get("unknown", 0), len(sent.items), "late labels")
        check(found.get("late"), lambda: f"none is late: {found}")
        sent.batches(agent, 4, "new")
        fresh = [(key, "setosa") for key in sent.items if key[0].startswith("new")]
        equal(counts(post(agent, lines(fresh))), {"joined": len(fresh)}, "labels in time")


@case
def files_stay_within_their_bound_while_predictions_pass():
    state, sent = folder(), Sent()
    with upstream() as server, Agent(upstream=server.port, config=settings(state, max_bytes="16MiB")) as agent:
        sent.batches(agent, 4, "first")
        agent.settled()
        before, largest = h.resident_bytes(agent.pid), 0
        for part in range(12):
            def some(first, part=part):
                with Client(agent.port) as client:
                    for number in range(100):
                        client.request("POST", "/predict?canned=280", "[]", {"X-Request-ID": f"{part}-{first}-{number}"})
            h.in_parallel([lambda first=first: some(first) for first in range(3)])
            largest = max(largest, stored_bytes(state))
            check(largest <= 16 * MIB, lambda: f"{largest} bytes of files")
        metrics = agent.settled()
        kept(agent, 3604 - metrics.sum("sidelight_exchanges_total", outcome="shed")
             - metrics.sum("sidelight_feedback_dropped_total"))
        check(largest > 8 * MIB, lambda: f"only {largest} bytes: the bound was not reached")
        growth = h.resident_bytes(agent.pid) - before
        print(f"    up to {largest / MIB:.1f} MiB of files, memory grew by {growth / MIB:.0f} MiB")
        check(growth < 64 * MIB, lambda: f"memory grew by {growth} bytes")
        equal(counts(post(agent, entry(("first-0", 0), "setosa"))), {"unknown": 1}, "the first prediction")
        # at the end, when the observer is behind no more
        sent.batches(agent, 1, "last")
        agent.settled()
        equal(counts(post(agent, entry(("last-0", 99), "setosa"))), {"joined": 1}, "the last one")


@case
def a_damaged_file_is_kept_aside_and_told_of_and_others_go_on():
    state, sent = folder(), Sent()
    config = settings(state)
    with upstream() as server:
        agent = Agent(upstream=server.port, config=config)
        sent.batches(agent, 4)
        post(agent, entry(("r-0", 0), "setosa"))
        agent.stop()
        damaged = sorted(state.glob("feedback-*.redb"))[0]
        content = bytearray(damaged.read_bytes())
        content[: 4096] = os.urandom(4096)
        damaged.write_bytes(content)
        (state / "feedback-windows.json").write_text('{"order": ')
        with Agent(upstream=server.port, config=config) as agent:
            event = agent.wait_event(message="stored predictions refused and kept aside")
            equal(pathlib.Path(event["kept"]).read_bytes(), bytes(content), "what was kept aside")
            agent.wait_event(message="stored windows of labels refused and kept aside")
            equal(agent.metrics().one("sidelight_feedback_damaged_total"), 2, "damaged files")
            equal(counts(post(agent, entry(("r-1", 0), "setosa"))), {"unknown": 1}, "what was in it")
            sent.batches(agent, 4, "new")
            equal(counts(post(agent, entry(("new-0", 0), "setosa"))), {"joined": 1}, "a new one")


@case
def a_drop_of_the_accuracy_and_its_end_are_told_once():
    sent = Sent()
    config = settings(baseline_accuracy=0.9, recovery_labels=200, window=1000)
    with upstream() as server, Agent(upstream=server.port, config=config) as agent:
        sent.batches(agent, 60)
        labels, keys = Labels(sent), iter(list(sent.items))

        def told(count, wrong, seed):
            some = labels.choose([next(keys) for _ in range(count)], wrong, seed)
            equal(counts(post(agent, lines(some))), {"joined": count}, "labels")

        def dropped():
            return agent.metrics().one("ml_model_accuracy_dropped")

        def events():
            return [event["message"] for event in agent.events() if event.get("message", "").startswith("Accuracy")]

        told(1000, 0.1, 1)
        wait_until(lambda: dropped() == 0, "nothing to have dropped")
        equal(events(), [], "events")
        told(1000, 0.4, 2)
        wait_until(lambda: dropped() == 1, "the drop to be shown")
        told(1000, 0.4, 3)
        told(2000, 0.02, 4)
        wait_until(lambda: dropped() == 0, "the end to be shown")
        wait_until(lambda: events() == ["Accuracy dropped", "Accuracy recovered"], "one event each")
        equal(agent.metrics().one("ml_model_accuracy_baseline"), 0.9, "the baseline")


@case
def without_the_setting_nothing_is_kept_and_nothing_is_exported():
    state = folder()
    with upstream() as server, Agent(upstream=server.port, config={"state": {"dir": str(state)}}) as agent:
        Sent().batches(agent, 4)
        metrics = agent.settled()
        found = [name for name in metrics.types if "feedback" in name or "label" in name or "accuracy" in name]
        equal(found, ["sidelight_label_overflows_total"] if found else [], "series of labels")
        for method in ("GET", "POST"):
            answer = agent.ask(method, "/feedback", None if method == "GET" else entry(("r-0", 0), "setosa"))
            equal((answer.status, answer.json()["error"]), (409, "not_enabled"), method)
            check("feedback.enabled" in answer.json()["detail"], lambda: answer.body)
        equal(list(state.glob("feedback*")), [], "files")


if __name__ == "__main__":
    h.main("labelled")
