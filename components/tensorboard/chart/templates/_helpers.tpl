{{- define "tensorboard.selector" -}}
app.kubernetes.io/name: tensorboard
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "tensorboard.labels" -}}
{{ include "tensorboard.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "tensorboard.image" -}}
{{- $image := .Values.tensorboard.image -}}
{{- if $image.repo -}}{{ $image.repo }}/{{ end -}}{{ $image.name }}:{{ $image.dockerTag }}
{{- end -}}
