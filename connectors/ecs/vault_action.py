"""event.category and event.type of Vault requests: by mount, path and operation.

An operation says what is done (sdk/logical `Operation`); the path says to what: tokens, entities, policies
and generated credentials are identities, logins are authentication, everything else is configuration.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

_TYPES: Final = {
    "create": "creation",
    "read": "access",
    "list": "access",
    "scan": "access",
    "update": "change",
    "patch": "change",
    "delete": "deletion",
    "revoke": "deletion",
    "renew": "change",
    "rollback": "change",
}
# The first that fits counts: pattern of the path without a leading slash, category, types ("" by operation).
_PATHS: Final = tuple(
    (re.compile(pattern), category, kinds)
    for pattern, category, kinds in (
        (r"auth/token/create(?:-orphan)?(?:/|\Z)", "iam", ("creation",)),
        (r"auth/token/revoke-self\Z", "authentication", ("end",)),
        (r"auth/token/(?:revoke|tidy)", "iam", ("deletion",)),
        (r"auth/token/renew", "iam", ("change",)),
        (r"auth/token/lookup", "iam", ("info",)),
        (r"auth/(?:[^/]+/){1,4}login(?:/|\Z)", "authentication", ("start",)),
        (r"auth/(?:[^/]+/){1,4}oidc/(?:auth_url|callback)\Z", "authentication", ("start",)),
        (r"auth/(?:[^/]+/){1,4}users?(?:/|\Z)", "iam", ("", "user")),
        (r"auth/(?:[^/]+/){1,4}groups?(?:/|\Z)", "iam", ("", "group")),
        (r"auth/(?:[^/]+/){1,4}role/[^/]+/(?:custom-)?secret-id", "iam", ("creation", "user")),
        (r"auth/(?:[^/]+/){1,4}(?:roles?|certs|map)(?:/|\Z)", "iam", ("", "admin")),
        (r"identity/(?:entity|persona|alias|entity-alias)(?:/|\Z)", "iam", ("", "user")),
        (r"identity/(?:group|group-alias)(?:/|\Z)", "iam", ("", "group")),
        (r"identity/", "iam", ("",)),
        (r"sys/(?:policy|policies)(?:/|\Z)", "iam", ("", "admin")),
        (r"sys/(?:auth|generate-root|namespaces|mfa)(?:/|\Z)", "iam", ("", "admin")),
        (r"sys/capabilities", "iam", ("info",)),
        (r"sys/leases/revoke|sys/revoke", "iam", ("deletion",)),
        (r"sys/leases/lookup", "iam", ("info",)),
        (r"sys/leases/renew|sys/renew", "iam", ("change",)),
        (
            r"sys/(?:health|seal-status|leader|internal|host-info|metrics|license)(?:/|\Z)",
            "configuration",
            ("info",),
        ),
        (r"sys/(?:wrapping/unwrap|wrapping/lookup|tools)", "configuration", ("access",)),
        (r"(?:[^/]+/){1,4}(?:rotate-role|rotate-root|rotate)(?:/|\Z)", "iam", ("change", "user")),
    )
)
_CREDENTIALS: Final = re.compile(r"(?:[^/]+/){1,4}creds/[^/]+\Z")
_SIGNED: Final = re.compile(
    r"(?:[^/]+/){1,4}(?:issue|sign|sign-verbatim|root/generate|intermediate/generate)/"
)
_LOOKED_AT: Final = re.compile(r"(?:[^/]+/){1,4}(?:encrypt|decrypt|verify|hmac|hash|random|rewrap|datakey)/")
_STORED: Final = frozenset({"kv", "generic", "cubbyhole"})
_LONGEST: Final = 512


def classify(operation: str | None, path: str | None, mount: Any) -> tuple[list[str], list[str]]:
    """Return (event.category, event.type), values of ECS only; the lists are shared, read them.

    `operation`, `path` and `mount` (the mount's type) are the entry's own words.
    """
    if path is None or len(path) > _LONGEST or len(operation or "") > 64:
        return ["configuration"], [_TYPES.get(operation or "", "info")]
    return _classify(operation or "", path, mount if isinstance(mount, str) and mount in _STORED else "")


@lru_cache(maxsize=4096)
def _classify(operation: str, path: str, mount: str) -> tuple[list[str], list[str]]:
    effect = _TYPES.get(operation, "info")
    if mount in _STORED:
        return ["configuration"], [effect]
    if operation in {"help", "alias-lookahead", "resolve-role"}:
        return ["authentication" if path.startswith("auth/") else "configuration"], ["info"]
    for pattern, category, kinds in _PATHS:
        if pattern.match(path):
            return [category], [kind or _fitted(category, effect) for kind in kinds]
    if _CREDENTIALS.match(path) and operation in {"read", "update", "create"}:
        return ["iam"], ["creation", "user"]
    if _SIGNED.match(path) and operation in {"update", "create"}:
        return ["configuration"], ["creation"]
    if _LOOKED_AT.match(path) and operation in {"update", "create"}:
        return ["configuration"], ["access"]
    return ["configuration"], [effect]


def _fitted(category: str, effect: str) -> str:
    return "info" if category == "iam" and effect == "access" else effect
