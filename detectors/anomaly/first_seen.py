"""First-seen baselines as a pure state machine: which peers a subject has, learned in event time.

State of one (model, subject): ``{"first": seconds, "peers": {"type:id": [first_time, event_id]}}``. The
learning period starts with the subject's first event. Inside it peers are learned in silence; a subject
that appears has no baseline, so its first days raise nothing (counted ``learning``; ``no_baseline`` for the
first flow of a subject). Replaying a flow changes nothing; a lost state gives the same finding again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from detectors.advance import Advance
from detectors.anomaly.credential_reader import CredentialReader
from detectors.anomaly.flow import Flow
from detectors.anomaly.mesh_edge import MeshEdge
from detectors.anomaly.model import FirstSeenModel, Name, Novelty
from detectors.event import Entity, Fields, Json
from detectors.finding import Finding, finding_id
from detectors.wording import MAX_SENTENCE, key_part, plain

MAX_PEERS: Final = 1_000
MAX_ENTITIES: Final = 16
MODELS: Final[Mapping[str, FirstSeenModel]] = MappingProxyType(
    {model.name: model for model in (MeshEdge(), CredentialReader())}
)


def observe(
    model: FirstSeenModel, state: Fields | None, flow: Mapping[str, Json], learning_s: float
) -> Advance:
    """Take in one flow record of a subject and return what is new. `state` is not changed in place.

    A subject with 1,000 peers is full: further peers are neither learned nor reported, but counted
    ``overflow``. Raises FlowFormatError for a record that is no flow.
    """
    seen = Flow.from_json(flow)
    known: Fields = state or {}
    peers = dict(cast("dict[str, Json]", known.get("peers", {})))
    began = cast("float | None", known.get("first"))
    first = seen.first_time if began is None else min(began, seen.first_time)
    key = f"{seen.peer[0]}:{key_part(seen.peer[1])}"
    counts: dict[str, int] = {} if began is not None else {"no_baseline": 1}
    findings: list[Finding] = []
    if key not in peers:
        if len(peers) >= MAX_PEERS:
            return Advance(known, (), False, counts | {"overflow": 1})
        if seen.first_time - first < learning_s:
            counts["learning"] = 1
        elif began is not None:
            findings.append(_finding(model, seen, peers, first))
        peers[key] = [seen.first_time, seen.first_event_id]
    after: Fields = {"first": first, "peers": peers}
    return Advance(after, findings, after != known, counts)


def _finding(model: FirstSeenModel, flow: Flow, peers: Mapping[str, Json], first: float) -> Finding:
    names = sorted(cast(Name, tuple(key.split(":", 1))) for key in peers)
    novelty = Novelty(flow.subject, flow.peer, names, flow.first_time - first, flow.outside)
    level = model.level(novelty)
    subject, peer = Entity(*flow.subject, "actor"), Entity(*flow.peer, "target")
    entities = dict.fromkeys((subject, peer, *flow.entities))
    return Finding(
        rule_id=model.rule_id,
        title=model.title,
        level=level,
        base_level=level,
        status="final",
        source=model.source,
        event_id=flow.first_event_id,
        event_ids=(flow.first_event_id,),
        event_time=flow.first_time,
        first_time=flow.first_time,
        last_time=flow.first_time,
        count=1,
        entities=tuple(entities)[:MAX_ENTITIES],
        attack=model.attack,
        explain=plain(model.explain(novelty), MAX_SENTENCE),
        finding_id=finding_id(model.rule_id, model.version, [flow.first_event_id]),
        labels=model.labels,
    )
