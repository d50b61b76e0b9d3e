{{- /* Labels of a workload: dict "root" . "workload" NAME */}}
{{- define "davylamp.workloadLabels" -}}
{{ include "davylamp.labels" .root }}
app.kubernetes.io/component: {{ .workload }}
{{- end }}

{{- define "davylamp.workloadSelector" -}}
{{ include "davylamp.selector" .root }}
app.kubernetes.io/component: {{ .workload }}
{{- end }}

{{- /* What every pod of the chart has: dict "root" . "workload" NAME */}}
{{- define "davylamp.podCommon" -}}
serviceAccountName: {{ include "davylamp.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* The pod template of a workload: dict "root" . "workload" {an item of davylamp.workloads} */}}
{{- define "davylamp.pod" -}}
{{- $root := .root }}
{{- $values := .root.Values }}
{{- $named := dict "root" .root "workload" .workload.name }}
metadata:
  annotations:
    checksum/config: {{ toYaml $values.config | sha256sum }}
    {{- if or (has "detect" .workload.roles) (has "correlate" .workload.roles) }}
    checksum/rules: {{ toYaml $values.rules.files | sha256sum }}
    {{- else if or (has "respond" .workload.roles) (has "web" .workload.roles) }}
    checksum/playbooks: {{ toYaml $values.playbooks.files | sha256sum }}
    {{- end }}
    {{- with $values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
  labels:
    {{- include "davylamp.workloadLabels" $named | nindent 4 }}
    {{- if $values.istio.enabled }}
    sidecar.istio.io/inject: "true"
    {{- end }}
    {{- with $values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  {{- include "davylamp.podCommon" $named | nindent 2 }}
  terminationGracePeriodSeconds: {{ int64 $values.terminationGracePeriodSeconds }}
  {{- if $values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
  {{- else if gt (int .workload.replicas) 1 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: {matchLabels: {{ include "davylamp.workloadSelector" $named | fromYaml | toJson }}}
  {{- end }}
  {{- with $values.initContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- range $role := .workload.roles }}
    {{- include "davylamp.container" (dict "root" $root "role" $role) | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "davylamp.fullname" $root }}}
    - name: tmp
      emptyDir: {sizeLimit: 256Mi}
    {{- if not .workload.persistence.enabled }}
    - name: state
      emptyDir: {sizeLimit: 1Gi}
    {{- end }}
    {{- include "davylamp.volumes" (dict "root" $root "roles" .workload.roles) | nindent 4 }}
{{- end }}
