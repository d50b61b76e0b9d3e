"""The stamp of a state: which definition of its correlation wrote it. A state of another one is never read.

What is held means something only under the rules, the grouping and the measured fields that it was gathered
by. Bounds, time span, title and level may change: the matches that are held are judged by the new ones.
A new `version` in the rule begins all groups anew.
"""

from __future__ import annotations

import hashlib

import orjson

from daemon.reloading_rules import definition
from detectors.sigma.rule import CorrelationRule

_BEGIN = b',"of":"'


def stamp_of(rule: CorrelationRule) -> str:
    """Return 16 hex digits."""
    return hashlib.sha256(orjson.dumps(definition(rule))).hexdigest()[:16]


def stamped(state: bytes, stamp: str) -> bytes:
    """Return a state (a JSON object that is not empty) with its stamp at the end."""
    return state[:-1] + _BEGIN + stamp.encode() + b'"}'


def bears(state: bytes, stamp: str) -> bool:
    """Return whether a state was written under this stamp; one without any was not."""
    return state.endswith(_BEGIN + stamp.encode() + b'"}')
