#!/usr/bin/env python3
"""The bundled Iris server behind the agent: every number must be exactly what the answers said.

Needs the release binary and Python's standard library; curl where there is one.
"""

import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import harness as h
from harness import Agent, Client, Skipped, Tally, case, check, close, equal, request, wait_until

ROWS = h.rows()
SPECIES = {"setosa", "versicolor", "virginica"}
CURL = ("curl -d '{\"sepal_length\":5.1,\"sepal_width\":3.5,\"petal_length\":1.4,\"petal_width\":0.2}' "
        "localhost:8080/predict")


def readme_curl():
    """The first command of the README that asks for a prediction."""
    readme = h.ROOT / "README.md"
    if not readme.exists():
        return CURL
    text = readme.read_text().replace("\\\n", " ")
    found = re.search(r"^\s*\$?\s*(curl .*/predict\b.*)$", text, re.M)
    check(found, "README.md shows no curl to /predict")
    return found.group(1)


@case
def the_one_line_curl_gets_an_answer_and_leaves_metrics_and_a_log_line():
    if not shutil.which("curl"):
        raise Skipped("there is no curl here")
    with Agent() as agent:
        command = shlex.split(readme_curl().replace("localhost:8080", f"{h.HOST}:{agent.port}"), comments=True)
        result = subprocess.run([*command, "-s", "-i"], stdout=subprocess.PIPE, timeout=h.PATIENCE, check=True)
        head, _, body = result.stdout.decode().replace("\r\n", "\n").partition("\n\n")
        answer = json.loads(body)
        check(" 200 " in head.splitlines()[0] + " ", f"status line {head.splitlines()[0]!r}")
        check(answer["prediction"] in SPECIES, f"class {answer['prediction']!r}")
        check(1 / 3 <= answer["confidence"] <= 1, f"confidence {answer['confidence']!r}")
        request_id = re.search(r"(?im)^x-request-id: (\S+)$", head)
        check(request_id, f"no X-Request-ID in {head!r}")
        event = agent.wait_event(request_id=request_id.group(1))
        equal(event["message"], "Request completed", "message")
        equal((event["prediction"], event["confidence"]), (answer["prediction"], answer["confidence"]), "logged answer")
        equal(event["features"], ROWS[0], "logged features")
        h.has_the_seven(agent.settled(requests=1))


@case
def all_rows_in_three_forms_are_counted_exactly_and_pass_byte_for_byte():
    with Agent() as agent, h.Iris() as second:
        _, direct = agent.iris_child()
        tally = Tally()
        expected = [request(direct, "POST", "/predict", row) for row in ROWS]

        def same(answer, original, what):
            equal((answer.status, answer.body), (original.status, original.body), what)

        with Client(agent.port) as client:
            for row, original in zip(ROWS, expected):
                same(tally.add(client.request("POST", "/predict", row)), original, "a single row's answer")
        tally.compare(agent.settled(requests=tally.requests))

        path = h.batch_path(direct)
        same(tally.add(agent.send("POST", path, ROWS)), request(direct, "POST", path, ROWS), "the batch's answer")
        tally.compare(agent.settled(requests=tally.requests))

        def share(first):
            with Client(agent.port) as client:
                return [client.request("POST", "/predict", row) for row in ROWS[first::8]]

        for first, answers in enumerate(h.in_parallel([lambda first=first: share(first) for first in range(8)])):
            for answer, original in zip(answers, expected[first::8]):
                same(tally.add(answer), original, "an answer on one of eight connections")
        metrics = agent.settled(requests=tally.requests)
        tally.compare(metrics)
        equal(len(tally.confidences), 450, "items sent")
        equal(metrics.books().get("decoded"), tally.requests, "decoded exchanges")
        equal(metrics.by("ml_api_requests_total", "status_code"), {"200": tally.requests}, "requests by status")

        for row, original in zip(ROWS[::10], expected[::10]):
            same(request(second.port, "POST", "/predict", row), original, "the answer of a second Iris server")


