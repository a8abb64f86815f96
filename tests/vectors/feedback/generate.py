#!/usr/bin/env python3
"""What scikit-learn and scipy say of labelled predictions: the files beside this one.

    generate.py          writes them
    generate.py check    works everything out again and compares, so that no figure can be made by hand

Predictions come from Python's own generator, whose numbers are the same in every version of it.
"""

import json
import math
import pathlib
import random
import sys
import warnings

import numpy as np
import scipy.stats
import sklearn
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

FOLDER = pathlib.Path(__file__).resolve().parent
SEED = 20261126
BINS = 15
# other processors add up in another order
TOLERANCE = 1e-12

# rounded probabilities do not add up to 1, which scikit-learn says and takes them as they are
warnings.filterwarnings("ignore", message="The y_prob values do not sum to one")
warnings.filterwarnings("ignore", message="A single label was found")


def none_if_nan(values):
    return [None if math.isnan(value) else float(value) for value in values]


def softmax(values):
    top = max(values)
    exponents = [math.exp(value - top) for value in values]
    return [exponent / sum(exponents) for exponent in exponents]


# -- classes --------------------------------------------------------------------------------------

def item(predicted, truth, confidence=None, columns=None, probabilities=None):
    return {"predicted": predicted, "truth": truth, "confidence": confidence, "columns": columns,
            "probabilities": probabilities}


def of_scores(rng, columns, n, noise, digits=None, truths=None):
    """Items with all probabilities, of a model that knows the truth but for noise."""
    items = []
    for _ in range(n):
        truth = rng.choice(truths or columns)
        scores = [2.0 * (column == truth) + rng.gauss(0.0, noise) for column in columns]
        shares = softmax(scores)
        if digits is not None:
            shares = [round(share, digits) for share in shares]
        top = max(range(len(columns)), key=shares.__getitem__)
        items.append(item(columns[top], truth, shares[top], columns, shares))
    return items


def ece(confidence, right):
    edges = np.arange(1, BINS) / BINS
    bins = np.searchsorted(edges, confidence, side="left")
    gaps = [abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).sum()
            for b in range(BINS) if (bins == b).any()]
    return float(sum(gaps) / len(confidence))


def scores_of(items):
    """log-loss and Brier's score of items that all have probabilities of the same classes."""
    columns = list(items[0]["columns"])
    probabilities = np.array([i["probabilities"] for i in items], dtype=float)
    truth = [i["truth"] for i in items]
    for unknown in sorted(set(truth) - set(columns)):
        # a class that the model does not know was given 0
        columns.append(unknown)
        probabilities = np.hstack([probabilities, np.zeros((len(items), 1))])
    order = sorted(range(len(columns)), key=columns.__getitem__)
    labels, probabilities = [columns[i] for i in order], probabilities[:, order]
    loss = metrics.log_loss(truth, probabilities, labels=labels)
    half = len(items[0]["columns"]) == 2
    brier = metrics.brier_score_loss(truth, probabilities, labels=labels, scale_by_half=half)
    return float(loss), float(brier)


def expected_of_classes(items):
    truth, predicted = [i["truth"] for i in items], [i["predicted"] for i in items]
    labels = sorted(set(truth) | set(predicted))
    interval = scipy.stats.binomtest(sum(t == p for t, p in zip(truth, predicted)), len(items))
    interval = interval.proportion_ci(0.95, method="wilson")
    precision, recall, _, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=np.nan)
    f1 = metrics.f1_score(truth, predicted, labels=labels, average=None, zero_division=0.0)
    scored = [i for i in items if i["probabilities"] is not None]
    loss, brier = scores_of(scored) if scored else (None, None)
    sure = [i for i in items if i["confidence"] is not None]
    right = np.array([i["truth"] == i["predicted"] for i in sure], dtype=float)
    return {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "low": float(interval.low), "high": float(interval.high),
        "labels": labels, "precision": none_if_nan(precision), "recall": none_if_nan(recall),
        "f1": none_if_nan(f1), "support": [int(s) for s in support],
        "macro_f1": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0.0)),
        "confusion": metrics.confusion_matrix(truth, predicted, labels=labels).tolist(),
        "scored": len(scored), "log_loss": loss, "brier": brier,
        "sure": len(sure),
        "ece": ece(np.array([i["confidence"] for i in sure]), right) if sure else None,
    }


