"""Random events: values of the rules' alphabet and values near to the rules, at odd places."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

import alphabet
from rule_maker import Example


class EventMaker:
    """Makes events for one round of rules."""

    def __init__(self, chance: random.Random, texts: Sequence[str], examples: Sequence[Example]) -> None:
        self._chance = chance
        self._leaves = [*texts, *chance.sample(alphabet.LEAVES, 12), None, True]
        self._examples = list(examples)

    def event(self) -> dict[str, Any]:
        """Return one event."""
        chance = self._chance
        fields: dict[str, Any] = {name: self._value(1) for name in ("f", "g", "h") if chance.random() < 0.6}
        if chance.random() < 0.1:
            fields["F"] = self._value(1)
        if chance.random() < 0.5:
            fields["o"] = self._object(("p", "q"), 1)
        if chance.random() < 0.3:
            fields["l"] = [self._object(("p", "q"), 1) for _ in range(chance.randint(0, 3))]
        if chance.random() < 0.08:
            fields[chance.choice(("o.p", "o.q", "l.p", "o.p.q", "short"))] = self._value(0)
        for _ in range(chance.randint(1, 4)):
            path, value = chance.choice(self._examples)
            self._put(fields, alphabet.ALIASES.get(path, path).split("."), value)
        return copy.deepcopy(fields)

    def _put(self, fields: dict[str, Any], keys: Sequence[str], value: Any) -> None:
        roll = self._chance.random()
        if roll < 0.1:
            value = [self._leaf(), value]
        elif roll < 0.14:
            value = [[value], None]
        if len(keys) > 1 and self._chance.random() < 0.1:
            fields[".".join(keys)] = value
            return
        owner = fields
        for key in keys[:-1]:
            inner = owner.get(key)
            if isinstance(inner, list) and inner and isinstance(inner[-1], dict):
                inner = inner[-1]
            if not isinstance(inner, dict):
                inner = owner[key] = {}
            owner = inner
        owner[keys[-1]] = value

    def _object(self, names: Sequence[str], depth: int) -> dict[str, Any]:
        return {name: self._value(depth + 1) for name in names if self._chance.random() < 0.7}

    def _value(self, depth: int) -> Any:
        roll = self._chance.random()
        if depth < 4 and roll < 0.08:
            return [self._value(depth + 1) for _ in range(self._chance.randint(0, 3))]
        if depth < 4 and roll < 0.15:
            return self._object(("p", "q"), depth)
        return self._leaf()

    def _leaf(self) -> Any:
        return self._chance.choice(self._leaves)
