"""What detect writes: findings, matches, flows and dead letters as messages of bounded size."""

from __future__ import annotations

from typing import Final

from connectors.kafka.dead_letter import dead_letter
from connectors.kafka.encoding import encode_key, encode_value
from connectors.kafka.producer import Message
from connectors.kafka.topics import FINDINGS, FLOWS, MATCHES
from connectors.sources.reject import Reject
from daemon.roles.detect.blocks import Flow
from detectors.event import Fields, Json
from detectors.finding import Finding
from detectors.sigma.match import Match
from detectors.silence.pulse import Pulse

MAX_OUTPUT_BYTES: Final = 512 * 1024
_SHORT: Final = 1024
_FEW: Final = 64


def finding_message(finding: Finding) -> Message:
    """Return a finding under the key of its primary entity, or of its source when it has none."""
    primary = finding.entities[0] if finding.entities else None
    key = f"{primary.type}:{primary.id}" if primary else f"source:{finding.source}"
    return Message(FINDINGS, encode_key(key[:_SHORT]), _bounded(finding.to_json()))


def match_message(match: Match) -> Message:
    """Return a match under its correlation and group."""
    return Message(MATCHES, encode_key(match.key()), _bounded(match.to_json()))


def flow_message(flow: Flow) -> Message:
    """Return a flow record under its model and subject."""
    return Message(FLOWS, encode_key(flow.key), _bounded(flow.to_json()))


def pulse_message(pulse: Pulse) -> Message:
    """Return a pulse under its topic."""
    return Message(FLOWS, encode_key(pulse.key), encode_value(pulse.to_json()))


def reject_message(value: bytes | None, reject: Reject, source: str, origin: str) -> Message:
    """Return the dead letter of an unreadable record or event."""
    return dead_letter(
        value,
        reason=str(reject.reason.value),
        role="detect",
        source=source,
        origin=origin,
        detail=reject.detail,
    )


def _bounded(document: Fields) -> bytes:
    """Encode; a document that an attacker has blown up is cut rather than block the topic."""
    value = encode_value(document)
    if len(value) <= MAX_OUTPUT_BYTES:
        return value
    return encode_value({key: _cut(item, 0) for key, item in document.items()})


def _cut(value: Json, depth: int) -> Json:
    if isinstance(value, str):
        return value[:_SHORT]
    if isinstance(value, list):
        return [_cut(item, depth + 1) for item in value[:_FEW]]
    if isinstance(value, dict):
        kept = list(value.items())[:_FEW]
        return {key[:_SHORT]: _cut(item, depth + 1) for key, item in kept} if depth < 4 else {}
    return value
