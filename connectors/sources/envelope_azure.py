"""Azure diagnostic records (AKS `kube-audit`), and the list that they share with Firehose."""

from __future__ import annotations

import re
from typing import Any, Final

from connectors.sources.envelope_aws import packed
from connectors.sources.layer import Layer, Rows, content, stated
from connectors.sources.untrusted import text_at

_RESOURCE: Final = re.compile(
    r"/SUBSCRIPTIONS/([0-9A-F-]{1,64})/.{0,256}/MANAGEDCLUSTERS/([^/]{1,128})\Z", re.IGNORECASE | re.DOTALL
)


def diagnostic(value: Any) -> list[Layer] | None:
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
    return [Layer(content(properties["log"], "properties.log"), origin, text_at(value, "time"))]


def records(value: dict[str, Any]) -> Rows | None:
    """`records[]`: of Azure diagnostics, of Firehose (`data` is base64), or of events themselves."""
    rows = value.get("records")
    if not isinstance(rows, list):
        return None
    return Rows(rows, _row)


def _row(row: Any) -> Layer:
    if not isinstance(row, dict):
        return Layer(content(row, "records[]"))
    if "data" in row:
        return Layer(packed(row, "records[]"))
    layers = diagnostic(row)
    return layers[0] if layers else Layer(row)
