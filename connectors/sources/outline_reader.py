"""Reads lines in outline, with the fields by which the engine sorts events (`connectors.sources.outline`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Protocol, TypeAlias, cast

import msgspec
from msgspec import UNSET, DecodeError, UnsetType

from connectors.sources.envelope_array import WHOLE
from connectors.sources.envelope_log_shipper import LIFTS
from connectors.sources.outline import Glance, Outline
from connectors.sources.outline_refuting import MOST_FIELDS, Refuting, Tried, Typed, further_fields
from connectors.sources.partial import NoPartialError
from detectors.sigma.dispatch import LIST_ITEMS, MAX_SEGMENTS
from detectors.sigma.path import MISSING, Derived
from detectors.sigma.value_class import ValueClasses

Key: TypeAlias = tuple[int, ...]
FAULTS: Final = (
    DecodeError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What a line can provoke in `OutlineReader.read`; it is read in full then."""
_TEXTS: Final[Any] = Annotated[tuple[str, ...], msgspec.Meta(max_length=LIST_ITEMS)]
_LEAF: Final[Any] = str | int | float | bool | None | _TEXTS | UnsetType
_FURTHER: Final[Any] = (
    str
    | int
    | float
    | bool
    | None
    | tuple[str | int | float | bool | None, ...]
    | dict[str, msgspec.Raw]
    | UnsetType
)
"""What rules test beside. A test that looks into an object fails on it, and the line is read in full."""
_NOTHING: Final[frozenset[str]] = frozenset()
_OFTEN: Final = 32
_MOST_SORTS: Final = 1024


class Sorting(Protocol):
    """What an engine sorts events by: fields, the class of each of their values, and rules by classes."""

    @property
    def paths(self) -> Sequence[str]:
        """The fields."""
        ...

    @property
    def classes(self) -> Sequence[ValueClasses]:
        """The classes, one a field."""
        ...

    @property
    def sorted(self) -> Mapping[Key, Sequence[Tried]]:
        """The rules that events of these classes may satisfy."""
        ...


class OutlineReader:
    """Reads the outline of lines, and the fields by which rules of `dispatch` may be told to be false.

    `more` are fields beside those that events are sorted by; `wanted` holds those that a new reader should
    have as well. Raises NoPartialError where sorting and outline cannot be read together.
    """

    def __init__(
        self, outline: Outline, dispatch: Sorting, aliases: Mapping[str, str], more: frozenset[str] = _NOTHING
    ) -> None:
        shape = _Shape()
        own = [shape.leaf(keys) for keys in outline.fields]
        sorts = [shape.sort(path) for path in dispatch.paths]
        further = [path for path in sorted(more - {*dispatch.paths}) if shape.may_sort(path)]
        try:
            struct = shape.struct(outline)
            self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct).decode
        except (TypeError, ValueError) as error:
            raise NoPartialError(f"no shape for {', '.join(dispatch.paths)}") from error
        changes = _Changes(outline.changes)
        self._key = _key_of([shape.source(keys) for keys in sorts], dispatch, changes)
        self._glance = _glance_of([shape.source(keys) for keys in own], outline.glance)
        self._known = (*dispatch.paths, *further)
        self._sources = {
            path: changes.applied(shape.source(tuple(path.split("."))), path) for path in self._known
        }
        self._names: dict[str, object] = {"__builtins__": {}, "M": MISSING, **changes.names}
        self._sorts = dispatch.sorted  # a dispatch that sorts by other fields begins another one
        self._aliases = aliases
        self._refuting: dict[Key, Refuting] = {}
        self._missed: Counter[Key] = Counter()
        self.more = more
        self.wanted: frozenset[str] = _NOTHING

    def read(self, line: bytes) -> Glance | None:
        """Return what the event of a line says, None when it is to be read in full. Raises FAULTS, Reject.

        A line that a rule may match is read in full, and one of a sort that is not known.
        """
        if len(line) > WHOLE:
            return None
        event = self._decode(line)
        key = self._key(event)
        rules = self._sorts.get(key)
        if rules is None:
            return None
        if rules:
            refuting = self._refuting.get(key)
            if refuting is None:
                refuting = self._second_look(key, rules)
            if refuting is None or refuting.may_hold(event):
                return None
        if not line.isascii():
            line.decode("utf-8")  # the typed decode does not look into texts that it skips
        return self._glance(event)

    def _second_look(self, key: Key, rules: Sequence[Tried]) -> Refuting | None:
        """Return the second look at a sort that came often, where its rules' fields are read."""
        self._missed[key] += 1
        if self._missed[key] < _OFTEN or len(self._missed) > _MOST_SORTS:
            return None
        asked = further_fields(rules, self._aliases) - {*self._known}
        if asked - self.more:
            room = MOST_FIELDS - len(self.more | self.wanted)
            self.wanted |= frozenset(sorted(asked - self.more - self.wanted)[: max(0, room)])
            if self.wanted:
                return None
        self._refuting[key] = Refuting(rules, self._known, self._aliases, self._typed_of)
        return self._refuting[key]

    def _typed_of(self, paths: Sequence[str]) -> Callable[[Any], Typed]:
        parts = "".join(f"(x := {self._sources[path]}).__class__, x, " for path in paths)
        return cast("Callable[[Any], Typed]", _made(f"lambda e: ({parts})", self._names))


