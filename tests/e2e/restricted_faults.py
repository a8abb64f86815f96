"""A pod that is admitted under `restricted`, and the values of each field that keep it out, and that do not."""

import copy

import restricted

GOOD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"}}
POD = {kind: [{"name": name, "image": "a", "securityContext": GOOD}]
       for kind, name in zip(restricted.KINDS, ("first", "model", "shell"))}
NAMES = {"initContainers": "first", "containers": "model", "ephemeralContainers": "shell"}

# field of the pod: values that are not allowed, and values that are
OF_PODS = [
    ("hostNetwork", [True], [False, None]),
    ("hostPID", [True], [False, None]),
    ("hostIPC", [True], [False, None]),
    ("securityContext.windowsOptions.hostProcess", [True], [False, None]),
    ("securityContext.appArmorProfile.type", ["Unconfined"], ["RuntimeDefault", "Localhost", None]),
    ("securityContext.seLinuxOptions.type", ["spc_t"], ["", None, *restricted.SELINUX_TYPES]),
    ("securityContext.seLinuxOptions.user", ["system_u"], ["", None]),
    ("securityContext.seLinuxOptions.role", ["system_r"], ["", None]),
    ("securityContext.seccompProfile.type", ["Unconfined"], ["RuntimeDefault", "Localhost", None]),
    ("securityContext.runAsNonRoot", [False], [True, None]),
    ("securityContext.runAsUser", [0], [1, 65532, None]),
]
# the same of each kind of container
OF_CONTAINERS = [
    ("securityContext.privileged", [True], [False, None]),
    ("securityContext.allowPrivilegeEscalation", [True, None], [False]),
    ("securityContext.runAsNonRoot", [False, None], [True]),
    ("securityContext.runAsUser", [0], [1, None]),
    ("securityContext.seccompProfile.type", ["Unconfined", None], ["RuntimeDefault", "Localhost"]),
    ("securityContext.seccompProfile", [None], [{"type": "Localhost", "localhostProfile": "a"}]),
    ("securityContext.capabilities.drop", [["NET_RAW"], [], None], [["ALL"], ["NET_RAW", "ALL"]]),
    ("securityContext.capabilities.add", [["CHOWN"], ["NET_BIND_SERVICE", "SYS_ADMIN"]],
     [["NET_BIND_SERVICE"], [], None]),
    ("securityContext.procMount", ["Unmasked"], ["Default", None]),
    ("securityContext.appArmorProfile.type", ["Unconfined"], ["RuntimeDefault", "Localhost", None]),
    ("securityContext.seLinuxOptions.type", ["spc_t"], ["", "container_t", None]),
    ("securityContext.seLinuxOptions.user", ["system_u"], ["", None]),
    ("securityContext.seLinuxOptions.role", ["system_r"], ["", None]),
    ("securityContext.windowsOptions.hostProcess", [True], [False, None]),
    *((f"{place}.{action}.host", ["10.0.0.1"], ["", None]) for action in ("httpGet", "tcpSocket") for place in
      (*restricted.PROBES, *(f"lifecycle.{hook}" for hook in restricted.HOOKS))),
]
OTHER_VOLUMES = ("hostPath", "nfs", "gitRepo", "iscsi", "rbd", "cephfs", "glusterfs", "fc", "flexVolume", "azureDisk",
                 "awsElasticBlockStore", "gcePersistentDisk", "portworxVolume", "a-type-of-tomorrow")


def changed(value, field, new):
    """`value` with `new` at the dotted `field`."""
    value = copy.deepcopy(value)
    inner = value
    *outer, last = field.split(".")
    for key in outer:
        inner = inner.setdefault(key, {})
    inner[last] = new
    return value
