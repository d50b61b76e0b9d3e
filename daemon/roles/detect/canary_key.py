"""The key of canaries, read anew at each look: a new one is used at once, the old one counts for an hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from config.canary import Canary
from config.errors import ConfigurationError, Problem
from config.secret import SecretUnreadableError
from detectors.canary.proof import MIN_KEY

OLD_KEY_S: Final = 3600.0


class CanaryKey:
    """`clock` is in seconds. Raises ConfigurationError when the key is short or cannot be read at the start.

    Later such a key is logged once and the one in force stays.
    """

    def __init__(self, settings: Canary, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._changed = 0.0
        self._refused = ""
        try:
            self._keys = (self._read(),)
        except (SecretUnreadableError, ValueError) as error:
            raise ConfigurationError([Problem("settings", "canary.key", str(error))]) from None

    def keys(self) -> tuple[bytes, ...]:
        """Return the key in force and the one before it, newest first."""
        try:
            key = self._read()
        except (SecretUnreadableError, ValueError) as error:
            if self._refused != str(error):
                self._refused = str(error)
                structlog.get_logger("davylamp.detect").warning("canary key refused", error=str(error))
            return self._keys
        now = self._clock()
        if key != self._keys[0]:
            self._keys, self._changed = (key, self._keys[0]), now
        elif now > self._changed + OLD_KEY_S:
            self._keys = self._keys[:1]
        return self._keys

    def _read(self) -> bytes:
        key = self._settings.key.reveal().encode()
        if len(key) < MIN_KEY:
            raise ValueError(f"a key of {len(key)} characters can be guessed: at least {MIN_KEY}")
        return key
