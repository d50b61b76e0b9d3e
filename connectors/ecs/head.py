"""What the documents of events have in common, and the few readers that every source's mapping is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

from connectors.ecs.moment import moment
from connectors.sources.untrusted import address
from detectors.event import Event

ECS_VERSION: Final = "9.0.0"
ORIGINAL_LIMIT: Final = 32 * 1024
KEYWORD_LIMIT: Final = 1_024
MOST: Final = 64
"""The most values of a list (related.*, user.roles)."""
_ECS: Final = {"version": ECS_VERSION}


def head(event: Event, text: str, module: str, dataset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the document of an event so far, and its `event` object: time, id, outcome, original.

    `text` is the JSON text of the redacted record; over 32 Ki characters it is left out and a label says so.
    """
    about: dict[str, Any] = {
        "kind": "event",
        "id": event.event_id,
        "module": module,
        "dataset": dataset,
        "outcome": event.profile.outcome(event),
    }
    document: dict[str, Any] = {"@timestamp": moment(event.time), "ecs": _ECS, "event": about}
    if len(text) <= ORIGINAL_LIMIT:
        about["original"] = text
    else:
        document["labels"] = {"original": "left out, over 32 KiB"}
    return document, about


def place(document: dict[str, Any], origin: Mapping[str, str]) -> None:
    """Add what the envelope knew: cluster, namespace, account, region, node. The record's own word stands."""
    for key, path in _ORIGIN:
        value = origin.get(key)
        if value:
            at = document
            for part in path[:-1]:
                at = at.setdefault(part, {})
            at.setdefault(path[-1], value[:KEYWORD_LIMIT])


def label(document: dict[str, Any], name: str, text: str) -> None:
    """Add `text` to labels.NAME; several are joined by a comma."""
    labels = document.setdefault("labels", {})
    labels[name] = f"{labels[name]},{text}" if name in labels else text


def word(value: Any) -> str | None:
    """Return `value` cut to 1,024 characters if it is a text that is not empty, else None."""
    if value and isinstance(value, str):
        return value if len(value) <= KEYWORD_LIMIT else value[:KEYWORD_LIMIT]
    return None


def words(get: Any, table: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Return name -> text for each (key, name) of `table`: what `get(key)` gives, cut; no text: left out."""
    found: dict[str, Any] = {}
    for key, name in table:
        value = get(key)
        if value and isinstance(value, str):
            found[name] = value if len(value) <= KEYWORD_LIMIT else value[:KEYWORD_LIMIT]
    return found


def many(values: Any) -> list[str]:
    """Return the first 64 texts of a list, each once, in order, cut; [] where it is no list."""
    if not isinstance(values, list) or not values:
        return []
    found = [text for value in values[:MOST] if (text := word(value))]
    return found if len(found) < 2 else list(dict.fromkeys(found))


def distinct(*values: str | None) -> list[str]:
    """Return `values` without None, each once, in order."""
    found = dict.fromkeys(values)
    found.pop(None, None)
    return cast("list[str]", list(found))


def ip_of(text: Any) -> str | None:
    """Return the canonical IP address of `text`, which may have a port; None where it has none."""
    if not isinstance(text, str) or not text:
        return None
    host, colon, _ = text.rpartition(":")
    return _address(host) if colon and ":" not in host else _address(text)


def endpoint(text: Any) -> dict[str, Any]:
    """Return address, ip and port of an address or a name as a new object; {} where there is none."""
    if not isinstance(text, str) or not text:
        return {}
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and text[0] != "[") or not (port.isascii() and port.isdigit()):
        ip = _address(text)
        return {"address": ip, "ip": ip} if ip else {"address": text[:KEYWORD_LIMIT]}
    ip = _address(host)
    found: dict[str, Any] = {"address": ip, "ip": ip} if ip else {"address": host[:KEYWORD_LIMIT] or text}
    number = int(port[:6])
    if 0 < number < 65_536:
        found["port"] = number
    return found


@lru_cache(maxsize=8192)
def _address(text: str) -> str | None:
    """`address`, kept: it gives None for what is longer than an address, so the texts are short or few."""
    return address(text) if len(text) <= 64 else None


_ORIGIN: Final = (
    ("cluster", ("orchestrator", "cluster", "name")),
    ("namespace", ("orchestrator", "namespace")),
    ("account", ("cloud", "account", "id")),
    ("region", ("cloud", "region")),
    ("node", ("host", "name")),
)