def class_case(name, items, window=None):
    window = window or len(items)
    return {"id": name, "window": window, "items": items, "expect": expected_of_classes(items[-window:])}


def classes():
    rng = random.Random(SEED)
    iris, two = ["setosa", "versicolor", "virginica"], ["no", "yes"]
    ten = [str(number) for number in range(10)]
    certain = [item(p, t, 1.0, two, [float(p == "no"), float(p == "yes")])
               for p, t in [("no", "no"), ("no", "yes"), ("yes", "yes"), ("yes", "yes"), ("yes", "no")]]
    edges = [item("a", rng.choice("ab"), k / BINS) for k in range(BINS + 1) for _ in range(6)]
    edges += [item("a", rng.choice("ab"), math.nextafter(k / BINS, 2.0)) for k in range(BINS) for _ in range(3)]
    ties = [item("a", rng.choice("abc"), 1 / 3, ["a", "b", "c"], [1 / 3, 1 / 3, 1 / 3]) for _ in range(12)]
    mixed = of_scores(rng, iris, 40, 1.5)
    for place in range(0, 40, 3):
        mixed[place].update(columns=None, probabilities=None)
    for place in range(0, 40, 6):
        mixed[place].update(confidence=None)
    return [
        class_case("one label, right", [item("a", "a", 0.75, ["a", "b"], [0.75, 0.25])]),
        class_case("one label, wrong", [item("a", "b", 0.75, ["a", "b"], [0.75, 0.25])]),
        class_case("one class", [item("a", "a", 0.9, two, [0.9, 0.1]) | {"columns": ["a", "b"]} for _ in range(7)]),
        class_case("never predicted and never true", [item(p, t) for p, t in ["ab", "aa", "cb", "cb", "dd"]]),
        class_case("all wrong", [item(p, t) for p, t in ["ab", "bc", "ca", "ab"]]),
        class_case("probabilities of 0 and 1", certain),
        class_case("a class that the model does not know", of_scores(rng, iris, 30, 1.0, truths=[*iris, "other iris"])),
        class_case("confidences on the edges of bins", edges),
        class_case("ties", ties),
        class_case("not all is known of all", mixed),
        class_case("two classes", of_scores(rng, two, 200, 1.5)),
        class_case("three classes", of_scores(rng, iris, 300, 1.5)),
        class_case("three classes, four digits", of_scores(rng, iris, 100, 1.5, digits=4)),
        class_case("ten classes, two digits", of_scores(rng, ten, 200, 1.0, digits=3)),
        class_case("a window of the last 50 of 120", of_scores(rng, iris, 120, 2.0), window=50),
        class_case("a class that has left the window",
                   [item("old", "old", 0.5) for _ in range(9)] + of_scores(rng, two, 20, 1.0), window=20),
    ]


# -- numbers --------------------------------------------------------------------------------------

def value_case(name, predicted, truth, window=None):
    window = window or len(truth)
    p, t = predicted[-window:], truth[-window:]
    has_r2 = len(t) >= 2 and len(set(t)) > 1
    return {"id": name, "window": window, "predicted": predicted, "truth": truth, "expect": {
        "mae": float(metrics.mean_absolute_error(t, p)),
        "rmse": float(metrics.root_mean_squared_error(t, p)),
        "r2": float(metrics.r2_score(t, p)) if has_r2 else None,
    }}


