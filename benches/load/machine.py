"""What Linux says about processes, and the lock under which times are taken."""

import contextlib
import fcntl
import os
import pathlib
import resource
import time

TICK = os.sysconf("SC_CLK_TCK")


def descriptors():
    """Raises the limit of open files as far as it goes, for us and what we start; says how far that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def tree(pid):
    """`pid` and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parent = _stat(entry)[1]
                children.setdefault(int(parent), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def _stat(pid):
    """The fields of /proc/PID/stat from the state on; a name may hold spaces."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _threads(pid):
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            yield pathlib.Path(f"/proc/{pid}/task/{thread}")


def cpu_of(pids):
    """(total, user, system) CPU seconds of these processes; user and system have those of ended threads too."""
    total = user = system = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = _stat(pid)
            user += int(fields[11]) / TICK
            system += int(fields[12]) / TICK
        for thread in _threads(pid):
            with contextlib.suppress(OSError):
                total += int((thread / "schedstat").read_text().split()[0]) / 1e9
    return total or user + system, user, system


def memory_of(pids):
    """(resident, private) KiB."""
    resident = private = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                key, _, value = line.partition(":")
                if key == "Rss":
                    resident += int(value.split()[0])
                if key in ("Private_Clean", "Private_Dirty"):
                    private += int(value.split()[0])
    return resident, private


def switches_of(pids):
    """Context switches so far."""
    count = 0
    for pid in pids:
        for thread in _threads(pid):
            with contextlib.suppress(OSError):
                lines = (thread / "status").read_text().splitlines()
                count += sum(int(line.split()[1]) for line in lines if "voluntary_ctxt" in line)
    return count


def busy():
    """(busy, stolen) seconds of all cores since the machine started."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / TICK, fields[7] / TICK


class NoLock(Exception):
    """Somebody else holds the lock and does not let go of it."""


@contextlib.contextmanager
def locked(args):
    """The file `--lock` held alone while times are taken, or nothing is measured.

    Polls: a waiting call starves while others hold it shared in turns. Gives up after `--patience`.
    Gives how long it waited, in seconds.
    """
    if not args.lock:
        yield 0.0
        return
    began = time.monotonic()
    with open(args.lock, "a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - began > args.patience:
                    raise NoLock(f"no exclusive lock in {args.patience:.0f} s") from None
                time.sleep(0.005)
        try:
            yield time.monotonic() - began
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
