"""What the cases of the live page stand on: an agent that watches for drift, traffic, and names that are hostile."""

import random
import threading

import harness as h
from flowers import Traffic
from harness import Answers, Client, check, equal, wait_until

CAPTURED = 400
SETTINGS = {"drift": {"capture": CAPTURED, "check_interval": "1s"}}
MODEL = {"model": "default", "model_version": "1.0.0"}


def page_of(agent):
    return f"http://{h.HOST}:{agent.ops}/"


def captured(agent, traffic):
    """The first predictions are the baseline; with the next ones the scan is warm."""
    traffic.send(agent, CAPTURED)
    agent.wait_event(message="Baseline captured")
    wait_until(lambda: agent.ask("GET", "/drift").json()["baseline"], "the baseline in use")
    traffic.send(agent, 40)
    agent.settled()


def drifted(agent, traffic):
    captured(agent, traffic)
    traffic.send(agent, 1000)
    traffic.send(agent, 300, petal_length=1.2)
    return agent.settled()


class Steady:
    """A request every `pause` seconds, until it is stopped; all must be answered with 200."""

    def __init__(self, agent, pause=0.05, traffic=None):
        self.agent, self.pause = agent, pause
        self.traffic = traffic or Traffic(7)
        self.count, self.wrong = 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        with Client(self.agent.port) as client:
            while not self.stopping.wait(self.pause):
                try:
                    status = client.request("POST", "/predict", self.traffic.row()).status
                except OSError as error:
                    status = repr(error)
                self.count += 1
                if status != 200:
                    self.wrong.append(status)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join(h.PATIENCE)
        if kind is None:
            equal(self.wrong, [], "answers that are not 200")
            check(self.count > 0, "no request was sent")


class Named(Answers):
    """A model server whose names are what a wire can hold."""

    MARKUP = "<img src=x onerror=alert(1)>"
    RIGHT_TO_LEFT = "\u202eevitisop\u202c \u05e9\u05dc\u05d5\u05dd"
    LONG = "petal_" + "w" * 90
    CLASSES = (MARKUP, RIGHT_TO_LEFT, LONG, "</script><script>alert(2)</script>", "plain")

    def predicted(self, asked):
        rows = len(asked["instances"])
        return {"predictions": [self.CLASSES[place % len(self.CLASSES)] for place in range(rows)]}


def hostile(agent):
    """Names that are markup, run the other way or never end, as features, classes and ids."""
    names = [Named.MARKUP, Named.RIGHT_TO_LEFT, Named.LONG, "__proto__"]
    chance = random.Random(5)
    with Client(agent.port) as client:
        for number in range(140):
            rows = [{name: chance.random() for name in names} for _ in range(5)]
            headers = {"X-Request-ID": f"<b>{number}</b>"}
            equal(client.request("POST", "/v1/models/%3Cb%3E:predict", {"instances": rows}, headers).status, 200, "status")
    agent.settled()
