"""HPACK (RFC 7541): parts of header blocks to put together, wrong ones too, and a strict decoder.

Fields are pairs of bytes or text; the decoder gives bytes.
"""

from . import huffman

STATIC = [(name.encode(), value.encode()) for name, value in (
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
)]
# the first entry of the dynamic table
DYNAMIC = len(STATIC) + 1
TABLE_SIZE = 4096
# what an entry counts beyond its octets (section 4.1)
OVERHEAD = 32


def octets(text):
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)


# -- parts of a block ---------------------------------------------------------------------------

def integer(value, bits, first=0):
    """An integer with a prefix of `bits` bits; `first`: the bits before it (section 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def string(text, coded=False):
    data = octets(text)
    if coded:
        data = huffman.encode(data)
    return integer(len(data), 7, 0x80 if coded else 0) + data


def indexed(index):
    return integer(index, 7, 0x80)


_KINDS = {"plain": (4, 0x00), "never": (4, 0x10), "add": (6, 0x40)}


def literal(name, value, kind="plain", coded=False):
    """`name`: a text or an index. `kind`: `plain` (not added to the table), `never`, `add`."""
    bits, first = _KINDS[kind]
    if isinstance(name, int):
        return integer(name, bits, first) + string(value, coded)
    return integer(0, bits, first) + string(name, coded) + string(value, coded)


def table_size(size):
    return integer(size, 5, 0x20)


def block(fields, kind="plain", coded=False):
    return b"".join(literal(name, value, kind, coded) for name, value in fields)


# -- reading ------------------------------------------------------------------------------------

class Decoder:
    """Of one direction of a connection. Raises `ValueError` on whatever the RFC forbids."""

    def __init__(self, limit=TABLE_SIZE):
        self.limit = self.size = limit
        self.entries = []

    def decode(self, data):
        self.data, self.at, fields = data, 0, []
        while self.at < len(data):
            first = data[self.at]
            if first & 0x80:
                fields.append(self._entry(self._integer(7)))
            elif first & 0x40:
                fields.append(self._literal(6))
                self.entries.insert(0, fields[-1])
                self._evict()
            elif first & 0x20:
                self._resize(fields)
            else:
                fields.append(self._literal(4))
        return fields

    def _resize(self, fields):
        size = self._integer(5)
        if fields or size > self.limit:
            raise ValueError(f"a table size of {size} after {len(fields)} fields; allowed: {self.limit}")
        self.size = size
        self._evict()

    def _evict(self):
        while sum(len(name) + len(value) + OVERHEAD for name, value in self.entries) > self.size:
            self.entries.pop()

    def _entry(self, index):
        if not 0 < index < DYNAMIC + len(self.entries):
            raise ValueError(f"index {index}")
        return STATIC[index - 1] if index < DYNAMIC else self.entries[index - DYNAMIC]

    def _literal(self, bits):
        index = self._integer(bits)
        name = self._entry(index)[0] if index else self._string()
        return name, self._string()

    def _octet(self):
        if self.at >= len(self.data):
            raise ValueError("the block ends inside a field")
        self.at += 1
        return self.data[self.at - 1]

    def _integer(self, bits):
        limit = (1 << bits) - 1
        value, shift = self._octet() & limit, 0
        if value < limit:
            return value
        while True:
            octet = self._octet()
            value += (octet & 127) << shift
            shift += 7
            if shift > 35:
                raise ValueError("an integer without an end")
            if octet < 128:
                return value

    def _string(self):
        coded = self.data[self.at:self.at + 1] >= b"\x80"
        length = self._integer(7)
        data = self.data[self.at:self.at + length]
        if len(data) < length:
            raise ValueError("the block ends inside a string")
        self.at += length
        return huffman.decode(data) if coded else bytes(data)