@case
def what_is_no_prediction_is_counted_as_request_only():
    with Agent() as agent:
        bad = [
            ("POST", "/predict", '{"sepal_length":5.1'),
            ("POST", "/predict", {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4}),
            ("POST", "/predict", {**ROWS[0], "petal_width": "wide"}),
            ("GET", "/predict", None),
            ("POST", "/no/such/route", ROWS[0]),
            ("GET", "/health", None),
            ("GET", "/ready", None),
            ("GET", "/live", None),
        ]
        statuses = []
        for method, path, body in bad:
            answer = agent.send(method, path, body)
            statuses.append(answer.status)
            check(answer.header("x-sidelight-reason") is None, f"{method} {path}: the answer is the agent's own")
        equal(statuses[:3], [422, 422, 422], "statuses of bad bodies")
        check(b"petal_width" in agent.send("POST", "/predict", bad[1][2]).body, "a 422 does not name the missing field")
        check(all(400 <= status < 500 for status in statuses[3:5]), f"statuses {statuses}")
        equal(statuses[5:], [200, 200, 200], "statuses of the probes")
        metrics = agent.settled(requests=len(bad) + 1)
        equal(metrics.sum("ml_model_predictions_total"), 0, "predictions")
        equal(metrics.sum("ml_model_prediction_confidence_count"), 0, "confidences")
        check(metrics.books().get("not_wanted", 0) >= 4, f"probes were read as predictions: {metrics.books()}")
        check(not metrics.of("ml_api_requests_total", endpoint="/no/such/route"), "an unknown path became a label")


@case
def the_clients_request_id_comes_back_and_stands_in_the_log_and_traceparent_passes():
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace}-00f067aa0ba902b7-01"
    with h.PythonServer(h.E2E / "upstream.py") as upstream, Agent(upstream=upstream.port) as agent:
        sent = {"X-Request-ID": "order-66/a~b", "traceparent": parent, "X-Own": "1", "User-Agent": "e2e"}
        answer = agent.send("POST", "/echo?q=1", ROWS[0], sent)
        equal(answer.header("x-request-id"), "order-66/a~b", "returned id")
        echoed = answer.json()
        arrived = {name.lower(): value for name, value in echoed["fields"]}
        for name, value in sent.items():
            equal(arrived.get(name.lower()), value, f"{name} at the model server")
        equal(arrived["host"], f"{h.HOST}:{agent.port}", "Host at the model server")
        equal((echoed["method"], echoed["path"]), ("POST", "/echo?q=1"), "request line")
        equal(json.loads(echoed["body"]), ROWS[0], "body")
        added = {name.lower() for name, _ in echoed["fields"]} - {
            "host", "content-length", "content-type", "accept-encoding", *map(str.lower, sent)}
        equal(added, set(), "fields that the agent added")
        event = agent.wait_event(request_id="order-66/a~b")
        equal(event["trace_id"], trace, "trace_id in the log")
        check("q=1" not in json.dumps(event), "the query string is in the log")

        for unfit in ("z" * 129, "a b", ""):
            answer = agent.send("GET", "/echo", headers={"X-Request-ID": unfit})
            made = answer.header("x-request-id")
            uuid.UUID(made)
            arrived = {name.lower(): value for name, value in answer.json()["fields"]}
            equal(arrived["x-request-id"], made, "id at the model server")
            agent.wait_event(request_id=made)


# what /drift has beside the fields of the course page
ADDED = ["model", "model_version", "decision", "baseline", "scan", "series"]


