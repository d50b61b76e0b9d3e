"""YAML of rule files, which strangers write: plain data only, every document with its lines.

Built from the parser's events, so that nothing is built that is not wanted: libyaml's own composer ends the
process (stack overflow) on 200,000 opening brackets. Refused by name: anchors and aliases (a short text
can stand for billions of values), tags (they name types of a program), merge keys, keys that stand twice
or are no text, deep nesting, texts and documents beyond the bounds below. Values read as YAML 1.1, as
pySigma reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 50_000
MAX_DOCUMENTS: Final = 2_000
MAX_SCALAR: Final = 65_536
_TEXTS: Final = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:value"})
_MERGE: Final = "tag:yaml.org,2002:merge"


class RuleYamlError(ValueError):
    """The YAML is not taken. `line` is 1-based; `fatal`: nothing after it in the file can be read."""

    def __init__(self, line: int, reason: str, way_out: str, *, fatal: bool = False) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason
        self.way_out = way_out
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document: its first and last line (1-based), its data, and what is wrong with it, if anything."""

    first_line: int
    last_line: int
    data: object
    fault: RuleYamlError | None


def yaml_documents(text: str) -> Iterator[YamlDocument]:
    """Yield the documents of a file. Raises RuleYamlError where the file cannot be read on."""
    loader = _loader(text)
    try:
        events = _events(loader)
        starts = (event for event in events if isinstance(event, DocumentStartEvent))
        for number, event in enumerate(starts):
            if number >= MAX_DOCUMENTS:
                raise _fatal(event, f"the file has more than {MAX_DOCUMENTS} documents", "Split it")
            yield _Building(events).document()
    finally:
        loader.dispose()


def _loader(text: str) -> Any:
    try:
        return yaml.CSafeLoader(text)
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from error


def _events(loader: Any) -> Iterator[Event]:
    try:
        while loader.check_event():
            yield loader.get_event()
    except yaml.YAMLError as error:
        raise _not_yaml(error, "") from error


def _not_yaml(error: yaml.YAMLError, text: str) -> RuleYamlError:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", 0)
    line = mark.line + 1 if mark is not None else text.count("\n", 0, position) + 1
    told = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return RuleYamlError(
        line, f"not YAML: {told}", "Mend the file; nothing from here on was loaded", fatal=True
    )


class _Building:
    """Builds one document from events; the first fault stays, and the rest is passed over."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._construct = SafeConstructor()
        self._resolve = Resolver()
        self._fault: RuleYamlError | None = None
        self._values = 0

    def document(self) -> YamlDocument:
        first = next(self._events)
        data = self._node(first, 0)
        last = next(self._events)
        while not isinstance(last, DocumentEndEvent):
            last = next(self._events)
        return YamlDocument(_line(first), _line(last), data, self._fault)

    def _node(self, event: Event, depth: int) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _fatal(event, f"the document has more than {MAX_VALUES} values", "Split it")
        if depth > MAX_DEPTH:
            raise _fatal(event, f"the document nests deeper than {MAX_DEPTH}", "Flatten it")
        if isinstance(event, AliasEvent):
            self._note(event, f"aliases are not read: *{event.anchor}", "Write the value out")
            return None
        self._check(event)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        return self._mapping(depth) if isinstance(event, MappingStartEvent) else self._sequence(depth)

    def _check(self, event: Event) -> None:
        node = cast(NodeEvent, event)
        tag = getattr(event, "tag", None)
        if node.anchor is not None:
            self._note(event, f"anchors are not read: &{node.anchor}", "Write the value out where it is used")
        elif tag is not None:
            self._note(event, f"tags are not read: {tag}", "Leave it out; put text into quotes")

    def _sequence(self, depth: int) -> list[object]:
        out: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            out.append(self._node(event, depth + 1))
        return out

    def _mapping(self, depth: int) -> dict[object, object]:
        out: dict[object, object] = {}
        while isinstance(event := next(self._events), NodeEvent):
            key = self._node(event, depth + 1)
            if isinstance(event, MappingStartEvent | SequenceStartEvent | AliasEvent):
                self._note(event, "a key that is no text", "Write a name before the colon")
                key = None
            if key in out:
                self._note(event, f"Duplicate key '{key}'", "Keep one of them")
            out[key] = self._node(next(self._events), depth + 1)
        return out

    def _scalar(self, event: ScalarEvent) -> object:
        text = event.value
        if len(text) > MAX_SCALAR:
            self._note(event, f"a text of more than {MAX_SCALAR} characters", "Split it")
            return None
        if not event.implicit[0]:
            return text
        tag = cast(Any, self._resolve).resolve(ScalarNode, text, (True, False))
        if tag in _TEXTS:
            return text
        if tag == _MERGE:
            self._note(event, "merge keys are not read: <<", "Write the keys out")
            return text
        try:
            node = ScalarNode(tag, text)
            return cast(Any, self._construct).construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError) as error:
            self._note(event, f"not a value: {error}", "Put it into quotes")
            return None

    def _note(self, event: Event, reason: str, way_out: str) -> None:
        if self._fault is None:
            self._fault = RuleYamlError(_line(event), reason, way_out)


def _fatal(event: Event, reason: str, way_out: str) -> RuleYamlError:
    return RuleYamlError(_line(event), reason, way_out, fatal=True)


def _line(event: Event) -> int:
    return int(cast(Any, event.start_mark).line) + 1
