"""The field set of ECS 9 (all fields), and the check of a document against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.ecs import conformance

FIELDS = conformance.FieldSet.load(Path(__file__).parent / "data/ecs_fields.json")


@pytest.fixture(scope="session")
def problems() -> Callable[[Mapping[str, Any]], list[str]]:
    """Return the function that lists what is wrong with a document."""
    return lambda document: conformance.problems(document, FIELDS)
