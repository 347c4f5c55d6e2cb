{{- define "demo-ui.selector" -}}
app.kubernetes.io/name: demo-ui
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "demo-ui.labels" -}}
{{ include "demo-ui.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "demo-ui.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}

{{- define "demo-ui.api" -}}
{{- required "api.url is where the API answers" .Values.api.url -}}
{{- end -}}

{{- define "demo-ui.files" -}}
default.conf: |
  server {
    listen 8080;
    root /usr/share/nginx/html;
    location = /healthz {
      access_log off;
      default_type text/plain;
      return 200 "ok\n";
    }
    location /api/ {
      proxy_pass {{ include "demo-ui.api" . }}/;
    }
  }
index.html: |
  <!doctype html>
  <html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>{{ .Values.page.title | replace "\n" " " | html }}</title>
  <style>body {font: 1.2rem/1.5 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem}</style>
  <h1>{{ .Values.page.title | replace "\n" " " | html }}</h1>
  <p>{{ .Values.page.text | replace "\n" " " | html }}</p>
  <p id="answer">asking the API …</p>
  <script>
    fetch("api/visits").then(answer => answer.json()).then(
      body => document.getElementById("answer").textContent =
        body.error ?? `${body.greeting}: visit number ${body.visits}.`,
      error => document.getElementById("answer").textContent = String(error));
  </script>
  </html>
{{- end -}}
