"""Every key of a pipeline looked at before pySigma sees it: what is wrong, where, and what is allowed.

pySigma ignores an unknown linking word, takes a misspelt method and reads text as code where it can; so
nothing reaches it that the catalogue does not name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Final, TypeAlias, cast

from config.document import Document, KeyPath, dotted
from config.errors import Problem
from detectors.sigma.document import UnsupportedConstructError
from detectors.sigma.pipeline.catalogue import (
    CONDITIONS,
    QUERY_KEYS,
    REFUSED,
    TOP,
    TRANSFORMATIONS,
    Parameter,
    Parameters,
)
from detectors.sigma.pipeline.expression import linear
from detectors.sigma.pipeline.fitting import fits, is_variable, wanted

MAX_NESTING: Final = 4
MAX_ITEMS: Final = 1000
Tree: TypeAlias = Mapping[str, object]
_NAME: Final = re.compile(r"(?!(?:not|and|or|of|all|them|any)(?![A-Za-z_0-9])|not)[A-Za-z_][A-Za-z_0-9]*")
_SUFFIXES: Final = ("conditions", "cond_op", "cond_not", "cond_expr")


class Vetting:
    """Collects the problems of one pipeline file."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def run(self) -> None:
        """Look at the whole file; `problems` holds what is wrong."""
        tree = self._document.tree
        for key in tree:
            if key in QUERY_KEYS:
                self._add((key,), f"{QUERY_KEYS[key]}: leave it out")
            elif key not in TOP:
                self._add((key,), f"is no key of a pipeline{_hint(key, TOP)}")
        if not isinstance(tree.get("priority", 0), int) or isinstance(tree.get("priority"), bool):
            self._add(("priority",), "must be a whole number; lower ones come first")
        self._vars(tree.get("vars", {}))
        self.items(tree.get("transformations", []), ("transformations",), 0)

    def _vars(self, given: object) -> None:
        if not isinstance(given, dict):
            self._add(("vars",), "must be a mapping of a name to a value or a list of values")
            return
        for name, value in cast("dict[object, object]", given).items():
            if not is_variable(value):
                self._add(("vars", str(name)), "must be a text, a number, or a list of them, not empty")

    def items(self, given: object, at: KeyPath, depth: int) -> None:
        """Look at a list of transformations, nested ones too."""
        if not isinstance(given, list):
            self._add(at, "must be a list of transformations")
            return
        items = cast("list[object]", given)
        if depth > MAX_NESTING or len(items) > MAX_ITEMS:
            self._add(at, f"more than {MAX_ITEMS} transformations, or nested deeper than {MAX_NESTING}")
            return
        for place, item in enumerate(items):
            if isinstance(item, dict):
                self._item(cast(Tree, item), (*at, place), depth)
            else:
                self._add((*at, place), "must be a mapping with a type")

    def _item(self, item: Tree, at: KeyPath, depth: int) -> None:
        kind = item.get("type")
        if not isinstance(kind, str):
            self._add(at, f"has no type; allowed: {', '.join(TRANSFORMATIONS)}")
            return
        if kind in REFUSED:
            self._add((*at, "type"), "{} {}; {}".format(kind, *REFUSED[kind]))
            return
        if kind not in TRANSFORMATIONS:
            self._add((*at, "type"), f"no transformation is called {kind}{_hint(kind, TRANSFORMATIONS)}")
            return
        shared = {f"{scope}_{suffix}": scope for scope in CONDITIONS for suffix in _SUFFIXES}
        own = {key: value for key, value in item.items() if key not in (*shared, "type", "id")}
        self._parameters(kind, own, TRANSFORMATIONS[kind], at, depth)
        if not isinstance(item.get("id", ""), str):
            self._add((*at, "id"), "must be a text")
        name = own.get("name")
        if kind == "add_condition" and isinstance(name, str) and not _NAME.fullmatch(name):
            self._add((*at, "name"), "must be the name of a selection: letters, digits, underscores")
        if kind == "set_custom_attribute" and str(own.get("attribute", "")).startswith("davylamp-"):
            self._add((*at, "attribute"), "names that begin with davylamp- are Davylamp's own")
        for scope in CONDITIONS:
            self._conditions(item, scope, at)

    def _conditions(self, item: Tree, scope: str, at: KeyPath) -> None:
        for suffix, allowed in (("cond_op", ("and", "or")), ("cond_not", (True, False))):
            if (key := f"{scope}_{suffix}") in item and item[key] not in allowed:
                told = ", ".join(str(one).lower() for one in allowed)
                self._add((*at, key), f"must be one of {told}")
        key = f"{scope}_conditions"
        given = item.get(key, [])
        if f"{scope}_cond_expr" in item:
            if not isinstance(item[f"{scope}_cond_expr"], str):
                self._add((*at, f"{scope}_cond_expr"), "must be a text")
            if not isinstance(given, dict):
                self._add((*at, key), "must be a mapping of names to conditions where an expression is given")
                return
        listed: Collection[tuple[str | int, object]]
        if isinstance(given, dict):
            listed = [(str(name), one) for name, one in cast("dict[object, object]", given).items()]
        elif isinstance(given, list):
            listed = list(enumerate(cast("list[object]", given)))
        else:
            self._add((*at, key), "must be a list or a mapping of conditions")
            return
        for name, one in listed:
            self._condition(one, scope, (*at, key, name))

    def _condition(self, given: object, scope: str, at: KeyPath) -> None:
        known = CONDITIONS[scope]
        one = cast("dict[str, object]", given) if isinstance(given, dict) else {}
        kind = one.get("type")
        if not isinstance(kind, str) or kind not in known:
            self._add(at, f"must be a mapping whose type is one of {', '.join(known)}")
            return
        own = {key: value for key, value in one.items() if key != "type"}
        self._parameters(kind, own, known[kind], at, 0)
        if own.get("mode") == "re" and isinstance(own.get("fields"), list):
            for place, pattern in enumerate(cast("list[object]", own["fields"])):
                self._value(pattern, Parameter("pattern"), (*at, "fields", place), 0)
        if kind == "rule_attribute" and str(own.get("attribute", "")).startswith("_"):
            self._add((*at, "attribute"), "must be the name of a rule's attribute, as level or status")

    def _parameters(self, owner: str, given: Tree, known: Parameters, at: KeyPath, depth: int) -> None:
        for key, value in given.items():
            if key in known:
                self._value(value, known[key], (*at, key), depth)
            else:
                allowed = ", ".join(known) or "none"
                self._add((*at, str(key)), f"is no parameter of {owner} (allowed: {allowed})")
        if owner.endswith("logsource") and not given:
            self._add(at, f"{owner} needs one of {', '.join(known)}")
        for key, parameter in known.items():
            if parameter.needed and key not in given:
                self._add(at, f"{owner} needs {key}: {wanted(parameter)}")

    def _value(self, value: object, parameter: Parameter, at: KeyPath, depth: int) -> None:
        if parameter.kind == "items":
            self.items(value, at, depth + 1)
        elif parameter.kind == "pattern" and isinstance(value, str):
            try:
                linear(value)
            except UnsupportedConstructError as error:
                self._add(at, f"{error.reason}. {error.way_out}")
        elif not fits(value, parameter):
            self._add(at, f"must be {wanted(parameter)}")

    def _add(self, at: KeyPath, message: str) -> None:
        places = self._document.places
        place = next((places[at[:n]] for n in range(len(at), 0, -1) if at[:n] in places), "pipeline")
        self.problems.append(Problem(place, dotted(at), message))


def _hint(given: str, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(given, allowed, 1)
    return f"; did you mean {near[0]!r}?" if near else f" (allowed: {', '.join(allowed)})"
