"""Which fields keep a pod out of a namespace that enforces Kubernetes' pod security standard `restricted`.

As Kubernetes 1.36 enforces it, `baseline` included. Source:
https://kubernetes.io/docs/concepts/security/pod-security-standards/, and what the API server does where that page lags
behind: volumes of images, the sysctls of 1.32, user namespaces.
A container is named in a path, not counted: where it stands changes with what is injected before it.
"""

KINDS = ("initContainers", "containers", "ephemeralContainers")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
           "secret"}
SYSCTLS = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
           "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
           "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
           "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem"}
SELINUX_TYPES = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
# the default profile, or one of the node's
PROFILES = ("RuntimeDefault", "Localhost")
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def at(value, *keys):
    """What is below `keys`; `None` where there is nothing, or null."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def containers(pod):
    """(path, container) of all kinds: a native sidecar is an init container like any other."""
    for kind in KINDS:
        for i, container in enumerate(at(pod, kind) or []):
            yield f"spec.{kind}[{at(container, 'name') or i}]", container


def contexts(pod):
    """(path, security context) of the pod and of each container."""
    yield "spec.securityContext", at(pod, "securityContext")
    for path, container in containers(pod):
        yield f"{path}.securityContext", at(container, "securityContext")


def is_windows(pod):
    return at(pod, "os", "name") == "windows"


def has_users_of_its_own(pod):
    return at(pod, "hostUsers") is False


# -- baseline -------------------------------------------------------------------------------------

def host_process(pod, _):
    for path, context in contexts(pod):
        if at(context, "windowsOptions", "hostProcess"):
            yield f"{path}.windowsOptions.hostProcess", "must not be true"


def host_namespaces(pod, _):
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if at(pod, field):
            yield f"spec.{field}", "must not be true"


def privileged(pod, _):
    for path, container in containers(pod):
        if at(container, "securityContext", "privileged"):
            yield f"{path}.securityContext.privileged", "must not be true"


def host_ports(pod, _):
    for path, container in containers(pod):
        for i, port in enumerate(at(container, "ports") or []):
            if at(port, "hostPort"):
                yield f"{path}.ports[{i}].hostPort", "must not be set"


def apparmor(pod, annotations):
    for path, context in contexts(pod):
        kind = at(context, "appArmorProfile", "type")
        if kind is not None and kind not in PROFILES:
            yield f"{path}.appArmorProfile.type", f"must not be {kind}"
    for key, value in annotations.items():
        if key.startswith(APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/"):
            yield f"metadata.annotations[{key}]", f"must not be {value}"


def selinux(pod, _):
    for path, context in contexts(pod):
        options = at(context, "seLinuxOptions")
        kind = at(options, "type")
        if kind and kind not in SELINUX_TYPES:
            yield f"{path}.seLinuxOptions.type", f"must not be {kind}"
        for field in ("user", "role"):
            if at(options, field):
                yield f"{path}.seLinuxOptions.{field}", "must not be set"


def proc_mount(pod, _):
    for path, container in containers(pod):
        if at(container, "securityContext", "procMount") not in (None, "Default"):
            yield f"{path}.securityContext.procMount", "must be Default"


def sysctls(pod, _):
    for i, sysctl in enumerate(at(pod, "securityContext", "sysctls") or []):
        if at(sysctl, "name") not in SYSCTLS:
            yield f"spec.securityContext.sysctls[{i}].name", f"{at(sysctl, 'name')} is not a safe one"


def hosts(pod, _):
    """Of probes and hooks: the kubelet would ask another machine than the pod."""
    for path, container in containers(pod):
        places = [(probe, at(container, probe)) for probe in PROBES]
        places += [(f"lifecycle.{hook}", at(container, "lifecycle", hook)) for hook in HOOKS]
        for place, handler in places:
            for action in ("httpGet", "tcpSocket"):
                if at(handler, action, "host"):
                    yield f"{path}.{place}.{action}.host", "must not be set"


# -- restricted -----------------------------------------------------------------------------------

def volume_types(pod, _):
    for i, volume in enumerate(at(pod, "volumes") or []):
        for kind, source in volume.items():
            if kind != "name" and source is not None and kind not in VOLUMES:
                yield f"spec.volumes[{at(volume, 'name') or i}].{kind}", "is not an allowed type of volume"


def privilege_escalation(pod, _):
    if not is_windows(pod):
        for path, container in containers(pod):
            if at(container, "securityContext", "allowPrivilegeEscalation") is not False:
                yield f"{path}.securityContext.allowPrivilegeEscalation", "must be false"


def non_root(pod, _):
    if not has_users_of_its_own(pod):
        yield from inherited(pod, ("runAsNonRoot",), (True,))


def users(pod, _):
    if not has_users_of_its_own(pod):
        for path, context in contexts(pod):
            if at(context, "runAsUser") == 0:
                yield f"{path}.runAsUser", "must not be 0"


def seccomp(pod, _):
    if not is_windows(pod):
        yield from inherited(pod, ("seccompProfile", "type"), PROFILES)


def inherited(pod, keys, allowed):
    """What a container that does not say has from the pod: wrong values anywhere, and containers left without."""
    field = ".".join(keys)
    of_pod = at(pod, "securityContext", *keys)
    if of_pod is not None and of_pod not in allowed:
        yield f"spec.securityContext.{field}", f"must not be {of_pod}"
    for path, container in containers(pod):
        own = at(container, "securityContext", *keys)
        if own is None and of_pod not in allowed:
            yield f"{path}.securityContext.{field}", "must be set, here or of the pod"
        elif own is not None and own not in allowed:
            yield f"{path}.securityContext.{field}", f"must not be {own}"


def capabilities(pod, _):
    if not is_windows(pod):
        for path, container in containers(pod):
            asked = at(container, "securityContext", "capabilities")
            if "ALL" not in (at(asked, "drop") or []):
                yield f"{path}.securityContext.capabilities.drop", "must have ALL"
            for name in at(asked, "add") or []:
                if name != "NET_BIND_SERVICE":
                    yield f"{path}.securityContext.capabilities.add", f"must not have {name}"


# The volumes of `baseline`, its capabilities and its seccomp are within those of `restricted`.
CONTROLS = (host_process, host_namespaces, privileged, host_ports, apparmor, selinux, proc_mount, sysctls, hosts,
            volume_types, privilege_escalation, non_root, users, seccomp, capabilities)


def violations(pod_spec, annotations=None):
    """`path: why` for each field that keeps the pod out; empty: it is admitted."""
    return [f"{path}: {why}" for control in CONTROLS for path, why in control(pod_spec, annotations or {})]


def paths(pod_spec, annotations=None):
    """The fields alone."""
    return [text.split(": ")[0] for text in violations(pod_spec, annotations)]
