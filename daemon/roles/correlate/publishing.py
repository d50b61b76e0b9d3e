"""Findings to `davylamp.findings`, each send confirmed before anything else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import orjson
from faust.types.topics import TopicT

from detectors.finding import Finding


class Publisher(Protocol):
    """Where findings go."""

    async def publish(self, findings: Sequence[Finding]) -> None:
        """Return when every finding is confirmed; raises when one is not."""
        ...


class TopicPublisher:
    """Sends to a Kafka topic through Faust's producer (acks=all)."""

    def __init__(self, topic: TopicT, timeout_s: float) -> None:
        self._topic = topic
        self._timeout_s = timeout_s

    async def publish(self, findings: Sequence[Finding]) -> None:
        """Send all, then wait for all. Raises aiokafka errors, or TimeoutError after `timeout_s`."""
        async with asyncio.timeout(self._timeout_s):
            sent = [
                await self._topic.send(
                    key=primary_key(finding),
                    value=orjson.dumps(finding.to_json()),
                    key_serializer="raw",
                    value_serializer="raw",
                )
                for finding in findings
            ]
            for confirmation in sent:
                await confirmation


def primary_key(finding: Finding) -> bytes:
    """Return the key of a finding: ``type:id`` of its primary entity, or ``rule:ID`` when it has none."""
    if not finding.entities:
        return f"rule:{finding.rule_id}".encode()
    primary = finding.entities[0]
    return f"{primary.type}:{primary.id}".encode("utf-8", "surrogatepass")
