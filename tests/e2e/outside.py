#!/usr/bin/env python3
"""The operator's port seen from another host: reading is free, changing needs the token.

Another host is another address in a network namespace of its own, which needs root or user namespaces.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

import harness as h
from harness import Agent, case, check, equal

AGENT, CLIENT = "198.18.0.1", "198.18.0.2"
INSIDE = "--inside"


def give_addresses():
    """Brings up the namespace's own loopback device, with two more addresses on it."""
    up, set_flags, set_address = 0x1 | 0x8 | 0x40, 0x8914, 0x8916
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, set_flags, struct.pack("16sh", b"lo", up) + bytes(14))
        for name, address in ((b"lo:1", AGENT), (b"lo:2", CLIENT)):
            fcntl.ioctl(device, set_address,
                        struct.pack("16sHH4s", name, socket.AF_INET, 0, socket.inet_aton(address)) + bytes(8))


def from_outside(port, method, path, body=None, headers=None):
    connection = h.http.client.HTTPConnection(AGENT, port, timeout=h.PATIENCE, source_address=(CLIENT, 0))
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return h.Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def agent(**ops):
    return Agent(host="0.0.0.0", config={"ops": ops} if ops else {})


def baselines(running):
    return sum(event["message"] == "Baseline set" for event in running.events())


@case
def without_a_token_nobody_outside_can_change_anything():
    with agent() as running:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer null"},
                        {"X-Forwarded-For": h.HOST, "Host": "localhost"}):
            answer = from_outside(running.ops, "POST", "/drift/baseline", "[0.5, 0.75]", headers)
            check(answer.status in (401, 403), f"status {answer.status} with {headers}")
        check(from_outside(running.ops, "GET", "/drift/baseline").status in (401, 403), "a baseline from outside")
        equal(from_outside(running.ops, "GET", "/drift").json()["status"], "no_baseline", "/drift")
        for path in ("/metrics", "/health", "/ready", "/live"):
            equal(from_outside(running.ops, "GET", path).status, 200, f"status of {path}")
        equal(running.ask("POST", "/drift/baseline", "[0.5, 0.75]").status, 200, "status from loopback")
        running.wait_event(message="Baseline set")
        equal(baselines(running), 1, "baselines set")


@case
def the_right_token_opens_and_a_wrong_one_does_not():
    token = "correct-horse-battery-staple"
    with agent(token=token) as running:
        for wrong in ("", token[:-1], token + "x", token.upper()):
            answer = from_outside(running.ops, "POST", "/drift/baseline", "[0.5]", {"Authorization": f"Bearer {wrong}"})
            check(answer.status in (401, 403), f"status {answer.status} with {wrong!r}")
        right = {"Authorization": f"Bearer {token}"}
        equal(from_outside(running.ops, "POST", "/drift/baseline", "[0.5, 0.75]", right).status, 200, "status")
        running.wait_event(message="Baseline set")
        equal(baselines(running), 1, "baselines set")
        check(not any(token in line for line in running.lines + running.errors), "the token is in the log")


@case
def the_token_of_a_file_wins():
    path = h.pathlib.Path(h.tempfile.mkdtemp(prefix="sidelight-e2e-"))
    try:
        (path / "token").write_text("from-the-file\n")
        with agent(token="from-the-key", token_file=str(path / "token")) as running:
            for token, allowed in (("from-the-key", False), ("from-the-file", True)):
                answer = from_outside(running.ops, "POST", "/drift/baseline", "[0.5, 0.75]",
                                      {"Authorization": f"Bearer {token}"})
                equal(answer.status == 200, allowed, f"allowed with {token}")
    finally:
        shutil.rmtree(path)


def main():
    if INSIDE in sys.argv:
        sys.argv.remove(INSIDE)
        give_addresses()
        return h.main("outside")
    command = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        print("  skip everything: no network namespace can be made here")
        print("0 passed, 0 failed, 3 skipped")
        return 0
    sys.stdout.flush()
    os.execvp("unshare", [*command, sys.executable, __file__, *sys.argv[1:], INSIDE])


if __name__ == "__main__":
    main()
