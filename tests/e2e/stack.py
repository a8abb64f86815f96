"""The programs around the agent, as Debian has them: Prometheus, Alertmanager, node-exporter, and who is told.

Packages: prometheus (with promtool), prometheus-alertmanager (with amtool), prometheus-node-exporter.
"""

import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from urllib.parse import quote

import harness as h
from harness import Process, check, equal, request, wait_until

DEPLOY = h.ROOT / "deploy"
PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus", "amtool": "prometheus-alertmanager",
            "prometheus-alertmanager": "prometheus-alertmanager",
            "prometheus-node-exporter": "prometheus-node-exporter", "node": "nodejs"}


def needs(*commands):
    """Ends the suite, and says what to install, where a program is missing."""
    missing = sorted({PACKAGES[command] for command in commands if not shutil.which(command)})
    if missing:
        sys.exit(f"not installed: {', '.join(missing)} (Debian's names)")


def changed(text, changes, times=1):
    """A shipped file with other addresses or times; each must be in it, once or as often as is said."""
    for before, after in changes.items():
        equal(text.count(before), times, f"how often {before!r} is in the file")
        text = text.replace(before, after)
    return text


class Program(Process):
    """One that is configured by a file in a folder of its own, which goes with it."""

    def __init__(self, command, name, port, ready):
        self.port = port
        super().__init__(command, name, cwd=self.folder)

        def answers():
            check(self.is_alive(), lambda: f"{self.name} has ended\n{self.tail()}")
            return request(port, "GET", ready, timeout=5).status == 200
        wait_until(answers, f"{name} to be ready", patience=120)

    def write(self, name, text):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidelight-e2e-"))
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def stop(self, patience=20.0):
        super().stop(patience)
        shutil.rmtree(self.folder, ignore_errors=True)


class Prometheus(Program):
    def __init__(self, config, rules=None, history=None, port=None):
        """`config`: the file's text. `rules`: a folder that stands beside it. `history`: OpenMetrics with times, or a file."""
        file = self.write("prometheus.yml", config)
        if rules is not None:
            shutil.copytree(rules, self.folder / "rules")
        if history is not None:
            past = history
            if isinstance(history, str):
                past = self.folder / "history.txt"
                past.write_text(history, encoding="utf-8")
            done = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", past, self.folder / "data"],
                                  text=True, capture_output=True, timeout=600, check=False)
            equal(done.returncode, 0, f"promtool: {done.stderr}")
        port = port or h.free_port()
        super().__init__(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={self.folder}/data",
                          f"--web.listen-address={h.HOST}:{port}"], "prometheus", port, "/-/ready")

    def ask(self, path):
        body = request(self.port, "GET", path).json()
        equal(body["status"], "success", f"status of {path}: {body.get('error')}")
        return body["data"]

    def query(self, text, at=None):
        """The result of an instant query: (labels, value or samples) pairs."""
        time = "" if at is None else f"&time={at:.3f}"
        found = self.ask(f"/api/v1/query?query={quote(text)}{time}")
        return [(series["metric"], series.get("values") or series["value"]) for series in found["result"]]

    def value(self, text, at=None):
        """The one value of a query."""
        found = self.query(text, at)
        check(len(found) == 1, lambda: f"{len(found)} results of {text}: {found}")
        return float(found[0][1][1])

    def by(self, text, label, at=None):
        """Values by a label."""
        return {metric.get(label): float(value[1]) for metric, value in self.query(text, at)}


class Alertmanager(Program):
    def __init__(self, config=None):
        """`config`: the file's text; without, what is shipped."""
        text = config or (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
        file, port = self.write("alertmanager.yml", text), h.free_port()
        super().__init__(["prometheus-alertmanager", f"--config.file={file}", f"--storage.path={self.folder}",
                          "--cluster.listen-address=", f"--web.listen-address={h.HOST}:{port}"], "alertmanager", port,
                         "/-/ready")


class NodeExporter(Program):
    def __init__(self):
        self.write("empty", "")
        port = h.free_port()
        super().__init__(["prometheus-node-exporter", f"--web.listen-address={h.HOST}:{port}"], "node-exporter", port,
                         "/metrics")


class Receiver(http.server.ThreadingHTTPServer):
    """Whom Alertmanager tells: every notice of every alert, in their order."""

    daemon_threads = True

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.server.got += body["alerts"]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.got = []
        super().__init__((h.HOST, 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def url(self):
        return f"http://{h.HOST}:{self.server_port}/alerts"

    def firing(self, since=0):
        """The labels of what fired in notices from number `since` on, and those that fire by the last notice."""
        began, last = [], {}
        for place, alert in enumerate(list(self.got)):
            key = json.dumps(alert["labels"], sort_keys=True)
            if alert["status"] == "firing" and last.get(key) != "firing" and place >= since:
                began.append(alert["labels"])
            last[key] = alert["status"]
        return began, [json.loads(key) for key, status in last.items() if status == "firing"]


def durations(text, change):
    """A file with all that stands after a key ending in `_wait` or `_interval` changed."""
    return re.sub(r"(\w+_(?:wait|interval): )(\w+)", lambda match: match[1] + change(match[2]), text)
