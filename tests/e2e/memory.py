#!/usr/bin/env python3
"""Memory stays where it was, whatever clients and the model server do: every figure is printed and has a bound.

Needs the release binary and Python's standard library.
"""

import json
import time

import bombs
import bulk
import crowd
import harness as h
from bulk import SHORT, SLOW, STREAMED
from crowd import CONNECTIONS, GATHERING, Crowd, all_at_once
from flood import flood, message
from growth import KIB, MIB, Growth, warm
from harness import Agent, Client, PythonServer, case, check, equal, wait_until

STRANGE = h.E2E / "strange.py"
MANY, LARGE = 100_000, 100 * MIB
ROW = b'{"petal_length":1.4}'
# series that have no label of a client's, and are there whatever is full
SLACK = 100


def everybody_left(agent, files):
    """Waits until the agent has closed what its clients have."""
    wait_until(lambda: h.open_files(agent.pid) <= files + 10, "the connections to be closed")


@case
def ten_thousand_silent_connections_cost_little_and_nothing_when_they_have_left():
    with PythonServer(GATHERING) as upstream, Agent(upstream=upstream.port) as agent:
        warm(agent)
        files, count = h.open_files(agent.pid), crowd.most(CONNECTIONS)
        growth = Growth(agent.pid)
        with Crowd(agent.port, count):
            wait_until(lambda: h.open_files(agent.pid) >= files + count - 10, "the connections to be accepted")
            print(f"    {count} connections, {growth.now() / count / KIB:.2f} KiB each")
            growth.stays_below(40 * MIB * count / CONNECTIONS, "connected and silent")
        everybody_left(agent, files)
        growth.falls_below(16 * MIB, "when they have left")


@case
def ten_thousand_connections_that_were_all_active_at_once_are_parked():
    with PythonServer(GATHERING) as upstream, Agent(upstream=upstream.port) as agent:
        sent = warm(agent)
        files, count = h.open_files(agent.pid), crowd.most(CONNECTIONS)
        growth = Growth(agent.pid)
        with Crowd(agent.port, count) as clients:
            for round_ in range(2):
                all_at_once(upstream, clients)
                print(f"    round {round_}: {growth.most() / MIB:.0f} MiB more while {count} requests were under way")
                time.sleep(1)
                print(f"    idle for 1 s: {growth.now() / count / KIB:.2f} KiB each")
                growth.falls_below(40 * MIB * count / CONNECTIONS, "parked")
        everybody_left(agent, files)
        growth.falls_below(16 * MIB, "when they have left")
        agent.settled(requests=sent + 2 * count)


def streaming():
    """Runs over ways to stream: what the client and the model server speak, and whether lengths are told.

    Gives a model server, a warm agent, how the client does it, and the name.
    """
    for server, ways in [
        ({}, [("HTTP/1.1 with lengths", {}), ("HTTP/1.1 in chunks", {"chunked": True}),
              ("HTTP/2 to HTTP/1.1", {"http2": True})]),
        ({"http2": True}, [("HTTP/2", {"http2": True, "chunked": True})]),
    ]:
        with bulk.Server(SHORT, **server) as upstream, Agent(upstream=upstream.port) as agent:
            sent = warm(agent)
            for name, client in ways:
                upstream.chunked = client.get("chunked", False)
                yield upstream, agent, client, name
            agent.settled(requests=sent + len(ways))


@case
def a_client_that_reads_slowly_holds_back_the_model_server():
    for upstream, agent, client, name in streaming():
        growth, upstream.size = Growth(agent.pid), STREAMED
        came = bulk.exchange(agent.port, SHORT, SLOW, **client)
        growth.stays_below(16 * MIB, f"256 MiB to a slow client, {name}")
        equal(came, bulk.sum_of(STREAMED), "what came")


@case
def a_model_server_that_reads_slowly_holds_back_the_client():
    for upstream, agent, client, name in streaming():
        growth, upstream.pace = Growth(agent.pid), SLOW
        bulk.exchange(agent.port, STREAMED, bulk.FAST, **client)
        growth.stays_below(16 * MIB, f"256 MiB to a slow model server, {name}")
        came = upstream.taken[-1]
        equal((came.bytes, came.crc), bulk.sum_of(STREAMED), "what came")


@case
def json_of_a_hundred_mebibytes_both_ways_is_not_kept():
    for upstream, agent, client, name in streaming():
        growth, upstream.size = Growth(agent.pid), LARGE
        came = bulk.exchange(agent.port, LARGE, bulk.FAST, **client)
        growth.stays_below(40 * MIB, f"100 MiB of JSON both ways, {name}")
        equal(came, bulk.sum_of(LARGE), "what came")
        wait_until(lambda: agent.metrics().sum("sidelight_observed_total", result="too_long") > 0,
                   "a body to be counted as too long")


