"""The errors of the store. No message holds a URL, a password or a row's values."""

from __future__ import annotations


class StoreError(Exception):
    """The root of everything the store raises."""


class StoreAwayError(StoreError):
    """The database cannot be reached, is locked for longer than the timeout, or refuses the login."""


class MigrationNeededError(StoreError):
    """The tables are missing or of another release: run `connectors.store.database.upgrade`."""


class WriteDeniedError(StoreError):
    """This role may not write that table."""


class ConflictError(StoreError):
    """Somebody else changed the row first: read it again, decide again."""


class UnknownRowError(StoreError):
    """There is no such incident, action or target."""
