"""Which tool lives in which environment of Python."""

TOOLS = {"scipy": "drift_peers", "evidently": "drift_peers", "nannyml": "drift_peers", "river": "drift_peers",
         "alibi-detect": "drift_alibi"}


def python(root, tool):
    """Its interpreter, which `tests/run.sh` makes."""
    path = root / ".cache/venv" / TOOLS[tool] / "bin/python"
    if not path.exists():
        raise FileNotFoundError(f"{path}: made by `tests/run.sh drift`")
    return path
