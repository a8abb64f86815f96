"""What the live page shows of labels: the figures of /metrics and /feedback, a drop of any version, and while many come."""

import json
import tempfile
import threading

import harness as h
from browsing import open_page
from harness import Agent, Answers, Client, ModelServer, case, check, close, equal, wait_until
from page_figures import says
from page_stage import page_of

CLASSES = ("setosa", "versicolor", "virginica")
WINDOW = 10_000
SETTINGS = {"drift": {"capture": 0}, "log": {"lines": "off"},
            "feedback": {"enabled": True, "window": WINDOW, "max_bytes": "128MiB", "calibration_labels": 100, "baseline_accuracy": 0.9}}


class Versions(Answers):
    """As many predictions as are asked for, of the version that is asked for."""

    def predicted(self, asked):
        return [{"prediction": CLASSES[item % 3], "confidence": 0.6 + item % 40 / 100, "model_version": asked[0]["version"]}
                for item in range(len(asked))]


def predict(agent, name, version, count=100):
    with Client(agent.port) as client:
        rows = [{"version": version, "x": item} for item in range(count)]
        equal(client.request("POST", "/predict", rows, {"X-Request-ID": name}).status, 200, "status")


def label(agent, name, count=100, is_right=lambda item: item % 20 > 0):
    """Posts a label for each; returns what became of them."""
    labels = [{"request_id": name, "item": item, "label": CLASSES[(item if is_right(item) else item + 1) % 3]} for item in range(count)]
    answer = agent.ask("POST", "/feedback", "\n".join(map(json.dumps, labels)))
    equal((answer.status, answer.json()["joined"]), (200, count), "labels")


def figures_are_those_of_metrics_and_feedback(page, agent, version):
    """Of the version that is shown."""
    of = {"model": "default", "model_version": version}
    report = {one["model_version"]: one for one in agent.ask("GET", "/feedback").json()["models"]}[version]["classification"]
    metrics, shown = agent.metrics(), page.figures("#accuracy")
    wanted = {
        "accuracy": (report["accuracy"]["value"], "ml_model_accuracy"),
        "labels": (report["labels"], "ml_model_labels_in_window"),
        "macro_f1": (report["macro_f1"], None),
        "calibration_error": (report["calibration_error"]["value"], "ml_model_calibration_error"),
        "accuracy_estimate": (report["estimate"]["accuracy"], "ml_model_accuracy_estimated"),
        "accuracy_estimate_error": (report["estimate"]["error"], "ml_model_accuracy_estimate_error"),
    }
    wanted = {name: one for name, one in wanted.items() if one[0] is not None}
    equal(set(shown), set(wanted), "figures")
    for name, (value, metric) in wanted.items():
        [(figure, text)] = shown[name]
        close(figure, value, name, relative=1e-9)
        if name != "accuracy_estimate_error":
            says(value, text, name)
        if metric:
            close(figure, metrics.one(metric, **of), metric, relative=1e-9)
    for one in report["classes"]:
        row = page.figures(f'#accuracy-classes [data-class="{one["class"]}"]')
        equal(row["class_labels"][0][0], one["support"], "labels of a class")
        for figure, metric in (("precision", "ml_model_class_precision"), ("recall", "ml_model_class_recall")):
            value, text = row[f"class_{figure}"][0]
            close(value, one[figure], figure, relative=1e-9)
            close(value, metrics.one(metric, **{**of, "class": one["class"]}), metric, relative=1e-9)
            says(value, text, figure)
    return True


