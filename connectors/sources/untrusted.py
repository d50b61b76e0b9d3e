"""Reading what an attacker may have written: typed, bounded, without control characters."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Any, Final

from detectors.event import Entity, EntityRole, EntityType
from detectors.identifier import digest16

WORD_LIMIT: Final = 128
ID_LIMIT: Final = 256
ADDRESS_LIMIT: Final = 64
_LONG: Final = 1 << 63
_tuple: Final = tuple.__new__
"""What the constructor of a named tuple calls, in half the time: findings and baselines make many."""
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{3}})(?::\d{{1,5}})?\Z", re.ASCII)
_NUMERIC: Final = re.compile(r"[0-9a-fA-F:.%\[\]]+\Z")


def text_at(value: Any, *path: str) -> str | None:
    """Return the non-empty text at `path` inside nested objects, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value if isinstance(value, str) and value else None


def object_at(value: Any, *path: str) -> dict[str, Any]:
    """Return the object at `path`, or an empty one."""
    for key in path:
        if not isinstance(value, dict):
            return {}
        value = value.get(key)
    return value if isinstance(value, dict) else {}


def list_at(value: Any, *path: str) -> list[Any]:
    """Return the list at `path`, or an empty one."""
    for key in path:
        if not isinstance(value, dict):
            return []
        value = value.get(key)
    return value if isinstance(value, list) else []


def integer_at(value: Any, *path: str) -> int | None:
    """Return the integer of at most 63 bits at `path` (a whole float counts), or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    if type(value) is int and -_LONG <= value < _LONG:
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and -_LONG <= value < _LONG else None


def clean(text: str, limit: int = WORD_LIMIT) -> str:
    """Return `text` for people: what is not printable replaced, cut to `limit` characters."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def entity(kind: EntityType, name: str, role: EntityRole) -> Entity:
    """Return an entity whose id is printable and at most 256 characters.

    A longer or unprintable name keeps its beginning and gets the hash of the whole, so that two
    names never become one.
    """
    if len(name) <= ID_LIMIT and name.isprintable():
        return _tuple(Entity, (kind, name, role))
    return Entity(kind, clean(name, ID_LIMIT - 17) + "~" + digest16(name), role)


def distinct(entities: list[Entity]) -> list[Entity]:
    """Return `entities` in order without repetition, at most 24."""
    return list(dict.fromkeys(entities))[:24]


def address(text: str | None) -> str | None:
    """Return the canonical IP address of `text` (a port or brackets are dropped), or None."""
    if not text or len(text) > ADDRESS_LIMIT:
        return None
    plain = _IPV4.match(text)
    if plain:
        return plain[1]
    if not _NUMERIC.match(text):
        return None
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def known_address(text: str) -> str | None:
    """Return `address(text)`, remembered: for fields that hold the same few addresses again and again."""
    return _known_address(text) if len(text) <= ADDRESS_LIMIT else None


_known_address: Final = lru_cache(maxsize=4096)(address)


@lru_cache(maxsize=4096)
def names_one_machine(ip: str) -> bool:
    """Return whether an address may stand for one machine: not loopback, unspecified or multicast."""
    parsed = ipaddress.ip_address(ip)
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast or parsed.is_link_local)
