"""Lines whose event no rule can match, told from a few of their fields: the others are skipped, not decoded.

The few fields are those that make an object an event of its source (`Skeleton`) and those by which the
engine sorts events (`detectors.sigma.dispatch`). A line is passed by only when the typed decode took it and
the engine remembers that no rule can match events of its sort. Everything else is left to the full way, which
decides: other types, keys with dots, text that is not UTF-8, times out of range, what is nested too deep or
over 1 MiB, what is new. What the typed decode takes and orjson or the limit of nesting does not are numbers
that no double holds and 101 to about 1,000 levels: the full way makes texts of them and takes the event too.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol, TypeAlias, cast

import msgspec
from msgspec import UNSET, DecodeError, Meta, UnsetType

from connectors.sources.envelope_array import WHOLE
from connectors.sources.envelope_log_shipper import LIFTS
from connectors.sources.source import Skeleton
from detectors.sigma.dispatch import LIST_ITEMS, MAX_SEGMENTS
from detectors.sigma.path import MISSING, Derived
from detectors.sigma.value_class import ValueClasses

_REFUSED: Final = (DecodeError, ValueError, OverflowError, RecursionError)
_TIME: Final[Any] = Annotated[datetime, Meta(tz=True)]
_TEXTS: Final[Any] = Annotated[tuple[str, ...], Meta(max_length=LIST_ITEMS)]
_PART: Final[Any] = str | int | float | bool | None | _TEXTS | UnsetType
Sifted: TypeAlias = Callable[..., list[int]]
_Tree: TypeAlias = "dict[str, _Tree | str]"


class NoPartialError(ValueError):
    """These fields cannot be read alone; the message says why."""


class Sorts(Protocol):
    """What an engine remembers: the class of each value by field, and the rules by classes."""

    classes: Sequence[ValueClasses]

    @property
    def sorted(self) -> Mapping[tuple[int, ...], Sequence[object]]:
        """The rules that events of these classes may satisfy."""
        ...


class Partial:
    """Reads the fields of `skeleton` and `paths` of a line. Raises NoPartialError for what it cannot read."""

    def __init__(self, skeleton: Skeleton, paths: Sequence[str]) -> None:
        self.paths = paths
        tree: _Tree = {}
        for number, path in enumerate(paths):
            _plant(tree, path, f"p{number}")
        try:
            shape = _Shape(skeleton).event(tree)
            self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode
        except (TypeError, ValueError) as error:
            raise NoPartialError(f"no shape for {', '.join(paths)}") from error
        self._sifted = _sifted(tree, paths)

    def rest(self, lines: Sequence[bytes], sorts: Sorts) -> list[int]:
        """Return the places in `lines` of those that are to be read in full. Raises nothing."""
        try:
            if max(map(len, lines), default=0) > WHOLE:
                return self._rest_one_by_one(lines, sorts)
            found = [*map(self._decode, lines)]
            rest = self._sifted(found, sorts.sorted.get, *sorts.classes)
        except _REFUSED:  # the line, or a rule's test of a value in it (too long a text for its expression)
            return self._rest_one_by_one(lines, sorts)
        if all(map(bytes.isascii, lines)):
            return rest
        return sorted({*rest, *(place for place, line in enumerate(lines) if not _is_utf8(line))})

    def times(self, lines: Sequence[bytes]) -> list[float]:
        """Return the event times of lines that `rest` left out, in seconds (UTC), within a microsecond."""
        return [self._decode(line).time.timestamp() for line in lines]

    def _rest_one_by_one(self, lines: Sequence[bytes], sorts: Sorts) -> list[int]:
        rest: list[int] = []
        for place, line in enumerate(lines):
            try:
                found = () if len(line) > WHOLE else (self._decode(line),)
                passed = found and not self._sifted(found, sorts.sorted.get, *sorts.classes)
            except _REFUSED:
                passed = False
            if not passed or not _is_utf8(line):
                rest.append(place)
        return rest


def _is_utf8(line: bytes) -> bool:
    """Whether a line is UTF-8: the typed decode does not look into texts that it skips."""
    if line.isascii():
        return True
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _plant(tree: _Tree, path: str, name: str) -> None:
    """Put a path into the tree of keys; what stands at its end is called `name`."""
    keys = path.split(".")
    if isinstance(path, Derived) or len(keys) > MAX_SEGMENTS or not all(keys):
        raise NoPartialError(f"{path} is not read by its keys alone")
    for key in keys[:-1]:
        branch = tree.setdefault(key, {})
        if isinstance(branch, str):
            raise NoPartialError(f"{path} lies below another field")
        tree = branch
    if keys[-1] in tree:
        raise NoPartialError(f"{path} lies above another field")
    tree[keys[-1]] = name


class _Field(NamedTuple):
    """A field of a struct: its name, the key in JSON, its type, its default (`...`: it must be there)."""

    name: str
    key: str
    type: Any
    default: Any = UNSET


class _Shape:
    """Makes the struct types of an event, one a level."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton

    def event(self, tree: _Tree) -> type[msgspec.Struct]:
        time, texts, spelled, absent = self._skeleton
        told = {time, LIFTS, *texts, *spelled, *absent}
        fields = [_Field("time", time, _TIME, ...)]
        for key, fewest in texts.items():
            name = tree.get(key, f"t{len(fields)}")
            if not isinstance(name, str):
                raise NoPartialError(f"{key} is a text and has no fields")
            fields.append(_Field(name, key, Annotated[str, Meta(min_length=fewest)] if fewest else str, ...))
        for key, values in spelled.items():
            fields.append(_Field(f"s{len(fields)}", key, Literal[tuple(sorted(values))] | UnsetType))
        fields += [
            _Field(f"a{number}", key, UnsetType) for number, key in enumerate(sorted({*absent, LIFTS}))
        ]
        if (told - texts.keys()) & tree.keys():
            raise NoPartialError("what makes an event is sorted by as well")
        return _struct(fields + _fields(tree, texts))