@case
def health_ready_live_and_drift_have_their_fields():
    with Agent(config={"drift": {"window": 20}}) as agent:
        health = agent.ask("GET", "/health")
        equal(health.status, 200, "status of /health")
        equal(set(health.json()), {"status", "timestamp", "version", "checks"}, "fields of /health")
        equal(health.json()["status"], "healthy", "status in /health")
        ready = agent.ask("GET", "/ready").json()
        equal(set(ready), {"ready", "checks"}, "fields of /ready")
        equal(ready["ready"], True, "ready")
        equal(ready["checks"]["model_loaded"], True, "model_loaded")
        version = ready["checks"]["model_version"]
        equal(version, agent.send("POST", "/predict", ROWS[0]).json()["model_version"], "model_version")
        equal(agent.ask("GET", "/live").json(), {"status": "alive"}, "/live")

        def page():
            """The fields of the course page; those that are added stand behind them."""
            drift = agent.ask("GET", "/drift").json()
            equal(list(drift)[-len(ADDED):], ADDED, "fields that are added")
            equal(drift["decision"], "ks", "who decides")
            return {name: value for name, value in drift.items() if name not in ADDED}

        equal(page(), {"status": "no_baseline", "drift_detected": False}, "/drift")
        baseline = [0.5 + i / 100 for i in range(40)]
        answer = agent.ask("POST", "/drift/baseline", baseline)
        equal(answer.status, 200, "status of a baseline")
        equal({key: answer.json()[key] for key in ("status", "samples")}, {"status": "baseline_set", "samples": 40},
              "answer to a baseline")
        event = agent.wait_event(message="Baseline set")
        equal(event["samples"], 40, "samples in the log")
        close(event["mean"], sum(baseline) / 40, "mean in the log")
        equal(page(), {"status": "insufficient_data", "drift_detected": False}, "/drift")

        confidences = [agent.send("POST", "/predict", row).json()["confidence"] for row in ROWS[:30]]
        agent.settled(requests=31)
        drift = page()
        fields = {"status", "drift_detected", "ks_statistic", "p_value", "baseline_mean", "recent_mean",
                  "samples_checked", "samples_missing", "timestamp"}
        equal(set(drift), fields, "fields of /drift")
        equal((drift["status"], drift["samples_checked"]), ("checked", 20), "/drift")
        close(drift["baseline_mean"], sum(baseline) / 40, "baseline_mean")
        close(drift["recent_mean"], sum(confidences[-20:]) / 20, "recent_mean")

        before = drift["baseline_mean"]
        for bad in ("not json", '{"predictions": 1}', '["high"]', "[null, null]", "[0.5, NaN]", "[]", "", "[[0.5]]"):
            answer = agent.ask("POST", "/drift/baseline", bad, {"Content-Type": "application/json"})
            check(400 <= answer.status < 500, f"baseline {bad!r}: status {answer.status}")
            equal(agent.ask("GET", "/drift").json()["baseline_mean"], before, f"baseline_mean after {bad!r}")


@case
def a_baseline_beyond_its_bounds_is_refused_and_the_old_one_stays():
    with Agent(config={"drift": {"max_baseline": 100}, "ops": {"body_limit": "4KiB"}}) as agent:
        equal(agent.ask("POST", "/drift/baseline", [0.5] * 100).status, 200, "status at the bound")
        answer = agent.ask("POST", "/drift/baseline", [0.25] * 101)
        check(400 <= answer.status < 500, f"101 values: status {answer.status}")
        answer = agent.ask("POST", "/drift/baseline", [0.12345678] * 2000)
        equal(answer.status, 413, "status of a body beyond the limit")
        equal(sum(e["message"] == "Baseline set" for e in agent.events()), 1, "baselines set")


@case
def not_ready_while_the_bundled_server_is_down_and_ready_again_after():
    with Agent(config={"model": {"probe_interval": "200ms"}}) as agent:
        first, _ = agent.iris_child()
        seen = set()
        for _ in range(4):
            pid, _ = agent.iris_child()
            os.kill(pid, signal.SIGKILL)
            end = time.monotonic() + 3
            while time.monotonic() < end and 503 not in seen:
                answer = agent.ask("GET", "/ready")
                seen.add(answer.status)
                if answer.status == 503:
                    equal(answer.json()["ready"], False, "ready in a 503")
                    equal(answer.json()["checks"]["model_loaded"], False, "model_loaded in a 503")
                time.sleep(0.005)
            if 503 in seen:
                break
        check(503 in seen, f"/ready answered {seen} while the server was killed four times")
        equal(agent.ask("GET", "/live").status, 200, "status of /live meanwhile")
        agent.wait_ready()
        second, _ = agent.iris_child()
        check(second != first, "the server is the killed one")
        h.predictions(agent.send("POST", "/predict", ROWS[0]))
        wait_until(lambda: agent.metrics().sum("ml_model_loaded") == 1, "ml_model_loaded to be 1 again")


