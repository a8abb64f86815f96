"""A model server that keeps a ledger of every request it got, and misbehaves when a request asks it to.

Arguments: the ledger's file, [the address to listen on,] the port. Each request is a line in the file, written
before anything is answered, so that it is there after a SIGKILL: id, method, the server's address. Several servers may
share a file. The answer repeats id and body, and is a prediction. `x-fault` of a request names what goes wrong
with its answer; what a connection does after that is up to the other side.

    reset           no byte of an answer, then a reset            reset-once      the same, the first time only
    reset-head      half a head, then a reset                     close-head      half a head, then the end
    reset-body      the head and half of the body, then a reset   close-body      the same, then the end
    reset-after     a whole answer, then a reset                  close-after     a whole answer, then the end
    text, binary    bytes that are no HTTP                        endless-head    fields without end
    two-lengths     two lengths that differ                       bad-chunk       a chunk without a size
    extra           a whole answer, and another one nobody asked for
    slow-head=MS    the head comes byte by byte, in MS altogether slow=MS         the answer comes after MS
    slow-body=MS    the head at once, the body after MS

SIGUSR1 has it close the connections that wait for a request, SIGUSR2 send an answer on them that nobody asked for.
"""

import asyncio
import json
import os
import signal
import socket
import struct
import sys

HEALTHY = ("/ready", "/health")
seen = set()


def answer_to(identity, body):
    """A prediction that anyone can check: it is made of the request alone."""
    confidence = 0.5 + (sum(body) % 500) / 1000
    return {"prediction": "setosa", "confidence": confidence, "model_version": "1.0.0", "id": identity,
            "sent": body.decode("latin-1")}


def whole(identity, body, fields=""):
    content = json.dumps(answer_to(identity, body)).encode()
    head = (f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            f"X-Seen-Id: {identity}\r\n{fields}\r\n")
    return head.encode(), content


class Server(asyncio.Protocol):
    """One connection; requests are answered one after the other."""

    ledger = None
    open = set()

    def connection_made(self, transport):
        self.transport = transport
        self.open.add(self)
        self.data = b""
        self.busy = False
        self.name = transport.get_extra_info("sockname")[0]
        # a head and its body are two writes
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error):
        self.transport = None
        self.open.discard(self)

    def data_received(self, data):
        self.data += data
        self.go_on()

    def go_on(self):
        while not self.busy and self.transport:
            head, separator, rest = self.data.partition(b"\r\n\r\n")
            if not separator:
                return
            lines = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
            length = int(fields.get("content-length", 0))
            if len(rest) < length:
                return
            self.data = rest[length:]
            method, path, _ = lines[0].split(" ")
            self.take(method, path, fields, rest[:length])

    def take(self, method, path, fields, body):
        if path in HEALTHY:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        identity = fields.get("x-request-id", "")
        os.write(self.ledger, f"{identity} {method} {self.name}\n".encode())
        fault, _, amount = fields.get("x-fault", "").partition("=")
        again = identity in seen
        seen.add(identity)
        if fault == "reset-once" and again:
            fault = ""
        self.busy = True
        answering = getattr(self, fault.replace("-", "_") or "well")(identity, body, int(amount or 0) / 1000)
        if answering is None:
            self.busy = False
        else:
            asyncio.get_running_loop().create_task(self.later(answering))

    async def later(self, answering):
        try:
            await answering
        except AttributeError:
            # the other side left, and took the transport with it
            return
        self.busy = False
        self.go_on()

    def cut(self):
        """A reset: what was written and did not leave is lost."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        self.transport = None

    def end(self):
        self.transport.close()
        self.transport = None

    def well(self, identity, body, _):
        self.transport.write(b"".join(whole(identity, body)))

    def reset(self, *_):
        self.cut()

    def reset_once(self, *_):
        self.cut()

    def reset_head(self, identity, body, _):
        self.transport.write(whole(identity, body)[0][:40])
        self.cut()

    def close_head(self, identity, body, _):
        self.transport.write(whole(identity, body)[0][:40])
        self.end()

    def reset_body(self, identity, body, _):
        head, content = whole(identity, body)
        self.transport.write(head + content[:len(content) // 2])
        # a reset at once would take what was not read with it
        return self.cut_after(0.05)

    async def cut_after(self, pause):
        await asyncio.sleep(pause)
        self.cut()

    def close_body(self, identity, body, _):
        head, content = whole(identity, body)
        self.transport.write(head + content[:len(content) // 2])
        self.end()

    def reset_after(self, identity, body, _):
        self.well(identity, body, _)
        self.cut()

    def close_after(self, identity, body, _):
        # with MSG_MORE the end goes out with the last byte: who has read the one has the other
        raw = socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno()))
        with raw:
            raw.sendall(b"".join(whole(identity, body)), socket.MSG_MORE)
        self.end()

    def text(self, *_):
        self.transport.write(b"I would rather not say.\r\n\r\n")

    def binary(self, *_):
        self.transport.write(bytes(range(256)) * 64)

    def endless_head(self, *_):
        return self.without_end()

    async def without_end(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\n")
        for i in range(10_000):
            self.transport.write(f"X-Field-{i}: {'v' * 1000}\r\n".encode())
            await asyncio.sleep(0)

    def two_lengths(self, identity, body, _):
        head, content = whole(identity, body, "Content-Length: 3\r\n")
        self.transport.write(head + content)

    def bad_chunk(self, *_):
        self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")

    def extra(self, identity, body, _):
        self.transport.write(b"".join(whole(identity, body) + whole("poison", b"{}")))

    async def slow(self, identity, body, wait):
        await asyncio.sleep(wait)
        self.well(identity, body, wait)

    async def slow_head(self, identity, body, wait):
        head, content = whole(identity, body)
        for i in range(0, len(head), 4):
            self.transport.write(head[i:i + 4])
            await asyncio.sleep(wait * 4 / len(head))
        self.transport.write(content)

    async def slow_body(self, identity, body, wait):
        head, content = whole(identity, body)
        self.transport.write(head)
        await asyncio.sleep(wait)
        self.transport.write(content)


def to_all(act):
    for one in [one for one in Server.open if one.transport and not one.busy]:
        act(one)


async def serve(file, address, port):
    Server.ledger = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, address, port, backlog=1024)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, to_all, lambda one: one.end())
    loop.add_signal_handler(signal.SIGUSR2, to_all, lambda one: one.well("poison", b"{}", 0))
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    where = sys.argv[2] if len(sys.argv) > 3 else "127.0.0.1"
    asyncio.run(serve(sys.argv[1], where, int(sys.argv[-1])))
