"""Whether a call through the mesh came about, as Envoy's code, flags and details say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.istio_denial import denied
from connectors.sources.istio_mesh import refused_by_mesh
from connectors.sources.untrusted import integer_at
from detectors.event import Outcome

_FAILURE_FLAGS: Final = frozenset(
    {
        "UAEX",
        "RL",
        "RLSE",
        "NR",
        "NC",
        "UH",
        "UF",
        "URX",
        "DPE",
        "IH",
        "UPE",
        "DI",
        "FI",
        "OM",
        "UT",
        "UC",
        "LR",
        "LH",
        "UO",
        "DT",
        "UMSDR",
        "NFCF",
        "DF",
        "DO",
        "UDO",
    }
)
"""Envoy's short response flags of calls that failed or were refused; DC, the client left, is none."""


def outcome_of(fields: Mapping[str, Any]) -> Outcome:
    """Return failure on a denial, a refusal, a failure flag or a code of 400 or more.

    An HTTP call without a code is unknown (its client left); a TCP connection without one succeeded.
    """
    flags = fields.get("response_flags")
    code = fields.get("response_code")
    if not flags and type(code) is int and 100 <= code < 400:
        return "success"
    told = flags or fields.get("response_code_details") or fields.get("connection_termination_details")
    if (told and denied(fields)) or refused_by_mesh(fields):
        return "failure"
    if isinstance(flags, str) and not _FAILURE_FLAGS.isdisjoint(flags.split(",")):
        return "failure"
    if type(code) is not int:
        code = integer_at(fields, "response_code")
    if code:
        return "success" if code < 400 else "failure"
    return "unknown" if fields.get("method") else "success"
