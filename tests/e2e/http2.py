#!/usr/bin/env python3
"""HTTP/2 with prior knowledge on both sides: frame by frame, with curl, and with h2load where there is one.

The cases are those of tests/http/h2, judged at both ends of the agent. Arguments pick cases, as in every suite.
"""

import json
import shutil
import subprocess
import sys

import harness as h
from harness import Agent, Skipped, case, check, equal

sys.path.insert(0, str(h.ROOT / "tests" / "http"))

import h2_cases  # noqa: E402 - found by the path above
from h2.upstream import Upstream  # noqa: E402

# no request but the runner's may reach its upstream, and a deadline that is worth waiting for
MODEL = {"probe_interval": "1h"}
HEAD_TIMEOUT = 8

# The crate h2 takes off pseudo-fields in trailers, and a request's in an answer, before anyone sees them; nothing of
# them goes on. None of it can be seen, and so refused, from outside.
KNOWN = {
    "messages: 8.1: the head of another request as a second HEADERS is malformed",
    "messages: 8.1: trailers with a pseudo-field are malformed",
    "messages: 8.1: trailers with :path are malformed",
    "messages: 8.1: trailers with :status are malformed",
    "ends: 8.1.1: an answer with a :path is not passed on",
    "ends: 8.1: trailers of the upstream with a pseudo-field are no clean end",
}


def started(protocol="both", **proxy):
    """An upstream of that protocol, and an agent before it."""
    upstream = Upstream(0, protocol)
    config = {"model": MODEL, "proxy": {"threads": 1, "head_timeout": f"{HEAD_TIMEOUT}s", **proxy}}
    return upstream, Agent(upstream=upstream.port, config=config)


def hold(upstream, agent, only=None):
    """Every case but the known ones holds, the agent still runs and its books balance."""
    chosen = list(h2_cases.chosen(only, upstream.protocol, HEAD_TIMEOUT))

    def show(text):
        if not text.startswith("  ok"):
            print(text, flush=True)
    passed, failed = h2_cases.run(agent.port, upstream, agent.pid, only, HEAD_TIMEOUT, show)
    print(f"  {passed} held, {len(failed)} did not", flush=True)
    check(agent.is_alive(), "the agent has ended")
    agent.settled()
    wrong = sorted(set(failed) - KNOWN)
    mended = sorted(name for name in KNOWN & {one.name for one in chosen} if name not in failed)
    check(passed and not wrong, lambda: f"{len(wrong)} cases: {wrong}")
    check(not mended, lambda: f"these hold now, and are no longer known not to: {mended}")


@case
def every_frame_and_call_holds_before_an_upstream_of_either_version():
    upstream, agent = started()
    with agent:
        hold(upstream, agent)


@case
def every_frame_holds_before_an_upstream_of_http1_alone():
    upstream, agent = started("http1")
    with agent:
        hold(upstream, agent)


@case
def calls_and_old_clients_hold_when_all_goes_out_over_http2():
    upstream, agent = started(upstream_protocol="http2")
    with agent:
        hold(upstream, agent, "^(answers|calls|ends|messages|requests)")


@case
def requests_of_http2_hold_when_all_goes_out_over_http1():
    upstream, agent = started(upstream_protocol="http1")
    upstream.protocol = "http1"
    with agent:
        hold(upstream, agent, "^(answers|messages|requests)")


def versions(upstream, token):
    return {record.version for record in upstream.records.of(token)}


