"""A double of the bulk endpoint: it answers what a test tells it. It is no product; `tests/stack` has those.

It keeps documents by index and id and refuses a second `create` with 409. Faults are queued: each takes the
next bulk request.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

Answer = tuple[int, Any]
ELASTIC = {"version": {"number": "9.9.9"}, "tagline": "You Know, for Search"}
OPEN = {"version": {"number": "3.9.9", "distribution": "opensearch"}}


@dataclass
class BulkDouble:
    """One server on a free loopback port; `faults` answer bulk requests first, `items` single documents.

    `root` is the answer to GET of `/`, `others` those of any other path by "METHOD PATH", `extra` headers
    of every answer.
    """

    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    requests: list[list[str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[Callable[[list[str]], Answer | None]] = field(default_factory=list)
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    root: Answer = (200, ELASTIC)
    others: dict[str, Answer] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=lambda: {"X-Elastic-Product": "Elasticsearch"})
    url: str = ""
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen on 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and hang up."""
        for writer in list(self._open):
            writer.close()
        if self._server:
            self._server.close()
            await self._server.wait_closed()
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        self._open.add(writer)
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
                method, target, _ = line.decode().split()
                status, answer = self._answer(method, target, body)
                if status == 0:
                    return
                payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                extra = "".join(f"{name}: {value}\r\n" for name, value in self.extra.items())
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{extra}"
                    f"Content-Length: {len(payload)}\r\n\r\n".encode()
                    + (b"" if method == "HEAD" else payload)
                )
                await writer.drain()
        except ConnectionError:
            return
        finally:
            self._open.discard(writer)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def _answer(self, method: str, target: str, body: bytes) -> Answer:
        path = target.partition("?")[0]
        self.asked.append(f"{method} {target}")
        if path == "/":
            return self.root
        if path != "/_bulk":
            return self.others.get(
                f"{method} {path}", (404, {"error": {"type": "resource_not_found_exception"}})
            )
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


@pytest.fixture
async def second_double():
    """Another one, as a second address of the same cluster."""
    server = BulkDouble()
    await server.start()
    yield server
    await server.stop()
