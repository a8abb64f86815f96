#!/usr/bin/env python3
"""The drift detector costs no more instructions than it did: live, on request, and over files.

Needs the release binary, a Rust compiler and valgrind. `benches/watching.rs` watches one series of each kind.
"""

import pathlib
import random
import sys
import tempfile

import counted
import harness as h
from harness import case, equal

ROWS, NUMBERS, WORDS = 100_000, 8, 2


def live():
    """Instructions of each case, of one prediction of one series, by its name."""
    found = {}
    for line, total in counted.calls("watching::counted", [counted.bench("watching")]):
        count, name = line.split("\t")
        found[name] = total / int(count)
    return found


def rows(seed, count):
    """A line of names, and rows of numbers and words."""
    source = random.Random(seed)
    yield ",".join([*(f"number_{i}" for i in range(NUMBERS)), *(f"word_{i}" for i in range(WORDS))]) + "\n"
    for _ in range(count):
        values = [*(f"{source.gauss(0, 1):.6f}" for _ in range(NUMBERS)),
                  *(f"kind {source.randrange(20)}" for _ in range(WORDS))]
        yield ",".join(values) + "\n"


def over_files():
    """Instructions of `sidelight drift` for each value of a long file, above those for a file without rows."""
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        baseline, none, long = (pathlib.Path(folder) / f"{name}.csv" for name in ("baseline", "none", "long"))
        baseline.write_text("".join(rows(1, 5000)))
        none.write_text("".join(rows(2, 0)))
        with long.open("w") as file:
            file.writelines(rows(2, ROWS))
        empty, whole = (sum(counted.callgrind([], [h.BINARY, "drift", baseline, stream], codes=(0, 1))[0])
                        for stream in (none, long))
    return (whole - empty) / (ROWS * (NUMBERS + WORDS))


@case
def a_prediction_costs_a_series_no_more_instructions_than_it_did():
    found = live()
    equal(set(found) | {"file"}, set(counted.TABLE["drift"]) - {"tolerance"}, "cases, and figures accepted")
    counted.judge("drift", found, "prediction and series")


@case
def a_value_of_a_file_costs_no_more_instructions_than_it_did():
    counted.judge("drift", {"file": over_files()}, "row and column")


if __name__ == "__main__":
    if sys.argv[1:] == ["count"]:
        for name, cost in [*live().items(), ("file", over_files())]:
            print(f"{cost:10.1f} {name}")
    else:
        h.main("watching")
