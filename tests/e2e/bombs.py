"""Bodies that are small on the wire and large when they are read."""

import functools
import gzip
import struct
import zlib

MIB = 1 << 20


def _gzip(parts, times):
    """The first part, the second so many times, and the last as one gzip member."""
    first, middle, last = parts
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = deflate.compress(first) + deflate.flush(zlib.Z_FULL_FLUSH)
    # after a full flush nothing refers back, so that its bytes may be repeated
    block = deflate.compress(middle) + deflate.flush(zlib.Z_FULL_FLUSH)
    out += block * times + deflate.compress(last) + deflate.flush(zlib.Z_FINISH)
    crc, size = zlib.crc32(first), len(first) + len(middle) * times + len(last)
    for _ in range(times):
        crc = zlib.crc32(middle, crc)
    crc = zlib.crc32(last, crc)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + out + struct.pack("<II", crc, size & 0xffffffff)


@functools.cache
def bomb(mebibytes, coats=1):
    """A prediction with a class of so many MiB, and its encoding; each coat is one more gzip around it."""
    if coats == 1:
        return _gzip((b'{"prediction":"', b"x" * MIB, b'"}'), mebibytes), "gzip"
    body, encoding = bomb(mebibytes, coats - 1)
    return gzip.compress(body, mtime=0), f"{encoding}, gzip"
