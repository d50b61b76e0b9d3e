"""File, then environment, then flags: one Settings, or every error at once with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError

from config.document import Document, KeyPath, Tree, dotted
from config.errors import ConfigurationError, Problem
from config.response import TARGET_KINDS, Target
from config.settings import Settings

PREFIX = "DAVYLAMP_"
_USER: Final = re.compile(r"//[^/@\s]*@")


def load(
    path: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    target_kinds: Mapping[str, type[Target]] | None = None,
) -> Settings:
    """Return the settings of `path` < `environment` (DAVYLAMP_SECTION__KEY) < `flags` (dotted keys).

    `environment` None means none: the caller passes ``os.environ`` on purpose. With `target_kinds` (kind
    -> model) each response target is read by its kind's model. Raises ConfigurationError with every
    problem: place, key, what was found, what is allowed.
    """
    document = Document.read(path) if path is not None else Document({}, {})
    problems: list[Problem] = []
    for name in sorted(environment or {}):
        if name.startswith(PREFIX) and _names_a_setting(name):
            keys = tuple(part.lower() for part in name[len(PREFIX) :].split("__"))
            _put(document, keys, _scalar((environment or {})[name]), f"environment {name}", problems)
    for key, value in (flags or {}).items():
        _put(document, tuple(key.split(".")), value, f"flag {key}", problems)
    try:
        settings = Settings.model_validate(document.tree, context={TARGET_KINDS: target_kinds or {}})
    except ValidationError as error:
        models = list((target_kinds or {}).values())
        problems.extend(_problems(error, document, str(path) if path else "settings", models))
        raise ConfigurationError(sorted(problems, key=_order)) from None
    if problems:
        raise ConfigurationError(problems)
    return settings


def _names_a_setting(name: str) -> bool:
    rest = name[len(PREFIX) :].lower()
    return "__" in rest or rest in Settings.model_fields


def _scalar(text: str) -> object:
    return yaml.safe_load(text) if text[:1] in "[{" and text else text


def _put(document: Document, keys: KeyPath, value: object, place: str, problems: list[Problem]) -> None:
    tree: Tree = document.tree
    for depth, key in enumerate(keys[:-1]):
        below = tree.setdefault(str(key), {})
        if not isinstance(below, dict):
            problems.append(Problem(place, dotted(keys), f"{dotted(keys[: depth + 1])} is not a section"))
            return
        document.places.setdefault(keys[: depth + 1], place)
        tree = cast(Tree, below)
    tree[str(keys[-1])] = value
    document.places[keys] = place


def _problems(
    error: ValidationError, document: Document, name: str, kinds: Sequence[type[Target]]
) -> list[Problem]:
    return [
        _problem(dict(item), document, name, kinds)
        for item in error.errors(include_url=False, include_input=True)
    ]


def _problem(
    item: Mapping[str, Any], document: Document, name: str, kinds: Sequence[type[Target]]
) -> Problem:
    path = _known_path(tuple(item["loc"]), document)
    place = _place(path, document, name)
    kind = str(item["type"])
    if kind == "extra_forbidden":
        allowed = _allowed_keys(path[:-1], kinds)
        near = difflib.get_close_matches(str(path[-1]), allowed, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return Problem(place, dotted(path), f"is no setting{hint} (allowed: {', '.join(allowed)})")
    if kind == "missing":
        return Problem(place, dotted(path), "is required and missing")
    return Problem(place, dotted(path), f"{item['msg']}; found {_found(path, item.get('input'))}")


def _found(path: KeyPath, value: Any) -> str:
    """Return what stood there, without what may be secret: sections hold secrets, addresses passwords."""
    if _is_secret(path):
        return "a secret"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    return _USER.sub("//***@", repr(value))[:80]


def _known_path(loc: KeyPath, document: Document) -> KeyPath:
    """Drop the parts that pydantic adds for unions (the discriminator's value)."""
    path: KeyPath = ()
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if last or (*path, part) in document.places or isinstance(part, int):
            path = (*path, part)
    return path


def _place(path: KeyPath, document: Document, name: str) -> str:
    for length in range(len(path), 0, -1):
        if path[:length] in document.places:
            return document.places[path[:length]]
    return name


def _order(problem: Problem) -> tuple[str, int]:
    head, _, line = problem.place.rpartition(":")
    return (head, int(line)) if line.isdigit() else (problem.place, 0)


def _is_secret(path: KeyPath) -> bool:
    return bool(path) and (path[-1] == "value" or "token" in str(path[-1]))


def _allowed_keys(path: KeyPath, kinds: Sequence[type[Target]]) -> list[str]:
    """Return the field names of the model at `path`, as far as the annotation tells."""
    models: list[type[BaseModel]] = [Settings]
    for part in path:
        if isinstance(part, int):
            continue
        found = [m for model in models for m in _models_in(_annotation(model, part))]
        models = [*kinds] if kinds and Target in found else found or models
    return sorted({name for model in models for name in model.model_fields})


def _annotation(model: type[BaseModel], key: str) -> object:
    field = model.model_fields.get(key)
    return field.annotation if field else None


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
