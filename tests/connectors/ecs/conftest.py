"""What a document must satisfy to be ECS: known fields of their types, allowed values, known roots."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

SCHEMA = json.loads((Path(__file__).parent / "data/ecs_fields.json").read_text())
OWN = (
    "aws.cloudtrail.",
    "kubernetes.audit.",
    "istio.access.",
    "hashicorp_vault.audit.",
    "davylamp.",
    "labels.",
)
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


def leaves(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of everything that is no object."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _problems(document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong, one sentence each; empty when the document conforms."""
    return [
        wrong
        for path, value in leaves(document)
        if not path.startswith(OWN)
        for item in (value if isinstance(value, list) else [value])
        if (wrong := _problem(path, item))
    ]


def _problem(path: str, value: Any) -> str | None:
    kind = SCHEMA["fields"].get(path)
    if kind is None:
        return f"{path} is no field of the extract"
    if path in SCHEMA["allowed"] and value not in SCHEMA["allowed"][path]:
        return f"{path} is {value!r}, not allowed"
    return None if _fits(kind, value) else f"{path} is {value!r}, expected {kind}"


def _fits(kind: str, value: Any) -> bool:
    if kind == "ip":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            return False
        return True
    if kind == "date":
        return isinstance(value, str) and DATE.match(value) is not None
    if kind == "long":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    if kind == "float":
        return isinstance(value, float)
    return isinstance(value, str)


@pytest.fixture
def problems() -> Callable[[Mapping[str, Any]], list[str]]:
    """Return the function that lists what is wrong with a document."""
    return _problems
