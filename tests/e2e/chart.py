#!/usr/bin/env python3
"""deploy/helm/sidelight: helm lints and renders it, every value has an effect, and wrong ones are refused.

Needs what tests/e2e/manifests.py needs.
"""

import concurrent.futures
import json
import os
import re

import harness as h
import rendered
import yaml
from harness import case, check, equal
from references import faults
from rendered import (CERT_MANAGER, CHART, FULL, MONITORING, PINS, VALUES, generated, given, helm, kustomized, leaves,
                      templated)
from spoils import WRONG_VALUES


@case
def helm_lints_and_renders_the_chart_with_all_values():
    for values in ((), *((file,) for file in VALUES)):
        code, out, errors = helm(["lint", "--strict"], *values)
        equal(code, 0, f"helm lint, {values}: {out}{errors}")
        code, out, errors = helm(["install", "--dry-run=client"], *values)
        check(code == 0 and "NOTES:" in out, f"helm install, {values}: {errors}")
        notes = out.partition("NOTES:")[2]
        equal("gen-certs" in notes, not values or values[0] != FULL, f"gen-certs in the notes, {values}")
    minimal = {one["kind"] for one in templated(PINS / "values-minimal.yaml")}
    equal(minimal, {"Deployment", "Service", "ServiceAccount"}, "what is least")


@case
def what_the_notes_tell_to_run_fits_wherever_the_chart_is_installed():
    for namespace, values in ((rendered.NAMESPACE, {}),
                              ("platform", {"name": "injector", "certificates": {"secret": "injector-tls"}})):
        code, out, errors = helm(["install", "--dry-run=client"], values, namespace=namespace)
        equal(code, 0, f"helm install: {errors}")
        commands = re.findall(r"^ +sidelight (gen-certs .+?) [|]", out.partition("NOTES:")[2], re.M)
        equal(len(commands), 1, "commands of the notes")
        objects = [*templated(values, namespace=namespace), *generated(*commands[0].split()[1:])]
        equal(list(faults(objects)), [], f"in {namespace}")
        equal({one["metadata"].get("namespace") for one in objects}, {namespace, None}, "namespaces")
        # and by cert-manager
        managed = templated(CERT_MANAGER, MONITORING, values, namespace=namespace)
        equal(list(faults([*managed, *kustomized("overlays/sidecar")])), [], f"with cert-manager in {namespace}")


def tree(path, value):
    for key in reversed(path):
        value = {key: value}
    return value


@case
def every_value_has_a_default_a_schema_and_an_effect():
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    full = yaml.safe_load(FULL.read_text(encoding="utf-8"))

    def compare(values, below, at):
        properties = below.get("properties")
        if properties is None or not isinstance(values, dict):
            return
        check(below.get("additionalProperties") is False, f"{at} may have anything")
        equal(set(values) - set(properties), set(), f"values without a schema, {at}")
        left = set(properties) - set(values) - {"global", "matchExpressions"}
        if left and values:
            equal(left, set(), f"what the schema has and values.yaml has not, {at}")
        for key, value in values.items():
            compare(value, properties[key], f"{at}/{key}")
    compare({key: value for key, value in defaults.items() if key not in ("resources", "affinity")}, {
        **schema, "properties": {key: value for key, value in schema["properties"].items()
                                 if key not in ("resources", "affinity")}}, "")
    asked = dict(leaves(full))
    # these go with others, and have cases of their own
    elsewhere = {("certificates", name) for name in ("caBundle", "cert", "key")} | {
        ("podDisruptionBudget", "enabled"), ("networkPolicy", "enabled"), ("monitoring", "rules")}
    missing = {path for path, _ in leaves(defaults)} - elsewhere
    missing = {path for path in missing if not any(path[:len(one)] == one or one[:len(path)] == path for one in asked)}
    equal(missing, set(), "values that values-full.yaml does not change")
    # with what some depend on
    base = {**CERT_MANAGER, **MONITORING, "replicas": 4}
    before = templated(base)
    check(before != templated({"replicas": 4}), "neither cert-manager nor monitoring changes anything")
    for path, value in asked.items():
        # null takes a default out, which is seen where something else stands in its place
        if value is not None and path not in (("certificates", "mode"), ("monitoring", "enabled")):
            check(templated(base, tree(path, value)) != before, f"{path} changes nothing")


