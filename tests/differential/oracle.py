"""An independent reading of Sigma rules: a plain walk over the rule document as YAML gives it.

It shares nothing with the engine: no pySigma, no index, no code made, no test skipped. It is slow and meant
to be read next to the specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oracle_text import ANY, everywhere, folded, matches, text_of, texts, tokens
from oracle_values import ABSENT, Placeholders, Test, expression, value_test

Judge = Callable[[Mapping[str, Any]], bool]


def reach(value: Any, keys: Sequence[str]) -> Any:
    """Return what stands at the path: lists fan out, a nested key goes before one that has the dots in it."""
    if isinstance(value, list):
        hits = [hit for item in value if (hit := reach(item, keys)) is not ABSENT]
        return hits or ABSENT
    if not isinstance(value, dict):
        return ABSENT
    for size in range(1, len(keys) + 1):
        inner = value.get(".".join(keys[:size]), ABSENT)
        if inner is not ABSENT:
            hit = inner if size == len(keys) else reach(inner, keys[size:])
            if hit is not ABSENT:
                return hit
    return ABSENT


def places(value: Any, keys: Sequence[str]) -> list[Any]:
    """Return all that stands at the path, lists on the way opened, one by one."""
    if isinstance(value, list):
        return [found for item in value for found in places(item, keys)]
    if isinstance(value, dict):
        for size in range(1, len(keys) + 1):
            inner = value.get(".".join(keys[:size]), ABSENT)
            if inner is not ABSENT:
                found = [inner] if size == len(keys) else places(inner, keys[size:])
                if found:
                    return found
    return []


class Oracle:
    """Reads one rule document. `aliases` are a source's other names of fields."""

    def __init__(
        self, document: Mapping[str, Any], aliases: Mapping[str, str], placeholders: Placeholders
    ) -> None:
        self._aliases = aliases
        self._placeholders = placeholders
        detection = document["detection"]
        self._named = {
            name: self._search(search) for name, search in detection.items() if name != "condition"
        }
        conditions = detection["condition"]
        given = conditions if isinstance(conditions, list) else [conditions]
        self._conditions = [_Condition(text, self._named).read() for text in given]

    def __call__(self, fields: Mapping[str, Any]) -> bool:
        """Return whether the rule matches the event: one of its conditions holds."""
        return any(holds(fields) for holds in self._conditions)

    def item(self, key: str, value: Any) -> Judge:
        """Return the test of one line of a selection."""
        if block := _BLOCK.fullmatch(key):
            return self._elements(block, value)
        field, *modifiers = key.split("|")
        if not field:
            return self._keywords(modifiers, value)
        keys = self._path(field)
        if "fieldref" in modifiers:
            return self._reference(keys, modifiers, value)
        test: Test = value_test(modifiers, value, self._placeholders)
        return lambda fields: test(reach(fields, keys))

    def _elements(self, block: re.Match[str], value: Any) -> Judge:
        """Return the test of an array's elements: names inside begin in the element, `.` is itself."""
        keys, choice = self._path(block["path"]), block["choice"]
        inner = Oracle({"detection": {"s": None, "condition": "s"}}, {}, self._placeholders)
        if isinstance(value, dict | list) and not block["rest"]:
            body = inner._search(value) if not _plain(value) else inner.item(".", value)
        else:
            rest = block["rest"]
            body = inner.item(rest[1:] if rest.startswith(".") else f".{rest}", value)

        def holds(fields: Mapping[str, Any]) -> bool:
            arrays = [_array(found) for found in places(fields, keys)]
            if choice.isdigit():
                there = [_scope(items[int(choice)]) for items in arrays if int(choice) < len(items)]
                return any(body(item) for item in there or [{}])
            verdicts = [body(_scope(item)) for items in arrays for item in items]
            if choice == "none":
                return not any(verdicts)
            if choice == "any":
                return any(verdicts)
            return all(verdicts) and (bool(verdicts) or choice == "all_or_empty")

        return holds

    def _path(self, field: str) -> list[str]:
        if field == ".":
            return ["."]
        return self._aliases.get(field, field).split(".")

    def _search(self, search: Any) -> Judge:
        if isinstance(search, dict):
            items = [self.item(key, value) for key, value in search.items()]
            return lambda fields: all(holds(fields) for holds in items)
        if isinstance(search, list):
            parts = [self._search(part) for part in search]
            return lambda fields: any(holds(fields) for holds in parts)
        return self._keywords([], search)

    def _keywords(self, modifiers: Sequence[str], value: Any) -> Judge:
        together = all if "all" in modifiers else any
        values = value if isinstance(value, list) else [value]
        if "re" in modifiers:
            tests = [expression(item, modifiers) for item in values]
        else:
            tests = [_stands_in(item) for item in values]

        def holds(fields: Mapping[str, Any]) -> bool:
            known = list(everywhere(fields))
            return together(any(test(text) for text in known) for test in tests)

        return holds

    def _reference(self, keys: Sequence[str], modifiers: Sequence[str], value: Any) -> Judge:
        others = [self._path(name) for name in (value if isinstance(value, list) else [value])]
        relation: Callable[[str, str], bool] = str.__eq__
        for name, known in (
            ("startswith", str.startswith),
            ("endswith", str.endswith),
            ("contains", str.__contains__),
        ):
            relation = known if name in modifiers else relation

        def folded_texts(fields: Mapping[str, Any], path: Sequence[str]) -> list[str]:
            found = reach(fields, path)
            return [] if found is ABSENT else [text.casefold() for text in texts(found)]

        def holds(fields: Mapping[str, Any]) -> bool:
            here = folded_texts(fields, keys)
            there = [text for path in others for text in folded_texts(fields, path)]
            return any(relation(one, other) for one in here for other in there)

        return (lambda fields: not holds(fields)) if "neq" in modifiers else holds


