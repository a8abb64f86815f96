#!/usr/bin/env python3
"""Other tools over streams that are there as files: `tools.py TOOL FOLDER`, in the tool's own environment.

Prints a line of JSON for each folder: the verdict as in `figures.py`, and the CPU seconds that the tool itself used,
null where that was not taken. Whatever a tool leaves open (how much at once, how often) is said at its class.
"""

import json
import os
import pathlib
import sys
import time
import warnings

# one thread, so that CPU time says what it costs; and NannyML and Evidently report their use to nobody
os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
                  NML_DISABLE_USAGE_LOGGING="1", DO_NOT_TRACK="1", ITERATIVE_DO_NOT_TRACK="1",
                  HF_HUB_OFFLINE="1")
warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd

# predictions that tools with no size of their own look at together: the course page's window
BATCH = 1_000
# calls of which the cost is taken, where the verdicts come in a shorter way
SAMPLE = 20


def episodes(checks):
    """Of (prediction, whether it said drift) in order."""
    found, before, was_drift = [], None, False
    for prediction, is_drift in checks:
        if is_drift and not was_drift:
            found.append([prediction, None])
        elif was_drift and not is_drift:
            found[-1][1] = before
        before, was_drift = prediction, is_drift
    return found


def batches(rows, size=BATCH):
    """(number of the last prediction, rows) of each whole batch."""
    return [(end, rows.iloc[end - size:end]) for end in range(size, len(rows) + 1, size)]


def is_words(column):
    return not pd.api.types.is_numeric_dtype(column)


def numbers(baseline, rows):
    """Both as numbers: of words, their places in the alphabet."""
    if not is_words(baseline):
        return baseline.to_numpy(float), rows.to_numpy(float)
    order = sorted(baseline.dropna().unique())
    return tuple(pd.Categorical(part, order).codes.astype(float) for part in (baseline, rows))


class CoursePage:
    """`scipy.stats.ks_2samp` of the last 1,000 predictions against the baseline, p < 0.05, from 500 on.

    The page leaves open how often somebody asks. p depends on the statistic and the sizes alone, so scipy is asked
    once for each value of it, with the very samples, and must find the same statistic.
    """

    LEAST, LEVEL, EVERY = BATCH // 2, 0.05, (10, 100, 1_000)

    def __init__(self):
        from scipy.stats import ks_2samp
        self.test, self.known = ks_2samp, {}

    def judge(self, baseline, rows):
        checks = {name: self.column(*numbers(baseline[name], rows[name])) for name in rows}
        for every in self.EVERY:
            verdict = {name: episodes((end, is_drift) for end, is_drift in each if end % every == 0)
                       for name, each in checks.items()}
            yield f"course page, every {every:,}", verdict, None

    def column(self, baseline, values):
        """(prediction, verdict) every 10 predictions."""
        grid, counts = np.unique(baseline, return_counts=True)
        # cells: below the first value, at it, between it and the second, ..; the share of the baseline up to each
        known = np.concatenate([[0.0], np.cumsum(counts) / len(baseline)])
        shares = np.empty(2 * len(grid) + 1)
        shares[0::2], shares[1::2] = known, known[1:]
        cells = np.searchsorted(grid, values, "left") + np.searchsorted(grid, values, "right")
        checks = []
        for end in range(self.LEAST, len(values) + 1, min(self.EVERY)):
            window = slice(max(0, end - BATCH), end)
            if np.isnan(values[window]).any():
                # p is NaN, and that is not below anything
                checks.append((end, False))
                continue
            held = end - window.start
            seen = np.cumsum(np.bincount(cells[window], minlength=len(shares)))
            distance = np.abs(seen / held - shares).max()
            checks.append((end, self.is_drift(distance, baseline, values[window])))
        return checks

    def is_drift(self, distance, baseline, window):
        key = len(baseline), len(window), round(distance * len(baseline) * len(window))
        if key not in self.known:
            found = self.test(baseline, window)
            if abs(found.statistic - distance) > 1e-9:
                raise AssertionError(f"scipy's statistic is {found.statistic}, not {distance}")
            self.known[key] = bool(found.pvalue < self.LEVEL)
        return self.known[key]

    def cost(self, baseline, rows):
        """CPU seconds for all rows, by rule."""
        reference, values = numbers(baseline["value"], rows["value"])
        began = time.process_time()
        for number in range(SAMPLE):
            self.test(reference, values[number * BATCH:(number + 1) * BATCH])
        each = (time.process_time() - began) / SAMPLE
        return {f"course page, every {every:,}": each * len(rows) / every for every in self.EVERY}


