#!/usr/bin/env python3
"""deploy/helm/sidelight: helm lints and renders it, every value has an effect, and wrong ones are refused.

Needs what tests/e2e/manifests.py needs.
"""

import json
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


if __name__ == "__main__":
    h.main("chart")
