"""Where things are: sources beside this file, everything that is written in `target/load`."""

import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

SOURCES, TEMPLATES, PEERS = HERE / "src", HERE / "peers", ROOT / "benches" / "peers"
OUT = TARGET / "load"
BIN, RUN, RESULTS, VENV, CRATES = OUT / "bin", OUT / "run", OUT / "results", OUT / ".venv", OUT / "crates"


def folder(path):
    """The folder, made if it was not there."""
    path.mkdir(parents=True, exist_ok=True)
    return path
