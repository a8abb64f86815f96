#!/usr/bin/env python3
"""A real gRPC client and server, with and without the agent between: every call must look the same.

Needs grpcio (tests/e2e/grpc_service/requirements.txt). Arguments pick cases, as in every suite.
"""

import contextlib
import sys
import threading

import grpc

import harness as h
from harness import Agent, Process, case, check, equal

LARGEST = 8 << 20
OPTIONS = [("grpc.max_receive_message_length", LARGEST), ("grpc.use_local_subchannel_pool", 1)]
# the server has no route that a probe could ask
CONFIG = {"model": {"probe_interval": "1h"}}
PATIENCE = 60


class Ends:
    """A channel to the server, and one that goes through the agent."""

    def __init__(self, agent, straight, through):
        self.agent, self.channels = agent, (straight, through)

    def same(self, call):
        """What `call` gives for either channel must be equal; gives it."""
        straight, through = (call(channel) for channel in self.channels)
        check(straight == through, lambda: f"through the agent: {through!r:.1000}\ninstead of: {straight!r:.1000}")
        return through


@contextlib.contextmanager
def ends(**options):
    port = h.free_port()
    script = h.E2E / "grpc_service" / "server.py"
    with Process([sys.executable, script, port], "grpc server") as server:
        h.wait_until(lambda: server.lines == ["there"], "the gRPC server")
        with Agent(upstream=port, config=CONFIG, ready=False) as agent:
            h.wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
            channels = [grpc.insecure_channel(f"{h.HOST}:{p}", options=OPTIONS, **options) for p in (port, agent.port)]
            try:
                yield Ends(agent, *channels)
            finally:
                for channel in channels:
                    channel.close()
            check(agent.is_alive(), "the agent has ended")
            counted = agent.settled().sum("ml_api_requests_total", method="POST")
            check(counted > 0, "no call went through the agent")


def metadata(pairs):
    """Without what the agent adds, and with names and values of any kind as text."""
    return sorted((key, value) for key, value in pairs or () if key not in ("x-request-id", "user-agent"))


def outcome(call, read):
    """All that a caller can see of a call."""
    try:
        got = read(call)
    except grpc.RpcError:
        got = None
    return {"got": got, "code": call.code(), "details": call.details(), "initial": metadata(call.initial_metadata()),
            "trailing": metadata(call.trailing_metadata())}


def unary(channel, request, pairs=(), timeout=PATIENCE, **options):
    # a future, so that a failed call can be looked at as well
    call = channel.unary_unary("/echo.Echo/Unary").future(request, metadata=pairs, timeout=timeout, **options)
    return outcome(call, lambda call: call.result())


@case
def a_unary_call_with_metadata_of_both_kinds_is_the_same():
    pairs = [("x-text", "a b"), ("x-text", "again"), ("x-data-bin", bytes(range(256)))]
    with ends() as both:
        seen = both.same(lambda channel: unary(channel, b"question", pairs))
        equal(seen["got"], b"noitseuq", "answer")
        check(("trailing-bin", bytes(range(256))) in seen["trailing"], "binary trailers are lost")
        check(("x-data-bin", bytes(range(256))) in seen["initial"], "binary metadata is lost")