@case
def bombs_are_not_blown_up():
    for config, sent in [
        ({}, [(48, 1), (1024, 1), (1024, 2)]),
        ({"capture": {"body_limit": "2MiB"}}, [(1024, 1), (1024, 2)]),
    ]:
        with PythonServer(STRANGE) as upstream, Agent(upstream=upstream.port, config=config) as agent:
            warm(agent)
            before, growth = agent.metrics(), Growth(agent.pid)
            for bomb in sent:
                blow(agent, bomb, 20)
            after = agent.settled(requests=before.books()["requests"] + 40 * len(sent))
            growth.stays_below(40 * MIB, f"bombs of {sent}, {config or 'defaults'}")
            none_was_read(before, after, 20 * len(sent))
            check("xxx" not in after.text, "a class came out of a bomb")
            features = [e for e in agent.events() if "x" * 100 in json.dumps(e)]
            check(not features, lambda: f"a feature came out of a bomb: {json.dumps(features[0])[:300]}")


def blow(agent, bomb, times):
    """The same bomb in requests and in answers."""
    content, encoding = bombs.bomb(*bomb)
    with Client(agent.port) as client:
        for _ in range(times):
            equal(client.request("POST", "/predict", content, {"Content-Encoding": encoding}).status, 200, "status")
            answer = client.request("POST", f"/predict?bomb={bomb[0]},{bomb[1]}", '{"petal_length":1.4}')
            equal((answer.status, answer.body), (200, content), "an answer that is a bomb")


def none_was_read(before, after, answers):
    """Each bomb in an answer is a failure with a reason; one in a request costs its features at most."""
    def more(name, **labels):
        return after.sum(name, **labels) - before.sum(name, **labels)
    failed, long = (more("sidelight_observed_total", result=result) for result in ("decode_failed", "too_long"))
    shed = more("sidelight_exchanges_total", outcome="shed")
    check(failed > 0, "no bomb was looked at")
    check(failed + long + shed >= answers, f"{failed} failures, {long} too long, {shed} shed of {answers} in answers")
    equal(more("sidelight_decode_failures_total"), failed, "failures by reason")


def anything(number):
    """Nothing of it was there before."""
    path = (b"/unknown/" if number % 2 else b"/known/") + b"w%dx" % number
    method = (b"GET", b"POST", b"GET", b"M%d" % number)[number % 4]
    fields = b"X-Request-ID: id-%d\r\nX-Field-%d: %d\r\n" % (number, number, number)
    return message(method, path, ROW if method == b"POST" else b"", fields)


# what is sent, in how many requests, and which label has no room for it
WORDS = [
    ("paths, half of them unknown, with as many ids, fields and methods", MANY, "endpoint", anything),
    ("classes", MANY // 200, "predicted_class",
     # a request of no row that is known agrees with any number of predictions
     lambda n: message(b"POST", b"/predict?classes=%d,200" % (200 * n), b"?")),
    ("models", MANY, "model", lambda n: message(b"POST", b"/predict?model=%d" % n, ROW)),
    ("versions", MANY, "model_version", lambda n: message(b"POST", b"/predict?version=%d" % n, ROW)),
]


@case
def words_without_number_become_a_bounded_number_of_series():
    with PythonServer(STRANGE) as upstream, Agent(upstream=upstream.port, config={"log": {"lines": "off"}}) as agent:
        sent = warm(agent)
        growth = Growth(agent.pid)
        for what, count, label, request_of in WORDS:
            before = agent.metrics()
            statuses = flood(agent.port, count, request_of)
            check(set(statuses) <= {200, 404}, f"statuses {statuses}")
            sent += count
            growth.stays_below(40 * MIB, f"{MANY} {what}")
            metrics = agent.settled(requests=sent)
            has_no_room(before, metrics, label, MANY // count)
        series = sum(len(samples) for samples in metrics.samples.values())
        print(f"    {series} series, {len(metrics.text) >> 10} KiB of text")
        check(series <= 5000 + SLACK, f"{series} series")


def has_no_room(before, after, label, words):
    """All but a few of the words in copies that were not dropped are counted as beyond the bound."""
    def more(name, **labels):
        return after.sum(name, **labels) - before.sum(name, **labels)
    overflows, shed = more("sidelight_label_overflows_total", label=label), more("sidelight_shed_total")
    print(f"    beyond the bound: {overflows:.0f}, {shed:.0f} copies shed")
    # paths are bound before there is a copy; half of them are not known to the model server, and are none
    least = MANY / 2 - 100 if label == "endpoint" else MANY - 200 - shed * words
    check(least <= overflows <= MANY, f"{overflows} values of {label} beyond the bound, {shed} copies shed")


if __name__ == "__main__":
    h.main("memory")
