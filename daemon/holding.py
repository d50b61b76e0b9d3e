"""The gate that the settings ask for: exceptions and states of rules, read from the operator's files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, cast, get_args

from config.detection import Detection
from config.exceptions import read_exceptions
from config.lifecycle import read_lifecycle
from daemon.rule_paths import state_of
from detectors.event import EntityType
from detectors.exception.entry import Exemption, Matcher
from detectors.exception.exemptions import Exemptions
from detectors.lifecycle.gate import Gate
from detectors.lifecycle.state import STATES, Standing, State

TYPES: Final = frozenset[str](get_args(EntityType))


def exemptions_in(paths: Iterable[Path]) -> Exemptions:
    """Return the exceptions of files. Raises ConfigurationError with file, line and key of each problem."""
    return Exemptions(
        Exemption(
            name=one.name,
            rules=None if one.rules is None else frozenset(one.rules),
            matchers=tuple(Matcher(item.type, item.ids, item.role) for item in one.entities),
            owner=one.owner,
            reason=one.reason,
            ticket=one.ticket,
            start=one.start,
            end=one.end,
            place=one.place,
        )
        for one in read_exceptions(paths, TYPES)
    )


def standings_in(paths: Iterable[Path]) -> dict[str, Standing]:
    """Return rule id -> standing of files. Raises ConfigurationError as `exemptions_in` does."""
    return {
        rule_id: Standing(cast(State, one.state), one.since, one.by, one.reason, one.place)
        for rule_id, one in read_lifecycle(paths, STATES).items()
    }


class Holding:
    """What holds findings back, read anew with the rules. `digest` is of its meaning, empty for nothing."""

    def __init__(self, exemptions: Exemptions, standings: Mapping[str, Standing]) -> None:
        self.exemptions = exemptions
        self.standings = standings
        self.gate = Gate.of(exemptions, standings)
        self.digest = _digest(exemptions, standings)

    @classmethod
    def read(cls, detection: Detection) -> Holding:
        """Read the files of the settings. Raises ConfigurationError."""
        return cls(exemptions_in(detection.exceptions), standings_in(detection.lifecycle))


def files_of(detection: Detection) -> object:
    """Return what changes when one of the files does."""
    return tuple((str(path), state_of(path)) for path in (*detection.exceptions, *detection.lifecycle))


def _digest(exemptions: Exemptions, standings: Mapping[str, Standing]) -> str:
    told = [
        repr((one.name, sorted(one.rules or ()), one.rules is None, one.matchers, one.start, one.end))
        for one in exemptions.entries
    ]
    told += sorted(f"{rule_id} {standing.state}" for rule_id, standing in standings.items())
    return hashlib.sha256("\n".join(told).encode()).hexdigest() if told else ""
