"""An action as its worker holds it. Times are seconds since the epoch, UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from connectors.store.error import StoreError
from detectors.event import Fields, Json
from detectors.finding import parse_rfc3339
from playbooks.action import ActionState, parse_state
from playbooks.proof import Check, CheckName
from playbooks.target import DataClass, TargetRef


class LeaseLostError(StoreError):
    """Another worker took the action over, or it is finished: nothing may be written for it any more."""

    def __init__(self, action_id: str, fence: int) -> None:
        super().__init__(f"action {action_id}: the lease with fence {fence} is lost")
        self.action_id = action_id


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as it stands. `state` is pending, intended or done; `attempt` counts intents.

    `context` holds what the step left (`state`), when it was first tried (`begun_at`), how often it failed
    (`failures`) and how long it waited for the outside (`away_s`).
    """

    ordinal: int
    name: str
    state: str
    attempt: int
    intent_at: float | None
    context: Fields
    escrow: str | None
    checks: tuple[Check, ...]

    @property
    def left(self) -> Fields:
        """What the step left for later ones."""
        found = self.context.get("state")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action to be done. `given` is the state that its plan hands to its steps (a release's)."""

    id: str
    incident_id: str | None
    verb: str
    target: TargetRef
    mode: Literal["contain", "orderly"]
    drill: bool
    auto: bool
    epoch: int
    digest: str
    state: ActionState
    started_at: float
    deadline_at: float
    given: Fields = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one action until `until`; a write with an older `fence` is refused."""

    action: ActionRow
    owner: str
    fence: int
    until: float
    steps: tuple[StepRow, ...] = ()
    taken_over: bool = False


def action_row(row: Mapping[Any, Any], *, started_at: float, deadline_at: float) -> ActionRow:
    """Return a row of `actions`."""
    return ActionRow(
        id=row["id"],
        incident_id=row["incident_id"],
        verb=row["verb"],
        target=TargetRef(
            row["target_kind"],
            row["mount"],
            row["name"],
            cast(DataClass, row["classification"]),
            row["target_owner"],
        ),
        mode="orderly" if row["mode"] == "orderly" else "contain",
        drill=row["drill"],
        auto=row["auto"],
        epoch=row["epoch"],
        digest=row["digest"],
        state=parse_state(row["state"]),
        started_at=started_at,
        deadline_at=deadline_at,
        given=cast(Fields, json.loads(row["plan"]).get("state") or {}),
    )


def step_row(row: Mapping[Any, Any]) -> StepRow:
    """Return a row of `steps`."""
    return StepRow(
        ordinal=row["ordinal"],
        name=row["name"],
        state=row["state"],
        attempt=row["attempt"],
        intent_at=row["intent_at"],
        context=cast(Fields, json.loads(row["context"])),
        escrow=row["escrow"],
        checks=tuple(_check(item) for item in json.loads(row["checks"])),
    )


def _check(item: Mapping[str, Json]) -> Check:
    return Check(
        name=cast(CheckName, item["name"]),
        passed=bool(item["passed"]),
        attempts=int(cast(int, item["attempts"])),
        first=parse_rfc3339(str(item["first"])),
        last=parse_rfc3339(str(item["last"])),
        observer=str(item["observer"]),
        code=str(item["code"]),
    )
