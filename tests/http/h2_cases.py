#!/usr/bin/env python3
"""HTTP/2 conformance of a proxy, frame by frame, from both of its ends (Python's standard library only).

Starts a strict upstream on --upstream-port, to which the proxy on --proxy-port must forward, and runs every case
of tests/http/h2. After each, a clean request of either version must be answered on a new connection.

  h2_cases.py --proxy-port 8080 --upstream-port 9000 [--pid PID] [--only REGEX] [--upstream both|http1]
              [--head-timeout SECONDS] [--exact-codes] [--list]
Exit code 1 when any fails. Everything stays on loopback.
"""

import argparse
import re
import sys
import time

from h2 import cases  # noqa: F401 - registers them
from h2 import judge as judging
from h2.judge import CASES, Test, Wrong, judge
from h2.upstream import Upstream


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxy-port", type=int)
    parser.add_argument("--upstream-port", type=int)
    parser.add_argument("--pid", type=int, help="of the proxy: its memory and CPU are watched")
    parser.add_argument("--only", help="a regular expression that the name contains")
    parser.add_argument("--upstream", default="both", choices=("both", "http1"))
    parser.add_argument("--head-timeout", type=float, help="seconds in which the proxy wants a whole head")
    parser.add_argument("--exact-codes", action="store_true", help="want the error code that each section names")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def wait_for_proxy(port, upstream):
    end = time.monotonic() + 30
    while True:
        try:
            Test(port, upstream).clean_http1()
            return
        except (OSError, ValueError, Wrong) as error:
            if time.monotonic() > end:
                sys.exit(f"no proxy on {port} that forwards to {upstream.port}: {error}")
            time.sleep(0.2)


def chosen(only, protocol, head_timeout):
    lacking = {"http2"} if protocol == "http1" else set()
    lacking |= set() if head_timeout else {"head_timeout"}
    for case in CASES:
        if case.needs in lacking:
            continue
        if not only or re.search(only, case.name):
            yield case


def run(port, upstream, pid=None, only=None, head_timeout=None, show=print):
    """Runs the cases; gives how many passed and the names of those that failed."""
    passed, failed = 0, []
    for case in chosen(only, upstream.protocol, head_timeout):
        began = time.monotonic()
        wrong = judge(case, port, upstream, pid, head_timeout)
        if wrong:
            failed.append(case.name)
            show(f"  FAIL {case.name} ({time.monotonic() - began:.1f} s)")
            for text in wrong:
                show(f"       {text[:600]}")
        else:
            passed += 1
            show(f"  ok   {case.name} ({time.monotonic() - began:.1f} s)")
    return passed, failed


def main():
    options = arguments()
    if options.list:
        print("\n".join(case.name for case in chosen(options.only, options.upstream, options.head_timeout)))
        return
    judging.EXACT_CODES = options.exact_codes
    upstream = Upstream(options.upstream_port, options.upstream)
    wait_for_proxy(options.proxy_port, upstream)
    passed, failed = run(options.proxy_port, upstream, options.pid, options.only,
                         options.head_timeout, lambda text: print(text, flush=True))
    print(f"{passed} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
