{{- /*
The alerts: a YAML list of {alert, severity, for, expr, summary, description}.

Two kinds of counters need two kinds of questions, because `increase` sees no first sample:
- in memory (respond, correlate): a label appears with its first event, so "grew, or is new since" is asked;
- kept with the partition's offset (detect, forward): they move between workers and come back after a restart, so the
  sum of all workers, or the highest value of a partition, is held against the highest that it has been before.
*/}}
{{- define "davylamp.alerts" -}}
{{- $at := printf "namespace=%q,job=~%q" .Release.Namespace (printf "%s-.+" (include "davylamp.fullname" .)) }}
{{- $limit := .Values.prometheusRule.thresholds }}
- alert: DavylampDown
  severity: critical
  for: 5m
  expr: up{ {{- $at -}} } == 0
  summary: A Davylamp worker does not answer
  description: {{ `{{ $labels.pod }} has not answered its metrics port for 5 minutes.` | quote }}
- alert: DavylampGone
  severity: critical
  for: 10m
  expr: absent(up{ {{- $at -}} })
  summary: Prometheus sees no Davylamp at all
  description: Nothing of this release has been scraped for 10 minutes, so none of its other alerts can speak.
- alert: DavylampNotReady
  severity: warning
  for: 10m
  expr: davylamp_ready{ {{- $at -}} } == 0
  summary: A Davylamp worker cannot do its work
  description: {{ `{{ $labels.pod }} has not been ready for 10 minutes; /readyz on its health port names the reason.` | quote }}
- alert: DavylampReloadRefused
  severity: warning
  for: 5m
  expr: davylamp_reload_ok{ {{- $at -}} } == 0
  summary: Changed rules or playbooks are refused
  description: {{ `{{ $labels.pod }} works on with the {{ $labels.part }} of before; its log and /status name the file and the reason.` | quote }}
- alert: DavylampRulesDiffer
  severity: warning
  for: 15m
  expr: count(count by (hash) (davylamp_live_set_info{ {{- $at -}} ,part="rules"})) > 1
  summary: Workers of Davylamp judge by different rules
  description: detect and correlate have held different rule sets for 15 minutes; findings of changed correlations may be missing.
- alert: DavylampDependencyAway
  severity: critical
  for: 5m
  expr: davylamp_dependency_up{ {{- $at -}} } == 0
  summary: {{ `{{ $labels.dependency }} is away` | quote }}
  description: {{ `{{ $labels.pod }} has waited 5 minutes for {{ $labels.dependency }} (Kafka, database, vault or a SIEM target).` | quote }}
- alert: DavylampCanaryLate
  severity: critical
  for: 1m
  expr: >-
    time() - max by (target, source) (davylamp_canary_newest_timestamp_seconds{ {{- $at -}} } > 0)
    > {{ add 300 (mul 180 (int64 (ceil (float64 (dig "canary" "every_minutes" 5.0 .Values.config))))) }}
  summary: {{ `Canaries of {{ $labels.source }} do not reach {{ $labels.target }}` | quote }}
  description: Three canaries in a row did not arrive; events may be lost on the same way. davylamp status shows which part is late.
- alert: DavylampLagGrowing
  severity: warning
  for: 15m
  expr: >-
    sum by (role, target) (davylamp_lag_records{ {{- $at -}} }) > {{ int64 $limit.lagRecords }}
    and sum by (role, target) (deriv(davylamp_lag_records{ {{- $at -}} }[15m])) > 0
  summary: {{ `{{ $labels.role }} falls behind` | quote }}
  description: {{ `{{ $value }} records wait for {{ $labels.role }} {{ $labels.target }}, and they become more.` | quote }}
- alert: DavylampSourceSilent
  severity: warning
  for: 5m
  {{- $read := printf "sum by (source) (davylamp_detect_records_total{outcome=\"read\",%s})" $at }}
  {{- $read_before := printf "sum by (source) (davylamp_detect_records_total{outcome=\"read\",%s} offset %s)" $at $limit.sourceSilent }}
  expr: >-
    {{ $read }} <= min_over_time({{ $read }}[{{ $limit.sourceSilent }}:1m]) and {{ $read_before }}
  summary: {{ `No record from {{ $labels.source }}` | quote }}
  description: {{ printf "A source that spoke before has been silent for %s: a broken shipper, or logging was switched off." $limit.sourceSilent | quote }}
- alert: DavylampUnreadableRecords
  severity: warning
  for: 10m
  expr: >-
    sum by (source) (rate(davylamp_detect_records_total{outcome="rejected", {{- $at -}} }[10m]))
    / sum by (source) (rate(davylamp_detect_records_total{outcome="read", {{- $at -}} }[10m])) > {{ $limit.rejectedRatio }}
  summary: {{ `Records of {{ $labels.source }} cannot be read` | quote }}
  description: {{ `{{ $value | humanizePercentage }} of the records of {{ $labels.source }} went to davylamp.dlq; its header reason says why.` | quote }}
- alert: DavylampDeadLetters
  severity: warning
  for: 0m
  {{- $refused := printf "sum by (target, reason) (davylamp_forward_items_total{outcome=\"rejected\",%s})" $at }}
  expr: >-
    {{ $refused }} > (max_over_time({{ $refused }}[1h:1m] offset 10m) or {{ $refused }} * 0)
  summary: {{ `{{ $labels.target }} refuses documents` | quote }}
  description: {{ `Documents refused by {{ $labels.target }} ({{ $labels.reason }}) go to davylamp.dlq.` | quote }}
