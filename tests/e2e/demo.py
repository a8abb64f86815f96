#!/usr/bin/env python3
"""`sidelight demo`: what it tells is what the agent says, in order, of every fault, for twenty seeds.

Phases are counted in predictions, so the story is the same at any speed. Needs the release binary and Python's
standard library.
"""

import json
import os
import pathlib
import re
import signal
import socket
import tempfile
import time

import harness as h
from harness import BINARY, HOST, Process, case, check, equal, request, wait_until

SEEDS = range(1, 21)
SPEED = 20
FAULTS = ("in inches", "no virginica", "sticks")
ENDS = ("centimetres again", "comes again", "works again")
# What the fault itself changes, whatever else follows from it.
CHANGED = ({"sepal_length", "petal_length"}, {"class"}, {"sepal_width"})
# The story is over in a minute and a half at speed 1.
STORY = 120.0

LINE = re.compile(r"(\d\d):(\d\d) (.*)")
ALARM = re.compile(r"Sidelight: (\w+) drifted, ([\d,]+) predictions? after the change")
CALM = re.compile(r"Sidelight: all is calm again, ([\d,]+) predictions? after the traffic was")
NOTICED = re.compile(r"  (lengths in inches|a missing class|a stuck sensor) +noticed after ([\d,]+) predictions?, ")


def number(text):
    return int(text.replace(",", ""))


class Demo(Process):
    """The demo on ports of its own, its log in a file."""

    def __init__(self, *arguments, port=None, ops=None, chosen=True, **options):
        self.port, self.ops = port or h.free_port(), ops or h.free_port()
        self.log = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-")) / "log"
        command = [BINARY, "demo", *map(str, arguments), "--log", self.log]
        if chosen:
            command += ["--listen", f"{HOST}:{self.port}", "--ops-listen", f"{HOST}:{self.ops}"]
        super().__init__(command, "demo", env=h.clean_environment(), **options)

    def told(self):
        """The lines that have a time, without it."""
        return [match.group(3) for match in map(LINE.match, list(self.lines)) if match]

    def wait_line(self, text, patience=h.PATIENCE):
        def found():
            check(self.is_alive() or any(text in line for line in self.lines), f"it has ended\n{self.tail()}")
            return next((line for line in list(self.lines) if text in line), None)
        return wait_until(found, f"the line {text!r}", patience)

    def events(self, message):
        """What the agent itself says in its log."""
        events = map(json.loads, self.log.read_text().splitlines())
        return [event for event in events if event.get("message") == message]

    def drift(self):
        return request(self.ops, "GET", "/drift").json()


def whole(seeds):
    """Stories from their beginning to their end, at once."""
    demos = [Demo("--once", "--speed", SPEED, "--seed", seed) for seed in seeds]
    try:
        for seed, demo in zip(seeds, demos):
            equal(demo.wait(STORY), 0, f"exit status, seed {seed}\n{demo.tail()}")
    finally:
        for demo in demos:
            demo.stop()
    return demos


def places(told, words):
    return [next((i for i, line in enumerate(told) if word in line), None) for word in words]


def examine(demo, seed):
    """Every fault noticed after it began, in order; calm again before the next; no alarm that is none."""
    told = demo.told()
    said = lambda: f"seed {seed}\n" + "\n".join(demo.lines)
    begins, ends = places(told, FAULTS), places(told, ENDS)
    check(None not in begins + ends and sorted(begins + ends) == [p for two in zip(begins, ends) for p in two], said)
    alarms = [(place, ALARM.match(line)) for place, line in enumerate(told) if " drifted" in line]
    check(all(match for _, match in alarms), said)
    calms = [place for place, line in enumerate(told) if CALM.match(line)]
    equal(len(calms), len(FAULTS), f"times that all is calm again\n{said()}")
    for fault, (begin, end, calm) in enumerate(zip(begins, ends, calms)):
        following = begins[fault + 1] if fault + 1 < len(begins) else len(told)
        check(begin < end < calm < following, said)
        own = [match for place, match in alarms if begin < place < following]
        check(CHANGED[fault] <= {match.group(1) for match in own}, said)
        check(0 < number(own[0].group(2)) <= 160, said)
    check(not [place for place, _ in alarms if place < begins[0]], said)
    # what is told at the end is what was told when it happened
    summed_up = [match.groups() for match in map(NOTICED.match, demo.lines) if match]
    equal(len(summed_up), len(FAULTS), f"faults in the summary\n{said()}")
    for (_, after), begin in zip(summed_up, begins):
        first = next(match for place, match in alarms if place > begin)
        equal(after, first.group(2), f"predictions in the summary\n{said()}")
    check(any(line.startswith("False alarms: none in ") for line in demo.lines), said)
    check(not any("not answered" in line for line in demo.lines), said)