@case
def a_taken_port_ends_it_with_the_address_and_the_flag():
    for flag, option in (("--listen", "port"), ("--ops-listen", "ops")):
        with socket.socket() as other:
            port = h.free_port()
            other.bind((h.HOST, port))
            other.listen()
            agent = Agent(ready=False, **{option: port})
            equal(agent.wait(), 1, f"exit status with a taken {option}")
            said = "\n".join(agent.lines + agent.errors)
            check(f"{h.HOST}:{port}" in said and flag in said, f"neither address nor {flag} in: {said}")


@case
def a_wrong_configuration_ends_it_with_the_path_of_every_error():
    agent = Agent(ready=False, config={"proxy": {"lissten": "x"}, "drift": {"window": "many"}})
    equal(agent.wait(), 64, "exit status of run")
    said = "\n".join(agent.lines + agent.errors)
    result = run("check", agent.config_file)
    equal(result.returncode, 64, "exit status of check")
    for text in (said, result.stdout + result.stderr):
        check("proxy.lissten" in text and "drift.window" in text, f"not both paths in: {text}")


@case
def the_printed_default_file_is_valid_and_probes_tell_by_exit_status():
    defaults = run("config")
    equal(defaults.returncode, 0, "exit status of config")
    with Agent() as agent:
        agent_file = agent.folder / "default.yaml"
        agent_file.write_text(defaults.stdout)
        equal(run("check", agent_file).returncode, 0, "exit status of check")
        here = {"SIDELIGHT_OPS_LISTEN": f"{h.HOST}:{agent.ops}"}
        for what in ("live", "ready", "health"):
            equal(run("probe", what, **here).returncode, 0, f"exit status of probe {what}")
    check(run("probe", "live", **here).returncode != 0, "a probe of nobody succeeds")


def run(*arguments, **env):
    return subprocess.run([h.BINARY, *arguments], env=h.clean_environment(**env), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=h.PATIENCE, check=False)


@case
def separate_lines_are_the_four_of_the_course():
    with Agent(config={"log": {"lines": "separate"}}) as agent:
        answer = agent.send("POST", "/predict", ROWS[70], {"X-Request-ID": "four"})
        agent.wait_event(request_id="four", message="Request completed")
        lines = [event for event in agent.events() if event.get("request_id") == "four"]
        equal([line["message"] for line in lines],
              ["Request started", "Prediction request", "Prediction result", "Request completed"], "messages")
        common = {"timestamp", "level", "logger", "message", "request_id"}
        for line, fields in zip(lines, ({"method", "path", "client_ip"}, {"features"},
                                        {"prediction", "confidence", "model_version"}, {"status_code", "duration_ms"})):
            equal(set(line), common | fields, f"fields of {line['message']!r}")
            equal(line["level"], "INFO", "level")
        started, asked, result, completed = lines
        equal((started["method"], started["path"], started["client_ip"]), ("POST", "/predict", h.HOST), "started")
        equal(asked["features"], ROWS[70], "features")
        expected = answer.json()
        equal(result["prediction"], expected["prediction"], "prediction")
        close(result["confidence"], expected["confidence"], "confidence to four decimals", absolute=5.1e-5)
        equal(completed["status_code"], 200, "status_code")
        check(completed["duration_ms"] > 0, "duration_ms")
        times = [line["timestamp"] for line in lines]
        check(times == sorted(times) and all(t.endswith("Z") for t in times), f"times {times}")


def took_the_last(agent):
    return agent.metrics().one("sidelight_config_last_reload_successful") == 1


