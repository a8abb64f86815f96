#!/usr/bin/env python3
"""Checks what the package depends on, over `cargo metadata`, without the network.

Licences and sources are allowed ones, a crate stands there once or the second version is explained,
nothing enables what changes the meaning of numbers, the build stays small, and the tables of
docs/dependencies.md say what Cargo.toml does and why.
`--self-test` runs the checks on graphs with each fault planted.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
TABLES = ROOT / "docs" / "dependencies.md"

# ISC, which says what MIT says, is that of ring, untrusted and rustls-webpki.
LICENCES = {"MIT", "Apache-2.0", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0"}

# More than one version of a crate, with the reason it cannot be helped.
DUPLICATES = {
    "getrandom": "0.2 of ring and 0.3 of rand_core 0.9 of metrics-util are behind tempfile",
    "hashbrown": "metrics-util is behind indexmap",
    "nom": "8 of rsonpath-syntax; 7 of asn1-rs of rcgen, only in tests",
    "rand": "0.9 of metrics-util; 0.3, 0.4 and 0.10 only in tests",
    "rand_core": "rand 0.9 of metrics-util; 0.10 only in tests",
    "syn": "2 of prost-derive, which the feature otlp builds, and of x509-parser, which rcgen (only in tests) does not",
}

# (crate, feature): reason. Features are one set for the whole program.
FORBIDDEN_FEATURES = {
    ("serde_json", "arbitrary_precision"): "changes how every number is read and written",
}

# Crates of the Linux build without those of tests, the package itself not counted. Two of them, `zerocopy-derive` and
# its `syn`, are in no build: `half` of criterion asks for them, and to `cargo metadata` features are one set.
CEILING = 157
# The same with what the features of FEATURES ask for.
FEATURES = ["otlp"]
CEILING_WITH_FEATURES = 161


def allowed(expression):
    """Whether an SPDX expression can be met with LICENCES alone."""
    tokens = re.findall(r"\(|\)|[^\s()/]+|/", expression)

    def alternatives(at):
        value, at = conjunction(at)
        while at < len(tokens) and tokens[at] in ("OR", "/"):
            right, at = conjunction(at + 1)
            value = value or right
        return value, at

    def conjunction(at):
        value, at = single(at)
        while at < len(tokens) and tokens[at] == "AND":
            right, at = single(at + 1)
            value = value and right
        return value, at

    def single(at):
        if tokens[at] == "(":
            value, at = alternatives(at + 1)
            return value, at + 1
        value = tokens[at] in LICENCES
        if at + 1 < len(tokens) and tokens[at + 1] == "WITH":
            # an exception is a licence of its own
            return False, at + 3
        return value, at + 1

    value, end = alternatives(0)
    return value and end == len(tokens)


def check_licences(metadata):
    for package in metadata["packages"]:
        if not allowed(package["license"] or "none"):
            yield f"{package['name']} {package['version']}: licence {package['license']} is not allowed"


def check_sources(metadata):
    """All from one registry: that of serde, which is cargo's own."""
    registry = next(package["source"] for package in metadata["packages"] if package["name"] == "serde")
    if not (registry or "").startswith("registry+"):
        yield f"serde: comes from {registry or 'a folder'}"
    for package in metadata["packages"]:
        is_own = package["id"] in metadata["workspace_members"]
        if not is_own and package["source"] != registry:
            yield f"{package['name']} {package['version']}: comes from {package['source'] or 'a folder'}"


def check_duplicates(metadata):
    versions = collections.defaultdict(set)
    for package in metadata["packages"]:
        versions[package["name"]].add(package["version"])
    for name, found in sorted(versions.items()):
        if len(found) > 1 and name not in DUPLICATES:
            yield f"{name}: {', '.join(sorted(found))}, and nobody has said why"
    for name in DUPLICATES:
        if len(versions[name]) < 2:
            yield f"{name}: is explained as a duplicate and is none"


