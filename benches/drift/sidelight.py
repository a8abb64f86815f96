"""Streams through `sidelight drift`."""

import json
import os
import resource
import subprocess


def run(binary, folder, baseline, *options):
    """(verdict by column, CPU seconds of the whole program, reading of the files among them)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [binary, "drift", folder / f"{baseline}.csv", folder / "stream.csv", "--json", *options]
    # exit 1 is drift
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{binary} drift ended with {done.returncode}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    *alarms, summary = (json.loads(line) for line in done.stdout.splitlines())
    with open(folder / "stream.csv", encoding="ascii") as file:
        names = file.readline().strip().split(",")
    verdict = {name: [] for name in names}
    for alarm in alarms:
        verdict[alarm["series"]].append([alarm["prediction"]] * 2)
    if summary["alarms"] != len(alarms) or summary["series"] != len(names):
        raise RuntimeError(f"{len(alarms)} alarms of {len(names)} columns, but the summary says {summary}")
    return verdict, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


# The same baseline in the order in which it came, which says how dependent values are, and in none: that is then
# learnt from the traffic. The third accepts as many false alarms as tools that look rarely make.
MODES = {"ordered": ("baseline", "--ordered"), "live": ("shuffled",),
         "--rate 36": ("baseline", "--ordered", "--rate", "36")}
PROMISED = ("ordered", "live")
