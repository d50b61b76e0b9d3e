"""Canaries of detect, wired: the gate in the way of the records, the sender beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry

from config.canary import Canary
from config.errors import ConfigurationError, Problem
from config.settings import Settings
from connectors.kafka.producer import ConfirmedProducer
from connectors.kafka.reading import Reading
from daemon.roles.detect.canary_gate import CanaryGate
from daemon.roles.detect.canary_key import CanaryKey
from daemon.roles.detect.canary_metrics import CanaryMetrics
from daemon.roles.detect.canary_sending import CanarySender


def canary_sender(
    settings: Settings,
    kinds: Mapping[str, str],
    consumer: Reading,
    producer: ConfirmedProducer,
    clock: Callable[[], float],
    registry: CollectorRegistry,
) -> CanarySender | None:
    """Return the sender with its gate, None while canaries are off. Raises ConfigurationError."""
    canary: Canary = settings.canary
    if not canary.on:
        return None
    if not settings.detection.builtin_rules:
        wrong = "canaries are found by shipped rules, which detection.builtin_rules leaves out"
        raise ConfigurationError([Problem("settings", "canary", wrong)])
    key = CanaryKey(canary, clock)
    metrics = CanaryMetrics(registry)
    gate = CanaryGate(
        canary.grace_s,
        lambda tp: consumer.places[tp].checkpoint.counters,
        clock,
        metrics.found,
        key.keys(),
    )
    return CanarySender(
        kinds, canary.period_s, canary.grace_s, consumer, producer, gate, clock, metrics, key.keys
    )
