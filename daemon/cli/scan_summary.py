"""What a scan found, counted by rule, technique and entity, for people, on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import click

from daemon.scan_tally import Tally
from detectors.finding import Finding
from detectors.wording import plain

SHOWN: Final = 10
MAX_ENTITIES: Final = 100_000
"""Entities that are counted by name: attackers choose names, memory has a bound."""


class Summary:
    """Counts findings."""

    def __init__(self) -> None:
        self._rules: Counter[tuple[str, str]] = Counter()
        self._techniques: Counter[str] = Counter()
        self._entities: Counter[str] = Counter()
        self._unnamed = 0

    def count(self, finding: Finding) -> None:
        """Count one finding: its rule, its techniques, each of its entities once."""
        self._rules[finding.level, finding.title] += 1
        self._techniques.update(finding.attack)
        for name in {f"{entity.type}:{entity.id}" for entity in finding.entities}:
            if name in self._entities or len(self._entities) < MAX_ENTITIES:
                self._entities[name] += 1
            else:
                self._unnamed += 1

    def lines(self) -> Iterator[str]:
        """Yield the summary: how many, then at most ten of each, the most frequent first."""
        yield f"{self._rules.total()} findings"
        rules = Counter({f"{title} ({level})": count for (level, title), count in self._rules.items()})
        for name, counts in (
            ("rules", rules),
            ("techniques", self._techniques),
            ("entities", self._entities),
        ):
            if counts:
                yield f"by {name}:"
                for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]:
                    yield f"  {count:>7}  {plain(key)}"
                if len(counts) > SHOWN:
                    yield f"           and {len(counts) - SHOWN} more"
        if self._unnamed:
            yield f"  entities beyond {MAX_ENTITIES:,} different ones were met {self._unnamed} times"


def print_unused(tally: Tally) -> None:
    """Print on stderr, a line each: what could not be read, rules that failed, what was over a cap."""
    if tally.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(tally.rejected.items()))
        click.echo(f"{tally.rejected.total()} unreadable: {reasons}", err=True)
    if failed := tally.evaluation_errors:
        rules = ", ".join(f"{rule} {count}" for rule, count in failed.most_common(SHOWN))
        more = f" and {len(failed) - SHOWN} more rules" if len(failed) > SHOWN else ""
        click.echo(f"{failed.total()} evaluation errors: {rules}{more}", err=True)
    for counts, what in (
        (tally.dropped_groups, "groups dropped, those whose last event is the oldest"),
        (tally.turned_away, "matches turned away by a full window"),
    ):
        for correlation, count in sorted(counts.items()):
            click.echo(f"correlation {correlation}: {count} {what}", err=True)
