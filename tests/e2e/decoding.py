#!/usr/bin/env python3
"""Decoding costs no more instructions a byte than it may, whatever a body is made of.

Needs a Rust compiler and valgrind. `benches/hostile.rs` reads each of some 6,000 exchanges once; callgrind counts
what happens in its function `decoded` alone and writes a part for each call.
`decoding.py count [PART]` prints the cost of each case whose name has PART in it, the dearest first.
"""

import collections
import sys

import counted
import harness as h
from harness import Failed, case

# of one body: short ones are dearest a byte, and callgrind is done in a minute or two
BYTES = 2 << 10


def count(part=""):
    """Instructions a byte of each case, by its name."""
    costs = {}
    for line, total in counted.calls("hostile::decoded", [counted.bench("hostile"), BYTES, part]):
        length, name = line.split("\t")
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
