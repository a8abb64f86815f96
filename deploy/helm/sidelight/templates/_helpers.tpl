{{/* What selects the injector's pods, and nothing else. */}}
{{- define "sidelight.selector" -}}
app.kubernetes.io/name: {{ .Values.name }}
{{- end }}

{{/* What all pods and objects have, as the files for kustomize. */}}
{{- define "sidelight.podLabels" -}}
{{ include "sidelight.selector" . }}
app.kubernetes.io/part-of: sidelight
{{- end }}

{{/* And what is usual with helm. Not on pods: they would start anew with every version of the chart. */}}
{{- define "sidelight.helmLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sidelight.labels" -}}
{{ include "sidelight.podLabels" . }}
{{ include "sidelight.helmLabels" . }}
{{- end }}

{{/* Of the objects that are about sidecars. */}}
{{- define "sidelight.sidecarLabels" -}}
app.kubernetes.io/name: sidelight
app.kubernetes.io/part-of: sidelight
{{ include "sidelight.helmLabels" . }}
{{- end }}

{{- define "sidelight.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}
