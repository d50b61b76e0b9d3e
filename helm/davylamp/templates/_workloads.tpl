{{- /* What runs: a JSON list of {name, roles, replicas, persistence}; everything else asks this list. */}}
{{- define "davylamp.workloads" -}}
{{- $roles := .Values.roles }}
{{- $shared := eq (include "davylamp.layout" .) "shared" }}
{{- $found := list }}
{{- range $role := list "detect" "correlate" "forward" "respond" "web" }}
{{- $spec := get $roles $role }}
{{- $persistence := dict "enabled" false }}
{{- if eq $role "forward" }}{{ $persistence = $spec.persistence }}{{ end }}
{{- if and $spec.enabled (not (and $shared (has $role (list "respond" "web")))) }}
{{- $found = append $found (dict "name" $role "roles" (list $role) "replicas" $spec.replicas "persistence" $persistence) }}
{{- end }}
{{- end }}
{{- if and $shared (or $roles.respond.enabled $roles.web.enabled) }}
{{- $inside := list }}
{{- range $role := list "respond" "web" }}{{ if (get $roles $role).enabled }}{{ $inside = append $inside $role }}{{ end }}{{ end }}
{{- $persistence := merge (dict "enabled" (eq .Values.database.kind "sqlite")) .Values.database.persistence }}
{{- $found = append $found (dict "name" "respond-web" "roles" $inside "replicas" $roles.respond.replicas "persistence" $persistence) }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{- define "davylamp.layout" -}}
{{ default (ternary "shared" "separate" (eq .Values.database.kind "sqlite")) .Values.database.layout }}
{{- end }}

{{- /* The health port of a role: dict "root" . "role" ROLE */}}
{{- define "davylamp.healthPort" -}}
{{- $default := get (dict "detect" 8481 "correlate" 8482 "respond" 8483 "forward" 8484 "web" 8485) .role }}
{{- dig "operation" "health_ports" .role $default .root.Values.config | int }}
{{- end }}

{{- /* "true" when people reach the pages other than by a port-forward. */}}
{{- define "davylamp.exposed" -}}
{{- $host := dig "web" "host" "127.0.0.1" .Values.config }}
{{- if and .Values.roles.web.enabled (not (has $host (list "127.0.0.1" "localhost" "::1"))) }}true{{ end }}
{{- end }}

{{- define "davylamp.sasl" -}}
{{- if hasPrefix "SASL_" (dig "kafka" "security_protocol" "PLAINTEXT" .Values.config) }}true{{ end }}
{{- end }}

{{- /* Whether a role's part of the configuration names a file of its secret: dict "root" . "role" ROLE */}}
{{- define "davylamp.namesSecret" -}}
{{- $config := .root.Values.config }}
{{- $part := dict }}
{{- if eq .role "forward" }}{{ $part = dig "forwarding" dict $config }}{{ end }}
{{- if eq .role "respond" }}{{ $part = dict "notify" (dig "notify" list $config) "response" (dig "response" dict $config) }}{{ end }}
{{- if contains "\"/run/secrets/davylamp/" (toJson $part) }}true{{ end }}
{{- end }}

{{- /* The topics of the raw sources, as the daemon has them by default. */}}
{{- define "davylamp.rawTopics" -}}
{{- $topics := dig "kafka" "topics" dict .Values.config }}
{{- $found := list }}
{{- range $pair := list (list "cloudtrail" "aws.cloudtrail") (list "kubernetes_audit" "k8s.audit") (list "istio_access" "istio.access") (list "vault_audit" "vault.audit") }}
{{- $found = concat $found (dig (first $pair) (list (last $pair)) $topics) }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{- /* "true" when a SIEM is a server, not a file. */}}
{{- define "davylamp.clusterTargets" -}}
{{- $found := false }}
{{- range dig "forwarding" "targets" list .Values.config }}{{ if ne .kind "file" }}{{ $found = true }}{{ end }}{{ end }}
{{- if $found }}true{{ end }}
{{- end }}
