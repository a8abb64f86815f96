"""RFC 7541: what a decoder must take, and what it must refuse with COMPRESSION_ERROR."""

from .. import frames as f
from .. import hpack, huffman
from ..judge import case, need


def head(t, tail=b""):
    return hpack.block(t.fields()) + tail


def send(t, payload):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, payload))
    return client, stream


def announced(client):
    """The largest table that the other end lets us use."""
    return client.peer.get(f.TABLE_SIZE, hpack.TABLE_SIZE)


A = hpack.literal("x-a", "1")
LONG = b"\xff" * 4

BAD = [
    ("2.3.3", "an index of 0", lambda t: head(t, hpack.indexed(0))),
    ("2.3.3", "an index behind the static table when the dynamic one is empty", lambda t: head(t, hpack.indexed(62))),
    ("2.3.3", "an index far behind both tables", lambda t: head(t, hpack.indexed(5000))),
    ("2.3.3", "a name index behind both tables", lambda t: head(t, hpack.literal(70, "x"))),
    ("2.3.3", "a name index behind both tables, to be added", lambda t: head(t, hpack.literal(70, "x", "add"))),
    ("2.3.3", "an index that was evicted", lambda t: hpack.table_size(40) + head(t) + hpack.literal("a", "b", "add") +
     hpack.literal("c", "d", "add") + hpack.indexed(63)),
    ("4.2", "a change of the table's size behind a field", lambda t: head(t, hpack.table_size(1))),
    ("4.2", "a change of the table's size between fields", lambda t: A + hpack.table_size(0) + head(t)),
    ("5.1", "an integer of 2^32 and more", lambda t: head(t, b"\xff" + LONG + b"\x7f")),
    ("5.1", "an integer without an end", lambda t: head(t, b"\xff" + b"\xff" * 64)),
    ("5.1", "an integer that is cut", lambda t: head(t, b"\xff\x80")),
    ("5.1", "an integer of 80 octets of zeros", lambda t: head(t, b"\xff" + b"\x80" * 80 + b"\0")),
    ("5.2", "a string longer than its block", lambda t: head(t, b"\0\x03x-a\x7f\x40ab")),
    ("5.2", "a string of 2^31 octets", lambda t: head(t, b"\0\x03x-a\x7f\x81\xff\xff\xff\x07")),
    ("5.2", "a name that is cut", lambda t: head(t, b"\0\x05x-")),
    ("5.2", "Huffman padding of zeros", lambda t: head(t, b"\0\x03x-a\x81" + huffman.encode(b"a", padding=0))),
    ("5.2", "Huffman padding of more than 7 bits",
     lambda t: head(t, b"\0\x03x-a\x83" + huffman.encode(b"aaa") + b"\xff")),
    ("5.2", "a Huffman string with the end of string in it",
     lambda t: head(t, b"\0\x03x-a" + hpack.integer(4, 7, 0x80) + b"\xff\xff\xff\xff")),
    ("5.2", "the end of string behind a letter", lambda t: head(t, b"\0\x03x-a" + hpack.integer(5, 7, 0x80) +
                                                               b"\x1f\xff\xff\xff\xff")),
    ("6.2", "a literal without a value", lambda t: head(t, b"\0\x03x-a")),
    ("6.3", "a table size of 2^32", lambda t: b"\x3f" + LONG + b"\x7f" + head(t)),
]

for section, what, make in BAD:
    @case("HPACK " + section, f"{what} is a connection error")
    def bad(t, make=make):
        client, _ = send(t, make(t))
        t.connection_error(client, f.COMPRESSION_ERROR)
        t.not_passed_on()


@case("HPACK 6.3", "a table size above the announced one is a connection error")
def above(t):
    client = t.connect()
    client.stream()
    client.send(f.headers(1, hpack.table_size(announced(client) + 1) + head(t)))
    t.connection_error(client, f.COMPRESSION_ERROR)


@case("HPACK 6.3", "a bad block on a stream that was taken back is an error all the same")
def bad_after_reset(t):
    client = t.connect()
    stream = client.request(t.fields("POST"), end=False)
    stream.cancel()
    client.send(f.headers(1, hpack.indexed(0)))
    t.connection_error(client, f.COMPRESSION_ERROR, f.STREAM_CLOSED, f.PROTOCOL_ERROR)