- alert: DavylampRecordsLost
  severity: critical
  for: 0m
  {{- $lost := printf "max by (job, topic, partition) (davylamp_lost_before_read_total{%s})" $at }}
  {{- $lost_before := printf "max by (job, topic, partition) (max_over_time(davylamp_lost_before_read_total{%s}[1d] offset 1h))" $at }}
  {{- $correlate := printf "davylamp_correlate_lost_before_read_total{%s}" $at }}
  expr: >-
    {{ $lost }} > ({{ $lost_before }} or {{ $lost }} * 0)
    or sum by (job, topic, partition) (increase({{ $correlate }}[1h])) > 0
    or sum by (job, topic, partition) ({{ $correlate }} unless {{ $correlate }} offset 1h) > 0
  summary: {{ `Records of {{ $labels.topic }} were gone before they were read` | quote }}
  description: Retention or a deleted topic took records that nobody had looked at; what stood in them is not known.
- alert: DavylampRestarting
  severity: critical
  for: 0m
  expr: changes(process_start_time_seconds{ {{- $at -}} }[15m]) > 2
  summary: A Davylamp worker starts again and again
  description: {{ `{{ $labels.pod }} ended three times in 15 minutes. A batch that cannot be evaluated ends a worker; its log names rule and place.` | quote }}
- alert: DavylampStateFull
  severity: warning
  for: 0m
  {{- $full := printf "davylamp_correlate_overflow_total{%s}" $at }}
  expr: >-
    sum by (of) (increase({{ $full }}[1h])) > 0
    or sum by (of) ({{ $full }} unless {{ $full }} offset 1h) > 0
  summary: A correlation holds more than it may
  description: {{ `State of {{ $labels.of }} is full, so matches are turned away; the log names the rule.` | quote }}
- alert: DavylampWatermarkStuck
  severity: warning
  for: 15m
  expr: max by (source) (davylamp_correlate_watermark_lag_seconds{ {{- $at -}} }) > {{ int64 $limit.watermarkLagSeconds }}
  summary: {{ `Final findings of {{ $labels.source }} wait` | quote }}
  description: The watermark does not move, so correlations over this source stay provisional.
- alert: DavylampRotationFailed
  severity: critical
  for: 0m
  {{- $ended := printf "davylamp_actions_total{outcome=~\"failed|verify_failed|needs_human|rolled_back\",%s}" $at }}
  expr: >-
    sum by (verb, outcome) (increase({{ $ended }}[1h])) > 0
    or sum by (verb, outcome) ({{ $ended }} unless {{ $ended }} offset 1h) > 0
  summary: {{ `{{ $labels.verb }} ended as {{ $labels.outcome }}` | quote }}
  description: A leaked credential may still be good. The incident's page says what was done and what a person has to do.
- alert: DavylampRevocationDebt
  severity: critical
  for: 10m
  expr: max(davylamp_revocation_debt{ {{- $at -}} }) > 0
  summary: An old credential is not proven dead
  description: {{ `{{ $value }} old credentials may still be good. davylamp targets debt names them and says when each is looked at again.` | quote }}
- alert: DavylampTargetOverdue
  severity: warning
  for: 15m
  expr: max by (target, why) (davylamp_target_overdue{ {{- $at -}} }) > 0
  summary: {{ `{{ $labels.target }} is overdue: {{ $labels.why }}` | quote }}
  description: Its routine rotation is not proven in time, or its last proof is too old. davylamp targets overdue says why.
- alert: DavylampBreakerOpen
  severity: warning
  for: 5m
  expr: max by (verb) (davylamp_breaker_open{ {{- $at -}} }) > 0
  summary: {{ `{{ $labels.verb }} failed too often and starts no more by itself` | quote }}
  description: Find out why its actions failed, then close its breaker with davylamp switch close, or wait for the window to pass.
- alert: DavylampProposalWaiting
  severity: critical
  for: {{ $limit.proposalWaiting }}
  expr: max(davylamp_actions_by_state{state="proposed", {{- $at -}} }) > 0
  summary: A proposed action waits for a person
  description: {{ `{{ $value }} proposed actions wait; they lapse after response.approval_expiry_s.` | quote }}
- alert: DavylampActionUnowned
  severity: critical
  for: 2m
  expr: max(davylamp_executing_without_lease{ {{- $at -}} }) > 0
  summary: A running action is held by nobody
  description: A worker died in the middle of an action and no other took it over.
- alert: DavylampLateCall
  severity: critical
  for: 0m
  expr: increase(davylamp_late_calls_total{ {{- $at -}} }[1h]) > 0
  summary: An outside call may have landed without a lease
  description: {{ `{{ $labels.pod }} saw a call whose lease was lost; the epoch is proven again.` | quote }}
- alert: DavylampOutboxStuck
  severity: warning
  for: 10m
  expr: min_over_time(davylamp_outbox_pending{ {{- $at -}} }[10m]) > 0
  summary: Incidents and audit rows do not reach Kafka
  description: {{ `{{ $value }} messages have waited in the outbox for 10 minutes.` | quote }}
- alert: DavylampNotificationFailed
  severity: critical
  for: 0m
  {{- $given_up := printf "davylamp_notifications_total{outcome=\"failed\",%s}" $at }}
  expr: >-
    sum by (notifier) (increase({{ $given_up }}[30m])) > 0
    or sum by (notifier) ({{ $given_up }} unless {{ $given_up }} offset 30m) > 0
  summary: {{ `{{ $labels.notifier }} could not tell a person` | quote }}
  description: A message was given up after its retries; the incident's page has it.
{{- end }}
