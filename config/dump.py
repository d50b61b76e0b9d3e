"""Settings as plain data: masked for people, revealed only for a child process's private pipe."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pydantic import BaseModel, SecretStr

from config.settings import Settings

MASK = "********"


def masked(settings: Settings) -> dict[str, object]:
    """Return the settings as JSON-able data with every secret value masked."""
    return cast("dict[str, object]", _plain(settings, reveal=False))


def revealed(settings: Settings) -> dict[str, object]:
    """Return the settings with secret values in clear. Only for the pipe between supervisor and role."""
    return cast("dict[str, object]", _plain(settings, reveal=True))


def _plain(value: object, *, reveal: bool) -> object:
    if isinstance(value, BaseModel):
        names = (*type(value).model_fields, *(value.model_extra or {}))
        return {name: _plain(getattr(value, name), reveal=reveal) for name in names}
    if isinstance(value, SecretStr):
        return value.get_secret_value() if reveal else MASK
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {str(key): _plain(item, reveal=reveal) for key, item in items}
    if isinstance(value, tuple | list):
        return [_plain(item, reveal=reveal) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Path):
        return str(value)
    return value
