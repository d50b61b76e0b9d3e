"""Judges Davylamp's own engine on a conformance case, through the same doors as any event takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from config.errors import ConfigurationError
from detectors.event import Alias, Contact, Entity, Event, Fields, Locator, LogSource, Outcome
from detectors.finding import Finding
from detectors.sigma.conformance_case import Case
from detectors.sigma.document import RuleDocument
from detectors.sigma.engine import Engine
from detectors.sigma.groups import Groups
from detectors.sigma.pipeline.document import PipelineDocument
from detectors.sigma.pipeline.pipelines import Pipelines
from detectors.sigma.ruleset import RuleSet


class ConformanceSource:
    """A source of one log source, whose records are as the case writes them: no aliases, ids in `id`."""

    kind: str = "conformance"
    aliases: Mapping[str, str] = {}

    def __init__(self, logsource: Mapping[str, str]) -> None:
        known = (logsource.get("product"), logsource.get("service"), logsource.get("category"))
        self.logsources: tuple[LogSource, ...] = (LogSource(*known),)

    def event_id(self, event: Event) -> str:
        """Return what the record has in `id`, else its place."""
        return str(event.fields.get("id", event.locator))

    def entities(self, event: Event) -> Sequence[Entity]:
        """Return none."""
        return ()

    def outcome(self, event: Event) -> Outcome:
        """Return that it is not known."""
        return "unknown"

    def summary(self, event: Event) -> str:
        """Return the record's place."""
        return f"event {event.locator.index}"

    def aliases_in(self, event: Event) -> Sequence[Alias]:
        """Return none."""
        return ()

    def contacts(self, event: Event) -> Sequence[Contact]:
        """Return none."""
        return ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case: passed, and if not what was seen instead, in one line."""

    case: Case
    passed: bool
    seen: str


def judge(case: Case) -> Verdict:
    """Return the verdict of our engine. Raises nothing that a case can provoke."""
    try:
        pipelines = Pipelines.load(
            PipelineDocument(f"{n}.pipeline.yml", t) for n, t in enumerate(case.pipelines)
        )
    except ConfigurationError as error:
        return Verdict(case, case.expected.refused_pipeline, f"the pipeline is refused: {error}")
    if case.expected.refused_pipeline:
        return Verdict(case, False, "not refused")
    documents = [RuleDocument(f"{n}.yml", text) for n, text in enumerate(case.documents)]
    loaded = RuleSet.load(documents, pipelines=pipelines)
    refusals = "; ".join(str(refusal) for refusal in loaded.refusals)
    if case.expected.refused:
        last = f"{len(case.documents) - 1}.yml"
        kept = {item.identity.path for item in (*loaded.rules, *loaded.correlations)}
        passed = last not in kept and {refusal.path for refusal in loaded.refusals} == {last}
        return Verdict(case, passed, refusals or "not refused")
    if refusals:
        return Verdict(case, False, f"refused: {refusals}")
    return _evaluated(case, loaded)


def judge_all(cases: Iterable[Case]) -> list[Verdict]:
    """Return one verdict a case, in their order."""
    return [judge(case) for case in cases]


def _evaluated(case: Case, loaded: RuleSet) -> Verdict:
    source = ConformanceSource(case.logsource)
    engine = Engine(loaded)
    findings: list[Finding] = []
    groups = Groups()
    for place, fields in enumerate(case.events):
        inspection = engine.inspect(Event(source, _time(fields), fields, Locator(case.id, 0, 0, place)))
        if inspection.errors:
            return Verdict(case, False, f"an error: {inspection.errors[0].reason}")
        findings += inspection.findings
        groups.take(inspection.matches)
    findings += groups.finals(loaded.correlations)
    seen = frozenset(frozenset(item.event_ids) for item in findings if item.rule_id == case.of)
    expected = case.expected
    if expected.findings is not None:
        return Verdict(case, seen == expected.findings, str([sorted(ids) for ids in seen]))
    wanted = expected.fires if expected.fires is not None else expected.matches
    return Verdict(case, bool(seen) is wanted, f"{len(seen)} findings")


def _time(fields: Fields) -> float:
    time = fields.get("time", 0)
    return float(time) if isinstance(time, int | float) else 0.0
