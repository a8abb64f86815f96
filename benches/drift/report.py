"""Figures of all tools as Markdown."""

import math

import streams


def is_costed(stream):
    """Cost is taken where every tool does the same work each time."""
    return (stream.group, stream.kind) == ("iid", "normal") and stream.name.endswith(", 0")


class Cost:
    """CPU seconds per prediction of one tool."""

    def __init__(self):
        self.seconds, self.predictions = 0.0, 0

    def add(self, stream, seconds):
        if is_costed(stream) and seconds is not None:
            self.seconds += seconds
            self.predictions += streams.STATIONARY

    def each(self):
        return self.seconds / self.predictions if self.predictions else math.nan


def number(value):
    """Three digits, and commas."""
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "missed"
    return f"{float(f'{value:.3g}'):,.{0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2}f}"


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(map(str, row))} |" for row in rows])


def markdown(found, costs):
    """`found`: figures by tool, `costs`: their `Cost`."""
    return "\n\n".join([summary(found, costs), delays(found), wide(found), false_by_kind(found)])


def summary(found, costs):
    base = costs["sidelight, ordered"].each() if "sidelight, ordered" in costs else math.nan

    def row(tool):
        of, all_ = found[tool], found[tool].all_delays
        dependent = (number(1e5 * of.rate("dependent", size)) for size in streams.BASELINES)
        return [tool, number(1e6 * of.rate("iid")), *dependent,
                number(all_.geometric_mean()), number(all_.capped_mean()), f"{100 * all_.missed():.0f} %",
                all_.standing, number(costs[tool].each() / base)]
    head = ["tool", "iid, per million", *(f"dependent, per 100,000, baseline {size:,}" for size in streams.BASELINES),
            "delay", "with the missed", "missed", "in alarm before", "CPU"]
    return table(head, map(row, found))


def delays(found):
    """Medians, and how many of the streams were missed."""
    def cell(of):
        missed = of.seen.count(math.inf)
        return number(of.median()) + (f" ({missed} of {len(of.seen)} missed)" if missed else "")
    kinds = next(iter(found.values())).delays
    return table(["median delay", *found],
                 ([kind, *(cell(of.delays[kind]) for of in found.values())] for kind in kinds))


def wide(found):
    """False alarms of streams with many features, all of them together."""
    kinds = next(iter(found.values())).other_columns
    return table(["false alarms", *found],
                 ([kind, *(f"{sum(of.other_columns[kind]):,}" for of in found.values())] for kind in kinds))


def false_by_kind(found):
    first = next(iter(found.values()))
    kinds = dict.fromkeys(key[:2] for key in first.false)
    return table(["false alarms per million", *found],
                 ([kind, *(number(1e6 * of.rate(group, kind=kind)) for of in found.values())] for group, kind in kinds))
