"""A Dockerfile and a .dockerignore, read as Docker reads them, as far as ours use it."""

import fnmatch
import json
import pathlib
import re
import shutil
import subprocess


class Instruction:
    """One instruction: its name, `--flags`, and the rest as text."""

    def __init__(self, text):
        self.name, _, rest = text.partition(" ")
        self.name = self.name.upper()
        self.flags = []
        rest = rest.strip()
        while match := re.match(r"--(\S+)\s+", rest):
            self.flags.append(match.group(1))
            rest = rest[match.end():]
        self.rest = rest

    def words(self):
        """Of the exec form, or split at spaces."""
        return json.loads(self.rest) if self.rest.startswith("[") else self.rest.split()

    def flag(self, name):
        found = [flag.partition("=")[2] for flag in self.flags if flag.partition("=")[0] == name]
        return found[0] if found else None


def stages(text):
    """Instructions by stage, each with what begins it first; ARGs before the first are none of them."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        if line.strip():
            instruction = Instruction(re.sub(r"\s+", " ", line.strip()))
            if instruction.name == "FROM":
                found.append([])
            if found:
                found[-1].append(instruction)
    return found


def of(stage, name):
    return [instruction for instruction in stage if instruction.name == name]


def commands(instruction):
    """The shell commands of a RUN, one after the other."""
    return [part.strip() for part in instruction.rest.split("&&")]


def _matches(pattern, path):
    """Whether a pattern names `path` or a folder that it is in. A `*` ends at a slash."""
    parts, wanted = path.split("/"), pattern.strip("/").split("/")
    return len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def is_ignored(rules, path):
    """By .dockerignore: the last rule that matches decides."""
    ignored = False
    for rule in rules.splitlines():
        rule = rule.strip()
        if rule and not rule.startswith("#") and _matches(rule.lstrip("!"), path):
            ignored = not rule.startswith("!")
    return ignored


def context(root, rules=None):
    """The files that a build from `root` is given, by other rules than .dockerignore's where there are some.

    Of a checkout: what is in git or could be.
    """
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split("\0")
    rules = rules or (root / ".dockerignore").read_text(encoding="utf-8")
    return sorted(name for name in listed if name and (root / name).is_file() and not is_ignored(rules, name))


def sources(files, pattern):
    """What a source of COPY names: files, each with its path at the destination."""
    pattern = pattern.rstrip("/").removeprefix("./")
    found = {}
    for name in files:
        parts, wanted = name.split("/"), pattern.split("/")
        if len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted)):
            # of a folder its contents, of a file its name
            found[name] = "/".join(parts[len(wanted):]) or parts[-1]
    return found


def copy(root, files, instruction, workdir):
    """Does a COPY from the context into `workdir`; gives what it named and did not find."""
    *names, target = instruction.words()
    missing = []
    for name in names:
        found = sources(files, name)
        if not found:
            missing.append(name)
        is_one = list(found) == [name.rstrip("/")]
        for source, place in found.items():
            into = pathlib.Path(workdir, target, place)
            if is_one and not (target.endswith("/") or target == "." or len(names) > 1):
                into = pathlib.Path(workdir, target)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / source, into)
    return missing
