"""Other names of a source's fields: the short ones that rules are published with, and those of ECS.

A name is taken to the letter, its case too. The record's own field is what counts: a key that happens to be
called as an alias is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar, overload

from detectors.event import Fields, Json
from detectors.sigma.path import MISSING, Derived, Found, lookup
from detectors.sigma.values import canonical_address

T = TypeVar("T")
EXTENSION_LIMIT: Final = 16
"""A longer text after the last dot of a path is no extension."""


class FieldNames(Mapping[str, str]):
    """Alias to path; a prefix stands for all names below it (`kubernetes.audit.` for the record itself)."""

    def __init__(self, table: Mapping[str, str], prefixes: Mapping[str, str] | None = None) -> None:
        self._table = dict(table)
        self._prefixes = dict(prefixes or {})
        self._starts = tuple(self._prefixes)

    def __getitem__(self, name: str) -> str:
        found = self._table.get(name)
        if found is None and name.startswith(self._starts):
            found = self._below(name)
        if found is None:
            raise KeyError(name)
        return found

    @overload
    def get(self, key: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, key: str, default: str | T, /) -> str | T: ...
    def get(self, key: str, default: object = None, /) -> object:
        """Return the path, else `default`; asked for every field of every rule."""
        found = self._table.get(key)
        if found is None and key.startswith(self._starts):
            found = self._below(key)
        return default if found is None else found

    def __iter__(self) -> Iterator[str]:
        """Yield the names that are listed; those below a prefix are without number."""
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def _below(self, name: str) -> str | None:
        for start, path in self._prefixes.items():
            if name.startswith(start) and len(name) > len(start):
                return path + name[len(start) :]
        return None


def constant(word: str) -> Derived:
    """Return the path of a word that every event of a source has."""
    return Derived("", word, lambda _fields: word)


def outcome(said: Callable[[Mapping[str, Any]], Json]) -> Derived:
    """Return the path of `event.outcome`; `said` returns success, failure or unknown for a record."""
    return Derived("event", "outcome", said)


def first(*paths: str) -> Derived:
    """Return the path of the first of `paths` that is there and not null."""
    readers = [lookup(path) for path in paths]

    def read(fields: Fields) -> Found:
        found: Iterable[Found] = (reader(fields) for reader in readers)
        return next((value for value in found if value is not MISSING and value is not None), MISSING)

    return Derived(paths[0], "first", read)


def ip(path: str) -> Derived:
    """Return the path of the address in a text that may have a port; a name is none."""
    reader = lookup(path)
    return Derived(path, "ip", lambda fields: ip_in(reader(fields)))


def ip_in(text: Found) -> Found:
    """Return the canonical address in `text`, MISSING where it is no text with an address."""
    found = canonical_address(text) if isinstance(text, str) else None
    return MISSING if found is None else found


def port_in(text: Found) -> Found:
    """Return the port of an address or authority (`host:port`), MISSING where it has none."""
    if not isinstance(text, str):
        return MISSING
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or (":" in host and host[:1] != "["):
        return MISSING
    number = int(port[:6])
    return number if 0 < number < 65_536 else MISSING


def stem(path: str) -> Derived:
    """Return the path of a request target without its query."""
    return Derived(path, "stem", _of_text(path, lambda target: target.partition("?")[0].partition("#")[0]))


def query(path: str) -> Derived:
    """Return the path of what follows the first `?` of a request target."""
    return Derived(path, "query", _of_text(path, lambda target: target.partition("?")[2] or MISSING))


def extension(path: str) -> Derived:
    """Return the path of the extension of a target's last part, without the dot."""
    return Derived(path, "extension", _of_text(path, _extension))


def _extension(target: str) -> Found:
    whole = target.partition("?")[0].partition("#")[0]
    if "://" in whole[:8]:
        whole = whole.partition("://")[2].partition("/")[2]
    name, _, last = whole.rpartition("/")[2].rpartition(".")
    return last if name and last.isalnum() and len(last) <= EXTENSION_LIMIT else MISSING


def _of_text(path: str, of: Callable[[str], Found]) -> Callable[[Fields], Found]:
    reader = lookup(path)

    def read(fields: Fields) -> Found:
        text = reader(fields)
        return of(text) if isinstance(text, str) else MISSING

    return read