@case
def messages_of_any_size_are_the_same_compressed_or_not():
    with ends() as both:
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate):
            for size in (0, 1, 16_384, 65_536, 4 << 20):
                request = bytes(i * 7 % 251 for i in range(1024)) * (size // 1024 + 1)
                seen = both.same(lambda channel: unary(channel, request[:size], compression=compression))
                equal(seen["got"], request[:size][::-1], f"{size} bytes")


@case
def every_status_comes_with_its_message_and_details():
    with ends() as both:
        for code in grpc.StatusCode:
            if code is not grpc.StatusCode.OK:
                seen = both.same(lambda channel, name=code.name: unary(channel, b"x", [("fail", name)]))
                equal(seen["code"], code, "status")
                check(("grpc-status-details-bin", b"\0details\xff") in seen["trailing"], f"{seen['trailing']}")


@case
def a_method_that_is_not_there_is_unimplemented():
    with ends() as both:
        seen = both.same(lambda channel: outcome(
            channel.unary_unary("/echo.Echo/Absent").future(b"x", timeout=PATIENCE), lambda call: call.result()))
        equal(seen["code"], grpc.StatusCode.UNIMPLEMENTED, "status")


@case
def streams_of_the_server_of_the_client_and_of_both_are_the_same():
    with ends() as both:
        def count(channel):
            call = channel.unary_stream("/echo.Echo/Count")(b"2000", timeout=PATIENCE)
            return outcome(call, list)

        def total(channel):
            call = channel.stream_unary("/echo.Echo/Sum").future((b"m" * i for i in range(1000)), timeout=PATIENCE)
            return outcome(call, lambda call: call.result())

        def chat(channel):
            call = channel.stream_stream("/echo.Echo/Chat")((b"%d" % i for i in range(1000)), timeout=PATIENCE)
            return outcome(call, list)
        equal(both.same(count)["got"], [b"%d" % i for i in range(2000)], "messages of the server")
        equal(both.same(total)["got"], b"1000 499500", "what the server saw")
        equal(both.same(chat)["got"], [b"re: %d" % i for i in range(1000)], "the chat")


@case
def a_chat_goes_back_and_forth_message_by_message():
    def chat(channel):
        answered = threading.Semaphore(1)
        got = []

        def say():
            for i in range(500):
                if not answered.acquire(timeout=PATIENCE):
                    return
                yield b"%d" % i
        for answer in channel.stream_stream("/echo.Echo/Chat")(say(), timeout=PATIENCE * 2):
            got.append(answer)
            answered.release()
        return got
    with ends() as both:
        equal(both.same(chat), [b"re: %d" % i for i in range(500)], "the chat")


@case
def a_deadline_ends_a_call_as_it_does_without_the_agent():
    with ends() as both:
        seen = both.same(lambda channel: unary(channel, b"x", [("sleep", "5")], timeout=0.5)["code"])
        equal(seen, grpc.StatusCode.DEADLINE_EXCEEDED, "status")
        # and the next is answered
        equal(both.same(lambda channel: unary(channel, b"ab")["got"]), b"ba", "answer")


@case
def a_call_that_is_cancelled_ends_and_leaves_the_others_alone():
    def cancel(channel):
        call = channel.stream_stream("/echo.Echo/Chat")(iter(lambda: b"more", None), timeout=PATIENCE)
        first = next(call)
        call.cancel()
        return first, call.code()
    with ends() as both:
        seen = both.same(cancel)
        equal(seen, (b"re: more", grpc.StatusCode.CANCELLED), "what was seen of it")
        equal(both.same(lambda channel: unary(channel, b"ab")["got"]), b"ba", "answer")


@case
def five_hundred_calls_at_once_on_one_channel_get_their_own_answers():
    def many(channel):
        method = channel.unary_unary("/echo.Echo/Unary")
        calls = [method.future(b"%d" % i, timeout=PATIENCE) for i in range(500)]
        return [call.result() for call in calls]
    with ends() as both:
        equal(both.same(many), [(b"%d" % i)[::-1] for i in range(500)], "answers")


@case
def a_server_that_is_away_is_unavailable():
    port = h.free_port()
    with Agent(upstream=port, config=CONFIG, ready=False) as agent:
        h.wait_until(lambda: agent.ask("GET", "/live").status == 200, "the agent")
        with grpc.insecure_channel(f"{h.HOST}:{agent.port}", options=OPTIONS) as channel:
            equal(unary(channel, b"x")["code"], grpc.StatusCode.UNAVAILABLE, "status")
        agent.settled()


if __name__ == "__main__":
    sys.exit(h.main("gRPC"))
