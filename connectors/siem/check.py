"""Asking a cluster whether all is well: one document written and read back, each finding by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import uuid4

import orjson

from connectors.ecs.document import Ecs
from connectors.ecs.stream import STREAMS, Document, data_stream
from connectors.siem.bootstrap import overruled, standings
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.cluster import Cluster
from connectors.siem.target import RefusedError, TargetAwayError

MAX_SKEW_S: Final = 60.0
_READ_BACK_S: Final = 15.0
_PAUSE_S: Final = 0.5
_RUN_BOOTSTRAP: Final = "run davylamp siem bootstrap"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `passed` None: it could not be seen with this credential, or is a note."""

    name: str
    passed: bool | None
    detail: str


def probe(namespace: str, now: float) -> Document:
    """Return the test document: a marked entry of the audit stream, `event.kind` event, so no alert."""
    ident = f"siem-check/{uuid4()}"
    ecs = Ecs(now, "event", "davylamp.audit", "davylamp", ident)
    ecs.put_all(
        (
            ("message", "davylamp siem check: a test document, no alert and no decision"),
            ("tags", ["davylamp", "siem-check"]),
            ("event.category", ["configuration"]),
            ("event.type", ["info"]),
            ("event.action", "siem-check"),
            ("event.outcome", "success"),
            ("observer.vendor", "Davylamp"),
            ("observer.product", "davylamp"),
        )
    )
    return Document.of("audit", ident, ecs.finish(), namespace, now)


async def check(
    target: BulkSiem, now: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> list[Check]:
    """Return what was found, in order. An open target; nothing is raised for what is wrong with it."""
    try:
        await target.cluster.ask("GET", "/")
    except RefusedError as error:
        return [Check("product", False, str(error))]
    except TargetAwayError as error:
        return [Check("reachable", False, str(error))]
    version = f"{target.dialect.product} {target.cluster.version or 'of a version that may not be seen'}"
    found = [Check("product", True, version)]
    document = probe(target.namespace, now())
    for look in (
        lambda: _clock(target.cluster, now),
        lambda: _templates(target),
        lambda: _blocks(target),
        lambda: _written(target, document),
        lambda: _read_back(target, document, sleep),
    ):
        try:
            found.append(await look())
        except TargetAwayError as error:
            found.append(Check("reachable", False, str(error)))
        if found[-1].name in {"reachable", "write"} and not found[-1].passed:
            break
    return found


async def _clock(cluster: Cluster, now: Callable[[], float]) -> Check:
    answer = await cluster.ask("GET", "/_cat/health", query={"format": "json", "h": "epoch"})
    try:
        there = float(orjson.loads(answer.body)[0]["epoch"])
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError):
        return Check("clock", None, f"its clock may not be seen ({answer.error()})")
    skew = there - now()
    return Check("clock", abs(skew) <= MAX_SKEW_S, f"its clock differs by {skew:+.0f} s from the one here")


async def _templates(target: BulkSiem) -> Check:
    try:
        found = await standings(target.cluster, target.dialect)
        wrong = await overruled(target.cluster, target.namespace)
    except RefusedError as error:
        return Check("templates", None, str(error))
    for state in ("missing", "differs"):
        names = [standing.template.name for standing in found if standing.state == state]
        if names:
            return Check("templates", False, f"{state}: {', '.join(names)}: {_RUN_BOOTSTRAP}")
    if wrong:
        return Check("templates", False, f"another template of higher priority makes {', '.join(wrong)}")
    return Check("templates", True, f"all {len(found)} are installed")


async def _blocks(target: BulkSiem) -> Check:
    names = ",".join(data_stream(stream, target.namespace) for stream in STREAMS)
    path, query = f"/{names}/_settings/index.blocks*", {"ignore_unavailable": "true"}
    answer = await target.cluster.ask("GET", path, query=query)
    if answer.status != 200:
        return Check("writable", None, f"blocks may not be seen ({answer.error()})")
    blocked = [name for name, body in answer.json().items() if _is_blocked(body)]
    if blocked:
        return Check("writable", False, f"read-only: {', '.join(sorted(blocked)[:8])}")
    return Check("writable", True, "no stream is read-only")


def _is_blocked(body: Any) -> bool:
    at: object = body
    for key in ("settings", "index", "blocks"):
        at = cast(dict[str, Any], at).get(key) if isinstance(at, dict) else None
    blocks = cast(dict[str, Any], at) if isinstance(at, dict) else {}
    return any(str(value) == "true" for value in blocks.values())


async def _written(target: BulkSiem, document: Document) -> Check:
    try:
        outcome = (await target.deliver([document]))[0]
    except RefusedError as error:
        return Check("write", False, str(error))
    stream = data_stream(document.stream, target.namespace)
    if outcome.ending == "delivered":
        return Check("write", True, f"{document.id} into {stream}")
    return Check("write", False, f"{stream}: {outcome.reason or outcome.ending}")


async def _read_back(
    target: BulkSiem, document: Document, sleep: Callable[[float], Awaitable[None]]
) -> Check:
    path = f"/{data_stream(document.stream, target.namespace)}/_search"
    query = orjson.dumps({"query": {"ids": {"values": [document.id]}}})
    for _ in range(int(_READ_BACK_S / _PAUSE_S)):
        answer = await target.cluster.ask("POST", path, query)
        if answer.status in {401, 403}:
            return Check("read", None, f"this credential may not read ({answer.error()})")
        if answer.status == 200 and (hits := _hits(answer.json())):
            same = len(hits) == 1 and orjson.dumps(hits[0]) == orjson.dumps(orjson.loads(document.payload))
            said = "came back as it was sent" if same else "came back changed, or more than once"
            return Check("read", same, f"{document.id} {said}")
        await sleep(_PAUSE_S)
    return Check("read", False, f"{document.id} was confirmed and is not found after {_READ_BACK_S:g} s")


def _hits(answer: dict[str, Any]) -> list[Any]:
    at: object = answer.get("hits")
    hits: object = cast(dict[str, Any], at).get("hits") if isinstance(at, dict) else None
    found = cast(list[Any], hits) if isinstance(hits, list) else []
    return [cast(dict[str, Any], hit).get("_source") for hit in found if isinstance(hit, dict)]
