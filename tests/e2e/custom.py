"""Custom resources in the types of those who define them: cert-manager, Prometheus's operator, KServe. No case."""

import ast
import functools
import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import kubernetes_validate
from harness import check, equal
from rendered import CACHE, CHART, PINS

TYPED = {"Certificate", "Issuer", "PodMonitor", "PrometheusRule"}
OF_KSERVE = "InferenceService"
TSC = ("--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution",
       "bundler")
# the oldest that the chart takes, the first in which native sidecars have named ports, and the newest with schemas
OLDEST = re.search(r'kubeVersion: ">=(\d+\.\d+)', (CHART / "Chart.yaml").read_text(encoding="utf-8"))[1]
NATIVE, NEWEST = "1.33", "1.37"


def refused(objects):
    """What anybody's types or schemas say against each of these, in their order."""
    found = [[] for _ in objects]
    typed = [place for place, one in enumerate(objects) if one["kind"] in TYPED]
    for place, said in zip(typed, by_types([objects[place] for place in typed])):
        found[place] = said
    for place, one in enumerate(objects):
        if one["kind"] == OF_KSERVE:
            found[place] = list(by_kserve(one))
        elif one["kind"] not in TYPED:
            found[place] = by_schema(one)
    return found


def by_schema(one):
    """By Kubernetes' own, in which unknown fields are errors."""
    found = []
    for version in (NATIVE if has_native(one) else OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError,
                kubernetes_validate.InvalidSchemaError) as error:
            found.append(f"{version}: {str(error)[:300]}")
    return found


def has_native(one):
    """Whether an object makes pods with an init container that goes on running."""
    spec = one.get("spec", {})
    pod = spec.get("template", {}).get("spec", spec)
    return any(container.get("restartPolicy") == "Always" for container in pod.get("initContainers", []))


def by_types(objects):
    """By the compiler; in one run, for most of it is spent on the types."""
    check((CACHE / "node_modules").is_dir(), f"{CACHE} has no packages: tests/run.sh puts them there")
    found = [[] for _ in objects]
    if not objects:
        return found
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        folder = pathlib.Path(folder)
        shutil.copy(PINS / "custom.ts", folder)
        for place, one in enumerate(objects):
            text = f'import type {{ Shipped }} from "./custom";\nexport const shipped: Shipped = {json.dumps(one)};\n'
            (folder / f"{place}.ts").write_text(text, encoding="utf-8")
        files = [f"{place}.ts" for place in range(len(objects))]
        done = subprocess.run([CACHE / "node_modules" / ".bin" / "tsc", *TSC, *files], cwd=folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    for place, said in re.findall(r"^(\S+)[.]ts\(\d+,\d+\): error (.+)$", done.stdout, re.M):
        check(place.isdigit(), lambda: f"the types themselves: {done.stdout[:2000]}")
        found[int(place)].append(said[:300])
    equal(done.returncode != 0, any(found), f"the compiler's exit code, {done.stdout[:2000]}")
    return found


@functools.cache
def model(name):
    """Fields of a class of KServe's client by their names on the wire, each with its type. None: not KServe's."""
    # without what the client needs to run: it is not imported
    folder = pathlib.Path(importlib.util.find_spec("kserve").origin).parent / "models"
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    file = folder / f"{snake}.py"
    if not file.exists():
        return None
    maps = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("openapi_types", "attribute_map")}
    return {wire: maps["openapi_types"][field] for field, wire in maps["attribute_map"].items()}


def by_kserve(service):
    """By the fields that KServe knows, and what Kubernetes says of the pod that is among them."""
    yield from unknown(service, "V1beta1InferenceService", "")
    predictor = service["spec"]["predictor"]
    # what has no type of KServe's own, and so is Kubernetes'
    types = model("V1beta1PredictorSpec")
    of_pods = {key: value for key, value in predictor.items()
               if re.search(r"(^|\[)V1(?!beta|alpha)", types.get(key, ""))}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": of_pods}
    check("containers" in of_pods, "nothing of the pod is looked at")
    yield from by_schema(pod)
    if mode(service) == "Knative":
        yield from by_knative(predictor)


