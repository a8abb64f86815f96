#!/usr/bin/env python3
"""Real model servers, with and without the agent before them: every answer is the same, and is counted right.

Argument: the server, a folder in tests/e2e/servers. Run it with the Python of an environment made from its
requirements.txt. Further arguments pick cases.
"""

import contextlib
import functools
import importlib.util
import json
import os
import random
import re
import signal
import sys

import harness as h
import oracle
from harness import Agent, Client, Process, case, check, equal, wait_until

FOLDER = h.E2E / "servers"
# what a server makes up for each answer
UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MADE_UP = {"date", "x-request-id"}
AT_ONCE = 8
# imports and training, on a machine that does other things as well
STARTING = 180
PATIENCE = 60


# -- a server -------------------------------------------------------------------------------------

class Server(Process):
    """A real server in a process group of its own: some leave their children behind when they end."""

    def __init__(self, name, *arguments):
        script = FOLDER / name / "start.py"
        # their imports are long; what is compiled of them serves the next process
        env = h.clean_environment(PYTHONPYCACHEPREFIX=str(h.ROOT / ".cache" / "pycache"))
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        super().__init__(["setsid", sys.executable, script, *arguments], name, env=env)

    def wait_for(self, port, path):
        def answers():
            check(self.is_alive(), lambda: f"{self.name} has ended\n{self.tail()}")
            return h.request(port, "GET", path, timeout=5).status == 200
        wait_until(answers, f"{self.name} to answer {path}", patience=STARTING)

    def signal_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, patience=20.0):
        super().stop(patience)
        self.signal_group(signal.SIGKILL)

    def kill(self):
        self.signal_group(signal.SIGKILL)
        super().kill()


class Subject:
    """One port of a server, and what is sent there.

    `requests`: those that are answered with a prediction or an intended refusal to give one, such as probes;
    `mistakes`: those that no server can read; `together`: those to send many at once. `config`: the agent's.
    """

    def __init__(self, name, port, requests, mistakes, together, ask=None, config=None, models=()):
        self.name, self.port, self.config, self.models = name, port, config or {}, models
        self.requests, self.mistakes, self.together = requests, mistakes, together
        self.ask = ask or ask_http


# -- asking ---------------------------------------------------------------------------------------

def masked(value):
    """Without what is made up, and with the length that it had."""
    return UUID.sub(b"U" * 36, value if isinstance(value, bytes) else value.encode())


def ask_http(port):
    """A client that keeps its connection: a function of a request that gives what is seen, and what that says."""
    from spoken import content
    client = Client(port)

    def ask(request):
        answer = client.request(request.method, request.path, request.body, request.headers)
        # how far an id that is made up can be compressed is chance
        own = MADE_UP | ({"content-length"} if answer.header("content-encoding") else set())
        fields = sorted((name.lower(), masked(value)) for name, value in answer.headers if name.lower() not in own)
        if answer.status >= 400:
            # uvicorn closes behind an exception, and does not say so
            client.close()
        seen = {"status": answer.status, "fields": fields, "body": masked(content(answer))}
        return seen, request.read(answer) if request.read and answer.status == 200 else None
    return ask


def ask_grpc(stub, port):
    """The same for calls. `stub`: the class that the server's own package has for clients."""
    import grpc
    client = stub(grpc.insecure_channel(f"{h.HOST}:{port}", options=[("grpc.use_local_subchannel_pool", 1)]))

    def ask(call):
        method = getattr(client, call.method)
        options = {"metadata": call.metadata, "timeout": PATIENCE, "compression": call.compression}
        is_stream = isinstance(call.messages, list)
        messages = []
        started = method(iter(call.messages), **options) if is_stream else method.future(call.messages, **options)
        with contextlib.suppress(grpc.RpcError):
            for message in started if is_stream else [started.result()]:
                messages.append(message)
        seen = {"messages": [masked(message.SerializeToString(deterministic=True)) for message in messages],
                "code": started.code(), "details": started.details(),
                "initial": pairs(started.initial_metadata()), "trailing": pairs(started.trailing_metadata())}
        return seen, call.read(messages) if call.read and messages else None
    return ask


def pairs(metadata):
    return sorted((key, masked(value)) for key, value in metadata or () if key not in MADE_UP)


def same(straight, through, request):
    """What was seen with the agent is what was seen without it."""
    for part, expected in straight.items():
        check(through[part] == expected, lambda part=part, expected=expected: (
            f"{part} of {request}\nthrough the agent: {through[part]!r:.1000}\ninstead of: {expected!r:.1000}"))


# -- cases ----------------------------------------------------------------------------------------

def add(count, told):
    """`told`: what one answer said, or several of one stream."""
    for one in told if isinstance(told, list) else [told]:
        if one:
            count.add(one)


