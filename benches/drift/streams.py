"""Streams of predictions, the same from every run: each has a baseline, and a length of traffic after it.

Only Python's standard library, and of `random` only `random()`, which promises the same numbers in every version.
"""

import bisect
import collections
import csv
import itertools
import math
import random
import statistics

STATIONARY, BEFORE, AFTER = 100_000, 3_000, 20_000
BASELINES = (1_000, 5_000)
STATIONARY_SEEDS, DRIFT_SEEDS, WIDE_SEEDS = 4, 5, 2
WIDTHS = (4, 20, 100)

# `group`: what its figures are added to; `moved`: the columns that drift, after BEFORE rows
Stream = collections.namedtuple("Stream", "name group kind size columns moved make")

inverse = statistics.NormalDist().inv_cdf


def normal(dice):
    """Endless; of mean 0 and sd 1."""
    while True:
        yield inverse(max(dice.random(), 2.0**-54))


def uniform(dice):
    while True:
        yield dice.random()


def beta(dice):
    """Confidences: beta(8, 2) is the second largest of nine uniform numbers."""
    while True:
        yield sorted(dice.random() for _ in range(9))[7]


def shares(*each):
    """Draws 0, 1, .. with these shares."""
    bounds = list(itertools.accumulate(each))

    def draw(dice):
        while True:
            yield min(bisect.bisect(bounds, dice.random()), len(each) - 1)
    return draw


def classes(*each):
    def draw(dice):
        return ("abcdefgh"[place] for place in shares(*each)(dice))
    return draw


def zero_inflated(dice):
    """Six of ten are 0, the others waiting times."""
    while True:
        yield 0.0 if dice.random() < 0.6 else -math.log(1.0 - dice.random())


def autoregressive(phi):
    """Each value remembers the last one; mean 0, sd 1."""
    def draw(dice):
        noise, keep = normal(dice), math.sqrt(1 - phi * phi)
        value = next(noise)
        while True:
            yield value
            value = phi * value + keep * next(noise)
    return draw


def regimes(dice):
    """Two states 1.4 sd of the noise apart; each lasts 50 predictions on average."""
    noise, level = normal(dice), 0.7 if dice.random() < 0.5 else -0.7
    while True:
        level = -level if dice.random() < 0.02 else level
        yield level + next(noise)


def bursts(dice):
    """Clients with levels of their own send 8 predictions in a row on average; sd 1."""
    noise = normal(dice)
    level = next(noise)
    while True:
        level = next(noise) if dice.random() < 0.125 else level
        yield 0.8 * level + 0.6 * next(noise)


IID = {
    "normal": normal,
    "beta": beta,
    "uniform": uniform,
    "categorical": classes(0.4, 0.25, 0.2, 0.1, 0.05),
    "zero-inflated": zero_inflated,
    "discrete": shares(*(math.comb(9, k) * 0.4**k * 0.6 ** (9 - k) for k in range(10))),
}
DEPENDENT = {"AR(0.5)": autoregressive(0.5), "AR(0.9)": autoregressive(0.9), "regimes": regimes, "bursts": bursts}


def shift(size, sources):
    """The mean moves by `size` sd; `sources`: (source, sd and direction), one after the other by seed."""
    def kind(seed):
        source, sd = sources[seed % len(sources)]
        return source, lambda values, _: (value + size * sd for value in values)
    return kind


def same(source, change):
    return lambda seed: (source, change)


def become(other):
    """Values of another source from now on."""
    return lambda _, dice: other(dice)


def scaled(values, _):
    return (1.5 * value for value in values)


def contaminated(share, strange):
    """So many are another value, of `strange(normal)`."""
    def change(values, dice):
        for value in values:
            yield strange(next(values)) if dice.random() < share else value
    return change


def stuck(values, _):
    return itertools.repeat(next(values))


def celsius(dice):
    return (20 + 5 * value for value in normal(dice))


def fahrenheit(values, _):
    return (32 + 1.8 * value for value in values)


def missing(values, dice):
    return (None if dice.random() < 0.05 else value for value in values)


# a normal feature, and a confidence that falls
MEANS = ((normal, 1.0), (beta, -math.sqrt(16 / 1100)))

