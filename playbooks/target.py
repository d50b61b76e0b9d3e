"""A credential that may be rotated, as the rooms above `config` see it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

DataClass: TypeAlias = Literal["public", "internal", "confidential", "restricted", "unknown"]
_INSTANCE: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9._-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class TargetRef:
    """Names one target. `key` = ``kind:mount/name`` is its canonical form.

    `name` is the configured target's, or ``name/instance`` for one credential of it (one lease of a role).
    `named_as` are the entities (type, id) that events call it by, besides its own name. `login` is who logs
    in with it, where the settings say.
    """

    kind: str
    mount: str
    name: str
    classification: DataClass
    owner: str
    named_as: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)
    login: str = field(default="", compare=False, repr=False)

    @property
    def key(self) -> str:
        """The canonical name."""
        return f"{self.kind}:{self.mount}/{self.name}"

    @property
    def base(self) -> str:
        """The configured target's name."""
        return self.name.partition("/")[0]

    @property
    def instance(self) -> str:
        """Which one of the target's credentials is meant; empty when all are."""
        return self.name.partition("/")[2]

    @property
    def base_key(self) -> str:
        """The key of the configured target."""
        return f"{self.kind}:{self.mount}/{self.base}"


def instance_of(target: TargetRef, instance: str) -> TargetRef:
    """Return `target` narrowed to one instance. Raises ValueError for a text that no such thing is called.

    The text comes from events: it may hold letters, digits, dot, dash, underscore, at most 128 of them.
    """
    if not _INSTANCE.match(instance):
        raise ValueError("not the name of an instance")
    return replace(target, name=f"{target.base}/{instance}")