@case
def what_labels_say_is_shown_and_a_drop_of_the_version_before_is_too():
    with ModelServer(Versions) as server, Agent(server.port, config=SETTINGS) as agent, open_page(page_of(agent)) as page:
        page.live()
        for number in range(6):
            predict(agent, f"one-{number}", "1")
        agent.settled()
        wait_until(lambda: "No labels of default 1" in page.text("#missing"), "what is missing")
        for number in range(4):
            label(agent, f"one-{number}")
        predict(agent, "one-later", "1")
        wait_until(lambda: page.is_shown("#accuracy-panel"), "the accuracy")
        wait_until(lambda: figures_are_those_of_metrics_and_feedback(page, agent, "1"), "the figures of version 1", pause=0.3)
        check("accuracy_estimate_error" in page.figures("#accuracy"), "no estimate is shown")
        check("No labels of" not in page.text("#missing"), lambda: page.text("#missing"))
        predict(agent, "two", "2")
        label(agent, "two")
        wait_until(lambda: page.js("() => document.querySelectorAll('#models button').length") == 2, "both versions")
        # labels of the one before come late, and are bad
        label(agent, "one-4", is_right=lambda item: False)
        wait_until(lambda: page.text("title").startswith("Accuracy dropped: default 1"), "the title")
        equal(page.attribute("#models [aria-current=true]", "data-version"), "1", "the version that needs looking at")
        equal((page.attribute("#headline", "data-level"), page.text("#sentence")), ("bad", "The model is less often right than it was"), "the sentence")
        drop = {one["model_version"]: one for one in agent.ask("GET", "/feedback").json()["models"]}["1"]["classification"]["drop"]["current"]
        for part in ("Was 90.0 % right", f"since label {drop['since']:,}"):
            check(part in page.text("#detail"), lambda: f"{part!r} is not in {page.text('#detail')!r}")
        wait_until(lambda: figures_are_those_of_metrics_and_feedback(page, agent, "1"), "the figures of the drop", pause=0.3)
        equal(agent.metrics().one("ml_model_accuracy_dropped", model="default", model_version="1"), 1, "the metric")
        page.js("() => document.querySelector('#models [data-version=\"2\"]').click()")
        equal(page.text("#sentence"), "default 1 is less often right than before", "beside one that is well")
        check("The model is well" not in page.text("#headline"), lambda: page.text("#headline"))
        wait_until(lambda: figures_are_those_of_metrics_and_feedback(page, agent, "2"), "the figures of version 2", pause=0.3)
        page.is_clean()
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                with open_page(page_of(agent), width=width, scheme=scheme, reduced=True) as other:
                    other.live()
                    wait_until(lambda: other.is_shown("#accuracy-classes tbody tr"), "classes")
                    equal(other.overflow(), [0, []], f"{scheme}: wider than {width} pixels")
                    other.accessible()
                    other.is_clean()


@case
def the_state_is_answered_while_100000_labels_are_joined():
    # in memory there is no room for so many
    with tempfile.TemporaryDirectory() as state, ModelServer(Versions) as server, \
            Agent(server.port, config={**SETTINGS, "state": {"dir": state}}) as agent, open_page(page_of(agent)) as page:
        page.live()
        predict(agent, "first", "1")
        label(agent, "first")
        for number in range(200):
            predict(agent, f"many-{number}", "1", 500)
        agent.settled()
        wait_until(lambda: agent.metrics().one("sidelight_feedback_kept_total") == 201, "predictions to be kept")
        wait_until(lambda: page.figure("labels", "#accuracy")[0] == 100, "the first labels")
        body = "\n".join(json.dumps({"request_id": f"many-{place // 500}", "item": place % 500, "label": CLASSES[place % 500 % 3]})
                         for place in range(100_000))
        answers = []
        post = threading.Thread(target=lambda: answers.append(agent.ask("POST", "/feedback", body, timeout=300)), daemon=True)
        post.start()
        seen, scraped, shown, moments = [], [], [], set()
        while post.is_alive():
            state = agent.ask("GET", "/state")
            equal(state.status, 200, "status of the state")
            said = state.json()
            moments.add(said["unix"])
            if not post.is_alive():
                break
            check(not [gap for gap in said["missing"] if gap["what"] == "labels"], "labels are said not to have come")
            seen.append(said["models"][0]["accuracy"]["classification"]["labels"])
            scraped.append(agent.metrics().one("ml_model_labels_total", outcome="joined"))
            shown.append(page.figure("labels", "#accuracy")[0])
        equal((answers[0].status, answers[0].json()["joined"]), (200, 100_000), "labels")
        check(seen, "no state was answered meanwhile")
        # the first 100 were there before
        between = lambda counts: len({count for count in counts if count > 100})
        print(f"    {len(moments)} states meanwhile; of them, the metrics and the page so many moved: {[between(of) for of in (seen, scraped, shown)]}")
        for what, counts in (("states", seen), ("metrics", scraped), ("page", shown)):
            equal(counts, sorted(counts), f"labels in {what}")
        # where they are joined within a second or two, nothing is published in between
        if len(moments) > 5:
            for what, counts in (("states", seen), ("metrics", scraped), ("page", shown)):
                check(between(counts) > 0, f"{what} did not move meanwhile")
        page.shows("labels", WINDOW, "#accuracy")
        page.is_clean()
