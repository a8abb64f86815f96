"""What is wrong with manifests when it is put where it says, and what has to be said of it. No case."""

POD = "/spec/template/spec"
INJECTOR, WEBHOOK = "Deployment sidelight-webhook", "MutatingWebhookConfiguration sidelight"

# kind, path, value, what is said: what no schema or type accepts. Kubernetes' own, then those of others
MISTYPED = [
    ("Deployment", "/spec/template/spec/containers/0/livenessProb", {}, "livenessProb"),
    ("Deployment", "/spec/replicas", "two", "two"),
    ("NetworkPolicy", "/spec/egres", [], "egres"),
    ("PodDisruptionBudget", "/spec/minAvailabel", 1, "minAvailabel"),
    ("MutatingWebhookConfiguration", "/webhooks/0/sideEffect", "None", "sideEffect"),
    ("PodMonitor", "/spec/podMetricsEndpoints/0/prot", "a", "prot"),
    ("PodMonitor", "/spec/podMetricsEndpoints/0/relabelings/0/action", "keeep", "keeep"),
    ("PrometheusRule", "/spec/groups/0/rules/0/expresion", "up", "expresion"),
    ("Certificate", "/spec/dnsName", ["a"], "dnsName"),
    ("Certificate", "/spec/privateKey/algorithm", "ECDS", "ECDS"),
    ("Issuer", "/spec/ca", {"secret": "a"}, "secret"),
    ("InferenceService", "/spec/predictor/minReplica", 1, "minReplica"),
    ("InferenceService", "/spec/predictor/minReplicas", "one", "minReplicas"),
    ("InferenceService", "/spec/predictor/initContainers/0/restartPolicies", "Always", "restartPolicies"),
]

