"""Installing the index templates: look first, then write only what is missing or differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import orjson

from connectors.ecs.stream import STREAMS, Stream, data_stream
from connectors.siem.answer import Answer, error_type
from connectors.siem.cluster import Cluster
from connectors.siem.dialect import Dialect
from connectors.siem.difference import differences
from connectors.siem.target import RefusedError, TargetAwayError
from connectors.siem.templates import Template, templates

State = Literal["same", "missing", "differs"]
_EMPTY: Final = {
    "template": {},
    "_meta": {"description": "Yours: Davylamp makes it empty and never changes it"},
}
_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Standing:
    """One shipped template beside what is installed; `lines` say what differs."""

    template: Template
    state: State
    lines: tuple[str, ...] = ()


async def standings(cluster: Cluster, dialect: Dialect) -> list[Standing]:
    """Return how each template stands. Raises RefusedError (rights) and TargetAwayError."""
    return [await _standing(cluster, template) for template in templates(dialect.templates)]


async def apply(cluster: Cluster, found: Sequence[Standing]) -> None:
    """Write what is missing or differs, parts before what is made of them.

    Raises RefusedError with the product's reason when it does not take a template, and TargetAwayError.
    """
    for standing in found:
        if standing.state != "same":
            template = standing.template
            body = orjson.dumps(template.body if template.body is not None else _EMPTY)
            answer = await cluster.ask("PUT", template.path, body)
            if answer.status != 200:
                raise _refused(cluster, template, answer)


async def older_streams(cluster: Cluster, namespace: str) -> list[str]:
    """Return the data streams that exist: a changed template counts from their next rollover on."""
    names = [data_stream(stream, namespace) for stream in STREAMS]
    return [name for name in names if (await cluster.ask("HEAD", f"/{name}")).status == 200]


async def overruled(cluster: Cluster, namespace: str) -> list[str]:
    """Return the data streams that another template would make, because its priority is higher."""
    found: list[str] = []
    for stream in STREAMS:
        name = data_stream(stream, namespace)
        answer = await cluster.ask("POST", f"/_index_template/_simulate_index/{name}")
        if answer.status == 200 and not _ours(answer.json(), stream):
            found.append(name)
    return found


def _ours(answer: dict[str, Any], stream: Stream) -> bool:
    at: object = answer
    for key in ("template", "mappings", "properties", "davylamp"):
        at = cast(dict[str, Any], at).get(key) if isinstance(at, dict) else None
    return at is not None


async def _standing(cluster: Cluster, template: Template) -> Standing:
    answer = await cluster.ask("GET", template.path)
    if answer.status == 404:
        return Standing(template, "missing")
    if answer.status != 200:
        raise _refused(cluster, template, answer)
    if template.body is None:
        return Standing(template, "same")
    lines = differences(template.body, template.installed(answer.json()))
    return Standing(template, "differs" if lines else "same", lines)


def _refused(cluster: Cluster, template: Template, answer: Answer) -> TargetAwayError:
    what = f"{cluster.name}: {template.kind} template {template.name}"
    if answer.status in {401, 403}:
        return RefusedError(
            f"{what}: {answer.error()}: the credential needs the right to manage index templates"
        )
    if answer.status in {429, 500, 502, 503, 504}:
        return TargetAwayError(f"{what}: {answer.error()}")
    error: object = answer.json().get("error")
    reason = str(cast(dict[str, Any], error).get("reason", ""))[:_REASON] if isinstance(error, dict) else ""
    return RefusedError(f"{what}: {answer.status} {error_type(answer.json())}: {reason}")
