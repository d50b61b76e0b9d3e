"""A cluster as a SIEM target: pre-encoded documents in bulk, op `create`, the derived id as `_id`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson

from connectors.ecs.stream import STREAMS, Document, Stream, data_stream
from connectors.siem.answer import Answer
from connectors.siem.bulk import ANSWER, ATTEMPTS, backoff_s, by_size, outcome_of, refusal
from connectors.siem.cluster import NDJSON, Cluster
from connectors.siem.dialect import Dialect
from connectors.siem.target import (
    AnswerTooLargeError,
    ItemOutcome,
    NoAnswerInTimeError,
    RefusedError,
    TargetAwayError,
)

_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_PLACE: Final = b'{"create":{"_index":"%b","_id":%b}}'
_FOUND: Final = "hits.hits._id,error"
_RETRY: Final = ItemOutcome("retry", "the target is busy")


class BulkSiem:
    """One cluster. `sleep` takes seconds; `jitter` returns 0 to 1: both come in so that tests set them."""

    def __init__(
        self,
        cluster: Cluster,
        dialect: Dialect,
        namespace: str,
        *,
        jitter: Callable[[], float],
        max_bulk_bytes: int = 5 * 1024 * 1024,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = cluster.name
        self.cluster = cluster
        self.dialect = dialect
        self.namespace = namespace
        self._jitter = jitter
        self._max_bulk_bytes = max_bulk_bytes
        self._sleep = sleep
        self._query = {"filter_path": ANSWER, **dialect.bulk_query}
        self._streams: dict[Stream, bytes] = {
            stream: data_stream(stream, namespace).encode() for stream in STREAMS
        }
        self._prepared: set[str] = set()

    async def open(self) -> None:
        """Make the client. Raises TargetAwayError."""
        self._prepared.clear()
        await self.cluster.open()

    async def close(self) -> None:
        """Close the connections."""
        await self.cluster.close()

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        """Send in requests of at most `max_bulk_bytes`; items that were busy are tried again, the others not.

        What stays busy after three attempts comes back as `retry`. Raises TargetAwayError.
        """
        try:
            return await self._delivered(batch)
        except TargetAwayError:
            self._prepared.clear()
            raise

    async def found(self, document: Document) -> bool:
        """Return whether a search finds it. Raises TargetAwayError (no such right: RefusedError)."""
        wanted = orjson.dumps({"query": {"ids": {"values": [document.id]}}, "_source": False, "size": 1})
        path = f"/{data_stream(document.stream, self.namespace)}/_search"
        answer = await self.cluster.ask("POST", path, wanted, query={"filter_path": _FOUND})
        if answer.status == 404:
            return False
        if answer.status != 200:
            raise RefusedError(f"{self.name}: a search was answered {answer.error()}")
        hits: Any = answer.json().get("hits", {})
        return bool(hits.get("hits"))

    async def _delivered(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        kinds: set[Stream] = {document.stream for document in batch}
        for stream in (data_stream(kind, self.namespace) for kind in kinds):
            if stream not in self._prepared:
                await self.dialect.prepare(self.cluster, stream)
                self._prepared.add(stream)
        outcomes: list[ItemOutcome] = [_RETRY] * len(batch)
        waiting = list(range(len(batch)))
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._sleep(backoff_s(attempt, self._jitter()))
            for part in by_size(batch, waiting, self._max_bulk_bytes):
                for index, outcome in zip(part, await self._send(batch, part), strict=True):
                    outcomes[index] = outcome
            waiting = [index for index in waiting if outcomes[index].ending == "retry"]
            if not waiting:
                break
        return outcomes

    async def _send(self, batch: Sequence[Document], part: Sequence[int]) -> Sequence[ItemOutcome]:
        try:
            answer = await self.cluster.ask(
                "POST", "/_bulk", self._body(batch, part), query=self._query, content_type=NDJSON
            )
        except NoAnswerInTimeError:
            return [ItemOutcome("retry", "no answer in time")] * len(part)
        except AnswerTooLargeError as error:
            return await self._halved(batch, part, str(error))
        if answer.status != 200:
            return await self._refused(answer, batch, part)
        said = answer.json()
        items: Any = said.get("items")
        count = len(items) if isinstance(items, list) else 0
        if count != len(part):
            raise TargetAwayError(f"{self.name}: {count} answers for {len(part)} documents")
        refused = None if said.get("errors") is False else refusal(items)
        if refused:
            number, why = refused
            stream = data_stream(batch[part[number]].stream, self.namespace)
            raise RefusedError(f"{self.name}: {stream}: {why}")
        return [outcome_of(item) for item in items]

    def _body(self, batch: Sequence[Document], part: Sequence[int]) -> bytes:
        lines: list[bytes] = []
        for index in part:
            document = batch[index]
            lines += (_PLACE % (self._streams[document.stream], orjson.dumps(document.id)), document.payload)
        lines.append(b"")
        return b"\n".join(lines)

    async def _refused(
        self, answer: Answer, batch: Sequence[Document], part: Sequence[int]
    ) -> Sequence[ItemOutcome]:
        """The whole request was refused: credentials, size, or it is busy."""
        if answer.status in _BUSY:
            return [ItemOutcome("retry", answer.error())] * len(part)
        if answer.status == 413:
            return await self._halved(batch, part, "413: too large for the target")
        if answer.status in {401, 403}:
            raise RefusedError(f"{self.name}: the credential is refused ({answer.error()})")
        raise RefusedError(f"{self.name}: the target answered {answer.error()}")

    async def _halved(
        self, batch: Sequence[Document], part: Sequence[int], reason: str
    ) -> Sequence[ItemOutcome]:
        """Send the halves; one document alone that is too large is rejected."""
        if len(part) == 1:
            return [ItemOutcome("rejected", reason)]
        half = len(part) // 2
        return [*await self._send(batch, part[:half]), *await self._send(batch, part[half:])]
