"""Several clients watch the same brokers: Kafka is up when all of them say so."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.kafka.producer import Report
from daemon.runtime import Health


@dataclass(slots=True)
class KafkaHealth:
    """Joins the words of a role's Kafka clients into the dependency `name`."""

    health: Health
    name: str = "kafka"
    _down: dict[str, str] = field(default_factory=dict[str, str])

    def part(self, client: str) -> Report:
        """Return the callback of one client."""

        def report(up: bool, detail: str) -> None:
            if up:
                self._down.pop(client, None)
            else:
                self._down[client] = f"{client}: {detail}"
            self.health.report(self.name, not self._down, "; ".join(self._down.values()))

        return report