def check_features(metadata):
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    for node in metadata["resolve"]["nodes"]:
        for feature in node["features"]:
            reason = FORBIDDEN_FEATURES.get((names[node["id"]], feature))
            if reason:
                yield f"{names[node['id']]}: feature {feature} is on: it {reason}"


def built(metadata):
    """Ids of the packages in the build of the binary: normal and build dependencies."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    todo, seen = list(metadata["workspace_members"]), set()
    while todo:
        identity = todo.pop()
        if identity in seen:
            continue
        seen.add(identity)
        for dependency in nodes[identity]["deps"]:
            if any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return seen - set(metadata["workspace_members"])


def check_count(metadata):
    for what, graph, ceiling in [
        ("the build", metadata["plain"], CEILING),
        (f"the build with {', '.join(FEATURES)}", metadata, CEILING_WITH_FEATURES),
    ]:
        count = len(built(graph))
        if count > ceiling:
            yield f"{what} has {count} crates, the ceiling is {ceiling}"


def own_package(metadata):
    return next(package for package in metadata["packages"] if package["id"] in metadata["workspace_members"])


def resolved(metadata, dependency):
    """The package that one of our own dependencies has become."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    ours = {link["pkg"] for link in nodes[own_package(metadata)["id"]]["deps"]}
    return next(p for p in metadata["packages"] if p["id"] in ours and p["name"] == dependency["name"])


def feature_of(metadata, dependency):
    """The feature that asks for an optional dependency."""
    features = own_package(metadata)["features"].items()
    return next((name for name, asked in features if f"dep:{dependency['name']}" in asked), "nothing")


def rows(metadata):
    """What the tables have to say of each direct dependency, without the reason: (table, crate) to cells."""
    found = {}
    for dependency in own_package(metadata)["dependencies"]:
        package = resolved(metadata, dependency)
        has_default = bool(package.get("features", {}).get("default"))
        default = ["default"] if dependency["uses_default_features"] and has_default else []
        features = default + [f"`{feature}`" for feature in dependency["features"]]
        table = {None: "build", "dev": "tests"}.get(dependency["kind"], dependency["kind"])
        if dependency["optional"]:
            table = f"build with {feature_of(metadata, dependency)}"
        cells = [dependency["req"].lstrip("^"), ", ".join(features) or "none", package["license"] or "none"]
        found[table, dependency["name"]] = cells
    return found


def stated(text):
    """Rows of the tables below "In the build", "In the build with FEATURE" and "In the tests": (table, crate) to cells."""
    found, table = {}, None
    for line in text.splitlines():
        heading = re.fullmatch(r"## In the (\w+(?: with \w+)?)", line)
        if line.startswith("#"):
            table = heading and heading[1]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if table and len(cells) == 5 and cells[0].startswith("`"):
            found[table, cells[0].strip("`")] = cells[1:]
    return found


def check_tables(metadata):
    expected, said = rows(metadata), stated(TABLES.read_text())
    for key in sorted(expected.keys() | said.keys()):
        table, name = key
        where = f"{name}: the table of the {table} in docs/dependencies.md"
        if key not in said:
            yield f"{where} lacks | `{name}` | {' | '.join(expected[key])} | why |"
        elif key not in expected:
            yield f"{where} has it, and Cargo.toml does not"
        elif said[key][:3] != expected[key]:
            yield f"{where} says {' | '.join(said[key][:3])}, it is {' | '.join(expected[key])}"
        elif not said[key][3]:
            yield f"{where} does not say why"


CHECKS = [check_licences, check_sources, check_duplicates, check_features, check_count, check_tables]


def faults(metadata):
    return [fault for check in CHECKS for fault in check(metadata)]


def read_metadata():
    """The graph with all of FEATURES; under "plain" the one without."""
    return dict(read_graph("--features", ",".join(FEATURES)), plain=read_graph())


def read_graph(*features):
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", TARGET,
               *features]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"cargo metadata failed; `cargo fetch --locked` first?\n{result.stderr}")
    return json.loads(result.stdout)


