"""The sentence at the top of the live page, by its rules, and a page that was saved."""

import json

import harness as h
from browsing import open_page
from flowers import Traffic
from harness import Agent, case, check, close, equal
from page_figures import quantile
from page_stage import SETTINGS, drifted, page_of


def sample():
    """A state with all that there can be: a version that drifts, one without a baseline, one of values."""
    return json.loads((h.ROOT / "src" / "ops" / "dashboard" / "sample.json").read_text())


def calm():
    """The same when all is well."""
    state = sample()
    version = state["models"][0]
    state.update(models=[version], missing=[], unread=[], episodes=[])
    state["traffic"]["observed"].update(decode_failed=0, too_long=0)
    version["drift"].update(drift_detected=False)
    version["drift"]["scan"].update(drift_detected=False, drifting=[])
    for series in version["series"]:
        series.update(drift_detected=False, episode=None, problems=[])
    return state


def later(state, **more):
    """A minute on, with so many more requests by status."""
    after = json.loads(json.dumps(state))
    after["unix"] += 60
    for status, count in more.items():
        after["traffic"]["requests"][status.strip("_")] = after["traffic"]["requests"].get(status.strip("_"), 0) + count
    return after


DROP = {"at": 5300, "since": 5211, "accuracy": 0.613, "baseline": {"accuracy": 0.94, "labels": 1000}, "bound": 0.92}
SAID = """(states) => { const seen = new StateHistory(); for (const state of states) seen.add(state);
    const last = states[states.length - 1];
    return findings(last, (last.models || [])[0] || null, seen).map((one) => [one.level, one.sentence, one.detail]); }"""


