{{- define "dataloader.labels" -}}
app.kubernetes.io/name: dataloader
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{/* The command as a JSON list, whichever of its three forms it has. */}}
{{- define "dataloader.command" -}}
{{- $command := .Values.dataLoader.service.command -}}
{{- if kindIs "string" $command -}}
{{- if hasPrefix "[" (trim $command) -}}
{{- $parsed := fromYaml (printf "command: %s" (trim $command)) -}}
{{- if not (kindIs "slice" (get $parsed "command")) -}}
{{- fail (printf "dataLoader.service.command: %s looks like a list but cannot be read as one" (quote $command)) -}}
{{- end -}}
{{- $command = get $parsed "command" -}}
{{- else -}}
{{- $command = list "/bin/sh" "-c" $command -}}
{{- end -}}
{{- end -}}
{{- $words := list -}}
{{- range $command -}}{{- $words = append $words (toString .) -}}{{- end -}}
{{- toJson $words -}}
{{- end -}}

{{- define "dataloader.image" -}}
{{- $image := .Values.dataLoader.image -}}
{{- $name := required "dataLoader.image.name is the image that loads the data" $image.name -}}
{{- $tag := required "dataLoader.image.dockerTag is the tag of the image" $image.dockerTag -}}
{{- if $image.repo -}}{{ $image.repo }}/{{ end -}}{{ $name }}:{{ $tag }}
{{- end -}}

{{- define "dataloader.claim" -}}
{{- $storage := .Values.storage -}}
{{- required "storage.name is the claim that the dataset goes to" (coalesce $storage.pvc.name $storage.name $storage.claim) -}}
{{- end -}}

{{/* Whether the credentials stand in the values; else they are in a Secret that exists. */}}
{{- define "dataloader.ownSecret" -}}
{{- $settings := .Values.dataLoader.settings -}}
{{- if or $settings.imagenetUsername $settings.imagenetApiKey (not $settings.existingSecret) -}}true{{- end -}}
{{- end -}}

{{- define "dataloader.secret" -}}
{{- if include "dataloader.ownSecret" . -}}
{{ .Values.dataLoader.service.name }}-imagenet
{{- else -}}
{{ .Values.dataLoader.settings.existingSecret }}
{{- end -}}
{{- end -}}

{{/* What the result depends on: image, command, dataset and further variables. Names the done-marker. */}}
{{- define "dataloader.inputs" -}}
{{- $settings := .Values.dataLoader.settings -}}
{{- list (include "dataloader.image" .) (include "dataloader.command" .) $settings.dataset $settings.env | toJson | sha256sum | trunc 10 -}}
{{- end -}}

{{/* The pod. Its hash is in the Job's name: a pod template cannot be changed in place. So nothing stands here that
     changes by itself, such as the version of the chart. */}}
{{- define "dataloader.pod" -}}
{{- $loader := .Values.dataLoader -}}
metadata:
  labels:
    app.kubernetes.io/name: dataloader
    app.kubernetes.io/instance: {{ .Release.Name | quote }}
spec:
  restartPolicy: OnFailure
  automountServiceAccountToken: false
  containers:
    - name: dataloader
      image: {{ include "dataloader.image" . | quote }}
      imagePullPolicy: {{ .Values.global.imagePullPolicy }}
      {{- if $loader.doneMarker }}
      command:
        - /bin/sh
        - -c
        - |
          marker="${DATA_DIR%/}/.datamill/${DONE_MARKER}"
          if [ -e "$marker" ]; then
            echo "${DATASET} was loaded before: $(cat "$marker")"
            exit 0
          fi
          "$@" || exit $?
          mkdir -p "${marker%/*}" && date > "$marker"
        - dataloader
      args: {{ include "dataloader.command" . }}
      {{- else }}
      command: {{ include "dataloader.command" . }}
      {{- end }}
      env:
        - name: DATASET
          value: {{ $loader.settings.dataset | quote }}
        - name: DATA_DIR
          value: {{ $loader.settings.dataDir | quote }}
        {{- if $loader.doneMarker }}
        - name: DONE_MARKER
          value: {{ printf "%s-%s.done" $loader.service.name (include "dataloader.inputs" .) | quote }}
        {{- end }}
        - name: IMAGENET_USERNAME
          valueFrom:
            secretKeyRef:
              name: {{ include "dataloader.secret" . | quote }}
              key: username
        - name: IMAGENET_ACCESS_KEY
          valueFrom:
            secretKeyRef:
              name: {{ include "dataloader.secret" . | quote }}
              key: accessKey
        {{- range $name, $value := $loader.settings.env }}
        - name: {{ $name | quote }}
          value: {{ $value | toString | quote }}
        {{- end }}
      {{- with $loader.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $loader.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: data
          mountPath: {{ $loader.settings.dataDir | quote }}
  volumes:
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "dataloader.claim" . | quote }}
  {{- with $loader.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $loader.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