@case
def wrong_values_are_refused():
    whole = given(*generated())["certificates"]
    with_certificates = (
        ({"certificates": {**whole, "key": ""}}, "/certificates"),
        ({"certificates": {**whole, "caBundle": "a"}}, "/certificates/caBundle"),
        ({"certificates": {**whole, "mode": "genCerts"}}, "/certificates"))
    for values, wanted in (*WRONG_VALUES, *with_certificates):
        code, out, errors = helm(["template"], values)
        check(code != 0 and wanted in errors, lambda: f"{values}: exit {code}, {errors or out[:300]}")


# flags of sidecars by their values: those that the chart takes, and those that it does not
TAKEN = {
    "queueBytes": ["", "1MiB", "2Mi", "9 MiB", "64MiB", "9999MiB", "16383MiB", "16384MiB", "1GiB", "9 GiB", "16Gi"],
    "upstreamPort": ["", 1, 80, 65535, "1", "999", "8000", "59999", "64999", "65499", "65529", "65535", "http", "a",
                     "8a", "http-v1", "a-b-c-d-e-f-g-h"],
    "cpuLimit": ["", "10m", "500m", "12345m", "1", "2", "1.5", "10.125", "0.01", "0.019", "0.1", "0.5", "0.999"],
    "configMap": ["", "a", "1", "a-b", "a.b", "sidelight.models.example", "a" * 63, ".".join(["a" * 62] * 4)],
    "appPortEnv": ["", "PORT", "_a", "A1"],
    "port": [0, 1024, 65535],
    "opsPort": [0, 1024, 65535],
    "image": ["", "a", "registry.example:5000/a/b:1", "a@sha256:0", "a" * 1024],
}
LEFT = {
    "queueBytes": ["0MiB", "0", "1", "1023KiB", "1M", "1MB", "16385MiB", "17000MiB", "20000MiB", "17GiB", "20GiB",
                   "1TiB", "1.5", "MiB", " 1MiB", "1MiB ", "1MiB\n", "-1MiB", "1e3MiB"],
    "upstreamPort": [0, 65536, -1, 1.5, "0", "65536", "70000", "99999", "100000", "A b", "Http", "a_b", "-a", "a-",
                     "a--b", "a" * 16, "a.b", "http\n"],
    "cpuLimit": ["0", "0m", "00", "0.0", "0.000", "1m", "9m", "0.001", "0.009", "1.5m", "0.0001", "1.", ".5", "-1",
                 "1 core", "2k", "1\n"],
    "configMap": ["A", "a_b", "-a", "a-", "a.", ".a", "a..b", "a.-b", "a b", "a" * 254],
    "appPortEnv": ["1A", "A-B", "A B", "A=B", "A\n"],
    "port": [1, 80, 1023, 65536, -1, "8080", 1024.5],
    "opsPort": [1, 80, 1023, 65536],
    "image": ["a b", "a\n", "\u00e4", "a" * 1025],
}


