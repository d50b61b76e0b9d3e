"""A provider's API key that the vault's KV engine distributes, for providers with a small JSON API of keys.

What the provider must speak, below `keys_url`, with our bearer: ``GET`` -> ``{"keys": [{"id", "active",
"created_at", "last_used_at"}]}``; ``POST`` with ``Idempotency-Key`` -> 201 ``{"id", "secret"}``; ``PATCH ID``
with ``{"active": false}``; ``DELETE ID``. `probe_url` is asked with the key itself as bearer: 2xx means that
it is taken, 401 and 403 that it is refused, anything else says nothing. Providers that speak otherwise get a
file of their own on the same seam (`kv_provider`).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast
from urllib.parse import quote

import httpx
import orjson
from pydantic import ConfigDict, Field

from config.secret import Secret
from connectors.kubernetes.step_failure import KUBERNETES
from connectors.rotation.kv_provider import NewKey, ProviderError, ProviderKey, Tried
from connectors.rotation.kv_provider_key import ProviderKeyHandler
from connectors.rotation.kv_provider_target import ProviderKeyTarget
from connectors.vault.secret_text import SecretText
from detectors.event import Fields
from detectors.finding import parse_rfc3339
from playbooks.proof import Grade

MAX_ANSWER_BYTES: Final = 1024 * 1024
_URL: Final = r"^(https://[^\s/@?#]+|http://(127\.0\.0\.1|localhost)(:\d{1,5})?)(/[^\s@]*)?$"
"""Keys travel in these calls: no plaintext beyond this machine."""
_LATER: Final = frozenset({408, 409, 423, 425, 429})


class KvHttpKeyTarget(ProviderKeyTarget):
    """`sessions`: "none" when the provider makes nothing out of a key that outlives it; else no grade A."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: str = "kv_http_key"
    keys_url: str = Field(pattern=_URL, max_length=500)
    probe_url: str = Field(pattern=_URL, max_length=500)
    bearer: Secret = Secret()
    max_keys: int = Field(default=10, ge=2, le=1000)
    sessions: Literal["none", "unknown"] = "unknown"
    timeout_s: float = Field(default=5.0, gt=0, le=30)


class KvHttpKey(ProviderKeyHandler[KvHttpKeyTarget]):
    """Implements `playbooks.ports.RotationHandler` for kind `kv_http_key`."""

    kind: str = "kv_http_key"
    example: str = (
        "{kind: kv_http_key, mount: secret, path: shop/maps, name: maps, "
        "keys_url: https://maps.example/keys, probe_url: https://maps.example/me, "
        "bearer: {file: /run/secrets/maps}, sessions: none}"
    )
    best_grade: Grade = "A"
    services: tuple[str, ...] = ("vault", "provider", KUBERNETES)
    TARGET = KvHttpKeyTarget
    ROUTINE = True

    @classmethod
    def unprovable(cls, target: KvHttpKeyTarget) -> Mapping[str, str]:
        """Ask for our own bearer."""
        return {} if target.bearer.given() else {"bearer": "is required; give value or file"}

    def provider(self, target: KvHttpKeyTarget) -> HttpProvider:
        """Return the provider of `target`."""
        return HttpProvider(target)


class HttpProvider:
    """Implements `connectors.rotation.kv_provider.Provider` over HTTP. Opens one connection a call."""

    def __init__(self, target: KvHttpKeyTarget) -> None:
        self._target = target
        self.max_keys: int = target.max_keys
        self.observer = f"provider {httpx.URL(target.probe_url).host}"
        self._verify = ssl.create_default_context()

    def listed(self) -> list[ProviderKey]:
        """Return all keys."""
        return [
            ProviderKey(str(one.get("id")), one.get("active") is True, _time(one.get("created_at")))
            for one in self._keys()
        ]

    def create(self, intent: str) -> NewKey:
        """Make a key; a provider that honours the header makes one for one intent."""
        made = self._ask("POST", "", {}, {"Idempotency-Key": intent})
        key_id, secret = made.get("id"), made.get("secret")
        if not isinstance(key_id, str) or not isinstance(secret, str) or not secret:
            raise ProviderError("the provider's answer has no new key", retry=True)
        return NewKey(key_id, SecretText(secret))

    def enable(self, key_id: str) -> None:
        """Let a key work again."""
        self._ask("PATCH", key_id, {"active": True})

    def disable(self, key_id: str) -> None:
        """Let a key work no more."""
        self._ask("PATCH", key_id, {"active": False})

    def delete(self, key_id: str) -> None:
        """Delete a key."""
        self._ask("DELETE", key_id, gone_is_fine=True)

    def may_retire(self, key_id: str) -> None:
        """Ask for a change that changes nothing: an active key made active."""
        self._ask("PATCH", key_id, {"active": True})

    def last_used(self, key_id: str) -> float | None:
        """Return when a key was last used."""
        return next((_time(one.get("last_used_at")) for one in self._keys() if one.get("id") == key_id), None)

    def end_sessions(self, until: float) -> str:
        """Say what the operator said; there is nothing to end."""
        return "none, as configured" if self._target.sessions == "none" else ""

    def probe(self, key: NewKey) -> Tried:
        """Ask as the key itself."""
        headers = {"Authorization": f"Bearer {key.secret.reveal()}"}
        try:
            with self._client() as client:
                status = client.get(self._target.probe_url, headers=headers).status_code
        except httpx.HTTPError as error:
            return Tried("unanswered", type(error).__name__)
        if 200 <= status < 300:
            return Tried("accepted", str(status))
        return Tried("refused" if status in (401, 403) else "unanswered", str(status))

    def _keys(self) -> Sequence[Fields]:
        found = self._ask("GET", "").get("keys")
        if not isinstance(found, list):
            raise ProviderError("the provider's answer lists no keys", retry=True)
        return cast("list[Fields]", found)

    def _ask(
        self,
        method: str,
        key_id: str,
        body: Fields | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        gone_is_fine: bool = False,
    ) -> Fields:
        """Call; httpx's errors hold the request with its bearer, so ours are raised outside `except`."""
        url = self._target.keys_url.rstrip("/") + (f"/{quote(key_id, safe='')}" if key_id else "")
        sent = {"Authorization": f"Bearer {self._target.bearer.reveal()}", **(headers or {})}
        failure: ProviderError
        try:
            with self._client() as client, client.stream(method, url, json=body, headers=sent) as answer:
                data = _bounded(answer)
                status = answer.status_code
        except httpx.HTTPError as error:
            failure = ProviderError(
                f"provider unreachable: {method} key ({type(error).__name__})", retry=True
            )
        else:
            if answer.is_success or (gone_is_fine and status == 404):
                return _parsed(data) if answer.is_success else {}
            later = status in _LATER or status >= 500
            failure = ProviderError(f"the provider answered {status} to {method} key", retry=later)
        raise failure

    def _client(self) -> httpx.Client:
        return httpx.Client(
            timeout=self._target.timeout_s, verify=self._verify, trust_env=False, follow_redirects=False
        )


def _bounded(answer: httpx.Response) -> bytes:
    data = bytearray()
    for part in answer.iter_bytes():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            raise ProviderError("the provider's answer is too long", retry=False)
    return bytes(data)


def _parsed(data: bytes) -> Fields:
    if not data:
        return {}
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ProviderError("the provider's answer cannot be read", retry=True)
    return cast(Fields, found)


def _time(value: object) -> float | None:
    """Return an RFC 3339 text as seconds; what is none is unknown."""
    if not isinstance(value, str):
        return None
    try:
        return parse_rfc3339(value)
    except ValueError:
        return None


HANDLER: Final = KvHttpKey
