#!/usr/bin/env python3
"""In a container the agent takes what its cgroup gives it, and no more; in a pod it says which.

Needs the release binary and Python's standard library; root, and cgroups of either version that may be written, for
the cases of limits.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile

import harness as h
from harness import Agent, Skipped, case, check, equal, wait_until
from stall import stalled

MIB = 1 << 20
# the agent with its queue of 32 MiB
WHOLE = 128 * MIB
ROW = h.rows()[0]


# -- cgroups --------------------------------------------------------------------------------------

def hierarchies():
    """Where each controller is: its folder, and the version."""
    found = {}
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split(" ")
        folder = pathlib.Path(point)
        if kind == "cgroup":
            for controller in {"memory", "cpu"} & set(options.split(",")):
                found[controller] = (folder, 1)
        elif kind == "cgroup2":
            given = (folder / "cgroup.subtree_control").read_text().split()
            for controller in {"memory", "cpu"} & set(given):
                found.setdefault(controller, (folder, 2))
    return found


class Group:
    """A cgroup of one controller for as long as the block lasts."""

    def __init__(self, controller):
        at = hierarchies().get(controller)
        if at is None:
            raise Skipped(f"no cgroup with {controller}")
        top, self.version = at
        self.folder = top / f"sidelight-e2e-{os.getpid()}-{controller}"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise Skipped(f"cgroups of {controller}: {error}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # the kernel lets go a little after the last process has ended
        def gone():
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            return not self.folder.exists()
        wait_until(gone, f"{self.folder} to be empty")

    def limit_memory(self, size):
        self.write({1: "memory.limit_in_bytes", 2: "memory.max"}[self.version], size)

    def limit_cpu(self, percent):
        if self.version == 2:
            self.write("cpu.max", f"{percent * 1000} 100000")
        else:
            self.write("cpu.cfs_period_us", 100_000)
            self.write("cpu.cfs_quota_us", percent * 1000)

    def write(self, file, value):
        (self.folder / file).write_text(f"{value}\n")

    def prefix(self):
        """Has a command run in it."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self.folder / "cgroup.procs"]