class Evidently:
    """`DataDriftPreset` with its defaults, of each 1,000 predictions against the baseline: the test and its threshold
    are Evidently's choice by type and length of the baseline. A column has drifted when its own test says so; the
    preset's "dataset drift" needs half of all columns.

    A report takes 0.1 s for one column, most of it for its pictures. So the verdicts come from the test that it would
    choose, and a whole report of the last batch of every stream must say the same.
    """

    def __init__(self):
        from evidently import DataDefinition, Dataset, Report
        from evidently.legacy.calculations.stattests import get_stattest
        from evidently.legacy.core import ColumnType
        from evidently.presets import DataDriftPreset
        self.definition, self.dataset, self.report, self.preset = DataDefinition, Dataset, Report, DataDriftPreset
        self.chosen, self.types = get_stattest, ColumnType

    def judge(self, baseline, rows):
        parts = batches(rows)
        checks = {name: [(end, *self.test(baseline[name], part[name])) for end, part in parts] for name in rows}
        few = list(rows)[:4]
        for name, score in self.whole(baseline[few], parts[-1][1][few]).items():
            if not np.isclose(score, checks[name][-1][2], rtol=1e-9, atol=0, equal_nan=True):
                raise AssertionError(f"a report says {score} of {name}, not {checks[name][-1][2]}")
        yield ("Evidently",
               {name: episodes((end, is_drift) for end, is_drift, _ in each) for name, each in checks.items()}, None)

    def test(self, baseline, column):
        kind = self.types.Categorical if is_words(baseline) else self.types.Numerical
        baseline, column = baseline.dropna(), column.dropna()
        found = self.chosen(baseline, column, kind, None)(baseline, column, kind, None)
        return bool(found.drifted), float(found.drift_score)

    def whole(self, baseline, rows):
        """Scores of a report as a user would have it."""
        words = [name for name in rows if is_words(baseline[name])]
        definition = self.definition(numerical_columns=[name for name in rows if name not in words],
                                     categorical_columns=words)
        data = [self.dataset.from_pandas(part, data_definition=definition) for part in (rows, baseline)]
        said = self.report([self.preset()]).run(*data).dict()["metrics"]
        return {each["config"]["column"]: each["value"] for each in said if "column" in each["config"]}

    def cost(self, baseline, rows):
        parts = batches(rows)[:SAMPLE]
        began = time.process_time()
        for _, part in parts:
            self.whole(baseline, part)
        return {"Evidently": (time.process_time() - began) / len(parts) * len(rows) / BATCH}


class NannyML:
    """`UnivariateDriftCalculator` with its defaults: Jensen-Shannon distance, more than 3 sd above the mean of the
    baseline's chunks. It needs several chunks of the baseline, and makes 10 when told nothing: so chunks are a tenth
    of the baseline, 100 or 500 predictions, here and in the traffic.
    """

    def __init__(self):
        import nannyml
        self.calculator = nannyml.UnivariateDriftCalculator

    def judge(self, baseline, rows):
        size, names = len(baseline) // 10, list(rows)
        began = time.process_time()
        calculator = self.calculator(column_names=names, chunk_size=size,
                                     treat_as_categorical=[name for name in names if is_words(baseline[name])])
        calculator.fit(baseline)
        found = calculator.calculate(rows).filter(period="analysis").to_df()
        seconds = time.process_time() - began
        ends = found[("chunk", "chunk", "end_index")] + 1
        yield "NannyML", {name: episodes(zip(map(int, ends), map(bool, found[(name, "jensen_shannon", "alert")])))
                          for name in names}, seconds


class River:
    """`ADWIN` and `PageHinkley` with their defaults, one prediction after the other, the baseline first. They know no
    missing values, so those are left out. After an alarm they begin anew, by themselves.
    """

    def __init__(self):
        from river import drift
        self.kinds = {"river ADWIN": drift.ADWIN, "river PageHinkley": drift.PageHinkley}

    def judge(self, baseline, rows):
        for title, kind in self.kinds.items():
            verdict, seconds = {}, 0.0
            for name in rows:
                before, values = (part.tolist() for part in numbers(baseline[name], rows[name]))
                verdict[name] = found = []
                detector = kind()
                for value in before:
                    if value == value:
                        detector.update(value)
                began = time.process_time()
                for prediction, value in enumerate(values, 1):
                    if value == value:
                        detector.update(value)
                        if detector.drift_detected:
                            found.append([prediction, prediction])
                seconds += time.process_time() - began
            yield title, verdict, seconds


class AlibiDetect:
    """`KSDrift`, of words `ChiSquareDrift`, with their defaults (p < 0.05, divided by the number of features), of each
    1,000 predictions against the baseline.
    """

    def __init__(self):
        from alibi_detect.cd import ChiSquareDrift, KSDrift
        self.kinds = {True: ChiSquareDrift, False: KSDrift}

    def judge(self, baseline, rows):
        pairs = [numbers(baseline[name], rows[name]) for name in rows]
        reference, values = (np.column_stack(parts) for parts in zip(*pairs))
        detector = self.kinds[is_words(baseline.iloc[:, 0])](reference, p_val=0.05)
        checks = []
        began = time.process_time()
        for end in range(BATCH, len(values) + 1, BATCH):
            said = detector.predict(values[end - BATCH:end], drift_type="batch")["data"]
            checks.append((end, said["p_val"] < said["threshold"]))
        seconds = time.process_time() - began
        yield ("alibi-detect",
               {name: episodes((end, bool(each[place])) for end, each in checks) for place, name in enumerate(rows)},
               seconds)


TOOLS = {"scipy": CoursePage, "evidently": Evidently, "nannyml": NannyML, "river": River, "alibi-detect": AlibiDetect}


def main(name, folder):
    tool = TOOLS[name]()
    for place in sorted(folder.iterdir(), key=lambda each: int(each.name)):
        baseline, rows = (pd.read_csv(place / f"{part}.csv") for part in ("baseline", "stream"))
        costs = {}
        if hasattr(tool, "cost") and (place / "cost").exists():
            tool.cost(baseline, rows)       # what is done once only is not of every prediction
            costs = tool.cost(baseline, rows)
        for title, verdict, seconds in tool.judge(baseline, rows):
            line = {"tool": title, "place": place.name, "verdict": verdict, "seconds": costs.get(title, seconds)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
