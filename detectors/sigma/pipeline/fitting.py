"""Whether a value of a pipeline file fits its parameter, and what is wanted when it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from detectors.sigma.pipeline.catalogue import Kind, Parameter

_SCALAR: Final = (str, int, float, bool)
_WANTED: Final[Mapping[Kind, str]] = {
    "flag": "true or false",
    "items": "a list of transformations",
    "list": "a list of texts",
    "names": "a mapping of a field (or null) to a field or a list of fields",
    "scalar": "a text, a number, true, false or null",
    "search": "a mapping as in a rule: field, modifiers, values",
    "tag": "a tag with its namespace, as attack.t1078",
    "text": "a text",
    "texts": "a text or a list of texts",
    "words": "a mapping of a text to a text or a list of texts",
}


def fits(value: object, parameter: Parameter) -> bool:
    """Return whether `value` is of the parameter's kind and one of its choices, where it has such."""
    if parameter.choices:
        return value in parameter.choices
    listed = cast("list[object]", value) if isinstance(value, list) else None
    pairs = cast("dict[object, object]", value) if isinstance(value, dict) else None
    match parameter.kind:
        case "any":
            return True
        case "flag":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "tag":
            return isinstance(value, str) and "." in value
        case "scalar":
            return value is None or isinstance(value, _SCALAR)
        case "list":
            return listed is not None and _texts(listed)
        case "texts":
            return isinstance(value, str) or (listed is not None and _texts(listed))
        case "names" | "words":
            return pairs is not None and all(_paired(pairs, nullable=parameter.kind == "names"))
        case "search":
            return pairs is not None and all(_searched(pairs))
        case _:
            return False


def is_variable(value: object) -> bool:
    """Return whether a value may stand in `vars`: a text, a number, or a list of them that is not empty."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return bool(values) and all(
        isinstance(item, str | int | float) and not isinstance(item, bool) for item in values
    )


def wanted(parameter: Parameter) -> str:
    """Return in words what a parameter takes."""
    if parameter.choices:
        return f"one of {', '.join(parameter.choices)}"
    return _WANTED.get(parameter.kind, "a value")


def _paired(pairs: Mapping[object, object], *, nullable: bool) -> Iterator[bool]:
    for key, other in pairs.items():
        yield isinstance(key, str) or (nullable and key is None)
        yield isinstance(other, str) or (isinstance(other, list) and _texts(cast("list[object]", other)))


def _searched(pairs: Mapping[object, object]) -> Iterator[bool]:
    for key, other in pairs.items():
        yield isinstance(key, str)
        values = cast("list[object]", other) if isinstance(other, list) else [other]
        yield all(item is None or isinstance(item, _SCALAR) for item in values)


def _texts(values: list[object]) -> bool:
    return all(isinstance(item, str) for item in values)
