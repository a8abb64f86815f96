"""What one object of Kubernetes says of another, and is not so. No case."""

import re

from rendered import pods

RIGHTS = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
# what reviews in hand may take at the end, and the last lines of the log
LAST_REVIEWS, LAST_LINES = 10, 5


def running(pod):
    """Containers that go on running: native sidecars are among the init containers."""
    return [*pod["containers"], *(one for one in pod.get("initContainers", []) if one.get("restartPolicy") == "Always")]


def ports(pod):
    return [port for container in running(pod) for port in container.get("ports", [])]


def listens(pod, port):
    """Whether a container declares it, by name or number."""
    key = "name" if isinstance(port, str) else "containerPort"
    return any(one.get(key) == port for one in ports(pod))


def number(pod, port):
    return next((one["containerPort"] for one in ports(pod) if port in (one.get("name"), one["containerPort"])), None)


def variable(container, name):
    return next((one.get("value", "") for one in container.get("env", []) if one["name"] == name), "")


def chooses(selector, labels):
    """Of a selector that has nothing but labels."""
    return bool(selector) and selector.items() <= labels.items()


def faults(objects):
    """All that does not fit, one sentence each."""
    seen = set()
    for one in objects:
        key = one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]
        if key in seen:
            yield f"{key} is there twice"
        seen.add(key)
        if one["kind"] in RIGHTS:
            yield f"{one['kind']} {one['metadata']['name']}: nothing here needs rights"
    spaces = {one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"]}
    named = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    if named and spaces != named:
        yield f"namespaces {sorted(spaces)} instead of {sorted(named)}"
    made = list(pods(objects))
    for name, space, template in made:
        yield from of_pod(name, space, template, objects)
    for one in objects:
        check = OF_KIND.get(one["kind"])
        if check:
            for fault in check(one, made, objects):
                yield f"{one['kind']} {one['metadata']['name']}: {fault}"


def of_pod(name, space, template, objects):
    pod, labels = template["spec"], template["metadata"]["labels"]
    names = [port["name"] for port in ports(pod) if "name" in port]
    if len(set(names)) != len(names) or not all(re.fullmatch(r"(?=.*[a-z])[a-z0-9-]{1,15}", one) for one in names):
        yield f"{name}: names of ports {names}"
    for constraint in pod.get("topologySpreadConstraints", []):
        if not chooses(constraint["labelSelector"]["matchLabels"], labels):
            yield f"{name}: spreads other pods"
    account = pod.get("serviceAccountName")
    if account and ("ServiceAccount", space, account) not in {
            (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects}:
        yield f"{name}: there is no account {account}"
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{name}: has a token"
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    mounts = {mount["name"] for one in [*pod["containers"], *pod.get("initContainers", [])]
              for mount in one.get("volumeMounts", [])}
    if volumes != mounts:
        yield f"{name}: volumes {sorted(volumes)}, mounted {sorted(mounts)}"
    for volume in pod.get("volumes", []):
        wanted = volume.get("secret", {}).get("secretName")
        if wanted and wanted not in secrets(objects, space):
            yield f"{name}: nobody makes the Secret {wanted}"
    for container in running(pod):
        yield from of_container(f"{name}, {container['name']}", container, pod)


def of_container(name, container, pod):
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container.get(kind, {}).get("httpGet", {}).get("port")
        # a port need not be declared, but Sidelight listens there or leads there
        if asked is not None and not listens(pod, asked) and str(asked) not in known_to_sidelight(pod):
            yield f"{name}: {kind} asks {asked}, where nobody listens"
    if "resources" not in container or "memory" not in container["resources"].get("limits", {}):
        yield f"{name}: no limit of memory"
    if re.search(r":latest$|^[^:@]+$", container["image"]):
        yield f"{name}: {container['image']} is of any version"
    arguments = container.get("args", [])
    for delay in [int(one.partition("=")[2]) for one in arguments if one.startswith("--drain-delay=")]:
        needed = delay + LAST_REVIEWS + LAST_LINES
        if pod.get("terminationGracePeriodSeconds", 30) < needed:
            yield f"{name}: is killed before {needed} s"
    known = {one["name"] for one in container.get("env", [])}
    for unknown in set(re.findall(r"\$\((\w+)\)", " ".join(arguments))) - known:
        yield f"{name}: there is no variable {unknown}"
    # a file by itself stays what it was when the pod began
    for mount in container.get("volumeMounts", []):
        if "subPath" in mount:
            yield f"{name}: {mount['mountPath']} is never renewed"


def known_to_sidelight(pod):
    """Ports to which Sidelight leads, and where it is asked for metrics."""
    return {variable(one, name).rpartition(":")[2] for one in running(pod)
            for name in ("SIDELIGHT_UPSTREAM", "SIDELIGHT_OPS_LISTEN")}


def secrets(objects, space):
    """Those that are there, and those that cert-manager makes."""
    return {one["metadata"]["name"] if one["kind"] == "Secret" else one["spec"]["secretName"] for one in objects
            if one["kind"] in ("Secret", "Certificate") and one["metadata"].get("namespace") == space}


def of_service(service, made, _):
    found = [template for _, space, template in made if space == service["metadata"].get("namespace")
             and chooses(service["spec"].get("selector"), template["metadata"]["labels"])]
    if len(found) != 1:
        yield f"chooses {len(found)} workloads"
        return
    pod = found[0]["spec"]
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        if not listens(pod, target):
            yield f"leads to {target}, where nobody listens"
        for sidecar in [one for one in running(pod) if one["name"] == "sidelight"]:
            if variable(sidecar, "SIDELIGHT_LISTEN").rpartition(":")[2] != str(number(pod, target)):
                yield f"leads past Sidelight, to {target}"


def of_policy(policy, made, _):
    found = [template["spec"] for _, _, template in made
             if chooses(policy["spec"]["podSelector"].get("matchLabels"), template["metadata"]["labels"])]
    if len(found) != 1:
        yield f"holds for {len(found)} workloads"
        return
    let_in = [port["port"] for rule in policy["spec"]["ingress"] for port in rule.get("ports", [])]
    for port in let_in:
        if not listens(found[0], port):
            yield f"lets in to {port}, where nobody listens"
    for port in ports(found[0]):
        if not {port["name"], port["containerPort"]} & set(let_in):
            yield f"keeps everybody from {port['name']}"
    if "Egress" not in policy["spec"]["policyTypes"] or policy["spec"].get("egress"):
        yield "lets something out"


def of_budget(budget, made, objects):
    chosen = [name for name, _, template in made
              if chooses(budget["spec"]["selector"].get("matchLabels"), template["metadata"]["labels"])]
    replicas = [one["spec"]["replicas"] for one in objects if f"{one['kind']} {one['metadata']['name']}" in chosen]
    if len(replicas) != 1:
        yield f"holds for {len(replicas)} workloads"
    elif budget["spec"]["minAvailable"] >= replicas[0]:
        yield "no node can be drained"


def of_deployment(deployment, _, __):
    spec = deployment["spec"]
    if not chooses(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]):
        yield "does not choose its own pods"


def of_account(account, _, __):
    if account.get("automountServiceAccountToken") is not False:
        yield "gives tokens away"


def of_webhook(configuration, _, objects):
    services = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in objects
                if one["kind"] == "Service" and "namespace" in one["metadata"]}
    for webhook in configuration["webhooks"]:
        client = webhook["clientConfig"]
        service = services.get((client["service"]["namespace"], client["service"]["name"]))
        if service is None:
            yield f"there is no service {client['service']['name']}"
        elif client["service"]["port"] not in {port["port"] for port in service["spec"]["ports"]}:
            yield f"asks the service at {client['service']['port']}"
    source = configuration["metadata"].get("annotations", {}).get("cert-manager.io/inject-ca-from")
    certificates = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one for one in objects
                    if one["kind"] == "Certificate"}
    if source and source not in certificates:
        yield f"there is no certificate {source}"
    elif source:
        host = f"{client['service']['name']}.{client['service']['namespace']}.svc"
        if host not in certificates[source]["spec"]["dnsNames"]:
            yield f"the certificate is not that of {host}"
    elif not client.get("caBundle"):
        yield "believes nobody"


