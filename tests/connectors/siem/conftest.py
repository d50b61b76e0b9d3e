"""A double of the bulk endpoint: it answers what a test tells it. It is not Elasticsearch.

It keeps documents by index and id, refuses a second `create` with 409 and carries the product header
that the official client asks for. Faults are queued: each takes the next request.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

Answer = tuple[int, dict[str, Any]]


@dataclass
class BulkDouble:
    """One server on a free loopback port; `faults` answer requests first, `items` single documents."""

    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    requests: list[list[str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[Callable[[list[str]], Answer | None]] = field(default_factory=list)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    url: str = ""
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                headers: dict[str, str] = {}
                while (head := (await reader.readline()).decode().strip()) != "":
                    name, _, value = head.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                self.headers.append(headers)
                status, answer = self._answer(line.decode().split()[1], body)
                if status == 0:
                    return
                payload = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                    "X-Elastic-Product: Elasticsearch\r\n"
                    f"Content-Length: {len(payload)}\r\n\r\n".encode()
                    + payload
                )
                await writer.drain()
        finally:
            writer.close()

    def _answer(self, target: str, body: bytes) -> Answer:
        self.queries.append(target.partition("?")[2])
        lines = [json.loads(line) for line in body.splitlines() if line]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        ids = [action["create"]["_id"] for action, _ in pairs]
        self.requests.append(ids)
        if self.faults and (fault := self.faults.pop(0)(ids)) is not None:
            return fault
        answers = [self._item(action["create"], document) for action, document in pairs]
        return 200, {"errors": any(a["create"]["status"] > 299 for a in answers), "items": answers}

    def _item(self, place: dict[str, str], document: dict[str, Any]) -> dict[str, Any]:
        queued = self.items.get(place["_id"])
        if queued:
            return {"create": queued.pop(0)}
        key = (place["_index"], place["_id"])
        if key in self.documents:
            return {"create": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}}
        self.documents[key] = document
        return {"create": {"status": 201}}


@pytest.fixture
async def double():
    """A running double; stopped when the test ends."""
    server = BulkDouble()
    await server.start()
    yield server
    await server.stop()
