#!/usr/bin/env python3
"""Whether the comparison with recordings takes the truth and nothing else: it must fail for every wrong value."""

import json

import harness as h
import oracle
import recorded
from harness import case, check, equal


def mutations(expect):
    """Copies that are wrong in one value each."""
    for key, value in expect.items():
        for other in wrong_values(value):
            yield key, {**expect, key: other}
        yield key, {other: kept for other, kept in expect.items() if other != key}


def wrong_values(value):
    if value is None:
        return [0, [], {}, ""]
    if isinstance(value, bool):
        return [not value, None, int(value)]
    if isinstance(value, (int, float)):
        return [value + 1e-6 + abs(value) * 1e-6, None, str(value)]
    if isinstance(value, str):
        return [value + "x", None]
    if isinstance(value, list):
        changed = [[other, *value[1:]] for other in wrong_values(value[0])] if value else []
        return [None, [*value, 0], value[:-1], *changed]
    changed = [{**value, key: other} for key in list(value)[:1] for other in wrong_values(value[key])]
    return [None, {**value, "other": None}, *changed]


@case
def the_comparison_takes_the_truth_and_nothing_else():
    for name in recorded.files():
        for pair in recorded.pairs(name):
            beside = dict.fromkeys(oracle.BESIDE)
            equal(oracle.explained(pair.expect, {**beside, **json.loads(json.dumps(pair.expect))}), [], pair.id)
            for key, changed in mutations(pair.expect):
                found = oracle.explained(pair.expect, {**beside, **changed})
                equal(len(found), 1, f"{pair.id}: differences for a wrong {key}: {found}")
            check(oracle.explained(pair.expect, dict(pair.expect)), "a line without id, route and why passed")


def event_of(expect):
    """The log line that says all of it."""
    fields = {}
    if expect["kind"] in ("classify", "regress"):
        one_or_list = lambda values: values[0] if len(values) == 1 else values  # noqa: E731
        classes = expect["predicted_class"] and list(map(str, expect["predicted_class"]))
        columns = expect["features"] or dict(enumerate(expect["columns"] or []))
        fields = {"prediction": one_or_list(classes or expect["value"]), "items": expect["items"],
                  "confidence": one_or_list(expect["confidence"] or [None] * expect["items"]),
                  "features": {str(name): one_or_list(values) for name, values in columns.items()}}
        for name, default in oracle.DEFAULTS.items():
            fields[name] = default if expect[name] is None else expect[name]
    return json.loads(json.dumps(fields))


@case
def a_log_line_passes_when_it_says_all_and_nothing_else():
    for name in recorded.files():
        for pair in recorded.pairs(name):
            event = event_of(pair.expect)
            equal(oracle.logged(pair.expect, event), [], pair.id)
            for key, value in event.items():
                for other in wrong_values(value):
                    if key == "features" and not (pair.expect["features"] or pair.expect["columns"]):
                        continue
                    # where no item has a confidence, none for all is said in one word
                    if key == "confidence" and not pair.expect["confidence"] and other is None:
                        continue
                    check(oracle.logged(pair.expect, {**event, key: other}), f"{pair.id}: {key} {other!r:.80} passed")
            if not event:
                check(oracle.logged(pair.expect, {"prediction": "setosa"}), f"{pair.id}: a prediction passed")


@case
def metrics_pass_when_every_series_is_right():
    def scrape(setosa=2, more="", confidences=2, total=1.5):
        return h.Metrics(f'''
ml_model_predictions_total{{model="iris",model_version="unknown",predicted_class="setosa"}} {setosa}
{more}
ml_model_prediction_confidence_count{{model="iris",model_version="unknown"}} {confidences}
ml_model_prediction_confidence_sum{{model="iris",model_version="unknown"}} {total}
''')

    count = oracle.Count()
    expect = {"kind": "classify", "model": "iris", "model_version": None, "predicted_class": ["setosa", "setosa"],
              "confidence": [0.5, 1.0]}
    count.add(expect)
    equal(count.differences(scrape()), [], "differences")
    other = 'ml_model_predictions_total{model="iris",model_version="unknown",predicted_class="other"} 1'
    for wrong in (scrape(3), scrape(more=other), scrape(confidences=1), scrape(total=1.51)):
        equal(len(count.differences(wrong)), 1, f"differences of {wrong.text}")
    count.add({**expect, "model": None, "confidence": None})
    count.add({**expect, "kind": "regress", "predicted_class": None, "value": [1.0, 2.0, 3.0]})
    equal((count.without, count.values), (2, 3), "items without confidence, and values")
    check(count.differences(scrape()), "a model that is not counted passed")


if __name__ == "__main__":
    h.main("oracle")
