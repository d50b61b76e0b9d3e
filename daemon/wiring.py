"""The composition root: which function is which role. Roles are imported only when they run,
so that a role's process holds only its own libraries (detect never loads the vault client)."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Final, cast

from config.settings import Role, Settings
from daemon.runtime import Runtime

RoleFunction = Callable[[Settings, Runtime], Awaitable[None]]

_ROLES: Final[dict[Role, str]] = {
    "detect": "daemon.roles.detect",
    "correlate": "daemon.roles.correlate",
    "respond": "daemon.roles.respond",
    "forward": "daemon.roles.forward",
    "web": "daemon.roles.web",
}


def role_function(role: Role) -> RoleFunction:
    """Return ``run(settings, runtime)`` of a role."""
    return cast(RoleFunction, importlib.import_module(_ROLES[role]).run)
