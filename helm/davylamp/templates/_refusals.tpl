{{- /* Values that cannot work are refused before anything is installed, all at once, one sentence each. */}}
{{- define "davylamp.refuse" -}}
{{- $said := list }}
{{- range $part := list "roles" "database" "secrets" "config" "scale" "network" "optional" }}
{{- $text := include (printf "davylamp.refuse.%s" $part) $ }}
{{- range splitList "\n" $text }}{{ with trim . }}{{ $said = append $said . }}{{ end }}{{ end }}
{{- end }}
{{- if $said }}{{ fail (printf "\n%s\n" (join "\n" ($said | uniq))) }}{{ end }}
{{- end }}

{{- define "davylamp.refuse.roles" -}}
{{- if not (include "davylamp.workloads" . | fromJsonArray) }}
every role is switched off: enable at least one of roles.detect, correlate, forward, respond, web
{{- end }}
{{- $stop := dig "operation" "stop_timeout_s" 10.0 .Values.config }}
{{- if le (float64 .Values.terminationGracePeriodSeconds) (float64 $stop) }}
terminationGracePeriodSeconds {{ .Values.terminationGracePeriodSeconds }} is not longer than config.operation.stop_timeout_s {{ $stop }}: a role would be killed before it has stopped
{{- end }}
{{- end }}

{{- define "davylamp.refuse.database" -}}
{{- $roles := .Values.roles }}
{{- if eq .Values.database.kind "sqlite" }}
{{- if eq .Values.database.layout "separate" }}
database.layout separate needs database.kind postgresql: SQLite is a file on one volume, so respond and web must share one pod
{{- end }}
{{- range $role := list "respond" "web" }}
{{- $spec := get $roles $role }}
{{- if and $spec.enabled (gt (int $spec.replicas) 1) }}
roles.{{ $role }}.replicas {{ $spec.replicas }} needs database.kind postgresql: a SQLite file belongs to one pod
{{- end }}
{{- end }}
{{- if and $roles.web.enabled (not $roles.respond.enabled) }}
roles.web needs roles.respond on SQLite: respond makes the tables in the pod that both share
{{- end }}
{{- else if and (eq .Values.database.layout "shared") $roles.respond.enabled $roles.web.enabled (ne (int $roles.respond.replicas) (int $roles.web.replicas)) }}
database.layout shared puts respond and web into one pod: give roles.respond.replicas and roles.web.replicas the same number
{{- end }}
{{- end }}

{{- define "davylamp.refuse.secrets" -}}
{{- range $role := list "detect" "correlate" "forward" "respond" "web" }}
{{- $spec := get $.Values.roles $role }}
{{- if and $spec.enabled (not $spec.existingSecret) }}
{{- if and (include "davylamp.sasl" $) (ne $role "web") }}
roles.{{ $role }}.existingSecret is missing: config.kafka.security_protocol {{ $.Values.config.kafka.security_protocol }} needs a Secret with the key {{ if eq (dig "kafka" "sasl_mechanism" "" $.Values.config) "OAUTHBEARER" }}kafka-token{{ else }}kafka-password{{ end }}
{{- end }}
{{- if and (eq $.Values.database.kind "postgresql") (has $role (list "respond" "web")) }}
roles.{{ $role }}.existingSecret is missing: PostgreSQL needs a Secret with the key database-url (or set database.kind to sqlite)
{{- end }}
{{- if and (eq $role "respond") (dig "response" "targets" list $.Values.config) }}
roles.respond.existingSecret is missing: config.response.targets need a Secret with the key vault-token
{{- end }}
{{- if include "davylamp.namesSecret" (dict "root" $ "role" $role) }}
roles.{{ $role }}.existingSecret is missing: config names files below /run/secrets/davylamp for {{ $role }}
{{- end }}
{{- end }}
{{- if and $spec.enabled (ne $role "web") (include "davylamp.sasl" $) (not $spec.kafkaUsername) (not (dig "kafka" "username" "" $.Values.config)) }}
roles.{{ $role }}.kafkaUsername is missing: config.kafka.security_protocol {{ $.Values.config.kafka.security_protocol }} needs the role's principal (or config.kafka.username for all)
{{- end }}
{{- end }}
{{- end }}

