"""Vault or OpenBao through hvac: blocking calls, one client a thread.

hvac's errors carry the answer's body and requests' errors carry the request: both are dropped here,
so that nothing secret can travel in an exception. Paths: HashiCorp's HTTP API, database and transit engines.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

import hvac
import requests
from hvac import exceptions as answers

from connectors.vault.error import VaultAwayError, VaultDeniedError, VaultError, VaultRefusedError
from connectors.vault.replies import Identity, StaticCredentials, StaticRole, VaultHealth, rotation
from connectors.vault.secret_text import SecretText

Method: TypeAlias = Literal["GET", "LIST", "POST", "PUT", "DELETE"]
_SEGMENTS: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
_UNFINISHED: Final = "unable to finish rotating credentials"
_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (answers.InvalidRequest, 400),
    (answers.InvalidPath, 404),
    (answers.UnsupportedOperation, 405),
    (answers.InternalServerError, 500),
    (answers.VaultNotInitialized, 501),
)


class VaultClient:
    """The calls that Davylamp makes. `token` is asked again for each call, so a new token needs no restart.

    `timeout_s` bounds the wait for a connection and for an answer, each. Every method raises
    VaultAwayError, VaultDeniedError or VaultRefusedError.
    """

    def __init__(
        self, address: str, token: Callable[[], str], *, timeout_s: float = 5.0, ca_file: Path | None = None
    ) -> None:
        self._token = token
        session = requests.Session()
        session.trust_env = False
        self._hvac = hvac.Client(
            url=address,
            token="",
            timeout=cast(int, timeout_s),
            verify=str(ca_file) if ca_file else True,
            session=session,
            allow_redirects=False,
        )

    def health(self) -> VaultHealth:
        """Return seal, standby and the vault's clock. Needs no token. Sealed is an answer, not an error."""
        reply = self._ask(
            "GET sys/health",
            lambda: self._hvac.sys.read_health_status(
                standby_ok=True, sealed_code=200, uninit_code=200, method="GET"
            ),
        )
        return VaultHealth(
            sealed=bool(reply.get("sealed", True)),
            standby=bool(reply.get("standby", False)),
            server_time=float(reply.get("server_time_utc", 0)),
            version=str(reply.get("version", ""))[:32],
        )

    def identity(self) -> Identity:
        """Return who our token is (`auth/token/lookup-self`)."""
        data = self._data("GET auth/token/lookup-self", lambda: self._hvac.auth.token.lookup_self())
        return Identity(
            entity=str(data.get("entity_id") or ""),
            accessor=str(data.get("accessor") or ""),
            display_name=str(data.get("display_name") or "")[:128],
        )

    def static_role(self, mount: str, name: str) -> StaticRole:
        """Return a static role without reading its password."""
        mount, name = vault_path(mount), vault_path(name)
        data = self._data(
            f"GET {mount}/static-roles/{name}",
            lambda: self._hvac.secrets.database.read_static_role(name=name, mount_point=mount),
        )
        return StaticRole(str(data.get("username", "")), rotation(_text(data, "last_vault_rotation")))

    def static_credentials(self, mount: str, name: str) -> StaticCredentials:
        """Return the user name and password that the vault serves now."""
        mount, name = vault_path(mount), vault_path(name)
        data = self._data(
            f"GET {mount}/static-creds/{name}",
            lambda: self._hvac.secrets.database.get_static_credentials(name=name, mount_point=mount),
        )
        return StaticCredentials(
            username=_text(data, "username"),
            password=SecretText(_text(data, "password")),
            rotation=rotation(_text(data, "last_vault_rotation")),
        )

    def rotate_static_role(self, mount: str, name: str) -> None:
        """Ask for a new password now. It may take effect even when this raises: read before repeating."""
        mount, name = vault_path(mount), vault_path(name)
        self._ask(
            f"POST {mount}/rotate-role/{name}",
            lambda: self._hvac.secrets.database.rotate_static_role_credentials(name=name, mount_point=mount),
        )

    def encrypt(self, mount: str, key: str, secret: SecretText) -> str:
        """Return `secret` as ciphertext of a transit key (``vault:v1:...``)."""
        mount, key = vault_path(mount), vault_path(key)
        plain = base64.b64encode(secret.reveal().encode()).decode("ascii")
        data = self._data(
            f"POST {mount}/encrypt/{key}",
            lambda: self._hvac.secrets.transit.encrypt_data(name=key, plaintext=plain, mount_point=mount),
        )
        return _text(data, "ciphertext")

    def decrypt(self, mount: str, key: str, ciphertext: str) -> SecretText:
        """Return what `encrypt` was given."""
        mount, key = vault_path(mount), vault_path(key)
        data = self._data(
            f"POST {mount}/decrypt/{key}",
            lambda: self._hvac.secrets.transit.decrypt_data(
                name=key, ciphertext=ciphertext, mount_point=mount
            ),
        )
        return SecretText(base64.b64decode(_text(data, "plaintext")).decode())

    def fingerprint(self, mount: str, key: str, secret: SecretText) -> str:
        """Return the HMAC of `secret` by a transit key: tells two values apart, gives neither away."""
        mount, key = vault_path(mount), vault_path(key)
        plain = base64.b64encode(secret.reveal().encode()).decode("ascii")
        data = self._data(
            f"POST {mount}/hmac/{key}",
            lambda: self._hvac.secrets.transit.generate_hmac(name=key, hash_input=plain, mount_point=mount),
        )
        return _text(data, "hmac")

    def request(
        self,
        method: Method,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        token: SecretText | None = None,
    ) -> Mapping[str, Any]:
        """Make one call of the HTTP API below ``/v1`` and return the answer, {} when it has none.

        `token` stands in for our own, to try one; SecretText("") sends none. `path` comes from `vault_path`
        or is a literal. A 404 is VaultRefusedError with status 404.
        """
        adapter = self._hvac.adapter
        url = f"/v1/{vault_path(path)}"
        asked = method if method != "LIST" else "GET"
        given: dict[str, Any] = {"json": dict(body)} if body is not None else {}
        if method == "LIST":
            given["params"] = {"list": "true"}
        return self._ask(f"{method} {path}", lambda: adapter.request(asked, url, **given), token)

    def _data(self, what: str, call: Callable[[], object]) -> Mapping[str, Any]:
        data = self._ask(what, call).get("data")
        if not isinstance(data, Mapping):
            raise VaultRefusedError(f"{what}: the answer has no data", status=200)
        return cast("Mapping[str, Any]", data)

    def _ask(
        self, what: str, call: Callable[[], object], token: SecretText | None = None
    ) -> Mapping[str, Any]:
        """Call the vault; the errors below are raised outside `except`, so they chain to nothing."""
        self._hvac.token = self._token() if token is None else token.reveal()
        failure: VaultError
        try:
            reply = call()
        except answers.VaultError as error:
            failure = _failure(what, error)
        except requests.RequestException as error:
            failure = VaultAwayError("unreachable", f"{what} ({type(error).__name__})")
        else:
            if isinstance(reply, Mapping):
                return cast("Mapping[str, Any]", reply)
            status = getattr(reply, "status_code", 0)
            if status in (204, 200):
                return {}
            failure = VaultAwayError("standby" if status in (307, 429, 472, 473) else "busy", what)
        raise failure


