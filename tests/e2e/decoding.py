#!/usr/bin/env python3
"""Decoding costs no more instructions a byte than it may, whatever a body is made of.

Needs a Rust compiler and valgrind. `benches/hostile.rs` reads each of some 6,000 exchanges once; callgrind counts
what happens in its function `decoded` alone and writes a part for each call.
`decoding.py count [PART]` prints the cost of each case whose name has PART in it, the dearest first.
"""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import counted
import harness as h
from harness import Failed, case, check

# of one body: short ones are dearest a byte, and callgrind is done in a minute or two
BYTES = 2 << 10


def build():
    """The bench as it would be released."""
    command = ["cargo", "build", "--locked", "--quiet", "--release", "--bench", "hostile", "--message-format=json"]
    done = subprocess.run(command, cwd=h.ROOT, capture_output=True, text=True, check=False)
    check(done.returncode == 0, lambda: done.stdout + done.stderr)
    said = (json.loads(line) for line in done.stdout.splitlines())
    return next(one["executable"] for one in said if one.get("target", {}).get("name") == "hostile")


def count(part=""):
    """Instructions a byte of each case, by its name."""
    check(shutil.which("valgrind"), "no valgrind: apt-get install valgrind")
    costs = {}
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        out = pathlib.Path(folder) / "callgrind"
        command = ["valgrind", "--quiet", "--tool=callgrind", "--toggle-collect=hostile::decoded",
                   "--dump-after=hostile::decoded", f"--callgrind-out-file={out}", build(), str(BYTES), part]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        check(done.returncode == 0, lambda: done.stdout + done.stderr)
        for number, line in enumerate(done.stdout.splitlines(), 1):
            length, name = line.split("\t")
            dump = pathlib.Path(f"{out}.{number}").read_text()
            total = int(re.search(r"^totals: (\d+)", dump, re.MULTILINE).group(1))
            costs[name] = total / int(length)
    return costs


def worst(costs):
    """The dearest case of each place, which stands before the colon of its name."""
    places = collections.defaultdict(lambda: (0, ""))
    for name, cost in costs.items():
        place, value = name.split(": ", 1)
        places[place] = max(places[place], (cost, value))
    return places


@case
def no_body_costs_more_instructions_a_byte_than_it_may():
    limits = counted.TABLE["decoding"]
    tolerance = limits["tolerance"]
    dear = []
    for place, (cost, value) in sorted(worst(count()).items(), key=lambda item: -item[1][0]):
        accepted = limits.get(place, limits["a_byte"])
        print(f"    {place}: {cost:.1f} a byte, of {value}; accepted {accepted}")
        if cost > accepted * (1 + (tolerance if place in limits else 0)):
            dear.append(f"{place}: {cost:.1f} is above {accepted}")
        elif place in limits and cost < accepted * (1 - tolerance):
            print(f"    better: lower \"{place}\" of [decoding] in tests/e2e/counts.toml to {cost:.0f}")
    if dear:
        raise Failed("; ".join(dear))


if __name__ == "__main__":
    if sys.argv[1:2] == ["count"]:
        for name, cost in sorted(count(*sys.argv[2:3]).items(), key=lambda item: -item[1]):
            print(f"{cost:8.1f} {name}")
    else:
        h.main("decoding")
