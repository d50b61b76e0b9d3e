{{- define "davylamp.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* At most 40 characters: workload names and revision hashes are put behind it. */}}
{{- define "davylamp.fullname" -}}
{{- $name := include "davylamp.name" . }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "davylamp.selector" -}}
app.kubernetes.io/name: {{ include "davylamp.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "davylamp.labels" -}}
{{ include "davylamp.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "davylamp.image" -}}
{{- $name := ternary (printf "%s/%s" .Values.image.registry .Values.image.repository) .Values.image.repository (ne .Values.image.registry "") }}
{{- if .Values.image.digest }}{{ $name }}@{{ .Values.image.digest }}
{{- else }}{{ $name }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- /* The service account of a workload: dict "root" . "workload" NAME */}}
{{- define "davylamp.serviceAccount" -}}
{{- if .root.Values.serviceAccount.create }}{{ include "davylamp.fullname" .root }}-{{ .workload }}
{{- else }}{{ default "default" .root.Values.serviceAccount.name }}{{ end }}
{{- end }}