def _fields(tree: _Tree, elsewhere: Container[str] = ()) -> list[_Field]:
    """Return the fields of one level, those whose keys are `elsewhere` left out."""
    fields = _dotted(tree)
    for number, (key, inner) in enumerate(tree.items()):
        if isinstance(inner, dict):
            below = _struct(_fields(inner), frozen=True)
            fields.append(_Field(f"b{number}", key, below | None, below()))
        elif key not in elsewhere:
            fields.append(_Field(inner, key, _PART, MISSING))
    return fields


def _dotted(tree: _Tree) -> list[_Field]:
    """Return the other spellings of paths, `{"a.b": 1}`: an event with one of them is not passed by."""
    spelled = {f"{key}.{more}" for key, inner in tree.items() for more in _spellings(inner)}
    return [_Field(f"d{number}", key, UnsetType) for number, key in enumerate(sorted(spelled))]


def _spellings(tree: _Tree | str) -> list[str]:
    """Return the beginnings that a path below a key can have when dots stand in keys."""
    if isinstance(tree, str):
        return []
    return [more for key, inner in tree.items() for more in (key, *(f"{key}.{m}" for m in _spellings(inner)))]


def _struct(fields: Sequence[_Field], *, frozen: bool = False) -> type[msgspec.Struct]:
    members = [(f.name, f.type) if f.default is ... else (f.name, f.type, f.default) for f in fields]
    members.sort(key=len)
    keys = {field.name: field.key for field in fields}
    return msgspec.defstruct("Event", members, rename=keys, gc=False, frozen=frozen)


def _sifted(tree: _Tree, paths: Sequence[str]) -> Sifted:
    """Return the function from decoded events to the places of those that are to be read in full.

    Its source holds operators and generated names only: nothing of a rule's text is in it.
    """
    parts = dict(_sources(tree, "e"))
    key = "".join(f"c{number}[{parts[f'p{number}']}], " for number in range(len(paths)))
    classes = ", ".join(f"c{number}" for number in range(len(paths)))
    source = (
        f"lambda events, get, {classes}: [n for n, e in enumerate(events) "
        f"if get(({key}), True) or not 1990 < e.time.year < 2199]"
    )
    namespace = {"__builtins__": {}, "enumerate": enumerate, "M": MISSING}
    return cast(Sifted, eval(compile(source, "<partial>", "eval"), namespace))  # noqa: S307


def _sources(tree: _Tree, owner: str, depth: int = 0) -> Iterable[tuple[str, str]]:
    for number, inner in enumerate(tree.values()):
        if isinstance(inner, str):
            yield inner, f"{owner}.{inner}"
            continue
        for name, source in _sources(inner, f"v{depth}", depth + 1):
            yield name, f"({source} if (v{depth} := {owner}.b{number}) is not None else M)"
