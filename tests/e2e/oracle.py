"""Whether what the agent says of an exchange is what `expect` of the recording says, strictly.

Each function gives the differences as sentences; none means equal.
"""

import collections
import math

# the keys that stand beside those of `expect` in a line of `sidelight explain`
BESIDE = ("id", "format", "route", "why")
# a difference is shown up to here
SHOWN = 160
DEFAULTS = {"model": "default", "model_version": "unknown"}


def alike(actual, expected):
    """Equal, numbers but for rounding. A truth value is no number, a number no text, and a class 0 is no 0.0."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and actual.keys() == expected.keys() and all(
            alike(actual[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(alike, actual, expected))
    if _is_number(actual) and _is_number(expected):
        return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-9)
    return type(actual) is type(expected) and actual == expected


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _typed(value):
    """With the type of each entry, where that counts too."""
    return [(type(entry).__name__, entry) for entry in value] if isinstance(value, list) else value


def difference(name, actual, expected):
    """As a list of at most one sentence, which points at the first entry that is not alike."""
    same = _typed(actual) == _typed(expected) if name == "predicted_class" else alike(actual, expected)
    if same:
        return []
    where, found, wanted = name, actual, expected
    while type(found) is type(wanted):
        if isinstance(wanted, dict) and found.keys() == wanted.keys():
            steps = list(wanted)
        elif isinstance(wanted, list) and len(found) == len(wanted):
            steps = range(len(wanted))
        else:
            break
        step = next((step for step in steps if not alike(found[step], wanted[step])), None)
        if step is None:
            break
        where, found, wanted = f"{where}[{step!r}]", found[step], wanted[step]
    return [f"{where}: {_shown(found)} instead of {_shown(wanted)}"]


def _shown(value):
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def explained(expect, said):
    """A line of `sidelight explain`: every key of `expect`, with its value."""
    missing = [f"{key} is missing" for key in (*BESIDE, *expect) if key not in said]
    return missing + [found for key, value in expect.items() if key in said
                      for found in difference(key, said[key], value)]


# -- the log line ---------------------------------------------------------------------------------

def _one_or_list(values):
    """As the log writes it: one value for a single item, a list for a batch."""
    return values[0] if values is not None and len(values) == 1 else values


def logged(expect, event):
    """The log line of a request: what it says of a prediction, or that there was none."""
    if expect["kind"] not in ("classify", "regress"):
        return [f"{name}: {_shown(event[name])} of a {expect['kind']}" for name in ("prediction", "confidence")
                if event.get(name) is not None]
    items = expect["items"]
    found = [text for name, default in DEFAULTS.items()
             for text in difference(name, event.get(name), default if expect[name] is None else expect[name])]
    found += difference("items", event.get("items"), items)
    confidence = expect["confidence"] or [None] * items
    # unknown for all items may be said once
    if expect["confidence"] or event.get("confidence") is not None:
        found += difference("confidence", event.get("confidence"), _one_or_list(confidence))
    if expect["kind"] == "classify":
        classes = [str(name) for name in expect["predicted_class"]]
        found += difference("prediction", _as_text(event.get("prediction")), _one_or_list(classes))
    else:
        found += difference("prediction", event.get("prediction"), _one_or_list(expect["value"]))
    return found + _features(expect, event.get("features"))


def _as_text(value):
    return [_as_text(entry) for entry in value] if isinstance(value, list) else None if value is None else str(value)


def _features(expect, logged_features):
    if expect["features"]:
        return difference("features", logged_features,
                          {name: _one_or_list(values) for name, values in expect["features"].items()})
    if expect["columns"]:
        # where the wire has no names, those of the log are not the oracle's
        values = list(logged_features.values()) if isinstance(logged_features, dict) else logged_features
        return difference("features", values, [_one_or_list(column) for column in expect["columns"]])
    return []


# -- the metrics ----------------------------------------------------------------------------------

class Count:
    """What the metrics must be after exchanges of which this is expected."""

    def __init__(self):
        self.classes = collections.Counter()
        self.confidences = collections.Counter()
        self.sums = collections.defaultdict(list)
        # items that were classified without one, and those that have a value instead of a class
        self.without = self.values = 0

    def add(self, expect):
        if expect["kind"] != "classify":
            self.values += len(expect.get("value") or ())
            return
        identity = tuple(default if expect[name] is None else expect[name] for name, default in DEFAULTS.items())
        for name in expect["predicted_class"]:
            self.classes[(*identity, str(name))] += 1
        if expect["confidence"]:
            self.confidences[identity] += len(expect["confidence"])
            self.sums[identity] += expect["confidence"]
        else:
            self.without += len(expect["predicted_class"])

    def differences(self, metrics):
        """The scrape against it, series by series."""
        labels = (*DEFAULTS, "predicted_class")
        found = difference("ml_model_predictions_total", _series(metrics, "ml_model_predictions_total", labels),
                           _words(self.classes))
        name = "ml_model_prediction_confidence"
        found += difference(f"{name}_count", _series(metrics, f"{name}_count", labels[:2]), _words(self.confidences))
        sums = {key: math.fsum(values) for key, values in self.sums.items()}
        return found + difference(f"{name}_sum", _series(metrics, f"{name}_sum", labels[:2]), _words(sums))


def _series(metrics, name, labels):
    return {" ".join(pairs[label] for label in labels): value for pairs, value in metrics.of(name) if value}


def _words(counts):
    return {" ".join(key): value for key, value in counts.items() if value}
