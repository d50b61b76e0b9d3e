"""A proxy's access log line in JSON in outline (`connectors.sources.outline`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connectors.sources.istio_format import number_of
from connectors.sources.istio_outcome import outcome_of
from connectors.sources.istio_parties import KEPT, REACHED, mesh_edge
from connectors.sources.istio_text import NUMBERS
from connectors.sources.moment import seconds
from connectors.sources.outline import Glance, Outline
from detectors.identifier import digest16, source_id
from detectors.sigma.path import MISSING

_SERVER_SIDE: Final = ("inbound|", "inbound-vip|", "inbound-pod|")
_SERVICE: Final = "outbound|"
_LONG: Final = 1 << 63
_EMPTY: Final = frozenset({"", "-"})
_OF_OUTCOME: Final = (
    "response_code_details",
    "response_flags",
    "response_code",
    "connection_termination_details",
    "route_name",
    "method",
)


def outline() -> Outline:
    """Return how: of the client's side, calls to services of the mesh; calls out of it are read in full."""
    fields = (
        ("start_time",),
        ("request_id",),
        ("upstream_cluster",),
        ("upstream_host",),
        ("downstream_remote_address",),
        ("response_code_details",),
        ("namespace",),
        ("workload",),
        ("bytes_received",),
        ("response_flags",),
        ("response_code",),
        ("connection_termination_details",),
        ("route_name",),
        ("method",),
    )
    numbers = dict.fromkeys((*NUMBERS, "upstream_service_time"), _number)
    return Outline(fields, _glance, changes={"": _value, **numbers})


def _glance(
    start: Any,
    request: Any,
    cluster: Any,
    host: Any,
    remote: Any,
    details: Any,
    namespace: Any,
    workload: Any,
    received: Any,
    *told: Any,
) -> Glance | None:
    if type(start) is not str or type(cluster) is not str:
        return None
    edge, sent, side = None, 0, "inbound"
    if cluster.startswith(_SERVICE):
        side = "outbound"
        if details == REACHED or not _failed(cluster, details, told):
            if type(namespace) is not str or type(workload) is not str or type(received) is not int:
                return None
            if namespace in _EMPTY or workload in _EMPTY or received >= _LONG:
                return None
            if len(namespace) + len(workload) + len(cluster) > KEPT:
                return None
            edge, sent = mesh_edge(namespace, workload, cluster), max(0, received)
    elif not cluster.startswith(_SERVER_SIDE):
        return None
    time = seconds(start, "start_time")
    event_id = None
    if type(request) is str and request and request != "-":
        host = host if type(host) is str and host != "-" else ""
        remote = remote if type(remote) is str and remote != "-" else ""
        mark = digest16(request, start, side, host, remote)
        event_id = f"{source_id(request)}/{mark}"
    return event_id, time, (), edge, sent


def _failed(cluster: str, details: Any, told: Sequence[Any]) -> bool:
    """Whether the call did not come about, by the fields that say so."""
    pairs = zip(_OF_OUTCOME, (details, *told), strict=True)
    fields = {key: _value(value) for key, value in pairs if value is not MISSING}
    fields["upstream_cluster"] = cluster
    if type(fields.get("response_code")) is str:
        fields["response_code"] = number_of(fields["response_code"])
    return outcome_of(fields) == "failure"


def _value(value: Any) -> Any:
    """What `normalise` makes of a value."""
    return None if value == "-" else value


def _number(value: Any) -> Any:
    """What `normalise` makes of a number's text."""
    if value == "-":
        return None
    return number_of(value) if type(value) is str else value