GOOD = [
    ("4.2", "two changes of the table's size before the first field",
     lambda t: hpack.table_size(0) + hpack.table_size(hpack.TABLE_SIZE) + head(t)),
    ("4.2", "a table of 0", lambda t: hpack.table_size(0) + head(t, hpack.literal("x-a", "1", "add"))),
    ("4.4", "an entry larger than the table, which empties it",
     lambda t: hpack.table_size(64) + head(t, hpack.literal("x-a", "1" * 100, "add"))),
    ("5.1", "an integer with needless zeros", lambda t: head(t, b"\0\x7f\x80\x80\0" + b"n" * 127 + b"\x011")),
    ("5.2", "all strings in Huffman code", lambda t: hpack.block(t.fields(), coded=True)),
    ("5.2", "an empty Huffman string", lambda t: head(t, b"\0\x03x-a\x80")),
    ("5.2", "Huffman code of all letters that a value may have",
     lambda t: head(t, hpack.literal("x-all", bytes(range(0x21, 0x7f)) + bytes(range(0x80, 0x100)), coded=True))),
    ("6.2.1", "all fields added to the table", lambda t: hpack.block(t.fields(), kind="add")),
    ("6.2.3", "all fields never to be indexed", lambda t: hpack.block(t.fields(), kind="never")),
]

for section, what, make in GOOD:
    @case("HPACK " + section, f"{what} is read")
    def good(t, make=make):
        client, stream = send(t, make(t))
        t.answered(client, stream)
        t.still_works(client)


@case("HPACK 2.3.2", "entries of the dynamic table are read in the requests that follow")
def reused(t):
    client = t.connect()
    fields = t.fields()
    client.stream()
    client.send(f.headers(1, hpack.block(fields, kind="add")))
    t.answered(client, client.streams[1])
    for number in range(3, 43, 2):
        client.stream()
        client.send(f.headers(number, b"".join(hpack.indexed(hpack.DYNAMIC + i) for i in reversed(range(len(fields))))))
        t.answered(client, client.streams[number])


@case("HPACK 4.4", "the oldest entries leave the table first")
def eviction(t):
    client = t.connect()
    size = announced(client)
    pairs = [(f"x-{i:04d}", "v" * 100) for i in range(size // 139 + 5)]
    client.stream()
    client.send_block(1, hpack.table_size(size) + head(t) + hpack.block(pairs, kind="add"), True)
    t.answered(client, client.streams[1])
    t.upstream.records.clear()
    fits = size // (6 + 100 + hpack.OVERHEAD)
    client.stream()
    client.send(f.headers(3, head(t, hpack.indexed(hpack.DYNAMIC) + hpack.indexed(hpack.DYNAMIC + fits - 1))))
    t.answered(client, client.streams[3])
    seen = t.upstream.wait_record(t.token)
    for name, _ in (pairs[-1], pairs[-fits]):
        need(seen.field(name.encode()) == [b"v" * 100], f"{name} is not what the index says")


@case("HPACK 2.3.2", "a refused request still fills the table for those that follow")
def refused_fills(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, head(t, hpack.literal("x-kept", "kept", "add") + hpack.literal("connection", "close"))))
    t.stream_error(client, stream, f.PROTOCOL_ERROR, answers=range(400, 500))
    if client.goaway:
        return
    t.upstream.records.clear()
    client.stream()
    client.send(f.headers(3, head(t, hpack.indexed(hpack.DYNAMIC))))
    t.answered(client, client.streams[3])
    need(t.upstream.wait_record(t.token).field(b"x-kept") == [b"kept"], "the tables differ")


@case("HPACK 6.2.1", "names of the static and the dynamic table with other values are read")
def named(t):
    client, stream = send(t, head(t, hpack.literal(58, "agent/1", "add") + hpack.literal(hpack.DYNAMIC, "other") +
                                  hpack.literal("x-b", "1", "add") + hpack.literal(hpack.DYNAMIC, "2", "never")))
    t.answered(client, stream)
    seen = t.upstream.wait_record(t.token)
    need(seen.field(b"x-b") == [b"1", b"2"], f"{seen.fields}")


for index in (15, 16, 17, 18, 19, 21, 23, 24, 27, 31, 32, 33, 34, 37, 45, 51, 58, 59, 61):
    @case("HPACK A", f"entry {index} of the static table is {hpack.STATIC[index - 1][0].decode()}")
    def static(t, index=index):
        name, value = hpack.STATIC[index - 1]
        client, stream = send(t, head(t, hpack.indexed(index) if value else hpack.literal(index, "v")))
        t.answered(client, stream)
        seen = t.upstream.wait_record(t.token).field(name)
        need(seen == [value or b"v"], f"{name}: {seen}")


@case("HPACK A", "method and scheme are read from the static table")
def static_pseudo(t):
    client, stream = send(t, hpack.indexed(3) + hpack.indexed(6) + hpack.literal(4, t.path) + hpack.literal(1, "a"))
    t.answered(client, stream, method="POST")