def reloads(agent, outcome="applied"):
    return agent.metrics().sum("sidelight_config_reloads_total", outcome=outcome)


def logger_of_the_next_request(agent):
    request_id = str(uuid.uuid4())
    agent.send("POST", "/predict", ROWS[0], {"X-Request-ID": request_id})
    return agent.wait_event(request_id=request_id)["logger"]


@case
def a_change_of_the_file_and_a_signal_reload_once_each_and_an_error_keeps_the_old():
    with Agent(config={"log": {"logger": "one"}}) as agent:
        equal(logger_of_the_next_request(agent), "one", "logger")

        agent.write_config({"log": {"logger": "two"}})
        wait_until(lambda: reloads(agent) == 1, "the changed file to be applied")
        wait_until(lambda: logger_of_the_next_request(agent) == "two", "the new logger")

        # both ways at once: still one change
        agent.write_config({"log": {"logger": "three"}})
        agent.signal(signal.SIGHUP)
        wait_until(lambda: reloads(agent) == 2, "the second change to be applied")
        wait_until(lambda: logger_of_the_next_request(agent) == "three", "the third logger")
        time.sleep(3)
        equal(reloads(agent), 2, "applied reloads after two changes")

        unchanged = reloads(agent, "unchanged")
        agent.signal(signal.SIGHUP)
        wait_until(lambda: reloads(agent, "unchanged") > unchanged, "a signal without change to be counted")
        equal(reloads(agent), 2, "applied reloads after a signal without change")

        equal(reloads(agent, "refused"), 0, "refused reloads")
        check(took_the_last(agent), "the last reload was taken")
        for broken in ("log: [", "log:\n  loger: x\n", "drift:\n  threshold: 7\n"):
            refused = reloads(agent, "refused")
            agent.write_config_text(broken)
            wait_until(lambda before=refused: reloads(agent, "refused") > before, f"{broken!r} to be refused")
            wait_until(lambda: not took_the_last(agent), "the gauge to say that it was refused")
            equal(logger_of_the_next_request(agent), "three", "logger after a broken file")
        equal(reloads(agent), 2, "applied reloads after broken files")

        agent.write_config({"log": {"logger": "four"}})
        wait_until(lambda: reloads(agent) == 3, "the repaired file to be applied")
        wait_until(lambda: took_the_last(agent), "the gauge to say that it was applied")
        wait_until(lambda: logger_of_the_next_request(agent) == "four", "the fourth logger")


@case
def what_cannot_change_live_is_named():
    with Agent(config={"proxy": {"threads": 1}}) as agent:
        agent.write_config({"proxy": {"threads": 2}, "log": {"logger": "live"}})
        wait_until(lambda: any("proxy.threads" in line for line in agent.lines), "proxy.threads to be named in the log")
        wait_until(lambda: logger_of_the_next_request(agent) == "live", "the live part to be applied")


@case
def a_config_maps_symlink_swap_is_one_change():
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as name:
        folder = pathlib.Path(name)

        def publish(version, logger):
            """As the kubelet does it: a new folder, and one rename of the link to it."""
            (folder / version).mkdir()
            (folder / version / "sidelight.yaml").write_text(json.dumps({"log": {"logger": logger}}))
            (folder / "..data_tmp").symlink_to(version)
            (folder / "..data_tmp").rename(folder / "..data")

        publish("..2026_1", "before")
        (folder / "sidelight.yaml").symlink_to("..data/sidelight.yaml")
        with Agent(config_file=folder / "sidelight.yaml") as agent:
            equal(logger_of_the_next_request(agent), "before", "logger")
            publish("..2026_2", "after")
            shutil.rmtree(folder / "..2026_1")
            wait_until(lambda: reloads(agent) == 1, "the swap to be applied")
            wait_until(lambda: logger_of_the_next_request(agent) == "after", "the new logger")
            time.sleep(2)
            equal((reloads(agent), reloads(agent, "refused")), (1, 0), "applied and refused reloads")