{{- define "davylamp.refuse.config" -}}
{{- $config := .Values.config }}
{{- $owned := dict "config.state_dir" (hasKey $config "state_dir") "config.kafka.password" (dig "kafka" "password" "" $config) "config.response.database_url" (dig "response" "database_url" "" $config) "config.vault.token" (dig "vault" "token" "" $config) }}
{{- range $key, $given := $owned }}
{{- if $given }}
{{ $key }} is the chart's to set, from each role's own Secret and volume: leave it out
{{- end }}
{{- end }}
{{- if and (contains "\"/etc/davylamp-certificates/" (toJson $config)) (not .Values.certificates.existingConfigMap) }}
certificates.existingConfigMap is missing: config names files below /etc/davylamp-certificates
{{- end }}
{{- if eq (dig "kafka" "counters" "commit_metadata" $config) "file" }}
config.kafka.counters file keeps counters in one pod's folder, where no other worker finds them: use commit_metadata
{{- end }}
{{- if has (dig "operation" "health_host" "127.0.0.1" $config) (list "127.0.0.1" "localhost" "::1") }}
config.operation.health_host is a loopback address: the kubelet's probes come from outside, use 0.0.0.0
{{- end }}
{{- $ports := list (dig "web" "port" 8480 $config | int) }}
{{- range $role := list "detect" "correlate" "forward" "respond" "web" }}
{{- $port := include "davylamp.healthPort" (dict "root" $ "role" $role) | int }}
{{- if or (lt $port 1024) (has $port $ports) (and (hasKey (dig "operation" dict $config) "health_ports") (not (hasKey $config.operation.health_ports $role))) }}
config.operation.health_ports.{{ $role }} must be given, above 1023 and unlike the other ports, because probes and policies name it
{{- end }}
{{- $ports = append $ports $port }}
{{- end }}
{{- if and .Values.roles.forward.enabled (not .Values.roles.forward.persistence.enabled) }}
{{- $kinds := list }}
{{- range dig "forwarding" "targets" (list (dict "kind" "file")) $config }}{{ $kinds = append $kinds .kind }}{{ end }}
{{- if has "file" $kinds }}
config.forwarding.targets has a file target (the daemon's default), which a new pod would lose: name a SIEM, or set roles.forward.persistence.enabled
{{- end }}
{{- end }}
{{- if include "davylamp.exposed" . }}
{{- if not (dig "web" "approvers" list $config) }}
config.web.approvers is empty: pages that others can reach need people who sign in (or set config.web.host to 127.0.0.1, or roles.web.enabled to false)
{{- end }}
{{- if not (dig "web" "base_url" "" $config) }}
config.web.base_url is missing: it is the address that people type, and requests for any other host are refused
{{- end }}
{{- end }}
{{- end }}

{{- define "davylamp.refuse.scale" -}}
{{- $partitions := int .Values.partitions }}
{{- $internal := dig "kafka" "internal_partitions" 4 .Values.config | int }}
{{- range $role := list "detect" "correlate" "forward" "respond" }}
{{- $spec := get $.Values.roles $role }}
{{- $raw := has $role (list "detect" "forward") }}
{{- $most := ternary $partitions $internal $raw }}
{{- $name := ternary "partitions" "config.kafka.internal_partitions" $raw }}
{{- if and $spec.enabled (gt (int $spec.replicas) $most) (not (and $raw $.Values.keda.enabled)) }}
roles.{{ $role }}.replicas {{ $spec.replicas }} is more than {{ $name }} {{ $most }}: the rest would have nothing to read
{{- end }}
{{- end }}
{{- if .Values.keda.enabled }}
{{- $keda := .Values.keda }}
{{- range $role := list "detect" "forward" }}
{{- $max := get $keda.maxReplicas $role | int }}
{{- if gt $max $partitions }}
keda.maxReplicas.{{ $role }} {{ $max }} is more than partitions {{ $partitions }}: the rest would have nothing to read
{{- end }}
{{- if lt $max (int $keda.minReplicas) }}
keda.maxReplicas.{{ $role }} {{ $max }} is less than keda.minReplicas {{ $keda.minReplicas }}
{{- end }}
{{- end }}
{{- if and (or $keda.caKey (include "davylamp.sasl" .)) (not $keda.existingSecret) }}
keda.existingSecret is missing: KEDA reads the lag with a Kafka principal of its own
{{- end }}
{{- end }}
{{- end }}

{{- define "davylamp.refuse.network" -}}
{{- $config := .Values.config }}
{{- if .Values.networkPolicy.enabled }}
{{- $roles := .Values.roles }}
{{- $needed := dict
  "kafka" (or $roles.detect.enabled $roles.correlate.enabled $roles.forward.enabled $roles.respond.enabled)
  "database" (and (eq .Values.database.kind "postgresql") (or $roles.respond.enabled $roles.web.enabled))
  "vault" (and $roles.respond.enabled (dig "response" "targets" list $config))
  "targets" (and $roles.respond.enabled (dig "response" "targets" list $config))
  "notify" (and $roles.respond.enabled (dig "notify" list $config))
  "siem" (and $roles.forward.enabled (include "davylamp.clusterTargets" .)) }}
{{- range $peer, $wanted := $needed }}
{{- if and $wanted (not (get $.Values.networkPolicy.egress $peer)) }}
networkPolicy.egress.{{ $peer }} names nobody, so {{ $peer }} could not be reached: give its rules (or set networkPolicy.enabled to false)
{{- end }}
{{- end }}
{{- if and (include "davylamp.exposed" .) (not .Values.networkPolicy.web) }}
networkPolicy.web names nobody, so the pages could not be reached: give peers (or set config.web.host to 127.0.0.1)
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.networkPolicy.monitoring) }}
networkPolicy.monitoring names nobody, so Prometheus could not read the metrics: give its peers
{{- end }}
{{- end }}
{{- if .Values.istio.enabled }}
{{- if and (include "davylamp.exposed" .) (not .Values.istio.web.principals) }}
istio.web.principals is empty, so the mesh would refuse everybody the pages: name the gateway's principal
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not (or .Values.istio.prometheus.namespaces .Values.istio.prometheus.principals)) }}
istio.prometheus names nobody, so the mesh would refuse Prometheus the metrics: give its namespace or principal
{{- end }}
{{- end }}
{{- end }}

