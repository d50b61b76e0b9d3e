"""The cases of the public conformance suite: compact YAML tables, opened to one case an expectation.

The format is described to the letter in `tests/conformance/README.md`; this is its reference reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast
from uuid import NAMESPACE_URL, uuid5

import yaml

from detectors.event import Fields, Json

Basis: TypeAlias = Literal["specification", "decision"]
BASES: Final[tuple[Basis, ...]] = ("specification", "decision")
PREFIX: Final = "https://sigma-conformance.invalid/"
_SOURCES: Final = ("selection", "detection", "correlation", "rules", "yaml")
_ENTRY_KEYS: Final = frozenset({"id", "title", "logsource", "of", "pipelines", *_SOURCES, *BASES})
_BLOCK_KEYS: Final = frozenset(
    {"quote", "section", "text", "match", "no_match", "tries", "refused", "refused_pipeline"}
)
_TRY_KEYS: Final = frozenset({"events", "fires", "findings", "of"})


class CaseError(ValueError):
    """A file of cases is not as the README says; the message names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an engine must answer; exactly one is given.

    `matches`: the rule matches the one event. `fires`: at least one finding, or none. `findings`: exactly
    these, each the set of its event ids. `refused`: the last document must not load, and be reported.
    `refused_pipeline`: the pipelines must not load.
    """

    matches: bool | None = None
    fires: bool | None = None
    findings: frozenset[frozenset[str]] | None = None
    refused: bool = False
    refused_pipeline: bool = False

    def to_json(self) -> Fields:
        """Return the one expectation as JSON."""
        if self.findings is not None:
            return {"findings": [[*sorted(ids)] for ids in sorted(self.findings, key=sorted)]}
        if self.fires is not None:
            return {"fires": self.fires}
        if self.refused_pipeline:
            return {"refused_pipeline": True}
        return {"refused": True} if self.refused else {"match": bool(self.matches)}


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `documents` are YAML texts, `of` the id of the rule or correlation that is looked at.

    `reason` is the sentence of the specification, or the decision. `pipelines` are YAML texts of pySigma's
    processing pipelines, applied by priority, else in their order, to every document. An event of a
    correlation case has its id in `id` and its time (seconds since the epoch) in `time`.
    """

    id: str
    topic: str
    title: str
    basis: Basis
    reason: str
    documents: tuple[str, ...]
    of: str
    logsource: Mapping[str, str]
    events: tuple[Fields, ...]
    expected: Expected
    pipelines: tuple[str, ...] = ()

    def to_json(self) -> Fields:
        """Return the opened case, for other engines."""
        return {
            "id": self.id,
            "topic": self.topic,
            "title": self.title,
            "basis": self.basis,
            "reason": self.reason,
            "pipelines": [*self.pipelines],
            "documents": [*self.documents],
            "of": self.of,
            "logsource": {**self.logsource},
            "events": [*self.events],
            "expected": self.expected.to_json(),
        }


def parse(topic: str, text: str) -> tuple[Case, ...]:
    """Return the cases of one file; `topic` is its path below the suite without the ending.

    Raises CaseError.
    """
    try:
        data = cast("dict[str, Any]", yaml.safe_load(text))
        shared = cast("list[dict[str, Any]]", data.get("documents", []))
        columns = cast("list[str]", data.get("columns", []))
        entries = cast("list[dict[str, Any]]", data["cases"])
        cases = tuple(case for entry in entries for case in _entry(topic, entry, shared, columns))
    except CaseError:
        raise
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CaseError(f"{topic}: {type(error).__name__}: {error}") from error
    ids = [case.id for case in cases]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise CaseError(f"{topic}: ids stand twice: {', '.join(twice)}")
    return cases


