"""Times and CPU of candidates side by side, in rounds that take turns."""

import json
import statistics
import sys
import time

from candidates import Bench
from machine import NoLock, locked
from places import RESULTS, folder

# columns of each block's table; the first has its ratio to the base and its spread shown
SHOWN = {
    "closed": ("rps", "cpu_us", "user_us", "sys_us", "p50_us", "p99_us", "core_use"),
    "closed1": ("rps", "p50_us", "p99_us", "cpu_us"),
    "open": ("p50_us", "p99_us", "p999_us", "cpu_us"),
    "even": ("p50_us", "p99_us", "p999_us", "cpu_us"),
    "bigresp": ("mb_in_per_s", "us_per_mb"),
    "bigreq": ("rps", "cpu_us"),
    "mid": ("rps", "cpu_us"),
    "close": ("rps", "cpu_us"),
    "sse": ("rps", "cpu_us"),
}


def blocks(args):
    """What the load is told for each block."""
    times = ("-d", str(args.seconds), "-w", str(args.warm))
    closed = ("closed", "-c", str(args.conns), *times)
    rate = ("open", "-c", "64", "-R", str(args.rate), *times)
    return {
        "closed": closed,
        "closed1": ("closed", "-c", "1", *times),
        "open": (*rate, "--poisson"),
        "even": rate,
        "bigresp": ("closed", "-c", "4", *times, "--path", "/predict?bytes=1048576"),
        "bigreq": ("closed", "-c", "4", *times, "--body-bytes", "1048576"),
        "mid": (*closed, "--path", "/predict?bytes=16384", "--body-bytes", "16384"),
        "close": ("closed", "-c", "16", *times, "--close"),
        "sse": (*closed, "--path", "/predict?mode=sse&n=16"),
    }


def with_noise(names, base):
    """The base and a second instance of it among the names: what differs between the two is noise."""
    second = f"{base}#2"
    return [*names, *(name for name in (base, second) if name not in names and base != "direct")]


def compare(args):
    """Starts all, then runs A B C A B C; prints medians, ratios to --base and spreads. NAME#2 of the base shows noise."""
    kinds = args.blocks.split(",")
    unknown = set(kinds) - set(SHOWN)
    if unknown:
        sys.exit(f"no such block: {', '.join(sorted(unknown))}; there are {' '.join(SHOWN)}")
    rows = {}
    with Bench(args) as bench:
        names = [name for name in with_noise(args.names, args.base) if bench.start(name)]
        time.sleep(1)
        todo = [(number, kind, name) for number in range(args.rounds) for kind in kinds for name in names]
        done = 0
        try:
            while done < len(todo):
                done += _measure(bench, todo[done:], rows)
                time.sleep(0.3)
        except NoLock as error:
            print(f"  {error}: {done} of {len(todo)} blocks measured", file=sys.stderr)
    for kind in kinds:
        _show(args, kind, names, rows, bench.specifications)
    write(args, "compare", [{"block": kind, "name": name, "runs": runs} for (kind, name), runs in rows.items()])


def _measure(bench, todo, rows):
    """As many blocks as --hold lets; how many."""
    args, done = bench.args, 0
    settings = blocks(args)
    with locked(args) as waited:
        if args.lock:
            print(f"  lock: waited {waited:.1f} s", file=sys.stderr)
        began = time.monotonic()
        for number, kind, name in todo:
            if done and time.monotonic() - began > args.hold:
                break
            done += 1
            process = bench.processes.get(name)
            if process and process.poll() is not None:
                print("  died:", name, file=sys.stderr)
                continue
            result = bench.load(name, *settings[kind])
            result["round"], result["locked"] = number, bool(args.lock)
            rows.setdefault((kind, name), []).append(result)
            if args.verbose:
                said = " ".join(f"{column}={result.get(column, 0):.1f}" for column in SHOWN[kind])
                busy, errors = result["machine_busy"], result["errors"]
                print(f"  {number} {kind:8} {name:20} {said} busy={busy:.2f} err={errors}", flush=True)
    return done


def median(runs, column):
    values = [run[column] for run in runs if column in run]
    return statistics.median(values) if values else float("nan")


def spread(runs, column):
    """(max - min) / median, per cent."""
    values = sorted(run[column] for run in runs if column in run)
    middle = statistics.median(values) if values else 0
    return (values[-1] - values[0]) / middle * 100 if len(values) > 1 and middle else 0.0


def ratio(runs, base, column):
    return median(runs, column) / median(base, column) if base and median(base, column) else float("nan")


def _show(args, kind, names, rows, specifications):
    columns = SHOWN[kind]
    second = "cpu_us" if "cpu_us" in columns else columns[-1]
    print(f"\n== {kind}  ({args.rounds} rounds interleaved, {args.seconds} s each, threads={args.threads}; medians; "
          f"x = ratio to {args.base}; ± = (max-min)/median of the first column)")
    print(f"{'candidate':20} {'work':8}" + "".join(f"{column:>12}" for column in columns)
          + f"{'x ' + columns[0]:>14}{'x ' + second:>14}{'±%':>7}{'errors':>8}")
    base = rows.get((kind, args.base))
    for name in names:
        runs = rows.get((kind, name))
        if not runs:
            continue
        work = specifications[name.split("#")[0]].get("work", "")
        ratios = [ratio(runs, base, column) for column in (columns[0], second)]
        print(f"{name:20} {work:8}" + "".join(f"{median(runs, column):12.2f}" for column in columns)
              + "".join(f"{value:14.2f}" for value in ratios) + f"{spread(runs, columns[0]):7.1f}"
              + f"{sum(run['errors'] + run['non2xx'] for run in runs):8d}")


def write(args, kind, rows):
    """What was measured, whole, with the arguments of this run."""
    out = folder(RESULTS) / (args.out or time.strftime(f"{kind}-%Y%m%d-%H%M%S.json"))
    said = {key: value for key, value in vars(args).items() if key != "run"}
    out.write_text(json.dumps({"args": said, "rows": rows}, indent=1) + "\n")
    print(f"\nwritten: {out}")
