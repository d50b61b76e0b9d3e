"""Shadow mode: how often people did what auto would have done, by playbook. It advises, nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.event import Fields

DAYS: Final = 14.0
SHARE: Final = 0.95
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Judged:
    """One proposal: whether auto would have started it, and what people `said` ("" for nothing)."""

    playbook: str
    at: float
    would: bool
    said: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """One playbook's figures. Only where auto would have acted can people disagree with it."""

    playbook: str
    days: float
    approved: int
    rejected: int
    undecided: int
    left: int
    """Proposals that auto would have left to people as well."""

    @property
    def share(self) -> float | None:
        """The share of decided proposals in which people did what auto would have done."""
        decided = self.approved + self.rejected
        return self.approved / decided if decided else None

    @property
    def ready(self) -> bool:
        """Whether auto is worth a thought: two weeks in shadow with 95 % agreement."""
        return self.days >= DAYS and self.share is not None and self.share >= SHARE

    def to_json(self) -> Fields:
        """Return the figures for a program."""
        return {
            "playbook": self.playbook,
            "days": round(self.days, 1),
            "approved": self.approved,
            "rejected": self.rejected,
            "undecided": self.undecided,
            "left_to_people": self.left,
            "agreement": None if self.share is None else round(self.share, 4),
            "ready": self.ready,
        }


def agreement(found: Sequence[Judged], now: float) -> Sequence[Agreement]:
    """Return the figures of each playbook that proposed something, by name. `now`: seconds, UTC."""
    out: list[Agreement] = []
    for playbook in sorted({one.playbook for one in found}):
        mine = [one for one in found if one.playbook == playbook]
        acted = [one for one in mine if one.would]
        said = [one.said for one in acted]
        out.append(
            Agreement(
                playbook=playbook,
                days=(now - min(one.at for one in mine)) / _DAY_S,
                approved=said.count("approved"),
                rejected=said.count("rejected"),
                undecided=said.count(""),
                left=len(mine) - len(acted),
            )
        )
    return out
