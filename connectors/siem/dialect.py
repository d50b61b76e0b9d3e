"""In what two products of one family differ: one value a product, made in that product's file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from connectors.siem.answer import Answer
from connectors.siem.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Dialect:
    """One product.

    `identify` returns the version from the answer to ``GET /`` or raises RefusedError. `prepare` makes sure
    that a stream is a data stream before the first document, where a bulk request cannot ask for that.
    """

    product: str
    templates: str
    bulk_query: Mapping[str, str]
    identify: Callable[[Answer], str]
    prepare: Callable[[Cluster, str], Awaitable[None]]
    retention: str = ""


def no_template(name: str, stream: str) -> str:
    """Return what is said when nothing makes `stream` a data stream."""
    return f"{name}: no template makes {stream} a data stream: run davylamp siem bootstrap"


def version_of(answer: Answer) -> tuple[str, str]:
    """Return `version.distribution` and `version.number` of ``GET /``; "" for what is not there."""
    version = answer.json().get("version")
    if not isinstance(version, dict):
        return "", ""
    return str(version.get("distribution", ""))[:32], str(version.get("number", ""))[:32]


def major_of(number: str) -> int:
    """Return the first number of a version; 0 when there is none."""
    head = number.partition(".")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 4 else 0
