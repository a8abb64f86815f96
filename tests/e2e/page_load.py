"""The live page for long, and for many."""

import os
import selectors
import socket
import statistics
import time

import harness as h
from browsing import open_page
from flowers import Traffic
from harness import Agent, case, check, equal, wait_until
from page_stage import SETTINGS, Steady, captured, page_of

SECONDS = float(os.environ.get("PAGE_SECONDS", "120"))
MIB = 1 << 20
STREAMS = 100


def slope(samples):
    """What a straight line through `(time, bytes)` rises by over all of the time."""
    times, values = zip(*samples)
    return statistics.linear_regression(times, values).slope * (times[-1] - times[0])


@case
def an_open_page_needs_no_more_memory_with_time_and_neither_does_the_agent():
    # a remembered point is added each second until there are 300
    warm = min(330.0, max(30.0, SECONDS / 4))
    heap, agents, nodes = [], [], []
    with Agent(config=SETTINGS) as agent:
        captured(agent, Traffic(9))
        with Steady(agent, traffic=Traffic(10)) as steady, open_page(page_of(agent)) as page:
            page.live()
            time.sleep(warm)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                used = page.heap()
                now = time.monotonic()
                heap.append((now, used["used"]))
                nodes.append(used["nodes"])
                agents.append((now, h.resident_bytes(agent.pid)))
                time.sleep(max(2.0, SECONDS / 100))
            equal(page.attribute("#link", "data-link"), "live", "the page")
            points = page.js("() => page.history.points.length")
            check(points <= 300, f"{points} points are remembered")
            page.is_clean()
        print(f"    {SECONDS:.0f} s, {steady.count} requests: heap {heap[-1][1] / MIB:.1f} MiB, slope {slope(heap) / MIB:+.2f}; "
              f"agent {agents[-1][1] / MIB:.1f} MiB, slope {slope(agents) / MIB:+.2f}; nodes {nodes[0]:.0f} to {nodes[-1]:.0f}")
    check(slope(heap) < MIB, f"the page grows: {slope(heap) / MIB:.2f} MiB")
    check(slope(agents) < MIB, f"the agent grows: {slope(agents) / MIB:.2f} MiB")


class Streams:
    """Connections that listen to events, and how many each has had."""

    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.events = [0] * count
        self.heads = [b""] * count
        for number in range(count):
            client = socket.create_connection((h.HOST, port), h.PATIENCE)
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ, number)

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                data = key.fileobj.recv(1 << 18)
                check(data, f"stream {key.data} was closed after {self.events[key.data]} events")
                self.heads[key.data] = self.heads[key.data] or data[:40]
                self.events[key.data] += data.count(b"event: state")

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


@case
def a_hundred_open_pages_cost_no_request():
    with Agent(config=SETTINGS) as agent:
        captured(agent, Traffic(11))
        before = agent.settled()
        pages = [open_page(page_of(agent)) for _ in range(3)]
        streams = Streams(agent.ops, STREAMS - len(pages))
        try:
            with Steady(agent, pause=0.01) as steady:
                streams.read(10)
                equal(agent.ask("GET", "/metrics").status, 200, "status of a scrape")
                wait_until(lambda: streams.read(1) or min(streams.events) >= 3, "events on every stream")
                for page in pages:
                    equal(page.live().attribute("#link", "data-link"), "live", "page")
                # there is no room for one more stream: that page asks instead
                pages.append(open_page(page_of(agent)))
                pages[-1].live()
                first = pages[-1].figure("requests", "#tiles")[0]
                wait_until(lambda: pages[-1].figure("requests", "#tiles")[0] > first, "a later state")
                check(any("503" in one["text"] for one in pages[-1].call("seen")["console"]), "a stream was refused")
            after = agent.settled()
        finally:
            streams.close()
            for page in pages:
                page.close()
        check(all(head.startswith(b"HTTP/1.1 200") for head in streams.heads), lambda: set(streams.heads))
        difference = lambda name: after.sum(name) - before.sum(name)
        equal(difference("ml_api_requests_total"), steady.count, "requests")
        for name in ("sidelight_shed_total", "sidelight_request_failures_total", "sidelight_panics_total"):
            equal(difference(name), 0, name)
        print(f"    {STREAMS} streams: {steady.count} requests answered, {min(streams.events)} to {max(streams.events)} events each")
