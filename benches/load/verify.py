"""Whether candidates forward rightly, and whether other load generators say what ours does."""

import contextlib
import json
import re
import shutil
import subprocess
import time

from candidates import HOST, Bench, ask
from machine import locked
from places import RUN

ROW = b'{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'
JSON = {"Content-Type": "application/json"}
CLASSES = ("setosa", "versicolor", "virginica")


def check(args):
    """Does each candidate forward rightly? Small, large, in chunks both ways, events, a status; with a line of its log."""
    with Bench(args) as bench:
        for name in args.names:
            if not bench.start(name):
                continue
            said = [f"{what}={_outcome(question, bench.port[name])}" for what, question in QUESTIONS.items()]
            time.sleep(1.2)     # some write their log once a second
            print(f"{name:20} " + " ".join(said) + _first_line(name), flush=True)


def _post(port, path, body=ROW, chunked=False):
    return ask(port, path, "POST", iter([body]) if chunked else body, JSON, chunked=chunked)


QUESTIONS = {
    "predict": lambda port: json.loads(_post(port, "/predict")[2])["prediction"] in CLASSES,
    "1MiB-resp": lambda port: len(_post(port, "/predict?bytes=1048576")[2]) == 1 << 20,
    "1MiB-echo": lambda port: _post(port, "/echo", b"z" * (1 << 20))[2] == b"z" * (1 << 20),
    "chunked-req": lambda port: _post(port, "/echo", b"hello", chunked=True)[2] == b"hello",
    "sse": lambda port: _post(port, "/predict?mode=sse&n=3&gap_ms=20")[2].count(b"data: ") == 3,
    "503": lambda port: _post(port, "/predict?status=503")[0] == 503,
    "reqid": lambda port: "x-request-id" in _post(port, "/predict")[1],
}


def _outcome(question, port):
    try:
        return "ok" if question(port) else "NO"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"ERR({type(error).__name__})"


def _first_line(name):
    """Of its JSON log, and how many there are."""
    run = RUN / name.replace("#", "_")
    for file in (run / "access.log", RUN / f"{run.name}.out"):
        with contextlib.suppress(OSError):
            lines = [line for line in file.read_text(errors="replace").splitlines() if '{"timestamp' in line]
            if lines:
                return f"\n      log({len(lines)}): {lines[0][:400]}"
    return ""


def crosscheck(args):
    """The same candidate under wrk, h2load and hey, to see that `load` says the same."""
    with Bench(args) as bench:
        script, body = RUN / "post.lua", RUN / "body.json"
        body.write_bytes(ROW)
        script.write_text('wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\n'
                          f"wrk.body='{ROW.decode()}'\n")
        for name in args.names:
            if not bench.start(name):
                continue
            url = f"http://{HOST}:{bench.port[name]}/predict"
            with locked(args):
                ours = bench.load(name, "closed", "-c", str(args.conns), "-d", str(args.seconds), "-w", "0.5")
                print(f"{name:20} load   rps {ours['rps']:.0f}", flush=True)
                for tool, command, pattern in _others(args, url, script, body):
                    print(f"{name:20} {tool:6} rps {_rate(bench, command, pattern)}", flush=True)


def _others(args, url, script, body):
    """The generators at hand: name, command, and where its rate is in what it prints."""
    connections, seconds = str(args.conns), str(max(1, int(args.seconds)))
    commands = {
        "wrk": (["-t1", "-c", connections, "-d", f"{seconds}s", "-s", script, url], r"Requests/sec:\s+([\d.]+)"),
        "h2load": (["--h1", "-t1", "-c", connections, "-D", seconds, "-d", body, url], r"([\d.]+) req/s"),
        "hey": (["-c", connections, "-z", f"{seconds}s", "-m", "POST", "-D", body, "-T", "application/json", url],
                r"Requests/sec:\s+([\d.]+)"),
    }
    return [(tool, [tool, *options], pattern) for tool, (options, pattern) in commands.items() if shutil.which(tool)]


def _rate(bench, command, pattern):
    done = subprocess.run(bench.pinned(command, bench.side_cpus), capture_output=True, text=True, check=False)
    match = re.search(pattern, done.stdout)
    return f"{float(match[1]):.0f}" if match else "?"
