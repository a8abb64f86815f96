"""Stops one thread of a child process, while its other threads go on: what a debugger does."""

import contextlib
import ctypes
import os
import pathlib

from harness import Skipped, check

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
# also threads are waited for
WALL = 0x40000000


def thread(pid, name):
    """The id of the thread that calls itself `name`."""
    found = [int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
             if (task / "comm").read_text().strip() == name]
    check(len(found) == 1, f"{len(found)} threads are called {name}")
    return found[0]


def _ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def stalled(process, name):
    """Inside, the thread `name` of a process that we have started does not run."""
    tid = thread(process.pid, name)
    try:
        _ptrace(SEIZE, tid)
    except OSError as error:
        raise Skipped(f"no thread can be stopped here: {error}") from None
    try:
        _ptrace(INTERRUPT, tid)
        os.waitpid(tid, WALL)
        yield
    finally:
        _ptrace(DETACH, tid)
