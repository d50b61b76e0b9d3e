"""A credential that may be rotated, as the rooms above `config` see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

DataClass: TypeAlias = Literal["public", "internal", "confidential", "restricted", "unknown"]


@dataclass(frozen=True, slots=True)
class TargetRef:
    """Names one target. `key` = ``kind:mount/name`` is its canonical form."""

    kind: str
    mount: str
    name: str
    classification: DataClass
    owner: str

    @property
    def key(self) -> str:
        """The canonical name."""
        return f"{self.kind}:{self.mount}/{self.name}"
