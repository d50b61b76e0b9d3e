"""The whole play of a seed: techniques and look-alikes spread over the time, background between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from daemon.demo.traffic.record import rfc3339, seeded
from daemon.lab.background import cloudtrail, istio_access, kubernetes_audit, vault_audit
from daemon.lab.catalogue import LOOK_ALIKES, TECHNIQUES
from daemon.lab.stage import CLOUDTRAIL, ISTIO, KINDS, KUBERNETES, VAULT, Played, Stage, Technique
from daemon.lab.world import World, build

SCHEMA: Final = "davylamp.lab/1"
BEGIN: Final = datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()
"""When a play begins if nobody says otherwise, in seconds: the same seed then gives the same bytes."""
HOURS: Final = 8.0
EACH: Final = 1000
_ORDINARY: Final = {
    CLOUDTRAIL: cloudtrail.ordinary,
    KUBERNETES: kubernetes_audit.ordinary,
    ISTIO: istio_access.ordinary,
    VAULT: vault_audit.ordinary,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play. Times in seconds (UTC); `background` is a number of ordinary things for each source.

    `chosen`: ids of techniques and look-alikes, empty for all of them. `patience`: pauses inside a technique
    are at most so many seconds, None for as long as the technique wants.
    """

    seed: int
    begin: float = BEGIN
    seconds: float = HOURS * 3600
    background: int = EACH
    chosen: Collection[str] = ()
    patience: float | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """The records in order of time, and the company they are of."""

    plan: Plan
    world: World
    played: list[Played]

    def of(self, kind: str) -> list[Played]:
        """Return the records of one kind of source."""
        return [one for one in self.played if one.kind == kind]


class UnknownTechniqueError(ValueError):
    """There is no technique or look-alike of this id; the message says how to see them all."""


def written(plan: Plan) -> Script:
    """Return the play of a plan; the same plan gives the same bytes. Raises UnknownTechniqueError."""
    wanted = _chosen(plan.chosen)
    world = build(plan.seed)
    played: list[Played] = []
    order = sorted(wanted, key=lambda one: seeded("lab", "order", plan.seed, one.id).random())
    room = plan.seconds * 0.83 / max(1, len(order))
    for place, technique in enumerate(order):
        rng = seeded("lab", "technique", plan.seed, technique.id)
        begin = plan.begin + 0.02 * plan.seconds + room * (place + rng.random())
        stage = Stage(world, rng, begin, technique.id, plan.patience)
        technique.play(stage)
        played += stage.played
    played += _background(plan, world)
    return Script(plan, world, sorted(played, key=lambda one: one.time))


def _chosen(ids: Collection[str]) -> list[Technique]:
    known = {one.id: one for kind in KINDS for one in (*TECHNIQUES[kind], *LOOK_ALIKES[kind])}
    for one in ids:
        if one not in known:
            raise UnknownTechniqueError(f"{one!r} is no technique of the lab: davylamp lab list")
    return [known[one] for one in ids] if ids else list(known.values())


def _background(plan: Plan, world: World) -> Iterator[Played]:
    for kind in KINDS:
        rng = seeded("lab", "background", plan.seed, kind)
        stage = Stage(world, rng, plan.begin, "")
        for at in sorted(rng.uniform(plan.begin, plan.begin + plan.seconds) for _ in range(plan.background)):
            stage.at = at
            _ORDINARY[kind](stage)
        yield from stage.played


def labels(script: Script, places: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the labels. `places` says for each record, in the order of the play, where it stands:

    ``{"line": n}`` in the file of its kind, or ``{"at": "topic/partition/offset"}``.
    """
    parts: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: {"records": [], "supporting": []})
    times: dict[str, list[float]] = defaultdict(list)
    for one, place in zip(script.played, places, strict=True):
        if one.label:
            parts[one.label]["supporting" if one.supporting else "records"].append(
                {"id": one.source_id, **place}
            )
            if not one.supporting:
                times[one.label].append(one.time)
    plan = script.plan
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "seed": plan.seed,
        "begin": rfc3339(plan.begin, 3),
        "end": rfc3339(plan.begin + plan.seconds, 3),
        "counts": {kind: len(script.of(kind)) for kind in KINDS},
        "techniques": [],
        "look_alikes": [],
    }
    for kind in KINDS:
        for technique in (*TECHNIQUES[kind], *LOOK_ALIKES[kind]):
            if technique.id in times:
                label = _label(technique, kind, times[technique.id]) | parts[technique.id]
                found["techniques" if technique.attack else "look_alikes"].append(label)
    return found


def _label(technique: Technique, kind: str, times: list[float]) -> dict[str, Any]:
    label: dict[str, Any] = {"id": technique.id, "title": technique.title, "source": kind}
    if technique.attack:
        label |= {"attack": list(technique.attack), "level": technique.level, "needs": list(technique.needs)}
    else:
        label["why"] = technique.why
    return label | {"start": rfc3339(times[0], 3), "end": rfc3339(times[-1], 3)}