def for_each(judge, values):
    """Judges every (name, value); four at a time, for each starts helm."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: judge(*pair), [(name, value) for name, some in values.items() for value in some]))


def said_of_flags(values):
    """What `sidelight webhook` says when it is started with what the chart makes of these values."""
    (deployment,) = [one for one in templated(values) if one["kind"] == "Deployment"]
    container, = deployment["spec"]["template"]["spec"]["containers"]
    image = next(one["value"] for one in container["env"] if one["name"] == "SIDECAR_IMAGE")
    arguments = [one.replace("$(SIDECAR_IMAGE)", image) for one in container["args"]]
    # flags are looked at before the certificate, which is nowhere
    arguments = [re.sub(r"^--(cert|key)=.*", rf"--\1={os.devnull}/none", one) for one in arguments]
    code, _, errors = rendered.run(h.BINARY, *arguments)
    check(code != 0, "it started without a certificate")
    return errors.strip()


@case
def every_flag_of_sidecars_that_the_chart_takes_is_one_that_the_injector_takes():
    wanted = said_of_flags({})
    check("none" in wanted and "--" not in wanted, f"of the defaults: {wanted}")

    def takes(name, value):
        equal(said_of_flags({"sidecar": {name: value}}), wanted, f"sidecar.{name}: {value!r}")
    for_each(takes, TAKEN)
    # and what it does not take would be seen
    said = rendered.run(h.BINARY, "webhook", "--cert", "none", "--key", "none", "--queue-bytes", "20GiB")[2]
    check("--queue-bytes" in said, f"20GiB: {said}")


@case
def no_other_flag_of_sidecars_gets_past_the_schema():
    equal(set(LEFT), set(TAKEN), "values")

    def refuses(name, value):
        code, out, errors = helm(["template"], {"sidecar": {name: value}})
        check(code != 0 and f"/sidecar/{name}" in errors,
              lambda: f"{name}: {value!r}: exit {code}, {errors or out[:300]}")
    for_each(refuses, LEFT)
    # a limit below what is asked for is no pod
    (pod,) = [one for one in kustomized("overlays/sidecar") if one["kind"] == "Deployment"]
    sidecar, = pod["spec"]["template"]["spec"]["initContainers"]
    equal(sidecar["resources"]["requests"]["cpu"], "10m", "what a sidecar asks for, and so the least limit")


@case
def secrets_may_have_dots_in_their_names_where_gen_certs_does_not_make_them():
    dotted = "registry.models.example"
    (deployment,) = [one for one in templated({"imagePullSecrets": [{"name": dotted}]}) if one["kind"] == "Deployment"]
    equal(deployment["spec"]["template"]["spec"]["imagePullSecrets"], [{"name": dotted}], "imagePullSecrets")
    for values in ({"mode": "certManager"}, {**given(*generated())["certificates"], "cert": "", "key": ""}):
        objects = templated({"certificates": {**values, "secret": dotted}})
        (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
        (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
        equal(volume["secret"]["secretName"], dotted, f"the Secret with {values['mode']}")
    # gen-certs would refuse what the notes tell to run
    code, _, _ = rendered.run(h.BINARY, "gen-certs", "--secret", dotted)
    check(code != 0, "gen-certs takes dots: so may the chart")


@case
def one_injector_has_no_disruption_budget_and_several_have():
    for replicas, wanted in ((1, 0), (2, 1), (3, 1)):
        objects = templated({"replicas": replicas})
        equal(sum(one["kind"] == "PodDisruptionBudget" for one in objects), wanted, f"budgets of {replicas}")
        equal(list(faults([*objects, *generated()])), [], f"{replicas} replicas")


@case
def native_sidecars_need_a_cluster_that_finds_their_ports_by_name():
    def at(version, native):
        return helm(["template"], {"sidecar": {"native": native}}, flags=["--kube-version", version])
    for version, native, wanted in (
            ("1.37.0", True, None), ("1.33.0", True, None), ("v1.33.2-gke.1000000", True, None),
            ("v1.33.1+k3s1", True, None), ("1.32.9", True, "sidecar.native needs Kubernetes 1.33"),
            ("v1.32.9-eks-0a1b2c3", True, "this is v1.32.9-eks-0a1b2c3"), ("1.27.0", True, "sidecar.native"),
            ("1.32.9", False, None), ("v1.27.16-gke.1", False, None), ("1.27.0", False, None),
            ("1.26.15", False, "incompatible with Kubernetes")):
        code, out, errors = at(version, native)
        what = f"{version}, native: {native}: exit {code}, {errors}"
        if wanted is None:
            equal(code, 0, what)
            args = [one for one in rendered.parsed(out) if one["kind"] == "Deployment"][0]
            args = args["spec"]["template"]["spec"]["containers"][0]["args"]
            equal("--native-sidecar=false" in args, not native, what)
        else:
            check(code != 0 and wanted in errors, what)


if __name__ == "__main__":
    h.main("chart")