# set of objects, object, path, value, what is said: what does not fit the other objects
UNFIT = [
    ("monitoring", "Service sidelight-webhook", "/spec/selector", {"app": "a"}, "chooses 0 workloads"),
    ("monitoring", "Service sidelight-webhook", "/spec/ports/0/targetPort", "https", "leads to https"),
    ("monitoring", "Service sidelight-webhook", "/spec/ports/0/port", 8443, "asks the service at 443"),
    ("monitoring", "Service iris", "/spec/ports/0/targetPort", 8000, "leads past Sidelight"),
    ("monitoring", "Service iris", "/spec/ports/0/targetPort", 9464, "leads past Sidelight"),
    ("monitoring", "NetworkPolicy sidelight-webhook", "/spec/podSelector", {}, "holds for 0 workloads"),
    ("monitoring", "NetworkPolicy sidelight-webhook", "/spec/ingress/0/ports/0/port", 443, "lets in to 443"),
    ("monitoring", "NetworkPolicy sidelight-webhook", "/spec/ingress", [], "keeps everybody from webhook"),
    ("monitoring", "NetworkPolicy sidelight-webhook", "/spec/egress", [{}], "lets something out"),
    ("monitoring", "PodDisruptionBudget sidelight-webhook", "/spec/minAvailable", 2, "no node can be drained"),
    ("monitoring", "PodDisruptionBudget sidelight-webhook", "/spec/selector/matchLabels", {"a": "b"}, "holds for 0"),
    ("monitoring", INJECTOR, "/spec/selector/matchLabels", {"a": "b"}, "its own pods"),
    ("monitoring", INJECTOR, f"{POD}/serviceAccountName", "other", "no account other"),
    ("monitoring", INJECTOR, f"{POD}/automountServiceAccountToken", True, "has a token"),
    ("monitoring", INJECTOR, f"{POD}/terminationGracePeriodSeconds", 15, "killed before 20"),
    ("monitoring", INJECTOR, f"{POD}/volumes/0/name", "other", "mounted"),
    ("monitoring", INJECTOR, f"{POD}/volumes/0/secret/secretName", "a", "nobody makes"),
    ("monitoring", INJECTOR, f"{POD}/containers/0/volumeMounts/0/subPath", "tls.crt", "never renewed"),
    ("monitoring", INJECTOR, f"{POD}/containers/0/image", "sidelight:latest", "any version"),
    ("monitoring", INJECTOR, f"{POD}/containers/0/env", [], "no variable SIDECAR_IMAGE"),
    ("monitoring", INJECTOR, f"{POD}/containers/0/resources/limits", {}, "limit of memory"),
    ("monitoring", INJECTOR, f"{POD}/containers/0/readinessProbe/httpGet/port", "ops", "asks"),
    ("monitoring", INJECTOR, f"{POD}/containers/0/ports/1/name", "webhook", "names of ports"),
    ("monitoring", INJECTOR,
     f"{POD}/topologySpreadConstraints/0/labelSelector/matchLabels", {"a": "b"}, "spreads other pods"),
    ("monitoring", INJECTOR, "/metadata/namespace", "other", "namespaces"),
    ("monitoring", INJECTOR, "/kind", "ClusterRole", "needs rights"),
    ("monitoring", "PodMonitor sidelight", "/spec/podMetricsEndpoints/0/port", "ops", "finds no pod"),
    ("monitoring", "PodMonitor sidelight-webhook", "/spec/selector/matchLabels", {"a": "b"}, "finds no pod"),
    ("monitoring", "ServiceAccount sidelight-webhook", "/automountServiceAccountToken", True, "tokens"),
    ("monitoring", WEBHOOK, "/webhooks/0/clientConfig/caBundle", "", "nobody"),
    ("monitoring", WEBHOOK, "/webhooks/0/clientConfig/service/name", "a", "no service"),
    ("cert-manager", WEBHOOK,
     "/metadata/annotations/cert-manager.io~1inject-ca-from", "sidelight/a", "no certificate"),
    ("cert-manager", "Certificate sidelight-webhook", "/spec/dnsNames", ["a.b.svc"], "not that of"),
    ("cert-manager", "Certificate sidelight-webhook", "/spec/secretName", "a", "nobody makes"),
    ("cert-manager", "Certificate sidelight-webhook", "/spec/issuerRef/name", "a", "no issuer a"),
    ("cert-manager", "Issuer sidelight-webhook-authority", "/spec/ca/secretName", "a", "no authority"),
    ("kserve", "Service iris-predictor", "/spec/ports/0/targetPort", 8080, "leads to 8080"),
]

# values of the chart, what is said
WRONG_VALUES = [
    ({"replica": 3}, "replica"), ({"replicas": "three"}, "/replicas"), ({"replicas": 0}, "/replicas"),
    ({"replicas": 1}, "no node"), ({"name": "Side_light"}, "/name"), ({"image": {"name": "a"}}, "name"),
    ({"image": {"tag": "a b"}}, "/image/tag"), ({"image": {"digest": "md5:1"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"certificates": {"mode": "none"}}, "/certificates/mode"),
    ({"certificates": {"mode": "given"}}, "/certificates/caBundle"),
    ({"webhook": {"strict": "yes"}}, "/webhook/strict"),
    ({"webhook": {"namespaceSelector": {"matchLabels": {"sidelight.dev/inject": None}}}}, "matchLabels"),
    ({"webhook": {"timeoutSeconds": 30}}, "timeoutSeconds"), ({"sidecar": {"port": 80}}, "/sidecar/port"),
    ({"sidecar": {"queueBytes": "many"}}, "queueBytes"), ({"sidecar": {"cpuLimit": "1 core"}}, "cpuLimit"),
    ({"sidecar": {"native": "false"}}, "/sidecar/native"), ({"drainDelay": 20}, "/drainDelay"),
    ({"resources": {"limit": {}}}, "limit"), ({"tolerations": [{"operater": "Exists"}]}, "operater"),
    ({"networkPolicy": {"metricsFrom": [{}]}}, "metricsFrom"), ({"monitoring": {"interval": "often"}}, "interval"),
]
