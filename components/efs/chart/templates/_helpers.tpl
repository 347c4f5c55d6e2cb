{{/* The backend: as told, or by what the values name. */}}
{{- define "efs.backend" -}}
{{- $storage := .Values.storage -}}
{{- if ne (default "auto" $storage.backend) "auto" -}}
{{- $storage.backend -}}
{{- else if .Values.global.services.aws.efs.id -}}
efs
{{- else if $storage.nfs.server -}}
nfs
{{- else -}}
hostPath
{{- end -}}
{{- end -}}

{{/* The name of the claim. */}}
{{- define "efs.claim" -}}
{{- default .Values.storage.name .Values.storage.pvc.name -}}
{{- end -}}

{{- define "efs.labels" -}}
app.kubernetes.io/name: efs
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}
