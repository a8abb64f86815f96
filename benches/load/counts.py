"""What is counted and not timed, so that a busy machine does no harm: system calls and instructions."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from candidates import Bench
from places import RUN

# of these the master ends its workers; the others end at an interrupt
ENDED_BY_TERM = ("nginx", "caddy", "envoy")


def syscalls(args):
    """System calls per request, counted by strace while an exact number of requests passes."""
    _needs("strace")
    for name in args.names:
        for connections in args.conc:
            with Bench(args) as bench:
                if name == "direct" or not bench.start(name):
                    continue
                each = calls_per_request(bench, name, connections, args.requests)
            most = sorted(((count, call) for call, count in each.items() if count >= 0.005), reverse=True)
            said = "  ".join(f"{call} {count:.2f}" for count, call in most)
            print(f"{name:20} c={connections:<3} total {sum(each.values()):6.2f} per request: {said}", flush=True)


def calls_per_request(bench, name, connections, requests):
    """By name."""
    bench.load(name, "count", "-c", str(connections), "-n", "500")
    log = RUN / f"strace-{name.replace('#', '_')}.txt"
    targets = [part for pid in bench.pids(name) for part in ("-p", str(pid))]
    command = ["strace", "-f", "-c", "-U", "calls,name", "-o", str(log), *targets]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    if tracer.poll() is not None:
        sys.exit("strace may not trace here: run as root, or with the capability SYS_PTRACE")
    bench.load(name, "count", "-c", str(connections), "-n", str(requests))
    time.sleep(0.3)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(30)
    fields = [line.split() for line in log.read_text().splitlines()]
    return {field[1]: int(field[0]) / requests
            for field in fields if len(field) == 2 and field[0].isdigit() and field[1] != "total"}


def instructions(args):
    """User-space instructions per request: what callgrind counts at 2N requests, less what it does at N, over N."""
    _needs("valgrind")
    for name in args.names:
        totals = [_instructions_of(args, name, count) for count in (args.requests, 2 * args.requests)]
        if all(totals):
            each = (totals[1] - totals[0]) / args.requests
            print(f"{name:20} {each:10.0f} user instructions per request", flush=True)
        else:
            print(f"{name:20} not measured", flush=True)


def _instructions_of(args, name, requests):
    """Of all its processes from start to end."""
    prefix = f"callgrind-{name.replace('#', '_')}"
    for old in RUN.glob(f"{prefix}.*"):
        old.unlink()
    wrap = ["valgrind", "--tool=callgrind", "--trace-children=yes", "--collect-jumps=no",
            f"--callgrind-out-file={RUN / prefix}.%p"]
    with Bench(args) as bench:
        if name == "direct" or not bench.start(name, wrap=wrap, cpus="0,1"):
            return 0
        bench.load(name, "count", "-c", "8", "-n", str(requests))
        politely = signal.SIGTERM if name.startswith(ENDED_BY_TERM) else signal.SIGINT
        for pid in reversed(bench.pids(name)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, politely)
        with contextlib.suppress(subprocess.TimeoutExpired):
            bench.processes[name].wait(30)
        found = (re.search(r"^(?:summary|totals): (\d+)", file.read_text(errors="replace"), re.MULTILINE)
                 for file in RUN.glob(f"{prefix}.*"))
        return sum(int(match[1]) for match in found if match)


def _needs(tool):
    if shutil.which(tool) is None:
        sys.exit(f"no {tool}: apt-get install {tool}")