@case
def the_sentence_follows_its_rules():
    def changed(change):
        state = calm()
        change(state)
        return [state]
    drifts, version = sample(), lambda state: state["models"][0]
    two = sample()
    two["models"][0]["series"][1] = {**two["models"][0]["series"][0], "name": "confidence"}
    test = lambda s: version(s)["drift"].update(drift_detected=True, decision="ks")
    rules = [
        ([calm()], "ok", "The model is well"),
        ([drifts], "bad", "petal width (cm) has drifted since "),
        ([two], "bad", "petal width (cm) and the confidence have drifted since "),
        (changed(test), "bad", "The confidence has drifted"),
        (changed(lambda s: s["agent"].update(ready=False, not_ready=["model_not_loaded"])), "bad", "Not ready for requests"),
        ([calm(), later(calm(), _2xx=97, _5xx=3)], "bad", "3.0 % of requests fail"),
        ([calm(), later(calm(), _2xx=97, _5xx=2)], "ok", "The model is well"),
        ([calm(), later(calm(), _2xx=997, _5xx=3)], "ok", "The model is well"),
        (changed(lambda s: s["traffic"].update(requests={})), "none", "No request yet"),
        (changed(lambda s: s.update(models=None, observer="busy")), "warn", "Predictions cannot be seen now"),
        (changed(lambda s: s.update(models=[])), "none", "No prediction seen yet"),
        (changed(lambda s: version(s).update(baseline=None, series=[])), "warn", "Drift is not looked for"),
        (changed(lambda s: version(s)["drift"]["scan"].update(status="warming")), "none", "The confidence is as before; features"),
        (changed(lambda s: version(s)["drift"].update(status="insufficient_data", scan={"status": "warming"})), "none", "Too few predictions"),
        (changed(lambda s: version(s)["series"][4].update(problems=["missing"])), "warn", "site is missing more often"),
        (changed(lambda s: s["traffic"]["observed"].update(decode_failed=5000)), "warn", "21.2 % of bodies cannot be read"),
    ]
    right = calm()
    right["models"][0]["accuracy"] = {"regression": None, "classification": {
        "labels": 500, "accuracy": {"value": 0.81, "low": 0.773, "high": 0.842}, "macro_f1": 0.8, "log_loss": {"value": None},
        "brier": {"value": 0.21}, "calibration_error": {"value": 0.04}, "drop": {"score": 0.2, "current": None},
        "classes": [{"class": "a", "precision": 0.75, "recall": 0.5, "f1": 0.6, "support": 100, "predicted": 80},
                    {"class": "b", "precision": None, "recall": 0, "f1": 0, "support": 300, "predicted": 0}],
        "estimate": {"accuracy": 0.93, "reason": None, "predictions": 90, "labels": 500, "error": -0.0123, "error_labels": 400}}}
    wrong = json.loads(json.dumps(right))
    wrong["models"][0]["accuracy"]["classification"]["drop"]["current"] = DROP
    rules += [([right], "ok", "The model is well"), ([wrong], "bad", "The model is less often right than it was")]
    shed = later(calm(), _2xx=10)
    shed["traffic"]["shed"]["bytes"] += 7
    rules.append(([calm(), shed], "warn", "Not everything is seen"))
    with Agent(config=SETTINGS) as agent, open_page(page_of(agent)) as page:
        for states, level, sentence in rules:
            found = page.js(SAID, states)
            check(found[0][0] == level and found[0][1].startswith(sentence), lambda: f"{found} instead of {level}, {sentence}")
            check(all(one[1] and one[2] and "undefined" not in " ".join(one) and "NaN" not in " ".join(one) for one in found), lambda: found)
        detail = page.js(SAID, [wrong])[0][2]
        equal(detail, "Was 94.0 % right, now about 61.3 % of those since label 5,211.", "how far it has dropped")
        page.js("(version) => showAccuracy(version)", version(wrong))
        equal(page.text("#accuracy-note"), "of 500 labels in the window; it has dropped", "labels")
        page.js("(version) => showAccuracy(version)", version(right))
        equal(page.text("#accuracy-note"), "of 500 labels in the window", "labels")
        tiles = page.figures("#accuracy")
        equal({name: shown[0] for name, shown in tiles.items()}, {
            "accuracy": (0.81, "81.0 %"), "labels": (500, "500"), "macro_f1": (0.8, "0.8"),
            "calibration_error": (0.04, "0.04"), "brier": (0.21, "0.21"), "accuracy_estimate": (0.93, "93.0 %"),
            "accuracy_estimate_error": (-0.0123, "estimated without labels; was off by 0.0123 on labelled ones")}, "accuracy")
        check("mean distance of confidence and accuracy" in page.text("#accuracy"), lambda: page.text("#accuracy"))
        rows = page.js("() => [...document.querySelectorAll('#accuracy-classes tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
        equal(rows, [["b", "–", "0 %", "300"], ["a", "75.0 %", "50.0 %", "100"]], "classes")
        equal(page.text("#accuracy-classes caption"), "Class by class; 100 labels of other classes", "what is left out")


@case
def a_drop_is_told_whichever_version_is_shown():
    def lot(first=None, second=None, serving=True, numbers=False, unlisted=False):
        state = calm()
        one, other = state["models"][0], json.loads(json.dumps(state["models"][0]))
        one["version"], other["version"], other["serving"] = "one", "two", serving
        state["models"] = [one, other]
        name = "regression" if numbers else "classification"
        for of, drop in ((one, first), (other, second)):
            of["accuracy"] = {"classification": None, "regression": None}
            of["accuracy"][name] = {"labels": 500, "drop": {"current": drop}, "tolerance": 0.5}
            if not numbers:
                del of["accuracy"][name]["tolerance"]
        if unlisted:
            state["models"].pop()
            state["dropped"] = [{key: other[key] for key in ("model", "version", "accuracy")}]
        return state
    shown = """(state) => { page.feed.close(); page.feed.open = () => {}; page.history = new StateHistory(); page.shown = null; take(state);
        const said = (id) => document.getElementById(id).textContent;
        return { said: [...document.querySelectorAll("#models .said")].map((node) => node.textContent), sentence: said("sentence"), detail: said("detail"),
            level: document.getElementById("headline").dataset.level, title: document.title,
            chosen: (document.querySelector("#models [aria-current=true]") || {dataset: {}}).dataset.version }; }"""
    choose = "(key) => { page.chosen = key; }"
    with Agent(config=SETTINGS) as agent, open_page(page_of(agent)) as page:
        page.live()
        found = page.js(shown, lot())
        equal((found["said"], found["level"], found["chosen"]), (["no drift", "no drift"], "ok", "one"), "without a drop")
        found = page.js(shown, lot(first=DROP))
        equal((found["said"], found["level"], found["chosen"]), (["accuracy dropped", "no drift"], "bad", "one"), "one that is shown")
        check(found["title"].startswith("Accuracy dropped: ") and "one" in found["title"], lambda: found)
        for serving in (True, False):
            found = page.js(shown, lot(second=DROP, serving=serving))
            equal((found["said"], found["level"], found["chosen"]), (["no drift", "accuracy dropped"], "bad", "two"), "another one")
            equal(found["sentence"], "The model is less often right than it was", "the sentence")
        name = page.js("() => page.state.models[0].model")
        page.js(choose, json.dumps([name, "one"], separators=(",", ":")))
        for state in (lot(second=DROP), lot(second=DROP, serving=False), lot(second=DROP, unlisted=True)):
            found = page.js(shown, state)
            equal((found["level"], found["chosen"]), ("bad", "one"), "one that is well, while another is not")
            check(found["sentence"] == f"{name} two is less often right than before" and "61.3 %" in found["detail"], lambda: found)
            check(found["title"].startswith(f"Accuracy dropped: {name} two"), lambda: found)
        page.js(choose, None)
        found = page.js(shown, lot(first=DROP, numbers=True))
        equal(found["detail"], "Was 94.0 % off by no more than 0.5, now about 61.3 % of those since label 5,211.", "of numbers")


@case
def an_edge_is_never_rounded_onto_the_end_of_what_is_possible():
    with Agent(config=SETTINGS) as agent, open_page(page_of(agent)) as page:
        page.live()
        for edge, text in (("0.99969", "0.9997"), ("0.99999969", "0.9999997"), ("1.00002", "1.00002"), ("0.00001234567", "0.00001235"),
                           ("-0.99996", "-0.99996"), ("1", "1"), ("0", "0"), ("1.75", "1.75"), ("12345.678", "12,346")):
            equal(page.js("(region) => regionText(region)", f"at most {edge}"), f"at most {text}", edge)


@case
def a_saved_page_is_a_report_without_a_server():
    with Agent(config=SETTINGS) as agent:
        drifted(agent, Traffic(2))
        state = agent.ask("GET", "/state")
        html = agent.ask("GET", "/", headers={"Accept": "text/html"}).body.decode()
        agent.stop()
        embedded = state.body.decode().replace("<", "\\u003c")
        report = agent.folder / "report.html"
        place = html.rindex("<script>")
        report.write_text(html[:place] + f'<script type="application/json" id="state">{embedded}</script>' + html[place:])
        said = state.json()
        with open_page(report.as_uri()) as page:
            check("report of" in page.text("#link-text"), lambda: page.text("#link-text"))
            equal(page.figure("requests", "#tiles")[0], sum(said["traffic"]["requests"].values()), "requests")
            check("drifted" in page.text("#sentence"), lambda: page.text("#sentence"))
            durations = [sum(counts) for counts in zip(*(one["duration"]["counts"] for one in said["traffic"]["endpoints"] if one["duration"]))]
            close(page.figure("p95", "#tiles")[0], quantile(0.95, said["edges"]["seconds"], durations), "p95")
            page.is_clean()
