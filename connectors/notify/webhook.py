"""A JSON POST to an HTTP endpoint. Neither the URL (it may hold a token) nor the answer is ever told on."""

from __future__ import annotations

from typing import Final

import httpx
import orjson

from config.notification import Webhook
from config.secret import SecretUnreadableError
from detectors.event import Fields
from detectors.level import parse_level, rank
from playbooks.ports import NotDeliveredError

MAX_BODY_BYTES: Final = 64 * 1024
_LATER: Final = frozenset({408, 409, 423, 425, 429})


class WebhookNotifier:
    """Implements `playbooks.ports.Notifier`. Blocking; no redirects, no proxies of the environment.

    Sends ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header) so that a second try pages once.
    """

    kind: str = "webhook"

    def __init__(self, settings: Webhook, client: httpx.Client | None = None) -> None:
        self.name = settings.name
        self._settings = settings
        self._client = client or httpx.Client(
            timeout=settings.timeout_s, follow_redirects=False, trust_env=False
        )

    def wants(self, level: str) -> bool:
        """Return whether an incident of this level goes to this endpoint. Raises ValueError."""
        return rank(parse_level(level)) >= rank(self._settings.min_level)

    def send(self, notification_id: str, message: Fields) -> None:
        """Post `message`. Raises NotDeliveredError; 408, 409, 423, 425, 429 and 5xx are worth another try."""
        failure: NotDeliveredError
        try:
            answer = self._client.post(
                self._settings.url.reveal(),
                content=_body(notification_id, message),
                headers=self._headers(notification_id),
            )
        except (httpx.TransportError, SecretUnreadableError) as error:
            failure = NotDeliveredError(f"{self.name}: {type(error).__name__}", retry=True)
        except (httpx.InvalidURL, UnicodeError):
            failure = NotDeliveredError(f"{self.name}: its URL is not one", retry=False)
        else:
            status = answer.status_code
            if 200 <= status < 300:
                return
            failure = NotDeliveredError(
                f"{self.name}: HTTP {status}", retry=status in _LATER or status >= 500
            )
        raise failure

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _headers(self, notification_id: str) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": notification_id,
            "User-Agent": "davylamp",
        }
        if self._settings.bearer.given():
            headers["Authorization"] = f"Bearer {self._settings.bearer.reveal()}"
        return headers


def _body(notification_id: str, message: Fields) -> bytes:
    body = orjson.dumps({"notification_id": notification_id, **message})
    if len(body) > MAX_BODY_BYTES:
        raise NotDeliveredError(f"the message has {len(body)} bytes, {MAX_BODY_BYTES} are sent", retry=False)
    return body


NOTIFIER: Final = WebhookNotifier