@case
def sigterm_finishes_what_is_in_flight_and_exits_0():
    config = {"drain": {"delay": "2s", "deadline": "30s"}}
    with h.PythonServer(h.E2E / "upstream.py") as upstream, Agent(upstream=upstream.port, config=config) as agent:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            agent.send("GET", "/slow?ms=6000", headers={"X-Request-ID": "slow"})))
        thread.start()
        wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 1, "the request to be in flight")
        agent.signal(signal.SIGTERM)
        wait_until(lambda: agent.ask("GET", "/ready").status == 503, "not ready while draining", pause=0.01)
        equal(agent.send("GET", "/status?code=200").status, 200, "status of a request during drain.delay")
        equal(agent.wait(), 0, "exit status")
        thread.join(h.PATIENCE)
        check(answers, "the request in flight got no answer")
        equal((answers[0].status, answers[0].json()), (200, {"slept_ms": 6000}), "the answer in flight")
        check(any(e.get("request_id") == "slow" for e in agent.events()), "its log line is missing")


@case
def the_drain_ends_at_its_deadline():
    config = {"drain": {"delay": 0, "deadline": "1s"}}
    with h.PythonServer(h.E2E / "upstream.py") as upstream, Agent(upstream=upstream.port, config=config) as agent:
        def slow():
            try:
                agent.send("GET", "/slow?ms=20000")
            except (OSError, http.client.HTTPException):
                pass  # it is cut off: that is what is tested
        threading.Thread(target=slow, daemon=True).start()
        wait_until(lambda: agent.metrics().one("ml_api_active_requests") == 1, "the request to be in flight")
        agent.signal(signal.SIGTERM)
        began = time.monotonic()
        agent.wait(15)
        check(time.monotonic() - began < 12, "it stayed far beyond drain.deadline")


@case
def the_bundled_server_ends_with_a_killed_agent():
    agent = Agent()
    child, _ = agent.iris_child()
    agent.child.kill()
    agent.wait()
    wait_until(lambda: not h.runs(child), "the bundled server to end", patience=10)


@case
def a_baseline_survives_a_restart():
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        config = {"state": {"dir": folder}, "drift": {"window": 20}}
        with Agent(config=config) as agent:
            equal(agent.ask("POST", "/drift/baseline", [0.5, 0.75] * 20).status, 200, "status of a baseline")
            equal(agent.ask("GET", "/drift").json()["status"], "insufficient_data", "/drift")
            agent.child.kill()
            agent.wait()
        with Agent(config=config) as agent:
            equal(agent.ask("GET", "/drift").json()["status"], "insufficient_data", "/drift after a restart")
            for row in ROWS[:20]:
                agent.send("POST", "/predict", row)
            agent.settled(requests=20)
            close(agent.ask("GET", "/drift").json()["baseline_mean"], 0.625, "baseline_mean after a restart")


@case
def what_cannot_be_read_is_answered_with_a_reason_and_counted():
    with Agent() as agent:
        for head, status in ((b"nonsense\r\n\r\n", 400),
                             (b"GET / HTTP/1.1\r\nHost: a\r\nX-Big: " + b"x" * 66_000 + b"\r\n\r\n", 431)):
            with socket.create_connection((h.HOST, agent.port), timeout=h.PATIENCE) as client:
                try:
                    client.sendall(head)
                except OSError:
                    pass  # it may answer and close before all is sent
                answer = b""
                while b"\r\n\r\n" not in answer:
                    block = client.recv(65536)
                    if not block:
                        break
                    answer += block
            line, _, fields = answer.partition(b"\r\n")
            check(line.split()[1:2] == [str(status).encode()], f"{line!r} instead of {status}")
            check(b"x-sidelight-reason:" in fields.lower(), f"no reason in {answer[:300]!r}")
        metrics = agent.settled(requests=2)
        equal(metrics.by("sidelight_request_failures_total", "fault"), {"client": 2}, "failures by fault")


if __name__ == "__main__":
    h.main("exact")
