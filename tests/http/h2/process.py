"""What a process costs: memory and CPU, from Linux's /proc."""

import os
import pathlib
import re
import time

_TICKS = os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Octets."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


def cpu(pid):
    """Seconds so far, all threads."""
    field = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(field[11]) + int(field[12])) / _TICKS


def calms_down(pid, patience=15.0):
    """Whether it soon uses less than a tenth of a CPU."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        before = cpu(pid)
        time.sleep(0.3)
        if cpu(pid) - before < 0.03:
            return True
    return False
