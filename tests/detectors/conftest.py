"""A tiny source for the detectors' own tests: every field as given, ids from `id`, time from `time`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from detectors.event import Alias, Contact, Entity, Event, Fields, Locator, LogSource, Outcome
from detectors.sigma.document import RuleDocument
from detectors.sigma.ruleset import RuleSet


class PlainSource:
    """A source whose records say themselves what they are."""

    kind: str = "plain"
    logsources: tuple[LogSource, ...] = (LogSource("test", "plain", None),)
    aliases: Mapping[str, str] = {"CommandLine": "process.command_line"}

    def event_id(self, event: Event) -> str:
        return str(event.fields.get("id", event.locator))

    def entities(self, event: Event) -> Sequence[Entity]:
        return (Entity("k8s_user", str(event.fields.get("user", "nobody")), "actor"),)

    def outcome(self, event: Event) -> Outcome:
        return "failure" if event.fields.get("denied") else "success"

    def summary(self, event: Event) -> str:
        return f"{event.fields.get('user', 'nobody')} did {event.fields.get('verb', 'nothing')}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        pairs = event.fields.get("aliases")
        assert isinstance(pairs, list)
        return [Alias(tuple(a), tuple(b), event.time) for a, b in pairs]  # type: ignore[misc, arg-type]

    def contacts(self, event: Event) -> Sequence[Contact]:
        return ()


SOURCE = PlainSource()


@pytest.fixture
def make_event() -> Callable[[Fields], Event]:
    """Return a function that makes an event of the plain source; `time` in the record is its time."""

    def make(fields: Fields) -> Event:
        time = fields.get("time", 0.0)
        assert isinstance(time, int | float)
        return Event(SOURCE, float(time), fields, Locator("t", 0, 0, 0), {})

    return make


RULE = """
title: {title}
id: {id}
level: medium
logsource: {{product: test}}
detection:
{detection}
"""


@pytest.fixture
def load_detection() -> Callable[[str], RuleSet]:
    """Return a function that loads one rule from the lines of its detection."""

    def load(detection: str) -> RuleSet:
        lines = "\n".join("  " + line for line in detection.strip("\n").splitlines())
        text = RULE.format(title="t", id="11111111-1111-4111-8111-111111111111", detection=lines)
        return RuleSet.load([RuleDocument("r.yml", text)])

    return load