def unknown(value, kind, at):
    """Fields that no class knows, below those that are KServe's."""
    fields = model(kind)
    if fields is None or not isinstance(value, dict):
        return
    for key, below in value.items():
        if key not in fields:
            yield f"{at}/{key} is unknown to {kind}"
            continue
        (inner, is_list) = re.sub(r"^list\[(.+)\]$", r"\1", fields[key]), fields[key].startswith("list[")
        plain = {"str": str, "int": int, "bool": bool}.get(inner)
        if plain and not all(type(one) is plain for one in (below if is_list else [below])):
            yield f"{at}/{key} is no {inner}: {below!r}"
        for one in below if is_list and isinstance(below, list) else [below]:
            yield from unknown(one, inner, f"{at}/{key}")


def of_kserve(service):
    """The Deployment and the Service that come of it, whoever of KServe and Knative makes them.

    In the Standard mode the Service leads to the first port of the first container, by number
    (kserve: pkg/controller/v1beta1/inferenceservice/reconcilers/service). Knative leads to the only one that there is.
    """
    predictor = service["spec"]["predictor"]
    of_service = {"labels", "annotations", "minReplicas", "maxReplicas"}
    name = f"{service['metadata']['name']}-predictor"
    labels = {**predictor.get("labels", {}), "app": f"isvc.{name}"}
    declared = [port for one in predictor["containers"] for port in one.get("ports", [])]
    (port,) = declared if mode(service) == "Knative" else predictor["containers"][0]["ports"][:1]
    template = {"metadata": {"labels": labels, "annotations": predictor.get("annotations", {})},
                "spec": {key: value for key, value in predictor.items() if key not in of_service}}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
           "spec": {"replicas": predictor.get("minReplicas", 1), "selector": {"matchLabels": {"app": labels["app"]}},
                    "template": template}}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
           "spec": {"selector": {"app": labels["app"]},
                    "ports": [{"name": port["name"], "port": 80, "targetPort": port["containerPort"]}]}}


def mode(service):
    return service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"]


# what Knative takes with none of its features turned on (serving: pkg/apis/serving/fieldmask.go)
IN_PODS = {"containers", "volumes", "serviceAccountName", "imagePullSecrets", "enableServiceLinks",
           "automountServiceAccountToken", "labels", "annotations", "minReplicas", "maxReplicas", "timeout",
           "containerConcurrency"}
IN_CONTAINERS = {"name", "image", "args", "command", "env", "envFrom", "workingDir", "imagePullPolicy", "ports",
                 "resources", "livenessProbe", "readinessProbe", "startupProbe", "securityContext", "volumeMounts",
                 "terminationMessagePath", "terminationMessagePolicy"}
PROBES = {"livenessProbe", "readinessProbe", "startupProbe"}


def by_knative(predictor):
    """What Knative refuses of a pod, and KServe before it."""
    containers = predictor["containers"]
    if containers[0]["name"] != "kserve-container":
        yield f"KServe puts kserve-container in the place of {containers[0]['name']}"
    yield from (f"{key} is not taken" for key in predictor.keys() - IN_PODS)
    declared = [port for one in containers for port in one.get("ports", [])]
    if [port.get("name") for port in declared] not in (["http1"], ["h2c"]):
        yield f"ports {declared} instead of one, http1 or h2c"
    for one in containers:
        refused = one.keys() - IN_CONTAINERS | (PROBES & one.keys() if "ports" not in one else set())
        yield from (f"{key} of {one['name']} is not taken" for key in refused)
        yield from (f"{one['name']}: {variable['name']} is a field" for variable in one.get("env", [])
                    if "fieldRef" in variable.get("valueFrom", {}))
