#!/usr/bin/env python3
"""Exchanges recorded from real model servers, sent again through the agent, and what the agent says of them.

A client sends what was recorded, an upstream answers what was recorded: in the same pieces, in others, and compressed.
Body bytes and fields must come through unchanged, and `sidelight explain`, the log and the metrics must say what
`expect` of the recording says. Only the standard library; HTTP/2 is that of tests/http/h2.
"""

import contextlib
import functools
import json
import random
import subprocess

import harness as h
import oracle
import recorded
from harness import Agent, case, check, equal
from replayed import PATIENCE, Answers, ask_http1, ask_http2, text

# What is left for the user to say: that a stream of JSON lines is text.
CONFIG = {"litserve": {"routes": [{"path": "/stream", "kind": "generate"}]}}
# nobody but the client may be answered from the recording
QUIET = {"model": {"probe_interval": "1h"}}
AT_ONCE = 4
# fields that belong to one connection, or that the replay or the agent sets
OWN = {"host", "connection", "keep-alive", "transfer-encoding", "te", "x-request-id", "content-length", "date"}


# -- one recording through one agent --------------------------------------------------------------

def end_to_end(fields):
    """Those that must come through, in the order in which they came for each name."""
    kept = [(name.lower(), value) for name, value in fields]
    return sorted((pair for pair in kept if pair[0] not in OWN and not pair[0].startswith(":")), key=lambda p: p[0])


def identity(pair, way):
    return f"{way.__name__}.{pair.id}"


def exchange(agent, upstream, pair, way):
    """Sends one pair, and checks what came to either end."""
    sent, answered = way(pair)
    name = identity(pair, way)
    sent = sent.with_field("x-request-id", name)
    upstream.answers[name] = pair, answered
    ask = ask_http2 if pair.is_http2 else ask_http1
    got = ask(agent.port, pair, sent)
    arrived = upstream.seen[name]
    equal((arrived.method, arrived.path), (pair.method, pair.path), f"request of {name}")
    check(arrived.body == sent.body, f"the request's body of {name} arrived changed")
    equal(end_to_end(text(arrived.fields)), end_to_end(sent.fields), f"fields of the request of {name}")
    equal(arrived.version, 2 if pair.is_http2 else 1, f"version of HTTP of {name}")
    equal(got.status, pair.status, f"status of {name}")
    check(got.body == answered.body, f"the answer's body of {name} arrived changed")
    equal(end_to_end(got.fields), end_to_end(answered.fields), f"fields of the answer of {name}")
    equal(end_to_end(got.trailers), end_to_end(answered.trailers or ()), f"trailers of {name}")


@contextlib.contextmanager
def ends(name):
    upstream = Answers()
    with Agent(upstream=upstream.port, config={**QUIET, **CONFIG.get(name, {})}) as agent:
        yield upstream, agent
        equal(upstream.breaches, [], "breaches of HTTP by the agent")
        check(agent.is_alive(), "the agent has ended")
    upstream.close()


def replay(name, way):
    """One recording, several exchanges at once and in an order of their own; then log and metrics are compared."""
    pairs = recorded.pairs(name)
    random.Random(name).shuffle(pairs)
    count, wrong = oracle.Count(), {}
    with ends(name) as (upstream, agent):
        def share(first):
            for pair in pairs[first::AT_ONCE]:
                exchange(agent, upstream, pair, way)
        h.in_parallel([lambda first=first: share(first) for first in range(AT_ONCE)])
        metrics = agent.settled(requests=len(pairs))
        for pair in pairs:
            count.add(pair.expect)
            wrong[pair.id] = oracle.logged(pair.expect, agent.wait_event(request_id=identity(pair, way)))
        failures = oracle.difference("decode failures", metrics.sum("sidelight_decode_failures_total"), 0)
        wrong["metrics"] = count.differences(metrics) + failures
    compare(wrong)


def compare(wrong):
    """Shows every difference. `wrong`: those of each pair."""
    shown = [f"{name}: {difference}" for name, differences in wrong.items() for difference in differences]
    ids = [name for name, differences in wrong.items() if differences]
    check(not ids, lambda: "\n".join([f"{len(ids)} of {len(wrong)} are not as expected", *shown]))


# -- sidelight explain ----------------------------------------------------------------------------

def explain(agent_folder, name, lines, source="file"):
    """Exit status and the lines of `sidelight explain`; each is an object."""
    config = agent_folder / "explain.yaml"
    config.write_text(json.dumps(CONFIG.get(name, {})))
    file = agent_folder / "exchanges.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run(
        [h.BINARY, "explain", "--config", config, file if source == "file" else "-"], capture_output=True, text=True,
        check=False, timeout=PATIENCE, env=h.clean_environment(), input=None if source == "file" else file.read_text())
    said = [json.loads(line) for line in done.stdout.splitlines()]
    equal(len(said), len(lines), f"lines of explain for {name}; it said {done.stderr[-300:]!r}")
    return done.returncode, said


@contextlib.contextmanager
def folder():
    with h.tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as name:
        yield h.pathlib.Path(name)


def explain_all(name, way):
    """The recording itself from its file, what is made of it from a pipe."""
    pairs = recorded.pairs(name)
    is_original = way is recorded.as_recorded
    lines = (recorded.path(name).read_text().splitlines() if is_original
             else [recorded.line_of(pair, way) for pair in pairs])
    with folder() as scratch:
        status, said = explain(scratch, name, lines, "file" if is_original else "pipe")
    equal((status, [one["id"] for one in said]), (0, [pair.id for pair in pairs]), "exit and ids")
    compare({pair.id: oracle.explained(pair.expect, one) for pair, one in zip(pairs, said)})


@case
def the_recordings_are_whole():
    equal(sum(len(recorded.pairs(name)) for name in recorded.files()), recorded.COUNT, "pairs")


@case
def explain_goes_on_after_a_line_that_is_no_exchange():
    good = recorded.path("fastapi").read_text().splitlines()[0]
    with folder() as scratch:
        for bad in ("", "{", "[]", "null", '{"id":"a"}', good[:-20]):
            status, said = explain(scratch, "fastapi", [good, bad, good])
            equal(status, 1, f"exit status after {bad[:20]!r}")
            equal([one["id"] for one in said], ["fa-setosa", None, "fa-setosa"], f"ids around {bad[:20]!r}")
            check(said[1].get("why"), "it does not say why")


def each(sentence, function, *ways):
    """A case for every recording and way: arguments can pick those of one server."""
    for way in ways:
        for name in recorded.files():
            bound = functools.partial(function, name, way)
            bound.__name__ = f"{name} {way.__name__} {sentence}"
            case(bound)


each("passes unchanged, and is logged and counted as expected", replay, *recorded.WAYS)
each("is explained as expected", explain_all, recorded.as_recorded, recorded.compressed)

if __name__ == "__main__":
    h.main("recorded exchanges")
