"""The bearer token of a SASL/OAUTHBEARER login (RFC 7628), read anew for each connection."""

from __future__ import annotations

import asyncio

from aiokafka.abc import AbstractTokenProvider

from config.secret import Secret


class FollowedToken(AbstractTokenProvider):
    """Gives the token that stands in the file now, as Kubernetes projects and renews it."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def token(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the token. Raises SecretUnreadableError, which names the file."""
        return await asyncio.to_thread(self._secret.reveal)
