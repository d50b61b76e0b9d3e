"""TLS to the brokers, with a certificate of our own where they want one; its files are followed."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Self

import structlog

from config.kafka import Kafka

_Stamp = tuple[tuple[int, int, int], ...]


class FollowedContext(ssl.SSLContext):
    """A client's context that reads its certificate and key again for the next connection after they change.

    cert-manager and Kubernetes renew the files in place while connections come and go. A pair that cannot
    be read (half written, not matching) is said once and the one before stays in use. New authorities of
    `ca_file` are trusted at once; one that was taken out, until the role starts again.
    """

    _cert: Path | None = None
    _key: Path | None = None
    _ca: Path | None = None
    _stamp: _Stamp = ()

    @classmethod
    def of(cls, kafka: Kafka) -> Self:
        """Return the context of the settings. Raises OSError for a file that cannot be read or is no PEM."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._cert, context._key, context._ca = kafka.cert_file, kafka.key_file, kafka.ca_file
        if context._ca is None:
            context.load_default_certs()
        context._stamp = context._stamped()
        context._load()
        return context

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """Begin a connection, as asyncio and uvloop do, with what the files hold now."""
        self._follow()
        return super().wrap_bio(*args, **more)

    def _follow(self) -> None:
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._load()
        except OSError as error:
            log = structlog.get_logger("davylamp.kafka")
            log.warning("the certificate is not renewed", file=str(self._cert), error=type(error).__name__)

    def _load(self) -> None:
        if self._ca is not None:
            self.load_verify_locations(cafile=self._ca)
        if self._cert is not None:
            # A throwaway context first: a bad pair would leave this one without any.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(self._cert, self._key)
            self.load_cert_chain(self._cert, self._key)

    def _stamped(self) -> _Stamp:
        files = [path.stat() for path in (self._cert, self._key, self._ca) if path is not None]
        return tuple((found.st_mtime_ns, found.st_ino, found.st_size) for found in files)
