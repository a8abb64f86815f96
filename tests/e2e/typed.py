"""Dashboards in the types of Grafana's own schema, and YAML, by packages that tests/run.sh installs. No case."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import harness as h
from harness import check, equal

CACHE = h.ROOT / ".cache" / "grafana"
TSC = ("--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution",
       "bundler")


def refused(dashboards):
    """What the compiler says of each of these, by name, by Grafana's own types."""
    check((CACHE / "node_modules").is_dir(), f"{CACHE} has no packages: tests/run.sh puts them there")
    found = {name: [] for name in dashboards}
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        folder = pathlib.Path(folder)
        shutil.copy(h.E2E / "grafana" / "dashboard.ts", folder)
        for name, dashboard in dashboards.items():
            text = f'import type {{ Shipped }} from "./dashboard";\nexport const shipped: Shipped = '
            (folder / f"{name}.ts").write_text(f"{text}{json.dumps(dashboard, indent=1)};\n", encoding="utf-8")
        done = subprocess.run([CACHE / "node_modules" / ".bin" / "tsc", *TSC, *(f"{name}.ts" for name in dashboards)],
                              cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                              check=False)
    for name, said in re.findall(r"^(\S+)[.]ts\(\d+,\d+\): error (.+)$", done.stdout, re.M):
        check(name in found, lambda: f"the types themselves: {done.stdout[:2000]}")
        found[name].append(said)
    equal(done.returncode != 0, any(found.values()), f"the compiler's exit code, {done.stdout[:2000]}")
    return found


def parsed(file):
    """A file of YAML."""
    text = 'process.stdout.write(JSON.stringify(require("yaml").parse(require("fs").readFileSync(0, "utf-8"))))'
    done = subprocess.run(["node", "-e", text], cwd=CACHE, input=file.read_text(encoding="utf-8"), text=True,
                          stdout=subprocess.PIPE, timeout=60, check=True)
    return json.loads(done.stdout)
