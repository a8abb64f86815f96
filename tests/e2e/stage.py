"""From the traffic to the notice: replicas, the real Prometheus, Alertmanager and node-exporter with what deploy/ has for
them, and a receiver. What happens on it are scenes, one after the other.

The rules are the shipped ones in 60 times less time, so an hour is a minute.
"""

import contextlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import fleet
import harness as h
import stack
from harness import Failed, check, equal, wait_until
from stack import DEPLOY

sys.path.insert(0, str(DEPLOY))
import durations  # noqa: E402
import generate  # noqa: E402

TIMES = 60
HOUR = 3600 / TIMES
REPLICAS = 3
# a machine that is busy has longer pauses than the shipped objective allows; a slow model is slower still
SLOW = {"  seconds: 0.2\n": "  seconds: 1.0\n"}
# how long anything may take: many times what it takes
PATIENCE = 300.0
# predictions of a replica within an hour: too few for it to prove a small shift
FEW = 120
USUAL = 4 * FEW * REPLICAS / HOUR

# why an alert may come long after its cause: windows of hours
BUDGET = "requests that fail burn their budget, whatever else is said of them"
BURNS = {"MlErrorBudgetBurn", "MlLatencyBudgetBurn"}
# From the cause to the alert as it is shipped, for causes as large as those here: until enough of the window shows it,
# and for how long it must be so. Written here and not taken from the rules: one that had to be so for hours would be in
# time by itself.
WITHIN = {
    "HighErrorRate": "11m", "HighLatency": "11m", "MlErrorBudgetBurn": "25m", "MlLatencyBudgetBurn": "50m",
    "MlAgentDown": "3m", "ModelNotLoaded": "3m", "MlModelNotLoaded": "3m",
    "LowPredictionConfidence": "26m", "MlLowConfidence": "26m", "MlPredictionsUnread": "26m",
    "MlConfidenceDrift": "70m", "MlClassBalanceShift": "40m", "MlFeatureDrift": "40m",
}
# a busy machine needs so many times as long, and never so few seconds more that a pause of it is too late
SLACK, SLACK_S = 4, 60


def limit_of(name):
    """Seconds from the cause to the notice that an alert may take, the wait for others of its group included."""
    shipped = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    # the first is for all but what wakes somebody, which waits less, and notes, of which none is here
    wait = re.search(r"group_wait: (\w+)", shipped)[1]
    takes = (durations.seconds(WITHIN[name]) + durations.seconds(wait)) / TIMES
    return max(SLACK * takes, takes + SLACK_S)


def history(now):
    """Three days without a failure, as the recording rules would have left them."""
    interval = generate.read(DEPLOY / "slo.yaml")["prometheus"]["interval"] / TIMES
    count = int(3 * 24 * HOUR / interval)
    lines = []
    for what, value in (("requests", USUAL), ("requests_failed", 0), ("requests_timed", USUAL), ("requests_slow", 0)):
        name = f"job:ml_{what}:rate5m"
        lines.append(f"# TYPE {name} gauge")
        lines += [f'{name}{{job="ml-api"}} {value} {now - place * interval:.3f}' for place in range(count, 0, -1)]
    return "\n".join([*lines, "# EOF"]) + "\n"


