"""Bulk requests: how to cut them, what an item's answer means, how long to wait (conventions B)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from connectors.ecs.stream import Document
from connectors.siem.target import ALREADY_THERE, DELIVERED, ItemOutcome

ATTEMPTS: Final = 5
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
_ACTION_BYTES: Final = 256


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


def refusal(items: Sequence[Any]) -> str | None:
    """Return why the target takes no document at all (rights, no data stream template), or None.

    Such an answer stands at single items, but says nothing about them: the target is away.
    """
    for item in items:
        answer = item.get("create") if isinstance(item, dict) else None
        if isinstance(answer, dict) and answer.get("status") in {401, 403, 404}:
            return f"{answer['status']} {_kind(answer)}".strip()
    return None


def outcome_of(item: Any) -> ItemOutcome:
    """Return what one item of a bulk answer means.

    201 delivered; 409 already there (our id is derived); 429 and 5xx retry; the failure store took it
    or any other status: rejected, with the type and the beginning of the reason.
    """
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
    kind = _kind(answer)
    if status == 429 or status >= 500:
        return ItemOutcome("retry", f"{status} {kind}".strip())
    return ItemOutcome("rejected", f"{status} {kind}".strip())


def _kind(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("type", ""))[:64] if isinstance(error, dict) else ""