def examine_log(demo, seed):
    """Every line of an alarm is one that the agent logged, in that order, and there is no other."""
    logged = [event["series"] for event in demo.events("Drift detected!")]
    told = [match.group(1) for match in map(ALARM.match, demo.told()) if match]
    equal(told, logged, f"series in the log, seed {seed}")
    captured, = demo.events("Baseline captured")
    check(any(f"the first {captured['rows']:,} predictions are the baseline" in line for line in demo.told()),
          lambda: demo.tail())
    # between its places in the log, by the count of the agent
    counted = [number(match.group(2)) for match in map(ALARM.match, demo.told()) if match]
    began = [event["prediction"] - after for event, after in zip(demo.events("Drift detected!"), counted)]
    equal(began, sorted(began), f"changes that alarms are counted from, seed {seed}")
    equal(len(set(began)), len(FAULTS), f"changes that alarms are counted from, seed {seed}: {began}")


@case
def twenty_stories_are_told_and_in_each_every_fault_is_noticed_in_its_turn_and_nothing_else():
    after = []
    for pair in zip(SEEDS[::2], SEEDS[1::2]):
        for seed, demo in zip(pair, whole(pair)):
            examine(demo, seed)
            examine_log(demo, seed)
            after.append([number(match.group(2)) for match in map(NOTICED.match, demo.lines) if match])
    for name, counts in zip(("inches", "missing class", "stuck sensor"), zip(*after)):
        print(f"    {name}: noticed after {min(counts)} to {max(counts)} predictions")


@case
def what_it_says_of_a_drift_is_what_drift_says():
    with Demo("--scenario", "inches", "--speed", 5) as demo:
        demo.wait_line("petal_length drifted")
        said = demo.drift()
        drifting = set(said["scan"]["drifting"])
        check("petal_length" in drifting and said["drift_detected"], lambda: said)
        wait_until(lambda: set(demo.drift()["scan"]["drifting"]) <= {
            match.group(1) for match in map(ALARM.match, demo.told()) if match}, "every series that drifts to be told")
        demo.wait_line("all is calm again")
        equal(demo.drift()["scan"]["drifting"], [], "what drifts when all is calm")
        # after the summary it goes on, calm
        demo.wait_line("False alarms: none")
        before = demo.drift()["series"][0]["predictions"]
        wait_until(lambda: demo.drift()["series"][0]["predictions"] > before + 100, "further traffic")
        equal(demo.drift()["scan"]["drifting"], [], "what drifts in normal traffic")


@case
def where_nothing_happens_nothing_is_noticed_and_the_summary_says_so():
    with Demo("--scenario", "none", "--once", "--speed", SPEED) as demo:
        equal(demo.wait(STORY), 0, "exit status")
        check(not any("drifted" in line for line in demo.lines), lambda: demo.tail())
        check(any(line.startswith("False alarms: none in 1,") for line in demo.lines), lambda: demo.tail())
        equal(demo.events("Drift detected!"), [], "alarms in the log")


@case
def without_a_terminal_there_are_no_escapes_and_every_line_leaves_at_once():
    with Demo("--scenario", "none", "--speed", SPEED) as demo:
        # long before it ends
        demo.wait_line("are the baseline from now on")
        demo.wait_line("goes on with normal traffic")
        check(demo.is_alive(), "it has ended")
        check(not any("\x1b" in line or "\r" in line for line in demo.lines), lambda: repr(demo.lines))
        page = next(line for line in demo.lines if "live page" in line)
        check(page.endswith(f"http://localhost:{demo.ops}/"), lambda: page)
        equal(request(demo.ops, "GET", "/").status, 200, "status of the page")


