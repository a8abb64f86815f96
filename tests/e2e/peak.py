"""Files of rows, and the most memory that `sidelight baseline` held while it read one."""

import contextlib
import os
import pathlib
import random
import resource
import subprocess
import tempfile
import time

import harness as h
from harness import equal

MIB = 1 << 20
# for a file of 1 GB, and so for shorter ones
MOST = 200 * MIB
# rows that are made; they come again and again
ROWS = 1000


def csv_rows(columns):
    """The header, and a block of rows of numbers."""
    source = random.Random(1)
    rows = (",".join(f"{source.gauss(0, 1):.4f}" for _ in range(columns)) + "\n" for _ in range(ROWS))
    return ",".join(f"column_{i}" for i in range(columns)) + "\n", "".join(rows)


def json_rows(columns):
    """No header, and a block of lines."""
    source = random.Random(1)
    line = ",".join(f'"column_{i}":%.4f' for i in range(columns))
    rows = (f"{{{line}}}\n" % tuple(source.gauss(0, 1) for _ in range(columns)) for _ in range(ROWS))
    return "", "".join(rows)


@contextlib.contextmanager
def file_of(rows, size):
    """A file of at least `size` bytes under the build's folder, gone afterwards; and how many rows it has."""
    header, block = (part.encode() for part in rows)
    with tempfile.NamedTemporaryFile(prefix="sidelight-e2e-", dir=h.TARGET) as file:
        blocks = -(-size // len(block))
        file.write(header)
        for _ in range(blocks):
            file.write(block)
        file.flush()
        yield pathlib.Path(file.name), blocks * ROWS


def high_water(pid):
    """The most a process has held so far; 0 when it is gone."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def of(arguments, chunks=None):
    """Runs `sidelight baseline`, with what is piped into it; its peak memory in bytes and what it said.

    The system counts what Python held when it started the program as the program's. Where that is all, the peak is
    what was seen while it ran.
    """
    seen = 0
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([h.BINARY, "baseline", *map(str, arguments), "--output", os.devnull],
                                 stdin=subprocess.DEVNULL if chunks is None else subprocess.PIPE,
                                 stderr=said, env=h.clean_environment())
        written = 0
        if chunks is not None:
            with child.stdin as pipe:
                for chunk in chunks:
                    written += pipe.write(chunk)
        else:
            written = arguments[0].stat().st_size
            while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                seen = max(seen, high_water(child.pid))
                time.sleep(0.002)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    equal(child.returncode, 0, f"exit code, {text}")
    peak = usage.ru_maxrss * 1024
    if seen and usage.ru_maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        peak = seen
    print(f"    {written / MIB:.0f} MiB read, {peak / MIB:.1f} MiB held at most, {usage.ru_utime + usage.ru_stime:.1f} s "
          "of CPU")
    return peak, text
