#!/usr/bin/env python3
"""Where a pod is admitted under `restricted`, it is with Sidelight in it; where not, Sidelight is not why.

Over the golden manifests of tests/inject and over pods made at random. Needs PyYAML
(tests/e2e/deployed/requirements.txt) and the release binary.
"""

import json
import os
import random
import subprocess

import harness as h
import restricted
import restricted_faults as faults
import yaml
from harness import PATIENCE, case, check, equal

SEED = int(os.environ.get("SIDELIGHT_E2E_SEED", "20261126"))
FOLDER = h.ROOT / "tests" / "inject"
TEMPLATES = {"Pod": (), "CronJob": ("spec", "jobTemplate", "spec", "template")}
WAYS = [["--native-sidecar=false"], ["--config-map", "mine"], ["--cpu-limit", "500m", "--queue-bytes", "1MiB"],
        ["--app-port-env", "PORT"], ["--ops-port", "9000", "--port", "8888"], []]


# -- pods -----------------------------------------------------------------------------------------

def objects(document):
    """The object, or those of the list."""
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List"):
        return [item for item in document.get("items") or [] if isinstance(item, dict)]
    return [document] if isinstance(document, dict) else []


def template(thing):
    """The pod, or what its pods are made of; `None` where that is none."""
    found = restricted.at(thing, *TEMPLATES.get(thing.get("kind"), ("spec", "template")))
    return found if restricted.at(found, "spec", "containers") else None


def pods(text):
    """Of a text of YAML: pods by their place in it."""
    found = {}
    for i, document in enumerate(yaml.safe_load_all(text)):
        for j, thing in enumerate(objects(document)):
            pod = template(thing)
            if pod:
                found[i, j] = pod
    return found


def paths(pod):
    return restricted.paths(pod["spec"], restricted.at(pod, "metadata", "annotations"))


def sidecars(pod):
    return [container for path, container in restricted.containers(pod["spec"]) if path.endswith("[sidelight]")]


def compliant(pod):
    """The same pod, its own containers as the standard wants them."""
    own = ("volumes", "securityContext", "hostNetwork")
    spec = {key: value for key, value in pod["spec"].items() if key not in own}
    for kind in restricted.KINDS:
        if spec.get(kind):
            spec[kind] = [{**container, "securityContext": faults.GOOD} for container in spec[kind]]
    return {**pod, "spec": spec}


def inject(text, flags=()):
    done = subprocess.run([h.BINARY, "inject", *flags], input=text, capture_output=True, text=True, timeout=PATIENCE,
                          env=h.clean_environment(), check=False)
    equal(done.returncode, 0, f"exit of inject, {done.stderr[-500:]}")
    return done.stdout


# -- golden manifests -----------------------------------------------------------------------------

def golden(name):
    """Cases whose both sides can be read: pods before and after."""
    for folder in sorted(FOLDER.iterdir()):
        flags = (folder / "flags").read_text().split() if (folder / "flags").exists() else []
        try:
            before = pods((folder / "input.yaml").read_text())
        except yaml.YAMLError:
            continue
        yield folder.name, flags, before, folder / name


@case
def golden_sidecars_break_no_rule_and_what_was_wrong_before_is_what_is_wrong_after():
    injected = 0
    for name, _, before, output in golden("output.yaml"):
        after = pods(output.read_text())
        equal(set(after), set(before), f"{name}: pods")
        for place, pod in after.items():
            equal(paths(pod), paths(before[place]), f"{name} {place}: fields that keep it out")
            injected += len(sidecars(pod)) > len(sidecars(before[place]))
    print(f"    {injected} pods with a sidecar")
    check(injected >= 35, f"only {injected} pods have got a sidecar")


@case
def golden_pods_that_are_made_to_comply_are_admitted_with_their_sidecars():
    admitted = 0
    for name, flags, before, _ in golden("input.yaml"):
        for place, pod in before.items():
            # what came with a sidecar of its own keeps it as it is
            if "status" in json.dumps(pod.get("metadata")) or sidecars(pod):
                continue
            good = compliant(pod)
            equal(paths(good), [], f"{name} {place}: before")
            metadata = {"name": "a", **(good.get("metadata") or {})}
            sent = {**good, "apiVersion": "v1", "kind": "Pod", "metadata": metadata}
            after = json.loads(inject(json.dumps(sent), flags))
            equal(paths(after), [], f"{name} {place}: after")
            admitted += len(sidecars(after))
    print(f"    {admitted} pods with a sidecar")
    check(admitted >= 30, f"only {admitted} pods have got a sidecar")