def self_test():
    """Each fault, planted into the real graph, is found; the real expressions are understood."""
    for expression, expected in [
        ("MIT", True), ("GPL-3.0-only", False), ("GPL-3.0-only OR MIT", True), ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-2.0) AND BSD-3-Clause", True), ("MIT/Apache-2.0", True), ("(MIT OR Apache-2.0) AND", False),
        ("Apache-2.0 WITH LLVM-exception", False), ("Apache-2.0 WITH LLVM-exception OR MIT", True), ("none", False),
    ]:
        try:
            answer = allowed(expression)
        except IndexError:
            answer = False
        assert answer is expected, expression

    def planted(change):
        metadata = read_metadata()
        before = set(faults(metadata))
        change(metadata)
        return [fault for fault in faults(metadata) if fault not in before]

    def package(metadata, name):
        return next(p for p in metadata["packages"] if p["name"] == name)

    def node(metadata, name):
        identity = package(metadata, name)["id"]
        return next(n for n in metadata["resolve"]["nodes"] if n["id"] == identity)

    def direct(metadata, name):
        return next(d for d in own_package(metadata)["dependencies"] if d["name"] == name and d["kind"] is None)

    def many(metadata):
        own = next(n for n in metadata["resolve"]["nodes"] if n["id"] in metadata["workspace_members"])
        for i in range(CEILING_WITH_FEATURES):
            metadata["resolve"]["nodes"].append({"id": f"x{i}", "deps": [], "features": []})
            metadata["packages"].append({"id": f"x{i}", "name": f"x{i}", "version": "1", "license": "MIT",
                                         "source": package(metadata, "bytes")["source"]})
            own["deps"].append({"pkg": f"x{i}", "dep_kinds": [{"kind": None}]})

    def twice(metadata):
        copy = dict(package(metadata, "bytes"), version="0.0.0", id="bytes 0.0.0")
        metadata["packages"].append(copy)

    for change, words in [
        (lambda m: package(m, "want").update(license="GPL-3.0-only"), "want .*licence GPL-3.0-only"),
        (lambda m: package(m, "want").update(license=None), "want .*licence None"),
        (lambda m: package(m, "bytes").update(source="git+https://example.invalid/bytes"), "bytes .*comes from git"),
        (lambda m: package(m, "bytes").update(source=None), "bytes .*comes from a folder"),
        (lambda m: package(m, "bytes").update(source="registry+https://example.invalid"), "bytes .*comes from registry"),
        (twice, "bytes: 0.0.0, .*nobody has said why"),
        (lambda m: node(m, "serde_json")["features"].append("arbitrary_precision"), "serde_json: .*arbitrary_prec"),
        (many, "the build with otlp has .* crates"),
        (lambda m: many(m["plain"]), "the build has .* crates"),
        (lambda m: direct(m, "prost").update(req="^2"), "prost: the table of the build with otlp .*it is 2"),
        (lambda m: direct(m, "uuid").update(features=["std", "v4"]), "uuid: .*says 1 .* it is 1 . `std`, `v4`"),
        (lambda m: direct(m, "uuid").update(uses_default_features=True), "uuid: .*it is 1 . default"),
        (lambda m: direct(m, "uuid").update(req="^2"), "uuid: .*says 1 .*it is 2"),
        (lambda m: own_package(m)["dependencies"].remove(direct(m, "uuid")), "uuid: .*has it, and Cargo.toml does not"),
        (lambda m: own_package(m)["dependencies"].append(dict(direct(m, "uuid"), kind="dev")), "uuid: .*tests.* lacks"),
    ]:
        found = planted(change)
        assert len(found) == 1 and re.match(words, found[0]), (words, found)
    print("dependencies: the checks find what is planted")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    metadata = read_metadata()
    found = faults(metadata)
    for fault in found:
        print(fault)
    crates = f"{len(built(metadata['plain']))} crates in the build, {len(built(metadata))} with {', '.join(FEATURES)}"
    print(f"{len(metadata['packages'])} packages, {crates}, {len(found)} faults")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