def _failure(what: str, error: answers.VaultError) -> VaultError:
    """Return our error for hvac's: its kind and one known phrase, never its text."""
    match error:
        case answers.VaultDown():
            return VaultAwayError("sealed", what)
        case answers.Forbidden() | answers.Unauthorized():
            return VaultDeniedError(f"vault denied {what}")
        case answers.RateLimitExceeded() | answers.BadGateway():
            return VaultAwayError("busy", what)
        case answers.PreconditionFailed():
            return VaultAwayError("standby", f"{what}: it has not seen our last write yet")
        case _:
            status = next((code for kind, code in _STATUS if isinstance(error, kind)), 0)
            said = " ".join(str(item) for item in error.errors or ())
            unfinished = _UNFINISHED in said
            tail = ": it could not reach the database and goes on trying" if unfinished else ""
            return VaultRefusedError(
                f"vault answered {status} to {what}{tail}", status=status, unfinished=unfinished
            )


def vault_path(path: str) -> str:
    """Return `path` if it can stand in a URL as it is: segments of letters, digits, dot, dash, underscore.

    Raises VaultRefusedError.
    """
    if not _SEGMENTS.match(path) or len(path) > 256:
        raise VaultRefusedError(f"not a vault path: {path[:64]!r}", status=0)
    return path


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise VaultRefusedError(f"the vault's answer has no {key}", status=200)
    return value


def clock_skew(health: VaultHealth, now: float) -> float:
    """Return how many seconds the vault's clock is ahead of `now` (seconds, UTC), to its whole second."""
    ahead = health.server_time - now
    return 0.0 if -1.0 <= ahead <= 0.0 else ahead