def right(agent, count, requests):
    """Metrics, series by series, against what the answers said."""
    metrics = agent.settled(requests=requests)
    wrong = count.differences(metrics)
    check(not wrong, lambda: "\n".join(wrong))
    equal(metrics.sum("sidelight_decode_failures_total"), 0, "decode failures")
    equal(metrics.sum("sidelight_shed_total"), 0, "copies dropped")
    without = metrics.sum("sidelight_no_confidence_total")
    check(without in (count.without, count.without + count.values),
          lambda: f"{without} items without confidence instead of {count.without} (and {count.values} mere values)")
    return metrics


@contextlib.contextmanager
def before(subject):
    with Agent(upstream=subject.port, config=subject.config) as agent:
        yield agent
        check(agent.is_alive(), "the agent has ended")


def every_answer_is_the_same_and_is_counted(subject):
    straight, count = subject.ask(subject.port), oracle.Count()
    with before(subject) as agent:
        through = subject.ask(agent.port)
        for request in subject.requests:
            expected, _ = straight(request)
            seen, told = through(request)
            same(expected, seen, request)
            check(told is not None or not request.read, lambda request=request, seen=seen: f"{request}: {seen}")
            add(count, told)
        check(count.classes or count.values, "no answer was a prediction")
        right(agent, count, len(subject.requests))


def every_mistake_gets_the_same_answer_and_is_no_prediction(subject):
    straight = subject.ask(subject.port)
    with before(subject) as agent:
        through = subject.ask(agent.port)
        for request in subject.mistakes:
            expected, _ = straight(request)
            same(expected, through(request)[0], request)
            check(expected.get("status", 200) >= 400 or expected.get("code"), lambda request=request: (
                f"{request} is no mistake"))
        metrics = agent.settled(requests=len(subject.mistakes))
        equal(metrics.sum("ml_model_predictions_total"), 0, "predictions")
        failures = metrics.sum("sidelight_decode_failures_total")
        check(failures <= len(subject.mistakes), f"{failures} decode failures")


def many_at_once_get_their_own_answers_and_are_counted(subject):
    """The server may take them together, and then rounds otherwise."""
    straight, count = subject.ask(subject.port), oracle.Count()
    expected = [straight(request)[1] for request in subject.together]
    with before(subject) as agent:
        def share(first):
            ask = subject.ask(agent.port)
            order = list(range(len(expected)))
            random.Random(first).shuffle(order)
            return [(number, ask(subject.together[number])[1]) for number in order]
        shares = h.in_parallel([lambda first=first: share(first) for first in range(AT_ONCE)])
        for number, told in sum(shares, []):
            wanted = {key: value for key, value in expected[number].items() if value is not None}
            check(oracle.alike({key: told[key] for key in wanted}, wanted),
                  lambda number=number, told=told: f"{subject.together[number]}: {told} instead of {expected[number]}")
            add(count, told)
        right(agent, count, AT_ONCE * len(expected))


def the_operator_sees_its_models(subject):
    with before(subject) as agent:
        ask = subject.ask(agent.port)
        for request in subject.requests:
            ask(request)
        agent.settled(requests=len(subject.requests))
        answer = agent.ask("GET", "/models")
        equal(answer.status, 200, "status of /models")
        text = json.dumps(answer.json())
        for name in subject.models:
            check(f'"{name}"' in text, lambda name=name: f"{name} is not in {text[:2000]}")


CASES = (every_answer_is_the_same_and_is_counted, every_mistake_gets_the_same_answer_and_is_no_prediction,
         many_at_once_get_their_own_answers_and_are_counted, the_operator_sees_its_models)


def module(name):
    """What the folder of a server says of its clients; a folder's name is that of a package as well."""
    spec = importlib.util.spec_from_file_location(f"{name}_clients", FOLDER / name / "clients.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def main():
    name = sys.argv.pop(1) if len(sys.argv) > 1 else None
    if name not in {folder.name for folder in FOLDER.iterdir()}:
        sys.exit(f"usage: {sys.argv[0]} SERVER [CASE]..., where SERVER is a folder in {FOLDER}")
    if not h.BINARY.exists():
        sys.exit(f"{h.BINARY} is not built: cargo build --release")
    with h.tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as scratch:
        # started once, before the cases: what a case starts ends with it
        for subject in module(name).subjects(h.pathlib.Path(scratch), functools.partial(Server, name), ask_grpc):
            for function in CASES:
                bound = functools.partial(function, Subject(**subject))
                bound.__name__ = f"{subject['name']}: {function.__name__}"
                case(bound)
        h.main(name)


if __name__ == "__main__":
    main()