def _entry(
    topic: str, entry: Mapping[str, Any], shared: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> Iterator[Case]:
    name = f"{topic}/{entry['id']}"
    _only(name, entry, _ENTRY_KEYS)
    documents, ids = _documents(name, entry, shared)
    pipelines = tuple(_pipeline(item) for item in cast("list[object]", entry.get("pipelines", [])))
    for basis in BASES:
        block = cast("dict[str, Any] | None", entry.get(basis))
        if block is None:
            continue
        _only(name, block, _BLOCK_KEYS)
        reason = str(block["quote"] if basis == "specification" else block["text"])
        for row, of, events, expected in _rows(name, block, columns):
            wanted = of or entry.get("of")
            yield Case(
                id=f"{name}/{row}",
                topic=topic,
                title=str(entry["title"]),
                basis=basis,
                reason=reason,
                documents=documents,
                of=next(reversed(ids.values()), "") if wanted is None else ids[str(wanted)],
                logsource=cast("dict[str, str]", entry.get("logsource", {"product": "conform"})),
                events=events,
                expected=expected,
                pipelines=pipelines,
            )


def _rows(
    name: str, block: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[tuple[str, object, tuple[Fields, ...], Expected]]:
    for key, holds in (("match", True), ("no_match", False)):
        for row, event in cast("dict[str, Any]", block.get(key, {})).items():
            yield _text(name, row), None, (_json(name, event),), Expected(matches=holds)
    for row, given in cast("dict[str, dict[str, Any]]", block.get("tries", {})).items():
        _only(f"{name}/{row}", given, _TRY_KEYS)
        events = tuple(_event(name, item, columns) for item in cast("list[Any]", given["events"]))
        findings = cast("list[list[str]] | None", given.get("findings"))
        exact = None if findings is None else frozenset(frozenset(ids) for ids in findings)
        if (exact is None) is ("fires" not in given):
            raise CaseError(f"{name}/{row}: one of fires, findings is needed")
        yield _text(name, row), given.get("of"), events, Expected(fires=given.get("fires"), findings=exact)
    if block.get("refused"):
        yield "refused", None, (), Expected(refused=True)
    if block.get("refused_pipeline"):
        yield "refused-pipeline", None, (), Expected(refused_pipeline=True)


def _documents(
    name: str, entry: Mapping[str, Any], shared: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the documents as YAML, and their ids by `name` or place; a filter is nothing to look at."""
    given = [key for key in _SOURCES if key in entry]
    if len(given) != 1:
        raise CaseError(f"{name}: one of {', '.join(_SOURCES)} is needed")
    if given == ["yaml"]:
        return (*_dumped(name, shared, {}), str(entry["yaml"])), {}
    own: list[dict[str, Any]] = []
    if "rules" in entry:
        own = cast("list[dict[str, Any]]", entry["rules"])
    elif "correlation" in entry:
        own = [{"title": entry["title"], "correlation": entry["correlation"]}]
    else:
        whole = {"selection": entry.get("selection"), "condition": "selection"}
        own = [{"title": entry["title"], "detection": entry.get("detection", whole)}]
    ids: dict[str, str] = {}
    return _dumped(name, [*shared, *own], ids), ids


def _pipeline(given: object) -> str:
    """Return the text of a pipeline: a list is its transformations, a text stands as it is."""
    if isinstance(given, str):
        return given
    whole = {"transformations": cast("list[object]", given)} if isinstance(given, list) else given
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=10_000)


def _dumped(name: str, documents: Sequence[Mapping[str, Any]], ids: dict[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for place, document in enumerate(documents):
        whole: dict[str, Any] = {"title": name, "id": str(uuid5(NAMESPACE_URL, f"{PREFIX}{name}/{place}"))}
        if "correlation" not in document:
            whole["logsource"] = {"product": "conform"}
        whole |= {"level": "medium"} | dict(document)
        if "filter" in document:
            del whole["level"]
        else:
            ids[str(whole.get("name", place))] = str(whole["id"])
        out.append(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=10_000))
    return tuple(out)


def _event(name: str, given: object, columns: Sequence[str]) -> Fields:
    if isinstance(given, list):
        row = cast("list[object]", given)
        if len(row) > len(columns):
            raise CaseError(f"{name}: an event has more values than there are columns")
        given = dict(zip(columns, row, strict=False))
    event = _json(name, given)
    if not isinstance(event.get("id"), str) or not isinstance(event.get("time"), int | float):
        raise CaseError(f"{name}: an event of a correlation needs id (text) and time (seconds)")
    return event


def _json(name: str, value: object) -> Fields:
    if not isinstance(value, dict) or not _is_json(cast(object, value)):
        raise CaseError(f"{name}: an event is no JSON object: {value!r}")
    return cast(Fields, value)


def _is_json(value: object) -> bool:
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return all(isinstance(key, str) and _is_json(inner) for key, inner in items)
    if isinstance(value, list):
        return all(_is_json(inner) for inner in cast("list[object]", value))
    return isinstance(cast(Json, value), str | int | float | bool | None)


def _text(name: str, row: object) -> str:
    if not isinstance(row, str):
        raise CaseError(f"{name}: the name {row!r} of a row is no text")
    return row


def _only(name: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(map(str, set(given) - known)):
        raise CaseError(f"{name}: unknown keys: {', '.join(unknown)}")