@case
def sigterm_ctrl_c_and_a_closed_terminal_end_all_of_it_at_any_time():
    judged = "False alarms: none"
    for number_of, text, last in ((signal.SIGTERM, "a second", "Nothing was judged yet"),
                                  (signal.SIGINT, "in inches", judged), (signal.SIGHUP, "in inches", judged),
                                  (signal.SIGTERM, "goes on with normal traffic", judged)):
        with Demo("--scenario", "inches", "--speed", SPEED) as demo:
            demo.wait_line(text)
            started = h.children(demo.pid)
            equal(len(started), 1, "children")
            demo.signal(number_of)
            equal(demo.wait(20), 0, f"exit status\n{demo.tail()}")
            wait_until(lambda: not any(map(h.runs, started)), "no process to be left")
            check(any(line.startswith(last) for line in demo.lines), lambda: demo.tail())
            equal([line for line in demo.errors if line], [], "stderr")
            # it left in order: nothing was cut off
            check(demo.events("left") and not demo.events("requests cut off"), lambda: demo.log.read_text()[-2000:])


@case
def when_nobody_reads_any_more_it_ends():
    with Demo("--speed", SPEED, stdout="closed") as demo:
        equal(demo.wait(30), 0, "exit status")
        wait_until(lambda: not h.children(demo.pid), "no process to be left")


@case
def a_reader_that_goes_ends_it_also_while_nothing_is_told():
    for opened in (os.pipe, os.openpty):
        reader, writer = opened()
        with open(writer, "wb") as out:
            demo = Demo("--scenario", "none", "--speed", SPEED, stdout=out)
        with demo:
            said = b""
            while b"goes on with normal traffic" not in said:
                said += os.read(reader, 4096)
            started = h.children(demo.pid)
            os.close(reader)
            equal(demo.wait(30), 0, f"exit status, {opened.__name__}")
            wait_until(lambda: not any(map(h.runs, started)), "no process to be left")


@case
def a_port_that_is_taken_is_named_with_the_way_to_choose_another():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options, flag in (({"port": port}, "--listen"), ({"ops": port}, "--ops-listen")):
            with Demo("--once", **options) as demo:
                equal(demo.wait(), 1, "exit status")
                said = "\n".join(demo.errors)
                check(f"cannot listen on {HOST}:{port}" in said and f"{flag} ADDR" in said, lambda: said)
                equal(h.children(demo.pid), [], "children")


@case
def where_nobody_says_which_ports_free_ones_are_found_and_told():
    holders = []
    try:
        for port in (8080, 9464):
            holder = socket.socket()
            holders.append(holder)
            try:
                holder.bind((HOST, port))
                holder.listen()
            except OSError:
                # somebody else has it, which is as good
                pass
        with Demo("--scenario", "none", "--speed", SPEED, chosen=False) as demo:
            page = demo.wait_line("live page")
            ops = int(re.search(r"localhost:(\d+)/", page).group(1))
            check(ops != 9464, page)
            for port in (8080, 9464):
                check(f"port {port} is taken" in demo.wait_line(f"port {port} is taken"), "which one is taken")
            demo.wait_line("are the baseline from now on")
            equal(request(ops, "GET", "/live").status, 200, "status of the port that was found")
    finally:
        for holder in holders:
            holder.close()


@case
def the_same_seed_sends_the_same_rows_and_another_one_others():
    def rows(seed):
        with Demo("--scenario", "none", "--speed", SPEED, "--seed", seed) as demo:
            demo.wait_line("are the baseline from now on")
        lines = [json.loads(line) for line in demo.log.read_text().splitlines()]
        return [line["features"] for line in lines if "features" in line][:900]
    first, again, other = map(rows, (5, 5, 6))
    equal(len(first), 900, "rows")
    check(first == again, "the same seed sends other rows")
    check(first != other, "another seed sends the same rows")
    # the file is sorted by class, and the client is no loop of it
    check(len({json.dumps(row) for row in first}) > 890, "rows come again")
    short = [row["petal_length"] < 2.5 for row in first[:150]]
    check(20 < sum(a != b for a, b in zip(short, short[1:])), "rows are in the order of the file")


@case
def what_configures_another_agent_here_does_not_count():
    began = time.monotonic()
    env = h.clean_environment(SIDELIGHT_LISTEN="256.0.0.1:x", SIDELIGHT_CONFIG="/nowhere",
                              SIDELIGHT_DRIFT__CAPTURE="100")
    command = [BINARY, "demo", "--scenario", "none", "--once", "--speed", SPEED,
               "--listen", f"{HOST}:{h.free_port()}", "--ops-listen", f"{HOST}:{h.free_port()}"]
    with Process(command, "demo", env=env) as demo:
        equal(demo.wait(STORY), 0, f"exit status after {time.monotonic() - began:.0f} s\n{demo.tail()}")
        check(any("the first 900 predictions" in line for line in demo.lines), lambda: demo.tail())


if __name__ == "__main__":
    h.main("demo")
