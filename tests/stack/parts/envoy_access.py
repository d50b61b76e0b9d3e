"""Who may call: RBAC filters with the policy names that Istio writes, so that denials carry them.

Istio names a rule `ns[NAMESPACE]-policy[POLICY]-rule[N]` (istio: pilot/pkg/security/authz/builder).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from parts.envoy_identity import Workload

Node: TypeAlias = dict[str, Any]
WEB: Final = Workload("prod", "web")
BATCH: Final = Workload("prod", "batch")
SERVER: Final = Workload("prod", "api")
DENY_ADMIN: Final = "ns[prod]-policy[deny-admin]-rule[0]"
ALLOW_WEB: Final = "ns[prod]-policy[allow-web]-rule[0]"
ALLOW_HEALTH: Final = "ns[prod]-policy[allow-health]-rule[0]"
ALLOW_DATABASE: Final = "ns[prod]-policy[allow-database]-rule[0]"
_HTTP: Final = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
_NETWORK: Final = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"


def deny() -> Node:
    """Return the filter that refuses `/admin` to everyone."""
    admin = {"url_path": {"path": {"prefix": "/admin"}}}
    return _filter({"action": "DENY", "policies": {DENY_ADMIN: _policy(admin, {"any": True})}})


def allowed() -> Node:
    """Return the filter that lets WEB call everything and anyone call `/healthz`."""
    health = {"url_path": {"path": {"exact": "/healthz"}}}
    policies = {
        ALLOW_WEB: _policy({"any": True}, _is(WEB)),
        ALLOW_HEALTH: _policy(health, {"any": True}),
    }
    return _filter({"action": "ALLOW", "policies": policies})


def connections() -> Node:
    """Return the rules of the TCP service: only WEB."""
    return {"action": "ALLOW", "policies": {ALLOW_DATABASE: _policy({"any": True}, _is(WEB))}}


def network(rules: Mapping[str, Any]) -> Node:
    """Return the network filter with these rules."""
    typed = {"@type": _NETWORK, "stat_prefix": "tcp.", "rules": dict(rules)}
    return {"name": "envoy.filters.network.rbac", "typed_config": typed}


def _filter(rules: Mapping[str, Any]) -> Node:
    return {"name": "envoy.filters.http.rbac", "typed_config": {"@type": _HTTP, "rules": dict(rules)}}


def _policy(permission: Node, principal: Node) -> Node:
    return {"permissions": [permission], "principals": [principal]}


def _is(workload: Workload) -> Node:
    return {"authenticated": {"principal_name": {"exact": workload.spiffe}}}
