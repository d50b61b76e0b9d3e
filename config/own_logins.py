"""What Davylamp itself logs in by, as entries of the deny list: it never cuts its own branch off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from config.denial import Denied
from config.secret import SecretUnreadableError
from config.settings import Settings

_MAX: Final = 256


def own_denials(settings: Settings) -> tuple[Denied, ...]:
    """Return the operator's entries and one for each own login that the settings tell."""
    found = {entry.name: entry for entry in settings.response.deny}
    for name, login in _logins(settings):
        if 0 < len(login) <= _MAX:
            found.setdefault(name, Denied(name=name, logins=(login,)))
    return tuple(found.values())


def _logins(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "own login at Kafka (kafka.username)", settings.kafka.username or ""
    yield "own login at the database of record (response.database_url)", _database_login(settings)
    for target in settings.forwarding.targets:
        login = str(getattr(target, "username", "") or "")
        yield f"own login at the SIEM (forwarding.targets, {target.name})", login


def _database_login(settings: Settings) -> str:
    """Return the login in the database's address, which itself is secret; "" when there is none."""
    if not settings.response.database_url.given():
        return ""
    try:
        return unquote(urlsplit(settings.response.database_url.reveal()).username or "")
    except (SecretUnreadableError, ValueError):
        return ""
