"""ATT&CK tags as tactics, by the pinned list of Enterprise ATT&CK v19 beside this file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

_PINNED: Final = Path(__file__).parent / "attack_tactics_v19.csv"
_TECHNIQUE: Final = re.compile(r"T\d{4}(\.\d{3})?\Z", re.ASCII)
_FORMER: Final[Mapping[str, frozenset[str]]] = {
    "defense-evasion": frozenset({"defense-impairment", "stealth"})
}
"""v19 split Defense Evasion in two; a rule from elsewhere that still says so may mean either."""


@cache
def techniques() -> Mapping[str, frozenset[str]]:
    """Return technique id -> its tactics, of all that are neither revoked nor deprecated."""
    lines = _PINNED.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(",", 1) for line in lines if _TECHNIQUE.match(line.partition(",")[0]))
    return {name: frozenset(tactics.split()) for name, tactics in pairs}


@cache
def every_tactic() -> frozenset[str]:
    """Return the tactics of the pinned list, as tags name them ("initial-access")."""
    return frozenset[str]().union(*techniques().values())


def tactics_of(tags: Iterable[str]) -> frozenset[str]:
    """Return the tactics that ATT&CK tags may mean, with or without the prefix `attack.`.

    Tactics that the tags name are taken at their word; else every tactic of the techniques counts as
    possible. A sub-technique that is not in the list counts as its technique; what is unknown means nothing.
    """
    names = [tag.removeprefix("attack.").replace("_", "-").lower() for tag in tags]
    named = frozenset[str]().union(*(_FORMER.get(name, frozenset({name})) for name in names))
    if named & every_tactic():
        return named & every_tactic()
    known = techniques()
    found: set[str] = set()
    for name in map(str.upper, names):
        found |= known.get(name) or known.get(name.partition(".")[0], frozenset())
    return frozenset(found)
