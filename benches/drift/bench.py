#!/usr/bin/env python3
"""Sidelight's drift detector beside others, on the same streams.

    bench.py check             Sidelight alone, against bounds.toml; exit 1 when it is worse (a minute)
    bench.py peers [TOOL...]   the others, in environments of their own (10 to 25 minutes)
    bench.py table             both, as Markdown

What was found stays in target/drift. `check` needs Python's standard library and the release build.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import environments
import figures
import report
import sidelight
import streams

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "target/drift"
TOOLS = environments.TOOLS


def check(binary):
    """Runs Sidelight over all streams; whether all bounds hold."""
    found = {mode: figures.Figures() for mode in sidelight.MODES}
    with Lines("sidelight") as lines, tempfile.TemporaryDirectory(prefix="sidelight-drift-") as folder:
        folder = pathlib.Path(folder)
        for stream in streams.all_streams():
            streams.write(stream, folder)
            for mode, (baseline, *options) in sidelight.MODES.items():
                verdict, seconds = sidelight.run(binary, folder, baseline, *options)
                found[mode].add(stream, verdict)
                lines.add(f"sidelight, {mode}", stream, verdict, seconds)
    bounds, fails = figures.Bounds(pathlib.Path(__file__).with_name("bounds.toml")), False
    for mode in sidelight.PROMISED:
        for is_worse, words in bounds.judge(mode, found[mode]):
            fails |= is_worse
            print(words)
    return not fails


class Lines:
    """A file of verdicts, one stream a line; there when all are written."""

    def __init__(self, name):
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.path = RESULTS / f"{name}.jsonl"
        self.file = None

    def __enter__(self):
        self.file = self.path.with_suffix(".part").open("w", encoding="ascii")
        return self

    def __exit__(self, kind, *_):
        self.file.close()
        if kind is None:
            self.path.with_suffix(".part").replace(self.path)

    def add(self, tool, stream, verdict, seconds):
        line = {"tool": tool, "stream": stream.name, "verdict": verdict, "seconds": seconds}
        self.file.write(json.dumps(line) + "\n")


def peers(names):
    """Runs each in its environment. All read the same files, which are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sidelight-drift-") as folder:
        folder = pathlib.Path(folder)
        for number, stream in enumerate(streams.all_streams()):
            place = folder / str(number)
            place.mkdir()
            streams.write(stream, place)
            if report.is_costed(stream):
                (place / "cost").touch()
        for name in names:
            print(f"{name} ..", flush=True)
            with Lines(name) as lines:
                run_peer(name, folder, lines)


def run_peer(name, folder, lines):
    """One tool over all streams."""
    command = [environments.python(ROOT, name), pathlib.Path(__file__).with_name("tools.py"), name, folder]
    described = {str(number): stream for number, stream in enumerate(streams.all_streams())}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            said = json.loads(line)
            lines.add(said["tool"], described[said["place"]], said["verdict"], said["seconds"])
    if child.returncode:
        raise RuntimeError(f"{name} ended with {child.returncode}")


def table():
    """Prints what `check` and `peers` have left."""
    described = {stream.name: stream for stream in streams.all_streams()}
    found, costs = {}, {}
    for name in ("sidelight", *TOOLS):
        path = RESULTS / f"{name}.jsonl"
        if not path.exists():
            print(f"no {path.name}: not run", file=sys.stderr)
            continue
        for line in map(json.loads, path.read_text(encoding="ascii").splitlines()):
            stream = described[line["stream"]]
            found.setdefault(line["tool"], figures.Figures()).add(stream, line["verdict"])
            costs.setdefault(line["tool"], report.Cost()).add(stream, line["seconds"])
    print(report.markdown(found, costs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/sidelight")
    parser.add_argument("command", choices=("check", "peers", "table"))
    parser.add_argument("tools", nargs="*", help=f"of {', '.join(TOOLS)}; all when none is named")
    asked = parser.parse_args()
    if unknown := set(asked.tools) - set(TOOLS):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    if asked.command == "check":
        return 0 if check(asked.binary) else 1
    if asked.command == "peers":
        peers(asked.tools or TOOLS)
    table()
    return 0


if __name__ == "__main__":
    sys.exit(main())
