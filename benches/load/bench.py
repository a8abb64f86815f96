#!/usr/bin/env python3
"""Proxies side by side in front of a fixed model server. See ../README.md.

Sources are beside this file; what is built, run and measured goes to target/load.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import sys

import compare
import counts
import memory
import tools
import verify
from candidates import specifications
from places import OUT, folder


def show(_args):
    """Names the candidates: what work each does."""
    for name, table in specifications().items():
        print(f"{name:20} {table.get('work', ''):8} {table.get('note', '')}")


MEASURE = {
    "check": verify.check,
    "compare": compare.compare,
    "crosscheck": verify.crosscheck,
    "memory": memory.memory,
    "start": memory.start,
    "scrape": memory.scrape,
    "syscalls": counts.syscalls,
    "instr": counts.instructions,
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--tool", action="append", default=[], metavar="NAME=PATH")
    add("--bin-dir", action="append", default=[], help="a folder with candidate programs")
    add("--lock", default=os.environ.get("BENCH_LOCK"), help="file to flock exclusively around timing")
    add("--patience", type=float, default=600, help="seconds to try for the lock; then stop with what was measured")
    add("--hold", type=float, default=75, help="seconds to hold the lock at most, about")
    add("--threads", type=int, default=1,
        help="worker threads of a candidate; 1: pinned to one core, load and upstream to the other; 2: nothing apart")
    add("--proxy-cpu", default="0")
    add("--side-cpu", default="1")
    add("--nice", type=int, default=0, help="nice value of everything measured (root: negative)")
    add("--out", default="", help="name of the file in target/load/results")
    add("-v", "--verbose", action="store_true", help="every run as it is done")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    build = _command(commands, "build", tools.build)
    build.add_argument("names", nargs="*", help="of src/ or of ../peers; all by default")
    _command(commands, "tools", tools.environment)
    _command(commands, "list", show)
    for name, run in MEASURE.items():
        measure = _command(commands, name, run)
        measure.add_argument("names", nargs="+", help="candidates; NAME#2 is a second instance of NAME")
        _options(measure)
    return parser.parse_args()


def _command(commands, name, run):
    parser = commands.add_parser(name, help=run.__doc__.split("\n")[0].replace("%", "%%"))
    parser.set_defaults(run=run)
    return parser


def _options(parser):
    add = parser.add_argument
    add("--rounds", type=int, default=5)
    add("--blocks", default="closed,open", help=" ".join(compare.SHOWN))
    add("--seconds", type=float, default=2.5)
    add("--warm", type=float, default=0.5)
    add("--conns", type=int, default=32, help="connections of the closed loop")
    add("--rate", type=float, default=2000, help="requests per second of the open loop")
    add("--base", default="nginx", help="what ratios are to")
    add("--connections", type=int, default=9000, help="of `memory`; fewer when the limit of descriptors is low")
    add("--requests", type=int, default=2000, help="counted")
    add("--conc", type=int, nargs="*", default=[1, 32], help="connections of `syscalls`")


@contextlib.contextmanager
def alone():
    """Two at once would race for ports and for target/load/run."""
    with open(folder(OUT) / ".busy", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another bench.py is running here")
        yield


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))     # so that what was started is ended too
    with alone() if args.run in MEASURE.values() else contextlib.nullcontext():
        args.run(args)


if __name__ == "__main__":
    main()