{{- define "davylamp.refuse.optional" -}}
{{- $boot := .Values.bootstrap }}
{{- if $boot.enabled }}
{{- $siem := and $boot.siem (include "davylamp.clusterTargets" .) }}
{{- if not (or $boot.topics $siem $boot.webLogin) }}
bootstrap.enabled has nothing to do: set bootstrap.topics, bootstrap.siem or bootstrap.webLogin
{{- end }}
{{- if and $boot.webLogin (eq .Values.database.kind "sqlite") }}
bootstrap.webLogin needs database.kind postgresql: SQLite has no logins
{{- end }}
{{- $named := include "davylamp.namesSecret" (dict "root" . "role" "forward") }}
{{- if and (not $boot.existingSecret) (or $boot.webLogin (and $siem $named) (and $boot.topics (include "davylamp.sasl" .))) }}
bootstrap.existingSecret is missing: it holds kafka-password or kafka-token (SASL), the keys that config.forwarding names, and database-url (webLogin)
{{- end }}
{{- if and $boot.topics (include "davylamp.sasl" .) (not $boot.kafkaUsername) (not (dig "kafka" "username" "" .Values.config)) }}
bootstrap.kafkaUsername is missing: name the Kafka principal that may make topics
{{- end }}
{{- end }}
{{- end }}
