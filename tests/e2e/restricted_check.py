#!/usr/bin/env python3
"""The rules of `restricted.py` find each fault, and none where there is none. Python's standard library only."""

import harness as h
import restricted
from harness import case, check, equal
from restricted_faults import GOOD, NAMES, OF_CONTAINERS, OF_PODS, OTHER_VOLUMES, POD, changed


def of_pod(field, new):
    return changed(POD, field, new)


def of_container(kind, field, new):
    return {**POD, kind: [changed(POD[kind][0], field, new)]}


@case
def a_pod_that_has_it_all_is_admitted():
    equal(restricted.violations(POD), [], "violations")


@case
def each_field_of_a_pod_is_found_alone_and_what_is_allowed_is_not():
    for field, wrong, right in OF_PODS:
        for value in wrong:
            equal(restricted.paths(of_pod(field, value)), [f"spec.{field}"], f"with {value!r}")
        for value in right:
            equal(restricted.violations(of_pod(field, value)), [], f"{field} with {value!r}")


@case
def each_field_of_each_kind_of_container_is_found_alone_and_what_is_allowed_is_not():
    for kind, name in NAMES.items():
        for field, wrong, right in OF_CONTAINERS:
            for value in wrong:
                found = restricted.paths(of_container(kind, field, value))
                # a profile that is not there has no type
                wanted = field + ".type" * field.endswith("seccompProfile")
                equal(found, [f"spec.{kind}[{name}].{wanted}"], f"with {value!r}")
            for value in right:
                equal(restricted.violations(of_container(kind, field, value)), [], f"{kind} {field} with {value!r}")


@case
def what_a_container_does_not_say_it_has_from_the_pod():
    for field, value in (("runAsNonRoot", True), ("seccompProfile", {"type": "RuntimeDefault"})):
        bare = {kind: [changed(POD[kind][0], f"securityContext.{field}", None)] for kind in restricted.KINDS}
        equal(len(restricted.violations(bare)), 3, f"violations without {field}")
        equal(restricted.violations({**bare, "securityContext": {field: value}}), [], f"with {field} of the pod")
    # but not these
    for field in ("allowPrivilegeEscalation", "capabilities"):
        bare = of_container("containers", f"securityContext.{field}", None)
        equal(len(restricted.violations({**bare, "securityContext": GOOD})), 1, f"with {field} of the pod")


@case
def a_port_of_the_node_is_found_and_a_port_of_the_pod_is_not():
    for kind, name in NAMES.items():
        ports = [{"containerPort": 1}, {"containerPort": 2, "hostPort": 0}, {"containerPort": 3, "hostPort": 3}]
        found = restricted.paths(of_container(kind, "ports", ports))
        equal(found, [f"spec.{kind}[{name}].ports[2].hostPort"], "violations")


@case
def volumes_are_of_the_allowed_types():
    for kind in restricted.VOLUMES:
        equal(restricted.violations({**POD, "volumes": [{"name": "v", kind: {}}]}), [], kind)
    for kind in OTHER_VOLUMES:
        equal(restricted.paths({**POD, "volumes": [{"name": "v", kind: {}}]}), [f"spec.volumes[v].{kind}"], kind)
    equal(restricted.violations({**POD, "volumes": [{"name": "v"}, {"name": "w", "hostPath": None}]}), [], "no type")


@case
def sysctls_are_of_the_safe_ones():
    safe = [{"name": name, "value": "1"} for name in sorted(restricted.SYSCTLS)]
    equal(restricted.violations(of_pod("securityContext.sysctls", safe)), [], "safe ones")
    for name in ("kernel.msgmax", "net.core.somaxconn", "net.ipv4.tcp_syncookies2"):
        found = restricted.paths(of_pod("securityContext.sysctls", [*safe, {"name": name, "value": "1"}]))
        equal(found, [f"spec.securityContext.sysctls[{len(safe)}].name"], name)


@case
def annotations_of_apparmor_are_read():
    key = f"{restricted.APPARMOR}model"
    for value in ("", "runtime/default", "localhost/mine"):
        equal(restricted.violations(POD, {key: value, "other": "unconfined"}), [], repr(value))
    for value in ("unconfined", "Localhost/mine"):
        equal(restricted.paths(POD, {key: value}), [f"metadata.annotations[{key}]"], repr(value))


@case
def users_of_a_pod_that_are_no_users_of_the_node_may_be_root():
    root = {**POD, "hostUsers": False, "securityContext": {"runAsNonRoot": False, "runAsUser": 0}}
    equal(restricted.violations(root), [], "hostUsers false")
    equal(len(restricted.violations({**root, "hostUsers": True})), 2, "hostUsers true")
    unmasked = {**of_container("containers", "securityContext.procMount", "Unmasked"), "hostUsers": False}
    equal(len(restricted.violations(unmasked)), 1, "procMount")


@case
def windows_knows_no_capabilities():
    bare = {"containers": [{"name": "model"}], "securityContext": {"runAsNonRoot": True}}
    equal(len(restricted.violations(bare)), 3, "on Linux")
    equal(restricted.violations({**bare, "os": {"name": "windows"}}), [], "on Windows")


@case
def a_bare_pod_lacks_four_things():
    found = restricted.paths({"containers": [{"image": "a"}]})
    wanted = ["allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile.type", "capabilities.drop"]
    equal(found, [f"spec.containers[0].securityContext.{field}" for field in wanted], "violations")


@case
def every_control_has_been_broken_by_some_case():
    pods = [of_pod(field, value) for field, wrong, _ in OF_PODS for value in wrong]
    pods += [of_container("containers", field, value) for field, wrong, _ in OF_CONTAINERS for value in wrong]
    pods += [{**POD, "volumes": [{"hostPath": {}}]}, of_pod("securityContext.sysctls", [{"name": "a"}]),
             of_container("containers", "ports", [{"hostPort": 1}])]
    for control in restricted.CONTROLS:
        check(any(list(control(pod, {})) for pod in pods), f"no case breaks {control.__name__}")


if __name__ == "__main__":
    h.main("the rules of pod security", needs_binary=False)
