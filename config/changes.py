"""Which settings differ between two configurations: their names, never their values."""

from __future__ import annotations

from config.section import Section
from config.settings import Settings


def changed_settings(old: Settings, new: Settings) -> list[str]:
    """Return the dotted names of the settings that differ, sorted; a list of sections is one setting."""
    return sorted(_changed(old, new, ""))


def _changed(old: Section, new: Section, at: str) -> list[str]:
    found: list[str] = []
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if isinstance(before, Section) and type(before) is type(after):
            found += _changed(before, after, f"{at}{name}.")
        else:
            found.append(f"{at}{name}")
    return found
