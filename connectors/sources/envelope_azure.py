"""Azure diagnostic records (AKS `kube-audit`), and the list that they share with Firehose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from connectors.sources.envelope_aws import packed
from connectors.sources.layer import Layer, content, stated
from connectors.sources.untrusted import text_at

_RESOURCE: Final = re.compile(
    r"/SUBSCRIPTIONS/([0-9A-F-]{1,64})/.{0,256}/MANAGEDCLUSTERS/([^/]{1,128})\Z", re.IGNORECASE | re.DOTALL
)


def diagnostic(value: Any) -> Sequence[Layer] | None:
    """One diagnostic record: `properties.log`; the resource id names subscription and cluster."""
    properties = value.get("properties") if isinstance(value, dict) else None
    if not isinstance(properties, dict) or "log" not in properties or "category" not in value:
        return None
    found = _RESOURCE.match((text_at(value, "resourceId") or "")[:1024])
    origin = stated(
        account=found[1].lower() if found else None,
        region=value.get("location"),
        cluster=found[2] if found else None,
    )
    return [Layer(content(properties["log"], "properties.log"), origin)]


def records(value: dict[str, Any]) -> Iterable[Layer] | None:
    """`records[]`: of Azure diagnostics, of Firehose (`data` is base64), or of events themselves."""
    rows = value.get("records")
    if not isinstance(rows, list):
        return None
    return (layer for row in rows for layer in _row(row))


def _row(row: Any) -> Sequence[Layer]:
    if isinstance(row, dict) and "data" in row:
        return [Layer(packed(row, "records[]"))]
    return diagnostic(row) or [Layer(row if isinstance(row, dict) else content(row, "records[]"))]
