"""Log shippers: Fluent Bit, Vector, Filebeat and Elastic Agent, Docker's json-file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.sources.decoding import SHORTEST
from connectors.sources.kubernetes_place import place
from connectors.sources.layer import Layer, Partial, content, stated
from connectors.sources.reject import Reject
from connectors.sources.source import NOWHERE
from connectors.sources.untrusted import text_at

LIFTS: Final = "kubernetes"
"""The key that tells an event whose fields a shipper lifted beside its own."""
_MARKS: Final = frozenset(
    {"kubernetes", "@timestamp", "@metadata", "timestamp", "time", "date", "stream", "source_type", "agent"}
)
_ITS_OWN: Final = frozenset(
    {"kubernetes", "log", "stream", "logtag", "_p", "@timestamp", "@metadata", "agent"}
)
_PLACES: Final = ("kubernetes", "cloud", "orchestrator")
_TIMES: Final = ("timestamp", "date", "time")
_STATED: Final = ("time", "timestamp", "date", "@timestamp")


def shipped(value: dict[str, Any]) -> Sequence[Layer] | None:
    """A shipper's record: the line is `log` or `message`, the place is `kubernetes` and `cloud`."""
    if _MARKS.isdisjoint(value):
        return None
    line = _line(value)
    if line is None:
        return None
    if isinstance(line, str) and "P" in (value.get("logtag"), value.get("_p")):
        line = Partial(line.encode("utf-8", "replace"))
    if isinstance(line, Reject) or (isinstance(line, str) and len(line) < SHORTEST):
        return [Layer(line)]
    return [Layer(line, _origin(value), next((value[key] for key in _STATED if key in value), None))]


def lifted(value: dict[str, Any]) -> Sequence[Layer]:
    """An event with a shipper's keys beside its own (`Merge_Log`): the line, else without those keys."""
    line = value.get("log")
    if isinstance(line, str) and line.lstrip().startswith("{"):
        return [Layer(line, _origin(value))]
    bare = {key: item for key, item in value.items() if key not in _ITS_OWN}
    for key in _TIMES:
        if isinstance(bare.get(key), float):
            del bare[key]
    return [Layer(bare, _origin(value))]


def _line(value: dict[str, Any]) -> Any:
    """The line, decoded or not; Filebeat's `log` is an object about the file and stands beside `message`."""
    if isinstance(value.get("log"), str):
        return value["log"]
    if "message" in value:
        return content(value["message"], "message")
    return content(value["log"], "log") if "log" in value else None


def _origin(value: dict[str, Any]) -> Mapping[str, str]:
    if not any(value.get(key) for key in _PLACES):
        return NOWHERE
    return stated(
        account=text_at(value, "cloud", "account", "id"),
        region=text_at(value, "cloud", "region"),
        cluster=text_at(value, "orchestrator", "cluster", "name"),
        **place(value.get("kubernetes")),
    )
