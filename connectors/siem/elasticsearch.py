"""Elasticsearch through the official client: data streams, op `create`, the derived id as `_id`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, AsyncElasticsearch, UnsupportedProductError

from config.secret import SecretUnreadableError
from connectors.ecs.stream import Document, data_stream
from connectors.siem.bulk import ATTEMPTS, backoff_s, by_size, outcome_of, refusal
from connectors.siem.target import ItemOutcome, TargetAwayError

_ANSWER: Final = (
    "errors",
    "items.*.status",
    "items.*.error.type",
    "items.*.error.reason",
    "items.*.failure_store",
)
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_RETRY: Final = ItemOutcome("retry", "the target is busy")


class ElasticsearchSiem:
    """One cluster. `sleep` takes seconds; `jitter` returns 0 to 1: both come in so that tests set them.

    Client and server must have the same major version. `api_key` returns the key, read anew on `open`.
    """

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        namespace: str,
        *,
        api_key: Callable[[], str] | None,
        jitter: Callable[[], float],
        ca_file: Path | None = None,
        max_bulk_bytes: int = 5 * 1024 * 1024,
        request_timeout_s: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._urls = list(urls)
        self._namespace = namespace
        self._api_key = api_key
        self._jitter = jitter
        self._ca_file = ca_file
        self._max_bulk_bytes = max_bulk_bytes
        self._timeout_s = request_timeout_s
        self._sleep = sleep
        self._client: AsyncElasticsearch | None = None
        self._require_data_stream = True

    async def open(self) -> None:
        """Make the client; connections are made on first use. Raises TargetAwayError."""
        await self.close()
        try:
            options: dict[str, Any] = {"api_key": self._api_key()} if self._api_key else {}
            if self._ca_file:
                options["ca_certs"] = str(self._ca_file)
            self._client = AsyncElasticsearch(
                self._urls, request_timeout=self._timeout_s, max_retries=0, retry_on_timeout=False, **options
            )
        except SecretUnreadableError as error:
            raise TargetAwayError(f"{self.name}: {error}") from error
        except (ValueError, OSError) as error:
            raise TargetAwayError(f"{self.name}: {type(error).__name__}: settings of the client") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def deliver(self, batch: Sequence[Document]) -> Sequence[ItemOutcome]:
        """Send in requests of at most `max_bulk_bytes`; items that were busy are tried again, the others not.

        What stays busy after five attempts comes back as `retry`. Raises TargetAwayError.
        """
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
        operations: list[bytes] = []
        for index in part:
            document = batch[index]
            place = {"_index": data_stream(document.stream, self._namespace), "_id": document.id}
            operations += [orjson.dumps({"create": place}), document.payload]
        try:
            items = await self._bulk(operations)
        except ApiError as error:
            return await self._refused(error, batch, part)
        except ConnectionTimeout:
            return [ItemOutcome("retry", "no answer in time")] * len(part)
        except (TransportError, UnsupportedProductError) as error:
            raise TargetAwayError(f"{self.name}: {type(error).__name__}") from error
        if len(items) != len(part):
            raise TargetAwayError(f"{self.name}: {len(items)} answers for {len(part)} documents")
        away = refusal(items)
        if away:
            raise TargetAwayError(f"{self.name}: refuses documents: {away}")
        return [outcome_of(item) for item in items]

    async def _bulk(self, operations: list[bytes]) -> list[Any]:
        if self._client is None:
            raise TargetAwayError(f"{self.name}: not open")
        extra: dict[str, Any] = {"require_data_stream": True} if self._require_data_stream else {}
        lines: Any = operations
        answer = await self._client.bulk(operations=lines, filter_path=_ANSWER, **extra)
        items = answer.body.get("items") if isinstance(answer.body, dict) else None
        return items if isinstance(items, list) else []

    async def _refused(
        self, error: ApiError, batch: Sequence[Document], part: Sequence[int]
    ) -> Sequence[ItemOutcome]:
        """The whole request was refused: credentials, size, an unknown parameter, or it is busy."""
        status = error.meta.status
        if status in _BUSY:
            return [ItemOutcome("retry", f"the target answered {status}")] * len(part)
        if status == 413:
            if len(part) == 1:
                return [ItemOutcome("rejected", "413: too large for the target")]
            half = len(part) // 2
            return [*await self._send(batch, part[:half]), *await self._send(batch, part[half:])]
        if status == 400 and self._require_data_stream and "require_data_stream" in str(error.body):
            self._require_data_stream = False
            return await self._send(batch, part)
        raise TargetAwayError(f"{self.name}: the target answered {status}") from error
