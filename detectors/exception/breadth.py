"""What makes an exception broad, and what it can never do: told when it is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from detectors.exception.entry import Exemption, Matcher, network
from detectors.level import Level

MOST_RULES: Final = 20
LEAST_LITERAL: Final = 6
LEAST_PREFIX: Final = {4: 24, 6: 56}
SHARED: Final = frozenset({"namespace", "node", "image", "host", "bucket", "database", "workload"})
"""Types that many actors meet at: an exception of these alone is one for everybody there."""


def broad(entry: Exemption) -> list[str]:
    """Return why an exception is broad, a phrase a reason; empty when it is narrow."""
    found: list[str] = []
    if entry.rules is None:
        found.append("it is for all rules")
    elif len(entry.rules) > MOST_RULES:
        found.append(f"it names {len(entry.rules)} rules")
    if all(matcher.type in SHARED for matcher in entry.matchers):
        found.append("it names a place, so it is for everybody there")
    for matcher in entry.matchers:
        found += _wide(matcher)
    return found


def powerless(entry: Exemption, levels: Mapping[str, Level]) -> list[str]:
    """Return rules of level critical that the exception names and cannot silence, by id, sorted.

    `levels` is rule id -> level of the loaded rules.
    """
    if entry.precise or entry.rules is None:
        return []
    return sorted(rule_id for rule_id in entry.rules if levels.get(rule_id) == "critical")


def _wide(matcher: Matcher) -> Iterator[str]:
    for one in matcher.ids:
        if "*" in one or "?" in one:
            literal = len(one.replace("*", "").replace("?", ""))
            if literal < LEAST_LITERAL:
                yield f"{one!r} fixes only {literal} characters"
            continue
        known = network(one) if matcher.type == "address" else None
        if known is not None and known.prefixlen < LEAST_PREFIX[known.version]:
            yield f"{one} is {known.num_addresses} addresses"
