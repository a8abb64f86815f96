"""One stream, as one end of a connection sees it. Its endpoint's reader fills it."""

from . import fields as rules
from . import frames as f
from . import hpack


class Ended(Exception):
    """The stream was reset, or its connection has ended."""


class Stream:
    def __init__(self, endpoint, number):
        self.endpoint, self.number = endpoint, number
        # what came: field sections in order, octets, the end, an error code
        self.sections = []
        self.kept = bytearray()
        self.size = 0
        self.taken = 0
        self.keep = True
        self.ended = False
        self.reset = None
        # what was sent
        self.sent_end = False
        self.sent_reset = False
        # how much may be sent, and may come
        self.window = endpoint.peer_window
        self.room = endpoint.own_window

    # -- sending

    def headers(self, fields, end=False):
        self.sent_end |= end
        self.endpoint.send_block(self.number, hpack.block(fields), end)

    def send(self, payload, end=False, patience=60.0):
        """As far as the windows allow; waits for more."""
        endpoint, at = self.endpoint, 0
        payload = memoryview(payload)
        while True:
            part = endpoint.take_window(self, len(payload) - at, patience)
            at += part
            last = at == len(payload)
            endpoint.write(f.data(self.number, payload[at - part:at].tobytes(), end and last))
            if last:
                self.sent_end |= end
                return

    def trailers(self, fields):
        self.headers(fields, end=True)

    def cancel(self, code=f.CANCEL):
        self.sent_reset = True
        self.endpoint.send(f.rst_stream(self.number, code))

    def credit(self, octets):
        """Lets the other end send more on this stream."""
        with self.endpoint.changed:
            self.room += octets
        self.endpoint.send(f.window_update(self.number, octets))

    # -- what came

    def is_over(self):
        return self.ended or self.reset is not None or self.endpoint.closed

    def wait(self, condition, patience=None):
        """True when the condition holds before the stream is over or patience ends."""
        self.endpoint.wait(lambda: condition() or self.is_over(), patience)
        return condition()

    def final(self):
        """The fields of the final answer, or none yet."""
        for section in self.sections:
            status = rules.get(section, b":status")
            if status and not status[0].startswith(b"1"):
                return section
        return None

    @property
    def status(self):
        section = self.final()
        return int(rules.get(section, b":status")[0]) if section else None

    def field(self, name):
        """The values of a field of the final answer, or of the request."""
        return rules.get(self.final() or self.sections[0], name)

    def received_trailers(self):
        """The section behind the one that began the message, or none."""
        first = self.final() or (self.sections[0] if self.sections else None)
        return self.sections[-1] if self.sections and self.sections[-1] is not first else None

    def read(self, patience=60.0):
        """What came since the last call; waits for some; empty at the end. Gives back the credit
        where the endpoint does not do so itself."""
        self.endpoint.wait(lambda: self.taken < self.size or self.is_over(), patience)
        with self.endpoint.changed:
            part = bytes(self.kept)
            del self.kept[:]
            self.taken += len(part)
            if not part and not self.ended:
                raise Ended(f"stream {self.number}: reset {self.reset}, connection closed {self.endpoint.closed}")
        if part and not self.endpoint.auto_stream and not self.ended:
            self.credit(len(part))
        if part and not self.endpoint.auto_connection:
            self.endpoint.credit(len(part))
        return part

    def whole(self, patience=60.0):
        return b"".join(iter(lambda: self.read(patience), b""))
