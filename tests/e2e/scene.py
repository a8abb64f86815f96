"""What dashboards look at: Sidelights of two jobs under load, a machine, a Prometheus with the rules. No case."""

import http.server
import json
import math
import pathlib
import random
import re
import tempfile
import threading
import time
from urllib.parse import quote

import harness as h
import stack
from harness import Agent, Client, equal

SCRAPE_S = 1
WINDOW = 200
COLORS = ("red", "white", "blue")
FLOWERS = h.rows()


class Prometheus(stack.Prometheus):
    """With the shipped rules, scraped and evaluated each second. `jobs`: operator's ports by name."""

    def __init__(self, jobs):
        port = h.free_port()
        config = {"global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
                  "rule_files": ["rules/*.yml"],
                  "scrape_configs": [{"job_name": name, "static_configs": [
                      {"targets": [f"{h.HOST}:{port}" for port in ports]}]}
                      for name, ports in {**jobs, "prometheus": [port]}.items()]}
        with tempfile.TemporaryDirectory() as folder:
            for rules in (stack.DEPLOY / "prometheus" / "rules").glob("*.yml"):
                text = re.sub(r"interval: \d+s", f"interval: {SCRAPE_S}s", rules.read_text(encoding="utf-8"))
                (pathlib.Path(folder) / rules.name).write_text(text, encoding="utf-8")
            super().__init__(json.dumps(config), folder, port=port)

    def over(self, text, start, end, step):
        """Labels and samples of a query over time."""
        path = f"/api/v1/query_range?query={quote(text)}&start={start:.3f}&end={end:.3f}&step={step}"
        return [(one["metric"], one["values"]) for one in self.ask(path)["result"]]

    def once(self, text, at):
        """Labels and the one sample of an instant query, in the same form."""
        return [(labels, [sample]) for labels, sample in self.query(text, at)]


class Model(h.ModelServer):
    """Scores, prices and words for rows, in the form of TensorFlow Serving and KServe; and what goes wrong."""

    def __init__(self):
        super().__init__(Answers)


