"""What a candidate holds in memory, how soon it serves, and what it costs to be scraped."""

import http.client
import statistics
import subprocess
import time

import machine
from candidates import HOST, Bench, ask
from compare import write
from machine import locked
from verify import JSON, ROW

# each connection is two descriptors of a proxy; besides, it has files of its own
SPARE_DESCRIPTORS = 500
SERIES, SCRAPES, STARTS = 2000, 100, 20


def memory(args):
    """Resident/private MiB: idle, under load, with N connections 5 s after all were active at once, 5 s after they closed."""
    rows, count = [], min(args.connections, (machine.descriptors() - SPARE_DESCRIPTORS) // 2)
    for name in args.names:
        with Bench(args) as bench:
            if name == "direct" or not bench.start(name):
                continue
            row = {"name": name, "connections": count, **_held(bench, name, count)}
        rows.append(row)
        said = "  ".join(f"{key} {value[0] / 1024:.1f}/{value[1] / 1024:.1f}"
                         for key, value in row.items() if isinstance(value, tuple))
        print(f"{name:20} {said}  ({count} connections, {row['said']})", flush=True)
    write(args, "memory", rows)


def _held(bench, name, count):
    time.sleep(1)
    row = {"idle": machine.memory_of(bench.pids(name))}
    with locked(bench.args):
        under = bench.load(name, "closed", "-c", str(bench.args.conns), "-d", str(bench.args.seconds), "-w", "0.2")
    row["load"] = (under["rss_kib"], under["private_kib"])
    # the first answer comes when the last request is under way
    slow = ("-c", str(count), "-d", "600", "--at-once", "--path", "/predict?delay_ms=5000")
    clients = bench.begin_load(name, "idle", *slow, stdin=subprocess.PIPE)
    try:
        row["said"] = clients.stdout.readline().strip() or clients.stderr.read().strip()
        time.sleep(5)
        row["connected"] = machine.memory_of(bench.pids(name))
    finally:
        clients.stdin.close()
        clients.wait()
    time.sleep(5)
    row["closed"] = machine.memory_of(bench.pids(name))
    return row


def start(args):
    """Milliseconds from the start of the process to the first answer through it; the median of 20."""
    rows = []
    for name in args.names:
        with Bench(args) as bench:
            if name == "direct":
                continue
            times = []
            with locked(args):
                while len(times) < STARTS and bench.launch(name):
                    times.append(_first_answer(bench, name))
                    bench.stop(name)
        if not times:
            continue
        rows.append({"name": name, "ms": times})
        print(f"{name:20} {statistics.median(times):8.1f} ms (of {len(times)}: {min(times):.1f} to {max(times):.1f})",
              flush=True)
    write(args, "start", rows)


def _first_answer(bench, name, patience=30):
    began = bench.began[name]
    while time.monotonic() - began < patience:
        try:
            if ask(bench.port[name], "/predict", "POST", ROW, JSON)[0] == 200:
                return (time.monotonic() - began) * 1000
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.0005)
    raise SystemExit(f"{name}: no answer in {patience} s")


def scrape(args):
    """CPU ms per GET of the metrics with 2,000 series, and what constant scraping does to the latency of requests."""
    rows = []
    for name in args.names:
        with Bench(args) as bench:
            table = bench.specifications.get(name.split("#")[0], {})
            if "metrics" not in table:
                print(f"{name:20} exports no metrics", flush=True)
                continue
            if not bench.start(name):
                continue
            port = (bench.admin if table.get("metrics_port") == "admin" else bench.port)[name]
            row = {"name": name, **_scraped(bench, name, port, table["metrics"])}
        rows.append(row)
        print(f"{name:20} {row['series']} series, {row['bytes'] >> 10} KiB: {row['cpu_ms']:.2f} ms of CPU per scrape", flush=True)
        for kind in ("quiet", "scraped"):
            said = "  ".join(f"{column} {_median(row[kind], column):.0f}" for column in ("p50_us", "p99_us", "p999_us"))
            print(f"{'':20} {kind:8} {said}", flush=True)
    write(args, "scrape", rows)


def _median(runs, column):
    return statistics.median(run[column] for run in runs)


def _scraped(bench, name, port, path):
    series, size = _fill(bench.port[name], port, path)
    pids = bench.pids(name)
    with locked(bench.args):
        before = machine.cpu_of(pids)[0]
        for _ in range(SCRAPES):
            ask(port, path)
        row = {"series": series, "bytes": size, "cpu_ms": (machine.cpu_of(pids)[0] - before) / SCRAPES * 1000,
               "quiet": [], "scraped": []}
        for _ in range(bench.args.rounds):
            row["quiet"].append(_latency(bench, name))
            with _Scraper(bench, port, path):
                row["scraped"].append(_latency(bench, name))
    return row


def _latency(bench, name):
    args = bench.args
    return bench.load(name, "open", "-c", "64", "-R", str(args.rate), "-d", str(args.seconds), "-w", str(args.warm),
                      "--poisson")


class _Scraper:
    """Asks for the metrics again as soon as they have come, until it is left."""

    def __init__(self, bench, port, path):
        bench.port["_scraped"] = port
        self.loader = bench.begin_load("_scraped", "closed", "-c", "1", "-d", "600", "--method", "GET", "--path", path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loader.kill()
        self.loader.communicate()


def _fill(port, metrics_port, path):
    """Makes series until there are enough, or no more come; how many, and the bytes of a scrape."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    series = size = 0
    for step in range(200):
        for status in (200, 400, 404, 500, 503):
            for method in ("POST", "PUT"):
                _send(connection, method, f"/predict/e{step}?class=c{step}&status={status}")
        if step % 10 == 9:
            time.sleep(0.3)
            text = ask(metrics_port, path)[2]
            size, now = len(text), sum(not line.startswith(b"#") for line in text.splitlines() if line)
            if now >= SERIES or (step > 100 and now == series):
                return now, size
            series = now
    return series, size


def _send(connection, method, target):
    connection.request(method, target, ROW, JSON)
    connection.getresponse().read()
