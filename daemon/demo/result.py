"""The outcome of a demo: computed from facts, printed as contract `davylamp.demo/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from daemon.demo.watching import Action, Incident
from detectors.finding import rfc3339

SCHEMA: Final = "davylamp.demo/1"


@dataclass(slots=True)
class Result:
    """What happened. `facts` are what must be true for a demo that went well: said -> whether it was."""

    facts: dict[str, bool] = field(default_factory=dict)
    proof: Mapping[str, Any] | None = None
    proposed: tuple[Action, ...] = ()
    incidents: tuple[Incident, ...] = ()
    first_event: float | None = None
    detected: float | None = None
    contained: float | None = None
    proven: float | None = None
    conservation: dict[str, Any] = field(default_factory=dict)
    second_pass: dict[str, int] | None = None

    @property
    def ok(self) -> bool:
        """Whether there are facts and all of them hold."""
        return bool(self.facts) and all(self.facts.values())

    @property
    def failures(self) -> list[str]:
        """What must be true and is not."""
        return [name for name, holds in self.facts.items() if not holds]

    def to_json(self) -> dict[str, Any]:
        """Return the object of contract `davylamp.demo/1`."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "ok": self.ok,
            "proof": dict(self.proof) if self.proof else None,
            "proposed": [{"action_id": a.id, "needed": a.needed, "given": a.given} for a in self.proposed],
            "incidents": [
                {"key": i.key, "level": i.level, "finding_ids": list(i.finding_ids)} for i in self.incidents
            ],
            "timeline": {
                "first_event": _said(self.first_event),
                "detected": _said(self.detected),
                "contained": _said(self.contained),
                "proven": _said(self.proven),
            },
            "conservation": self.conservation,
        }
        if self.second_pass is not None:
            document["second_pass"] = self.second_pass
        return document

    def timeline_lines(self) -> list[str]:
        """Return the timeline for people: each moment with its delay after the first attack event."""
        if self.first_event is None:
            return []
        lines = [f"first attack event  {rfc3339(self.first_event)}"]
        for name, at in (("detected", self.detected), ("contained", self.contained), ("proven", self.proven)):
            said = "never" if at is None else f"{rfc3339(at)}  +{at - self.first_event:.1f} s"
            lines.append(f"{name:<18}  {said}")
        return lines

    def conservation_lines(self) -> list[str]:
        """Return for each source what detect read and what each target of forward got."""
        lines: list[str] = []
        for source, counted in sorted(self.conservation.get("detect", {}).items()):
            parts = [f"{counted.get('records:read', 0):,} records"]
            parts.append(f"{counted.get('records:rejected', 0)} unreadable")
            parts.append(f"{counted.get('events:accepted', 0):,} events")
            for target, streams in sorted(self.conservation.get("forward", {}).items()):
                delivered = streams.get(source, {}).get("items:delivered", 0)
                parts.append(f"{delivered:,} to {target}")
            lines.append(f"{source:<18}  {', '.join(parts)}")
        return lines + [f"broken law: {law}" for law in self.conservation.get("violations", ())]


def _said(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