@case
def each_request_goes_out_in_the_version_that_is_set():
    """What the table in config/sidelight.yaml says of auto, http1 and http2."""
    from h2.client import Client, http1
    grpc, plain = ("content-type", "application/grpc+proto"), ("content-type", "application/json")
    expected = {("auto", "both"): (1, 2, 2), ("auto", "http1"): (1, 1), ("http1", "both"): (1, 1, 1),
                ("http2", "both"): (2, 2, 2)}
    for (setting, protocol), wanted in expected.items():
        upstream, agent = started(protocol, upstream_protocol=setting)
        with agent:
            # what the server speaks is found out on a connection
            seen = []
            for i, send in enumerate((None, plain, grpc)[:len(wanted)]):
                path = f"/echo/v{i}-"
                for _ in range(3):
                    upstream.records.clear()
                    if send is None:
                        equal(http1(agent.port, path)[0], 200, "status over HTTP/1.1")
                    else:
                        with Client(agent.port) as client:
                            stream = client.request([(":method", "POST"), (":scheme", "http"), (":path", path),
                                                     (":authority", "a"), send], b"x")
                            stream.wait(lambda s=stream: s.ended)
                            equal(stream.status, 200, "status over HTTP/2")
                seen.append(versions(upstream, path))
            equal(seen, [{version} for version in wanted], f"versions at the upstream, {setting} before {protocol}")


@case
def a_request_of_http2_is_counted_as_one_of_http1_is():
    with h.Iris() as iris, Agent(upstream=iris.port, config={"model": MODEL}) as agent:
        body = json.dumps(h.rows()[0])
        tally = h.Tally()
        for version in ("--http1.1", "--http2-prior-knowledge"):
            for _ in range(20):
                tally.add(curl(agent.port, "/predict", version, "-d", body, "-H", "content-type: application/json"))
        metrics = agent.settled(40)
        tally.compare(metrics)
        equal(metrics.sum("ml_api_requests_total", endpoint="/predict", status_code="200"), 40, "counted")


# -- other programs

def curl(port, path, *options):
    """One request by curl; needs one that speaks HTTP/2."""
    program = shutil.which("curl")
    if not program:
        raise Skipped("there is no curl")
    done = subprocess.run([program, "-sS", "--max-time", "60", "-w", "%{stderr}%{http_code} %{http_version}", *options,
                           f"http://{h.HOST}:{port}{path}"], capture_output=True, check=False, timeout=120)
    said = done.stderr.decode("utf-8", "replace")
    equal(done.returncode, 0, f"exit of curl: {said[-300:]}")
    status, version = said.split()[-2:]
    equal(version, "1.1" if "--http1.1" in options else "2", "the version that curl saw")
    return h.Answer(int(status), [], done.stdout)


@case
def curl_speaks_http2_through_it():
    upstream, agent = started()
    with agent:
        body = agent.folder / "body"
        body.write_bytes(bytes(range(256)) * 20_000)
        answer = curl(agent.port, "/echo/curl", "--http2-prior-knowledge", "--data-binary", f"@{body}")
        equal(answer.status, 200, "status")
        check(answer.body == b"POST /echo/curl\n" + body.read_bytes(), "the body came back changed")
        equal(curl(agent.port, "/echo/head", "--http2-prior-knowledge", "-I").status, 200, "status of HEAD")
        # curl asks for an upgrade, which is ignored
        equal(curl(agent.port, "/echo/up", "--http2", "--http1.1").status, 200, "status")


@case
def h2load_gets_all_its_answers():
    program = shutil.which("h2load")
    if not program:
        raise Skipped("there is no h2load")
    with h.Iris() as iris, Agent(upstream=iris.port, config={"model": MODEL}) as agent:
        for clients, streams, count in ((1, 1, 500), (10, 20, 5000), (4, 100, 10_000)):
            done = subprocess.run([program, "-n", str(count), "-c", str(clients), "-m", str(streams), "-p", "h2c",
                                   f"http://{h.HOST}:{agent.port}/health"], capture_output=True, text=True, check=False,
                                  timeout=300)
            line = next((line for line in done.stdout.splitlines() if line.startswith("status codes")), done.stdout)
            check(line.startswith(f"status codes: {count} 2xx"), lambda line=line, done=done: f"{line}\n{done.stdout}")
        agent.settled()


if __name__ == "__main__":
    sys.exit(h.main("HTTP/2"))
