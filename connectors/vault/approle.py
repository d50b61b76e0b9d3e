"""AppRole: its secret ids by accessor, and logins with one. Paths: HashiCorp's `auth/approle`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.vault.client import VaultClient
from connectors.vault.error import VaultDeniedError, VaultRefusedError
from connectors.vault.reply import data_of, names_of, text_of
from connectors.vault.secret_text import SecretText

NO_TOKEN: Final = SecretText("")
REFUSED: Final = "400"


@dataclass(frozen=True, slots=True)
class AppRole:
    """One role of one mount of the auth method."""

    vault: VaultClient
    mount: str
    role: str

    @property
    def _path(self) -> str:
        return f"auth/{self.mount}/role/{self.role}"

    def role_id(self) -> str:
        """Return the role id, which is a name and no secret. Raises VaultError."""
        return text_of(data_of(self.vault.request("GET", f"{self._path}/role-id")), "role_id")

    def gives_batch_tokens(self) -> bool:
        """Return whether a login makes a batch token, which cannot be revoked alone. Raises VaultError."""
        kind = str(data_of(self.vault.request("GET", self._path)).get("token_type") or "")
        return kind in ("batch", "default-batch")

    def secret_ids(self) -> frozenset[str]:
        """Return the accessors of all secret ids. Raises VaultError."""
        try:
            return names_of(self.vault.request("LIST", f"{self._path}/secret-id"))
        except VaultRefusedError as error:
            if error.status != 404:
                raise
        return frozenset()

    def metadata(self, accessor: str) -> Mapping[str, str] | None:
        """Return a secret id's metadata, None when there is none such. Raises VaultError."""
        body = {"secret_id_accessor": accessor}
        try:
            data = data_of(self.vault.request("POST", f"{self._path}/secret-id-accessor/lookup", body))
        except VaultRefusedError as error:
            if error.status != 404:
                raise
            return None
        found = cast("Mapping[str, object]", data.get("metadata") or {})
        return {str(key): str(value) for key, value in found.items()}

    def new_secret_id(self, metadata: Mapping[str, str], ttl_s: int) -> tuple[str, SecretText]:
        """Make a secret id that dies after `ttl_s`; return its accessor and itself. Raises VaultError."""
        body = {"metadata": json.dumps(dict(metadata)), "ttl": f"{ttl_s}s"}
        data = data_of(self.vault.request("POST", f"{self._path}/secret-id", body))
        return text_of(data, "secret_id_accessor"), SecretText(text_of(data, "secret_id"))

    def destroy(self, accessor: str) -> None:
        """Destroy a secret id; one that is gone (the vault says 500 then) is no error. Raises VaultError."""
        body = {"secret_id_accessor": accessor}
        try:
            self.vault.request("POST", f"{self._path}/secret-id-accessor/destroy", body)
        except VaultRefusedError:
            if self.metadata(accessor) is not None:
                raise

    def log_in(self, role_id: str, secret_id: SecretText) -> Login:
        """Try to log in. The vault says 400 (`REFUSED`) to a secret id that it does not know, and 403 while
        the role is locked out or its entity disabled. Raises VaultError when it says neither.
        """
        body: dict[str, Any] = {"role_id": role_id, "secret_id": secret_id.reveal()}
        try:
            reply = self.vault.request("POST", f"auth/{self.mount}/login", body, token=NO_TOKEN)
        except VaultDeniedError:
            return Login(None, "403")
        except VaultRefusedError as error:
            if error.status != 400:
                raise
            return Login(None, "400")
        auth = data_of(reply, "auth")
        accessor = str(auth.get("accessor") or "")
        return Login(SecretText(text_of(auth, "client_token")), "200", accessor)


@dataclass(frozen=True, slots=True)
class Login:
    """How a login ended: with a token, or refused (`token` is None) with this HTTP status.

    `accessor` is empty for a batch token, which ends with its time only.
    """

    token: SecretText | None
    code: str
    accessor: str = ""
