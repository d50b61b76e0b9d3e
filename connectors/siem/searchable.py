"""Which fields of a document a query can ask for: the shipped templates index what they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from connectors.siem.templates import templates

FLAT: Final = ("flattened", "flat_object")
"""The types under which any field is indexed, as a keyword (of Elasticsearch, of OpenSearch)."""


def field_type(product: str, field: str) -> str | None:
    """Return the type under which `product` indexes `field`, None when a query cannot ask for it.

    A field below one of the types in `FLAT` has that type.
    """
    known = _types(product)
    if field in known:
        return known[field]
    parts = field.split(".")
    above = (known.get(".".join(parts[:size])) for size in range(len(parts) - 1, 0, -1))
    return next((name for name in above if name in FLAT), None)


@lru_cache(maxsize=4)
def _types(product: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for template in templates(product):
        if template.kind == "component" and template.body:
            inner = cast("dict[str, Any]", template.body.get("template", {}))
            mappings = cast("dict[str, Any]", inner.get("mappings", {}))
            found |= _leaves(mappings.get("properties", {}), "")
    return found


def _leaves(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from _leaves(field["properties"], f"{prefix}{name}.")
        elif field.get("index", True):
            yield f"{prefix}{name}", str(field.get("type"))
