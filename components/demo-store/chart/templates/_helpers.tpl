{{- define "demo-store.selector" -}}
app.kubernetes.io/name: demo-store
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "demo-store.labels" -}}
{{ include "demo-store.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}
