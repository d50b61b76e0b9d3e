"""Entries of a file of named entries: each key looked at once, every problem with its file and line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from config.document import Document, KeyPath, dotted
from config.errors import Problem
from config.moment import moment


@dataclass(slots=True)
class Entry:
    """One mapping of a document; what is wrong in it goes to `problems`."""

    document: Document
    path: KeyPath
    problems: list[Problem]
    tree: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        """Take the mapping at `path`; a problem, and nothing in it, if there is none."""
        value: object = self.document.tree
        for part in self.path:
            value = cast("dict[str | int, object]", value)[part]
        self.tree = {}
        if isinstance(value, dict):
            self.tree = {str(key): item for key, item in cast("dict[object, object]", value).items()}
        else:
            self.wrong((), "must be a mapping")

    @property
    def place(self) -> str:
        """``file:line`` of the entry."""
        return self.document.places.get(self.path, "")

    def wrong(self, key: KeyPath, message: str) -> None:
        """Note a problem at a key of this entry."""
        at = (*self.path, *key)
        self.problems.append(Problem(self.document.places.get(at, self.place), dotted(at), message))

    def only(self, known: Sequence[str]) -> None:
        """Note every key that is none of `known`."""
        for key in self.tree.keys() - set(known):
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(known)}"
            self.wrong((key,), f"is no key here; {hint}")

    def text(self, key: str, most: int, *, needed: bool = True) -> str:
        """Return a text of at most `most` printable characters; empty after a problem."""
        value = self.tree.get(key)
        if value is None and not needed:
            return ""
        if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
            self.wrong((key,), f"is missing; write a text of at most {most} characters")
        elif len(str(value)) > most or not str(value).replace("\n", " ").isprintable():
            self.wrong((key,), f"must be at most {most} printable characters")
        else:
            return str(value).strip()
        return ""

    def time(self, key: str) -> float | None:
        """Return a moment in seconds (UTC); None after a problem."""
        if self.tree.get(key) is None:
            self.wrong((key,), "is missing; write a date (2026-05-01) or an RFC 3339 time")
            return None
        try:
            return moment(self.tree[key])
        except (ValueError, OverflowError) as error:
            self.wrong((key,), str(error))
            return None
