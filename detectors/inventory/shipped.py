"""The classes that rules may refer to, and the names in them that are the same on every platform.

A rule says ``user.username|expand: '%kubernetes_controllers%'``; each `.yaml` file beside this one holds the
classes of one source. Names are fixed by the products themselves (their documentation stands in the file),
never by a site: a site adds its own in an inventory file (`config/inventory.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, cast

import yaml

NOBODY: Final = "davylamp:nobody"
"""Stands for the members of an empty class: no identity, path or host has such a name."""
Names: TypeAlias = tuple[str, ...]


class InventoryClass(NamedTuple):
    """A class. `what` says whom it holds and which field its names are compared with; `*` and `?` count."""

    name: str
    what: str
    names: Names


@lru_cache(maxsize=1)
def classes() -> Mapping[str, InventoryClass]:
    """Return every class by name, in the order of files and of what stands in them."""
    found: dict[str, InventoryClass] = {}
    folder = files(__package__ or "detectors.inventory")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            tree = cast("Mapping[str, Mapping[str, object]]", yaml.safe_load(entry.read_text("utf-8")))
            for name, said in tree.items():
                names = cast("Sequence[str]", said["names"])
                found[name] = InventoryClass(name, str(said["what"]).strip(), tuple(map(str, names)))
    return MappingProxyType(found)


def placeholders(added: Mapping[str, Names] | None = None) -> dict[str, Names]:
    """Return the values of each class for `expand`: shipped names, then `added`; nobody for an empty one."""
    more = added or {}
    return {
        name: tuple(dict.fromkeys((*known.names, *more.get(name, ())))) or (NOBODY,)
        for name, known in classes().items()
    }
