"""A SIEM target on a real node, with a record of every bulk request that it sent and what came back."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from parts.search_node import SearchNode

from config.forwarding import ElasticsearchTarget, OpenSearchTarget
from connectors.ecs.stream import Document, Stream, data_stream
from connectors.siem.answer import Answer
from connectors.siem.bootstrap import apply, standings
from connectors.siem.bulk_siem import BulkSiem
from connectors.siem.catalogue import authorization, dialect_of
from connectors.siem.cluster import JSON, MAX_ANSWER_BYTES, Cluster


def kind_of(node: SearchNode) -> type[ElasticsearchTarget] | type[OpenSearchTarget]:
    """Return the settings' class of the product that the part is."""
    return OpenSearchTarget if node.name == "OpenSearch" else ElasticsearchTarget


def new_namespace() -> str:
    """Return a namespace of its own, so that a test shares no data stream with another."""
    return f"t{uuid.uuid4().hex[:12]}"


@dataclass
class Watch:
    """What went over the wire: `sent` by document id, 429 by id of a `whole_busy` request or `item_busy`.

    `begun` counts requests, `statuses` the answers to them.
    """

    begun: int = 0
    sent: Counter[str] = field(default_factory=Counter[str])
    whole_busy: Counter[str] = field(default_factory=Counter[str])
    item_busy: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])


class WatchedCluster(Cluster):
    """A cluster that notes bulk requests in `watch`."""

    watch: Watch

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """Ask, and note."""
        if path == "/_bulk":
            self.watch.begun += 1
        answer = await super().ask(
            method, path, body, query=query, content_type=content_type, max_bytes=max_bytes
        )
        if path == "/_bulk" and body is not None:
            self._note(body, answer)
        return answer

    def _note(self, body: bytes, answer: Answer) -> None:
        ids = [orjson.loads(line)["create"]["_id"] for line in body.split(b"\n")[:-1:2]]
        self.watch.sent.update(ids)
        self.watch.statuses[answer.status] += 1
        if answer.status == 429:
            self.watch.whole_busy.update(ids)
        for ident, item in zip(ids, answer.json().get("items", ()), strict=False):
            if item["create"]["status"] == 429:
                self.watch.item_busy[ident] += 1


@asynccontextmanager
async def watched(
    node: SearchNode,
    namespace: str,
    *,
    bootstrap: bool = True,
    kind: type[ElasticsearchTarget] | type[OpenSearchTarget] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[BulkSiem, Watch]]:
    """Yield an open target of `node`, its templates installed, and its record."""
    target = (kind or kind_of(node)).model_validate({"urls": [node.url], **settings})
    cluster = WatchedCluster(
        target.name,
        target.urls,
        authorization=lambda: authorization(target),
        identify=dialect_of(target).identify,
        ca_file=target.ca_file,
        timeout_s=target.request_timeout_s,
        compress=target.compress,
    )
    cluster.watch = Watch()
    siem = BulkSiem(
        cluster, dialect_of(target), namespace, jitter=lambda: 0.5, max_bulk_bytes=target.max_bulk_bytes
    )
    await siem.open()
    try:
        if bootstrap:
            await apply(cluster, await standings(cluster, siem.dialect))
        yield siem, cluster.watch
    finally:
        await siem.close()


def stored(node: SearchNode, stream: Stream, namespace: str, query: Any = None) -> list[dict[str, Any]]:
    """Return at most 10,000 hits of a data stream, read by its name after a refresh."""
    name = data_stream(stream, namespace)
    httpx.post(f"{node.url}/{name}/_refresh", timeout=30.0).raise_for_status()
    body = {"size": 10_000, "query": query or {"match_all": {}}}
    found = httpx.post(f"{node.url}/{name}/_search", json=body, timeout=30.0)
    found.raise_for_status()
    return found.json()["hits"]["hits"]


def counted(node: SearchNode, stream: Stream, namespace: str) -> int:
    """Return how many documents a data stream holds."""
    name = data_stream(stream, namespace)
    httpx.post(f"{node.url}/{name}/_refresh", timeout=30.0).raise_for_status()
    return httpx.get(f"{node.url}/{name}/_count", timeout=30.0).json()["count"]


def documents(count: int, namespace: str, filler: str = "", first: int = 0) -> list[Document]:
    """Return plain events `e0`, `e1`, ..."""
    return [
        Document.of(
            "events",
            f"e{number}",
            {
                "@timestamp": "2026-11-01T00:00:00.000Z",
                "event": {"kind": "event", "id": f"e{number}", "original": filler},
            },
            namespace,
            0.0,
        )
        for number in range(first, first + count)
    ]
