"""Alerts, incidents and decisions as ECS 9 documents, built field by field (events: `head.py`)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from connectors.ecs.head import ECS_VERSION, KEYWORD_LIMIT, endpoint
from connectors.ecs.moment import moment
from connectors.sources.untrusted import address


class Ecs:
    """A document under construction. Empty values are left out; dots in a path make objects."""

    def __init__(self, time: float, kind: str, dataset: str, module: str, ident: str) -> None:
        self._root: dict[str, Any] = {
            "@timestamp": moment(time),
            "ecs": {"version": ECS_VERSION},
            "event": {"kind": kind, "id": ident, "module": module, "dataset": dataset},
        }
        self._related: dict[str, dict[str, None]] = {}

    def put(self, path: str, value: Any, limit: int = KEYWORD_LIMIT) -> None:
        """Set the field at `path`; None, "" and empty containers are left out, texts cut to `limit`."""
        if value is None or value == "":
            return
        if isinstance(value, str):
            value = value[:limit]
        elif value == [] or value == {}:
            return
        at = self._root
        parents, leaf = _split(path)
        for key in parents:
            at = at.setdefault(key, {})
        at[leaf] = value

    def put_all(self, fields: Iterable[tuple[str, Any]]) -> None:
        """Set several fields."""
        for path, value in fields:
            self.put(path, value)

    def related(self, kind: str, *values: Any) -> None:
        """Add texts to `related.KIND` (ip, user, hosts, hash), each once, at most 64; not an ip: left out."""
        for value in values:
            text = address(value) if kind == "ip" and isinstance(value, str) else value
            if isinstance(text, str) and text:
                found = self._related.setdefault(kind, {})
                if len(found) < 64:
                    found[text[:KEYWORD_LIMIT]] = None

    def endpoint(self, side: str, text: str | None) -> None:
        """Set `side`.address, .ip and .port (source, destination) from an address or a name."""
        found = endpoint(text)
        for key, value in found.items():
            self.put(f"{side}.{key}", value)
        self.related("ip", found.get("ip"))

    def finish(self) -> dict[str, Any]:
        """Return the document; what is not ours in it is redacted afterwards."""
        for kind, values in self._related.items():
            self.put(f"related.{kind}", list(values))
        return self._root


@cache
def _split(path: str) -> tuple[tuple[str, ...], str]:
    """The keys above a path's last key, and the last; paths are written in code, so they are few."""
    *parents, leaf = path.split(".")
    return tuple(parents), leaf
