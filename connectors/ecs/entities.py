"""Entities of findings and incidents as ECS fields: who in user, from where in source, all in related."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from connectors.ecs.document import Ecs
from detectors.event import Entity

_PEOPLE: Final = frozenset({"iam_principal", "k8s_user", "service_account", "vault_entity"})
_MACHINES: Final = frozenset({"host", "node", "workload", "pod"})


def put_entities(ecs: Ecs, entities: Iterable[Entity]) -> None:
    """Set user, user.target, source, orchestrator and related fields; the first entity of a kind wins."""
    taken: set[str] = set()
    for kind, name, role in entities:
        if kind in _PEOPLE:
            ecs.related("user", name)
            if role == "actor" and "user" not in taken:
                taken.add("user")
                ecs.put("user.name", name)
            elif role == "target" and "target" not in taken:
                taken.add("target")
                ecs.put("user.target.name", name)
        elif kind == "address":
            ecs.related("ip", name)
            if role == "source" and "source" not in taken:
                taken.add("source")
                ecs.endpoint("source", name)
        elif kind in _MACHINES:
            ecs.related("hosts", name)
        if kind in {"pod", "workload", "namespace"} and "place" not in taken:
            taken.add("place")
            ecs.put("orchestrator.namespace", name.partition("/")[0])
            if kind == "pod":
                ecs.put("orchestrator.resource.type", "pods")
                ecs.put("orchestrator.resource.name", name.partition("/")[2])
    ecs.put(
        "davylamp.entities",
        [{"type": kind, "id": name, "role": role} for kind, name, role in entities],
    )