_Tree: TypeAlias = "dict[str, _Tree | str]"


class _Shape:
    """The struct types of a line, one a level; a leaf is named by its number."""

    def __init__(self) -> None:
        self._tree: _Tree = {}
        self._dotted: dict[tuple[str, ...], set[str]] = {}

    def leaf(self, keys: tuple[str, ...], kind: str = "leaf") -> tuple[str, ...]:
        """Make sure that a value is read. Raises NoPartialError."""
        tree = self._tree
        for key in keys[:-1]:
            branch = tree.setdefault(key, {})
            if isinstance(branch, str):
                raise NoPartialError(f"{'.'.join(keys)} lies below another field")
            tree = branch
        if isinstance(tree.setdefault(keys[-1], kind), dict):
            raise NoPartialError(f"{'.'.join(keys)} lies above another field")
        return keys

    def sort(self, path: str, kind: str = "leaf") -> tuple[str, ...]:
        """Make sure that a field that rules sort by is read, and its spellings with dots refused."""
        keys = tuple(path.split("."))
        if isinstance(path, Derived) or len(keys) > MAX_SEGMENTS or not all(keys):
            raise NoPartialError(f"{path} is not read by its keys alone")
        for begin in range(len(keys) - 1):
            spelled = {".".join(keys[begin:end]) for end in range(begin + 2, len(keys) + 1)}
            self._dotted.setdefault(keys[:begin], set()).update(spelled)
        return self.leaf(keys, kind)

    def may_sort(self, path: str) -> bool:
        """Return whether a path can be read; then it is, as by `sort`."""
        try:
            keys = self.sort(path, kind="further")
        except NoPartialError:
            return False
        return bool(keys)

    def source(self, keys: Sequence[str]) -> str:
        """Return the expression for a value of the event `e`; it holds generated names only."""
        return _source(self._tree, keys, "e", 0)

    def struct(self, outline: Outline) -> type[msgspec.Struct]:
        """Return the type of the whole line. Raises NoPartialError."""
        absent = {*outline.absent, LIFTS}
        if not absent.isdisjoint(self._tree):
            raise NoPartialError("what must not be there is sorted by")
        return self._level(self._tree, (), absent, outline.objects)

    def _level(
        self, tree: _Tree, at: tuple[str, ...], absent: set[str], objects: frozenset[str]
    ) -> type[msgspec.Struct]:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        keys: dict[str, str] = {}
        for number, (key, inner) in enumerate(tree.items()):
            if isinstance(inner, str):
                keys[f"l{number}"] = key
                fields.append((f"l{number}", _LEAF if inner == "leaf" else _FURTHER, MISSING))
                continue
            below = self._level(inner, (*at, key), set(), _NOTHING)
            keys[f"b{number}"] = key
            asked = key in objects
            fields.append((f"b{number}", below) if asked else (f"b{number}", below | None, below()))
        for number, key in enumerate(sorted(absent | (self._dotted.get(at, set()) - tree.keys()))):
            keys[f"a{number}"] = key
            fields.append((f"a{number}", UnsetType, UNSET))
        fields.sort(key=len)
        return msgspec.defstruct("Line", fields, rename=keys, gc=False, frozen=bool(at))


def _source(tree: _Tree, keys: Sequence[str], owner: str, depth: int) -> str:
    number = [*tree].index(keys[0])
    if len(keys) == 1:
        return f"{owner}.l{number}"
    inner = _source(cast(_Tree, tree[keys[0]]), keys[1:], f"v{depth}", depth + 1)
    return f"({inner} if (v{depth} := {owner}.b{number}) is not None else M)"


class _Changes:
    """What `parse` makes of values, as calls in generated source; `names` are what the calls mean."""

    def __init__(self, changes: Mapping[str, Callable[[Any], Any]]) -> None:
        self._changes = changes
        self.names: dict[str, object] = {}

    def applied(self, source: str, path: str) -> str:
        change = None if "." in path else self._changes.get(path, self._changes.get(""))
        if change is None:
            return source
        name = f"f{len(self.names)}"
        self.names[name] = change
        return f"{name}({source})"


def _key_of(sources: Sequence[str], dispatch: Sorting, changes: _Changes) -> Callable[[Any], Key]:
    """Return the function from a decoded line to its key; its source holds generated names only."""
    pairs = zip(sources, dispatch.paths, strict=True)
    parts = "".join(f"c{number}[{changes.applied(*pair)}], " for number, pair in enumerate(pairs))
    names: dict[str, object] = {"__builtins__": {}, "M": MISSING, **changes.names}
    names |= {f"c{number}": known for number, known in enumerate(dispatch.classes)}
    return cast("Callable[[Any], Key]", _made(f"lambda e: ({parts})", names))


def _glance_of(
    sources: Sequence[str], glance: Callable[..., Glance | None]
) -> Callable[[Any], Glance | None]:
    names: dict[str, object] = {"__builtins__": {}, "M": MISSING, "g": glance}
    return cast("Callable[[Any], Glance | None]", _made(f"lambda e: g({', '.join(sources)})", names))


def _made(source: str, names: dict[str, object]) -> object:
    return eval(compile(source, "<outline>", "eval"), names)  # noqa: S307
