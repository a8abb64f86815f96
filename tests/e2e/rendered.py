"""What kubectl and helm make of deploy/kubernetes and deploy/helm, and Sidelight of manifests: as objects. No case."""

import base64
import copy
import functools
import json
import pathlib
import subprocess
import tempfile

import harness as h
import yaml
from harness import check, equal

KUBERNETES = h.ROOT / "deploy" / "kubernetes"
CHART = h.ROOT / "deploy" / "helm" / "sidelight"
PINS = h.E2E / "manifests"
VALUES = sorted(PINS.glob("values-*.yaml"))
FULL = PINS / "values-full.yaml"
CERT_MANAGER, MONITORING = {"certificates": {"mode": "certManager"}}, {"monitoring": {"enabled": True}}
# tests/run.sh puts the programs there
CACHE = h.ROOT / ".cache" / "manifests"
KUBECTL, HELM = CACHE / "kubectl" / "kubectl", CACHE / "helm" / "helm"
NAMESPACE = "sidelight"
# in C where it was built so: rules are long
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# what a chart puts on its objects, and files for kustomize do not
OF_HELM = {"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"}
KUSTOMIZATIONS = sorted(file.parent.relative_to(KUBERNETES).as_posix()
                        for file in KUBERNETES.rglob("kustomization.yaml"))


def run(*command, text=None):
    """Exit code, stdout and stderr."""
    done = subprocess.run([str(part) for part in command], input=text, text=True, capture_output=True, timeout=300,
                          check=False, env=h.clean_environment())
    return done.returncode, done.stdout, done.stderr


def output(*command, text=None):
    code, out, errors = run(*command, text=text)
    equal(code, 0, f"{' '.join(map(str, command))}: {errors}")
    return out


def parsed(text):
    return [one for one in yaml.load_all(text, LOADER) if one is not None]


@functools.cache
def _kustomized(name):
    return parsed(output(KUBECTL, "kustomize", KUBERNETES / name))


def kustomized(*names):
    """The objects of these folders, one set after the other."""
    return copy.deepcopy([one for name in names for one in _kustomized(name)])


def helm(command, *values, flags=(), namespace=NAMESPACE):
    """Exit code, stdout and stderr of helm with values, each a file or a tree."""
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        files = []
        for place, given in enumerate(values):
            if not isinstance(given, pathlib.Path):
                text, given = json.dumps(given), pathlib.Path(folder) / f"{place}.json"
                given.write_text(text, encoding="utf-8")
            files += ["--values", given]
        names = ["sidelight", CHART] if command[0] in ("template", "install") else [CHART]
        return run(HELM, *command, *names, "--namespace", namespace, *files, *flags)


def templated(*values, namespace=NAMESPACE):
    """The objects that the chart makes."""
    code, out, errors = helm(["template"], *values, namespace=namespace)
    equal(code, 0, f"helm template: {errors}")
    return parsed(out)


def generated(*flags):
    """What `sidelight gen-certs` prints: the Secret and the configuration of the webhook."""
    secret, configuration = parsed(output(h.BINARY, "gen-certs", *flags))
    return secret, configuration


def given(secret, configuration):
    """Values with what `sidelight gen-certs` made."""
    bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"]
    cert, key = (decoded(secret["data"][name]) for name in ("tls.crt", "tls.key"))
    return {"certificates": {"mode": "given", "secret": secret["metadata"]["name"],
                             "caBundle": decoded(bundle), "cert": cert, "key": key}}


def injected(objects, *flags):
    """What `sidelight inject` makes of them, without the annotation that says so."""
    found = parsed(output(h.BINARY, "inject", *flags, text=yaml.safe_dump_all(objects)))
    for one in found:
        told = 0
        for metadata in (one["metadata"], one["spec"].get("template", {}).get("metadata", {})):
            told += metadata.get("annotations", {}).pop("sidelight.dev/status", None) is not None
            if not metadata.get("annotations", True):
                del metadata["annotations"]
        equal(told, 1, f"what was done to {one['kind']} {one['metadata']['name']}")
    return found


def indexed(objects, without=()):
    """By kind and name; each is there once. `without`: labels of objects that do not count, and kinds."""
    found = {}
    for one in objects:
        key = one["kind"], one["metadata"]["name"]
        check(key not in found, f"{key} is there twice")
        if one["kind"] in without:
            continue
        one = copy.deepcopy(one)
        for label in without:
            one["metadata"].get("labels", {}).pop(label, None)
        found[key] = one
    return found


def differences(ours, theirs, at=""):
    """Where two trees differ, for people."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}, key=str):
            if key not in ours or key not in theirs:
                yield f"{at}/{key} is only in the {'second' if key in theirs else 'first'}"
            else:
                yield from differences(ours[key], theirs[key], f"{at}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, pair in enumerate(zip(ours, theirs)):
            yield from differences(*pair, f"{at}/{place}")
    elif ours != theirs:
        yield f"{at}: {ours!r} and {theirs!r}"


def same(ours, theirs, what):
    """Two sets of objects, whatever their order; labels of helm and the namespace do not count."""
    apart = {*OF_HELM, "Namespace"}
    first, second = indexed(ours, apart), indexed(theirs, apart)
    equal(list(differences(first, second)), [], what)
    check(first, f"{what}: there is nothing")


def decoded(value):
    return base64.b64decode(value, validate=True).decode()


def pods(objects):
    """(name, namespace, template) of everything that makes pods."""
    for one in objects:
        template = one.get("spec", {}).get("template")
        if isinstance(template, dict) and "containers" in template.get("spec", {}):
            yield f"{one['kind']} {one['metadata']['name']}", one["metadata"].get("namespace"), template


def leaves(tree, path=()):
    """(path, value) of all that is set, lists as a whole."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value
