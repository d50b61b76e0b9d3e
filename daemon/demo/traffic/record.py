"""One record of the play, and how records get their times and ids."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, TypeAlias

import orjson

Body: TypeAlias = "dict[str, Any]"
CLOUDTRAIL: Final = "aws.cloudtrail"
KUBERNETES: Final = "k8s.audit"
ISTIO: Final = "istio.access"
VAULT: Final = "vault.audit"
TOPICS: Final = (CLOUDTRAIL, KUBERNETES, ISTIO, VAULT)
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, order=True)
class Record:
    """One Kafka message to be: when it happened (seconds, UTC), its topic, its bytes."""

    time: float
    topic: str
    value: bytes


def record(topic: str, time: float, body: Body) -> Record:
    """Return `body` as one JSON record."""
    return Record(time, topic, orjson.dumps(body))


def seeded(*parts: object) -> Random:
    """Return the source of chance of one generator: a play must be repeatable, nothing here is a secret."""
    return Random("/".join(str(part) for part in parts))  # noqa: S311


def new_uuid(rng: Random) -> str:
    """Return a UUID of version 4 from `rng`."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def hexes(rng: Random, digits: int) -> str:
    """Return `digits` random hex digits."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def moments(rng: Random, begin: float, end: float, count: int, *, office: bool = False) -> list[float]:
    """Return `count` sorted times in [begin, end); by day more than by night, with `office` far more.

    A day starts at `begin`, so that the same chance gives the same play whenever it starts.
    """
    night = 0.05 if office else 0.45
    times: list[float] = []
    while len(times) < count:
        at = rng.uniform(begin, end)
        light = 0.5 - 0.5 * math.cos(2 * math.pi * (((at - begin) % DAY_S) / DAY_S - 0.04))
        if rng.random() < night + (1 - night) * light:
            times.append(at)
    return sorted(times)


def rfc3339(seconds: float, digits: int) -> str:
    """Return a time in UTC with `digits` decimals (0, 3, 6 or 9), cut off as servers do."""
    whole = datetime.fromtimestamp(math.floor(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if digits == 0:
        return f"{whole}Z"
    fraction = int((seconds % 1) * 10**6)
    return f"{whole}.{f'{fraction:06d}'.ljust(9, '0')[:digits]}Z"


def merged(base: Mapping[str, Any], **more: Any) -> Body:
    """Return `base` with `more` on top, leaving both alone."""
    return {**base, **more}
