{{- /* One role as a container: dict "root" . "role" ROLE */}}
{{- define "davylamp.container" -}}
{{- $values := .root.Values }}
{{- $spec := get $values.roles .role }}
- name: {{ .role }}
  image: {{ include "davylamp.image" .root | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  args: [run, {{ .role }}, --config, /etc/davylamp/config.yaml]
  env:
    {{- include "davylamp.environment" . | nindent 4 }}
    {{- with $values.extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
  ports:
    - {name: http-{{ .role }}, containerPort: {{ include "davylamp.healthPort" . }}, protocol: TCP}
    {{- if and (eq .role "web") (include "davylamp.exposed" .root) }}
    - {name: http-pages, containerPort: {{ dig "web" "port" 8480 $values.config | int }}, protocol: TCP}
    {{- end }}
  startupProbe:
    httpGet: {path: /healthz, port: http-{{ .role }}}
    {{- toYaml $values.startupProbe | nindent 4 }}
  livenessProbe:
    httpGet: {path: /healthz, port: http-{{ .role }}}
    {{- toYaml $values.livenessProbe | nindent 4 }}
  readinessProbe:
    httpGet: {path: /readyz, port: http-{{ .role }}}
    {{- toYaml $values.readinessProbe | nindent 4 }}
  resources: {{- toYaml $spec.resources | nindent 4 }}
  securityContext: {{- toYaml $values.securityContext | nindent 4 }}
  volumeMounts:
    - {name: config, mountPath: /etc/davylamp, readOnly: true}
    - {name: state, mountPath: /var/lib/davylamp}
    - {name: tmp, mountPath: /tmp}
    {{- if $spec.existingSecret }}
    - {name: secret-{{ .role }}, mountPath: /run/secrets/davylamp, readOnly: true}
    {{- end }}
    {{- if $values.certificates.existingConfigMap }}
    - {name: certificates, mountPath: /etc/davylamp-certificates, readOnly: true}
    {{- end }}
    {{- range include "davylamp.folders" . | fromJsonArray }}
    - {name: {{ .volume }}, mountPath: {{ .path }}, readOnly: true}
    {{- end }}
    {{- with $values.extraVolumeMounts }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end }}

{{- /* The file of the Kafka login: a bearer token for OAUTHBEARER, else a password. */}}
{{- define "davylamp.kafkaSecret" -}}
{{- if eq (dig "kafka" "sasl_mechanism" "" .Values.config) "OAUTHBEARER" -}}
- {name: DAVYLAMP_KAFKA__TOKEN__FILE, value: /run/secrets/davylamp/kafka-token}
{{- else -}}
- {name: DAVYLAMP_KAFKA__PASSWORD__FILE, value: /run/secrets/davylamp/kafka-password}
{{- end }}
{{- end }}

{{- /* What the chart adds to the configuration of a role: where its own secrets and folders are. */}}
{{- define "davylamp.environment" -}}
{{- $config := .root.Values.config }}
{{- $spec := get .root.Values.roles .role }}
- {name: DAVYLAMP_STATE_DIR, value: /var/lib/davylamp}
{{- if has .role (list "detect" "correlate") }}
- {name: DAVYLAMP_DETECTION__RULE_CACHE_DIR, value: /var/lib/davylamp/rule-cache}
{{- end }}
{{- if ne .role "web" }}
{{- with $spec.kafkaUsername }}
- {name: DAVYLAMP_KAFKA__USERNAME, value: {{ . | quote }}}
{{- end }}
{{- if include "davylamp.sasl" .root }}
{{ include "davylamp.kafkaSecret" .root }}
{{- end }}
{{- end }}
{{- if has .role (list "respond" "web") }}
{{- if eq .root.Values.database.kind "sqlite" }}
- {name: DAVYLAMP_RESPONSE__DATABASE_URL__VALUE, value: "sqlite:////var/lib/davylamp/davylamp.db"}
{{- else }}
- {name: DAVYLAMP_RESPONSE__DATABASE_URL__FILE, value: /run/secrets/davylamp/database-url}
{{- end }}
{{- end }}
{{- if and (eq .role "respond") (dig "response" "targets" list $config) }}
- {name: DAVYLAMP_VAULT__TOKEN__FILE, value: /run/secrets/davylamp/vault-token}
{{- end }}
{{- $folders := include "davylamp.folders" . | fromJsonArray }}
{{- if $folders }}
{{- $rules := has .role (list "detect" "correlate") }}
{{- $paths := ternary (dig "detection" "rules" list $config) (dig "response" "playbooks" list $config) $rules }}
{{- /* `..data` is the kubelet's link to the files of one moment: a walk from the folder itself meets each file twice. */}}
{{- range $folders }}{{ $paths = append $paths (printf "%s/..data" .path) }}{{ end }}
- {name: {{ ternary "DAVYLAMP_DETECTION__RULES" "DAVYLAMP_RESPONSE__PLAYBOOKS" $rules }}, value: {{ toJson $paths | quote }}}
{{- end }}
{{- end }}

{{- /* The folders of rules or playbooks of a role: a JSON list of {volume, configMap, path}. */}}
{{- define "davylamp.folders" -}}
{{- $kind := ternary "rules" (ternary "playbooks" "" (has .role (list "respond" "web"))) (has .role (list "detect" "correlate")) }}
{{- $found := list }}
{{- if $kind }}
{{- $given := get .root.Values $kind }}
{{- if $given.files }}
{{- $found = append $found (dict "volume" $kind "configMap" (printf "%s-%s" (include "davylamp.fullname" .root) $kind) "path" (printf "/etc/davylamp-%s/values" $kind)) }}
{{- end }}
{{- range $index, $name := $given.existingConfigMaps }}
{{- $found = append $found (dict "volume" (printf "%s-%d" $kind $index) "configMap" $name "path" (printf "/etc/davylamp-%s/%d" $kind $index)) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{- /* The volumes of a workload beside configuration and state: dict "root" . "roles" LIST */}}
{{- define "davylamp.volumes" -}}
{{- $root := .root }}
{{- $seen := dict }}
{{- range $role := .roles }}
{{- $secret := (get $root.Values.roles $role).existingSecret }}
{{- if $secret }}
- name: secret-{{ $role }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- range include "davylamp.folders" (dict "root" $root "role" $role) | fromJsonArray }}
{{- if not (hasKey $seen .volume) }}
{{- $_ := set $seen .volume true }}
- name: {{ .volume }}
  configMap: {name: {{ .configMap }}}
{{- end }}
{{- end }}
{{- end }}
{{- with $root.Values.certificates.existingConfigMap }}
- name: certificates
  configMap: {name: {{ . }}}
{{- end }}
{{- with $root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
