"""Label selectors: as a query, and what they select (Kubernetes, "Labels and Selectors")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from connectors.kubernetes.error import KubernetesRefusedError
from detectors.event import Fields, Json

_OPERATORS: Final = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})


def selects_everything(selector: Mapping[str, Json]) -> bool:
    """Return whether an empty selector stands there: it means all pods of the namespace."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def query(selector: Mapping[str, Json]) -> str:
    """Return the selector as `labelSelector` of a list call. Raises KubernetesRefusedError."""
    parts = [f"{key}={value}" for key, value in sorted(_labels(selector).items())]
    return ",".join([*parts, *(_as_text(*one) for one in _expressions(selector))])


def selects(selector: Mapping[str, Json], labels: Mapping[str, str]) -> bool:
    """Return whether `selector` selects an object with `labels`. Raises KubernetesRefusedError."""
    if any(labels.get(key) != value for key, value in _labels(selector).items()):
        return False
    return all(_holds(labels, *one) for one in _expressions(selector))


def _labels(selector: Mapping[str, Json]) -> Mapping[str, str]:
    return cast("Mapping[str, str]", selector.get("matchLabels") or {})


def _expressions(selector: Mapping[str, Json]) -> list[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = []
    for one in cast("list[Fields]", selector.get("matchExpressions") or []):
        operator = str(one.get("operator"))
        if operator not in _OPERATORS:
            raise KubernetesRefusedError("a selector has an operator that is unknown")
        found.append((str(one.get("key")), operator, cast("list[str]", one.get("values") or [])))
    return found


def _as_text(key: str, operator: str, values: list[str]) -> str:
    match operator:
        case "In":
            return f"{key} in ({','.join(values)})"
        case "NotIn":
            return f"{key} notin ({','.join(values)})"
        case "Exists":
            return key
        case _:
            return f"!{key}"


def _holds(labels: Mapping[str, str], key: str, operator: str, values: list[str]) -> bool:
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
