#!/usr/bin/env python3
"""What the machine runs out of, or gets wrong, costs no request that could be answered: files, disk, the time of day.

Needs the release binary and Python's standard library; root for mounts of its own, and libfaketime (Debian: faketime)
for the clock. The rules that hold in every case are those of `traffic.py`.
"""

import contextlib
import datetime
import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import time

import harness as h
import traffic as t
from harness import Agent, Skipped, case, check, close, equal, wait_until
from traffic import Ledger, Traffic

IS_ALONE = h.alone("--mount")
CONFIG = {"proxy": {"connect_timeout": "5s", "response_timeout": "60s", "threads": 2}}


# -- files ----------------------------------------------------------------------------------------

def cpu_ticks(pid):
    """User and system time, in ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def refused(agent):
    return sum(event["message"] == "cannot accept" for event in agent.events())


def set_files(pid, soft):
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return hard


@case
def without_file_descriptors_new_clients_wait_and_are_served_when_there_are_some():
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=CONFIG) as agent:
        traffic = Traffic(agent, ledger, threads=4)
        memory = t.warm(traffic)
        hard = set_files(agent.pid, h.open_files(agent.pid))
        # those who are connected go on, but for connections to the model server that must be made anew
        with traffic.window("503 no_resources"):
            newcomers = Traffic(agent, ledger, threads=20)
            wait_until(lambda: any(e["message"] == "cannot accept" for e in agent.events()), "accept to fail")
            traffic.goes_on(100, "answers to those who are connected")
            # and then nobody sends: what is used now is used by waiting
            with traffic.silent():
                began, ticks, tries = time.monotonic(), cpu_ticks(agent.pid), refused(agent)
                time.sleep(2)
                passed = time.monotonic() - began
                ticks, tries = cpu_ticks(agent.pid) - ticks, refused(agent) - tries
            share = ticks / os.sysconf("SC_CLK_TCK") / passed
            print(f"    {tries / passed:.0f} tries a second and {share:.1%} of a CPU while accept fails")
            # 2 data threads and the operator's port, each at most 20 times a second however fast the machine is; a spin
            # makes thousands, and takes a CPU
            check(0 < tries / passed < 100 and share < 0.5, "it spins while it cannot accept")
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (hard, hard))
            newcomers.goes_on(200, "answers to those who waited")
        traffic.goes_on(100, "answers after that")
        newcomers.stop()
        newcomers.windows = traffic.windows
        newcomers.verify()
        traffic.stop()
        traffic.verify()
        metrics = agent.settled(requests=len(traffic.sent) + len(newcomers.sent))
        equal(metrics.sum("sidelight_panics_total"), 0, "panics")
        traffic.memory_is_back(memory)


@case
def without_file_descriptors_for_the_model_server_requests_are_told_so():
    config = {"proxy": {**CONFIG["proxy"], "upstream_idle": "0s"}}
    with Ledger() as ledger, ledger.server() as upstream, Agent(upstream=upstream.port, config=config) as agent:
        traffic = Traffic(agent, ledger, threads=4)
        memory = t.warm(traffic)
        with traffic.window("503 no_resources"):
            # at least the four clients and what is open anyway
            hard = set_files(agent.pid, 1)
            traffic.goes_on(100, "503s", "503 no_resources")
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (hard, hard))
        traffic.goes_on(200, "answers with descriptors again")
        metrics = traffic.end(memory=memory)
        equal(metrics.by("sidelight_request_failures_total", "fault"),
              {"sidelight": traffic.outcomes()["503 no_resources"]}, "failures by fault")


# -- disk -----------------------------------------------------------------------------------------

def mount(*arguments):
    if not IS_ALONE:
        raise Skipped("only root gets mounts of its own")
    done = subprocess.run(["mount", *arguments], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"mount {' '.join(arguments)}: {done.stderr.strip()}")


@contextlib.contextmanager
def small_disk():
    """A folder on a file system of 256 KiB."""
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", folder)
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(file):
    with open(file, "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(4096)):
            pass


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def state_config(folder):
    return {**CONFIG, "state": {"dir": str(folder / "state")}, "drift": {"window": 20}}


def refused_and_kept(agent, folder, old):
    """A baseline that cannot be written: said so, and the one before is in use and on the disk."""
    answer = agent.ask("POST", "/drift/baseline", [i / 5000 for i in range(5000)])
    equal((answer.status, answer.json()["error"]), (507, "not_saved"), "a baseline that cannot be written")
    equal({name: text for name, text in contents(folder).items() if name.name != "filler"}, old, "files in state.dir")
    close(agent.ask("GET", "/drift").json()["baseline_mean"], 0.625, "mean of the baseline in use")


@case
def a_full_disk_costs_a_new_baseline_and_neither_the_old_one_nor_a_request():
    with small_disk() as folder, Ledger() as ledger, ledger.server() as upstream:
        (folder / "state").mkdir()
        with Agent(upstream=upstream.port, config=state_config(folder)) as agent:
            traffic = Traffic(agent, ledger, threads=3)
            memory = t.warm(traffic)
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of the first baseline")
            old = contents(folder)
            check(old, "nothing was written to state.dir")
            fill(folder / "filler")
            refused_and_kept(agent, folder, old)
            traffic.goes_on(100, "answers with a full disk")
            (folder / "filler").unlink()
            equal(agent.ask("POST", "/drift/baseline", [0.25, 0.5] * 20).status, 200, "status with room again")
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of the first, again")
            old = contents(folder)
            fill(folder / "filler")
            refused_and_kept(agent, folder, old)
            traffic.end(memory=memory)
            agent.child.kill()
            agent.wait()
        # a start on a full disk finds what was saved
        with Agent(upstream=upstream.port, config=state_config(folder)) as agent:
            traffic = Traffic(agent, ledger, threads=2)
            traffic.goes_on(40, "answers after a start on a full disk")
            refused_and_kept(agent, folder, old)
            traffic.end()


@case
def a_state_folder_that_becomes_read_only_costs_changes_only():
    with small_disk() as folder, Ledger() as ledger, ledger.server() as upstream:
        (folder / "state").mkdir()
        with Agent(upstream=upstream.port, config=state_config(folder)) as agent:
            traffic = Traffic(agent, ledger, threads=3)
            memory = t.warm(traffic)
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of the first baseline")
            old = contents(folder)
            # the lock file is open for writing, so the mount itself cannot change; a bind on top of it can
            mount("--bind", str(folder / "state"), str(folder / "state"))
            mount("-o", "remount,bind,ro", str(folder / "state"))
            refused_and_kept(agent, folder, old)
            equal(agent.ask("DELETE", "/drift/baseline").status, 507, "taking a baseline away that stays on the disk")
            refused_and_kept(agent, folder, old)
            traffic.goes_on(100, "answers with a read-only state folder")
            traffic.end(memory=memory)
        # a start with a folder that cannot be written, such as a mounted one: its baselines are used
        with Agent(upstream=upstream.port, config=state_config(folder)) as agent:
            traffic = Traffic(agent, ledger, threads=2)
            traffic.goes_on(40, "answers after a start with a read-only folder")
            refused_and_kept(agent, folder, old)
            traffic.end()
            agent.wait_event(message="state folder cannot be written: baselines are read from it only")
        subprocess.run(["umount", str(folder / "state")], check=True)


@case
def a_log_on_a_full_disk_loses_lines_that_are_counted_and_the_next_ones_are_whole():
    with small_disk() as folder, Ledger() as ledger, ledger.server() as upstream:
        fill(folder / "filler")
        os.truncate(folder / "filler", 128 << 10)
        with open(folder / "log", "ab") as log:
            with Agent(upstream=upstream.port, config=CONFIG, stdout=log) as agent:
                traffic = Traffic(agent, ledger, threads=3)

                def dropped():
                    return agent.metrics().sum("sidelight_log_lines_total", outcome="dropped")
                wait_until(lambda: dropped() >= 100, "lines to be dropped")
                memory = h.resident_bytes(agent.pid)
                traffic.goes_on(100, "answers with a log on a full disk")
                kept = (folder / "log").stat().st_size
                (folder / "filler").unlink()
                wait_until(lambda: (folder / "log").stat().st_size > kept + 8192, "lines with room again")
                traffic.end(memory=memory)
                metrics = agent.metrics()
                agent.signal(signal.SIGTERM)
                equal(agent.wait(), 0, "exit status")
        lines = (folder / "log").read_text().split("\n")[:-1]
        broken = [line for line in lines if not is_json(line)]
        # what was begun when the disk was full, be it one byte, cannot be ended any more, but nothing is glued to it
        check(len(broken) <= 1 and all(line.count('{"timestamp"') <= 1 for line in broken),
              f"{len(broken)} broken lines: {[line[:60] + ' ... ' + line[-60:] for line in broken]}")
        check(len(lines) - len(broken) >= metrics.sum("sidelight_log_lines_total", outcome="written") > 0,
              f"{len(lines)} lines, counted {metrics.by('sidelight_log_lines_total', 'outcome')}")


def log_file_lines(folder):
    """The lines of the log file and of the older ones, each of which ends."""
    lines = []
    for file in folder.glob("log*"):
        text = file.read_text()
        check(text == "" or text.endswith("\n"), f"{file.name} ends in half a line: {text[-80:]!r}")
        lines += text.splitlines()
    broken = [line[:100] for line in lines if not is_json(line)]
    check(not broken, f"{len(broken)} broken lines: {broken[:3]}")
    return lines


def file_lines(agent, outcome):
    return agent.metrics().sum("sidelight_log_file_lines_total", outcome=outcome)


def said(agent, message):
    return [event for event in agent.events() if event["message"] == message]


@case
def a_log_file_on_a_full_disk_loses_lines_that_are_counted_and_told_once_and_every_line_is_whole():
    with small_disk() as folder, Ledger() as ledger, ledger.server() as upstream:
        fill(folder / "filler")
        os.truncate(folder / "filler", 128 << 10)
        config = {**CONFIG, "log": {"file": {"path": str(folder / "log"), "max_size": "16KiB", "keep": 100}}}
        with Agent(upstream=upstream.port, config=config) as agent:
            traffic = Traffic(agent, ledger, threads=3)
            wait_until(lambda: file_lines(agent, "failed") >= 100, "lines to fail")
            memory = h.resident_bytes(agent.pid)
            traffic.goes_on(100, "answers with a log file on a full disk")
            before = file_lines(agent, "written")
            (folder / "filler").unlink()
            wait_until(lambda: file_lines(agent, "written") >= before + 100, "lines with room again")
            traffic.end(memory=memory)
            agent.wait_event(message="log file is written again")
            times = len(said(agent, "log file is not written: its lines are lost"))
            check(1 <= times <= 3, f"told {times} times")
            metrics = agent.metrics()
            agent.signal(signal.SIGTERM)
            equal(agent.wait(), 0, "exit status")
        lines = log_file_lines(folder)
        by = metrics.by("sidelight_log_file_lines_total", "outcome")
        check(len(lines) >= by["written"] >= 100, f"{len(lines)} lines, counted {by}")
        check(metrics.sum("sidelight_log_file_rotations_total") >= 3, "rotations")
        check(all(file.stat().st_size <= 16 << 10 for file in folder.glob("log*")), "the size of a file")
        equal(metrics.sum("sidelight_log_lines_total", outcome="dropped"), 0, "lines that stdout lost")


@case
def a_log_file_is_changed_moved_and_taken_away_while_requests_pass_and_no_line_is_lost_in_silence():
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as name, Ledger() as ledger, ledger.server() as upstream:
        folder = pathlib.Path(name, "logs")
        folder.mkdir()

        def config(path, size):
            return {**CONFIG, "log": {"file": {"path": str(path), "max_size": size, "keep": 1000}}}

        with Agent(upstream=upstream.port, config=config(folder / "log", "64KiB")) as agent:
            traffic = Traffic(agent, ledger, threads=3)
            traffic.goes_on(100, "answers with a log file")
            # what logrotate does
            (folder / "log").rename(folder / "log-moved")
            wait_until((folder / "log").exists, "a new file in place of the one that was moved")
            # another size, by SIGHUP
            agent.write_config(config(folder / "log", "4KiB"))
            agent.signal(signal.SIGHUP)
            event = agent.wait_event(message="configuration reloaded")
            equal(event["changed"], "log.file.max_size", "changed keys")
            wait_until((folder / "log.5").exists, "files of the new size")
            # no folder any more
            folder.rename(folder.with_name("aside"))
            wait_until(lambda: file_lines(agent, "failed") >= 20, "lines to fail without the folder")
            traffic.goes_on(50, "answers without the folder")
            folder.with_name("aside").rename(folder)
            agent.wait_event(message="log file is written again")
            traffic.goes_on(50, "answers with the folder again")
            traffic.stop()
            traffic.verify()
            agent.settled(requests=len(traffic.sent))
            agent.signal(signal.SIGTERM)
            equal(agent.wait(), 0, "exit status")
            equal(len(said(agent, "log file is not written: its lines are lost")), 1, "times it was told")
            again = said(agent, "log file is written again")
            logged = {line for line in log_file_lines(folder)}
            lost = [line for line in agent.lines if line not in logged]
            check(20 <= again[0]["lines"] <= len(lost), f"{len(lost)} lines are missing, told {again}")
            # those that are missing are what was said while the folder was away
            first = next(i for i, line in enumerate(agent.lines) if line == lost[0])
            last = next(i for i, line in enumerate(agent.lines) if line == lost[-1])
            away = [line for line in agent.lines[first:last + 1] if line in logged]
            check(len(away) <= 10, f"{len(away)} lines in between were written")


def is_json(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


# -- the time of day ------------------------------------------------------------------------------

def faketime():
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
                   "/usr/local/lib"):
        for name in ("libfaketimeMT.so.1", "libfaketime.so.1"):
            library = pathlib.Path(folder, "faketime", name)
            if library.exists():
                return library
    raise Skipped("libfaketime is not installed (Debian: faketime)")


def seconds_off(event):
    """How far the time of a log line is from the real one."""
    at = datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
    return at.timestamp() - time.time()


@case
def a_clock_that_steps_back_and_forth_changes_no_duration_and_stops_nothing():
    library, day = faketime(), 86400
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder, Ledger() as ledger, \
            ledger.server() as upstream:
        offset = pathlib.Path(folder, "offset")

        def step(seconds):
            new = offset.with_suffix(".new")
            new.write_text(f"{seconds:+d}\n")
            new.replace(offset)

        step(0)
        env = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
               "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
        config = {"proxy": {**CONFIG["proxy"], "upstream_idle": "1s"}, "drift": {"window": 20, "check_interval": "1s"},
                  "model": {"probe_interval": "200ms"}}
        with Agent(upstream=upstream.port, config=config, env=env) as agent:
            traffic = Traffic(agent, ledger, threads=4)
            memory = t.warm(traffic)
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of a baseline")
            for seconds in (-day, day, -400 * day, 0):
                step(seconds)
                traffic.goes_on(100, "answers after the step")
                last = wait_until(lambda: next((e for e in reversed(agent.events())
                                                if abs(seconds_off(e) - seconds) < 60), None),
                                  f"log lines {seconds} s off: the clock must have stepped")
                check(last, "no line")
                slow = agent.send("GET", "/predict", headers={"X-Request-ID": f"slow{seconds}", "X-Fault": "slow=300"})
                equal(slow.status, 200, "status of a slow answer")
                line = agent.wait_event(request_id=f"slow{seconds}")
                check(250 < line["duration_ms"] < 30_000, f"a slow answer took {line['duration_ms']} ms")
                # checks of drift go by a timer
                before = agent.ask("GET", "/drift").json()["timestamp"]
                wait_until(lambda: agent.ask("GET", "/drift").json()["timestamp"] != before, "another check of drift")
                equal(agent.ask("GET", "/ready").status, 200, "ready")
            traffic.stop()
            traffic.verify()
            metrics = agent.settled(requests=len(traffic.sent) + 4)
            longest = metrics.sum("ml_api_request_duration_seconds_bucket", le="30")
            equal(metrics.sum("ml_api_request_duration_seconds_count"), longest, "requests that took less than 30 s")
            check(0 < metrics.sum("ml_api_request_duration_seconds_sum") < 30 * len(traffic.sent), "the sum of times")
            traffic.memory_is_back(memory)
            # timers of its own go on: idle connections to the model server are let go
            wait_until(lambda: established(agent.pid, upstream.port) == 0, "idle connections to be closed")
            agent.signal(signal.SIGTERM)
            equal(agent.wait(), 0, "exit status")


def established(pid, port):
    """Connections of `pid` to `port`."""
    lines = pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


if __name__ == "__main__":
    h.main("faults: machine")
