"""What respond counts. Labels are bounded: verbs, outcomes, modes, guards and notifiers are closed lists."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class RespondMetrics:
    """The metrics of the respond role, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.actions = Counter(
            "davylamp_actions", "Actions that ended", ["verb", "outcome", "mode"], registry=registry
        )
        self.guard_trips = Counter(
            "davylamp_guard_trips",
            "Times that a guard began to hold an action back",
            ["guard"],
            registry=registry,
        )
        self.ingest = Counter(
            "davylamp_ingest", "Findings taken in, by what became of them", ["outcome"], registry=registry
        )
        self.promotions = Counter(
            "davylamp_promotions", "Proposed actions that were moved on", ["state"], registry=registry
        )
        self.notifications = Counter(
            "davylamp_notifications", "Messages to people", ["notifier", "outcome"], registry=registry
        )
        self.outbox_sent = Counter(
            "davylamp_outbox_sent", "Messages confirmed by Kafka", ["topic"], registry=registry
        )
        self.late_calls = Counter(
            "davylamp_late_calls",
            "Calls that may have landed, or did land, without a lease",
            registry=registry,
        )
        self.lost = Counter(
            "davylamp_lost_before_read",
            "Findings that were gone before they could be read",
            ["topic", "partition"],
            registry=registry,
        )
        self.outbox_pending = Gauge(
            "davylamp_outbox_pending", "Messages not confirmed by Kafka yet", registry=registry
        )
        self.without_lease = Gauge(
            "davylamp_executing_without_lease",
            "Running actions that nobody has held for a minute",
            registry=registry,
        )
        self.states = Gauge("davylamp_actions_by_state", "Actions by state", ["state"], registry=registry)
        self.revocation_debt = Gauge(
            "davylamp_revocation_debt", "Old credentials that are not yet proven dead", registry=registry
        )
        self.revocation_debt_oldest = Gauge(
            "davylamp_revocation_debt_oldest_seconds",
            "How long the oldest of them has waited for its proof",
            registry=registry,
        )
        self.breakers = Gauge(
            "davylamp_breaker_open",
            "Whether a verb failed so often that only people start it",
            ["verb"],
            registry=registry,
        )
        self.containments = Gauge(
            "davylamp_containments_standing", "Workloads that are cut off now", registry=registry
        )
        self.open_incidents = Gauge("davylamp_incidents_open", "Open incidents", registry=registry)
