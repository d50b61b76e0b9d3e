"""Random Sigma rules of every kind of test, with examples of values that come near to them."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import alphabet

Example = tuple[str, Any]
"""A field's path and a value that may satisfy a test of it."""
CHOICES = ("any", "any", "all", "all_or_empty", "none", "0", "1")
INNER = ("p", "q", "q.p", ".")
LOOSE = ((), ("contains",), ("startswith",), ("endswith",))
BLOCKS = 0.25
"""The share of rules that select elements of arrays (`docs/sigma-arrays.md`)."""
DEEPEST = 3
NAMES: list[str] = ["sel_a", "sel_b", "filter_a", "notes", "keys", "_hidden"]
FLAGS = ((), (), ("i",), ("m",), ("s",), ("i", "m", "s"))


@dataclass
class Made:
    """A rule document and values near to what it tests."""

    document: dict[str, Any]
    examples: list[Example] = field(default_factory=list)


class RuleMaker:
    """Makes rules out of a part of the alphabet, so that rules and events of one round meet often."""

    def __init__(self, chance: random.Random, texts: list[str]) -> None:
        self._chance = chance
        self._texts = texts
        self._examples: list[Example] = []
        self._paths: tuple[str, ...] = alphabet.PATHS
        self._blocks = False
        self._depth = 0

    def rule(self, number: int, product: str) -> Made:
        """Return one rule; its id holds `number`."""
        self._examples = []
        chance = self._chance
        self._blocks = chance.random() < BLOCKS
        names = chance.sample(NAMES, chance.randint(2, 4))
        if all(name.startswith("_") for name in names):
            names[0] = "sel_a"
        detection: dict[str, Any] = {name: self._search() for name in names}
        one = self._condition(names, 0)
        detection["condition"] = [one, self._condition(names, 1)] if chance.random() < 0.1 else one
        document = {
            "title": f"rule {number}",
            "id": f"00000000-0000-4000-8000-{number:012d}",
            "logsource": {"product": product},
            "detection": detection,
        }
        if self._blocks:
            document["sigma-version"] = 3
        return Made(document, self._examples)

    def _search(self) -> Any:
        roll = self._chance.random()
        if roll < 0.04:
            return self._some([*self._texts, 1, 10], 2)
        if roll < 0.055:
            return {"|all": [self._pattern(), self._pattern()]}
        if roll < 0.065:
            return {"|re": self._chance.choice(alphabet.EXPRESSIONS)}
        if roll < 0.17:
            return [self._selection(), self._selection()]
        return self._selection()

    def _selection(self) -> dict[str, Any]:
        paths = self._chance.sample(self._paths, self._chance.choice((1, 1, 1, 2, 2, 3)))
        return dict(self._block(path) if self._is_block(path) else self._item(path) for path in paths)

    def _is_block(self, path: str) -> bool:
        return self._blocks and path != "." and self._depth < DEEPEST and self._chance.random() < 0.4

    def _block(self, path: str) -> tuple[str, Any]:
        """Return a test of the elements of an array: of their fields together, of one, or of themselves."""
        chance, outer, known = self._chance, self._paths, len(self._examples)
        path = "l" if outer is alphabet.PATHS and chance.random() < 0.6 else path
        choice = f"{path}[{chance.choice(CHOICES)}]"
        roll = chance.random()
        if roll < 0.3:
            key, body = self._item("")
            return f"{choice}{key}", body
        self._paths = INNER
        self._depth += 1
        if roll < 0.45:
            key, body = self._item(chance.choice(INNER[:-1]))
            key = f"{choice}.{key}"
        else:
            key, body = choice, self._selection() if roll < 0.85 else [self._selection(), self._selection()]
        self._depth -= 1
        self._paths = outer
        for place in range(known, len(self._examples)):
            inner, value = self._examples[place]
            self._examples[place] = (f"{path}.{inner}" if inner not in ("", ".") else path, value)
        return key, body

    def _item(self, path: str) -> tuple[str, Any]:
        kinds = (self._text,) * 6 + (self._value,) * 4 + (self._compare, self._presence, self._regex)
        kinds += (self._cidr, self._reference, self._time, self._encoded, self._windash, self._expand)
        modifiers, value = self._chance.choice(kinds)(path)
        if modifiers[-1:] != ["exists"] and self._chance.random() < 0.1:
            modifiers = [*modifiers, "neq"]
        return "|".join([path, *modifiers]), value

    def _text(self, path: str) -> tuple[list[str], Any]:
        modifiers = [*self._chance.choice(LOOSE)]
        value = self._some_patterns()
        if isinstance(value, list) and self._chance.random() < 0.3:
            modifiers.append("all")
        if self._chance.random() < 0.25:
            modifiers.append("cased")
        self._near(path, value)
        return modifiers, value

    def _value(self, path: str) -> tuple[list[str], Any]:
        pool = [*alphabet.NUMBERS, True, False, None, *self._texts]
        value = self._some(pool, 1)
        self._near(path, value)
        return [], value

    def _compare(self, path: str) -> tuple[list[str], Any]:
        limit = self._chance.choice(alphabet.LIMITS)
        self._examples += [(path, limit), (path, str(limit)), (path, limit + 1), (path, [limit - 1])]
        return [self._chance.choice(("lt", "lte", "gt", "gte"))], limit

    def _presence(self, path: str) -> tuple[list[str], Any]:
        self._examples += [(path, None), (path, [])]
        return ["exists"], self._chance.random() < 0.5

    def _regex(self, path: str) -> tuple[list[str], Any]:
        value = self._some(list(alphabet.EXPRESSIONS), 1)
        return ["re", *self._chance.choice(FLAGS)], value

    def _cidr(self, path: str) -> tuple[list[str], Any]:
        self._examples += [(path, self._chance.choice(alphabet.ADDRESSES)) for _ in range(2)]
        return ["cidr"], self._some(list(alphabet.NETWORKS), 1)

    def _reference(self, path: str) -> tuple[list[str], Any]:
        other = self._chance.choice(self._paths)
        shared = self._chance.choice(self._texts)
        self._examples += [(path, shared), (other, shared), (other, [shared, "x"])]
        return ["fieldref", *self._chance.choice(LOOSE)], other

    def _time(self, path: str) -> tuple[list[str], Any]:
        part, value = self._chance.choice(
            (
                ("minute", 5),
                ("hour", 22),
                ("day", 23),
                ("week", 48),
                ("week", 53),
                ("month", 11),
                ("year", 2026),
            )
        )
        self._examples += [(path, self._chance.choice(alphabet.TIMES)), (path, 1795471500)]
        compare = self._chance.choice(("", "", "gte", "lt", "gt", "lte"))
        return [part, compare] if compare else [part], value

    def _encoded(self, path: str) -> tuple[list[str], Any]:
        wide = self._chance.choice(("", "", "wide", "utf16le", "utf16be", "utf16"))
        codec = {"": "utf-8", "utf16be": "utf-16-be"}.get(wide, "utf-16-le")
        word = self._chance.choice(
            [text for text in self._texts if text and not set(text) & set("*?\\")] or ["a"]
        )
        before, after = (self._chance.choice(("", "x", "xy", "xyz")) for _ in range(2))
        data = (
            before.encode() + (b"\xff\xfe" if wide == "utf16" else b"") + word.encode(codec) + after.encode()
        )
        self._examples.append((path, base64.b64encode(data).decode()))
        names = [wide] if wide else []
        if self._chance.random() < 0.5:
            return [*names, "base64", *self._chance.choice(((), ("contains",), ("cased",)))], word
        return [*names, "base64offset", "contains"], word

    def _windash(self, path: str) -> tuple[list[str], Any]:
        value = self._chance.choice(alphabet.DASHES)
        self._examples += [(path, self._chance.choice(alphabet.DASHES)), (path, value)]
        return ["windash", *self._chance.choice(LOOSE)], value

    def _expand(self, path: str) -> tuple[list[str], Any]:
        value = self._chance.choice(("%some%", "x%some%", "%other%", "%some%%other%", "plain"))
        self._examples += [(path, value.replace("%some%", "bb").replace("%other%", "É"))]
        return ["expand", *self._chance.choice(LOOSE)], value

    def _some(self, pool: list[Any], fewest: int) -> Any:
        """Return one value of the pool, or a list of several."""
        count = self._chance.choice((fewest, fewest, fewest, 2, 3))
        found = self._chance.sample(pool, min(count, len(pool)))
        return found if count > 1 else found[0]

    def _some_patterns(self) -> Any:
        count = self._chance.choice((1, 1, 1, 2, 3))
        found = [self._pattern() for _ in range(count)]
        return found if count > 1 else found[0]

    def _pattern(self) -> str:
        """Return a text of the round, often with wildcards in it, sometimes with escapes."""
        text = self._chance.choice(self._texts)
        roll = self._chance.random()
        if roll < 0.6:
            return text
        if roll < 0.7:
            return "".join("\\" + char if char in "*?\\" else char for char in text)
        place = self._chance.randint(0, len(text))
        wild = self._chance.choice(("*", "?", "*", "**", "*?"))
        return text[:place] + wild + text[place + (roll < 0.85) :]

    def _near(self, path: str, value: Any) -> None:
        for item in value if isinstance(value, list) else [value]:
            near = item
            if isinstance(item, str):
                near = item.replace("*", self._chance.choice(("", "x"))).replace("?", "b")
            self._examples.append((path, near))

    def _condition(self, names: list[str], depth: int) -> str:
        roll = self._chance.random()
        if depth > 2 or roll < 0.35:
            return self._chance.choice(names)
        if roll < 0.5:
            return f"not {self._operand(names, depth)}"
        if roll < 0.65:
            return (
                f"{self._chance.choice(('1', 'all'))} of {self._chance.choice(list(self._patterns(names)))}"
            )
        link = self._chance.choice((" and ", " or "))
        parts = [self._operand(names, depth) for _ in range(self._chance.choice((2, 2, 3)))]
        return link.join(parts)

    def _operand(self, names: list[str], depth: int) -> str:
        """Return a part, with parentheses or without: then the order of precedence decides."""
        inner = self._condition(names, depth + 1)
        return f"({inner})" if self._chance.random() < 0.5 else inner

    @staticmethod
    def _patterns(names: list[str]) -> Iterator[str]:
        yield "them"
        for name in names:
            if "_" in name[1:]:
                yield name.split("_")[0] + "_*"