def score(row):
    x = row["x"] if isinstance(row["x"], float) else 0.0
    return 1 / (1 + math.exp(-(x + (row["color"] == "red"))))


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        self.answer(200, {"status": "ready"})

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        does = self.headers.get("X-Does", "")
        if does == "fail":
            return self.answer(500, {"error": "out of memory"})
        time.sleep(float(self.headers.get("X-Seconds", 0)))
        if does == "babble":
            return self.answer(200, '{"predictions": [0.')
        if "prices" in self.path:
            return self.answer(200, {"predictions": [[round(100 + 50 * score(row), 2)] for row in rows]})
        if does == "label":
            return self.answer(200, {"predictions": ["red"] * len(rows)})
        if does == "write":
            return self.answer(200, {"predictions": ["A sentence about a flower that goes on. " * 5] * len(rows)})
        return self.answer(200, {"predictions": [[p, 1 - p] for p in map(score, rows)]})

    def answer(self, status, body):
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Scene:
    """Two replicas with the bundled Iris and one with a model of its own, each with a baseline, under load."""

    DRIFT = {"window": WINDOW, "check_interval": "1s", "threshold": 1e-6}

    def __init__(self):
        self.random = random.Random(20261126)
        self.parts, self.threads, self.errors, self.sent = [], [], [], 0
        self.stopped = threading.Event()
        # what the traffic of scores does beyond the usual: shift of x, shares of failures, of rows with holes and of
        # answers that nobody can read, seconds of slow ones, version
        self.shift, self.failing, self.holes, self.odd, self.slow_s, self.version = 0.0, 0.05, 0.05, 0.03, 0.0, "1"
        # and whether one of its features is always the same
        self.is_stuck = True
        self.folder = tempfile.TemporaryDirectory(prefix="sidelight-e2e-")

    def __enter__(self):
        config = {"drift": self.DRIFT, "log": {"lines": "off"}}
        self.model = self.start(Model())
        self.iris = [self.start(Agent(config=config)) for _ in range(2)]
        config["log"]["file"] = {"path": f"{self.folder.name}/log.json"}
        config["feedback"] = {"enabled": True, "baseline_accuracy": 0.7, "calibration_labels": 50}
        self.scores = self.start(Agent(upstream=self.model.port, config=config))
        node = self.start(stack.NodeExporter())
        self.jobs = {"ml-api": [agent.ops for agent in self.iris], "ml-api/scores": [self.scores.ops],
                     "node": [node.port]}
        self.prometheus = self.start(Prometheus(self.jobs))
        self.baselines()
        self.began = time.time()
        jobs = [*((self.flowers, agent) for agent in self.iris), (self.rows, self.scores)]
        for job, agent in jobs:
            thread = threading.Thread(target=self.goes_on, args=(job, agent), daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def start(self, part):
        part.__enter__()
        self.parts.append(part)
        return part

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)
        for part in reversed(self.parts):
            part.__exit__(None, None, None)
        self.folder.cleanup()

    def goes_on(self, job, agent):
        """Some 25 requests a second, until it is enough."""
        try:
            with Client(agent.port) as client:
                while not self.stopped.wait(0.04):
                    job(client)
        except Exception as error:  # noqa: BLE001 - raised by who waits
            self.errors.append(error)

    def waits(self, seconds):
        """Lets the traffic go on."""
        self.stopped.wait(seconds)
        if self.errors:
            raise self.errors[0]

    def row(self, shift=0.0):
        return {"x": round(self.random.gauss(shift, 1), 3), "y": round(self.random.gauss(0, 1), 3),
                "z": round(self.random.gauss(0, 1), 3), "color": self.random.choices(COLORS, (5, 3, 2))[0]}

    def baselines(self):
        rows = [self.row() for _ in range(3000)]
        chances = [score(row) for row in rows]
        posted = {"confidence": [max(p, 1 - p) for p in chances],
                  "classes": ["0" if p >= 0.5 else "1" for p in chances],
                  "features": {name: [row[name] for row in rows] for name in rows[0]}}
        for version in ("1", "2"):
            answer = self.scores.ask("POST", f"/drift/baseline?model=scores&version={version}", posted)
            equal(answer.status, 200, f"status of a baseline: {answer.body}")
        flowers = [self.flower() for _ in range(1000)]
        answers = h.predictions(self.iris[0].send("POST", "/predict/batch", flowers))
        posted = {"confidence": [one["confidence"] for one in answers],
                  "classes": [one["prediction"] for one in answers],
                  "features": {name: [flower[name] for flower in flowers] for name in h.FEATURES}}
        for agent in self.iris:
            equal(agent.ask("POST", "/drift/baseline?model=default&version=1.0.0", posted).status, 200, "status")

    def flower(self):
        return {name: round(value + self.random.gauss(0, 0.05), 2)
                for name, value in self.random.choice(FLOWERS).items()}

    def flowers(self, client):
        flower = self.flower()
        client.request("POST", "/predict", flower)
        if self.random.random() < 0.02:
            equal(client.request("POST", "/predict", {**flower, "sepal_width": None}).status, 422, "a mistake")
            client.request("GET", "/nothing/of/this/name")

    def rows(self, client):
        chance, headers, odd = self.random.random(), {}, self.holes + self.odd
        # the first has what is wrong, the others make the detector warm sooner
        row, *more = ({**self.row(self.shift), **({"z": 0.5} if self.is_stuck else {})} for _ in range(4))
        if chance < self.holes:
            row = self.random.choice([{**row, "y": None}, {**row, "y": "many"}, {**row, "x": 40.0},
                                      {**row, "color": "violet"}, {**row, "color": None}])
        elif chance < odd:
            headers["X-Does"] = self.random.choice(["babble", "label", "write"])
        elif chance < odd + self.failing:
            headers["X-Does"] = "fail"
        if self.random.random() < 0.1:
            headers["X-Seconds"] = str(self.slow_s + self.random.choice([0.01, 0.05]))
        self.sent += 1
        headers["X-Request-ID"] = f"scores-{self.sent}"
        client.request("POST", f"/v1/models/scores/versions/{self.version}:predict", {"instances": [row, *more]},
                       headers)
        labels = [{"request_id": f"scores-{self.sent}", "item": item, "label": int(self.random.random() >= score(one))}
                  for item, one in enumerate([row, *more])]
        if chance > 0.7:
            client.request("POST", "/v1/models/prices/versions/1:predict", {"instances": [row]},
                           {"X-Request-ID": f"prices-{self.sent}"})
            price = 100 + 50 * score(row) + self.random.gauss(0, 2)
            labels += [{"request_id": f"{name}-{self.sent}", "label": price} for name in ("prices", "nobody")]
        equal(self.scores.ask("POST", "/feedback", labels).status, 200, "status of labels")
