"""Bulk requests: how to cut them, what an item's answer means, how long to wait (conventions B)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from connectors.ecs.stream import Document
from connectors.siem.answer import error_type, refused_field
from connectors.siem.target import ALREADY_THERE, DELIVERED, ItemOutcome

ATTEMPTS: Final = 3
ANSWER: Final = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store"
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
_ACTION_BYTES: Final = 256
# What stands at an item but says nothing about its document, whatever the status.
_OF_THE_TARGET: Final = {
    "security_exception": "this credential may not write there",
    "index_not_found_exception": "no template makes it a data stream: run davylamp siem bootstrap",
    "index_closed_exception": "its index is closed",
    "cluster_block_exception": "its index is read-only",
    "validation_exception": "the cluster takes no more shards or indices",
}
_CREATED: Final = {"create": {"status": 201}}
_FLOOD: Final = "read-only: a disk of the cluster is past its flood stage"


def by_size(batch: Sequence[Document], indexes: Sequence[int], max_bytes: int) -> Iterator[list[int]]:
    """Yield runs of `indexes` whose documents fit one request; one that is too large comes alone."""
    part: list[int] = []
    size = 0
    for index in indexes:
        needed = batch[index].size + _ACTION_BYTES
        if part and size + needed > max_bytes:
            yield part
            part, size = [], 0
        part.append(index)
        size += needed
    if part:
        yield part


def backoff_s(attempt: int, jitter: float) -> float:
    """Return the seconds before `attempt` (1, 2, ...): 0.5 doubling to 30, half by `jitter` (0 to 1)."""
    whole = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (attempt - 1))
    return whole / 2 + whole / 2 * min(1.0, max(0.0, jitter))


def refusal(items: Sequence[Any]) -> tuple[int, str] | None:
    """Return which item shows that the target takes nothing as things are, and why; None if none does.

    Rights, no data stream template, a read-only or closed index, no more shards: such an answer stands at
    single items, but says nothing about them. 429 is never one: that passes.
    """
    for number, item in enumerate(items):
        answer = item.get("create") if isinstance(item, dict) else None
        if not isinstance(answer, dict):
            continue
        status = answer.get("status")
        if isinstance(status, int) and 400 <= status < 429 and status != 409:
            kind = error_type(answer)
            said = _OF_THE_TARGET.get(kind)
            if said or status in {401, 403, 404}:
                return number, f"{said or 'it takes no documents'} ({status} {kind})"
    return None


def outcome_of(item: Any) -> ItemOutcome:
    """Return what one item of a bulk answer means.

    201 delivered; 409 already there (our id is derived); 429 and 5xx retry; the failure store took it
    or any other status: rejected, with the type and the field, never the value.
    """
    if item == _CREATED:
        return DELIVERED
    answer = item.get("create") if isinstance(item, dict) else None
    if not isinstance(answer, dict) or not isinstance(answer.get("status"), int):
        return ItemOutcome("retry", "an answer without a status")
    status: int = answer["status"]
    if status in {200, 201}:
        if answer.get("failure_store") == "used":
            return ItemOutcome("rejected", "the failure store took it: the mapping refused the document")
        return DELIVERED
    if status == 409:
        return ALREADY_THERE
    kind = error_type(answer)
    if status == 429 or status >= 500:
        why = _FLOOD if kind == "cluster_block_exception" else f"{status} {kind}".strip()
        return ItemOutcome("retry", why)
    field = refused_field(answer)
    return ItemOutcome("rejected", f"{status} {kind}".strip() + (f": {field}" if field else ""))
