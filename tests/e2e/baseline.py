#!/usr/bin/env python3
"""`sidelight baseline`: from a file of any length in bounded memory, and from the agent's log back to the agent.

Needs the release binary and Python's standard library.
"""

import json
import pathlib
import random
import subprocess
import tempfile

import harness as h
import peak
from harness import Agent, case, check, equal
from peak import MIB, MOST

COLUMNS = 100
# what may come with four times as much to read, once a sample of all is kept
FEW = 3 * MIB


def run(*arguments, text=""):
    return subprocess.run([h.BINARY, *map(str, arguments)], input=text, capture_output=True, text=True,
                          env=h.clean_environment(), timeout=h.PATIENCE * 5)


def header():
    return ",".join(f"column_{i}" for i in range(COLUMNS)).encode() + b"\n"


@case
def a_long_file_of_a_hundred_columns_of_numbers_needs_no_more_than_200_mib():
    def chunks():
        yield header()
        source = random.Random(1)
        rows = [",".join(f"{source.gauss(0, 1):.4f}" for _ in range(COLUMNS)) + "\n" for _ in range(2000)]
        block = "".join(rows).encode()
        for _ in range(65):
            yield block
    most, text = peak.of(["-"], chunks())
    check("130000 rows" in text, text)
    check(most <= MOST, f"{most / MIB:.0f} MiB")


@case
def a_long_file_of_a_hundred_columns_of_words_that_are_all_different_needs_no_more_than_200_mib():
    def chunks():
        yield header()
        template = ",".join(f"customer @ of {i}" for i in range(COLUMNS)) + "\n"
        for row in range(110_000):
            yield template.replace("@", str(row)).encode()
    most, text = peak.of(["-"], chunks())
    check("categorical" in text, text)
    check(most <= MOST, f"{most / MIB:.0f} MiB")


@case
def five_times_as_long_a_file_needs_no_more_memory():
    for rows in (peak.csv_rows(10), peak.json_rows(4)):
        found = []
        for size in (10_000_000, 50_000_000):
            with peak.file_of(rows, size) as (file, count):
                check(count > 100_000, f"{count} rows, and of more than 100,000 a sample is kept")
                most, text = peak.of([file])
            check(f"{count} rows" in text, text)
            found.append(most)
        short, long = found
        check(long <= short + FEW, f"{short / MIB:.1f} MiB of the short one, {long / MIB:.1f} of the long one")


@case
def the_log_of_an_agent_is_a_baseline_that_the_next_one_uses():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
    log, file = folder / "log.jsonl", folder / "baseline.json"
    with Agent() as agent:
        rows = h.rows()
        for row in rows:
            equal(agent.send("POST", "/predict", json.dumps(row)).status, 200, "status")
        agent.settled(len(rows))
        h.wait_until(lambda: sum("prediction" in e for e in agent.events()) == len(rows), "the lines")
        log.write_text("".join(json.dumps(event) + "\n" for event in agent.events()))
    built = run("baseline", log, "--output", file)
    equal(built.returncode, 0, f"exit code, {built.stderr}")
    same = run("drift", file, log, "--json")
    equal(same.returncode, 0, f"the log against itself, {same.stderr}")
    equal(json.loads(same.stdout)["series"], 6, "series in use")
    config = {"drift": {"baseline_files": [str(file)]}}
    with Agent(config=config) as agent:
        (entry,) = agent.ask("GET", "/drift/baselines").json()["baselines"]
        equal((entry["model"], entry["origin"], entry["rows"], entry["configured"]),
              ("default", "file", len(rows), True), "the baseline")
        equal([series["series"] for series in entry["series"]], ["confidence", "class", *h.FEATURES], "its series")
        check(all(series["tau"] is not None for series in entry["series"]), f"without tau: {entry}")
        equal(agent.ask("GET", "/drift/baseline?model=default").body, file.read_bytes(), "the file again")
        equal(agent.ask("DELETE", "/drift/baseline?model=default").status, 409, "taken away")
        whole = file.read_bytes()
        file.write_bytes(whole[:-9])
        equal(agent.ask("POST", "/admin/reload").status, 200, "reload")
        agent.wait_event(message="baseline file refused", key="drift.baseline_files[0]")
        equal(len(agent.ask("GET", "/drift/baselines").json()["baselines"]), 1, "what was read before")
        checked = run("check", agent.config_file)
        equal(checked.returncode, 0, "exit code of check")
        check("drift.baseline_files[0] " in checked.stdout and "checksum" in checked.stdout, checked.stdout)
        agent.write_config({})
        h.wait_until(lambda: agent.ask("GET", "/drift/baselines").json()["baselines"] == [], "it to be gone")
    with Agent(config=config) as agent:
        agent.wait_event(message="baseline file refused", key="drift.baseline_files[0]")
        equal(agent.ask("GET", "/drift/baselines").json()["baselines"], [], "baselines")
        file.write_bytes(whole)
        equal(agent.ask("POST", "/admin/reload").json()["changed"], ["drift.baseline_files"], "what changed")
        equal(len(agent.ask("GET", "/drift/baselines").json()["baselines"]), 1, "baselines")


@case
def what_is_wrong_has_its_exit_code_and_leaves_the_output_as_it_was():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
    output = folder / "out.json"
    output.write_text("as it was")
    for code, expected, text, arguments in (
            (64, "Usage", "", ["baseline"]),
            (64, "--limit", "", ["baseline", "-", "--limit", "0"]),
            (2, "cannot read /nowhere", "", ["baseline", "/nowhere", "--output", output]),
            (2, "-, line 3: expected 2 fields", "a,b\n1,2\n3\n", ["baseline", "-", "--output", output]),
            (2, "another file than --output", "", ["baseline", output, "--output", output]),
            (2, "cannot write /nowhere/a", "a\n1\n", ["baseline", "-", "--output", "/nowhere/a"])):
        done = run(*arguments, text=text)
        equal(done.returncode, code, f"exit code of {arguments}, {done.stderr}")
        check(expected in done.stderr, done.stderr)
    equal([p.name for p in folder.iterdir()], ["out.json"], "files")
    equal(output.read_text(), "as it was", "the output")
    done = run("baseline", "-", "--model", "m", "--version", "2", "--ordered", text="class,x\na,1\nb,2\n")
    equal(done.returncode, 0, f"exit code, {done.stderr}")
    first, second = map(json.loads, done.stdout.splitlines())
    equal((first["sidelight_baseline"], second["model"], second["version"]), (2, "m", "2"), "whose it is")


if __name__ == "__main__":
    h.main("baseline")