def values():
    rng = random.Random(SEED + 1)
    truth = [rng.gauss(0.0, 1.0) for _ in range(500)]
    off = [value + rng.gauss(0.0, 0.3) for value in truth]
    far = [1e9 + value for value in truth]
    skewed = [math.exp(2.0 * value) for value in truth]
    return [
        value_case("one label", [1.5], [2.0]),
        value_case("the same truth everywhere", [1.0, 2.0, 4.0], [2.0, 2.0, 2.0]),
        value_case("exact", [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]),
        value_case("worse than the mean", [4.0, 2.0, 1.0], [1.0, 2.0, 4.0]),
        value_case("normal", off, truth),
        value_case("normal, the last 77", off, truth, window=77),
        value_case("around a billion", [1e9 + value for value in off], far),
        value_case("skewed", [value * rng.uniform(0.5, 1.5) for value in skewed], skewed),
        value_case("very small", [value * 1e-12 for value in off], [value * 1e-12 for value in truth]),
        value_case("large", [value * 1e100 for value in off], [value * 1e100 for value in truth]),
    ]


# -- calibration ----------------------------------------------------------------------------------

def fit_case(name, confidence, right, asked):
    fit = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    fit.fit(confidence, [float(r) for r in right])
    said = fit.predict(asked)
    return {"id": name, "confidence": confidence, "right": right, "asked": asked, "expect": {
        "knots": [[float(x), float(y)] for x, y in zip(fit.X_thresholds_, fit.y_thresholds_)],
        "said": [float(value) for value in said],
    }}


def calibration():
    rng = random.Random(SEED + 2)
    grid = [k / 40 for k in range(41)] + [rng.random() for _ in range(20)]
    sure = [rng.random() ** 0.3 for _ in range(600)]
    rounded = [round(value, 2) for value in sure]
    def too_sure(values):
        return [rng.random() < 0.5 * value + 0.3 for value in values]
    few = [0.9, 0.8, 0.7, 0.6, 0.5]
    return [
        fit_case("one", [0.8], [True], grid),
        fit_case("the same confidence", [0.8] * 4, [True, False, True, True], grid),
        fit_case("all right", few, [True] * 5, grid),
        fit_case("falling", few, [False, False, True, True, True], grid),
        fit_case("rising", few, [True, True, True, False, False], grid),
        fit_case("0 and 1", [0.0, 0.0, 1.0, 1.0, 1.0], [False, True, True, False, True], grid),
        fit_case("hardly apart", [0.5, 0.5 + 1e-16, 0.5 + 2e-16, 0.7], [True, False, True, True], grid),
        fit_case("600", sure, too_sure(sure), grid),
        fit_case("600 of two digits", rounded, too_sure(rounded), grid),
    ]


# -- files ----------------------------------------------------------------------------------------

def files():
    made_by = {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__}
    for name, cases in (("classes", classes()), ("values", values()), ("calibration", calibration())):
        yield FOLDER / f"{name}.json", {**made_by, "cases": cases}


def differences(found, expected, where):
    """Where two trees are not the same; numbers that are, but for rounding, are."""
    if isinstance(found, float) and isinstance(expected, float):
        if not math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{where}: {expected!r}, not {found!r}"
    elif isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in found:
            yield from differences(found[key], expected[key], f"{where}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for place, pair in enumerate(zip(found, expected)):
            yield from differences(*pair, f"{where}[{place}]")
    elif type(found) is not type(expected) or found != expected:
        yield f"{where}: {str(expected)[:100]}, not {str(found)[:100]}"


def main():
    if sys.argv[1:] not in ([], ["check"]):
        print(__doc__, file=sys.stderr)
        return 64
    failed = 0
    for path, content in files():
        if not sys.argv[1:]:
            path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
            continue
        # through text, as the file went
        worked_out = json.loads(json.dumps(content))
        wrong = list(differences(json.loads(path.read_text()), worked_out, path.name))
        print("\n".join(wrong[:20]) or f"{path.name}: {len(content['cases'])} cases are what scikit-learn says")
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
