"""From which address a call reached a proxy, told from the address that its caller claims.

A sidecar trusts X-Forwarded-For, and Envoy's `%DOWNSTREAM_REMOTE_ADDRESS%` is then what the header says, with
port 0, which no connection has. `%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%` is the connection's own end, if it is
logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sources.untrusted import address

_DIRECT: Final = ("downstream_direct_remote_address", "downstream_direct_remote_address_without_port")
_REMOTE: Final = "downstream_remote_address"


def connected(fields: Mapping[str, Any]) -> str | None:
    """Return the address, as logged, that made the connection, or None where only a header says one."""
    for key in _DIRECT:
        direct = fields.get(key)
        if type(direct) is str and address(direct):
            return direct
    remote = fields.get(_REMOTE)
    return remote if type(remote) is str and remote and not _of_header(remote) else None


def claimed(fields: Mapping[str, Any]) -> str | None:
    """Return the canonical address that a header states for the caller, or None where there is none."""
    remote = fields.get(_REMOTE)
    if type(remote) is not str or not _of_header(remote):
        return None
    return address(remote)


def _of_header(remote: str) -> bool:
    """An IPv6 address without brackets may itself end in `:0`, and then has no port."""
    return remote.endswith(":0") and (remote[0] == "[" or remote.count(":") == 1)
