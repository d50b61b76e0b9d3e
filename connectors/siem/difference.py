"""What differs between a shipped template and the installed one, read as the products write it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

# What a product adds to a template on its own.
_ADDED: Final = ("template.lifecycle.enabled", "created_date", "modified_date", "data_stream.")
_SHOWN: Final = 120


def differences(ours: Mapping[str, Any], installed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one line a path that differs, sorted: ``PATH: INSTALLED, shipped SHIPPED``."""
    wanted, found = dict(_flat(ours)), dict(_flat(installed))
    lines: list[str] = []
    for path in sorted({*wanted, *found}):
        if wanted.get(path) == found.get(path) or (path not in wanted and path.startswith(_ADDED)):
            continue
        lines.append(f"{path}: {found.get(path, 'missing')}, shipped {wanted.get(path, 'without')}")
    return tuple(lines)


def _flat(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in body.items():
        if key == "template" and isinstance(value, dict):
            for part, inner in cast(dict[str, Any], value).items():
                if part == "settings":
                    yield from _settings(inner)
                else:
                    yield from _leaves(f"template.{part}", inner)
        else:
            yield from _leaves(key, value)


def _settings(value: Any) -> Iterator[tuple[str, str]]:
    """Settings come back nested below `index`, as texts, whatever way they were sent."""
    for path, text in _leaves("", value):
        name = path.removeprefix(".")
        name = name if name.startswith("index.") else f"index.{name}"
        yield f"template.settings.{name}", text


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        inner = cast(dict[str, Any], value)
        if path == "data_stream" or not inner:
            yield path, "{}"
        if path != "data_stream":
            for key, item in inner.items():
                yield from _leaves(f"{path}.{key}", item)
    elif isinstance(value, list):
        yield path, json.dumps(value)[:_SHOWN]
    else:
        yield path, str(value).lower()[:_SHOWN] if isinstance(value, bool) else str(value)[:_SHOWN]
