{{- define "demo-api.selector" -}}
app.kubernetes.io/name: demo-api
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "demo-api.labels" -}}
{{ include "demo-api.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}