def of_certificate(certificate, _, objects):
    issuer = certificate["spec"]["issuerRef"]
    if (issuer["kind"], issuer["name"]) not in {(one["kind"], one["metadata"]["name"]) for one in objects}:
        yield f"there is no issuer {issuer['name']}"


def of_issuer(issuer, _, objects):
    secret = issuer["spec"].get("ca", {}).get("secretName")
    made = {one["spec"]["secretName"] for one in objects
            if one["kind"] == "Certificate" and one["spec"].get("isCA")}
    if secret and secret not in made:
        yield f"no authority is in {secret}"


def of_monitor(monitor, made, _):
    selector = monitor["spec"]["selector"].get("matchLabels", {})
    anywhere = monitor["spec"].get("namespaceSelector", {}).get("any", False)
    found = [template["spec"] for _, space, template in made
             if (anywhere or space == monitor["metadata"].get("namespace"))
             and selector.items() <= template["metadata"]["labels"].items()]
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        if "port" in endpoint and not any(listens(pod, endpoint["port"]) for pod in found):
            yield f"finds no pod with the port {endpoint['port']}"


OF_KIND = {
    "Service": of_service, "NetworkPolicy": of_policy, "PodDisruptionBudget": of_budget, "Deployment": of_deployment,
    "ServiceAccount": of_account, "MutatingWebhookConfiguration": of_webhook, "Certificate": of_certificate,
    "Issuer": of_issuer, "PodMonitor": of_monitor,
}
