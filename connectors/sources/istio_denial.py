"""Why a proxy denied a call, read from the details that Istio's authorization filters leave.

`rbac_access_denied_matched_policy[ns[NAMESPACE]-policy[NAME]-rule[N]]`, or `[none]` where no ALLOW policy
matched; a CUSTOM policy puts `istio-ext-authz-` and perhaps its provider before `ns`.
Source: istio `pilot/pkg/security/authz/builder`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.untrusted import text_at

_MARK: Final = "rbac_access_denied"
_POLICY: Final = re.compile(r"ns\[([^\[\]]{1,253})\]-policy\[([^\[\]]{1,253})\]-rule\[(\d{1,6})\]")
_EXTERNAL: Final = "UAEX"


def denied(fields: Mapping[str, Any]) -> bool:
    """Return whether a policy denied the call: by RBAC (HTTP or TCP), or by an external authorizer."""
    for key in ("response_code_details", "connection_termination_details"):
        said = fields.get(key)
        if isinstance(said, str) and _MARK in said:
            return True
    flags = fields.get("response_flags")
    return isinstance(flags, str) and _EXTERNAL in flags.split(",")


def denying_policy(fields: Mapping[str, Any]) -> str | None:
    """Return NAMESPACE/NAME of the policy that denied the call, or None where none is named."""
    for key in ("response_code_details", "connection_termination_details"):
        said = text_at(fields, key)
        found = _POLICY.search(said) if said else None
        if found:
            return f"{found[1]}/{found[2]}"
    return None