class Stage:
    """Everything that runs, from the traffic to the receiver of notices."""

    def __enter__(self):
        with contextlib.ExitStack() as ends:
            self.start(ends)
            self.ends = ends.pop_all()
        return self

    def __exit__(self, *_):
        self.ends.close()

    def start(self, ends):
        # probes as often as the rest; a verdict at once
        config = {"model": {"probe_interval": "200ms"}, "drift": {"check_interval": "1s"}}
        self.pool = fleet.Pool(2000)
        self.fleet = fleet.Fleet(REPLICAS, self.pool, config)
        ends.callback(self.fleet.stop)
        self.traffic = self.fleet.traffic
        self.receiver = ends.enter_context(stack.Receiver())
        shipped = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
        shipped = stack.durations(shipped, lambda text: durations.shorter(text, TIMES))
        self.alertmanager = ends.enter_context(stack.Alertmanager(stack.changed(
            shipped, {"http://alert-receiver:8081/alerts": self.receiver.url()})))
        self.exporter = ends.enter_context(stack.NodeExporter())
        folder = pathlib.Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="sidelight-e2e-")))
        self.traffic.rate = FEW * REPLICAS / HOUR
        self.prometheus = ends.enter_context(self.prometheus_of(folder))
        # until it has scraped, agents are absent
        up = 'sum(up{job="ml-api"})'
        wait_until(lambda: self.prometheus.value(up) == REPLICAS, "all replicas to be scraped", PATIENCE)
        wait_until(lambda: not self.prometheus.query("ALERTS") and not self.receiver.firing()[1], "calm", PATIENCE)
        # notices that a scene has looked at, and what may still come of causes that have ended
        self.looked_at, self.open = len(self.receiver.got), set()
        self.began = time.monotonic()

    def prometheus_of(self, folder):
        """Prometheus with the shipped configuration at other addresses, and the shipped rules in less time."""
        copy = shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "slo.yaml").write_text(stack.changed((copy / "slo.yaml").read_text(encoding="utf-8"), SLOW))
        done = subprocess.run([sys.executable, copy / "generate.py", "--into", folder / "rules", "--times", str(TIMES)],
                              text=True, capture_output=True, timeout=600, check=False)
        equal(done.returncode, 0, f"generate.py: {done.stderr}")
        port = h.free_port()
        targets = '", "'.join(f"{h.HOST}:{replica.agent.ops}" for replica in self.fleet.replicas)
        shipped = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
        # who is told of alerts, and is scraped
        shipped = stack.changed(shipped, {"alertmanager:9093": f"{h.HOST}:{self.alertmanager.port}"}, times=2)
        config = stack.changed(shipped, {
            "scrape_interval: 15s": "scrape_interval: 1s", "evaluation_interval: 30s": "evaluation_interval: 1s",
            "node-exporter:9100": f"{h.HOST}:{self.exporter.port}",
            "sidelight:9464": targets, "localhost:9090": f"{h.HOST}:{port}"})
        return stack.Prometheus(config, folder / "rules", history(time.time()), port)

    def warm(self):
        """An hour has passed since the first scrape, and the windows of an hour are full."""
        time.sleep(max(0, self.began + HOUR + 5 - time.monotonic()))

    def firing(self):
        """What fires by Prometheus, whether anybody is told or not."""
        return [metric for metric, _ in self.prometheus.query('ALERTS{alertstate="firing"}')]


STAGE = Stage()


def names(alerts):
    return {alert["alertname"] for alert in alerts}


class Scene:
    """What happens from now on. `must`: alerts that have to reach the receiver. `may`: others, each with the reason."""

    def __init__(self, *must, may=None):
        self.must, self.may = set(must), may or {}
        self.mine = self.must | set(self.may)
        # what lasts is resolved by a later scene, and a budget is burnt for hours
        self.lasts = self.mine
        self.since = STAGE.looked_at
        self.first = {}
        self.began = time.monotonic()

    def __enter__(self):
        STAGE.traffic.rate = USUAL
        return self

    def __exit__(self, *error):
        STAGE.fleet.heal()
        STAGE.open |= self.lasts

    def began_and_fire(self):
        """Names of what has begun to fire, and of what fires now. What may not fire is a failure."""
        STAGE.looked_at = len(STAGE.receiver.got)
        began, fire = STAGE.receiver.firing(self.since)
        wrong = [alert for alert in began if alert["alertname"] not in self.mine | STAGE.open]
        check(not wrong, lambda: f"fires beside: {wrong}")
        # of a budget the fastest burn: what holds for longer says it later, under the same name
        quick = names(alert for alert in began if alert.get("window", "1h") == "1h")
        for name in quick & self.mine:
            self.first.setdefault(name, time.monotonic() - self.began)
        return names(began), names(fire)

    def until(self, condition, what, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not condition(*self.began_and_fire()):
            if time.monotonic() > end:
                raise Failed(f"waited {seconds:.0f} s for {what}; {STAGE.firing()} by Prometheus, "
                             f"notices: {STAGE.receiver.firing(self.since)}")
            time.sleep(0.2)

    def fires(self):
        limits = {name: limit_of(name) for name in self.must}
        self.until(lambda *_: self.must <= set(self.first), f"{sorted(self.must)} to fire", max(limits.values()))
        print("       " + ", ".join(f"{name} after {after:.0f} s" for name, after in self.first.items()))
        for name, limit in limits.items():
            check(self.first[name] <= limit, f"{name} after {self.first[name]:.0f} s, it has {limit:.0f}")

    def resolves(self):
        """Heals, and waits until all that has begun is resolved."""
        STAGE.fleet.heal()
        began = time.monotonic()
        self.until(lambda _, fire: not fire & self.mine, f"{sorted(self.mine)} to resolve")
        self.lasts = self.mine & BURNS
        print(f"       resolved {time.monotonic() - began:.0f} s after the cause has ended")


def resolved(*wanted, rate=USUAL):
    """Waits until these fire no more, and nothing else begins to."""
    with Scene() as scene:
        STAGE.traffic.rate = rate
        scene.until(lambda _, fire: not fire & set(wanted), f"{wanted} to resolve")
    STAGE.open -= set(wanted)