_BLOCK = re.compile(r"(?P<path>[^|\[]+)\[(?P<choice>any|all|all_or_empty|none|\d+)\](?P<rest>.*)", re.DOTALL)


def _plain(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, dict) for item in value)


def _array(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [] if found is None else [found]


def _scope(item: Any) -> dict[str, Any]:
    return {**item, ".": item} if isinstance(item, dict) else {".": item}


def _stands_in(value: Any) -> Callable[[str], bool]:
    pattern = folded([ANY, *(tokens(value) if isinstance(value, str) else str(text_of(value))), ANY])
    return lambda text: matches(pattern, text.casefold())


class _Condition:
    """``or`` binds loosest, then ``and``, then ``not``; read from left to right."""

    def __init__(self, text: str, named: Mapping[str, Judge]) -> None:
        self._words = re.findall(r"[()]|[\w*-]+", text)
        self._named = named

    def read(self) -> Judge:
        judge = self._either()
        if self._words:
            raise ValueError(f"left over: {self._words}")
        return judge

    def _either(self) -> Judge:
        parts = [self._both()]
        while self._words[:1] == ["or"]:
            self._words.pop(0)
            parts.append(self._both())
        return lambda fields: any(part(fields) for part in parts)

    def _both(self) -> Judge:
        parts = [self._single()]
        while self._words[:1] == ["and"]:
            self._words.pop(0)
            parts.append(self._single())
        return lambda fields: all(part(fields) for part in parts)

    def _single(self) -> Judge:
        word = self._words.pop(0)
        if word == "not":
            inner = self._single()
            return lambda fields: not inner(fields)
        if word == "(":
            inner = self._either()
            self._words.pop(0)
            return inner
        if word in ("1", "all") and self._words[:1] == ["of"]:
            self._words.pop(0)
            return self._several(word, self._words.pop(0))
        return self._named[word]

    def _several(self, quantifier: str, pattern: str) -> Judge:
        wanted = re.compile(".*" if pattern == "them" else re.escape(pattern).replace(r"\*", ".*"))
        parts = [
            judge
            for name, judge in self._named.items()
            if wanted.fullmatch(name) and (pattern.startswith("_") or not name.startswith("_"))
        ]
        together = all if quantifier == "all" else any
        return lambda fields: together(part(fields) for part in parts)