# -- pods at random -------------------------------------------------------------------------------

def some_container(dice, name, is_good):
    """One with ports, probes and hooks; `is_good`: with all that the standard asks of it."""
    container = {"name": name, "image": "a"}
    number = dice.randint(1024, 30000)
    if dice.random() < 0.8:
        port = {"containerPort": number}
        if dice.random() < 0.6:
            port["name"] = dice.choice(["http", "api", "predict", f"p-{number}"])
        container["ports"] = [port]
    for probe in restricted.PROBES:
        if dice.random() < 0.3:
            container[probe] = {dice.choice(["httpGet", "tcpSocket"]): {"port": number}}
    if dice.random() < 0.3:
        container["env"] = [{"name": "PORT", "value": str(number)}]
    context = dict(faults.GOOD)
    if dice.random() < 0.3:
        context.update(runAsUser=1000, procMount="Default", seLinuxOptions={"type": "container_t"})
    container["securityContext"] = context
    if not is_good:
        for field, wrong, _ in dice.sample(faults.OF_CONTAINERS, dice.randint(1, 4)):
            # the later one of two about the same field wins
            container = faults.changed(container, field, dice.choice(wrong)) if can(container, field) else container
    return container


def can(container, field):
    """Whether each value above the field is, or can become, an object."""
    inner = container
    for key in field.split(".")[:-1]:
        inner = inner.get(key, {})
        if not isinstance(inner, dict):
            return False
    return True


def some_pod(dice, is_good):
    spec = {"containers": [some_container(dice, name, is_good) for name in ("model", "helper")[:dice.randint(1, 2)]]}
    if dice.random() < 0.4:
        spec["initContainers"] = [some_container(dice, "first", is_good)]
    if dice.random() < 0.4:
        spec["volumes"] = [{"name": "v", dice.choice(sorted(restricted.VOLUMES)): {}}]
    if dice.random() < 0.4:
        spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if not is_good:
        for field, wrong, _ in dice.sample(faults.OF_PODS, dice.randint(0, 3)):
            spec = faults.changed(spec, field, dice.choice(wrong))
        if dice.random() < 0.3:
            spec.setdefault("volumes", []).append({"name": "w", dice.choice(faults.OTHER_VOLUMES): {}})
    metadata = {"name": "a", "namespace": "models"}
    if not is_good and dice.random() < 0.2:
        metadata["annotations"] = {f"{restricted.APPARMOR}model": "unconfined"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def injected(dice, is_good):
    """(before, after) of 600 pods, in every way that a sidecar can be made."""
    for flags in WAYS:
        before = [some_pod(dice, is_good) for _ in range(100)]
        after = json.loads(inject(json.dumps({"apiVersion": "v1", "kind": "List", "items": before}), flags))["items"]
        equal(len(after), len(before), "pods")
        check(sum(len(sidecars(pod)) for pod in after) >= 10, f"hardly a pod has got a sidecar with {flags}")
        yield from ((flags, *pair) for pair in zip(before, after))


@case
def pods_that_are_admitted_are_admitted_with_a_sidecar():
    count = 0
    for flags, before, after in injected(random.Random(SEED), is_good=True):
        equal(paths(before), [], "before")
        equal(paths(after), [], f"after, with {flags}, of {json.dumps(before)}")
        count += len(sidecars(after))
    print(f"    {count} of 600 with a sidecar")


@case
def pods_that_are_not_admitted_have_the_same_faults_with_a_sidecar():
    count = wrongs = 0
    for flags, before, after in injected(random.Random(SEED), is_good=False):
        wrong = paths(before)
        check(wrong, lambda: f"nothing is wrong with {before}")
        equal(paths(after), wrong, f"after, with {flags}, of {json.dumps(before)}")
        count += len(sidecars(after))
        wrongs += len(wrong)
    print(f"    {count} of 600 with a sidecar, {wrongs} faults of their own")


if __name__ == "__main__":
    h.main("pod security with a sidecar")
