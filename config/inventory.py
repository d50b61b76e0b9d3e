"""A site's inventory: which of its names are in which class (`davylamp inventory show` lists the classes)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast

from config.document import Document, dotted
from config.errors import ConfigurationError, Problem

MAX_NAMES: Final = 10_000
MAX_LENGTH: Final = 512


def read_inventory(paths: Iterable[Path], known: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return class -> names of all files: ``class: [name, ...]``, `*` and `?` in a name count.

    `known` are the classes there are. Raises ConfigurationError with every problem of every file: a class
    that is none, what is no list of texts, a name that stands for everybody.
    """
    classes = tuple(known)
    found: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            document = Document.read(path)
        except ConfigurationError as error:
            problems += error.problems
            continue
        for key, names in document.tree.items():
            name = str(key)  # YAML reads `no:` as false
            place = document.places.get((name,), str(path))
            if name not in classes:
                problems.append(Problem(place, name, _no_class(name, classes)))
            elif not isinstance(names, list) or len(cast("list[object]", names)) > MAX_NAMES:
                problems.append(Problem(place, name, f"must be a list of at most {MAX_NAMES} names"))
            else:
                good = _names(cast("list[object]", names), name, document, problems)
                found[name] = (*found.get(name, ()), *good)
    if problems:
        raise ConfigurationError(problems)
    return found


def _names(given: list[object], name: str, document: Document, problems: list[Problem]) -> list[str]:
    good: list[str] = []
    for index, one in enumerate(given):
        place = document.places.get((name, index), "")
        if not isinstance(one, str | int) or isinstance(one, bool) or not 0 < len(str(one)) <= MAX_LENGTH:
            said = f"is {type(one).__name__}, must be text of at most {MAX_LENGTH} characters"
            problems.append(Problem(place, dotted((name, index)), said))
        elif not str(one).strip("*?:/.- "):
            said = f"{one!r} stands for everybody; a class of everybody would switch rules off"
            problems.append(Problem(place, dotted((name, index)), said))
        else:
            good.append(str(one))
    return good


def _no_class(name: str, classes: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(classes), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"is no class{hint} (davylamp inventory show lists them)"
