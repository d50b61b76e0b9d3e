"""The part of an ECS 9 document that every source shares, built field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, Final

import orjson

from connectors.sources.untrusted import address
from detectors.event import Event
from detectors.finding import rfc3339

ECS_VERSION: Final = "9.0.0"
ORIGINAL_LIMIT: Final = 32 * 1024
KEYWORD_LIMIT: Final = 1_024


class Ecs:
    """A document under construction. Empty values are left out; dots in a path make objects."""

    def __init__(self, time: float, kind: str, dataset: str, module: str, ident: str) -> None:
        self._root: dict[str, Any] = {
            "@timestamp": _moment(time),
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

    def objects(self, parts: Mapping[str, dict[str, Any]]) -> None:
        """Add the fields of each non-empty object to the object of that name at the root."""
        root = self._root
        for key, part in parts.items():
            if part:
                root.setdefault(key, {}).update(part)

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
        if not text:
            return
        ip = address(text)
        port = text.rpartition(":")[2] if text.startswith("[") or text.count(":") == 1 else ""
        host = text.rpartition(":")[0] if port else text
        self.put(f"{side}.address", ip or host)
        self.put(f"{side}.ip", ip)
        if port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536:
            self.put(f"{side}.port", int(port))
        self.related("ip", ip)

    def finish(self) -> dict[str, Any]:
        """Return the document. It was built from a redacted record."""
        for kind, values in self._related.items():
            self.put(f"related.{kind}", list(values))
        return self._root

    def original(self, record: Any) -> None:
        """Set event.original to the JSON text of a redacted `record` if that is at most 32 KiB."""
        self.original_text(orjson.dumps(record))

    def original_text(self, text: bytes) -> None:
        """Set event.original to the JSON `text` of a redacted record if that is at most 32 KiB."""
        if len(text) <= ORIGINAL_LIMIT:
            self._root["event"]["original"] = text.decode()
        else:
            self.put("labels.original", "left out, over 32 KiB")


def texts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the non-empty texts of `fields`, cut to 1,024 characters; anything else is left out."""
    return {key: value[:KEYWORD_LIMIT] for key, value in fields.items() if value.__class__ is str and value}


def of_event(event: Event, record: Any, dataset: str, module: str, text: bytes | None = None) -> Ecs:
    """Return the document of an event so far: time, id, outcome, origin, original (at most 32 KiB).

    `record` is the event's redacted record; everything else in the document is taken from it too.
    `text` is its JSON text where that is known already.
    """
    ecs = Ecs(event.time, "event", dataset, module, event.event_id)
    ecs.put("event.outcome", event.profile.outcome(event))
    ecs.original_text(orjson.dumps(record) if text is None else text)
    if event.origin:
        for key, path in _ORIGIN:
            ecs.put(path, event.origin.get(key))
    ecs.put("observer", {"vendor": "Davylamp", "product": "davylamp"})
    return ecs


@cache
def _split(path: str) -> tuple[tuple[str, ...], str]:
    """The keys above a path's last key, and the last; paths are written in code, so they are few."""
    *parents, leaf = path.split(".")
    return tuple(parents), leaf


def _moment(time: float) -> str:
    """`rfc3339(time)`; the minute is made once."""
    minute, rest = divmod(round(time * 1000), 60_000)
    return f"{_minute(minute)}{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=64)
def _minute(minute: int) -> str:
    return rfc3339(minute * 60.0)[:17]


_ORIGIN: Final = (
    ("cluster", "orchestrator.cluster.name"),
    ("namespace", "orchestrator.namespace"),
    ("account", "cloud.account.id"),
    ("region", "cloud.region"),
    ("node", "host.name"),
)