DRIFTED = {
    "mean +0.25 sd": shift(0.25, MEANS),
    "mean +0.5 sd": shift(0.5, MEANS),
    "mean +1 sd": shift(1.0, MEANS),
    "scale x1.5": same(normal, scaled),
    "10 % contamination": same(normal, contaminated(0.1, lambda value: 3 + value)),
    "label shift": same(IID["categorical"], become(classes(0.3, 0.25, 0.3, 0.1, 0.05))),
    "stuck sensor": same(normal, stuck),
    "unit change": same(celsius, fahrenheit),
    "5 % missing": same(normal, missing),
}
# not among the kinds whose means and medians are promised
FURTHER = {
    "mean +0.1 sd": shift(0.1, MEANS),
    **{f"mean +{size} sd, uniform": shift(size, ((uniform, math.sqrt(1 / 12)),)) for size in (0.25, 0.5, 1)},
    "1 % contamination": same(normal, contaminated(0.01, lambda value: 3 + value)),
    "10 % contamination, wide": same(normal, contaminated(0.1, lambda value: 3 * value)),
    "AR(0.5), mean +0.5 sd": shift(0.5, ((autoregressive(0.5), 1.0),)),
    "AR(0.9), mean +1 sd": shift(1.0, ((autoregressive(0.9), 1.0),)),
}


def steady(source):
    def make(size, dice):
        values = source(dice)
        return [list(itertools.islice(values, size + STATIONARY))]
    return make


def drifting(source, change):
    def make(size, dice):
        values = source(dice)
        return [list(itertools.islice(values, size + BEFORE)) + list(itertools.islice(change(values, dice), AFTER))]
    return make


def wide(width):
    """One of so many features moves by 0.5 sd: the first."""
    steady_, moving = drifting(normal, lambda values, _: values), drifting(*shift(0.5, ((normal, 1.0),))(0))

    def make(size, dice):
        return moving(size, dice) + [column for _ in range(width - 1) for column in steady_(size, dice)]
    return make


def coupled(size, dice):
    """Two features whose correlation turns from 0.8 to -0.8: each alone stays what it was."""
    one, other = normal(dice), normal(dice)
    rows = size + BEFORE + AFTER
    xs = list(itertools.islice(one, rows))
    signs = [1] * (size + BEFORE) + [-1] * AFTER
    return [xs, [0.8 * sign * x + 0.6 * next(other) for x, sign in zip(xs, signs)]]


def all_streams():
    """Descriptions of all; nothing is drawn yet."""
    def stream(group, kind, size, seed, make, columns=("value",), moved=("value",)):
        name = f"{kind}, {size}, {seed}"
        return Stream(name, group, kind, size, columns, moved, make)

    for size in BASELINES:
        for group, kinds in (("iid", IID), ("dependent", DEPENDENT)):
            for (kind, source), seed in itertools.product(kinds.items(), range(STATIONARY_SEEDS)):
                yield stream(group, kind, size, seed, steady(source), moved=())
        for group, kinds in (("drifted", DRIFTED), ("further", FURTHER)):
            for (kind, of), seed in itertools.product(kinds.items(), range(DRIFT_SEEDS)):
                yield stream(group, kind, size, seed, drifting(*of(seed)))
        for width, seed in itertools.product(WIDTHS, range(WIDE_SEEDS)):
            names = tuple(f"f{place}" for place in range(width))
            yield stream("wide", f"1 of {width} features", size, seed, wide(width), names, ("f0",))
        for seed in range(WIDE_SEEDS):
            yield stream("further", "correlation", size, seed, coupled, ("x", "y"), ("x", "y"))


def text(value):
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def write(stream, folder):
    """Its three files in `folder`: the baseline in order, the same shuffled, the traffic."""
    dice = random.Random(f"drift 1, {stream.name}")
    rows = list(zip(*([text(value) for value in column] for column in stream.make(stream.size, dice))))
    baseline = rows[:stream.size]
    mixed = sorted(baseline, key=lambda _: dice.random())
    for name, part in (("baseline", baseline), ("shuffled", mixed), ("stream", rows[stream.size:])):
        with open(folder / f"{name}.csv", "w", encoding="ascii", newline="") as file:
            # an empty line would be no row, so what is missing has quotes
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(stream.columns)
            writer.writerows(part)
