"""Findings laid over labels. A technique is found when an alert holds one of its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from daemon.lab.verdict import Score, Verdict
from detectors.level import Level, rank

Key: TypeAlias = "str | tuple[str, int]"
"""How a record is known: by the id that its source gave it, its ``topic/partition/offset``, or its source
and line."""
ALIKE: Final[Level] = "medium"
"""A look-alike counts as taken for an attack from this level on."""


def score(findings: Iterable[Mapping[str, Any]], labels: Mapping[str, Any], least: Level = "low") -> Score:
    """Return the score of `findings` (contracts, section 4) on `labels`; alerts below `least` are none.

    A finding with ``wall_s`` says how long after sending it came. What holds only records that prepare or
    follow a technique is neither right nor false.
    """
    every = (*labels["techniques"], *labels["look_alikes"])
    by_id = {label["id"]: _verdict(label) for label in every}
    starts = {label["id"]: seconds(label["start"]) for label in every}
    owners = _owners(every)
    attacked = sum(len(label["records"]) + len(label["supporting"]) for label in every)
    out = Score(
        [by_id[label["id"]] for label in labels["techniques"]],
        [by_id[label["id"]] for label in labels["look_alikes"]],
        max(0, sum(labels["counts"].values()) - attacked),
    )
    for finding in _once(findings, least):
        level, title = finding["level"], str(finding.get("title"))
        touched: set[str] = set()
        for key in keys(finding):
            touched |= owners.get(key, set())
        for owner in touched & by_id.keys():
            verdict = by_id[owner]
            if verdict.expected is not None or rank(level) >= rank(ALIKE):
                delay = round(max(0.0, seconds(finding["event_time"]) - starts[owner]), 3)
                verdict.take(title, level, delay, finding.get("wall_s"))
        if not touched:
            out.false[level] += 1
            out.false_rules[title] += 1
    return out


def seconds(text: str) -> float:
    """Return an RFC 3339 time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def _verdict(label: Mapping[str, Any]) -> Verdict:
    attack = tuple(label.get("attack", ()))
    needs = tuple(label.get("needs", ()))
    return Verdict(label["id"], label["title"], label["source"], attack, label.get("level"), needs)


def _owners(labels: Iterable[Mapping[str, Any]]) -> dict[Key, set[str]]:
    """Return record -> whose it is; "" for what only prepares or follows."""
    owners: dict[Key, set[str]] = defaultdict(set)
    for label in labels:
        for part, owner in (("records", label["id"]), ("supporting", "")):
            for record in label[part]:
                key = record.get("id") or record.get("at") or (label["source"], record["line"])
                owners[key].add(owner)
    return owners


def _once(findings: Iterable[Mapping[str, Any]], least: Level) -> Iterator[Mapping[str, Any]]:
    seen: set[str] = set()
    for finding in findings:
        if rank(finding["level"]) >= rank(least) and finding["finding_id"] not in seen:
            seen.add(finding["finding_id"])
            yield finding


def keys(finding: Mapping[str, Any]) -> Iterator[Key]:
    """Yield what the records of a finding may be known by."""
    for event_id in finding["event_ids"]:
        yield event_id.split("/", 1)[0]
        yield event_id.rpartition("/")[0]
    for place in finding.get("locations", ()):
        yield finding["source"], place["line"]