def data_threads(pid):
    names = (task / "comm" for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
    return sum(name.read_text().startswith("data-") for name in names)


def told(agent, key):
    """Warnings of the configuration that begin with a key."""
    details = (event.get("detail", "") for event in agent.events() if event["message"] == "configuration")
    return [detail for detail in details if detail.startswith(f"{key} ")]


def checked(group, **env):
    """What `sidelight check` says in a group."""
    done = subprocess.run([str(part) for part in (*group.prefix(), h.BINARY, "check")], capture_output=True, text=True,
                          env=h.clean_environment(**env), timeout=h.PATIENCE, check=False)
    equal(done.returncode, 0, "exit code of check")
    return done.stdout


# -- processors -----------------------------------------------------------------------------------

@case
def as_many_threads_carry_requests_as_the_quota_has_whole_processors_and_at_least_one():
    processors = len(os.sched_getaffinity(0))
    for percent, whole in ((50, 1), (100, 1), (150, 1), (200, 2), (100_000, 1000)):
        with Group("cpu") as group:
            group.limit_cpu(percent)
            with Agent(prefix=group.prefix()) as agent:
                equal(data_threads(agent.pid), min(whole, processors), f"threads with {percent} % of a processor")
                equal(agent.send("POST", "/predict", ROW).status, 200, "an answer")


# -- memory ---------------------------------------------------------------------------------------

@case
def without_a_limit_the_queue_is_as_it_is_by_default_and_no_series_tells_one():
    with Group("memory") as group, Agent(prefix=group.prefix()) as agent:
        # a group around it may have one
        limits = [value for _, value in agent.metrics().of("sidelight_memory_limit_bytes")]
        check(not limits or limits[0] >= WHOLE, f"a limit of {limits}")
        equal(told(agent, "capture.queue_bytes"), [], "warnings")


@case
def what_may_wait_fits_into_the_memory_of_the_container_and_both_numbers_are_told():
    expected = ("capture.queue_bytes is 16MiB instead of 32MiB: with that the agent may take 128MiB of memory, and its "
                "container may have 96MiB")
    with Group("memory") as group:
        group.limit_memory(96 * MIB)
        said = checked(group)
        check("4096 exchanges and 16MiB wait to be read\n" in said, said)
        check(f"\nwarnings:\n  {expected}\n" in said, said)
        with Agent(prefix=group.prefix()) as agent:
            equal(agent.metrics().one("sidelight_memory_limit_bytes"), 96 * MIB, "limit")
            equal(told(agent, "capture.queue_bytes"), [expected], "warnings")
            equal(agent.wait_event(detail=expected)["level"], "WARNING", "level")
            equal(agent.send("POST", "/predict", ROW).status, 200, "an answer")
            agent.settled(1)


@case
def who_says_how_much_may_wait_is_warned_and_obeyed():
    with Group("memory") as group:
        group.limit_memory(96 * MIB)
        said = checked(group, SIDELIGHT_CAPTURE__QUEUE_BYTES="24MiB")
        check("4096 exchanges and 24MiB wait to be read\n" in said, said)
        check("capture.queue_bytes is 24MiB: with that the agent may take 112MiB of memory, and its container may have "
              "96MiB; left out, it would be 16MiB\n" in said, said)
        said = checked(group, SIDELIGHT_CAPTURE__QUEUE_BYTES="16MiB")
        check("warnings:" not in said, said)


@case
def the_limit_that_injection_sets_is_enough():
    with Group("memory") as group:
        group.limit_memory(WHOLE)
        said = checked(group, SIDELIGHT_CAPTURE__QUEUE_BYTES=str(32 * MIB))
        check("32MiB wait to be read\n" in said and "warnings:" not in said, said)


@case
def a_reload_works_it_out_as_the_start_did_and_anew_in_a_container_that_was_resized():
    with Group("memory") as group:
        group.limit_memory(96 * MIB)
        with Agent(prefix=group.prefix()) as agent:
            agent.signal(signal.SIGHUP)
            agent.wait_event(message="configuration unchanged")
            group.limit_memory(WHOLE)
            agent.signal(signal.SIGHUP)
            waiting = agent.wait_event(message="configuration changes wait for a restart")
            equal(waiting["needs_restart"], "capture.queue_bytes", "what waits for a restart")
            equal(agent.metrics().one("sidelight_memory_limit_bytes"), WHOLE, "limit")


@case
def a_small_container_outlives_an_observer_that_stands_still():
    # some 60 KiB, of which the copy is kept
    batch = h.rows() * 5
    with Group("memory") as group:
        group.limit_memory(48 * MIB)
        with Agent(prefix=group.prefix()) as agent:
            def shed():
                return agent.metrics().sum("sidelight_shed_total", reason="queue_bytes")

            sent = 0
            with stalled(agent, "observe"), h.Client(agent.port) as client:
                while shed() < 10:
                    check(sent < 5000, f"{sent} requests of {len(batch)} rows fit")
                    for _ in range(10):
                        equal(client.request("POST", "/predict/batch", batch).status, 200, "an answer")
                    sent += 10
                waiting = agent.metrics().one("sidelight_queue_bytes")
            print(f"    {waiting / MIB:.1f} MiB waited")
            check(2.9 * MIB < waiting <= 3 * MIB, "a sixteenth of the container")
            agent.settled(sent)


# -- pods -----------------------------------------------------------------------------------------

POD = {"POD_NAME": "iris-7f-x2", "POD_NAMESPACE": "models", "NODE_NAME": "node-1"}
FIELDS = {"pod_name": "iris-7f-x2", "pod_namespace": "models", "node_name": "node-1"}


@case
def an_agent_in_a_pod_says_which_in_every_line_and_once_in_its_metrics():
    with Agent(env=POD) as agent:
        rows = h.rows()
        for place in range(120):
            # of all classes in turn
            equal(agent.send("POST", "/predict", rows[place * 7 % 150]).status, 200, "an answer")
        metrics = agent.settled(120)
        (labels, value), = metrics.of("sidelight_build_info")
        equal({**labels, "version": None}, {**FIELDS, "version": None}, "labels of sidelight_build_info")
        equal(value, 1, "sidelight_build_info")
        naming = [name for name, samples in metrics.samples.items() if any("pod_name" in pairs for pairs, _ in samples)]
        equal(naming, ["sidelight_build_info"], "series that name the pod")
        wait_until(lambda: sum("request_id" in event for event in agent.events()) == 120, "a line for each request")
        for event in agent.events():
            equal({name: event.get(name) for name in FIELDS}, FIELDS, f"fields of {event}")
        check(any("request_id" not in event for event in agent.events()), "no event of the agent itself")
        text = "".join(f"{line}\n" for line in list(agent.lines))
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        log, baseline = pathlib.Path(folder, "log"), pathlib.Path(folder, "baseline")
        log.write_text(text)
        for command in (["baseline", log, "--output", baseline], ["drift", baseline, log]):
            done = subprocess.run([str(part) for part in (h.BINARY, *command)], capture_output=True, text=True,
                                  timeout=h.PATIENCE, check=False)
            equal(done.returncode, 0, f"{command[0]}: {done.stdout}{done.stderr}")
        check("pod_name" not in baseline.read_text() and "petal_width" in baseline.read_text(), "series")


@case
def elsewhere_nothing_is_said_of_pods():
    with Agent(env={"POD_NAME": "", "NODE_NAME": " "}) as agent:
        equal(agent.send("POST", "/predict", ROW).status, 200, "an answer")
        (labels, _), = agent.settled(1).of("sidelight_build_info")
        equal(list(labels), ["version"], "labels of sidelight_build_info")
        agent.wait_event(message="Request completed")
        for event in agent.events():
            equal([name for name in FIELDS if name in event], [], "fields")


if __name__ == "__main__":
    h.main("contained")
