"""From verdicts to figures.

A verdict of a tool on a stream is, for each column, a list of episodes `[first, last]`: the first and the last
prediction (from 1) at which it said drift, `last` is None where it still did at the end. Where a tool begins anew
after each alarm, both are the same.
"""

import math
import statistics
import tomllib

import streams

class Delays:
    """How long after the change a tool saw it, in predictions; infinite where it did not."""

    def __init__(self):
        self.seen, self.standing = [], 0

    def add(self, stream, verdict):
        """An episode that began before the change says nothing about it."""
        episodes = [each for column in stream.moved for each in verdict[column]]
        if any(first <= streams.BEFORE and (last is None or last > streams.BEFORE) for first, last in episodes):
            self.standing += 1
            return
        delays = [first - streams.BEFORE for first, _ in episodes if first > streams.BEFORE]
        self.seen.append(min(delays, default=math.inf))

    def extend(self, other):
        self.seen += other.seen
        self.standing += other.standing

    def found(self):
        return [delay for delay in self.seen if delay != math.inf]

    def median(self):
        return statistics.median(self.seen) if self.seen else math.nan

    def geometric_mean(self):
        """Of those that were seen."""
        return statistics.geometric_mean(self.found()) if self.found() else math.nan

    def capped_mean(self):
        """The same with what was missed as if it were seen at the end of the stream."""
        return statistics.geometric_mean(min(delay, streams.AFTER) for delay in self.seen) if self.seen else math.nan

    def missed(self):
        return self.seen.count(math.inf) / len(self.seen) if self.seen else math.nan


class Figures:
    """Of one tool over all streams."""

    def __init__(self):
        self.false, self.predictions, self.delays = {}, {}, {}
        self.all_delays, self.other_columns = Delays(), {}

    def add(self, stream, verdict):
        if stream.group in ("iid", "dependent"):
            key = (stream.group, stream.kind, stream.size)
            self.false[key] = self.false.get(key, 0) + len(verdict["value"])
            self.predictions[key] = self.predictions.get(key, 0) + streams.STATIONARY
            return
        delays = Delays()
        delays.add(stream, verdict)
        self.delays.setdefault(stream.kind, Delays()).extend(delays)
        if stream.group in ("drifted", "wide"):
            self.all_delays.extend(delays)
        if stream.group == "wide":
            self.other_columns.setdefault(stream.kind, []).append(false_alarms(stream, verdict))

    def rate(self, group, size=None, kind=None):
        """False alarms per prediction."""
        keys = [key for key in self.false if key[0] == group and kind in (None, key[1]) and size in (None, key[2])]
        return sum(self.false[key] for key in keys) / sum(self.predictions[key] for key in keys)


def false_alarms(stream, verdict):
    """Of columns that do not move, and of those that do before they do."""
    still = sum(len(episodes) for column, episodes in verdict.items() if column not in stream.moved)
    return still + sum(first <= streams.BEFORE for column in stream.moved for first, _ in verdict[column])


def bounded(figures):
    """What `bounds.toml` has bounds for, by the names there."""
    rows = {"false alarms per million, iid": 1e6 * figures.rate("iid")}
    rows |= {f"false alarms per 100,000, dependent, baseline of {size:,}": 1e5 * figures.rate("dependent", size)
             for size in streams.BASELINES}
    rows |= {f"false alarms, {kind}": sum(counts) for kind, counts in figures.other_columns.items()}
    rows |= {"delay, geometric mean": figures.all_delays.geometric_mean(), "missed": figures.all_delays.missed()}
    return rows | {f"delay, {kind}, median": of.median() for kind, of in figures.delays.items()}


class Bounds:
    """Of `bounds.toml`."""

    def __init__(self, path):
        text = tomllib.loads(path.read_text(encoding="utf-8"))
        self.promised, self.accepted = text["promised"], text["accepted"]

    def judge(self, mode, figures):
        """Lines (whether it fails, words), one for each promise."""
        found = bounded(figures)
        for what, promised in self.promised.items():
            figure, accepted = found[what], self.accepted.get(mode, {}).get(what, promised)
            said = f"{mode:8} {what}: {figure:.4g}, promised {promised:g}"
            if figure > max(promised, accepted):
                yield True, f"WORSE  {said}" + (f", accepted {accepted:g}" if accepted > promised else "")
            elif figure > promised:
                lower = f"; accepted can be {figure:g}" if figure < accepted else ""
                yield False, f"above  {said}, accepted {accepted:g}{lower}"
            else:
                yield False, f"ok     {said}"
