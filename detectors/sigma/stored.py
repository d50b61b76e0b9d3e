"""Compiled files as JSON and back: plain data only, its shape checked against our own types on reading.

What is read back was written by an earlier run, but nothing relies on that: a text that is no compiled file
of this shape raises StoredError, and no text can do more than say what a rule file could have said.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

import orjson
from sigma.types import SigmaType

from detectors.sigma.compiled import (
    CompiledFile,
    CompiledFilter,
    CompiledRule,
    CorrelationText,
    Other,
    Position,
)
from detectors.sigma.condition import MAX_DEPTH, And, Element, Keyword, Leaf, Not, Or, Reference
from detectors.sigma.document import Refusal, SigmaRuleError
from detectors.sigma.path import split
from detectors.sigma.predicate import compile_predicate
from detectors.sigma.rule import Identity, Rule
from detectors.sigma.stored_value import (
    StoredError,
    UnstorableError,
    ValueReader,
    written,
)

SCHEMA: Final = 1
"""Changes with every change of the classes below that their fields do not show."""
_NODES: Final = (And, Or, Not, Leaf, Reference, Keyword, Element)
_CLASSES: Final = (
    *(CompiledFile, CompiledRule, CompiledFilter, CorrelationText, Position, Other, Refusal),
    *(Rule, Identity, *_NODES),
)
_NAMES: Final = frozenset(kind.__name__ for kind in _CLASSES)
Reader: TypeAlias = Callable[[Any], Any]


def shape() -> list[list[str]]:
    """Return the classes and fields that are stored: part of what a stored text depends on."""
    return [[kind.__name__, *(f"{one.name}:{one.type}" for one in fields(kind))] for kind in _CLASSES]


def to_json(file: CompiledFile) -> bytes:
    """Return a compiled file as JSON without line ends. Raises UnstorableError."""
    try:
        return orjson.dumps(to_data(file))
    except orjson.JSONEncodeError as error:
        raise UnstorableError(str(error)) from error


def to_data(value: object) -> Any:
    """Return a compiled file as JSON values; paths of files are left out. Raises UnstorableError."""
    if isinstance(value, SigmaType):
        return written(value)
    if is_dataclass(value):
        if type(value).__name__ not in _NAMES or not isinstance(value, _CLASSES):
            raise UnstorableError(f"a {type(value).__name__} is not stored")
        names = (one.name for one in fields(value) if not _is_file(type(value), one.name))
        return [type(value).__name__, *(to_data(getattr(value, name)) for name in names)]
    if isinstance(value, tuple | list):
        return [to_data(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Mapping):
        return {key: to_data(item) for key, item in cast("Mapping[str, object]", value).items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise UnstorableError(f"a {type(value).__name__} is not stored")


class StoredReader:
    """Reads stored files. One for a whole load: equal texts and values are kept once."""

    def __init__(self) -> None:
        self._classes: dict[str, Reader] = {}
        self._path = ""
        self._depth = self._deepest = 0
        self._values = ValueReader()
        self._texts: dict[str, str] = {}
        for kind in _CLASSES:
            self._classes[kind.__name__] = self._class(kind)

    def read(self, data: object, path: str) -> CompiledFile:
        """Return the compiled file of `data`, which stands at `path`. Raises StoredError."""
        self._path = path
        self._depth = self._deepest = 0
        try:
            file = cast(CompiledFile, self._classes["CompiledFile"](data))
            if self._deepest > MAX_DEPTH:
                _compilable(file)
            return file
        except SigmaRuleError as error:
            raise StoredError(error.reason) from error
        except (TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
            raise StoredError(f"{type(error).__name__}: {error}") from error

    def _class(self, kind: type[Any]) -> Reader:
        hints = get_type_hints(kind)
        name = kind.__name__
        readers: list[Reader] | None = None
        listed = [one.name for one in fields(kind)]
        nested = int(kind in _NODES)

        def read(data: Any) -> Any:
            nonlocal readers
            if readers is None:
                readers = [self._field(kind, one, hints[one]) for one in listed if not _is_file(kind, one)]
            if data.__class__ is not list or len(data) != len(readers) + 1 or data[0] != name:
                raise StoredError(f"no {name}")
            self._depth += nested
            if self._depth > self._deepest:
                self._deepest = self._depth
            values = [reader(item) for reader, item in zip(readers, data[1:], strict=True)]
            self._depth -= nested
            if len(values) < len(listed):
                values.insert(listed.index("path"), self._path)
            return kind(*values)

        return read

    def _field(self, kind: type[Any], name: str, hint: Any) -> Reader:
        if kind in (Leaf, Reference, Element) and name in ("path", "other"):
            return self._field_path
        return self._reader(hint)

    def _field_path(self, data: Any) -> str:
        """Return a field's name that can be looked up."""
        if data.__class__ is not str:
            raise StoredError("no field")
        split(data)
        return self._texts.setdefault(data, data)

    def _reader(self, hint: Any) -> Reader:
        """Return what reads a value of the type `hint`. Raises TypeError for a type that is not stored."""
        origin, inner = get_origin(hint), get_args(hint)
        if hint is SigmaType:
            return self._values.read
        if hint is str:
            return self._text
        if hint in (int, float, bool, type(None)):
            return _exactly(hint)
        if origin is Literal:
            return _one_of(inner)
        if origin in (Union, types.UnionType):
            return self._union(inner)
        if origin is tuple and inner[-1] is Ellipsis:
            return self._sequence(self._reader(inner[0]))
        if isinstance(hint, type) and issubclass(hint, tuple):
            return self._record(cast(Any, hint))
        if origin is not None and issubclass(origin, Mapping):
            return self._mapping(self._reader(inner[1]))
        if isinstance(hint, type) and hint.__name__ in self._classes:
            return self._classes[hint.__name__]
        raise TypeError(f"{hint} is not stored")

    def _text(self, data: Any) -> str:
        if data.__class__ is not str:
            raise StoredError("no text")
        return self._texts.setdefault(data, data) if len(data) <= 64 else data

    def _sequence(self, item: Reader) -> Reader:
        def read(data: Any) -> tuple[Any, ...]:
            if data.__class__ is not list:
                raise StoredError("no list")
            return tuple([item(one) for one in data])

        return read

    def _record(self, kind: Any) -> Reader:
        readers = [self._reader(hint) for hint in get_type_hints(kind).values()]

        def read(data: Any) -> Any:
            if data.__class__ is not list or len(data) != len(readers):
                raise StoredError(f"no {kind.__name__}")
            return kind(*(reader(one) for reader, one in zip(readers, data, strict=True)))

        return read

    def _mapping(self, item: Reader) -> Reader:
        def read(data: Any) -> dict[str, Any]:
            if data.__class__ is not dict:
                raise StoredError("no mapping")
            return {key: item(one) for key, one in data.items()}

        return read

    def _union(self, hints: tuple[Any, ...]) -> Reader:
        names = [str(hint.__name__) for hint in hints if is_dataclass(hint) and isinstance(hint, type)]
        kinds = {name: self._classes[name] for name in names}
        plain = [self._reader(hint) for hint in hints if not is_dataclass(hint)]

        def read(data: Any) -> Any:
            if data.__class__ is list and data and data[0].__class__ is str and data[0] in kinds:
                return kinds[data[0]](data)
            for reader in plain:
                try:
                    return reader(data)
                except StoredError:
                    continue
            raise StoredError("none of the kinds that may stand here")

        return read


def _compilable(file: CompiledFile) -> None:
    """Raise SigmaRuleError for a condition that nests deeper than Python's own parser goes."""
    for item in file.items:
        if isinstance(item, CompiledRule):
            compile_predicate(item.rule.condition, {})
        elif isinstance(item, CompiledFilter):
            compile_predicate(item.condition, {})


def _is_file(kind: type[object], name: str) -> bool:
    """Return whether a field holds the path of the rule's file: the same text may stand at another one."""
    return name == "path" and kind in (Identity, Position, Other, Refusal)


def _exactly(kind: type[object]) -> Reader:
    def read(data: Any) -> Any:
        if data.__class__ is not kind:
            raise StoredError(f"no {kind.__name__}")
        return data

    return read


def _one_of(allowed: tuple[object, ...]) -> Reader:
    def read(data: Any) -> Any:
        if data.__class__ is not str or data not in allowed:
            raise StoredError("not one of the allowed words")
        return data

    return read
